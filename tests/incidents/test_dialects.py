"""What every dialect's log has of an incident, by the detectors of public tools."""

import re

import pytest

from llmsim.dialects.registry import NAMES
from llmsim.errors import PlanError
from llmsim.options.table import Options
from llmsim.run.names import FAILED_LINES
from llmsim.show.player import play
from tests.dialects.logs import PIPE, log_of
from tests.incidents.detectors import DETECTORS
from tests.runs import job_of

# Logs with torch's own errors and torchrun's block; llm.c, MaxText and MLPerf have none of them.
TORCH = [name for name in NAMES if name not in ("llmc", "maxtext", "mlperf")]
SHOWN_BY_ALL = [name for name in TORCH if name != "torchtitan"]  # it shows local rank 0 alone


def lines(dialect: str, kind: str, seed: int, stream: str = "log", rank: int = 0) -> list[str]:
    """A run's lines in a stream, with an incident at half of its steps."""
    incident = (f"{kind}@50%:rank={rank}",)
    job = job_of(seed, dialect=dialect, incident=incident, gpus=8)
    options = Options(view="log", stream=stream)
    return "".join(frame.text for frame in play(job, options, lambda: PIPE)).splitlines()


@pytest.mark.transcripts
@pytest.mark.parametrize("dialect", NAMES)
def test_no_detector_fires_where_nothing_breaks(dialect: str) -> None:
    for seed in range(3):
        told = log_of(dialect, seed)
        for detector in DETECTORS:
            if detector.stream == "log":
                fired = [line for line in told if detector.finds(line)]
                assert fired == [], (dialect, seed, detector.tool)


@pytest.mark.transcripts
@pytest.mark.parametrize("dialect", SHOWN_BY_ALL)
def test_out_of_memory_is_seen_in_the_log(dialect: str) -> None:
    for seed in (3, 5):
        try:
            told = lines(dialect, "cuda-oom", seed, rank=2)
        except PlanError:  # this seed draws a card of another vendor
            continue
        for detector in DETECTORS:
            if detector.stream == "log" and "cuda-oom" in detector.catches:
                assert any(map(detector.finds, told)), (dialect, seed, detector.tool)


@pytest.mark.transcripts
@pytest.mark.parametrize("dialect", TORCH)
def test_a_hang_is_seen_in_the_log_after_the_frameworks_own_timeout(dialect: str) -> None:
    told = lines(dialect, "nccl-timeout", 3, rank=5)
    found = [line for line in told if "Watchdog caught collective operation timeout" in line]
    timeouts = {int(ms) for line in found for ms in re.findall(r"Timeout\(ms\)=(\d+)\)", line)}
    expected = {"torchtitan": 100_000, "hf": 1_800_000, "trl": 1_800_000}.get(dialect, 600_000)
    assert timeouts == {expected}
    speakers = {rank for line in found for rank in re.findall(r"^\[rank(\d+)\]", line)}
    assert "5" not in speakers
    assert len(speakers) == (1 if dialect == "torchtitan" else 7)


# How each framework says that it goes on, as its source prints it.
RESUMES = {
    "pytorch": r"Resumed after step [\d,]+ from checkpoints/",
    "torchtitan": r"Finished loading the checkpoint in \d+\.\d\d seconds\.",
    "megatron": r"  successfully loaded checkpoint from \S+ \[ t \S+ p \S+ \] at iteration",
    "hf": r"  (Continuing training from global step|Resuming training from checkpoint with epoch)",
    "deepspeed": r"loading \d+ zero partition checkpoints for rank 0$",
    "lightning": r"Restored all states from the checkpoint at \S+",
    "nemo": r"Restored all states from the checkpoint at \S+",
    "nanotron": r"Loading weights from \S+",
    "olmo": r"train:336\tINFO\tCheckpoint successfully loaded",
    "nanogpt": r"^Resuming training from \S+$",
}


@pytest.mark.transcripts
@pytest.mark.parametrize("dialect", RESUMES)
def test_a_resume_is_said_as_the_framework_says_it(dialect: str) -> None:
    told = lines(dialect, "preempt", 3)
    # A part of a longer run resumes at its first launch, too.
    part = job_of(3, dialect=dialect, incident=("preempt@50%:rank=0",), gpus=8)
    expected = 1 + (part.schedule.first_step > 1)
    expected *= 8 if dialect == "nanogpt" else 1  # train.py:159 has no guard: each process says it
    assert sum(re.search(RESUMES[dialect], line) is not None for line in told) == expected


@pytest.mark.transcripts
@pytest.mark.parametrize("dialect", ["pytorch", "megatron", "hf"])
def test_streams_have_their_own_lines_and_all_has_each_of_them(dialect: str) -> None:
    one = {name: lines(dialect, "hbm-ecc", 3, name) for name in ("log", "kernel", "slurm", "all")}
    assert all(" kernel: " in line for line in one["kernel"])
    said = r"srun: |slurmstepd: |\[\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}\] "  # slurmctld's has a stamp
    assert all(re.match(said, line) for line in one["slurm"])
    assert not any("NVRM" in line for line in one["log"])
    assert len(one["all"]) == len(one["log"]) + len(one["kernel"]) + len(one["slurm"])


@pytest.mark.transcripts
def test_a_dry_line_follows_a_failure_and_stands_in_no_line_that_a_tool_reads() -> None:
    told = lines("pytorch", "gpu-lost", 3)
    jokes = [line for line in told if line in FAILED_LINES["gpu-lost"]]
    assert len(jokes) == 1
    assert not any(rule.finds(jokes[0]) for rule in DETECTORS)
    last = max(index for index, line in enumerate(told) if "traceback : Signal" in line)
    assert last < told.index(jokes[0])


@pytest.mark.transcripts
def test_launchers_have_a_stream_of_their_own() -> None:
    """What torchrun prints: its start, SIGTERM lines, the block of failures; no line of workers."""
    told = lines("pytorch", "hbm-ecc", 3, "launcher")
    assert any("Sending process" in line for line in told)
    assert any("failed (exitcode: -6) local_rank: 0" in line for line in told)
    assert not any("CUDA error" in line or "INFO step" in line for line in told)
