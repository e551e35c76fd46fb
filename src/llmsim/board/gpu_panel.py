"""The GPU panel: cells with bars for up to 64 GPUs, a heat map for more.

The panel takes the most detailed kind of cell with which all GPUs fit. If even the smallest
cells do not fit, pages of nodes follow each other.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import fsum

from llmsim.board.curves import LEVELS, level, rule
from llmsim.board.gauges import Cluster, Gauge
from llmsim.board.heat_map import degrees, heat_map
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length, merged
from llmsim.typed import NamedTuple

MOST_GPUS = 64  # shown one by one
WIDEST_BAR = 14
COMFORTABLE = 10  # rows from which on the panel also shows optional parts
GAP = 3  # cells between two columns of cells


class Panel(NamedTuple):
    """Rows of equal width, and words with their places for the rule above them."""

    words: tuple[tuple[int, str], ...]
    rows: tuple[Row, ...]
    width: int


class Metric(NamedTuple):
    """One of a GPU's bars. Names from the longest to the shortest."""

    names: tuple[str, ...]
    share: Callable[[Gauge], float]
    value: Callable[[Gauge], float]
    style: Callable[[Gauge], str]


def _busy(gauge: Gauge) -> str:
    return "busy" if gauge.busy >= 0.9 else "waiting" if gauge.busy >= 0.3 else "idle"


METRICS = (
    Metric(
        ("utilization %", "util %", "util", "use"), lambda g: g.busy, lambda g: 100 * g.busy, _busy
    ),
    Metric(
        ("memory GiB", "mem GiB", "mem"), lambda g: g.memory, lambda g: g.gib, lambda _: "filled"
    ),
    Metric(
        ("temperature °C", "temp °C", "temp", "°C"),
        lambda g: g.celsius / 100,
        lambda g: g.celsius,
        lambda g: g.warmth,
    ),
    Metric(("power W", "power", "W"), lambda g: g.power, lambda g: g.watts, lambda _: "power"),
)


# A GPU that cannot be read has this in the place of its values.
GONE = "×", "x"


def _styled(gauge: Gauge, style: str) -> str:
    """The style, or that of an error where a GPU is to blame."""
    return "error" if gauge.fault else style


def _name(metric: Metric, width: int, unicode: bool) -> str:
    names = (name if unicode else name.replace("°", "") for name in metric.names)
    return next((name for name in names if len(name) <= width), "")


# --- kinds of cells ------------------------------------------------------------------------


class Kind(NamedTuple):
    """Cells of one kind: how many there are, how wide each is at least and at most."""

    cells: int
    least: int
    most: int
    cell: Callable[[int, int], Row]  # index, width
    words: Callable[[int], Iterator[tuple[int, str]]]  # width


def _detailed(cluster: Cluster, screen: Screen) -> Kind:
    """One cell for each GPU: its number, and for each metric a bar and a value."""
    digits = len(str(cluster.gpus - 1))
    values = (3, len(f"{cluster.full.gib:.0f}"), 2, len(f"{cluster.full.watts * 1.05:.0f}"))
    fixed = digits + sum(2 + 1 + size for size in values)

    def bars(width: int) -> int:
        return (width - fixed) // len(METRICS)

    def cell(index: int, width: int) -> Row:
        gauge = cluster.read(index)
        spans: list[Span] = [(_styled(gauge, "label"), f"{index:{digits}d}")]
        for metric, size in zip(METRICS, values, strict=True):
            if gauge.fault == "gone":
                _, rest = rule(0.0, bars(width), screen.unicode)
                cross = GONE[not screen.unicode]
                spans += [("", "  "), ("track", rest), ("error", f" {cross:>{size}}")]
                continue
            filled, rest = rule(metric.share(gauge), bars(width), screen.unicode)
            style = metric.style(gauge)
            spans += [("", "  "), (style, filled), ("track", rest)]
            spans.append((style, f" {metric.value(gauge):{size}.0f}"))
        return tuple(spans)

    def words(width: int) -> Iterator[tuple[int, str]]:
        place = digits
        for metric, size in zip(METRICS, values, strict=True):
            room = bars(width) + 1 + size
            yield place + 2, _name(metric, room, screen.unicode)
            place += 2 + room

    most = fixed + len(METRICS) * WIDEST_BAR
    return Kind(cluster.gpus, fixed + len(METRICS) * 3, most, cell, words)


def _compact(cluster: Cluster, screen: Screen) -> Kind:
    """One cell for each GPU: its number and bars."""
    digits = len(str(cluster.gpus - 1))

    def bars(width: int) -> int:
        return (width - digits) // len(METRICS) - 1

    def cell(index: int, width: int) -> Row:
        gauge = cluster.read(index)
        spans: list[Span] = [(_styled(gauge, "label"), f"{index:{digits}d}")]
        for metric in METRICS:
            if gauge.fault == "gone":
                _, rest = rule(0.0, bars(width) - 1, screen.unicode)
                spans += [("", " "), ("error", GONE[not screen.unicode]), ("track", rest)]
                continue
            filled, rest = rule(metric.share(gauge), bars(width), screen.unicode)
            spans += [("", " "), (metric.style(gauge), filled), ("track", rest)]
        return tuple(spans)

    def words(width: int) -> Iterator[tuple[int, str]]:
        for number, metric in enumerate(METRICS):
            place = digits + 1 + number * (bars(width) + 1)
            yield place, _name(metric, bars(width), screen.unicode)

    least = digits + len(METRICS) * (1 + 3)
    return Kind(cluster.gpus, least, least + len(METRICS) * 5, cell, words)


def _by_node(cluster: Cluster, screen: Screen) -> Kind:
    """One cell for each node: its name, and for each metric a column for each GPU."""
    size, name = cluster.per_node, len(cluster.label(cluster.nodes - 1))
    digits = len(str(cluster.nodes))
    least = digits + len(METRICS) * (1 + size)
    glyphs = LEVELS[not screen.unicode]

    def gap(width: int) -> int:
        return 2 if width >= least + len(METRICS) else 1

    def label(node: int, width: int) -> str:
        room = width - len(METRICS) * (gap(width) + size)
        return f"{cluster.label(node) if room >= name else node + 1:>{room}}"

    def cell(node: int, width: int) -> Row:
        gauges = [cluster.read(node * size + local) for local in range(size)]
        dead = all(gauge.fault == "gone" for gauge in gauges)
        spans: list[Span] = [("error" if dead else "label", label(node, width))]
        for metric in METRICS:
            spans.append(("", " " * gap(width)))
            spans += [_glyph(metric, gauge, glyphs, screen) for gauge in gauges]
        return tuple(merged(spans))

    def words(width: int) -> Iterator[tuple[int, str]]:
        for number, metric in enumerate(METRICS):
            place = width - (len(METRICS) - number) * (gap(width) + size) + gap(width)
            yield place, _name(metric, size, screen.unicode)

    return Kind(cluster.nodes, least, least - digits + len(METRICS) + name, cell, words)


def _glyph(metric: Metric, gauge: Gauge, glyphs: str, screen: Screen) -> Span:
    """One column of a GPU: the height of a value, or a cross where there is none."""
    if gauge.fault == "gone":
        return ("error", GONE[not screen.unicode])
    return (_styled(gauge, metric.style(gauge)), level(metric.share(gauge), glyphs))


# --- laid out ------------------------------------------------------------------------------


def _columns(kind: Kind, width: int) -> int:
    return (width + GAP) // (kind.least + GAP)


def _laid_out(kind: Kind, shown: range, width: int, rows: int) -> Panel:
    """The cells in the fewest columns that the rows allow, filled from the top down."""
    columns = -(-len(shown) // rows)
    deep = -(-len(shown) // columns)
    size = min((width + GAP) // columns - GAP, kind.most)
    lines = []
    for row in range(deep):
        spans: list[Span] = []
        for column in range(columns):
            place = column * deep + row
            spans += [("", " " * GAP)] if column else []
            spans += kind.cell(shown[place], size) if place < len(shown) else [("", " " * size)]
        lines.append(tuple(spans))
    words = [
        (column * (size + GAP) + place, word)
        for column in range(columns)
        for place, word in kind.words(size)
    ]
    return Panel(tuple(words), tuple(lines), columns * (size + GAP) - GAP)


def _page(kind: Kind, width: int, rows: int, page: int) -> Panel:
    """The cells of one page: as many as the room holds."""
    room = _columns(kind, width) * rows
    pages = -(-kind.cells // room)
    each = -(-kind.cells // pages)
    first = page % pages * each
    return _laid_out(kind, range(first, min(first + each, kind.cells)), width, rows)


def _one_by_one(cluster: Cluster, width: int, rows: int, screen: Screen) -> Panel | None:
    kinds = [_detailed(cluster, screen), _compact(cluster, screen), _by_node(cluster, screen)]
    for kind in kinds:
        if _columns(kind, width) * rows >= kind.cells:
            panel = _laid_out(kind, range(kind.cells), width, rows)
            return _airy(panel, cluster, rows, screen)
    return _page(kinds[-1], width, rows, cluster.page) if _columns(kinds[-1], width) else None


def _airy(panel: Panel, cluster: Cluster, rows: int, screen: Screen) -> Panel:
    """The panel with totals of all GPUs below it, if there is room for them."""
    room = min(rows, COMFORTABLE)
    lines = list(panel.rows)
    if len(lines) * 2 + 1 <= room:
        lines = [line for row in lines for line in (row, ())]
    elif len(lines) + 2 <= room:
        lines.append(())
    else:
        return panel
    return panel._replace(rows=(*lines, _totals(cluster, panel.width, screen)))


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
        ("power", f"{sum(g.watts for g in gauges) / 1000:.2f} kW"),
    )
    row: list[Span] = [("label", "all")]
    for style, text in parts:
        if length(row) + 2 + len(text) <= width:
            row += [("", "  "), (style, text)]
    return tuple(row)


def _with_heat(cluster: Cluster, width: int, rows: int, screen: Screen) -> Panel:
    """A heat map of the cluster, and above it the nodes of a page where there is room."""
    nodes = _by_node(cluster, screen)
    listed = min(rows // 4, 8) if nodes.least <= width else 0
    between: tuple[Row, ...] = ((),) if rows >= 10 and listed else ()
    map_rows = heat_map(cluster, width, rows - listed - len(between), screen)
    if not listed:
        return Panel((), map_rows, width)
    above = _page(nodes, width, listed, cluster.page)
    return Panel(above.words, (*above.rows, *between, *map_rows), width)


@lru_cache(maxsize=8)
def gpu_panel(cluster: Cluster, width: int, rows: int, screen: Screen) -> Panel:
    """The panel in at most `width` cells and `rows` rows. Only GPUs that are shown are read."""
    if cluster.gpus <= MOST_GPUS:
        panel = _one_by_one(cluster, width, rows, screen)
        if panel:
            return panel
    return _with_heat(cluster, width, rows, screen)
