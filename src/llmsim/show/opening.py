"""What a show begins with: a frame that needs no timeline, so that a first line does not wait."""

from collections.abc import Iterator
from math import isfinite

from llmsim.dialects.capture import captured
from llmsim.dialects.line import Line
from llmsim.dialects.registry import command_of
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple


class Frame(NamedTuple):
    """Text to write after waiting `delay` show seconds; it belongs to the show second `shown`.

    `lines` says whether the log has new lines by it.
    """

    delay: float
    text: str
    shown: float = 0.0
    lines: bool = False


def shows_board(options: Options, screen: Screen) -> bool:
    """Whether the board is on: by itself on a coloured terminal, at a speed that can be watched."""
    if options.view == "auto":
        return screen.live and screen.color and isfinite(options.speed_factor)
    return options.view in ("board", "wall") and screen.live


def opening(job: Job, options: Options, screen: Screen) -> Frame | None:
    """The frame of the typed command, with which a log begins; None where it begins otherwise.

    The command follows from the job alone. All else waits until the run's timeline is drawn.
    """
    typed = command_of(job.framework.name)
    if typed is None or options.stream != "log" or shows_board(options, screen):
        return None

    def printed(_event: None, job: Job, screen: Screen) -> Iterator[Line]:
        yield from typed(job, screen)

    lines = captured(job, {Line: printed})[Line](None, job, screen)
    text = "".join(f"{line.text}\n" for line in lines)
    return Frame(0.0, text, 0.0, lines=True) if text else None
