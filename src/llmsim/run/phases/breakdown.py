"""The events of failures, outages and launches: of the first launch, and of later ones."""

from collections.abc import Iterator, Sequence

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import gpus_per_node
from llmsim.job.schedule import is_timed
from llmsim.run.cluster import hostname
from llmsim.run.events import (
    Event,
    Failed,
    MemoryPlanned,
    PhaseCut,
    PhaseEnded,
    PhaseName,
    PhaseStarted,
    Restarted,
    Resumed,
    Symptom,
    TrainerReady,
)
from llmsim.run.phases.launch import launched
from llmsim.run.timeline import Run, speaker, training_began, whole


def launching(run: Run, number: int) -> Iterator[Event]:
    """What happens in a launch; after a failure it ends with the load of a checkpoint."""
    segment = whole(run, number)
    began, ended = segment.began, segment.ended
    phase: PhaseName = "relaunch" if segment.attempt > 1 else "launch"
    if segment.attempt > 1:
        failed = _failed(run, number)
        yield Restarted(
            began,
            segment.attempt,
            failed.kind,
            failed.hostname,
            failed.rank,
            segment.cured,
            segment.last,
            _spare(run, number, failed.rank),
            segment.spares,
            segment.repeated,
            segment.boots,
        )
        yield Symptom(began, "slurm", "allocated", 0, kind=failed.kind)
    yield PhaseStarted(began, phase, ended - began)
    for event in launched(run, number):
        if isinstance(event, TrainerReady) and (segment.attempt > 1 or segment.last):
            yield _resumed(run, number, ended)
            yield event._replace(at=ended, first_step=segment.last + 1)
            continue
        yield event
        if isinstance(event, MemoryPlanned):
            from llmsim.run.phases.status import status  # the first line does not wait for gauges

            yield status(run, event.at, "before training")
    yield PhaseEnded(ended, phase, ended - began)


def _resumed(run: Run, number: int, at: float) -> Resumed:
    """The load of the checkpoint that an attempt goes on from; of none if it begins anew."""
    from llmsim.physics.hardware import storage
    from llmsim.run.phases import checkpoint

    job, segment = run.job, run.timeline[number]
    step = segment.last
    lost = segment.repeated - _repeated_before(run, number) if segment.attempt > 1 else 0
    if not step:
        return Resumed(at, 0, "", 0, 0.0, lost)
    path, size = checkpoint.path(job, step), storage.checkpoint_bytes(job)
    return Resumed(at, step, path, size, storage.restore_seconds(job, step), lost)


def _repeated_before(run: Run, number: int) -> int:
    """What an earlier attempt, the latest that has loaded a checkpoint, had repeated by then.

    A launch that failed has loaded nothing, so the steps that were lost before it are still lost.
    """
    for before in range(number - 1, 0, -1):
        segment = run.timeline[before]
        if segment.kind == "launch" and not segment.cut:
            return segment.repeated
    return 0


def _spare(run: Run, number: int, rank: int) -> str:
    """The machine that has taken the place of the failed rank's before a launch; "" if none has."""
    before, now = run.timeline[number - 1], run.timeline[number]
    if before.spares == now.spares:
        return ""
    return hostname(speaker(run, now), rank // gpus_per_node(run.job))


def _failed(run: Run, number: int) -> Failed:
    """How the attempt before a launch ended."""
    for event in run.timeline[number - 2].events:
        if isinstance(event, Failed):
            return event
    raise IndexError(number)


def _written(run: Run, number: int) -> Iterator[Event]:
    """The end of a save in the background that came after the last whole step, before the fault."""
    segment = run.timeline[number]
    if segment.kind != "failure" or not segment.events:
        return
    from llmsim.run.goodput import fault_in
    from llmsim.run.phases.checkpoint import in_background, noticed_at

    ends, until = in_background(run, number)
    for event in ends:
        if until < event.at <= fault_in(segment):
            yield noticed_at(event, max(segment.began, event.at))


def breakdown(run: Run, number: int) -> Iterator[Event]:
    """What happens in a failure or in an outage."""
    segment = run.timeline[number]
    phase: PhaseName = "failure" if segment.kind == "failure" else "outage"
    if phase == "failure" and run.timeline[number - 1].kind != "launch":
        lasted = to_the_microsecond(segment.began - training_began(run, segment.attempt))
        yield PhaseCut(segment.began, "training", lasted)
    yield PhaseStarted(segment.began, phase, segment.ended - segment.began)
    said: Sequence[Event] = segment.events
    if phase == "outage":
        from llmsim.run.phases.queue import waiting  # most runs have none

        said = tuple(waiting(run, number))
    yield from sorted((*_written(run, number), *said), key=lambda event: event.at)
    yield PhaseEnded(segment.ended, phase, segment.ended - segment.began)
    limited = phase == "failure" and is_timed(run.job.schedule)
    if limited and not run.timeline.has(number + 1):
        from llmsim.run.phases.summary import stopped  # a launch does without

        yield stopped(run, number)
