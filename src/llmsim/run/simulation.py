"""simulate(job): the phases in order, as one stream of events."""

from collections.abc import Iterator

from llmsim.job.records import Job
from llmsim.run.events import Event
from llmsim.run.phases.export import export
from llmsim.run.phases.launch import launch
from llmsim.run.phases.timing import announced
from llmsim.run.phases.training import training


def simulate(job: Job) -> Iterator[Event]:
    """Every fact of the run, in the order of time, from the typed command to the summary."""
    launched = yield from announced("launch", 0.0, launch(job, 0.0))
    trained = yield from training(job, launched)
    yield from export(job, trained)
