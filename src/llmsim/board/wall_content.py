"""What the wall shows of a moment beside what the board shows."""

from collections.abc import Callable

from llmsim.typed import NamedTuple


class Figure(NamedTuple):
    """A big number."""

    role: str
    name: str
    number: str
    unit: str = ""  # "%", which stands behind the number where there are no large digits
    of: str = ""  # what 100 % of it are
    also: str = ""  # of when it is, where there is room to say so: "before the save"


class Stage(NamedTuple):
    """A stage of a launch."""

    name: str
    begun: float  # 0 .. 1 of the launch
    ended: float  # the same; of a stage that goes on, the moment
    seconds: float  # how long it has taken so far
    done: bool


class Wall(NamedTuple):
    """What the wall shows beside what the board shows."""

    numbers: tuple[Figure, ...]
    doing: tuple[tuple[str, str], ...]  # what the GPUs do: role, text
    gradient: Callable[[int, int], float]  # the mean gradient norm of steps
    gradient_number: str
    marks: tuple[tuple[str, int], ...]  # of the curve: kind and step
    odometers: tuple[tuple[str, str], ...]  # number and what it counts, the most important first
    launch: tuple[Stage, ...] = ()  # the stages of the first launch, as long as it goes on
    usual: tuple[str, ...] = ()  # the same numbers while steps are made: each keeps their place
