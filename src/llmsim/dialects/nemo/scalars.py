"""What NeMo 2's loggers write: the values of each logged iteration (nemo/lightning)."""

from collections.abc import Iterator

from llmsim.dialects.nemo.lines import lagged_rate
from llmsim.dialects.scalar import Point
from llmsim.job.records import Job
from llmsim.physics.speed import throughput
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    """A logger has the values of the step itself, not the printer's means."""
    schedule, step = job.schedule, event.step
    rate = event.tokens_per_second / job.layout.gpus
    values: dict[str, float] = {
        "lr": lagged_rate(job, step),
        "global_batch_size": schedule.global_batch,
        "global_step": step - 1,
        "reduced_train_loss": event.loss,
        "train_step_timing in s": event.step_seconds,
    }
    if step > 1:
        values["consumed_samples"] = step * schedule.global_batch
    values["grad_norm"] = event.gradient_norm
    values["TFLOPS_per_GPU"] = rate * throughput.job_flops_per_token(job) / 1e12
    yield Point(event.at, event.step - 1, tuple(values.items()))


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    yield Point(event.at, event.step - 1, (("val_loss", event.loss),))


TENSORBOARD = WANDB = CSV = {events.Step: _step, events.Validated: _validated}


def folder(job: Job, at: float) -> str:
    """Where the loggers write, below the root folder."""
    return "lightning_logs/version_0"
