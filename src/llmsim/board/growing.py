"""A filled curve that grows at its right end: what has been drawn of it stays.

A show draws its curve several times a second, and each time only its end is new.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from llmsim.board.curves import BRAILLE, DOTS, LEFT, RIGHT, Height, area, strokes
from llmsim.text.style import FILLED, Span, shade
from llmsim.typed import NamedTuple

GLOW = "green"  # the hue below a curve
GLOW_EDGE = 0.7  # its shade right below
NOISE = shade(GLOW, 0.86)
GRID = "·", "."  # the dots of a row that has a number
APART = 4  # cells from one of them to the next
BEYOND = 2.0  # the height of what is above an axis

Values = tuple[float, ...]
# Row, role and glyph of what stands in a column; without a row it is a line down to the curve.
Sign = tuple[int | None, str, str]


class Marks(NamedTuple):
    """What stands on a curve: the dots of a grid, and signs."""

    grid: tuple[int, ...]  # the rows with dots
    dot: str
    signs: dict[int, list[Sign]]  # by the column of cells

    def put(self, place: int, column: list[Span]) -> None:
        """Adds to a column of cells, which is at this place, what stands there."""
        if place % APART == 0:
            for row in self.grid:
                if column[row][1] == " ":
                    column[row] = ("track", self.dot)
        for at, role, glyph in self.signs.get(place, ()):
            if at is not None:
                column[at] = (role, glyph)
                continue
            for row, (before, drawn) in enumerate(column):
                if drawn == " " or before == "track":
                    column[row] = (role, glyph)
                elif before == "curve":
                    break


class Growing:
    """The rows of a curve, from the top down, as far as it has been drawn."""

    def __init__(
        self,
        rows: int,
        width: int,
        heights: Callable[[Values], list[Height]],
        marks: Marks,
    ) -> None:
        """Nothing has been drawn yet. `heights` gives the heights of values."""
        self._rows, self._width, self._heights, self._marks = rows, width, heights, marks
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
            self._marks.put(known // 2 + number, column)
            add(self._lines, column)
        self._values, self._raw = values, raw
        return self._with_rest(len(values) // 2)

    def _with_rest(self, known: int) -> list[list[Span]]:
        """The rows with the columns that are not known yet."""
        last = max(self._marks.signs, default=-1) + 1
        lines = [[*line] for line in self._lines]
        for place in range(known, last):  # a mark may stand where the curve begins to be drawn
            column: list[Span] = [("", " ")] * self._rows
            self._marks.put(place, column)
            add(lines, column)
        first = max(known, last)
        blank = " " * (self._width - first)
        dot = self._marks.dot
        dots = "".join(" " if place % APART else dot for place in range(first, self._width))
        for row, line in enumerate(lines):
            append(line, "track", dots if row in self._marks.grid else blank)
        return lines


def add(lines: list[list[Span]], column: list[Span]) -> None:
    """Adds a column of cells to the rows."""
    for line, (role, glyph) in zip(lines, column, strict=True):
        append(line, role, glyph)


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
    """A dot for each single value above the curve, and a gap for each one in what is filled."""
    rows = len(column)
    for side, height in zip((LEFT, RIGHT), raw, strict=False):
        if height is None or height > 1.0:
            continue
        dot = 1 + round(max(height, 0.0) * (rows * DOTS - 1))
        row = rows - 1 - (dot - 1) // DOTS
        role, glyph = column[row]
        bit = side[DOTS - 1 - (dot - 1) % DOTS]
        if glyph == " " or role == NOISE:
            column[row] = (NOISE, chr((ord(glyph) if glyph != " " else BRAILLE) | bit))
        elif role != "curve":
            column[row] = (role, chr(ord(glyph) & ~bit))
