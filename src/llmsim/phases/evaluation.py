"""Benchmarks of a model: after the export, and at every validation where they were asked for."""

from llmsim.events import Evaluated, Task
from llmsim.job import Job
from llmsim.phases.timing import Phase, took, watched
from llmsim.physics import evaluation


def evaluated(job: Job, at: float, step: int) -> Phase:
    """Benchmarks after a step, one after another: forward passes over thousands of questions."""
    last = step == job.schedule.steps
    seconds = took(job, "evaluation", evaluation.seconds(job), job.schedule.steps - step)
    questions = evaluation.effort(job).questions
    task: Task = "evaluation" if last else "benchmark"
    yield from watched(job, at, seconds, task, "Evaluating", questions, "question")
    at += seconds
    yield Evaluated(at, step, evaluation.scores(job, step), seconds)
    return at
