"""The kinds of cells that show a GPU or a node: from graphs of all its gauges to a column of dots.

A gauge that moves has a history, which scrolls; one that stands has a bar.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from llmsim.board.curves import DOTS, TRAIL, level, rule
from llmsim.board.gauges import GONE, Cluster, Gauge, Trail
from llmsim.board.graphs import history
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length, shade
from llmsim.typed import NamedTuple

WIDEST_BAR, WIDEST_TRAIL = 16, 40
NAMED = 4  # cells of a bar: with its value it is as wide as its name with the unit
HIGHEST = 3  # rows of a GPU in a list
SOFT = 0.55  # shade of a history in blocks
BUSY, WAITING = 0.6, 0.25  # utilization of a GPU that computes, and of one that waits for data


class Metric(NamedTuple):
    """One of a GPU's gauges. Names from the longest to the shortest."""

    names: tuple[str, ...]
    share: Callable[[Gauge], float]
    value: Callable[[Gauge], float]
    unit: str
    style: Callable[[Gauge], str]
    hue: str  # of its graph
    moves: bool  # whether its history is worth more than its bar


def _busy(gauge: Gauge) -> str:
    return "busy" if gauge.busy >= BUSY else "waiting" if gauge.busy >= WAITING else "idle"


METRICS = (
    Metric(
        ("utilization %", "util %", "util", "use"), lambda g: g.busy, lambda g: 100 * g.busy,
        "%", _busy, "green", True,
    ),
    Metric(
        ("memory GiB", "mem GiB", "mem"), lambda g: g.memory, lambda g: g.gib,
        "GiB", lambda _: "filled", "blue", False,
    ),
    Metric(
        ("temperature °C", "temp °C", "temp", "°C"), lambda g: g.celsius / 100, lambda g: g.celsius,
        "°C", lambda g: g.warmth, "teal", False,
    ),
    Metric(
        ("power W", "power", "W"), lambda g: g.power, lambda g: g.watts,
        "W", lambda _: "power", "violet", True,
    ),
)  # fmt: skip


def styled(gauge: Gauge, style: str) -> str:
    """The style, or that of an error where a GPU is to blame."""
    return "error" if gauge.fault else style


def named(gauge: Gauge, style: str) -> str:
    """The style of a GPU's number, or a filled one where it is to blame: it is seen from afar."""
    return "down" if gauge.fault else style


def name(metric: Metric, width: int, unicode: bool) -> str:
    """The longest name that fits."""
    names = (name if unicode else name.replace("°", "") for name in metric.names)
    return next((name for name in names if len(name) <= width), "")


def digits_of(cluster: Cluster) -> tuple[int, ...]:
    """The digits of the highest value of each gauge."""
    return 3, len(f"{cluster.full.gib:.0f}"), 2, len(f"{cluster.full.watts * 1.05:.0f}")


class Kind(NamedTuple):
    """Cells of one kind: how many there are, how wide each is at least and at most."""

    cells: int
    least: int
    most: int
    cell: Callable[[int, int, int], Sequence[Row]]  # index, width, rows
    words: Callable[[int], Iterator[tuple[int, str]]]  # width
    highest: int = 1  # rows that a cell may have


def soft(metric: Metric) -> str:
    """The role of a history in blocks, which are brighter than dots."""
    return shade(metric.hue, SOFT)


def _trail(past: Sequence[Gauge], metric: Metric, size: int, screen: Screen) -> str:
    """The last values of a gauge in a row of blocks, the newest at the right."""
    glyphs = TRAIL[not screen.unicode]
    return "".join([level(metric.share(gauge), glyphs) for gauge in past[-size:]]).rjust(size)


# --- one GPU, in graphs ----------------------------------------------------------------------

TILE = 26, 4  # cells and rows of a GPU in graphs, at least
VALUE = 9  # cells of a value with its unit


def tile(cluster: Cluster, index: int, width: int, rows: int, screen: Screen) -> Sequence[Row]:
    """A GPU with a graph of each of its gauges, the ones that move higher than the others."""
    digits = len(str(cluster.gpus - 1))
    room = width - digits - 7 - VALUE
    past = cluster.trail(index, room * (2 if screen.unicode else 1))
    gauge, number = cluster.read(index), f"{index:{digits}d}"
    return _tiled(number, gauge, cluster.full, past, room, rows, screen)


@lru_cache(maxsize=64)
def _tiled(
    number: str, gauge: Gauge, full: Gauge, past: Trail, room: int, rows: int, screen: Screen
) -> tuple[Row, ...]:
    """A GPU in graphs; most of them stay as they are from beat to beat. Where a graph has a second
    row, it says the limit of a gauge whose limit is not 100.
    """
    seen = past.gauges or (gauge,)
    lines: list[Row] = []
    for place, (metric, high) in enumerate(zip(METRICS, _shared(rows, len(METRICS)), strict=True)):
        shown = name(metric, 5, screen.unicode).removesuffix(" W")
        first = " " * len(number) if place else number
        label: list[Span] = [
            (named(gauge, "number") if not place else "", first),
            ("label", f" {shown:<6}"),
        ]
        if gauge.fault == "gone":
            label.append(("error", f"{GONE[not screen.unicode]:>{VALUE - 1}} "))
        else:
            unit = metric.unit if screen.unicode else metric.unit.replace("°", "")
            value = f"{metric.value(gauge):.0f} {unit:<3}"
            label.append((metric.style(gauge), f"{value:>{VALUE - 1}} "))
        values = tuple(metric.share(each) for each in seen)
        graph = _of(gauge, history(values, room, high, screen, metric.hue, 1.0))
        most, blank = metric.value(full), " " * length(label)
        limit = f"{' ' * len(number)} {'of':>5} {f'{most:.0f} {metric.unit:<3}':>{VALUE - 1}} "
        beside = [label, [("", blank)] if most == 100 else [("label", limit)]]
        beside += [[("", blank)]] * (high - 2)
        lines += [(*before, *row) for before, row in zip(beside, graph, strict=False)]
    return tuple(lines)


def _shared(rows: int, parts: int) -> list[int]:
    """The rows of each gauge. All have as many; what is left goes to the gauges that move."""
    heights = [rows // parts] * parts
    for place in (0, 3, 2, 1)[: rows % parts]:
        heights[place] += 1
    return heights


# --- many GPUs, a row or some for each -------------------------------------------------------


def detailed(cluster: Cluster, screen: Screen) -> Kind:
    """One cell for each GPU: its number, and for each gauge a history or a bar, and a value."""
    digits = len(str(cluster.gpus - 1))
    values = digits_of(cluster)
    fixed = digits + sum(2 + 1 + size for size in values)

    @lru_cache(maxsize=1)
    def sizes(width: int) -> tuple[int, ...]:
        room = width - fixed
        bar = min(max(room // 6, NAMED if room >= 5 * NAMED else 0), WIDEST_BAR)
        trail = (room - 2 * bar) // 2
        return tuple(trail if metric.moves else bar for metric in METRICS)

    def cell(index: int, width: int, rows: int) -> Sequence[Row]:
        rooms = sizes(width)
        past = cluster.trail(index, max(rooms) * (2 if rows > 1 and screen.unicode else 1))
        number = f"{index:{digits}d}"
        return _listed(number, cluster.read(index), past, values, rooms, rows, screen)

    def words(width: int) -> Iterator[tuple[int, str]]:
        place = digits
        for metric, size, room in zip(METRICS, values, sizes(width), strict=True):
            yield place + 2, name(metric, room + 1 + size, screen.unicode)
            place += 2 + room + 1 + size

    most = fixed + 2 * (WIDEST_BAR + WIDEST_TRAIL)
    return Kind(cluster.gpus, fixed + 4 * 3, most, cell, words, HIGHEST)


@lru_cache(maxsize=256)
def _listed(
    number: str,
    gauge: Gauge,
    past: Trail,
    values: tuple[int, ...],
    rooms: tuple[int, ...],
    rows: int,
    screen: Screen,
) -> tuple[Row, ...]:
    """A GPU of a list; most of them stay as they are from beat to beat."""
    lines: list[list[Span]] = [[] for _ in range(rows)]
    lines[0].append((named(gauge, "label"), number))
    for line in lines[1:]:
        line.append(("", " " * len(number)))
    for metric, size, room in zip(METRICS, values, rooms, strict=True):
        shown = _value(metric, gauge, size, screen)
        graph = _graph(metric, gauge, past.gauges, room, rows, screen)
        for row, line in enumerate(lines):
            last: Span = shown if not row else ("", " " * (size + 1))
            line += [("", "  "), *graph[row], last]
    return tuple(tuple(line) for line in lines)


def _graph(
    metric: Metric, gauge: Gauge, past: Sequence[Gauge], room: int, rows: int, screen: Screen
) -> list[Row]:
    """The history of a gauge, or its bar."""
    empty: list[Row] = [(("", " " * room),)] * rows
    if not metric.moves:
        share = 0.0 if gauge.fault == "gone" else metric.share(gauge)
        filled, rest = rule(share, room, screen.unicode)
        return [((metric.style(gauge), filled), ("track", rest)), *empty[1:]]
    if rows == 1:
        return _of(gauge, [((soft(metric), _trail(past, metric, room, screen)),)])
    values = tuple(metric.share(each) for each in past)
    dots = rows * DOTS  # the highest stays free: else the graphs of two GPUs touch
    return _of(gauge, history(values, room, rows, screen, metric.hue, dots / (dots - 1)))


def _of(gauge: Gauge, graph: list[Row]) -> list[Row]:
    """The graph of a GPU: of one that cannot be read it is what is left of it, in grey."""
    if gauge.fault != "gone":
        return graph
    return [tuple(("track", text) for _, text in row) for row in graph]


def _value(metric: Metric, gauge: Gauge, size: int, screen: Screen) -> Span:
    if gauge.fault == "gone":
        return ("error", f" {GONE[not screen.unicode]:>{size}}")
    return (metric.style(gauge), f" {metric.value(gauge):{size}.0f}")


def compact(cluster: Cluster, screen: Screen) -> Kind:
    """One cell for each GPU: its number, histories and bars."""
    digits = len(str(cluster.gpus - 1))

    def bars(width: int) -> int:
        return (width - digits) // len(METRICS) - 1

    def cell(index: int, width: int, rows: int) -> Sequence[Row]:
        del rows
        past = cluster.trail(index, bars(width))
        number = f"{index:{digits}d}"
        return (_compact(number, cluster.read(index), past, bars(width), screen),)

    def words(width: int) -> Iterator[tuple[int, str]]:
        for number, metric in enumerate(METRICS):
            place = digits + 1 + number * (bars(width) + 1)
            yield place, name(metric, bars(width), screen.unicode)

    least = digits + len(METRICS) * (1 + 3)
    return Kind(cluster.gpus, least, least + len(METRICS) * 9, cell, words)


@lru_cache(maxsize=256)
def _compact(number: str, gauge: Gauge, past: Trail, room: int, screen: Screen) -> Row:
    """A GPU in a row; most of them stay as they are from beat to beat."""
    spans: list[Span] = [(named(gauge, "label"), number)]
    for metric in METRICS:
        spans.append(("", " "))
        if gauge.fault == "gone":
            _, rest = rule(0.0, room - 1, screen.unicode)
            spans += [("error", GONE[not screen.unicode]), ("track", rest)]
        elif metric.moves:
            spans.append((soft(metric), _trail(past.gauges, metric, room, screen)))
        else:
            filled, rest = rule(metric.share(gauge), room, screen.unicode)
            spans += [(metric.style(gauge), filled), ("track", rest)]
    return tuple(spans)
