"""What Megatron-LM's last rank logs to TensorBoard and Weights & Biases (training/training.py).

TensorBoard has several tags twice, the second time over the samples consumed; W&B has
`samples vs steps` instead.
"""

from collections.abc import Iterator

from llmsim.dialects.megatron.training import iteration
from llmsim.dialects.scalar import Point
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator
from llmsim.physics.speed import batch_ramp
from llmsim.run import events

TWICE = ("learning-rate", "batch-size", "lm loss", "loss-scale", "grad-norm")


def _values(event: events.Step, job: Job) -> tuple[tuple[str, float], ...]:
    means = iteration(event, job)
    if means is None:
        return ()
    schedule, layout = job.schedule, job.layout
    last = layout.pp - 1
    reserved = allocator.reserved(job, event.step, last)
    most = allocator.allocated(job, event.step, last)
    states = min(most, allocator.between_steps(job, last))
    norm = () if means.norm is None else (("grad-norm", means.norm),)
    return (
        ("learning-rate", event.learning_rate),
        ("batch-size", batch_ramp.batch(schedule, event.step)),
        ("lm loss", event.loss if means.loss is None else means.loss),
        ("loss-scale", means.scale),
        ("world-size", layout.gpus),
        *norm,
        ("mem-reserved-bytes", reserved),
        ("mem-allocated-bytes", states),
        ("mem-max-allocated-bytes", most),
        ("iteration-time", means.seconds),
        ("throughput", means.teraflops),
    )


def _evaluation(event: events.Validated, job: Job) -> tuple[tuple[str, float], ...]:
    return (("lm loss validation", event.loss), ("lm loss validation ppl", event.perplexity))


def _versus(values: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    """The values that Megatron also logs over samples, under their second tags."""
    return tuple(
        (f"{tag} vs samples", value)
        for tag, value in values
        if tag in TWICE or tag.startswith("lm loss validation")
    )


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    if values := _values(event, job):
        yield Point(event.at, event.step, values)
        consumed = batch_ramp.consumed(job.schedule, event.step)
        yield Point(event.at, consumed, _versus(values))


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    if values := _evaluation(event, job):
        yield Point(event.at, event.step, values)
        yield Point(event.at, batch_ramp.consumed(job.schedule, event.step), _versus(values))


def _wandb_step(event: events.Step, job: Job) -> Iterator[Point]:
    if values := _values(event, job):
        samples = ("samples vs steps", batch_ramp.consumed(job.schedule, event.step))
        yield Point(event.at, event.step, (*values, samples))


def _wandb_validated(event: events.Validated, job: Job) -> Iterator[Point]:
    if values := _evaluation(event, job):
        yield Point(event.at, event.step, values)


TENSORBOARD = {events.Step: _step, events.Validated: _validated}
WANDB = {events.Step: _wandb_step, events.Validated: _wandb_validated}
