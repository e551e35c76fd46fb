"""tqdm's bars, as libraries show them: what it leaves is a full Bar, what it erases never quite."""

from collections.abc import Callable

from llmsim.dialects.line import Bar
from llmsim.text.progress_bar import meter
from llmsim.text.screen import Screen

# The fraction of a full bar that is erased (`leave=False`) and does not stay in the log.
ERASED = 0.999


def bar(
    screen: Screen,
    label: str,
    done: int,
    total: int,
    elapsed: float,
    unit: str = "it",
    note: Callable[[], str] = str,
    *,
    scale: bool = False,
    leave: bool = True,
) -> Bar:
    """A bar after so many seconds; ten cells in a pipe. `note` is asked for when it is shown.

    One cell of a terminal is left free, so that none wraps it.
    """

    def drawn() -> str:
        width = screen.width - 1 if screen.live else None
        return meter(done, total, elapsed, width, label, unit, scale, note(), screen.unicode)

    return Bar(drawn, label, done / total if leave else min(ERASED, done / total))
