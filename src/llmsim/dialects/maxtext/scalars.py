"""What MaxText logs to TensorBoard: each step counted from 0 (common/metric_logger.py)."""

from collections.abc import Iterator

from llmsim.dialects.maxtext.launch import step_flops
from llmsim.dialects.scalar import Point
from llmsim.job.records import Job, batch_tokens
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    seconds, tokens = event.host_seconds, batch_tokens(job) / job.layout.gpus
    teraflops = step_flops(job) / 1e12
    values = (
        ("learning/loss", event.loss),
        ("learning/total_weights", batch_tokens(job)),
        ("learning/grad_norm", min(1.0, event.gradient_norm)),
        ("learning/raw_grad_norm", event.gradient_norm),
        ("learning/current_learning_rate", event.learning_rate),
        ("perf/step_time_seconds", seconds),
        ("perf/per_device_tflops", teraflops),
        ("perf/per_device_tflops_per_sec", teraflops / seconds),
        ("perf/per_device_tokens", tokens),
        ("perf/per_device_tokens_per_sec", tokens / seconds),
    )
    yield Point(event.at, event.step - 1, values)


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    values = (
        ("eval/avg_loss", event.loss),
        ("eval/avg_perplexity", event.perplexity),
        ("eval/total_weights", event.tokens),
    )
    yield Point(event.at, event.step - 1, values)


TENSORBOARD = {events.Step: _step, events.Validated: _validated}


def folder(job: Job, at: float) -> str:
    """Where the event file lies below the output folder."""
    return "tensorboard"
