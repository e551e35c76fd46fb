"""A logger's line: time stamp, level and clauses, as much of each as the width allows."""

from itertools import chain

from llmsim.dialects.line import Line
from llmsim.job.records import Job
from llmsim.run.events import Event
from llmsim.text import units
from llmsim.text.fitting import Clause, take_prefix
from llmsim.text.screen import Screen
from llmsim.text.style import Span, length, paint, paint_whole


def alone(job: Job) -> bool:
    """Whether the job has a single GPU; then no line mentions ranks."""
    return job.layout.gpus == 1


def stamped(at: float, job: Job, width: int) -> str:
    """The text of the time stamp: full from 220 columns on, without the date below 60."""
    if width >= 100:
        stamp = units.asctime(job.start, at)
        return f"{stamp} " if width < 220 or alone(job) else f"[{stamp}] [rank0] "
    now = units.stamp(job.start, at)
    if width >= 60:
        return f"{now:%m-%d %H:%M:%S} "
    return f"{now:%H:%M:%S} " if width >= 36 else ""


def prefix(at: float, job: Job, width: int, level: str = "INFO") -> list[Span]:
    """The time stamp, and from 100 columns on the level."""
    stamp, warns = stamped(at, job, width), "warning" if level == "WARNING" else "time"
    if width >= 100:
        return [("time", stamp), (warns, level), ("time", " ")]
    return [(warns, stamp)] if stamp else []


def say(event: Event, job: Job, screen: Screen, *clauses: Clause) -> Line:
    """An INFO line with the first clauses, as many as fit the width."""
    return _line(event, job, screen, "INFO", clauses)


def warn(event: Event, job: Job, screen: Screen, *clauses: Clause) -> Line:
    """A WARNING line with the first clauses, as many as fit the width."""
    return _line(event, job, screen, "WARNING", clauses)


def _line(event: Event, job: Job, screen: Screen, level: str, clauses: tuple[Clause, ...]) -> Line:
    start = prefix(event.at, job, screen.width, level)
    whole = [*start, *chain.from_iterable(clauses)]
    if length(whole) <= screen.width:
        return Line(paint_whole(whole, screen))
    room = screen.width - length(start)
    return Line(paint([*start, *take_prefix(clauses, room)], screen))
