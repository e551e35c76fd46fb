"""A framework that says as little as it can: the dialect `laconic` of llmsim."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.job.framework import Framework
from llmsim.job.records import Job
from llmsim.run.events import Step, Summary
from llmsim.text.screen import Screen

FRAMEWORK = Framework("laconic", "says only that it goes on", ("pretrain", "sft"))


def _step(event: Step, job: Job, screen: Screen) -> Iterator[Line]:
    yield Line(f"still training at {event.step:,}, loss {event.loss:.2f}")


def _summary(event: Summary, job: Job, screen: Screen) -> Iterator[Line]:
    yield Line(f"{job.model.name} has read {event.tokens:,} tokens. Enough.")


LINES = {Step: _step, Summary: _summary}
