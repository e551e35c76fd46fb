"""Lines of iterations, from the last rank; of memory, validations and checkpoints, from rank 0."""

from collections.abc import Iterator
from math import exp

from llmsim.dialects.line import Line, Render
from llmsim.dialects.megatron import arguments
from llmsim.dialects.megatron.log_lines import CALCULATOR, clock, dated, split, timers
from llmsim.job.milestones import blocking_checkpoint
from llmsim.job.records import Job
from llmsim.model.architecture import embedding_parameters, parameter_count
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.learning import loss
from llmsim.physics.speed import batch_ramp, step_time, throughput
from llmsim.run import events
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple

Lines = Iterator[Line]

MIB = 2**20
_RERUN = (
    "WARNING:megatron.core.rerun_state_machine:Setting RerunStateMachine mode RerunMode.DISABLED"
)


class Iteration(NamedTuple):
    """The values of an iteration's line that are means since the earlier line."""

    seconds: float
    teraflops: float  # per GPU
    loss: float


def iteration(event: events.Step, job: Job) -> Iteration | None:
    """The means of a logged iteration; None for step 1, which has no line of its own."""
    every = job.schedule.log_every
    if event.step % every:
        return None
    first = event.step == every
    seconds = (
        step_time.interval_seconds(job, 1, event.step) / every if first else event.step_seconds
    )
    mean = loss.averaged(job, event.step - every + 1, event.step)
    rate = batch_ramp.tokens(job, event.step, event.step) / seconds / job.layout.gpus
    return Iteration(seconds, rate * throughput.job_flops_per_token(job) / 1e12, mean)


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    means = iteration(event, job)
    if means is None:
        return
    schedule, first = job.schedule, event.step == job.schedule.log_every
    seconds, teraflops, mean = means
    yield Line(
        f" [{clock(job, event.at)}] iteration {event.step:8d}/{schedule.steps:8d} |"
        f" consumed samples: {batch_ramp.consumed(schedule, event.step):12d} |"
        f" elapsed time per iteration (ms): {1000 * seconds:.1f} |"
        f" throughput per GPU (TFLOP/s/GPU): {teraflops:.1f} |"
        f" learning rate: {event.learning_rate:.6E} |"
        f" global batch size: {batch_ramp.batch(schedule, event.step):5d} |"
        f" lm loss: {mean:.6E} |"
        f" loss scale: 1.0 | grad norm: {event.gradient_norm:.3f} |"
        f" number of skipped iterations:   0 | number of nan iterations:   0 |"
    )
    if first:
        yield from map(Line, _theory(job))
        yield from map(Line, _memory(event, job))


def _batch_grew(event: events.BatchGrew, job: Job, screen: Screen) -> Lines:
    yield Line(f"{CALCULATOR}:ramping up batch size from {event.before} to {event.after}")


# --- memory ------------------------------------------------------------------------------


def _theory(job: Job) -> Iterator[str]:
    """Megatron's own estimate of the memory (theoretical_memory_usage.py): 18 bytes a parameter."""
    config, layout = job.architecture, job.layout
    once = embedding_parameters(config)
    embeddings = once * (1 if config.tied else 2)
    blocks = parameter_count(config) - embeddings
    loaded = (blocks / layout.pp + once) / layout.tp
    if not config.tied and layout.pp == 1:
        loaded += once / layout.tp
    each = 6 + 12 / (layout.dp * layout.cp) if arguments.distributed_optimizer(job) else 18
    states = loaded * each / MIB
    yield f"Number of parameters in transformer block in billions: {blocks / 1e9: .2f}"
    yield f"Number of parameters in embedding layers in billions: {embeddings / 1e9:.2f}"
    yield f"Total number of parameters in billions: {(blocks + embeddings) / 1e9:.2f}"
    yield f"Number of parameters in most loaded shard in billions: {loaded / 1e9:.4f}"
    if layout.tp == 1 or layout.recompute != "selective":
        yield f"Theoretical memory footprints: weight and optimizer={states:.2f} MB"
        return
    estimate = memory.estimate(config, layout, job.schedule.sequence)
    activations = (estimate.activations + estimate.logits) / MIB
    yield (
        f"Theoretical memory footprints: weight and optimizer={states:.2f} MB, "
        f"activation={activations:.2f} MB, total={states + activations:.2f} MB"
    )


def _memory(event: events.Step, job: Job) -> Iterator[str]:
    """torch's memory statistics on the first data rank of each slice (common_utils.py:313)."""
    layout, config = job.layout, job.architecture
    part = event.allocated / event.reserved
    for stage in range(layout.pp):
        held = allocator.reserved(job, event.step, stage)
        estimate = memory.stage(config, layout, job.schedule.sequence, stage)
        least = min(held, estimate.weights + estimate.gradients + estimate.optimizer) // 512 * 512
        most = least + int((held - least) * part) // 512 * 512  # only what comes and goes fragments
        for slice_ in range(layout.tp):
            rank = stage * (layout.gpus // layout.pp) + slice_
            yield (
                f"[Rank {rank}] (after {event.step} iterations) memory (MB) |"
                f" allocated: {least / MIB} | max allocated: {most / MIB} |"
                f" reserved: {held / MIB} | max reserved: {held / MIB}"
            )


# --- validation and checkpoints ----------------------------------------------------------


def in_loop(job: Job, step: int) -> bool:
    """Whether Megatron evaluates after an iteration: in its loop it does so at the interval
    alone.
    """
    return step % job.schedule.validate_every == 0


def _saved_in_loop(job: Job) -> bool:
    """Whether the last save happens in the loop, at its interval; otherwise it follows the loop."""
    return job.schedule.steps % job.schedule.save_every == 0


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    if in_loop(job, event.step):
        yield from _evaluation(job, event.step)
    if event.step == job.schedule.steps and not _saved_in_loop(job):
        yield _done(job, event.at)


def _done(job: Job, at: float) -> Line:
    """The line at the end of the loop, at `at` or before the evaluation that follows it."""
    last = job.schedule.steps
    before = 0.0 if in_loop(job, last) else step_time.validation_seconds(job, last)
    return dated(job, at - before, "after training is done")


def _after_training(job: Job) -> Lines:
    """The lines at the end of pretrain(): evaluations of validation and test set, batch by
    batch.
    """
    last = job.schedule.steps
    yield from _evaluation(job, last, "validation", "more validation" * in_loop(job, last))
    yield from _evaluation(job, last, "test", "test")


def _evaluation(job: Job, step: int, named: str = "", part: str = "") -> Lines:
    """The lines of evaluate() for a part of the held-out data; `named` is its name in the last
    line.
    """
    part, batches = part or "validation", job.schedule.validation_batches
    yield Line(_RERUN)
    if named:
        yield Line(f"Evaluating on {batches * job.schedule.global_batch} samples")
        for batch in range(1, batches + 1):
            yield Line(f"Evaluating iter {batch}/{batches}")
    index = step + len(named)  # each barrier has a skew of its own
    yield from timers(job, index, {"evaluate": step_time.validation_seconds(job, step, part)})
    yield Line(_RERUN)
    yield Line(_RERUN)
    value = loss.validation(job, step, part)
    at = f"iteration {step} on {named} set" if named else f"iteration {step}"
    text = (
        f" validation loss at {at} | lm loss value: {value:.6E} |"
        f" lm loss PPL: {exp(min(20.0, value)):.6E} | "
    )
    rule = "-" * (len(text) + 1)
    yield from (Line(rule), Line(text), Line(rule))


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    path = arguments.checkpoint_path(job)
    yield Line(f"saving checkpoint at iteration {event.step:7d} to {path} in torch_dist format")


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    path = arguments.checkpoint_path(job)
    yield Line(f"  scheduled an async checkpoint save at iteration {event.step:7d} to {path}")
    yield from timers(job, event.step, {"save-checkpoint": event.seconds})


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    path = arguments.checkpoint_path(job)
    start = f"  successfully saved checkpoint from iteration {event.step:7d}"
    yield Line(f"{start} to {path} {split(job)}")
    if blocking_checkpoint(job, event.step):
        yield from timers(job, event.step, {"save-checkpoint": event.seconds})
    if event.step == job.schedule.steps:
        if _saved_in_loop(job):
            yield _done(job, event.at)
        yield from _after_training(job)


LINES: dict[type, Render] = {
    events.Step: _step,
    events.BatchGrew: _batch_grew,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
}
