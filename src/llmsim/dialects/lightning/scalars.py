"""What Lightning's loggers write: self.log("train_loss") and self.log("val_loss"), with the epoch.

The step is the trainer's global_step, counted from 0 as the loggers write it.
"""

from collections.abc import Iterator

from llmsim.dialects.scalar import Point
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    values = (("train_loss", event.loss), ("lr-AdamW", event.learning_rate))
    yield Point(event.at, event.step - 1, (("epoch", event.epoch - 1), *values))


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    epoch = (event.step - 1) // steps_per_epoch(job)
    values = (("epoch", epoch), ("val_loss", event.loss))
    yield Point(event.at, event.step - 1, values)


TENSORBOARD = WANDB = CSV = {events.Step: _step, events.Validated: _validated}


def folder(job: Job, at: float) -> str:
    """Where the loggers write, below the root folder."""
    return "lightning_logs/version_0"
