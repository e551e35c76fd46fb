"""nanotron: every iteration, from the rank that computes the loss, and the saves.

nanotron@2411b02, src/nanotron/trainer.py. It does not validate, and prints nothing when it ends.
"""

from collections.abc import Iterator
from datetime import timedelta

from llmsim.dialects.line import Line, Render
from llmsim.dialects.nanotron import launch, recovery
from llmsim.dialects.nanotron.launch import MIB, built
from llmsim.dialects.nanotron.log_lines import human, say
from llmsim.dialects.parts import process_group
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.speed import throughput
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

MEMORY_STEPS = 5  # the first iterations, around which it prints its memory


def _memory(used: float, most: float, held: float) -> str:
    return (
        f" Memory usage: {used:.2f}MiB. Peak allocated {most:.2f}MiB. Peak reserved: {held:.2f}MiB"
    )


def _held(event: events.Step, job: Job) -> tuple[float, float, float]:
    """MiB of rank 0: in tensors after the step, their peak in the step, and reserved."""
    estimate = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0)
    states = allocator.between_steps(job, 0) - estimate.optimizer * (event.step == 1)
    held = allocator.reserved(job, event.step, 0)
    most = allocator.allocated(job, event.step, 0)
    return min(most, states) / MIB, most / MIB, held / MIB


def _before(event: events.Step, job: Job) -> str:
    """The memory of rank 0 before an iteration: before the first, gradients have their place.

    Before an attempt's first iteration no forward pass has reserved anything: weights, gradients
    and the optimizer's states that a checkpoint has brought are all that is reserved.
    """
    estimate = memory.stage(job.architecture, job.layout, job.schedule.sequence, 0)
    states = estimate.weights + estimate.gradients
    if event.step == 1:
        return _memory(states / MIB, states / MIB, max(states / MIB, built(job, 0)[1]))
    used, _, held = _held(event._replace(step=event.step + 1), job)
    if event.step == steps_found(job) + 1:
        held = max(used, built(job, 0)[1])
    return _memory(used, used, held)


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if event.step <= steps_found(job) + MEMORY_STEPS:
        used, most, held = _held(event, job)
        begun = event.at - event.step_seconds
        yield say(job, begun, screen, f"Before train_batch_iter\n{_before(event, job)}")
        text = f"After train_batch_iter\n{_memory(used, most, held)}"
        yield say(job, event.at, screen, text)
    rate, gpus = event.tokens_per_second, job.layout.gpus
    left = timedelta(seconds=int((job.schedule.steps - event.step) * event.step_seconds))
    teraflops = rate * throughput.job_flops_per_token(job) / gpus / 1e12
    text = (
        f"iteration: {event.step} / {job.schedule.steps} | "
        f"consumed_tokens: {human(event.tokens)} | "
        f"time_per_iteration_ms: {human(1000 * event.step_seconds)} | "
        f"tokens_per_sec: {human(rate)} | tokens_per_sec_per_gpu: {human(rate / gpus)} | "
        f"global_batch_size: {human(batch_tokens(job))} | "
        f"grad_norm: {human(event.gradient_norm)} | lm_loss: {human(event.loss)} | "
        f"lr: {human(event.learning_rate)} | model_tflops_per_gpu: {human(teraflops)} | "
        f"eta: {left}"
    )
    yield say(job, event.at, screen, text, stage=job.layout.pp - 1)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    text = f"Saving checkpoint at checkpoints/{event.step}"
    yield say(job, event.at, screen, text, "WARNING")


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield from process_group.leaked(job, event.at)


LINES: dict[type, Render] = {
    **recovery.LINES,
    **launch.LINES,
    events.Step: _step,
    events.CheckpointStarted: _checkpoint_started,
    events.PhaseEnded: _phase_ended,
}
