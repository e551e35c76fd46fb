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
    own_seconds: float  # seconds of the phase if nothing breaks, without the phases inside it


class PhaseCut(NamedTuple):
    """A phase ends early, because a fault ends the attempt."""

    at: float
    phase: PhaseName
    lasted: float  # seconds since the phase began


class PhaseEnded(NamedTuple):
    """A phase is over."""

    at: float
    phase: PhaseName
    lasted: float  # seconds since the phase began, with the phases inside it


class Progress(NamedTuple):
    """The progress bar of a task moves: `done` of `total` units are done."""

    at: float
    task: Task
    label: str
    done: int
    total: int
    unit: str  # unit of `done` and `total`: "it", "B" (bytes), "tok" ...
    elapsed: float  # seconds since the task began, as tqdm counts: pauses included
    note: str = ""  # text after the rates (tqdm's postfix)
    epoch: int = 0  # only in the bar of an epoch: which pass over the data it is, from 1
    training_seconds: float = 0.0  # only in the bar of an epoch: as in `step`
    initial: int = 0  # units done before this process began; the rate does not count them
