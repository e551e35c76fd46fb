"""Lines of iterations, from the last rank; of memory, validations and checkpoints, from rank 0."""

from collections.abc import Iterator
from math import exp, fsum

from llmsim.dialects.line import Line, Render
from llmsim.dialects.megatron import arguments, theory
from llmsim.dialects.megatron.log_lines import (
    CALCULATOR,
    clock,
    dated,
    last,
    split,
    stage_rank,
    timers,
)
from llmsim.dialects.parts import process_group
from llmsim.job.milestones import (
    blocking_checkpoint,
    exits_loop,
    is_validated,
    save_is_due,
    steps_found,
)
from llmsim.job.records import Job, is_older
from llmsim.job.schedule import whole_run
from llmsim.physics.hardware import allocator, storage
from llmsim.physics.learning import bends, learning_rate, loss, loss_scale
from llmsim.physics.speed import batch_ramp, step_time
from llmsim.run import events
from llmsim.run.timeline import steps_seconds
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple

Lines = Iterator[Line]

_RERUN = (
    "WARNING:megatron.core.rerun_state_machine:Setting RerunStateMachine mode RerunMode.DISABLED"
)


class Iteration(NamedTuple):
    """The values of an iteration's line that are of all iterations since the earlier line."""

    seconds: float
    teraflops: float  # per GPU
    loss: float | None  # of the iterations that were not skipped; None where all were
    scale: float  # that the next iteration begins with
    skipped: int  # how many were, since fp16's gradients overflowed
    norm: float | None  # of the iteration itself, unless it was skipped
    not_numbers: int  # how many of the skipped ones had a loss that is none


def iteration(event: events.Step, job: Job) -> Iteration | None:
    """The means of a logged iteration; None for step 1, which has no line of its own."""
    every = job.schedule.log_every
    if event.step % every:
        return None
    seconds = _first_mean(event, job) if event.step == every else event.step_seconds
    begun, step = event.step - every + 1, event.step
    rate = batch_ramp.tokens(job, step, step) / seconds / job.layout.gpus
    teraflops = rate * flops_per_token(job) / 1e12
    if not loss_scale.scales(job):
        mean: float | None = loss.averaged(job, begun, step)
        return Iteration(seconds, teraflops, mean, 1.0, 0, event.gradient_norm, 0)
    skipped = [*loss_scale.skips(job, begun, step)]
    mean = _mean_without(job, begun, step, skipped)
    norm = None if step in skipped else event.gradient_norm
    scale = 2.0 ** loss_scale.scaled(job, step + 1).exponent
    not_numbers = sum(bends.broken(job, each) for each in skipped)
    return Iteration(seconds, teraflops, mean, scale, len(skipped), norm, not_numbers)


def _first_mean(event: events.Step, job: Job) -> float:
    """Mean seconds of the iterations of an attempt's first line, step 1 among them.

    The timer of the interval stands still in a validation and a save (training.py). It counts
    step 1, which `event` does not: step 1 has an event of its own. An attempt that goes on from a
    later step does not run it.
    """
    if event.previous != 1:
        return event.step_seconds
    if min(job.schedule.validate_every, job.schedule.save_every) >= event.step:
        return event.training_seconds / event.step
    first = steps_seconds(job, 1, 1, job.repeated)
    first += step_time.compile_seconds(job) if job.repeated else 0.0
    return (first + event.step_seconds * (event.step - 1)) / event.step


def _mean_without(job: Job, begun: int, step: int, skipped: list[int]) -> float | None:
    """The mean loss of the steps begun..step that are not skipped; None where all are."""
    if not skipped:
        return loss.averaged(job, begun, step)
    learnt = sorted({*range(begun, step + 1)}.difference(skipped))
    return fsum([loss.training(job, each) for each in learnt]) / len(learnt) if learnt else None


def flops_per_token(job: Job) -> float:
    """FLOPs of a token as num_floating_point_operations counts them: products alone, and of the
    attention's matrix the half that is not masked.
    """
    config = job.architecture
    width, query = config.hidden_size, config.heads * config.head_dim
    shared = 1 + config.kv_heads / config.heads + job.schedule.sequence / width / 2
    attention = width * query * shared
    gated = 1.0 if config.family == "gpt2" else 1.5  # SwiGLU has a third matrix
    inner = gated * width * config.feed_forward * max(1, config.active_experts)
    return 12 * config.layers * (attention + inner) + 6 * width * arguments.padded_tokens(job)


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    yield from _iterated(event, job)
    if _ends_unsaved(job, event.step) and not is_validated(job, event.step):
        yield from _done(job, event.at)


def _iterated(event: events.Step, job: Job) -> Lines:
    """The line of the iterations since the one before, and what stands below the first one."""
    means = iteration(event, job)
    if means is None:
        return
    schedule = job.schedule
    told = f" lm loss: {means.loss:.6E} |" if means.loss is not None else ""
    norm = f" grad norm: {means.norm:.3f} |" if means.norm is not None else ""
    yield last(
        job,
        f" [{clock(job, event.at)}] iteration {event.step:8d}/{whole_run(schedule):8d} |"
        f" consumed samples: {batch_ramp.consumed(schedule, event.step):12d} |"
        f" elapsed time per iteration (ms): {1000 * means.seconds:.1f} |"
        f" throughput per GPU (TFLOP/s/GPU): {means.teraflops:.1f} |"
        f" learning rate: {event.learning_rate:.6E} |"
        f" global batch size: {batch_ramp.batch(schedule, event.step):5d} |"
        f"{told} loss scale: {means.scale:.1f} |{norm}"
        f" number of skipped iterations: {means.skipped:3d} |"
        f" number of nan iterations: {means.not_numbers:3d} |",
    )
    if _reports_memory(event, job):
        yield from map(Line, theory.lines(job, event.step))
        yield from _memory(event, job)


def _reports_memory(event: events.Step, job: Job) -> bool:
    """Whether memory is reported below an iteration's line: the first line of these processes, and
    in core 0.8.0 their first one with a learning rate above 0 (training.py:876).
    """
    earlier = event.step - job.schedule.log_every
    first = earlier <= steps_found(job)
    if is_older(job):
        still = first or not learning_rate.learning_rate(job, earlier)
        return event.learning_rate > 0.0 and still
    return first


def _batch_grew(event: events.BatchGrew, job: Job, screen: Screen) -> Lines:
    if is_older(job):
        return
    yield Line(f"{CALCULATOR}:ramping up batch size from {event.before} to {event.after}")


# --- memory ------------------------------------------------------------------------------


def _memory(event: events.Step, job: Job) -> Lines:
    """torch's memory statistics on the first data rank of each slice (common_utils.py:313)."""
    layout = job.layout
    for stage in range(layout.pp):
        held = allocator.reserved(job, event.step, stage)
        most = allocator.allocated(job, event.step, stage)
        least = min(most, allocator.between_steps(job, stage))
        for slice_ in range(layout.tp):
            rank = stage_rank(job, stage, slice_)
            yield Line(
                f"[Rank {rank}] (after {event.step} iterations) memory (MB) |"
                f" allocated: {least / theory.MIB} | max allocated: {most / theory.MIB} |"
                f" reserved: {held / theory.MIB} | max reserved: {held / theory.MIB}",
                rank=rank,
            )


# --- validation and checkpoints ----------------------------------------------------------


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    """evaluate() in the loop, or on the parts of the held-out data after it, batch by batch."""
    batches, step = job.schedule.validation_batches, event.step
    reruns = [] if is_older(job) else [Line(_RERUN)]
    yield from reruns
    if event.part:
        yield Line(f"Evaluating on {batches * job.schedule.global_batch} samples")
        for batch in range(1, batches + 1):
            yield Line(f"Evaluating iter {batch}/{batches}")
    index = step + len(event.part)  # each barrier has a skew of its own
    yield from timers(job, index, {"evaluate": event.seconds})
    yield from (*reruns, *reruns)
    at = f"iteration {step} on {event.part} set" if event.part else f"iteration {step}"
    text = (
        f" validation loss at {at} | lm loss value: {event.loss:.6E} |"
        f" lm loss PPL: {exp(min(20.0, event.loss)):.6E} | "
    )
    rule = "-" * (len(text) + 1)
    yield from (last(job, rule), last(job, text), last(job, rule))
    if not event.part and _ends_unsaved(job, step):
        yield from _done(job, event.at)
    if event.part == job.framework.final_evaluations[-1]:
        if job.background_saves and _ends(job, step):  # it has been written meanwhile
            yield _saved(job, step)
        yield from process_group.leaked(job, event.at)


def _done(job: Job, at: float) -> Lines:
    """The end of the loop: --exit-interval ends the program there (training.py:1786-1796)."""
    if exits_loop(job):
        yield dated(job, at, f"exiting program at iteration {job.schedule.steps}")
        yield from process_group.leaked(job, at)
    else:
        yield dated(job, at, "after training is done")


def _ends_unsaved(job: Job, step: int) -> bool:
    """Whether the loop is over after a step, and no save follows."""
    return step == job.schedule.steps and not job.schedule.saves


def _ends(job: Job, step: int) -> bool:
    """Whether this is a last save that comes after the loop."""
    schedule = job.schedule
    after = schedule.saves and step == schedule.steps and not save_is_due(job, step)
    return after and not exits_loop(job)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    if _ends(job, event.step):
        yield from _done(job, event.at)
    path, kind = arguments.checkpoint_path(job), "torch" if is_older(job) else "torch_dist"
    yield Line(f"saving checkpoint at iteration {event.step:7d} to {path} in {kind} format")
    if arguments.distributed_optimizer(job) and not is_older(job):
        kind = "fully_sharded_model_space"
        yield Line(f"Storing distributed optimizer sharded state of type {kind}")


def _scheduled(job: Job, step: int) -> Line:
    path = arguments.checkpoint_path(job)
    return Line(f"  scheduled an async checkpoint save at iteration {step:7d} to {path}")


def _saved(job: Job, step: int) -> Line:
    start = f"  successfully saved checkpoint from iteration {step:7d}"
    part = "" if is_older(job) else f" {split(job)}"
    return Line(f"{start} to {arguments.checkpoint_path(job)}{part}")


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    yield _scheduled(job, event.step)
    yield from timers(job, event.step, {"save-checkpoint": event.seconds})


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """A save after the loop is not timed; in the background it is over when all is evaluated."""
    step, final = event.step, event.step == job.schedule.steps
    behind = final and job.background_saves
    if behind:
        yield _scheduled(job, step)
    if not (behind and _ends(job, step)):
        yield _saved(job, step)
    if blocking_checkpoint(job, step) and not _ends(job, step):
        copied = storage.staging_seconds(job, step) if behind else event.seconds
        yield from timers(job, step, {"save-checkpoint": copied})
    if final and not _ends(job, step):
        yield from _done(job, event.at)


LINES: dict[type, Render] = {
    events.Step: _step,
    events.BatchGrew: _batch_grew,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
}
