"""Benchmarks of a model: after the export, and with --evaluate at every validation."""

from collections.abc import Iterator

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics.learning import benchmarks
from llmsim.physics.speed import step_time
from llmsim.run.events import Evaluated, Event, Task
from llmsim.run.phases.timing import progress, sampled_seconds


def seconds(job: Job, step: int) -> float:
    """Seconds of the benchmarks after a step."""
    return sampled_seconds(
        job, "evaluation", step_time.evaluation_seconds(job), job.schedule.steps - step
    )


def evaluated(job: Job, at: float, step: int, clock: float | None = None) -> Iterator[Event]:
    """The events of the benchmarks after a step: forward passes over thousands of questions.

    `clock` is when the training began; it is given for benchmarks during the training.
    """
    last = step == job.schedule.steps
    questions = benchmarks.effort(job).questions
    task: Task = "evaluation" if last else "benchmark"
    duration = seconds(job, step)
    yield from progress(job, at, duration, task, "Evaluating", questions, "question", clock)
    yield Evaluated(to_the_microsecond(at + duration), step, benchmarks.scores(job, step), duration)
