"""The slow steps that a run's log reports: stragglers, data stalls, network retries.

They are jitter.py's slowdowns, already part of step_time.interval_seconds: a straggler slows
dozens of steps by 2-6 % (BLOOM: 105.2 -> 111.1 s), a stall one step by up to 2.3 times, a retry by
some seconds (docs/physics.md section 9). Seconds; steps are executed steps and count from 1.
"""

from bisect import bisect_left, bisect_right
from math import fsum

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics.speed import batch_ramp, jitter, step_time
from llmsim.physics.speed.jitter import Slowdown


@remembered()
def _edges(job: Job) -> tuple[int, ...]:
    """The steps at which slowdowns begin and end; they are the same in all stages of a ramp."""
    found = step_time.timing(job).slowdowns
    return tuple(
        sorted(step for each in found for step in (each.first, each.first + each.steps - 1))
    )


def changes(job: Job, first: int, last: int) -> bool:
    """Whether a slowdown begins or ends in these steps."""
    edges = _edges(job)
    return bisect_left(edges, first) < bisect_right(edges, last)


def begun(job: Job, first: int, last: int) -> Slowdown | None:
    """The costliest slowdown that begins in these steps; None in almost all intervals."""
    timing = step_time.timing(job, batch_ramp.stage_number(job.schedule, last))
    return _rounded(jitter.begun(timing, first, last))


def ended(job: Job, first: int, last: int) -> Slowdown | None:
    """The lasting slowdown that ends in these steps; None in almost all intervals.

    Where the batch grows meanwhile, its seconds are the mean over its steps.
    """
    number = batch_ramp.stage_number(job.schedule, last)
    found = jitter.ended(step_time.timing(job, number), first, last)
    if found is None or batch_ramp.stage_number(job.schedule, found.first) == number:
        return _rounded(found)
    index = step_time.timing(job, number).slowdowns.index(found)
    steps = range(found.first, found.first + found.steps)
    stages = [batch_ramp.stage_number(job.schedule, step) for step in steps]
    lost = fsum([step_time.timing(job, stage).slowdowns[index].seconds for stage in stages])
    return _rounded(found._replace(seconds=lost / found.steps))


def _rounded(slowdown: Slowdown | None) -> Slowdown | None:
    """The slowdown with its seconds rounded to microseconds, as intervals are."""
    return slowdown and slowdown._replace(seconds=to_the_microsecond(slowdown.seconds))
