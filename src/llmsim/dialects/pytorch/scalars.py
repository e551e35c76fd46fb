"""The values that the default train.py logs to TensorBoard and Weights & Biases: its own tags."""

from collections.abc import Iterator

from llmsim.dialects.scalar import Point, prefixed
from llmsim.job.records import Job
from llmsim.physics.learning import loss_scale
from llmsim.run import events
from llmsim.text.units import GIB


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    values = (
        ("loss", event.loss),
        ("grad_norm", event.gradient_norm),
        ("learning_rate", event.learning_rate),
        ("tokens", event.tokens),
        ("tokens_per_second", event.tokens_per_second),
        ("step_seconds", event.step_seconds),
        ("mfu", event.mfu),
        ("memory_allocated_gib", event.allocated / GIB),
        ("memory_reserved_gib", event.reserved / GIB),
        *event.metrics,
        *_scale(event, job),
    )
    yield Point(event.at, event.step, prefixed("train/", values))


def _scale(event: events.Step, job: Job) -> Iterator[tuple[str, float]]:
    """fp16's loss scale."""
    if loss_scale.scales(job):
        yield "loss_scale", 2.0 ** loss_scale.scaled(job, event.step).exponent


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    values = [("loss", event.loss), ("perplexity", event.perplexity), ("best_loss", event.best)]
    if event.accuracy is not None:
        values.append(("accuracy", event.accuracy))
    yield Point(event.at, event.step, prefixed("val/", values))


TENSORBOARD = WANDB = {events.Step: _step, events.Validated: _validated}
