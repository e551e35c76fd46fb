"""Functions keep their values of a job inside the job, so that they go when the job goes.

All runs share a module's cache: when many runs take turns, each one removes the values of the
others. So an expensive function of a job keeps its values in `job.memo`.
"""

from collections.abc import Callable
from functools import wraps

from llmsim.job.records import Job
from llmsim.typed import Any, TypeVar

F = TypeVar("F")


def remembered(most: int = 1) -> Callable[[F], F]:
    """A decorator for a function (job, ...): each job keeps its latest `most` values.

    The arguments after the job are given by position and must be hashable.
    A function of the job alone has one value.
    """

    def keeping(function: F) -> F:
        asked: Any = _single(function) if _alone(function) else _kept(function, most)
        return asked  # type: ignore[no-any-return]

    return keeping


def _alone(function: Any) -> bool:
    """Whether a function has no argument but the job."""
    return bool(function.__code__.co_argcount == 1)


def _single(function: Any) -> Callable[..., Any]:
    @wraps(function)
    def asked(job: Job) -> Any:
        memo = job.memo
        try:
            return memo[function]
        except KeyError:
            value = memo[function] = function(job)
            return value

    return asked


def _kept(function: Any, most: int) -> Callable[..., Any]:
    @wraps(function)
    def asked(job: Job, *about: object) -> Any:
        memo = job.memo
        try:
            return memo[function][about]
        except KeyError:
            value = function(job, *about)
        values = memo.setdefault(function, {})
        if len(values) >= most:
            del values[next(iter(values))]  # the oldest: a dictionary keeps its order
        values[about] = value
        return value

    return asked
