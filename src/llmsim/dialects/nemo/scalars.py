"""What NeMo 2's loggers write: the values of each logged iteration (nemo/lightning)."""

from collections.abc import Iterator

from llmsim.dialects.nemo.lines import iteration
from llmsim.dialects.scalar import Point
from llmsim.job.records import Job
from llmsim.physics.speed import throughput
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    values = iteration(event, job)
    for validated in ("val_loss", "val_ppl"):  # these are logged when they are found
        values.pop(validated, None)
    rate = values.pop("tokens_per_sec_per_gpu")
    values["grad_norm"] = event.gradient_norm
    values["TFLOPS_per_GPU"] = rate * throughput.job_flops_per_token(job) / 1e12
    yield Point(event.at, event.step - 1, tuple(values.items()))


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    yield Point(event.at, event.step - 1, (("val_loss", event.loss),))


TENSORBOARD = WANDB = CSV = {events.Step: _step, events.Validated: _validated}


def folder(job: Job, at: float) -> str:
    """Where the loggers write, below the root folder."""
    return "lightning_logs/version_0"
