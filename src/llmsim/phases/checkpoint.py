"""A pause in training: every rank writes its shard of the model and optimizer states."""

from llmsim.events import CheckpointDeleted, CheckpointSaved, CheckpointStarted
from llmsim.job import Job
from llmsim.phases.timing import Phase, announced, took, watched
from llmsim.physics import storage

KEPT = 2  # checkpoints kept on disk; the one before them goes when a new one is safe


def path(job: Job, step: int) -> str:
    """Where the checkpoint of a step is written."""
    return f"checkpoints/{job.run_name}/step-{step:06d}"


def checkpoint(job: Job, at: float, step: int) -> Phase:
    """Saves after `step` and deletes what is too old."""
    return (yield from announced("checkpoint", at, _save(job, at, step)))


def _save(job: Job, at: float, step: int) -> Phase:
    size, seconds = storage.checkpoint_bytes(job), storage.save_seconds(job, step)
    yield CheckpointStarted(at, step, path(job, step), size, job.layout.gpus)
    yield from watched(at, seconds, "checkpoint", "Saving", size, "B")
    at += seconds
    yield CheckpointSaved(at, step, path(job, step), size, seconds)
    if old := _outdated(job, step):
        at += took(job, "delete", 0.4, step)
        yield CheckpointDeleted(at, path(job, old), size)
    return at


def _outdated(job: Job, step: int) -> int:
    """The step whose checkpoint the one of `step` makes superfluous; 0 if there is none."""
    every = job.schedule.save_every
    saved = -(-step // every)  # the last save may come before its interval is full
    return max(0, (saved - KEPT) * every)
