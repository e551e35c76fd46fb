"""The gauges of a cluster for the board; a GPU is read only if it is shown."""

from collections.abc import Callable, Sequence

from llmsim.typed import Literal, NamedTuple

Fault = Literal["", "blamed", "gone"]
# A GPU that cannot be read has this in the place of its values.
GONE = "×", "x"


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


class Trail:
    """The last readings of a GPU, the oldest first. It is equal to itself alone: what is drawn of
    it is found again without a look at each reading.
    """

    __slots__ = ("gauges",)

    def __init__(self, gauges: tuple[Gauge, ...] = ()) -> None:
        """Holds these readings."""
        self.gauges = gauges


NO_TRAIL = Trail()


def no_trail(index: int, count: int) -> Trail:
    """Nothing is known of the past."""
    del index, count
    return NO_TRAIL


def no_past(count: int) -> Sequence[float]:
    """Nothing is known of the past."""
    del count
    return ()


class Cluster(NamedTuple):
    """All GPUs. Each is read anew from time to time, not all of them at once."""

    name: str
    gpus: int
    per_node: int
    full: Gauge  # everything at its limit
    read: Callable[[int], Gauge]  # of a GPU's index: the newest reading
    label: Callable[[int], str]  # a node's name; nodes count from 0
    moment: float  # of the newest readings; another moment needs another look at all
    page: int  # the number of page turns so far
    celsius: Callable[[tuple[int, ...]], Sequence[int]]  # of GPUs: cheaper than all their gauges
    faulty: tuple[int, ...] = ()  # GPUs that are to blame or gone
    gone: tuple[int, ...] = ()  # GPUs that cannot be read
    trail: Callable[[int, int], Trail] = no_trail  # a GPU's last readings, oldest first
    power: Callable[[int], Sequence[float]] = no_past  # of all GPUs, kW, the latest last
    links: Callable[[int], Sequence[float]] = no_past  # what they send each other, GB/s
    device: str = "GPU"  # what people call one
    linked: int = 1  # nodes whose GPUs one switch joins

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return self.gpus // self.per_node

    @property
    def joined(self) -> int:
        """GPUs that one switch joins: of a node, or of a rack of nodes."""
        return self.per_node * self.linked
