"""The metrics line, garbage collections, validations, checkpoints, the end.

components/metrics.py:527-570, components/checkpoint.py, train.py of v0.2.0.
"""

from collections.abc import Iterator
from datetime import timedelta

from llmsim.dialects.line import Line, Render
from llmsim.dialects.torchtitan.launch import CHECKPOINTS
from llmsim.dialects.torchtitan.log_lines import color, knows_loss, say, shown_rank
from llmsim.dialects.torchtitan.model import peak_flops, shown_stage
from llmsim.job.milestones import (
    blocking_checkpoint,
    evicted_checkpoint,
    is_saved,
    is_validated,
)
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator, memory, storage
from llmsim.physics.speed import step_time, throughput
from llmsim.run import cluster, events
from llmsim.run.phases import checkpoint
from llmsim.run.phases.launch import launch
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

TIMEOUT = timedelta(seconds=100)  # comm.train_timeout_seconds
GATHERED = "[GC] {} took {:.2f} seconds"


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    yield from _collected(event, job)
    paint = color(screen)
    held = allocator.reserved(job, event.step, shown_stage(job))

    def told(rank: int) -> str:
        value = event.loss if knows_loss(job, rank) else -1.0
        rate, flops = rate_and_flops(event, job, rank)
        return (
            f"{paint.red}step: {event.step:2}  "
            f"{paint.green}loss: {value:7.4f}  "
            f"{paint.orange}grad_norm: {event.gradient_norm:7.4f}  "
            f"{paint.turquoise}memory: {held / units.GIB:5.2f}GiB"
            f"({100 * held / event.capacity:.2f}%)  "
            f"{paint.blue}tps: {round(rate):,}  "
            f"{paint.cyan}tflops: {flops / 1e12:,.2f}  "
            f"{paint.magenta}mfu: {100 * flops / peak_flops(job.gpu):.2f}%{paint.reset}"
        )

    yield from say(job, event.at, told, behind=lambda rank: _behind(job, rank, event.step))


def rate_and_flops(event: events.Step, job: Job, rank: int = -1) -> tuple[float, float]:
    """Tokens and FLOPs per second and GPU since the log before, on the clock of a rank.

    Without a rank it is that of the one that is shown first. The clock runs on while a checkpoint
    is saved, so the rate after one is lower, unless a validation has logged, too. At first it runs
    since the logger was made, before the model.
    """
    seconds = event.step_seconds * (event.step - event.previous)
    tokens = event.tokens_per_second / job.layout.gpus * seconds
    late = _behind(job, rank, event.step) - _behind(job, rank, event.previous)
    rate = tokens / (seconds + _beside(event, job) + late)
    return rate, rate * throughput.job_flops_per_token(job)


def _behind(job: Job, rank: int, step: int) -> float:
    """Seconds by which a rank logs a step behind the one that is shown first."""
    shown = rank in {-1, shown_rank(job)}
    return 0.0 if shown else cluster.barrier_skew(job, f"log of rank {rank}", step)


def _beside(event: events.Step, job: Job) -> float:
    """Seconds of this interval in which no step ran: of a save, or of the set-up."""
    if event.training_seconds <= event.host_seconds:  # the first log of these processes
        loading = storage.restore_seconds(job, event.previous) if event.previous else 0.0
        return setup_seconds(job) + loading
    if is_saved(job, event.previous) and not is_validated(job, event.previous):
        return checkpoint.seconds(job, event.previous)
    return 0.0


def setup_seconds(job: Job) -> float:
    """Seconds from the making of the logger, with the model, to the first step."""
    known = tuple(launch(job, 0.0))
    built = next(event for event in known if isinstance(event, events.ModelBuilt))
    return known[-1].at - built.at + built.seconds


def _collected(event: events.Step, job: Job) -> Lines:
    """The lines of the garbage collections in an interval, one at the start of every n-th step."""
    timing = step_time.timing(job)
    every = timing.gc_every
    for step in range(event.previous // every * every + every, event.step + 1, every):
        begun = event.at - event.step_seconds * (event.step - step + 1)
        seconds = step_time.collection_seconds(job, step)
        text = GATHERED.format("Performing periodic GC collection", seconds)
        yield from say(job, begun + timing.gc, text)


def _epoch_started(event: events.EpochStarted, job: Job, screen: Screen) -> Lines:
    if event.epoch > 1:
        text = f"Dataset {job.dataset.name} is being re-looped"
        yield from say(job, event.at, text, "WARNING")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    paint = color(screen)
    held = allocator.reserved(job, event.step, shown_stage(job))
    capacity = memory.capacity(job.gpu)
    rate = event.tokens / validation_seconds(event, job) / job.layout.gpus

    def told(rank: int) -> str:
        value = event.loss if knows_loss(job, rank) else -1.0
        return (
            f"{paint.yellow}validate step: {event.step:2}  "
            f"{paint.green}loss: {value:7.4f}  "
            f"{paint.turquoise}memory: {held / units.GIB:5.2f}GiB({100 * held / capacity:.2f}%)  "
            f"{paint.blue}tps: {round(rate):,}{paint.reset}"
        )

    yield from say(job, event.at, told, behind=lambda rank: _behind(job, rank, event.step))
    if event.step == 1:
        text = f"Synchronizing and adjusting timeout for all ProcessGroups to {TIMEOUT}"
        yield from say(job, event.at, text)


def validation_seconds(event: events.Validated, job: Job) -> float:
    """Seconds since the step was logged: of a validation, and of a save that came before it."""
    saved = is_saved(job, event.step)
    return event.seconds + (checkpoint.seconds(job, event.step) if saved else 0.0)


# --- checkpoints -------------------------------------------------------------------------


def _is_last(step: int, job: Job) -> bool:
    return step == job.schedule.steps


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    yield from say(job, event.at, "Saving the checkpoint (or staging if async is enabled).")
    if _is_last(event.step, job):
        text = f"Saving a model only checkpoint in torch.float32 at last step, step {event.step}."
        yield from say(job, event.at, text)


def _finished(job: Job, at: float, seconds: float) -> Lines:
    yield from say(job, at, GATHERED.format("GC collection invoked by checkpointer.", 0))
    text = "Finished saving the checkpoint (or staging if async is enabled)"
    yield from say(job, at, f"{text}in {seconds:.2f} seconds.")


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    yield from _finished(job, event.at, event.seconds)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """A save in the background ends without a word; so does the last, but for its garbage."""
    if _is_last(event.step, job):
        yield from say(job, event.at, GATHERED.format("GC collection invoked by checkpointer.", 0))
    elif blocking_checkpoint(job, event.step):
        yield from _finished(job, event.at, event.seconds)


def _checkpoint_deleted(event: events.CheckpointDeleted, job: Job, screen: Screen) -> Lines:
    """A thread of rank 0 deletes; after the last save nothing is deleted any more."""
    path = f"{CHECKPOINTS}/step-{event.step}"
    if shown_rank(job) == 0 and event.step != evicted_checkpoint(job, job.schedule.steps):
        blocking = blocking_checkpoint(job, event.step)  # else it is noticed when it is over
        begun = event.at - event.seconds if blocking else event.at
        yield from _first(job, begun, f"Checkpointer is deleting {path}.")
        text = f"Checkpointer deleted {path} in {event.seconds:.2f} seconds."
        yield from _first(job, event.at, text)


def _first(job: Job, at: float, text: str) -> Lines:
    """A line of rank 0 alone."""
    yield next(say(job, at, text))


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    """The other ranks have said that the training is completed while rank 0 sleeps."""
    if event.phase != "training":
        return
    first = shown_rank(job) == 0
    if first:
        yield from _first(job, event.at, "Sleeping 2 seconds for other ranks to complete")
    yield from say(job, event.at + 2 * first, "Training completed")
    if job.schedule.saves:
        yield from say(job, event.at + 2 * first, "Destroying the purge thread.")
    yield from say(job, event.at + 2, "Process group destroyed")


LINES: dict[type, Render] = {
    events.EpochStarted: _epoch_started,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
    events.CheckpointDeleted: _checkpoint_deleted,
    events.PhaseEnded: _phase_ended,
}
