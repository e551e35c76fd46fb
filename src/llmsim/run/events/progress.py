"""Phases, and tasks that have a progress bar."""

from llmsim.typed import Literal, NamedTuple

PhaseName = Literal[
    "launch", "training", "validation", "checkpoint", "export", "failure", "outage", "relaunch"
]  # fmt: skip
Task = Literal[
    "download", "tokenize", "load", "epoch", "validation", "checkpoint", "consolidate", "export",
    "evaluation", "benchmark",
]  # fmt: skip


class PhaseStarted(NamedTuple):
    """A phase begins."""

    at: float
    phase: PhaseName
    own_seconds: float  # that it will take if nothing breaks, nested phases left out


class PhaseCut(NamedTuple):
    """A phase ends because a fault ends the attempt: nothing of it is complete."""

    at: float
    phase: PhaseName
    lasted: float  # seconds since it began


class PhaseEnded(NamedTuple):
    """A phase is over."""

    at: float
    phase: PhaseName
    lasted: float  # seconds since it began, nested phases included


class Progress(NamedTuple):
    """The progress bar of a task: `done` of `total` units."""

    at: float
    task: Task
    label: str
    done: int
    total: int
    unit: str  # "it", "B" (bytes) or "tok" ...
    elapsed: float  # since the task began, nested phases included, as tqdm counts
    note: str = ""  # text after the rates; tqdm calls it the postfix
    epoch: int = 0  # counted from 1, of an epoch's bar
    training_seconds: float = 0.0  # of an epoch's bar: see Step
    initial: int = 0  # units that were done when this process began: its rate leaves them out
