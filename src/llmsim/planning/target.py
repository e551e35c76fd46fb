"""How long a run is that trains until a validation reaches a target, as in MLPerf.

A benchmark's rules give the loss, and a run ends with the first validation at or below it.
"""

from collections.abc import Callable
from math import sqrt

from llmsim.job import milestones
from llmsim.job.records import Job

FEWEST, HALVINGS = 200, 9  # steps, and how often the range of steps is halved
_LONGER = (1.0, 1.02, 1.05, 1.1, 1.15)  # what is tried from the shortest run on that gets there


def reached(made: Callable[[int], Job], steps: int) -> Job:
    """The job whose last validation alone is at the target, or one that never gets there."""
    whole = made(steps)
    if _last(whole) > whole.framework.target_loss:
        return whole
    low, high = FEWEST, max(FEWEST, steps)
    for _ in range(HALVINGS):
        middle = round(sqrt(low * high))
        if middle in (low, high):
            break
        low, high = (low, middle) if _reaches(made(middle)) else (middle, high)
    for factor in _LONGER:
        job = made(round(high * factor))
        if _reaches(job) and not _reaches_early(job):
            return job
    return made(low)


def _last(job: Job) -> float:
    from llmsim.physics.learning import loss  # a plan without a target does without

    return loss.validation(job, job.schedule.steps)


def _reaches(job: Job) -> bool:
    return _last(job) <= job.framework.target_loss


def _reaches_early(job: Job) -> bool:
    """Whether a validation before the last is at the target, too."""
    from llmsim.physics.learning import loss

    *earlier, _ = milestones.validated_steps(job)
    return any(loss.validation(job, step) <= job.framework.target_loss for step in earlier)
