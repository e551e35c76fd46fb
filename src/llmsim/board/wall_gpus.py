"""The right half of the wall: the GPUs, and below them what they draw and what they send."""

from collections.abc import Callable, Sequence
from math import fsum

from llmsim.board.gauges import Cluster
from llmsim.board.gpu_panel import MOST_GPUS, gpu_panel, kilowatts
from llmsim.board.graphs import history
from llmsim.board.sheet import RULED, ruled
from llmsim.board.wall_content import Wall
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length

PANEL, MANY_ROWS = 0.55, 8  # of the rows, and rows: what the GPUs one by one may have


def gpus(cluster: Cluster, more: Wall, width: int, rows: int, screen: Screen) -> list[Row]:
    """The GPUs, and below them what they draw and what they send."""
    doing = _doing(f"{cluster.device}s", more, width - RULED)
    lines: list[Row] = [ruled(doing, width, screen)]
    columns = width * (2 if screen.unicode else 1)
    power, links = _power(cluster, columns), cluster.links(columns)
    named: tuple[tuple[str, str, str, str, Sequence[float]], ...] = (
        ("power", "violet", "power ", _last(power, kilowatts), power),
        ("throughput", "blue", "links ", _last(links, _bytes), links),
    )
    if cluster.gpus == 1:  # which shows its power itself, and sends nobody anything
        named = ()
    least = 2 * len(named)  # a name and a row for each history
    if rows - 1 - least >= 3:
        room = rows - 2 - least
        room = min(room, max(MANY_ROWS, round(rows * PANEL))) if named else room
        panel = gpu_panel(cluster, width, room, screen, whole=False)
        lines += [_words(panel.words, width), *panel.rows] if panel.words else panel.rows
    left = rows - len(lines) - len(named)
    for place, (role, hue, name, number, values) in enumerate(named):
        high = max(1, left // len(named) + (place < left % len(named)))
        lines.append(ruled((("label", name), (role, number)), width, screen))
        lines += history(tuple(values), width, high, screen, hue)
    return [*lines, *[()] * (rows - len(lines))][:rows]


def _power(cluster: Cluster, columns: int) -> Sequence[float]:
    """What all GPUs have drawn, kW. What they draw now is the sum of what stands beside each."""
    past = cluster.power(columns)
    if not past or cluster.gpus > MOST_GPUS:
        return past
    gauges = [cluster.read(index) for index in range(cluster.gpus)]
    return [*past[:-1], fsum(each.watts for each in gauges if each.fault != "gone") / 1000]


def _doing(named: str, more: Wall, room: int) -> Row:
    """What the GPUs do; where that has no room, what is wrong stands alone."""
    name, row = ("label", named), tuple[Span, ...]()
    for shown in ((name, *more.doing), more.doing, (name, more.doing[-1]), more.doing[-1:]):
        row = tuple((role, "  " * bool(place) + text) for place, (role, text) in enumerate(shown))
        if length(row) <= room:
            break
    return row


def _last(values: Sequence[float], told: Callable[[float], str]) -> str:
    return told(values[-1]) if values else "-"


def _bytes(gb_s: float) -> str:
    for unit, size in (("PB/s", 1e6), ("TB/s", 1e3)):
        if gb_s >= size:
            return f"{gb_s / size:.2f} {unit}"
    return f"{gb_s:.1f} GB/s"


def _words(words: Sequence[tuple[int, str]], width: int) -> Row:
    """The panel's words at their places."""
    text = ""
    for place, word in words:
        if len(text) <= place and place + len(word) <= width:
            text = f"{text:<{place}}{word}"
    return (("label", text),)
