"""Graphs for the wall: filled histories of live numbers, and a large curve on a log axis.

Heights are 0 .. 1. A history is filled from its line down to the ground, in colours that rise
with it; a curve has a scale at its left and marks on it.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, floor, isfinite, log10

from llmsim.board.curves import BRAILLE, DOTS, LEFT, RIGHT, Height, curve
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, heat, merged
from llmsim.typed import NamedTuple

LABELS = 7  # cells of a curve's scale
TICKS_APART = 3  # rows between two numbers of the scale, at least
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*##"


class Mark(NamedTuple):
    """Something to see on a curve."""

    place: float  # 0 .. 1 along the curve
    value: float  # on the curve's scale; nan for a line from top to bottom
    role: str
    glyph: str
    ascii: str


# --- histories -------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def history(values: tuple[float, ...], width: int, rows: int, screen: Screen) -> list[Row]:
    """The last values, a dot's column each, filled to the ground; the rows from the top down.

    The scale begins at zero and ends a little above the highest value.
    """
    columns = width * (2 if screen.unicode else 1)
    shown = [value for value in values if isfinite(value)][-columns:]
    top = max(shown, default=0.0) * 1.08 or 1.0
    heights = [None] * (columns - len(shown)) + [value / top for value in shown]
    if screen.unicode:
        return [_filled(heights, rows, row) for row in range(rows)]
    return [_filled_ascii(heights, rows, row) for row in range(rows)]


def _filled(heights: Sequence[Height], rows: int, row: int) -> Row:
    """A row of braille cells, filled below the line; its colour rises with the row."""
    above = (rows - row) * DOTS  # the number of the row's highest dot, counted from the ground
    role = heat(0.25 + 0.6 * (rows - row) / rows)
    text = ""
    for left, right in zip(heights[::2], heights[1::2], strict=True):
        bits = 0
        for column, height in ((LEFT, left), (RIGHT, right)):
            dots = 0 if height is None else max(1, round(height * rows * DOTS))
            for dot in range(DOTS):
                bits |= column[dot] if above - dot <= dots else 0
        text += chr(BRAILLE | bits) if bits else " "
    return ((role, text),)


def _filled_ascii(heights: Sequence[Height], rows: int, row: int) -> Row:
    glyphs = _BLOCKS[1]
    text = ""
    for height in heights:
        part = 0.0 if height is None else height * rows - (rows - 1 - row)
        text += glyphs[round(min(max(part, 0.0), 1.0) * (len(glyphs) - 1))]
    return (("busy", text),)


# --- the curve -------------------------------------------------------------------------------


class Scale(NamedTuple):
    """A vertical axis, by logarithms where all of it is above zero."""

    low: float
    high: float
    logarithmic: bool

    def height(self, value: float) -> float:
        """Where a value is, 0 .. 1 between the ends of the axis; beyond them outside of that."""
        if self.logarithmic:
            value = max(value, self.low * 1e-3)
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)


def scale(values: Sequence[float]) -> Scale:
    """An axis that holds all values, with a little room at both ends."""
    known = [value for value in values if isfinite(value)]
    low, high = min(known, default=1.0), max(known, default=2.0)
    if low > 0:
        low, high = low * 0.97, max(high, low * 1.1) * 1.03
        return Scale(low, high, logarithmic=True)
    room = (high - low) * 0.05 or 1.0
    return Scale(low - room, high + room, logarithmic=False)


def ticks(axis: Scale, rows: int) -> dict[int, str]:
    """The numbers of an axis by their rows, counted from the top: round ones, not too close."""
    found: dict[int, str] = {}
    taken: list[int] = []
    for value in _round_values(axis):
        row = round((1.0 - axis.height(value)) * (rows - 1))
        if 0 <= row < rows and all(abs(row - other) >= TICKS_APART for other in taken):
            taken.append(row)
            text = f"{value:g}"
            found[row] = text if len(text) <= LABELS - 2 else f"{value:.0e}".replace("e-0", "e-")
    return found


def _round_values(axis: Scale) -> list[float]:
    """Round numbers between the ends of an axis."""
    if axis.logarithmic:
        decades = range(floor(log10(axis.low)), ceil(log10(axis.high)) + 1)
        values = [nice * 10.0**decade for decade in decades for nice in _NICE]
    else:
        step = 10.0 ** floor(log10((axis.high - axis.low) / 2))
        first = ceil(axis.low / step)
        values = [number * step for number in range(first, first + 40)]
    return [round(value, 10) for value in values if axis.low <= value <= axis.high]


@lru_cache(maxsize=4)
def log_curve(
    values: tuple[float, ...], columns: int, rows: int, marks: tuple[Mark, ...], screen: Screen
) -> list[Row]:
    """A curve with its scale: as many values as are known, of `columns` in all."""
    axis = scale([*values, *(mark.value for mark in marks)])
    heights: list[Height] = [axis.height(value) if isfinite(value) else None for value in values]
    heights += [None] * (columns - len(values))
    lines = curve(heights, rows, screen.unicode)
    numbers = ticks(axis, rows) if values else {}
    cells: list[list[Span]] = [[("curve", glyph) for glyph in line] for line in lines]
    _shade(cells, screen)
    for row in numbers:
        for place, (_, glyph) in enumerate(cells[row]):
            if glyph == " " and place % 4 == 0:
                cells[row][place] = ("track", "·" if screen.unicode else ".")
    for mark in marks:
        _set(cells, axis, mark, screen)
    drawn: list[Row] = []
    for row, line in enumerate(cells):
        label: Span = ("label", f"{numbers.get(row, ''):>{LABELS - 2}} ")
        drawn.append((label, ("track", _edge(row in numbers, screen)), *merged(line)))
    return drawn


def _shade(cells: list[list[Span]], screen: Screen) -> None:
    """Fills what is below the curve, faintly, and fainter towards the ground."""
    glyph = "⣿" if screen.unicode else ""
    if not (glyph and screen.color and screen.colors >= 256):
        return
    rows = len(cells)
    for column in range(len(cells[0])):
        below = False
        for row in range(rows):
            if cells[row][column][1] != " ":
                below = True
            elif below:
                cells[row][column] = (f"fill{min(7, 8 * row // rows)}", glyph)


@lru_cache(maxsize=4)
def plain_curve(
    values: tuple[float, ...], columns: int, rows: int, unicode: bool
) -> tuple[str, ...]:
    """A curve from its lowest to its highest value, without a scale; a gap where there is none."""
    known = [value for value in values if isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    heights: list[Height] = [
        (value - low) / ((high - low) or 1.0) if isfinite(value) else None for value in values
    ]
    heights += [None] * (columns - len(values))
    return tuple(curve(heights, rows, unicode))


def _edge(numbered: bool, screen: Screen) -> str:
    """The line at the left of a curve."""
    if not screen.unicode:
        return "+" if numbered else "|"
    return "┤" if numbered else "│"


def _set(cells: list[list[Span]], axis: Scale, mark: Mark, screen: Screen) -> None:
    """Puts a mark into the cells of a curve."""
    width, rows = len(cells[0]), len(cells)
    place = min(int(mark.place * width), width - 1)
    glyph = mark.glyph if screen.unicode else mark.ascii
    if isfinite(mark.value):
        row = round((1.0 - axis.height(mark.value)) * (rows - 1))
        if 0 <= row < rows:
            cells[row][place] = (mark.role, glyph)
        return
    for row in range(rows):
        if cells[row][place][1] in " ·.":
            cells[row][place] = (mark.role, glyph)
