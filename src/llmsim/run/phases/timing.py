"""How a phase announces itself and how its small operations take time."""

from collections.abc import Generator, Iterator
from math import log

from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.run.events import Event, Progress, Task

Phase = Generator[Event, None, float]

# A watched task reports this often.
REPORTS = 12
# How far its rate strays from the mean.
WAVER = 0.15
# Loading weights draws from the stream that it had as a download, so that no seed's log changes.
STREAMS: dict[Task, str] = {"load": "download"}


def sampled_seconds(job: Job, name: str, mean: float, index: int = 0) -> float:
    """Seconds an operation takes, to the microsecond: 0.8 to 1.25 of the mean, mostly below 1.1."""
    draw = noise.uniform(job.seed, f"time/{name}", index)
    return round(mean * (0.8 + 0.35 * draw + 0.1 * draw**8), 6)


def arrival_gap(job: Job, name: str, mean: float, index: int) -> float:
    """Seconds until the next of many that arrive independently of each other: -mean ln(u)."""
    gap = -mean * log(noise.uniform(job.seed, f"time/{name}", index))
    return round(min(gap, 5 * mean), 6)


def progress(
    job: Job,
    at: float,
    seconds: float,
    task: Task,
    label: str,
    total: int,
    unit: str,
    clock: float | None = None,
) -> Iterator[Progress]:
    """The progress of a task from nothing to the total, whose rate wavers by some per cent.

    `clock` is when the training began, for a task within it.
    """
    reports, stream = min(REPORTS, total), f"bar/{STREAMS.get(task, task)}"
    gain = WAVER * (2 * noise.uniform(job.seed, stream, round(at * 1000)) - 1)
    for report in range(reports + 1):
        part = report / reports
        # Faster at first or at last, and on time at the end: 0 and 1 stay where they are.
        wave = 0.3 * WAVER * (2 * noise.uniform(job.seed, f"{stream}/{label}", report) - 1)
        elapsed = round(seconds * (part + (gain + wave) * part * (1 - part)), 6)
        now = round(at + elapsed, 6)
        trained = 0.0 if clock is None else round(now - clock, 6)
        yield Progress(
            now,
            task,
            label,
            total * report // reports,
            total,
            unit,
            elapsed,
            training_seconds=trained,
        )
