"""Numbers as glyphs: curves in braille, sparklines, bars. Without UTF-8 they are ASCII.

Heights and fractions are 0 .. 1; None is where nothing is known.
"""

from collections.abc import Iterable, Sequence

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
    dots = DOTS if unicode else len(ASCII_DOTS)
    columns = [_strokes(before, here, rows * dots) for before, here in _pairs(heights)]
    draw = _braille if unicode else _ascii
    return [draw(columns, rows * dots - row * dots) for row in range(rows)]


def _pairs(heights: Sequence[Height]) -> Iterable[tuple[Height, Height]]:
    return zip([None, *heights], heights, strict=False)


def _strokes(before: Height, here: Height, dots: int) -> tuple[int, int]:
    """The lowest and the highest dot of a column, counted from 1 at the bottom; none: (0, -1).

    It begins where the column before it ended, so that the line has no gaps.
    """
    if here is None:
        return 0, -1
    end = 1 + round(min(max(here, 0.0), 1.0) * (dots - 1))
    if before is None:
        return end, end
    start = 1 + round(min(max(before, 0.0), 1.0) * (dots - 1))
    if start > end:
        return end, start - 1
    return (start + 1, end) if start < end else (end, end)


def _braille(columns: Sequence[tuple[int, int]], top: int) -> str:
    """The row of cells whose highest dot is `top`."""
    text = ""
    for left, right in zip(columns[::2], [*columns[1::2], (0, -1)], strict=False):
        bits = 0
        for dot in range(DOTS):
            bits |= LEFT[dot] if left[0] <= top - dot <= left[1] else 0
            bits |= RIGHT[dot] if right[0] <= top - dot <= right[1] else 0
        text += chr(BRAILLE | bits) if bits else " "
    return text


def _ascii(columns: Sequence[tuple[int, int]], top: int) -> str:
    text = ""
    for low, high in columns:
        within = [glyph for dot, glyph in enumerate(ASCII_DOTS) if low <= top - dot <= high]
        text += " " if not within else within[0] if len(within) == 1 else ASCII_LINE
    return text
