"""What is public: its page, its types at run time, and what it refuses."""

import doctest
import re
from datetime import date, datetime
from importlib import import_module
from math import inf, nan
from pathlib import Path
from typing import Any, Literal, get_type_hints

import pytest

import llmsim
from llmsim import CatalogError, LlmsimError, OptionError, Options, PlanError, Screen, plan, play
from llmsim.errors import FIELD, FLAG, PARAMETER, Setting
from llmsim.job.framework import Framework
from llmsim.job.layout import Layout, Parallelism
from llmsim.job.records import Job
from llmsim.options.given import parse_options
from llmsim.options.table import OPTIONS, field_of
from llmsim.run import events
from llmsim.run.simulation import simulate
from tests.runs import START

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/api.md"
PIPE = Screen(width=80, height=24, color=False, unicode=True, live=False)


@pytest.mark.long
def test_the_pages_examples_do_what_they_say() -> None:
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(example.examples) > 15
    told: list[str] = []
    doctest.DocTestRunner().run(example, out=told.append)
    assert "".join(told) == ""


def test_the_page_names_what_is_public_and_nothing_else() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert named == set(llmsim.__all__)
    for name in llmsim.__all__:
        assert getattr(llmsim, name).__doc__, name
    assert set(llmsim.__all__) <= set(dir(llmsim))


def test_all_errors_have_one_base() -> None:
    for error in (OptionError, PlanError, CatalogError):
        assert issubclass(error, LlmsimError), error
    assert issubclass(LlmsimError, ValueError)


# --- types at run time -------------------------------------------------------------------------


# What modules import that need an extra: without it they are left out, and with it they are not.
EXTRAS = ("numpy", "pyarrow")


def records() -> list[Any]:
    """Every record of the package."""
    source = Path(llmsim.__file__).parent
    found: dict[str, Any] = {}
    for path in sorted(source.rglob("*.py")):
        if path.parent.name in ("hosts", "cli") or path.name == "__main__.py":
            continue
        name = ".".join(path.relative_to(source.parent).with_suffix("").parts)
        try:
            module = import_module(name.removesuffix(".__init__"))
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            continue
        for value in vars(module).values():
            if isinstance(value, type) and hasattr(value, "_fields"):
                found[f"{value.__module__}.{value.__name__}"] = value
    return list(found.values())


def test_the_types_of_every_record_are_there_at_run_time() -> None:
    found = records()
    assert len(found) > 100
    for record in found:
        hints = get_type_hints(record)
        assert [*hints] == [*record._fields], record
        assert [name for name, hint in hints.items() if hint is object] == [], record


def test_literals_keep_their_values() -> None:
    sharding = Literal["ddp", "zero1", "zero2", "zero3", "fsdp2"]
    assert get_type_hints(Layout)["sharding"] == sharding
    assert get_type_hints(Parallelism)["split"] == sharding | None
    assert get_type_hints(Parallelism)["whole"] == tuple[sharding, ...]
    assert get_type_hints(Framework)["device"] == Literal["GPU", "NVIDIA GPU", "TPU"]
    assert get_type_hints(events.Step)["loss"] is float
    assert get_type_hints(Job)["layout"] is Layout


# --- what is refused ---------------------------------------------------------------------------

WRONG: list[tuple[str, object]] = [
    ("gpus", -1), ("gpus", 0), ("gpus", 131_073), ("gpus", 10_000_000), ("seed", -1),
    ("seed", 2**64), ("dialect", "megatorn"), ("recipe", "sleep"), ("model", "Foo"),
    ("model", "Foo-1K"), ("dataset", "nosuch"), ("gpu", "A100"), ("duration", -3.0),
    ("duration", 0.0), ("speed_factor", -1.0), ("speed_factor", 0.0), ("runs", -1),
    ("instant_print_lines", -1), ("exit_after_time", 0.0), ("view", "grid"), ("color", "pink"),
    ("list", "nosuch"), ("print_completions", "sh"), ("start", datetime(9999, 1, 1)),
]  # fmt: skip
OF_WRONG_TYPE: list[tuple[str, object]] = [
    ("gpus", "8"), ("gpus", 8.0), ("gpus", True), ("seed", "7"), ("dialect", None), ("model", 7),
    ("start", "2026-01-30"), ("start", date(2026, 1, 30)), ("duration", "3m"), ("tidy", "yes"),
    ("tidy", 1), ("evaluate", None), ("view", ["log"]), ("runs", 2.0), ("json", "no"),
]  # fmt: skip


def refusal(field: str, value: object) -> OptionError:
    """What plan() and play() raise for options with this value, which must be the same."""
    right = Options(seed=7, start=START)
    wrong = right._replace(**{field: value})  # type: ignore[arg-type]  # wrong on purpose
    job = plan(right)
    told = []
    for call in (lambda: plan(wrong), lambda: play(job, wrong, lambda: PIPE)):
        with pytest.raises(OptionError) as caught:
            call()
        told.append(caught.value)
    assert str(told[0]) == str(told[1])
    assert str(told[0]).isprintable()
    return told[0]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_refused_with_the_flags_sentence(field: str, value: object) -> None:
    error = refusal(field, value)
    (option,) = [option for option in OPTIONS if field_of(option) == field]
    text = value.isoformat() if isinstance(value, datetime) else str(value).removesuffix(".0")
    (complaint,) = parse_options([(option.name, text)], prefix="--")[1]
    assert error.sentence(FLAG) == complaint
    assert str(error) == complaint.replace(f"--{option.name} ", f"{field} ")
    lists = re.sub(r"--list (\w+) has", r"the list of \1 in the settings has", complaint)
    assert error.sentence(PARAMETER) == lists.replace("--", "", 1)


@pytest.mark.parametrize(("field", "value"), OF_WRONG_TYPE)
def test_a_value_of_a_wrong_type_is_refused(field: str, value: object) -> None:
    sentence = str(refusal(field, value))
    assert sentence.startswith(f"{field} cannot be ")
    assert "None" in sentence or f" {type(value).__name__}: give " in sentence


@pytest.mark.parametrize(("field", "value"), [("duration", nan), ("speed_factor", -inf),
                                              ("exit_after_time", inf)])  # fmt: skip
def test_what_is_no_number_to_count_with_is_refused(field: str, value: object) -> None:
    assert str(refusal(field, value)).startswith(f"{field} cannot be ")


def test_what_is_neither_options_nor_a_job_is_refused() -> None:
    job: Any
    for job in (None, "llmsim", Options(), ()):
        for call in (simulate, lambda job: play(job, Options(), lambda: PIPE)):
            with pytest.raises(OptionError, match=r"^the job is .*llmsim\.plan"):
                call(job)
        if not isinstance(job, Options):
            with pytest.raises(OptionError, match=r"^the options are .*llmsim\.Options"):
                plan(job)


def test_right_values_are_taken_as_the_flags_take_them() -> None:
    spelt = plan(Options(seed=7, start=START, model="buttgpt-420b", gpu="h200"))
    assert (spelt.model.name, spelt.gpu.name) == ("ButtGPT-420B", "NVIDIA H200")
    whole = Options(duration=60, speed_factor=inf, seed=7, start=START)
    assert plan(whole) == plan(Options(seed=7, start=START))
    for right in (whole, Options(duration=inf, exit_after_time=1.5, seed=0, start=START)):
        assert list(play(spelt, right._replace(speed_factor=1e-9), lambda: PIPE))


# --- whose surface -----------------------------------------------------------------------------


def test_a_sentence_names_an_option_as_its_reader_gives_it() -> None:
    setting = Setting("speed-factor", "max")
    shown = [setting.shown(surface) for surface in (FLAG, PARAMETER, FIELD)]
    assert shown == ["--speed-factor max", "speed-factor=max", "speed_factor='max'"]
    with pytest.raises(PlanError) as caught:
        plan(Options(seed=7, start=START, dialect="hf", evaluate=True))
    sentences = [caught.value.sentence(surface) for surface in (FLAG, PARAMETER)]
    assert sentences == [
        "--dialect hf does not do --evaluate: leave it out, or give --dialect pytorch.",
        "dialect=hf does not do evaluate: leave it out, or give dialect=pytorch.",
    ]


@pytest.mark.long
def test_no_refusal_names_gpus_that_nobody_asked_for() -> None:
    with pytest.raises(PlanError, match="does not fit on any cluster of up to 131,072 x NVIDIA"):
        plan(Options(seed=7, start=START, model="A-100T", gpu="NVIDIA GeForce RTX 3090"))
    with pytest.raises(PlanError, match="does not fit on 8 x NVIDIA"):
        plan(Options(seed=7, start=START, model="A-100T", gpu="NVIDIA GeForce RTX 3090", gpus=8))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.long
def test_the_largest_model_is_not_refused_for_what_the_planner_chose_itself(seed: int) -> None:
    job = plan(Options("any", seed=seed, start=START, model="A-100T"))
    assert job.model.parameters == 100 * 10**12
    assert job.command.startswith("llmsim --dialect any --model A-100T --seed ")
    assert "--gpu" not in job.command


@pytest.mark.parametrize(("size", "good"), [("19M", False), ("20M", True), ("101T", False)])
def test_a_models_size_has_the_same_bounds_everywhere(size: str, good: bool) -> None:
    complaints = parse_options([("model", f"Foo-{size}")], prefix="--")[1]
    assert bool(complaints) != good
    assert all("a model has 20M to 100T" in complaint for complaint in complaints)
    if good:
        assert plan(Options(seed=1, start=START, model=f"Foo-{size}"))
