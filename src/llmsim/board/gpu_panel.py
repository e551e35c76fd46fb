"""The GPU panel: graphs or a row for each of up to 64 GPUs, a heat map for more.

The panel takes the most detailed kind of cell with which all GPUs fit. If even the smallest cells
do not fit, pages of nodes follow each other. What is left below is for the whole cluster.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import fsum

from llmsim.board.gauges import Cluster
from llmsim.board.gpu_cells import TILE, Kind, compact, detailed, tile
from llmsim.board.graphs import SCALE, Ends, ends_of, on_scale
from llmsim.board.heat_map import degrees, heat_map
from llmsim.board.node_cells import by_node
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length
from llmsim.typed import NamedTuple

MOST_GPUS = 64  # shown one by one
GAP = 3  # cells between two columns of cells
FEW = 4  # GPUs that have graphs each wherever there is room
MANY_NEED = 1.75  # times that room for each of more GPUs: else a row each is clearer
LEAST_GRAPH = 2  # rows of the cluster's power
MAP_SHARE = 0.68  # of the rows of a large cluster's panel, where its power is below its map


class Panel(NamedTuple):
    """Rows of equal width, and words with their places for the rule above them."""

    words: tuple[tuple[int, str], ...]
    rows: tuple[Row, ...]
    width: int


# --- laid out ------------------------------------------------------------------------------


def _columns(kind: Kind, width: int) -> int:
    return (width + GAP) // (kind.least + GAP)


def _laid_out(kind: Kind, shown: range, width: int, rows: int) -> Panel:
    """The cells in the fewest columns that the rows allow, filled from the top down."""
    columns = -(-len(shown) // rows)
    deep = -(-len(shown) // columns)
    high = min(max(1, rows // deep), kind.highest)
    size = min((width + GAP) // columns - GAP, kind.most)
    lines: list[Row] = []
    for row in range(deep):
        cells = []
        for column in range(columns):
            place = column * deep + row
            blank: list[Row] = [(("", " " * size),)] * high
            cells.append(kind.cell(shown[place], size, high) if place < len(shown) else blank)
        lines += [_beside([cell[line] for cell in cells]) for line in range(high)]
    words = [
        (column * (size + GAP) + place, word)
        for column in range(columns)
        for place, word in kind.words(size)
    ]
    return Panel(tuple(words), tuple(lines), columns * (size + GAP) - GAP)


def _beside(rows: list[Row]) -> Row:
    """Rows beside each other, with a gap between two."""
    spans: list[Span] = []
    for number, row in enumerate(rows):
        spans += [("", " " * GAP)] if number else []
        spans += row
    return tuple(spans)


def _page(kind: Kind, width: int, rows: int, page: int) -> Panel:
    """The cells of one page: as many as the room holds."""
    room = _columns(kind, width) * rows
    pages = -(-kind.cells // room)
    each = -(-kind.cells // pages)
    first = page % pages * each
    return _laid_out(kind, range(first, min(first + each, kind.cells)), width, rows)


def _tiles(cluster: Cluster, width: int, rows: int, screen: Screen) -> Panel | None:
    """Each GPU in graphs of its own, if there is room for them: large ones, with few holes."""
    best, shape = 0.0, (0, 0, 0)
    for columns in range(1, cluster.gpus + 1):
        size = (width + GAP) // columns - GAP
        deep = -(-cluster.gpus // columns)
        high = (rows + 1) // deep - 1 if deep > 1 and rows // deep > TILE[1] else rows // deep
        fit = min(size / TILE[0], high / TILE[1])
        full = (cluster.gpus / (columns * deep)) ** 3
        if fit >= (1.0 if cluster.gpus <= FEW else MANY_NEED) and fit * full > best:
            best, shape = fit * full, (columns, size, high)
    if not best:
        return None
    columns, size, high = shape
    lines: list[Row] = []
    for first in range(0, cluster.gpus, columns):
        shown = range(first, min(first + columns, cluster.gpus))
        cells = [tile(cluster, index, size, high, screen) for index in shown]
        lines += [()] if first and (rows + 1) // (high + 1) >= -(-cluster.gpus // columns) else []
        lines += [_beside([cell[row] for cell in cells]) for row in range(high)]
    return Panel((), tuple(lines), columns * (size + GAP) - GAP)


def _one_by_one(cluster: Cluster, width: int, rows: int, screen: Screen) -> Panel | None:
    tiles = _tiles(cluster, width, rows, screen)
    if tiles:
        return tiles
    for kind_of in (detailed, compact, by_node):
        kind = kind_of(cluster, screen)
        if _columns(kind, width) * rows >= kind.cells:
            return _laid_out(kind, range(kind.cells), width, rows)
    return _page(kind, width, rows, cluster.page) if _columns(kind, width) else None


# --- the whole cluster -------------------------------------------------------------------------


def _with_whole(panel: Panel, cluster: Cluster, rows: int, screen: Screen) -> Panel:
    """The panel with totals and the power of all GPUs below it, if there is room for them."""
    left = rows - len(panel.rows)
    if left < 2:
        return panel
    graph = _power(cluster, panel.width, left - 1, screen)
    gap: list[Row] = [] if graph else [()]
    lines = [*panel.rows, *gap, _totals(cluster, panel.width, screen), *graph]
    return panel._replace(rows=tuple(lines))


def _power(cluster: Cluster, width: int, rows: int, screen: Screen) -> list[Row]:
    """What all GPUs have drawn, with the ends of its scale at the left."""
    columns = (width - SCALE) * (2 if screen.unicode else 1)
    values = cluster.power(columns)
    if rows < LEAST_GRAPH or not values:
        return []
    return on_scale(values, width, rows, screen, "violet", power_scale(cluster))


def power_scale(cluster: Cluster) -> Ends:
    """The scale of what all GPUs draw, kW. Its top is the sum of their limits."""
    top = cluster.full.watts * cluster.gpus / 1000
    return ends_of(top, *((1000, "MW") if top >= 1000 else (1, "kW")))


def _totals(cluster: Cluster, width: int, screen: Screen) -> Row:
    gauges = [cluster.read(index) for index in range(cluster.gpus)]
    gauges = [gauge for gauge in gauges if gauge.fault != "gone"]
    count = len(gauges)
    if not count:
        return (("error", "all gone"),)
    parts = (
        ("busy", f"{100 * fsum(g.busy for g in gauges) / count:.0f}%"),
        ("filled", f"{max(g.gib for g in gauges):.1f}/{cluster.full.gib:.1f} GiB"),
        ("cool", degrees([g.celsius for g in gauges], screen)),
        ("power", f"{fsum(g.watts for g in gauges) / 1000:.2f} kW"),
    )
    return tuple(_joined("all", parts, width))


def _joined(first: str, parts: tuple[Span, ...], width: int) -> Iterator[Span]:
    """Texts beside each other, as many as there is room for."""
    used = len(first)
    yield ("label", first)
    for style, text in parts:
        if used + 2 + len(text) <= width:
            used += 2 + len(text)
            yield from (("", "  "), (style, text))


def _with_heat(cluster: Cluster, width: int, rows: int, screen: Screen, whole: bool) -> Panel:
    """A map of the cluster, and below it what it draws."""
    high = max(2, round(rows * MAP_SHARE)) if rows >= 8 else rows
    values = cluster.power(width * (2 if screen.unicode else 1)) if whole and rows > high else ()
    shown = heat_map(cluster, width, high if values else rows, screen)
    if not values:
        return Panel((), shown, width)
    left = rows - len(shown)
    named: Row = (("label", "power  "), ("power", kilowatts(values[-1])))
    graph = _power(cluster, width, left - 1, screen)
    return Panel((), (*shown, named, *graph), max(width, *map(length, shown)))


def kilowatts(value: float) -> str:
    """Power for a reader: in MW from 1,000 kW on."""
    return f"{value / 1000:.2f} MW" if value >= 1000 else f"{value:.1f} kW"


@lru_cache(maxsize=8)
def gpu_panel(cluster: Cluster, width: int, rows: int, screen: Screen, whole: bool = True) -> Panel:
    """The panel in at most `width` cells and `rows` rows. Only GPUs that are shown are read.

    `whole` says whether there is something about the whole cluster below its GPUs.
    """
    if cluster.gpus <= MOST_GPUS:
        panel = _one_by_one(cluster, width, rows, screen)
        if panel:
            return _with_whole(panel, cluster, rows, screen) if whole else panel
    return _with_heat(cluster, width, rows, screen, whole)
