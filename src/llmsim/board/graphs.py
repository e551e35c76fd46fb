"""Graphs for the wall: filled histories of live numbers, and a large curve on a log axis.

Heights are 0 .. 1. A history is filled from its line down to the ground, in shades of its hue; a
curve has a scale at its left and marks on it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from math import ceil, exp, floor, isclose, isfinite, log, log10

from llmsim.board.curves import BRAILLE, DOTS, LEFT, RIGHT, Height, area, curve, strokes
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, merged, shade
from llmsim.typed import NamedTuple

LABELS = 7  # cells of a curve's scale
GLOW = "green"  # the hue below a curve
GLOW_EDGE = 0.7  # its shade right below
NOISE = shade(GLOW, 0.86)
GROUND = "⣀"
BEYOND = 2.0  # the height of what is above an axis
TICKS_APART = 2  # rows between two numbers of the scale, at least
LEAST_TICKS = 3
LEAST_RISE = 1.04  # from the lowest value to the highest, of an axis of logarithms
GRID = 0.04  # of the logarithm of an axis's ends
WIDE = 4.0  # the ends of an axis whose numbers are not at even distances: the ratio
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_BLOCKS = " .:-=+*##"


class Mark(NamedTuple):
    """Something to see on a curve."""

    place: float  # 0 .. 1 along the curve
    value: float  # on the curve's scale; nan for a line from top to bottom
    role: str
    glyph: str
    ascii: str


# --- histories -------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def history(
    values: tuple[float, ...],
    width: int,
    rows: int,
    screen: Screen,
    hue: str = "blue",
    top: float = 0.0,
) -> list[Row]:
    """The last values, a dot's column each, filled to the ground; the rows from the top down.

    The scale begins at zero and ends at `top`, or where that is 0 a little above the highest value.
    """
    columns = width * (2 if screen.unicode else 1)
    shown = [value for value in values if isfinite(value)][-columns:]
    top = top or max(shown, default=0.0) * 1.08 or 1.0
    heights = [None] * (columns - len(shown)) + [min(value / top, 1.0) for value in shown]
    if screen.unicode:
        dots = rows * DOTS
        tops = [0 if height is None else max(1, round(height * dots)) for height in heights]
        drawn: list[Row] = [
            ((shade(hue, (rows - row - 0.5) / rows), area(tops, (rows - row - 1) * DOTS)),)
            for row in range(rows)
        ]
        unknown = (columns - len(shown)) // 2
        if unknown:  # what is not known yet has a ground, too
            ((role, lowest),) = drawn[-1]
            drawn[-1] = (("track", GROUND * unknown), (role, lowest[unknown:]))
        return drawn
    return [_filled_ascii(heights, rows, row) for row in range(rows)]


def _filled_ascii(heights: Sequence[Height], rows: int, row: int) -> Row:
    glyphs = _BLOCKS
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
        return self.heights((value,))[0]

    def heights(self, values: Iterable[float]) -> list[float]:
        """The same of several values."""
        if not self.logarithmic:
            return [(value - self.low) / (self.high - self.low) for value in values]
        least, ground = self.low * 1e-3, log10(self.low)
        rise = log10(self.high) - ground
        return [(log10(max(value, least)) - ground) / rise for value in values]


def scale(values: Sequence[float]) -> Scale:
    """An axis that holds all values, with a little room at both ends."""
    known = [value for value in values if isfinite(value)]
    low, high = min(known, default=1.0), max(known, default=2.0)
    if low > 0:
        # The ends lie on a grid: an axis that moves with each value would move the whole curve.
        low, high = low * 0.99, max(high, low * LEAST_RISE) * 1.01
        low = exp(floor(log(low) / GRID) * GRID)
        return Scale(low, exp(ceil(log(high) / GRID) * GRID), logarithmic=True)
    room = (high - low) * 0.05 or 1.0
    return Scale(low - room, high + room, logarithmic=False)


def ticks(axis: Scale, rows: int) -> dict[int, str]:
    """The numbers of an axis by their rows, counted from the top: round ones, not too close."""
    found: dict[int, str] = {}
    taken: list[int] = []
    for value in sorted(_round_values(axis), key=_roundness):
        row = round((1.0 - axis.height(value)) * (rows - 1))
        text = f"{value:g}"
        if len(text) > LABELS - 2:
            text = f"{value:.0e}".replace("e-0", "e-")
        if not isclose(float(text), value):
            continue  # it has more digits than there is room for
        if 0 <= row < rows and all(abs(row - other) >= TICKS_APART for other in taken):
            taken.append(row)
            found[row] = text
    return found


def _roundness(value: float) -> tuple[int, float]:
    """The rounder a number, the sooner it is on an axis."""
    return len(f"{value:g}".strip("0")), value


def _round_values(axis: Scale) -> list[float]:
    """Round numbers between the ends of an axis: of a short one at even distances."""
    if axis.logarithmic and axis.high > WIDE * axis.low:
        decades = range(floor(log10(axis.low)), ceil(log10(axis.high)) + 1)
        values = [nice * 10.0**decade for decade in decades for nice in _NICE]
    else:
        step = _even((axis.high - axis.low) / LEAST_TICKS)
        first = ceil(axis.low / step)
        values = [number * step for number in range(first, first + 4 * LEAST_TICKS)]
    return [round(value, 10) for value in values if axis.low <= value <= axis.high]


def _even(longest: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not longer."""
    power = 10.0 ** floor(log10(longest))
    return max(nice * power for nice in (1, 2, 5) if nice * power <= longest * 1.0001)


@lru_cache(maxsize=8)
def log_curve(
    values: tuple[float, ...],
    columns: int,
    rows: int,
    marks: tuple[Mark, ...],
    screen: Screen,
    raw: tuple[float, ...] = (),
    ends: tuple[float, ...] = (),
) -> list[Row]:
    """A curve with its scale: as many values as are known, of `columns` in all.

    `raw` is what the curve is the mean of, a value for each column. The axis holds `ends`, or where
    there are none all values; what is above it is left out.
    """
    axis = scale(ends or [*values, *(mark.value for mark in marks)])
    cells = _cells(_heights(values, axis, columns), rows, screen)
    if filled(screen):
        _noise(cells, _heights(raw, axis, columns))
    numbers = ticks(axis, rows) if values else {}
    for row in numbers:
        for place, (_, glyph) in enumerate(cells[row]):
            if glyph == " " and place % 4 == 0:
                cells[row][place] = ("track", "·" if screen.unicode else ".")
    for mark in marks:
        _set(cells, axis, mark, screen)
    drawn: list[Row] = []
    for row, line in enumerate(cells):
        label: Span = ("label", f"{numbers.get(row, ''):>{LABELS - 2}} ")
        drawn.append((label, ("track", edge(row in numbers, screen)), *merged(line)))
    return drawn


def _heights(values: Sequence[float], axis: Scale, columns: int) -> list[Height]:
    """The heights of values on an axis: BEYOND where one is above it, None where none is known."""
    high = axis.high
    heights: list[Height] = [
        height if value <= high else BEYOND if isfinite(value) else None
        for value, height in zip(values, axis.heights(values), strict=True)
    ]
    return heights + [None] * (columns - len(heights))


def filled(screen: Screen) -> bool:
    """Whether graphs are filled: without colours a filled one hides its line."""
    return screen.unicode and screen.color


def _cells(heights: Sequence[Height], rows: int, screen: Screen) -> list[list[Span]]:
    """The cells of a curve, a span each; below it, filled, they glow fainter towards the ground."""
    if not filled(screen):
        within = [None if height == BEYOND else height for height in heights]
        lines = curve(within, rows, screen.unicode)
        return [[("curve", glyph) for glyph in line] for line in lines]
    drawn = strokes(heights, rows * DOTS)
    above = [height == BEYOND for height in heights]
    if len(drawn) % 2:
        drawn, above = [*drawn, (0, -1)], [*above, False]
    lows = [rows * DOTS + 1 if far else low for (low, _), far in zip(drawn, above, strict=True)]
    tops = [max(high, 0) for _, high in drawn]
    columns = map(_column, lows[::2], lows[1::2], tops[::2], tops[1::2], repeat(rows))
    return [[*row] for row in zip(*columns, strict=True)]


@lru_cache(maxsize=2048)  # most of a curve stays as it is while it grows
def _column(left: int, right: int, top: int, other: int, rows: int) -> tuple[Span, ...]:
    """The cells below each other of two columns of dots, given by their lowest dots of the line
    and their tops; 0 where nothing is known.
    """
    # The row of the cell's line, counted from the ground: of the lower of the two that are known.
    edge = (min(left or right, right or left) - 1) // DOTS
    tops = top, other
    return tuple(
        (_depth(max(edge - row, 0)), area(tops, row * DOTS)) for row in reversed(range(rows))
    )


def _depth(rows: int) -> str:
    """The role of a cell this many rows below a curve."""
    return "curve" if rows <= 0 else shade(GLOW, max(0.0, GLOW_EDGE - 0.12 * (rows - 1)))


def _noise(cells: list[list[Span]], raw: Sequence[Height]) -> None:
    """A dot for each single value that is not on the curve: what the curve is the mean of."""
    rows = len(cells)
    for column, height in enumerate(raw):
        if height is None or height > 1.0:
            continue
        dot = 1 + round(min(max(height, 0.0), 1.0) * (rows * DOTS - 1))
        row, place = rows - 1 - (dot - 1) // DOTS, column // 2
        role, glyph = cells[row][place]
        bit = (RIGHT if column % 2 else LEFT)[DOTS - 1 - (dot - 1) % DOTS]
        if glyph == " " or role == NOISE:
            bits = (ord(glyph) if glyph != " " else BRAILLE) | bit
            cells[row][place] = (NOISE, chr(bits))
        elif role != "curve":
            cells[row][place] = (NOISE, glyph)


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


def edge(numbered: bool, screen: Screen) -> str:
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
