"""What DeepSpeed's monitor logs, over global samples (deepspeed/monitor, runtime/engine.py)."""

from collections.abc import Iterator

from llmsim.dialects.scalar import Point
from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate, loss
from llmsim.physics.speed import batch_ramp
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    """The points of a logged step; the real engine writes them at every step.

    The loss is that of rank 0's last micro-batch, and of the whole batch in a pipeline.
    """
    if event.step % job.schedule.log_every:
        return
    piped = job.layout.pp > 1
    value = event.loss if piped else loss.micro_batch(job, event.step)
    samples = batch_ramp.consumed(job.schedule, event.step)
    values = (
        ("Train/Samples/train_loss", value),
        ("Train/Samples/lr", learning_rate.learning_rate(job, event.step)),
    )
    yield Point(event.at, samples, values)


TENSORBOARD = WANDB = {events.Step: _step}


def folder(job: Job, at: float) -> str:
    """The monitor's job_name is a folder of its own."""
    return job.run_name
