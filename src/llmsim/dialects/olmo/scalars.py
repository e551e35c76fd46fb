"""What OLMo logs to Weights & Biases: what it prints, and the learning rate (olmo/train.py)."""

from collections.abc import Iterator

from llmsim.dialects.olmo.lines import evaluation, metrics
from llmsim.dialects.scalar import Point
from llmsim.job.records import Job
from llmsim.run import events


def _step(event: events.Step, job: Job) -> Iterator[Point]:
    if event.step % job.schedule.log_every == 0:
        rate = ("optim/learning_rate_group0", event.learning_rate)
        yield Point(event.at, event.step, (*metrics(event, job), rate))


def _validated(event: events.Validated, job: Job) -> Iterator[Point]:
    yield Point(event.at, event.step, evaluation(event, job))


WANDB = {events.Step: _step, events.Validated: _validated}
