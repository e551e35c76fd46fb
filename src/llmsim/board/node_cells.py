"""A row for each node: for each gauge a column for each of its GPUs, and their mean."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import fsum

from llmsim.board.curves import LEVELS, level
from llmsim.board.gauges import GONE, Cluster, Gauge
from llmsim.board.gpu_cells import METRICS, Kind, Metric, digits_of, name, soft, styled
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, merged

NODE = "node"  # the word above numbers of nodes
WIDER = 3  # cells by which the gap before a gauge may grow


def by_node(cluster: Cluster, screen: Screen) -> Kind:
    """One cell for each node: its name or number, and its gauges; with means where they fit."""
    size, full = cluster.per_node, len(cluster.label(cluster.nodes - 1))
    digits = len(str(cluster.nodes))
    least = digits + len(METRICS) * (1 + size)
    most = full + len(METRICS) * (2 + size)
    values = digits_of(cluster)
    valued = most + sum(1 + each for each in values)

    def columns(width: int) -> tuple[int, int, tuple[int, ...]]:
        """Cells of a label, of a gap before a gauge, and of each mean if there are any."""
        if width >= most:
            means = values if width >= valued else ()
            spare = width - (valued if means else most)
            return full, 2 + min(WIDER, spare // len(METRICS)), means
        gap = 2 if width >= least + len(METRICS) else 1
        return width - len(METRICS) * (gap + size), gap, ()

    def cell(node: int, width: int, rows: int) -> Sequence[Row]:
        del rows
        gauges = tuple(cluster.read(node * size + local) for local in range(size))
        room, gap, means = columns(width)
        label = f"{cluster.label(node) if room >= full else node + 1:>{room}}"
        return (_node(label, gauges, gap, means, width, screen),)

    def words(width: int) -> Iterator[tuple[int, str]]:
        room, gap, means = columns(width)
        if len(NODE) <= room < full:
            yield room - len(NODE), NODE
        place = room
        for number, metric in enumerate(METRICS):
            mean = 1 + means[number] if means else 0
            yield place + gap, name(metric, size + mean, screen.unicode)
            place += gap + size + mean

    return Kind(cluster.nodes, least, valued + WIDER * len(METRICS), cell, words)


@lru_cache(maxsize=256)
def _node(
    label: str,
    gauges: tuple[Gauge, ...],
    gap: int,
    means: tuple[int, ...],
    width: int,
    screen: Screen,
) -> Row:
    """A node of a list, in as many cells as `width` says."""
    glyphs = LEVELS[not screen.unicode]
    alive = [gauge for gauge in gauges if gauge.fault != "gone"]
    spans: list[Span] = [("label" if alive else "down", label)]
    used = len(label) + len(METRICS) * (gap + len(gauges)) + sum(1 + each for each in means)
    for metric, digits in zip(METRICS, means or [0] * len(METRICS), strict=True):
        spans.append(("", " " * gap))
        spans += [_glyph(metric, gauge, glyphs, screen) for gauge in gauges]
        if digits and alive:
            mean = fsum(map(metric.value, alive)) / len(alive)
            spans.append((metric.style(alive[0]), f" {mean:{digits}.0f}"))
        elif digits:
            spans.append(("error", f" {GONE[not screen.unicode]:>{digits}}"))
    return tuple(merged([*spans, ("", " " * (width - used))]))


def _glyph(metric: Metric, gauge: Gauge, glyphs: str, screen: Screen) -> Span:
    """One column of a GPU: the height of a value, or a cross where there is none."""
    if gauge.fault == "gone":
        return ("error", GONE[not screen.unicode])
    style = metric.style(gauge)
    style = soft(metric) if style in ("busy", "filled", "power") else style
    return (styled(gauge, style), level(metric.share(gauge), glyphs))
