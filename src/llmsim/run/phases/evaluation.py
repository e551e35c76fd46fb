"""Benchmarks of a model: after the export, and at every validation where they were asked for."""

from llmsim.job.records import Job
from llmsim.physics.learning import benchmarks
from llmsim.run.events import Evaluated, Task
from llmsim.run.phases.timing import Phase, took, watched


def evaluated(job: Job, at: float, step: int) -> Phase:
    """Benchmarks after a step, one after another: forward passes over thousands of questions."""
    last = step == job.schedule.steps
    seconds = took(job, "evaluation", benchmarks.seconds(job), job.schedule.steps - step)
    questions = benchmarks.effort(job).questions
    task: Task = "evaluation" if last else "benchmark"
    yield from watched(job, at, seconds, task, "Evaluating", questions, "question")
    at += seconds
    yield Evaluated(at, step, benchmarks.scores(job, step), seconds)
    return at
