"""Labels say of each incident what the rules of public tools say, and no more."""

import json

import pytest

from llmsim.job.records import Asked
from llmsim.run.incident_kinds import NAMES
from llmsim.run.simulation import events, run_of
from llmsim.run.verdicts import VERDICTS, verdict
from llmsim.telemetry import labels
from llmsim.telemetry.writer import Settings
from tests.incidents.detectors import DETECTORS
from tests.incidents.told import heard, job_on, lines


def test_every_kind_has_a_verdict() -> None:
    assert sorted(VERDICTS) == sorted(NAMES)


def test_rules_for_older_links_do_not_react_to_blackwells() -> None:
    """azurehpc-health-checks lists Xid 74, and Xid 144 to 150 do not bring a switch's SXid."""
    for seed in range(5):
        told = lines(seed, "nvlink", gpu="NVIDIA B200", gpus=16)
        reacting = {
            rule.tool
            for rule in DETECTORS
            if "nvlink" in rule.catches
            and any(rule.finds(line.text) for line in told if line.stream == rule.stream)
        }
        job = job_on(seed, gpu="NVIDIA B200", gpus=16)
        assert set(verdict(job, "nvlink").detectors) == reacting, seed


@pytest.mark.parametrize("kind", NAMES)
def test_a_label_names_the_rules_that_react(kind: str) -> None:
    """By running the tools' own expressions over the incident's lines, in every stream."""
    for seed in range(3):
        told = lines(seed, kind, heard(kind))
        reacting = {
            rule.tool
            for rule in DETECTORS
            if kind in rule.catches
            and any(rule.finds(line.text) for line in told if line.stream == rule.stream)
        }
        assert set(VERDICTS[kind].detectors) == reacting, (seed, kind)


@pytest.mark.parametrize("kind", ["gpu-lost", "loss-spike", "preempt"])
def test_labels_are_exported_with_their_verdict(kind: str) -> None:
    run = run_of(job_on(3, gpus=16)._replace(asked=(Asked(kind, "share", 0.5),)))
    writer = labels.begin(run, Settings())
    pieces = [piece for event in events(run) for piece in writer.event(event)]  # type: ignore[misc]
    first, *others = [
        json.loads(text) for piece in pieces for text in str(piece.content).splitlines()
    ]
    assert first["event"] == "run"
    (label,) = others
    assert label["kind"] == kind
    assert label["cause"] == VERDICTS[kind].cause
    assert label["action"] == VERDICTS[kind].action
    assert tuple(label["detectors"]) == VERDICTS[kind].detectors
    assert label["at_seconds"] <= label["visible"] <= label["detected"]
