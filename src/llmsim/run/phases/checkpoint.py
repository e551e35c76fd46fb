"""A pause in training: every rank writes its shard of the model and optimizer states."""

from llmsim.job.milestones import outdated_save, waits_for_save
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.run.events import (
    CheckpointDeleted,
    CheckpointSaved,
    CheckpointStaged,
    CheckpointStarted,
)
from llmsim.run.phases.timing import Phase, announced, watched

# How a save ends: it is durable, and an old one goes.
Saving = CheckpointSaved | CheckpointDeleted


def path(job: Job, step: int) -> str:
    """Where the checkpoint of a step is written."""
    return f"checkpoints/{job.run_name}/step-{step:06d}"


def checkpoint(job: Job, at: float, step: int, before: tuple[Saving, ...] = ()) -> Phase:
    """Saves after `step`: to the end, or until a copy is staged for `finished` to write.

    `before` is what is still to be said of the save before, which is waited for.
    """
    return (yield from announced("checkpoint", at, _body(job, at, step, before)))


def _body(job: Job, at: float, step: int, before: tuple[Saving, ...]) -> Phase:
    for event in before:
        at = max(at, event.at)
        yield event._replace(at=at)
    save = _save if waits_for_save(job, step) else _stage
    return (yield from save(job, at, step))


def finished(job: Job, step: int, started: float) -> tuple[Saving, ...]:
    """How a save that began at `started` ends: it is durable, and what is too old goes."""
    size, seconds = storage.checkpoint_bytes(job), storage.save_seconds(job, step)
    saved = CheckpointSaved(started + seconds, step, path(job, step), size, seconds)
    old = outdated_save(job, step)
    if not old:
        return (saved,)
    seconds = storage.delete_seconds(job, step)
    return saved, CheckpointDeleted(saved.at + seconds, old, path(job, old), size, seconds)


def _start(job: Job, at: float, step: int) -> CheckpointStarted:
    return CheckpointStarted(
        at, step, path(job, step), storage.checkpoint_bytes(job), job.layout.gpus
    )


def _save(job: Job, at: float, step: int) -> Phase:
    yield _start(job, at, step)
    ending = finished(job, step, at)
    seconds = storage.save_seconds(job, step)
    yield from watched(job, at, seconds, "checkpoint", "Saving", storage.checkpoint_bytes(job), "B")
    yield from ending
    return ending[-1].at


def _stage(job: Job, at: float, step: int) -> Phase:
    yield _start(job, at, step)
    seconds = storage.staging_seconds(job, step)
    yield from watched(
        job, at, seconds, "checkpoint", "Staging", storage.checkpoint_bytes(job), "B"
    )
    yield CheckpointStaged(at + seconds, step, seconds)
    return at + seconds
