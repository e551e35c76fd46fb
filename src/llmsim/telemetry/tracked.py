"""The points that the run's framework logs to a tracker; other trackers are refused."""

from collections.abc import Iterator

from llmsim.dialects.registry import NAMES, scalars_of
from llmsim.dialects.scalar import Point, Table
from llmsim.errors import ExportError, Setting
from llmsim.job.records import Job
from llmsim.run.events import Event
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


def points(table: Table, event: Event, job: Job) -> Iterator[Point]:
    """The points that are logged at an event."""
    if log := table.get(type(event)):
        yield from log(event, job)
