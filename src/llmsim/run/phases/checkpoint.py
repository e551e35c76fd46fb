"""Checkpoints: a pause in which every rank writes its shard of the model and optimizer states."""

from collections.abc import Iterator
from math import inf

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import blocking_checkpoint, evicted_checkpoint, saved_before
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.physics.speed import batch_ramp
from llmsim.run.events import (
    BatchGrew,
    CheckpointDeleted,
    CheckpointSaved,
    CheckpointStaged,
    CheckpointStarted,
    Event,
    PhaseEnded,
    PhaseStarted,
)
from llmsim.run.phases.timing import progress
from llmsim.run.timeline import Run, Segment, training_began, whole

# The events at the end of a save: it is durable, and an old one is deleted.
Saving = CheckpointSaved | CheckpointDeleted


def path(job: Job, step: int) -> str:
    """The folder to which the checkpoint of a step is written."""
    return f"checkpoints/{job.run_name}/step-{step:06d}"


def seconds(job: Job, step: int) -> float:
    """Seconds that training pauses for a save, without the wait for the end of an earlier save."""
    if not blocking_checkpoint(job, step):
        return storage.staging_seconds(job, step)
    deleting = storage.delete_seconds(job, step) if evicted_checkpoint(job, step) else 0.0
    return to_the_microsecond(storage.save_seconds(job, step) + deleting)


def begins(job: Job, step: int, at: float, earlier: float) -> float:
    """When the save after a step begins that is due at a moment: it waits for the end of the save
    before it, which is durable at `earlier` and then deletes the one that it replaces.
    """
    if at >= earlier + storage.LONGEST_DELETE:
        return at
    before = saved_before(job, step)
    if evicted_checkpoint(job, before):
        earlier = to_the_microsecond(earlier + storage.delete_seconds(job, before))
    return max(at, earlier)


def durable(job: Job, step: int, started: float) -> float:
    """When a save that began at `started` is durable."""
    return to_the_microsecond(started + storage.save_seconds(job, step))


def finished(job: Job, step: int, started: float, clock: float = 0.0) -> tuple[Saving, ...]:
    """The events at the end of a save that began at `started`: saved, and perhaps an old one
    deleted.

    `clock` is when the training began. All times are simulated seconds.
    """
    size, seconds = storage.checkpoint_bytes(job, step), storage.save_seconds(job, step)
    at = to_the_microsecond(started + seconds)
    saved = CheckpointSaved(
        at, step, path(job, step), size, seconds, to_the_microsecond(at - clock)
    )
    old = evicted_checkpoint(job, step)
    if not old:
        return (saved,)
    seconds, size = storage.delete_seconds(job, step), storage.checkpoint_bytes(job, old)
    return saved, CheckpointDeleted(
        to_the_microsecond(at + seconds), old, path(job, old), size, seconds
    )


def checkpoint(run: Run, number: int, moving: bool = True) -> Iterator[Event]:
    """The events of a checkpoint: the end of the earlier save, then this save or its staging; see
    timing.progress for `moving`.
    """
    job, segment = run.job, whole(run, number)
    yield from _growth(job, segment.began, segment.last)
    yield PhaseStarted(segment.began, "checkpoint", segment.ended - segment.began)
    yield from noticed(run, number)
    save = _save if blocking_checkpoint(job, segment.last) else _stage
    began = training_began(run, segment.attempt)
    yield from save(job, _started(job, segment), segment.last, began, moving)
    yield PhaseEnded(segment.ended, "checkpoint", segment.ended - segment.began)


def _started(job: Job, segment: Segment) -> float:
    """When the save of a checkpoint began, after the wait for the earlier save."""
    return to_the_microsecond(segment.ended - seconds(job, segment.last))


def in_background(run: Run, number: int) -> tuple[tuple[Saving, ...], float]:
    """The events at the end of the latest save before a segment, if that save is in the background.

    The second value is the moment up to which training has noticed these events: the end of the
    last step before the segment, or minus infinity if no step came after the save.
    """
    job, noticed = run.job, -inf
    attempt = run.timeline[number].attempt
    while number:
        number -= 1
        segment = run.timeline[number]
        if segment.attempt != attempt:  # what was being saved then is lost
            break
        if segment.kind == "training":
            noticed = max(noticed, segment.ended)
        elif segment.kind == "checkpoint":
            if segment.cut or blocking_checkpoint(job, segment.last):
                break
            began = training_began(run, attempt)
            return finished(job, segment.last, _started(job, segment), began), noticed
    return (), noticed


def noticed(run: Run, number: int) -> Iterator[Saving]:
    """The events of the earlier save that training had not noticed before this checkpoint."""
    at = run.timeline[number].began
    ends, until = in_background(run, number)
    for event in ends:
        if event.at > until:
            yield noticed_at(event, max(at, event.at))


def noticed_at(event: Saving, at: float) -> Saving:
    """The event of a save's end with the moment at which training noticed it."""
    if isinstance(event, CheckpointDeleted):
        return event._replace(at=at)
    trained = event.training_seconds + at - event.at
    return event._replace(at=at, training_seconds=to_the_microsecond(trained))


def _growth(job: Job, at: float, step: int) -> Iterator[BatchGrew]:
    """The event that the batch grows, if a stage of the ramp ends with this step."""
    schedule = job.schedule
    before, after = batch_ramp.batch(schedule, step), batch_ramp.batch(schedule, step + 1)
    if before != after:
        accumulation = batch_ramp.layout_at(job, step + 1).accumulation
        yield BatchGrew(at, step + 1, before, after, accumulation)


def _start(job: Job, at: float, step: int) -> CheckpointStarted:
    return CheckpointStarted(
        at, step, path(job, step), storage.checkpoint_bytes(job, step), job.layout.gpus
    )


def _save(job: Job, at: float, step: int, clock: float, moving: bool) -> Iterator[Event]:
    yield _start(job, at, step)
    seconds = storage.save_seconds(job, step)
    size = storage.checkpoint_bytes(job, step)
    yield from progress(job, at, seconds, "checkpoint", "Saving", size, "B", clock, moving)
    yield from finished(job, step, at, clock)


def _stage(job: Job, at: float, step: int, clock: float, moving: bool) -> Iterator[Event]:
    yield _start(job, at, step)
    seconds = storage.staging_seconds(job, step)
    size = storage.checkpoint_bytes(job, step)
    yield from progress(job, at, seconds, "checkpoint", "Staging", size, "B", clock, moving)
    ended = to_the_microsecond(at + seconds)
    yield CheckpointStaged(ended, step, seconds, to_the_microsecond(ended - clock))
