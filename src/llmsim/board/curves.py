"""Numbers as glyphs: curves in braille, sparklines, bars. Without UTF-8 they are ASCII.

Heights and fractions are 0 .. 1; None is where nothing is known.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

Height = float | None

# A braille cell is two columns of four dots; the bits from the top dot to the lowest.
BRAILLE = 0x2800
LEFT, RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
DOTS = 4
ASCII_DOTS = "'-."  # an ASCII cell is one column of three dots
ASCII_LINE = "|"

SPARKS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
# The highest glyph leaves a gap to the row above. In ASCII digits are clearer than pictures.
LEVELS = "▁▂▃▄▅▆", "0123456789"
TRAIL = "▁▂▃▄▅▆▇", "_.:-=+*#"
SHADES = "░▒▓█", ".:-=+*#@"


def level(share: float, glyphs: str) -> str:
    """The glyph for a share of the whole."""
    return glyphs[min(int(max(share, 0.0) * len(glyphs)), len(glyphs) - 1)]


def spark(heights: Iterable[Height], unicode: bool) -> str:
    """One row with a column per height."""
    glyphs = SPARKS[not unicode]
    return "".join(" " if height is None else level(height, glyphs) for height in heights)


def rule(fraction: float, width: int, unicode: bool) -> tuple[str, str]:
    """A bar drawn as a thin line: its filled part, in steps of half a cell, and its empty part."""
    halves = round(min(max(fraction, 0.0), 1.0) * width * 2)
    if not unicode:
        return "=" * (halves // 2), "-" * (width - halves // 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return filled, "─" * (width - len(filled))


def curve(heights: Sequence[Height], rows: int, unicode: bool) -> list[str]:
    """A line through the heights, one a column of dots; the rows from the top down.

    In braille a cell has two columns of dots, in ASCII one.
    """
    columns = strokes(heights, rows * (DOTS if unicode else len(ASCII_DOTS)))
    if not unicode:
        return [_ascii(columns, (rows - row) * len(ASCII_DOTS)) for row in range(rows)]
    if len(columns) % 2:
        columns.append((0, -1))
    cells = [
        _braille(left, right, rows) for left, right in zip(columns[::2], columns[1::2], strict=True)
    ]
    return ["".join(row) for row in zip(*cells, strict=True)] or [""] * rows


def strokes(heights: Sequence[Height], dots: int) -> list[tuple[int, int]]:
    """For each column its lowest and its highest dot, counted from 1 at the bottom; none: (0, -1).

    It begins where the column before it ended, so that the line has no gaps.
    """
    most = dots - 1
    ends = [
        None if each is None else 1 + round((each if 0.0 <= each <= 1.0 else each > 1.0) * most)
        for each in heights
    ]
    # Without calls: a wall has thousands of columns.
    return [
        (0, -1) if end is None
        else (end, end) if start is None or start == end
        else (start + 1, end) if start < end
        else (end, start - 1)
        for start, end in zip([None, *ends], ends, strict=False)
    ]  # fmt: skip


def area(tops: Sequence[int], base: int) -> str:
    """The row of braille cells above `base` dots, filled from the ground to each column's top."""
    # Not by min() and max(), which take twice as long: a wall has thousands of columns.
    full = base + DOTS
    heights = [0 if top <= base else top - base if top < full else DOTS for top in tops]
    if len(heights) % 2:
        heights.append(0)
    pairs = zip(heights[::2], heights[1::2], strict=True)
    return "".join([_FILLED[pair] for pair in pairs])


@lru_cache(maxsize=4096)  # pairs of columns are alike
def _braille(left: tuple[int, int], right: tuple[int, int], rows: int) -> str:
    """The cells of two columns, given by their lowest and highest dots, from the top down."""
    ends = (left, _SIDES[0]), (right, _SIDES[1])
    return "".join(
        _CELLS[sum(bits[_within(low - base, high - base)] for (low, high), bits in ends)]
        for base in range((rows - 1) * DOTS, -1, -DOTS)
    )


def _within(low: int, high: int) -> int:
    """A number for the dots of a column in a cell, a bit each, the lowest dot first."""
    low, high = max(low, 1), min(high, DOTS)
    return (1 << high) - (1 << (low - 1)) if low <= high else 0


def _bits(sides: Sequence[int]) -> list[int]:
    """For each number of `_within` the bits of braille, of a column's dots from the top."""
    return [
        sum(bit for dot, bit in enumerate(reversed(sides)) if number >> dot & 1)
        for number in range(1 << DOTS)
    ]


_SIDES = _bits(LEFT), _bits(RIGHT)
_CELLS = [chr(BRAILLE | bits) if bits else " " for bits in range(256)]
_FILLED = {
    (left, right): _CELLS[_SIDES[0][(1 << left) - 1] | _SIDES[1][(1 << right) - 1]]
    for left in range(DOTS + 1)
    for right in range(DOTS + 1)
}


def _ascii(columns: Sequence[tuple[int, int]], top: int) -> str:
    text = ""
    for low, high in columns:
        within = [glyph for dot, glyph in enumerate(ASCII_DOTS) if low <= top - dot <= high]
        text += " " if not within else within[0] if len(within) == 1 else ASCII_LINE
    return text
