"""JSON lines: one object an event, as docs/events.schema.json describes it."""

import json
from math import nan
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from llmsim.dialects.registry import NAMES
from llmsim.job.recipes import NAMES as RECIPES
from llmsim.run import events
from llmsim.run.simulation import run_of as timeline_of
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.records import event_name, record, records
from tests.runs import job_of, run_of
from tests.telemetry.exporting import ROOT, exported

SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8"))
JUDGE = Draft202012Validator(SCHEMA)
PER_KIND = 3  # records of each kind that are held against the schema, in each run


def objects(path: Path) -> list[dict[str, object]]:
    """The objects of a file of JSON lines."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(each, parse_constant=pytest.fail) for each in text.splitlines()]


@pytest.mark.parametrize(
    ("seed", "asked"),
    [(seed, {"recipe": recipe}) for seed, recipe in enumerate(RECIPES)]
    + [(7, {"gpus": 128, "evaluate": True, "dialect": "pytorch"})]
    + [(3, {"incidents": "chaos"})],
)
@pytest.mark.long
def test_every_kind_of_record_is_as_the_schema_says(seed: int, asked: dict[str, object]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    seen: dict[object, int] = {}
    for made in records(timeline_of(job_of(seed, **asked))):
        seen[made["event"]] = seen.get(made["event"], 0) + 1
        if seen[made["event"]] <= PER_KIND:
            errors = [error.message for error in JUDGE.iter_errors(json.loads(line(made)))]
            assert errors == [], f"seed {seed}, {asked}: {made}"
    assert len(seen) > 20, f"seed {seed}, {asked}"


def test_the_schema_refuses_what_is_not_an_event() -> None:
    run = run_of(7)
    made = json.loads(line(record(run.all(events.Step)[0])))
    nothing: dict[str, object] = {}
    for wrong in (
        nothing,
        made | {"event": "steq"},
        made | {"simulated": False},
        made | {"loss": "2"},
    ):
        assert not JUDGE.is_valid(wrong)


def test_every_event_of_the_vocabulary_has_a_name_and_a_schema() -> None:
    names = {event_name(kind) for kind in get_args(events.Event)}
    assert names <= SCHEMA["$defs"].keys()
    assert {"step", "checkpoint_saved", "validated", "phase_started"} <= names


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.long
def test_a_file_has_every_event_of_the_run(dialect: str, tmp_path: Path) -> None:
    job = job_of(3, dialect=dialect)
    told = run_of(3, dialect=dialect).events
    made = objects(exported(timeline_of(job), tmp_path, "jsonl")["jsonl"])
    assert made[0]["event"] == "run"
    assert made[0]["command"] == job.command
    assert [each["event"] for each in made[1:]] == [event_name(type(event)) for event in told]
    assert {each["simulated"] for each in made} == {True}
    for each, event in zip(made[1:], told, strict=True):
        assert each["at_seconds"] == event.at
        if isinstance(event, events.Step):
            assert (each["step"], each["loss"]) == (event.step, event.loss)
            assert each["metrics"] == dict(event.metrics)


def test_a_number_that_is_not_finite_is_null() -> None:
    step = run_of(7).all(events.Step)[3]
    made = json.loads(line(record(step._replace(loss=nan))), parse_constant=pytest.fail)
    assert made["loss"] is None
    assert made["gradient_norm"] == step.gradient_norm
