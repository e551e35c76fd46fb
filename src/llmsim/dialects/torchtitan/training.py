"""The metrics line, garbage collections, validations, checkpoints, the end.

components/metrics.py:527-570, components/checkpoint.py, train.py of v0.2.0.
"""

from collections.abc import Iterator
from datetime import timedelta

from llmsim.dialects.line import Line, Render
from llmsim.dialects.torchtitan.launch import CHECKPOINTS
from llmsim.dialects.torchtitan.log_lines import color, say
from llmsim.dialects.torchtitan.model import last_stage, peak_flops
from llmsim.job.milestones import blocking_checkpoint, saved_steps
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator, memory, storage
from llmsim.physics.speed import step_time, throughput
from llmsim.run import events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

TIMEOUT = timedelta(seconds=100)  # comm.train_timeout_seconds
GATHERED = "[GC] {} took {:.2f} seconds"


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    yield from _collected(event, job)
    paint = color(screen)
    rate, flops = rate_and_flops(event, job)
    held = allocator.reserved(job, event.step, last_stage(job))
    yield from say(
        job, event.at,
        f"{paint.red}step: {event.step:2}  "
        f"{paint.green}loss: {event.loss:7.4f}  "
        f"{paint.orange}grad_norm: {event.gradient_norm:7.4f}  "
        f"{paint.turquoise}memory: {held / units.GIB:5.2f}GiB({100 * held / event.capacity:.2f}%)  "
        f"{paint.blue}tps: {round(rate):,}  "
        f"{paint.cyan}tflops: {flops / 1e12:,.2f}  "
        f"{paint.magenta}mfu: {100 * flops / peak_flops(job.gpu):.2f}%{paint.reset}",
    )  # fmt: skip


def rate_and_flops(event: events.Step, job: Job) -> tuple[float, float]:
    """Tokens and FLOPs per second and GPU since the log before.

    The clock runs on while a checkpoint is saved, so the rate after one is lower.
    """
    seconds = event.step_seconds * (event.step - event.previous)
    rate = event.tokens_per_second / job.layout.gpus * seconds / (seconds + _saving(event, job))
    return rate, rate * throughput.job_flops_per_token(job)


def _saving(event: events.Step, job: Job) -> float:
    """Seconds that a save after the step before took from this interval."""
    if event.previous not in saved_steps(job):
        return 0.0
    held = (
        storage.save_seconds
        if blocking_checkpoint(job, event.previous)
        else storage.staging_seconds
    )
    return held(job, event.previous)


def _collected(event: events.Step, job: Job) -> Lines:
    """The lines of the garbage collections in an interval, one at the start of every n-th step."""
    timing = step_time.timing(job)
    every = timing.gc_every
    for step in range(event.previous // every * every + every, event.step + 1, every):
        begun = event.at - event.step_seconds * (event.step - step + 1)
        text = GATHERED.format("Performing periodic GC collection", timing.gc)
        yield from say(job, begun + timing.gc, text)


def _epoch_started(event: events.EpochStarted, job: Job, screen: Screen) -> Lines:
    if event.epoch > 1:
        text = f"Dataset {job.dataset.name} is being re-looped"
        yield from say(job, event.at, text, "WARNING")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    paint = color(screen)
    held = allocator.reserved(job, event.step, last_stage(job))
    capacity = memory.capacity(job.gpu)
    rate = event.tokens / event.seconds / job.layout.gpus
    yield from say(
        job, event.at,
        f"{paint.yellow}validate step: {event.step:2}  "
        f"{paint.green}loss: {event.loss:7.4f}  "
        f"{paint.turquoise}memory: {held / units.GIB:5.2f}GiB({100 * held / capacity:.2f}%)  "
        f"{paint.blue}tps: {round(rate):,}{paint.reset}",
    )  # fmt: skip
    if event.step == 1:
        text = f"Synchronizing and adjusting timeout for all ProcessGroups to {TIMEOUT}"
        yield from say(job, event.at, text)


# --- checkpoints -------------------------------------------------------------------------


def _is_last(step: int, job: Job) -> bool:
    return step == job.schedule.steps


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    yield from say(job, event.at, "Saving the checkpoint (or staging if async is enabled).")
    if _is_last(event.step, job):
        text = f"Saving a full checkpoint at last step, step {event.step}."
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
    yield from say(job, event.at, f"Checkpointer is deleting {CHECKPOINTS}/step-{event.step}.")


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield from say(job, event.at, "Sleeping 2 seconds for other ranks to complete")
        yield from say(job, event.at + 2, "Training completed")
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
