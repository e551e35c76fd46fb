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
        asked: Any = _KEEPERS.get(_arguments(function), _kept)(function, most)
        return asked  # type: ignore[no-any-return]

    return keeping


def _arguments(function: Any) -> int:
    """How many arguments a function always has, the job included; 0 if some may be left out."""
    return 0 if function.__defaults__ else int(function.__code__.co_argcount)


_UNKNOWN = object()


def _single(function: Any, most: int) -> Callable[..., Any]:
    """A function of the job alone, which has one value."""
    del most

    @wraps(function)
    def asked(job: Job) -> Any:
        memo = job.memo
        value = memo.get(function, _UNKNOWN)
        if value is _UNKNOWN:
            value = memo[function] = function(job)
        return value

    return asked


def _of_one(function: Any, most: int) -> Callable[..., Any]:
    """A function of the job and one more argument, such as a step: a line asks for dozens."""

    @wraps(function)
    def asked(job: Job, about: object) -> Any:
        memo = job.memo
        values: dict[object, Any] | None = memo.get(function)
        if values is None:
            values = memo[function] = {}
        value = values.get(about, _UNKNOWN)
        if value is _UNKNOWN:
            value = function(job, about)
            if len(values) >= most:
                del values[next(iter(values))]  # the oldest: a dictionary keeps its order
            values[about] = value
        return value

    return asked


def _kept(function: Any, most: int) -> Callable[..., Any]:
    """A function of the job and any other arguments."""

    @wraps(function)
    def asked(job: Job, *about: object) -> Any:
        memo = job.memo
        values: dict[tuple[object, ...], Any] | None = memo.get(function)
        if values is None:
            values = memo[function] = {}
        value = values.get(about, _UNKNOWN)
        if value is _UNKNOWN:
            value = function(job, *about)
            if len(values) >= most:
                del values[next(iter(values))]  # the oldest: a dictionary keeps its order
            values[about] = value
        return value

    return asked


# By the number of arguments.
_KEEPERS = {1: _single, 2: _of_one}
