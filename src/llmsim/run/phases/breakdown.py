"""A failure, the outage after it, and the launches: the first, and those that follow an outage."""

from collections.abc import Iterator

from llmsim.physics.hardware import storage
from llmsim.run.events import (
    Event,
    Failed,
    MemoryPlanned,
    PhaseEnded,
    PhaseName,
    PhaseStarted,
    Restarted,
    Resumed,
)
from llmsim.run.moment import loads
from llmsim.run.phases import checkpoint
from llmsim.run.phases.launch import launched
from llmsim.run.phases.status import status
from llmsim.run.timeline import Run, training_began, whole


def launching(run: Run, number: int) -> Iterator[Event]:
    """What happens in a launch; after a failure it ends with the load of a checkpoint."""
    segment = whole(run, number)
    began, ended = segment.began, segment.ended
    phase: PhaseName = "relaunch" if segment.attempt > 1 else "launch"
    job = run.job
    if segment.attempt > 1:
        failed = _failed(run, number)
        yield Restarted(began, segment.attempt, failed.kind, failed.hostname, failed.rank)
    yield PhaseStarted(began, phase, ended - began)
    for event in launched(run, number):
        yield event
        if isinstance(event, MemoryPlanned):
            yield status(job, event.at, loads(run, event.at), "before training")
    if segment.attempt > 1:
        loading = storage.restore_seconds(job, segment.last) if segment.last else 0.0
        path = checkpoint.path(job, segment.last) if segment.last else ""
        size = storage.checkpoint_bytes(job) if segment.last else 0
        lost = _failed(run, number).step - segment.last
        yield Resumed(ended, segment.last, path, size, loading, lost)
    yield PhaseEnded(ended, phase, ended - began)


def _failed(run: Run, number: int) -> Failed:
    """How the attempt before a launch ended."""
    for event in run.timeline[number - 2].told:
        if isinstance(event, Failed):
            return event
    raise IndexError(number)


def breakdown(run: Run, number: int) -> Iterator[Event]:
    """What happens in a failure or in an outage."""
    segment = run.timeline[number]
    phase: PhaseName = "failure" if segment.kind == "failure" else "outage"
    if phase == "failure" and run.timeline[number - 1].kind != "launch":
        lasted = round(segment.began - training_began(run, segment.attempt), 6)
        yield PhaseEnded(segment.began, "training", lasted)
    yield PhaseStarted(segment.began, phase, segment.ended - segment.began)
    yield from segment.told
    yield PhaseEnded(segment.ended, phase, segment.ended - segment.began)
