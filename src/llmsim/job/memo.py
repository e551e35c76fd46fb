"""What is remembered of a job lives in the job, and goes when the job goes.

A cache of a module is shared by all runs: where many of them take turns, each drives out what the
others have remembered. So a function of a job that costs much keeps its values in `job.memo`.
"""

from collections.abc import Callable
from functools import wraps

from llmsim.job.records import Job
from llmsim.typed import Any, TypeVar

F = TypeVar("F")


def remembered(most: int = 1) -> Callable[[F], F]:
    """A function (job, ...) whose values each job remembers: the latest `most` of them.

    The arguments after the job are given by position, and can be the key of a dictionary.
    """

    def keeping(function: F) -> F:
        asked: Any = _kept(function, most)
        return asked  # type: ignore[no-any-return]

    return keeping


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
