"""What nanotron logs to Weights & Biases: the items of its line, unrounded (trainer.py)."""

from collections.abc import Iterator

from llmsim.dialects.scalar import Point
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.speed import throughput
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    rate, gpus = event.tokens_per_second, job.layout.gpus
    values = (
        ("consumed_tokens", event.tokens),
        ("time_per_iteration_ms", 1000 * event.step_seconds),
        ("tokens_per_sec", rate),
        ("tokens_per_sec_per_gpu", rate / gpus),
        ("global_batch_size", batch_tokens(job)),
        ("grad_norm", event.gradient_norm),
        ("lm_loss", event.loss),
        ("lr", event.learning_rate),
        ("model_tflops_per_gpu", rate * throughput.job_flops_per_token(job) / gpus / 1e12),
        ("iteration_step", event.step),
    )
    yield Point(event.at, event.step, values)


WANDB = {events.Step: _step}
