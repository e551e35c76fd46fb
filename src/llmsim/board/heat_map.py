"""The heat map of a large cluster: a cell for each GPU, or for each node, by temperature.

With colours a character is two cells, one above the other; without them it is one. What does
not fit is on other pages.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from llmsim.board.curves import SHADES, level
from llmsim.board.gauges import Cluster
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, heat, merged
from llmsim.typed import NamedTuple

COOLEST, HOTTEST = 25, 85  # degrees C: the ends of the scale
MOST_CELLS = 2048  # read at once: 20 ms
SCALE = 8  # cells of the legend's scale
UPPER_HALF = "▀"


class Section(NamedTuple):
    """The GPUs of a page: every `stride`-th one, `wide` of them in a line."""

    shown: range  # GPUs
    stride: int
    wide: int


def section(cluster: Cluster, width: int, lines: int) -> Section:
    """The page's part of the cluster: GPU by GPU if all fit, else node by node."""
    size = cluster.per_node
    wide = width // size * size or width  # whole nodes stand beside each other
    if cluster.gpus <= min(wide * lines, MOST_CELLS):
        return Section(range(cluster.gpus), 1, wide)
    room = min(lines, max(1, MOST_CELLS // width)) * width
    first = cluster.page % -(-cluster.nodes // room) * room
    last = min(first + room, cluster.nodes)
    return Section(range(first * size, last * size, size), size, width)


def warmth(celsius: float) -> float:
    """The position of a temperature on the scale, 0 .. 1."""
    return min(max((celsius - COOLEST) / (HOTTEST - COOLEST), 0.0), 1.0)


def heat_map(cluster: Cluster, width: int, rows: int, screen: Screen) -> tuple[Row, ...]:
    """A map of at most `rows` rows; the last one is its legend."""
    double = screen.color and screen.unicode
    part = section(cluster, width, max(1, rows - 1) * (2 if double else 1))
    gauges = [cluster.read(index) for index in part.shown]
    shown = [HOTTEST if each.fault else each.celsius for each in gauges]
    seen = [each.celsius for each in gauges if each.fault != "gone"] or [COOLEST]
    lines = [shown[at : at + part.wide] for at in range(0, len(shown), part.wide)]
    drawn = _doubled(lines) if double else (_single(line, screen) for line in lines)
    legend = _legend(cluster, part, degrees(seen, screen), width, screen)
    return (*drawn, legend) if rows > 1 else tuple(drawn)


def degrees(seen: Sequence[int], screen: Screen) -> str:
    """The lowest and the highest temperature; one number where they are equal."""
    low, high = min(seen), max(seen)
    if low == high:
        return f"{low} °C" if screen.unicode else f"{low} C"
    return f"{low}–{high} °C" if screen.unicode else f"{low}-{high} C"


def _doubled(lines: Sequence[Sequence[int]]) -> Iterator[Row]:
    """Two lines a row: the upper half of a character has the front colour, the lower the back."""
    for upper, lower in zip_longest(lines[::2], lines[1::2], fillvalue=()):
        cells = [
            (heat(warmth(above)) + (f" on {heat(warmth(below))}" if below else ""), UPPER_HALF)
            for above, below in zip_longest(upper, lower, fillvalue=0)
        ]
        yield tuple(merged(cells))


def _single(line: Sequence[int], screen: Screen) -> Row:
    glyphs = SHADES[not screen.unicode]
    cells = [(heat(warmth(each)), level(warmth(each), glyphs)) for each in line]
    return tuple(merged(cells))


def _scale(screen: Screen) -> Row:
    glyphs = SHADES[not screen.unicode]
    full = "▬" if screen.color and screen.unicode else ""
    steps = [step / (SCALE - 1) for step in range(SCALE)]
    cells: list[Span] = [(heat(share), full or level(share, glyphs)) for share in steps]
    return (("label", f"{COOLEST} "), *merged(cells), ("label", f" {HOTTEST}"))


def _legend(cluster: Cluster, part: Section, seen: str, width: int, screen: Screen) -> Row:
    """What a cell is and how the colours are meant, as much as there is room for."""
    first, last = part.shown[0] // part.stride + 1, part.shown[-1] // part.stride + 1
    whole = f"{cluster.nodes:,} nodes" if part.stride > 1 else f"{cluster.gpus:,} GPUs"
    if last - first + 1 < cluster.nodes and part.stride > 1:
        whole = f"{first:,}-{last:,} of {whole}"
    used = 2 * len(f"{COOLEST} ") + SCALE
    row: list[Span] = []
    for text in (whole, seen):
        if used + len(text) + 2 <= width:
            row += [("label", text), ("", "  ")]
            used += len(text) + 2
    return (*row, *_scale(screen))
