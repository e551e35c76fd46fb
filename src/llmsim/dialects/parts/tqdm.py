"""tqdm's bars, as libraries show them. A bar that stays ends full; an erased one ends below 1."""

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
    inverts: bool = True,
) -> Bar:
    """A bar after `elapsed` seconds; ten cells in a pipe. `note` is called when the bar is drawn;
    a rate below 1 is written as seconds per unit where it `inverts`.

    The last cell of a terminal's width stays free, so that the line does not wrap.
    """

    def drawn() -> str:
        width = screen.width - 1 if screen.live else None
        text = note()
        return meter(done, total, elapsed, width, label, unit, scale, text, screen.unicode, inverts)

    return Bar(drawn, label, done / total if leave else min(ERASED, done / total))
