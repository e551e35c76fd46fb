"""The log byte by byte: until something breaks, and from any moment around an incident on."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import takewhile

import pytest

from llmsim.options.table import Options
from llmsim.run import events
from llmsim.run.events import Event
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run
from llmsim.show.player import play
from tests.dialects.logs import PIPE
from tests.runs import job_of

SIX = ("pytorch", "torchtitan", "megatron", "hf", "deepspeed", "nemo")
H100 = "NVIDIA H100 80GB HBM3"

Through = Callable[[Iterable[Event]], Iterable[Event]]


def text_of(run: Run, through: Through = iter, **options: object) -> str:
    asked = Options(view="log")._replace(**options)  # type: ignore[arg-type]  # any option
    return "".join(frame.text for frame in play(run, asked, lambda: PIPE, None, through))


def until(at: float) -> Through:
    return lambda coming: takewhile(lambda event: event.at < at, coming)


@pytest.mark.transcripts
@pytest.mark.parametrize("dialect", SIX)
def test_until_something_breaks_the_log_is_the_same_byte_for_byte(dialect: str) -> None:
    broken = 0
    for seed in range(4):
        asked = {"dialect": dialect, "gpu": H100, "gpus": 16}
        calm, struck = (
            run_of(job_of(seed, **asked, incidents=level)) for level in ("none", "typical")
        )
        labels = (each for each in events_of(struck) if isinstance(each, events.Incident))
        first = next(labels, None)
        if first is None:
            continue
        broken += 1
        usual, told = (text_of(run, until(first.at)) for run in (calm, struck))
        assert told == usual, (dialect, seed, first)
        assert told.count("\n") > 20, (dialect, seed, first)
    assert broken


@cache
def run_with(dialect: str, kind: str) -> tuple[Run, dict[str, float]]:
    """A run with an incident on its second machine, and moments around it."""
    incident = (f"{kind}@50%:rank=13",)
    run = run_of(job_of(3, dialect=dialect, gpu=H100, gpus=16, incident=incident))
    facts = tuple(events_of(run))
    (label,) = [each for each in facts if isinstance(each, events.Incident)]
    (failed,) = [each for each in facts if isinstance(each, events.Failed)]
    *_, again = [each for each in facts if isinstance(each, events.Resumed)]
    return run, {
        "before": label.at - 20.0,
        "at the fault": label.at,
        "in the silence": 0.5 * (label.at + label.visible) + 1e-3,
        "among last words": 0.5 * (label.visible + failed.at),
        "while nobody runs": failed.at + 0.5 * failed.wait,
        "at the relaunch": label.over + 1.0,
        "at the load": again.at,
        "after": 0.5 * (again.at + facts[-1].at),
    }


@pytest.mark.transcripts
@pytest.mark.parametrize("kind", ["nccl-timeout", "gpu-lost", "preempt"])
@pytest.mark.parametrize("dialect", ["pytorch", "megatron", "deepspeed"])
@pytest.mark.parametrize("stream", ["log", "kernel", "slurm"])
def test_from_a_moment_around_an_incident_the_log_goes_on_as_it_was(
    dialect: str, kind: str, stream: str
) -> None:
    run, moments = run_with(dialect, kind)
    whole = text_of(run, stream=stream)
    for name, at in moments.items():
        part = text_of(run, stream=stream, from_=f"{at:.3f}s", speed_factor=8.0)
        shown = [line for line in part.splitlines() if "%|" not in line]
        usual = [line for line in whole.splitlines() if "%|" not in line]
        assert shown == usual[len(usual) - len(shown) :], (dialect, kind, stream, name)
        assert shown or not usual, (dialect, kind, stream, name)
