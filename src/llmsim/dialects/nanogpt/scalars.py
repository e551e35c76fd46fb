"""What nanoGPT logs to Weights & Biases, at each evaluation (train.py)."""

from collections.abc import Iterator

from llmsim.dialects.nanogpt import estimates
from llmsim.dialects.scalar import Point
from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate, loss
from llmsim.run import events


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    if not estimates.evaluates(job, event.step):
        return
    last = event.step // job.schedule.log_every * job.schedule.log_every
    values = (
        ("iter", event.step),
        ("train/loss", loss.expected(job, event.step + 1)),
        ("val/loss", event.loss),
        ("lr", learning_rate.learning_rate(job, event.step)),
        ("mfu", 100 * estimates.running_mfu(job, last) if last else -100.0),
    )
    yield Point(event.at, event.step, values)


WANDB = {events.Validated: _validated}
