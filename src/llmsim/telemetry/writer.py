"""What every format has in common: it turns what happens into pieces of its files, and does no I/O.

A writer is a record of functions. The sinks (telemetry/sinks.py) call them as the run goes on and
write the pieces that come back, in the order in which they come.
"""

from collections.abc import Callable, Iterable

from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple


class Piece(NamedTuple):
    """Some text or some bytes for the end of one file."""

    content: str | bytes
    file: str = ""  # its path in the folder; "" where the export is a single file


class Settings(NamedTuple):
    """What the options say about every export."""

    sample: float = 15.0  # simulated seconds between two samples of the gauges


Pieces = Iterable[Piece]


class Writer(NamedTuple):
    """What a format makes of a run; a format leaves out what it has nothing to say about."""

    event: Callable[[Event], Pieces] | None = None
    # Every gauge is due, at this simulated second.
    sample: Callable[[float], Pieces] | None = None
    # A text has been shown: the show second at speed 1, the text and the screen that it is for.
    frame: Callable[[float, str, Screen], Pieces] | None = None
    # The run is over, or stopped, at this simulated second.
    end: Callable[[float], Pieces] | None = None
    # The files of a single-file format are put together in this order at the end.
    parts: tuple[str, ...] = ("",)


Begin = Callable[[Run, Settings], Writer]
