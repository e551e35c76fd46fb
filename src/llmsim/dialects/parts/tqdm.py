"""tqdm's bars, as libraries show them. A bar that stays ends full; an erased one ends below 1."""

from collections.abc import Callable

from llmsim.dialects.line import Bar
from llmsim.text.progress_bar import meter
from llmsim.text.screen import Screen

# The fraction of a full bar that is erased (`leave=False`) and does not stay in the log.
ERASED = 0.999
SMOOTHING = 0.3  # tqdm's default


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
    found: int = 0,
) -> Bar:
    """A bar after `elapsed` seconds; ten cells in a pipe. `note` is called when the bar is drawn;
    a rate below 1 is written as seconds per unit where it `inverts`. The bar's first update brings
    the `found` units that were done before it began.

    The last cell of a terminal's width stays free, so that the line does not wrap.
    """

    def drawn() -> str:
        width = screen.width - 1 if screen.live else None
        text = note()
        rate = _after(found, done, elapsed) if found else None
        return meter(
            done, total, elapsed, width, label, unit, scale, text, screen.unicode, inverts, 0, rate
        )

    return Bar(drawn, label, done / total if leave else min(ERASED, done / total))


def _after(found: int, done: int, elapsed: float) -> float | None:
    """Units a second when the first of the updates brought the `found` units, too.

    tqdm's rate is a mean of its updates in which each weighs 0.7 of the one after it (std.py, EMA
    with smoothing 0.3): it forgets the first update within thirty. Updates take equal times here.
    """
    updates = done - found
    if updates <= 0 or not elapsed:
        return None
    weight = SMOOTHING * (1 - SMOOTHING) ** (updates - 1) / (1 - (1 - SMOOTHING) ** updates)
    return (1 + weight * found) * updates / elapsed
