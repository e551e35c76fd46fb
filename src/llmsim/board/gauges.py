"""What a board is told of a cluster: gauges of its GPUs, read only where they are shown."""

from collections.abc import Callable

from llmsim.typed import NamedTuple


class Gauge(NamedTuple):
    """One GPU. Shares are 0 .. 1, of what it has and may."""

    busy: float
    memory: float
    power: float
    celsius: int
    warmth: str  # cool, warm or hot
    gib: float
    watts: int


class Cluster(NamedTuple):
    """All GPUs, at the moment when they were read last."""

    name: str
    gpus: int
    per_node: int
    full: Gauge  # everything at its limit
    read: Callable[[int], Gauge]  # of a GPU's index
    label: Callable[[int], str]  # a node's name; nodes count from 0
    moment: float  # when; two clusters that differ in it are read anew
    page: int  # how often pages have turned

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return self.gpus // self.per_node
