"""The interface of all formats: a writer turns events into pieces of its files, without I/O.

A writer is a record of functions. The sinks (telemetry/sinks.py) call them while the run plays and
write the pieces that they return, in order.
"""

from collections.abc import Callable, Iterable, Iterator

from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple


class Piece(NamedTuple):
    """Text or bytes to append to one file."""

    content: str | bytes
    file: str = ""  # its path in the folder; "" if the export is a single file


class Settings(NamedTuple):
    """The options that all exports share."""

    sample: float = 15.0  # simulated seconds between two samples of the gauges


class Ticks:
    """The moments at which samples are due, each given once: 0, one interval, two ..."""

    def __init__(self, interval: float) -> None:
        """Begins with the moment 0, in simulated seconds."""
        self._interval = interval
        self._due = 0  # number of the next one

    def until(self, at: float) -> Iterator[float]:
        """The moments up to this one that have not been given yet."""
        while self._due * self._interval <= at:
            yield self._due * self._interval
            self._due += 1


Pieces = Iterable[Piece]


class Writer(NamedTuple):
    """The functions of a format; a format may leave out each of them."""

    event: Callable[[Event], Pieces] | None = None
    # Every gauge is due, at this simulated second.
    sample: Callable[[float], Pieces] | None = None
    # A text has been shown: the show second at speed 1, the text and the screen that it is for.
    frame: Callable[[float, str, Screen], Pieces] | None = None
    # The run is over, or stopped, at this simulated second.
    end: Callable[[float], Pieces] | None = None
    # The parts of a single-file format are put together in this order at the end, each as
    # `joined` makes it of what was written into it.
    parts: tuple[str, ...] = ("",)
    joined: Callable[[str, str], Iterable[str]] | None = None


Begin = Callable[[Run, Settings], Writer]
