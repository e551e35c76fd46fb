"""The simulated clock as numbers; the job's start, a local time, is taken as UTC."""

from collections.abc import Callable
from datetime import datetime

from llmsim.job.records import Job

EPOCH = datetime(1970, 1, 1)
# What a clock outside of the simulation shows at a simulated second, in Unix seconds.
Clock = Callable[[float], float]


def started(job: Job) -> float:
    """The start of the run as seconds since 1970."""
    return (job.start - EPOCH).total_seconds()


def unix(job: Job, at: float) -> float:
    """A simulated second as seconds since 1970."""
    return started(job) + at


def nanoseconds(job: Job, at: float) -> int:
    """A simulated second as whole nanoseconds since 1970, to the microsecond."""
    return round(unix(job, at) * 1e6) * 1000
