"""What a framework sends to its trackers: points of named numbers on an axis of steps.

A framework that has trackers has a module scalars.py with a table for each of them, named after
the tracker in capitals: TENSORBOARD, WANDB, CSV, HISTORY. A table gives, for a type of event, the
points that the framework logs at it, with the framework's own tags, steps and values.
"""

from collections.abc import Callable, Iterable, Mapping

from llmsim.job.records import Job
from llmsim.typed import Any, NamedTuple


class Point(NamedTuple):
    """One call of a tracker's log function."""

    at: float  # simulated seconds
    step: int  # on the tracker's axis: optimizer steps, iterations from 0, or samples
    values: tuple[tuple[str, float], ...]  # by tag


# Turns an event into points: (event, job) -> points.
Log = Callable[[Any, Job], Iterable[Point]]
Table = Mapping[type, Log]


def prefixed(prefix: str, values: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """The values with a prefix to each tag."""
    return tuple((prefix + tag, value) for tag, value in values)
