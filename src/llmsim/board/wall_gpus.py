"""The right half of the wall: the GPUs, and below them what they draw and what they send."""

from collections.abc import Callable, Sequence
from math import fsum

from llmsim.board.gauges import Cluster
from llmsim.board.gpu_panel import MOST_GPUS, gpu_panel, kilowatts, power_scale
from llmsim.board.graphs import Ends, ends_of, history, nice_above, on_scale
from llmsim.board.sheet import RULED, ruled
from llmsim.board.wall_content import Wall
from llmsim.board.wall_launch import launched
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length

PANEL, MANY_ROWS = 0.55, 8  # of the rows, and rows: what the GPUs one by one may have
SCALED = 44, 3  # cells and rows of a history that has room for its scale at the left
POWER_NEEDS = 3  # rows of the power above the stages of a launch


def gpus(cluster: Cluster, more: Wall, width: int, rows: int, screen: Screen) -> list[Row]:
    """The GPUs, and below them what they draw and what they send."""
    doing = _doing(f"{cluster.device}s", more, width - RULED)
    lines: list[Row] = [ruled(doing, width, screen)]
    columns = width * (2 if screen.unicode else 1)
    power, links = _power(cluster, columns), cluster.links(columns)
    named: tuple[tuple[str, str, Row, Sequence[float], Ends], ...] = (
        ("violet", "power", (("power", _last(power, kilowatts)),), power, power_scale(cluster)),
        ("blue", "links", (("throughput", _last(links, _bytes)),), links, _links_scale(links)),
    )
    if cluster.gpus == 1:  # which shows its power itself, and sends nobody anything
        named = ()
    if more.launch:  # nobody sends anything yet
        named = named[:1]
    least = 2 * (len(named) + bool(more.launch))  # a name and a row for each part
    if rows - 1 - least >= 3:
        room = rows - 2 - least
        room = min(room, max(MANY_ROWS, round(rows * PANEL))) if named else room
        if not named and more.launch:
            room = max(MANY_ROWS, min(room, rows - 2 - len(more.launch)))
        panel = gpu_panel(cluster, width, room, screen, whole=False)
        lines += [_words(panel.words, width), *panel.rows] if panel.words else panel.rows
    left = rows - len(lines) - len(named)
    below: list[Row] = []
    if more.launch:
        power_needs = max(POWER_NEEDS, left // 4) if left > MANY_ROWS else 1
        below = _launch(more, width, left - power_needs * len(named), screen)
        left -= len(below)
    for place, (hue, name, newest, values, ends) in enumerate(named):
        high = max(1, left // len(named) + (place < left % len(named)))
        named_so = (("label", f"{name} "), *newest)
        if high >= SCALED[1] and width >= SCALED[0]:
            lines.append(ruled(named_so, width, screen))
            lines += on_scale(values, width, high, screen, hue, ends)
        else:
            limit: Row = (("label", f"0 to {ends[1]}"),)
            lines.append(ruled(named_so, width, screen, limit))
            lines += history(tuple(values), width, high, screen, hue, ends[0])
    lines += below
    return [*lines, *[()] * (rows - len(lines))][:rows]


def _launch(more: Wall, width: int, rows: int, screen: Screen) -> list[Row]:
    """The stages of the launch, with a head."""
    done = sum(stage.done for stage in more.launch)
    head = ("label", "launch "), ("launch", f"{done} of {len(more.launch)} done")
    shown = launched(more.launch, width, max(1, rows - 1), screen)
    if rows > 2 * len(shown):  # a high screen has blank rows between them
        shown = [row for each in shown for row in ((), each)]
    return [ruled(head, width, screen), *shown]


def _links_scale(values: Sequence[float]) -> Ends:
    """The scale of what all GPUs send each other: a round number above the most of late."""
    top = nice_above(max(values, default=0.0))
    return ends_of(top, *_unit(top))


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
    size, unit = _unit(gb_s)
    return f"{gb_s / size:.{1 if size == 1 else 2}f} {unit}"


def _unit(gb_s: float) -> tuple[float, str]:
    """The size in GB/s, and the name, of the unit for a traffic."""
    larger = ((size, name) for size, name in ((1e6, "PB/s"), (1e3, "TB/s")) if gb_s >= size)
    return next(larger, (1.0, "GB/s"))


def _words(words: Sequence[tuple[int, str]], width: int) -> Row:
    """The panel's words at their places."""
    text = ""
    for place, word in words:
        if len(text) <= place and place + len(word) <= width:
            text = f"{text:<{place}}{word}"
    return (("label", text),)
