"""The gauges of a cluster for the board; a GPU is read only if it is shown."""

from collections.abc import Callable

from llmsim.typed import Literal, NamedTuple

Fault = Literal["", "blamed", "gone"]


class Gauge(NamedTuple):
    """The gauges of one GPU. Shares are 0 .. 1 of its capacity or of its limit."""

    busy: float
    memory: float
    power: float
    celsius: int
    warmth: str  # cool, warm or hot
    gib: float
    watts: int
    fault: Fault = ""  # whether it is to blame for an incident, or cannot be read any more


class Cluster(NamedTuple):
    """All GPUs, at the moment when they were read last."""

    name: str
    gpus: int
    per_node: int
    full: Gauge  # everything at its limit
    read: Callable[[int], Gauge]  # of a GPU's index
    label: Callable[[int], str]  # a node's name; nodes count from 0
    moment: float  # simulated seconds of the readings; another moment needs new readings
    page: int  # the number of page turns so far

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return self.gpus // self.per_node
