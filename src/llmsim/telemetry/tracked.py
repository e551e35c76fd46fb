"""The points that the run's framework logs to a tracker; other trackers are refused."""

from collections.abc import Callable, Iterator

from llmsim.dialects.registry import NAMES, scalars_of
from llmsim.dialects.scalar import Point, Table
from llmsim.errors import ExportError, Setting
from llmsim.job.records import Job
from llmsim.run.attempts import job_after
from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.text.wording import either


def table_of(job: Job, tracker: str, kind: str) -> Table:
    """The framework's table for the tracker. Raises ExportError if the framework does not have
    it.
    """
    table = scalars_of(job.framework.name, tracker)
    if table is None:
        others = [name for name in NAMES if scalars_of(name, tracker)]
        raise ExportError(
            Setting("export", kind),
            f" needs a framework that writes it, and {job.framework.name} does not: give ",
            Setting("dialect"),
            f" {either(others)}.",
        )
    return table


def speaking(run: Run) -> Callable[[Event], Job]:
    """A function that gives the job as its processes know it at an event; events come in order."""
    now = [run.job]

    def at(event: Event) -> Job:
        now[0] = job_after(now[0], event)
        return now[0]

    return at


def points(table: Table, event: Event, job: Job) -> Iterator[Point]:
    """The points that are logged at an event."""
    if log := table.get(type(event)):
        yield from log(event, job)
