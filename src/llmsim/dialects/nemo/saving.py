"""What saving prints: NeMo's ModelCheckpoint and its writer of distributed checkpoints.

nemo/utils/callbacks/dist_ckpt_io.py: while a save is written in the background, a callback looks
after each batch, after the epoch and at the end of fit whether it is whole, and says each time how
long that took.
"""

from collections.abc import Iterator
from datetime import datetime

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo import launch
from llmsim.dialects.nemo.log_lines import said
from llmsim.job.milestones import (
    blocking_checkpoint,
    saved_before,
    saved_steps,
    steps_before,
    steps_found,
)
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.physics.learning import loss
from llmsim.run import cluster, events
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple

Lines = Iterator[Line]

UNIX = datetime(1970, 1, 1)
_BEHIND = "nemo: the save in the background"  # its place in the job's memo


class _Save(NamedTuple):
    """The save that an attempt writes in the background."""

    attempt: int
    step: int
    durable: float  # simulated second


def held_out(job: Job, step: int) -> float | None:
    """The loss of the latest validation before a step; None before the attempt's first.

    Lightning's metrics live in the process: a checkpoint does not bring them back.
    """
    return _latest(job, step, steps_found(job))


def _latest(job: Job, step: int, found: int) -> float | None:
    """The same of processes that went on from a checkpoint of `found` steps."""
    every = job.schedule.validate_every
    validated = (step - 1) // every * every
    return loss.validation(job, validated) if validated > found else None


def restored(job: Job, step: int) -> str:
    """The folder that AutoResume finds: the latest one whose name ends in -last (resume.py).

    A folder has the name of its save without .ckpt (ckpt_to_dir). The attempt that saved it is
    taken to be the run's first; what came before the run has validated.
    """
    before = steps_before(job)
    return _folder(job, step, _latest(job, step, before if step > before else 0))


def _folder(job: Job, step: int, value: float | None) -> str:
    """The folder of a save, with a validation's loss in its name, which is 0.00 without one."""
    consumed = float(step * job.schedule.global_batch)
    name = f"val_loss={value or 0.0:.2f}-step={step - 1}-consumed_samples={consumed}-last"
    return f"{launch.folder(job)}/checkpoints/{job.model.name}--{name}"


def _path(job: Job, step: int) -> str:
    """What a save is called while it is written."""
    return f"{_folder(job, step, held_out(job, step))}.ckpt"


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    """The strategy is made for the first save, and kept."""
    if event.step == saved_steps(job)[0]:
        strategy = "FullyParallelSaveStrategyWrapper(torch_dist, 1)"
        yield said(job, event.at, f"Using {strategy} dist-ckpt save strategy.")


def unix_seconds(job: Job, at: float) -> float:
    """A second of the run as time.time() counts it."""
    return (units.stamp(job.start, at) - UNIX).total_seconds()


def _saved(job: Job, at: float, step: int, seconds: float) -> Lines:
    """The line about the time that training waited for a save."""
    began = unix_seconds(job, at - seconds)
    text = (
        f"Global Checkpoint Save : Rank: 0 : Iteration: {step - 1} : "
        f"Start time: {began:.3f}s : Save duration: {seconds:.3f}s"
    )
    yield said(job, at, text)


def _scheduled(job: Job, at: float, step: int, seconds: float) -> Lines:
    """A save goes on behind the training; the batch at which it began looks at it, too."""
    yield from _saved(job, at, step, seconds)
    yield said(job, at, f"Scheduled async checkpoint save for {_path(job, step)}")
    yield _looked(job, at, step)


def _looked(job: Job, at: float, step: int, seconds: float = 0.0) -> Line:
    took = cluster.barrier_skew(job, "finalization", step) + seconds
    return said(job, at, f"Async finalization time took {took:.3f} s")


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    left = storage.save_seconds(job, event.step) - event.seconds
    job.memo[_BEHIND] = _Save(job.attempt, event.step, event.at + left)
    yield from _scheduled(job, event.at, event.step, event.seconds)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The end of a save; a synchronous one says no more than its duration.

    One in the background is known to be whole after the next batch. The last one is scheduled,
    too, and the end of fit waits for it.
    """
    step = event.step
    if not job.background_saves:
        yield from _saved(job, event.at, step, event.seconds)
    elif blocking_checkpoint(job, step):
        copied = storage.staging_seconds(job, step)
        yield from _scheduled(job, event.at - event.seconds + copied, step, copied)


def looked_at(event: events.Step, job: Job) -> Lines:
    """What the callback says after a batch, while a save is behind it."""
    save = job.memo.get(_BEHIND)
    # None is, or the show began in between, or somebody has gone to another place of the run.
    if save is None or save[:2] != (job.attempt, saved_before(job, event.step)):
        return
    if event.at >= save.durable:
        del job.memo[_BEHIND]
        yield from _finalized(job, event.at, save.step)
        took = cluster.setup_seconds(job, "finalization", save.step)
        yield _looked(job, event.at, save.step, took)
    else:
        yield _looked(job, event.at, save.step)


def _finalized(job: Job, at: float, step: int) -> Lines:
    path = _path(job, step)
    yield said(job, at, f"Successfully saved checkpoint from iteration {step - 1:7d} to {path}")
    yield said(job, at, f"Async checkpoint save for step {step} ({path}) finalized successfully.")


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    """The epoch ends, then fit (fit_loop.py), which waits for what is still being written."""
    if event.phase != "training":
        return
    step = job.schedule.steps
    if not job.background_saves:
        yield lightning.stopped(job)
        return
    waited = storage.save_seconds(job, step) - storage.staging_seconds(job, step)
    ended = event.at - waited
    yield _looked(job, ended, step)
    yield lightning.stopped(job)
    yield said(job, ended, "Pending async checkpoint saves. Finalizing them synchronously now")
    yield from _finalized(job, event.at, step)
    yield _looked(job, event.at, step, waited)


LINES: dict[type, Render] = {
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
    events.PhaseEnded: _phase_ended,
}
