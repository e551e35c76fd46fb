"""Formats that Megatron's blocks share: dates, timers, the part of a checkpoint."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.job.records import Job, is_older
from llmsim.run import cluster
from llmsim.text import units

INFO = "INFO:megatron.core."
CALCULATOR = f"{INFO}num_microbatches_calculator"


def clock(job: Job, at: float) -> str:
    """A time as Megatron prints it, in whole seconds."""
    return f"{units.stamp(job.start, at):%Y-%m-%d %H:%M:%S}"


def dated(job: Job, at: float, what: str) -> Line:
    """A line with the program's stage and the date (training.py, print_datetime)."""
    return Line(f"[{what}] datetime: {clock(job, at)} ")


def timers(job: Job, index: int, spent: dict[str, float]) -> Iterator[Line]:
    """Seconds by name, of the ranks' fastest and slowest (timers.py:341-355)."""
    yield last(job, "(min, max) time across ranks (ms):")
    for name, seconds in spent.items():
        first = seconds - min(cluster.barrier_skew(job, name, index), 0.1 * seconds)
        text = f"    {f'{name} ':.<48}: ({1000 * first:.2f}, {1000 * seconds:.2f})"
        yield last(job, text)


def last(job: Job, text: str) -> Line:
    """A line of the last rank, which prints iterations, timers and validations."""
    return Line(text, rank=job.layout.gpus - 1)


def stage_rank(job: Job, stage: int, slice_: int = 0) -> int:
    """The first data rank of a slice of a pipeline's stage."""
    return stage * (job.layout.gpus // job.layout.pp) + slice_


def split(job: Job) -> str:
    """The part of a checkpoint that rank 0 writes: [ t 1/2, p 1/4 ]; its own places in core 0.8."""
    if is_older(job):
        return "[ t 0, p 0 ]"
    return f"[ t 1/{job.layout.tp}, p 1/{job.layout.pp} ]"
