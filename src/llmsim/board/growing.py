"""A filled curve that grows at its right end: what has been drawn of it stays.

A show draws its curve several times a second, and each time only its end is new.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from llmsim.board.curves import BRAILLE, DOTS, LEFT, RIGHT, Height, area, strokes
from llmsim.text.style import FILLED, Span, shade

GLOW = "green"  # the hue below a curve
GLOW_EDGE = 0.7  # its shade right below
NOISE = shade(GLOW, 0.86)
GRID, APART = "·", 4  # the dots of a row that has a number, and the cells from one to the next
BEYOND = 2.0  # the height of what is above an axis

Values = tuple[float, ...]
# Row, role and glyph of what is marked in a column: in all rows that are free if there is no row.
Marked = tuple[int | None, str, str]


class Growing:
    """The rows of a curve, from the top down, as far as it has been drawn."""

    def __init__(
        self,
        rows: int,
        width: int,
        heights: Callable[[Values], list[Height]],
        grid: Sequence[int],
        marks: dict[int, list[Marked]],
    ) -> None:
        """Nothing has been drawn yet.

        `heights` gives the heights of values, `grid` has the rows with dots, `marks` what stands
        in a column of cells.
        """
        self._rows, self._width, self._heights = rows, width, heights
        self._grid, self._marks = grid, marks
        self._begin()

    def _begin(self) -> None:
        self._values: Values = ()
        self._raw: Values = ()
        self._lines: list[list[Span]] = [[("", "")] for _ in range(self._rows)]

    def drawn(self, values: Values, raw: Values) -> list[list[Span]]:
        """The spans of each row. There are two values a cell, and as many of `raw`, or none: the
        single values that the curve is the mean of.
        """
        known = len(self._values)
        if values[:known] != self._values or raw[: len(self._raw)] != self._raw:
            self._begin()
            known = 0
        heights = self._heights(values[max(known - 1, 0) :])
        before = heights.pop(0) if known else None
        single = self._heights(raw[known:])
        for number, column in enumerate(_filled(before, heights, self._rows)):
            _speckle(column, single[2 * number : 2 * number + 2])
            self._mark(known // 2 + number, column)
            for line, (role, glyph) in zip(self._lines, column, strict=True):
                append(line, role, glyph)
        self._values, self._raw = values, raw
        return self._with_rest(len(values) // 2)

    def _mark(self, place: int, column: list[Span]) -> None:
        """Adds to a column the grid and the marks."""
        if place % APART == 0:
            for row in self._grid:
                if column[row][1] == " ":
                    column[row] = ("track", GRID)
        for at, role, glyph in self._marks.get(place, ()):
            for row in range(self._rows) if at is None else (at,):
                if at is not None or column[row][1] in (" ", GRID):
                    column[row] = (role, glyph)

    def _with_rest(self, known: int) -> list[list[Span]]:
        """The rows with the columns that are not known yet."""
        last = max(self._marks, default=-1) + 1
        lines = [[*line] for line in self._lines]
        for place in range(known, last):  # a mark may stand where the curve begins to be drawn
            column: list[Span] = [("", " ")] * self._rows
            self._mark(place, column)
            for line, (role, glyph) in zip(lines, column, strict=True):
                append(line, role, glyph)
        first = max(known, last)
        blank = " " * (self._width - first)
        dots = "".join(" " if place % APART else GRID for place in range(first, self._width))
        for row, line in enumerate(lines):
            append(line, "track", dots if row in self._grid else blank)
        return lines


def append(line: list[Span], role: str, text: str) -> None:
    """Adds cells to a row. A blank has no colour: it stays with what stands before it, or else
    after it, unless that fills its cell.
    """
    last, before = line[-1]
    if role == last or (last not in FILLED and not text.strip()):
        line[-1] = (last, before + text)
    elif role not in FILLED and not before.strip():
        line[-1] = (role, before + text)
    else:
        line.append((role, text))


def _filled(before: Height, heights: list[Height], rows: int) -> Iterator[list[Span]]:
    """Columns of cells with two heights each; below them, filled, they glow fainter towards the
    ground. `before` is the height at their left.
    """
    if len(heights) % 2:
        heights = [*heights, None]
    drawn = strokes((before, *heights), rows * DOTS)[1:]
    for number in range(0, len(heights), 2):
        (low, top), (other_low, other) = drawn[number : number + 2]
        low = rows * DOTS + 1 if heights[number] == BEYOND else low
        other_low = rows * DOTS + 1 if heights[number + 1] == BEYOND else other_low
        yield [*_column(low, other_low, max(top, 0), max(other, 0), rows)]


@lru_cache(maxsize=2048)  # a curve that is drawn anew has most of its columns again
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


@lru_cache(maxsize=64)
def _depth(rows: int) -> str:
    """The role of a cell this many rows below a curve."""
    return "curve" if rows <= 0 else shade(GLOW, max(0.0, GLOW_EDGE - 0.12 * (rows - 1)))


def _speckle(column: list[Span], raw: Sequence[Height]) -> None:
    """A dot for each single value that is not on the curve."""
    rows = len(column)
    for side, height in zip((LEFT, RIGHT), raw, strict=False):
        if height is None or height > 1.0:
            continue
        dot = 1 + round(max(height, 0.0) * (rows * DOTS - 1))
        row = rows - 1 - (dot - 1) // DOTS
        role, glyph = column[row]
        if glyph == " " or role == NOISE:
            bits = (ord(glyph) if glyph != " " else BRAILLE) | side[DOTS - 1 - (dot - 1) % DOTS]
            column[row] = (NOISE, chr(bits))
        elif role != "curve":
            column[row] = (NOISE, glyph)
