"""Graphs for the wall: filled histories of live numbers, and a large curve on a log axis.

Heights are 0 .. 1. A history is filled from its line down to the ground, in shades of its hue; a
curve has a scale at its left and marks on it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from math import ceil, exp, floor, isclose, isfinite, log, log10

from llmsim.board.curves import DOTS, Height, area, curve
from llmsim.board.growing import BEYOND, GRID, Growing, Marks, Sign, add
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, shade
from llmsim.typed import NamedTuple

LABELS = 7  # cells of a curve's scale
SCALE = 10  # cells of a history's scale, whose numbers have units
GROUND = "⣀"
TICKS_APART = 2  # rows between two numbers of the scale, at least
LEAST_TICKS = 3
LEAST_RISE = 0.02  # of the logarithm, from the lowest value of an axis to the highest
ENDS = 0.005, 0.04  # of the logarithm of the ends of an axis that hardly rises, and of others
FLAT = 0.2  # the rise of the logarithm of an axis that hardly rises
WIDE = 4.0  # the ends of an axis whose numbers are not at even distances: the ratio
WIDEST = 50.0  # the same of the ends of a logarithmic axis: others show a loss that begins at zero
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_FEW = _NICE, (1.0, 2.0, 3.0, 5.0), (1.0, 2.0, 5.0)  # of these: as many as an axis has room for
# From one number to the next, at even distances; and where these have no room.
_STEPS = (1.0, 2.0, 5.0), (1.0, 2.0, 4.0, 5.0, 10.0, 20.0)
_BLOCKS = " .:-=+*##"


class Mark(NamedTuple):
    """Something to see on a curve."""

    place: float  # 0 .. 1 along the curve
    value: float  # on the curve's scale; nan for a line from top to bottom
    role: str
    glyph: str
    ascii: str


Marked = tuple[tuple[int, ...], tuple[Mark, ...]]  # the rows that have a number, and the marks


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
    if screen.unicode:
        dots = rows * DOTS
        tops = [0] * (columns - len(shown))
        tops += [round(value / top * dots) or 1 if value < top else dots for value in shown]
        drawn: list[Row] = [
            ((shade(hue, (rows - row - 0.5) / rows), area(tops, (rows - row - 1) * DOTS)),)
            for row in range(rows)
        ]
        unknown = (columns - len(shown)) // 2
        if unknown:  # what is not known yet has a ground, too
            ((role, lowest),) = drawn[-1]
            drawn[-1] = (("track", GROUND * unknown), (role, lowest[unknown:]))
        return drawn
    heights = [None] * (columns - len(shown)) + [min(value / top, 1.0) for value in shown]
    return [((shade(hue, 1.0), _filled_ascii(heights, rows, row)),) for row in range(rows)]


Ends = tuple[float, str, str]  # of a history's scale: its top, and the names of top and bottom


def ends_of(top: float, size: float, unit: str) -> Ends:
    """The ends of a scale from 0 to its top, whose names are in a unit of this size."""
    return top, f"{top / size:.4g} {unit}", f"0 {unit}"


def on_scale(
    values: Sequence[float],
    width: int,
    rows: int,
    screen: Screen,
    hue: str,
    ends: Ends,
) -> list[Row]:
    """A history with a scale at its left: its highest value, and the names of both ends."""
    top, high, low = ends
    graph = history(tuple(values), width - SCALE, rows, screen, hue, top)
    labels = [high, *[""] * (rows - 2), low]
    return [
        (("label", f"{label:>{SCALE - 2}} "), ("track", edge(bool(label), screen)), *row)
        for label, row in zip(labels, graph, strict=True)
    ]


def nice_above(value: float) -> float:
    """The lowest round number that is not below a value: an end of a scale that seldom moves."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next((nice * power for nice in _NICE if nice * power >= value), 10.0 * power)


def _filled_ascii(heights: Sequence[Height], rows: int, row: int) -> str:
    glyphs = _BLOCKS
    text = ""
    for height in heights:
        part = 0.0 if height is None else height * rows - (rows - 1 - row)
        text += glyphs[round(min(max(part, 0.0), 1.0) * (len(glyphs) - 1))]
    return text


# --- the curve -------------------------------------------------------------------------------


class Scale(NamedTuple):
    """A vertical axis; by logarithms where all of it is above zero, and its ends not far apart."""

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
        return [(log10(max(least, value)) - ground) / rise for value in values]


def scale(values: Sequence[float]) -> Scale:
    """An axis that holds all values, with a little room at both ends."""
    known = [value for value in values if isfinite(value)]
    low, high = min(known, default=1.0), max(known, default=2.0)
    if low > 0 and high <= WIDEST * low:
        # The ends lie on a grid: an axis that moves with each value would move the whole curve.
        low, high = log(low), log(high)
        grid, more = ENDS[high - low > FLAT], max(0.0, LEAST_RISE - (high - low)) / 2
        low, high = low - more, high + more
        low, high = floor(low / grid - 0.25) * grid, ceil(high / grid + 0.25) * grid
        return Scale(exp(low), exp(high), logarithmic=True)
    low = min(low, 0.0)
    room = (high - low) * 0.05 or 1.0
    return Scale(low - room * (low < 0), high + room, logarithmic=False)


def ticks(axis: Scale, rows: int) -> dict[int, str]:
    """The numbers of an axis by their rows, counted from the top: round ones, not too close."""
    wide = axis.logarithmic and axis.high > WIDE * axis.low
    coming = [(values, _placed(axis, values, rows)) for values in _round_values(axis, wide)]
    # Where some of them have no room, the distances between the others are not even.
    even = [found for values, found in coming if len(found) == len(values) > 1]
    many = (found for found in even if len(found) >= LEAST_TICKS)
    found = next(many, even[0] if even else coming[-1 if wide else 0][1])
    return found if wide else _alike(found)


def _placed(axis: Scale, values: Sequence[float], rows: int) -> dict[int, str]:
    """The numbers that have room, by their rows: the rounder, the sooner."""
    found: dict[int, str] = {}
    for value in sorted(values, key=_roundness):
        row = round((1.0 - axis.height(value)) * (rows - 1))
        text = f"{value:g}"
        if len(text) > LABELS - 2:
            text = f"{value:.0e}".replace("e-0", "e-")
        if not isclose(float(text), value):
            continue  # it has more digits than there is room for
        if 0 <= row < rows and all(abs(row - other) >= TICKS_APART for other in found):
            found[row] = text
    return found


def _alike(numbers: dict[int, str]) -> dict[int, str]:
    """The numbers with as many decimals each: 1.99, 2.00 and 2.01."""
    if any("e" in text for text in numbers.values()):
        return numbers
    decimals = max((len(text.partition(".")[2]) for text in numbers.values()), default=0)
    return {row: f"{float(text):.{decimals}f}" for row, text in numbers.items()}


def _roundness(value: float) -> tuple[int, float]:
    """The rounder a number, the sooner it is on an axis."""
    return len(f"{value:g}".strip("0")), value


def _round_values(axis: Scale, wide: bool) -> Iterator[list[float]]:
    """Round numbers between the ends of an axis, fewer and fewer: of a narrow one evenly apart."""
    if wide:
        decades = range(floor(log10(axis.low)), ceil(log10(axis.high)) + 1)
        found = [[nice * 10.0**decade for decade in decades for nice in each] for each in _FEW]
    else:
        longest = (axis.high - axis.low) / LEAST_TICKS
        power = 10.0 ** floor(log10(longest))
        least = max(nice for nice in _STEPS[0] if nice * power <= longest * 1.0001)
        found = []
        for step in (nice * power for nice in _STEPS[1] if nice >= least):
            first, last = ceil(axis.low / step), floor(axis.high / step)
            found.append([number * step for number in range(first, last + 1)])
    for values in found:
        yield [round(value, 10) for value in values if axis.low <= value <= axis.high]


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
    numbers = ticks(axis, rows) if values else {}
    marked = tuple(numbers), marks
    if filled(screen):
        width = (columns + 1) // 2
        lines = _growing(axis, rows, width, marked).drawn(values, raw)
    else:
        lines = _line(values, axis, columns, rows, marked, screen)
    drawn: list[Row] = []
    for row, line in enumerate(lines):
        label: Span = ("label", f"{numbers.get(row, ''):>{LABELS - 2}} ")
        drawn.append((label, ("track", edge(row in numbers, screen)), *line))
    return drawn


@lru_cache(maxsize=4)
def _growing(axis: Scale, rows: int, width: int, marks: Marked) -> Growing:
    """A filled curve on an axis, with these marks."""
    return Growing(rows, width, partial(_heights, axis), _marks(axis, rows, width, marks, True))


def _marks(axis: Scale, rows: int, width: int, marked: Marked, unicode: bool) -> Marks:
    """What stands on a curve of this size: the dots of these rows, and the marks."""
    grid, marks = marked
    signs: dict[int, list[Sign]] = {}
    for mark in marks:
        row = _row_of(mark, axis, rows)
        if row is None or 0 <= row < rows:
            place = min(int(mark.place * width), width - 1)
            glyph = mark.glyph if unicode else mark.ascii
            signs.setdefault(place, []).append((row, mark.role, glyph))
    return Marks(grid, GRID[not unicode], signs)


def _row_of(mark: Mark, axis: Scale, rows: int) -> int | None:
    """The row of a mark, which may lie outside of the axis; none of a line from top to bottom."""
    if not isfinite(mark.value):
        return None
    return round((1.0 - axis.height(mark.value)) * (rows - 1))


def _line(
    values: tuple[float, ...],
    axis: Scale,
    columns: int,
    rows: int,
    marked: Marked,
    screen: Screen,
) -> list[list[Span]]:
    """The same curve as a line alone."""
    heights = [None if each == BEYOND else each for each in _heights(axis, values)]
    heights += [None] * (columns - len(heights))
    lines = curve(heights, rows, screen.unicode)
    marks = _marks(axis, rows, len(lines[0]), marked, screen.unicode)
    drawn: list[list[Span]] = [[("", "")] for _ in lines]
    for place, glyphs in enumerate(zip(*lines, strict=True)):
        column = [("curve", glyph) for glyph in glyphs]
        marks.put(place, column)
        add(drawn, column)
    return drawn


def _heights(axis: Scale, values: Sequence[float]) -> list[Height]:
    """The heights of values on an axis: BEYOND where one is above it, None where none is known."""
    high = axis.high
    return [
        height if value <= high else BEYOND if isfinite(value) else None
        for value, height in zip(values, axis.heights(values), strict=True)
    ]


def filled(screen: Screen) -> bool:
    """Whether graphs are filled: without colours a filled one hides its line."""
    return screen.unicode and screen.color


@lru_cache(maxsize=4)
def plain_curve(
    values: tuple[float, ...], ends: tuple[float, float], columns: int, rows: int, unicode: bool
) -> tuple[str, ...]:
    """A curve from one height to another, without a scale; a gap where there is no value. What is
    beyond these ends is drawn at them.
    """
    low, high = ends
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
