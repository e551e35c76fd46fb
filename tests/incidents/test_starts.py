"""A launch that fails: which process says what, when, and what has been said before it."""

import re
from typing import Any

import pytest

from llmsim.dialects.parts.last_words import spoken
from llmsim.dialects.pytorch.recovery import CODE
from llmsim.dialects.registry import NAMES
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import (
    BackendReady,
    Failed,
    Incident,
    MeshBuilt,
    RankJoined,
    RanksJoined,
    Symptom,
    TokenizerLoaded,
    WorkersStarted,
)
from llmsim.run.simulation import run_of, simulate
from llmsim.show.pace import Pace
from tests.dialects.logs import PIPE
from tests.incidents.told import lines, symptoms
from tests.runs import START

# From vllm #19670 and vllm #39015, with other hosts and ports.
TIMED_OUT = re.compile(
    r"torch\.distributed\.DistNetworkError: The client socket has timed out after (\d+)ms while "
    r"trying to connect to \(\S+, \d+\)\."
)
IN_USE = re.compile(
    r"torch\.distributed\.DistNetworkError: The server socket has failed to listen on any local "
    r"network address\. port: \d+, useIpv6: false, code: -98, name: EADDRINUSE, message: address "
    r"already in use"
)
SEEDS = range(12)


def failing(seed: int, dialect: str = "pytorch", gpus: int = 16, **others: Any) -> Job:
    """A job whose first launch fails."""
    options = Options(
        seed=seed, start=START, dialect=dialect, gpus=gpus, incidents="none",
        incident=("init-fail@launch",),
    )  # fmt: skip
    return plan(options._replace(**others))


def raised(job: Job) -> tuple[list[object], Symptom]:
    """The events up to the error of the first launch, and that error."""
    before: list[object] = []
    for event in simulate(job):
        if isinstance(event, Symptom) and event.name == "init failed":
            return before, event
        before.append(event)
    raise AssertionError("the launch has not failed")


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize("gpus", [1, 16])
def test_nothing_is_up_when_a_launch_fails(dialect: str, gpus: int) -> None:
    for seed in (1, 7):
        before, _ = raised(failing(seed, dialect, gpus))
        up = (RankJoined, RanksJoined, BackendReady, MeshBuilt, TokenizerLoaded)
        assert not any(isinstance(event, up) for event in before), seed
        assert any(isinstance(event, WorkersStarted) for event in before), seed


@pytest.mark.parametrize(
    ("dialect", "seconds"),
    [("pytorch", 600), ("megatron", 600), ("hf", 1800), ("torchtitan", 300), ("olmo", 1800)],
)
def test_who_does_not_reach_the_first_process_waits_as_long_as_it_says(
    dialect: str, seconds: int
) -> None:
    """Megatron's distributed_timeout_minutes, transformers' ddp_timeout, torchtitan's
    comm.init_timeout_seconds, and the call in OLMo's train.py.
    """
    ranks = set()
    for seed in SEEDS:
        before, error = raised(failing(seed, dialect))
        (started,) = (event.at for event in before if isinstance(event, WorkersStarted))
        ranks.add(error.rank)
        waited = error.at - started
        if error.rank:
            assert seconds <= waited < seconds + 2.0, seed
        else:
            assert waited < 3.0, seed
        assert error.code == 1
    assert 0 in ranks
    assert len(ranks) > 2


def test_both_errors_are_the_ones_of_public_logs() -> None:
    said = {TIMED_OUT: 0, IN_USE: 0}
    for seed in SEEDS:
        for told in lines(seed, "init-fail"):
            for pattern in said:
                if told.stream == "log" and (found := pattern.search(told.text)):
                    said[pattern] += 1
                    assert told.text.startswith(f"[rank{told.symptom.rank}]: "), seed
                    assert (pattern is IN_USE) == (told.symptom.rank == 0), seed
                    if pattern is TIMED_OUT:
                        assert found[1] == "600000", seed
    assert sum(said.values()) == len(SEEDS)
    assert min(said.values()) > 2


def test_a_rank_that_was_asked_for_fails_as_it_can() -> None:
    for rank, pattern in ((0, IN_USE), (5, TIMED_OUT)):
        told = [each.text for each in lines(3, "init-fail", rank) if each.stream == "log"]
        assert any(map(pattern.search, told)), rank


@pytest.mark.parametrize(
    ("torch", "line", "error"),
    [("2.6.0", 478, "RuntimeError"), ("2.7.1", 529, "RuntimeError"),
     ("2.9.0", 567, "torch.AcceleratorError")],
)  # fmt: skip
def test_a_single_process_does_not_get_its_gpu(torch: str, line: int, error: str) -> None:
    """The frames of torch/cuda/__init__.py as logs have them; a process meets nobody alone."""
    job = failing(7, gpus=1, gpu="H100-80GB-HBM3")
    job = job._replace(software=job.software._replace(torch=torch))
    (event,) = (each for each in symptoms(job, "init-fail") if each.name == "init failed")
    text = "\n".join(each.text for each in spoken(CODE)(event, job, PIPE))
    assert "init_process_group" not in text
    assert re.search(
        rf'/torch/cuda/__init__\.py", line {line}, in set_device\n'
        r"    torch\._C\._cuda_setDevice\(device\)\n"
        rf"{re.escape(error)}: CUDA error: CUDA-capable device\(s\) is/are busy or unavailable\n",
        text,
    ), text


def test_jax_says_after_five_minutes_who_has_not_come() -> None:
    """jax.distributed.initialize, initialization_timeout: 300 s. The log has the first host."""
    for seed in range(3):
        before, error = raised(failing(seed, "maxtext", 64, gpu="TPU v5p"))
        (started,) = (event.at for event in before if isinstance(event, WorkersStarted))
        assert 300.0 < error.at - started < 302.0, seed
        assert error.rank == 0, seed


def test_a_label_says_when_it_began_and_when_it_shows() -> None:
    for seed in SEEDS:
        run = run_of(failing(seed))
        failure = next(each for each in run.timeline if each.kind == "failure")
        (label,) = (event for event in failure.events if isinstance(event, Incident))
        (error,) = (
            event for event in failure.events if getattr(event, "name", "") == "init failed"
        )
        (failed,) = (event for event in failure.events if isinstance(event, Failed))
        assert label.at == failure.began
        assert label.visible == label.detected == error.at
        assert label.rank == error.rank == failed.rank
        assert failed.at >= error.at


@pytest.mark.parametrize("dialect", ["pytorch", "hf", "maxtext"])
def test_a_launch_that_waits_does_not_hold_up_the_show(dialect: str) -> None:
    """Half an hour of silence takes at most four of 180 show seconds."""
    gpu: dict[str, Any] = {"gpu": "TPU v5p"} if dialect == "maxtext" else {}
    for seed in range(4):
        run = run_of(failing(seed, dialect, **gpu))
        pace = Pace(run, 180.0)
        failure = next(each for each in run.timeline if each.kind == "failure")
        assert pace.shown(failure.ended) - pace.shown(failure.began) <= 4.0, seed
        assert pace.shown(failure.began) < 7.0, seed


def test_one_that_is_drawn_strikes_there_too() -> None:
    """In a cluster that breaks all the time a later launch fails as the first one does."""
    met = 0
    for seed in range(40):
        job = failing(seed, gpus=1024, incidents="chaos", incident=(), recipe="pretrain")
        for segment in run_of(job).timeline:
            if segment.kind == "launch" and segment.cut:
                assert segment.ended - segment.began < 20.0, (seed, segment.attempt)
                assert segment.cut > 20.0, (seed, segment.attempt)
                met += 1
        if met > 1:
            return
    raise AssertionError("no launch has failed")
