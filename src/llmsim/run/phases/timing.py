"""The durations of small operations, and the progress of longer ones."""

from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from math import log

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.run.events import Event, Progress, Task

Phase = Generator[Event, None, float]

# The number of progress events of a task.
REPORTS = 12
# The parts of a task or an epoch at whose ends some frameworks' files have the bar.
QUARTERS = 4
# The largest relative deviation of its rate from the mean.
WAVER = 0.15
# Tasks whose noise stream has another name: loading weights was once a kind of download.
STREAMS: dict[Task, str] = {"load": "download"}
# How far apart the draws of two attempts are.
NEXT_ATTEMPT = 1_000_003


def sampled_seconds(job: Job, name: str, mean: float, index: int = 0) -> float:
    """Seconds an operation takes: see `sampled`."""
    place = index + NEXT_ATTEMPT * (job.attempt - 1)
    return sampled(mean, noise.uniform(job.seed, f"time/{name}", place))


def arrival_gap(job: Job, name: str, mean: float, index: int) -> float:
    """Seconds between two independent arrivals: see `gap`."""
    place = index + NEXT_ATTEMPT * (job.attempt - 1)
    return gap(mean, noise.uniform(job.seed, f"time/{name}", place))


def sampled(mean: float, draw: float) -> float:
    """The seconds for a number in (0, 1): 0.8 to 1.25 of the mean, mostly below 1.1."""
    return to_the_microsecond(mean * (0.8 + 0.35 * draw + 0.1 * draw**8))


def gap(mean: float, draw: float) -> float:
    """Exponentially distributed seconds for a number u in (0, 1): -mean ln(u), at most five times
    the mean.
    """
    return to_the_microsecond(min(-mean * log(draw), 5 * mean))


def gaps(mean: float, draws: Sequence[float]) -> list[float]:
    """The seconds of `gap` for each of some numbers in (0, 1)."""
    most = 5 * mean
    # to_the_microsecond, written out: a launch has dozens of these
    return [round(min(-mean * log(draw), most) * 1e6) / 1e6 for draw in draws]


@noise.kept(64)  # all saves have the same
def _waves(seed: int, stream: str, reports: int) -> tuple[float, ...]:
    """By how much the rate of a task wavers at each move of its bar."""
    draws = noise.uniforms(seed, stream, 0, reports + 1)
    return tuple([0.3 * WAVER * (2 * draw - 1) for draw in draws])


# A move of a bar, counted from 0, and what is done by then.
Report = tuple[int, int]


def _reported(reports: int, total: int) -> list[Report]:
    """All moves of a bar."""
    return [(report, total * report // reports) for report in range(reports + 1)]


@lru_cache(maxsize=256)
def _at_quarters(reports: int, total: int) -> list[Report]:
    """The first moves of a bar in each quarter."""
    first = dict[int, Report]()
    for report, done in _reported(reports, total):
        first.setdefault(int(done / total * QUARTERS), (report, done))
    return [*first.values()]


def progress(
    job: Job,
    at: float,
    seconds: float,
    task: Task,
    label: str,
    total: int,
    unit: str,
    clock: float | None = None,
    moving: bool = True,
) -> Iterator[Progress]:
    """The progress events of a task from 0 to its total; its rate varies by some per cent.

    `clock` is when the training began; it is given for a task during the training. `moving` says
    whether bars are drawn at every move just now: if not, a framework whose file has bars at their
    quarters gets the moves that reach one.
    """
    reports, stream = min(REPORTS, total), f"bar/{STREAMS.get(task, task)}"
    waves = _waves(job.seed, f"{stream}/{label}", reports)
    gain = WAVER * (2 * noise.uniform(job.seed, stream, round(at * 1000)) - 1)
    quarters = not moving and job.framework.file_bar == "quarters"
    for report, done in _at_quarters(reports, total) if quarters else _reported(reports, total):
        part = report / reports
        # The task is faster at its beginning or at its end; both ends stay where they are.
        wavered = part + (gain + waves[report]) * part * (1 - part)
        elapsed = to_the_microsecond(seconds * wavered)
        now = to_the_microsecond(at + elapsed)
        trained = 0.0 if clock is None else to_the_microsecond(now - clock)
        yield Progress(
            now,
            task,
            label,
            done,
            total,
            unit,
            elapsed,
            training_seconds=trained,
        )
