"""How a phase announces itself and how its small operations take time."""

from collections.abc import Generator, Iterator

from llmsim.events import Event, PhaseEnded, PhaseName, PhaseStarted, Progress, Task
from llmsim.job import Job
from llmsim.physics import noise

Phase = Generator[Event, None, float]

# A watched task reports this often.
REPORTS = 12


def took(job: Job, name: str, mean: float, index: int = 0) -> float:
    """Seconds an operation takes, to the microsecond: 0.8 to 1.25 of the mean, mostly below 1.1."""
    draw = noise.uniform(job.seed, f"time/{name}", index)
    return round(mean * (0.8 + 0.35 * draw + 0.1 * draw**8), 6)


def announced(name: PhaseName, at: float, body: Phase) -> Phase:
    """A short phase between the events that announce its length and its end."""
    events: list[Event] = []
    while True:
        try:
            events.append(next(body))
        except StopIteration as stop:
            end: float = stop.value
            break
    yield PhaseStarted(at, name, end - at)
    yield from events
    yield PhaseEnded(end, name)
    return end


def watched(
    at: float, seconds: float, task: Task, label: str, total: int, unit: str
) -> Iterator[Progress]:
    """The progress of a task that advances evenly, from nothing to the total."""
    reports = min(REPORTS, total)
    for report in range(reports + 1):
        elapsed = round(seconds * report / reports, 6)
        yield Progress(at + elapsed, task, label, total * report // reports, total, unit, elapsed)
