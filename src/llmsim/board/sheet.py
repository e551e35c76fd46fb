"""The facts of a run in columns, and its plan: what there is to see before the first step."""

from collections.abc import Sequence
from functools import lru_cache

from llmsim.board import plots
from llmsim.board.graphs import LABELS, edge, history
from llmsim.board.training import Training, Value
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, clipped, length

Facts = Sequence[tuple[str, str]]  # names and values, the most telling first

APART = 2  # cells after the name of a fact
BETWEEN = 4  # cells between two columns of facts
MOST_COLUMNS = 3
RULED = 3  # cells of a line's head that are not for words
LEAST_PLAN = 2  # rows of the planned rate
LOOSE = 5  # times the rows of its facts: in a part this high there is a blank row between them


def sheet(facts: Facts, rows: int, width: int, middle: int, screen: Screen) -> list[Row]:
    """Names and values in as many rows, the names in as many cells as `middle` says."""
    dots = "…" if screen.unicode else ">"
    named = [
        (("label", name.rjust(middle) + " " * APART), ("number", text))
        for name, text in facts[: max(0, rows)]
    ]
    return [tuple(clipped(row, width, dots)) for row in named]


def in_columns(facts: Facts, rows: int, width: int, screen: Screen, wide: bool) -> list[Row]:
    """The facts in columns beside each other, each read from the top down, in at most `rows` rows.

    There are as few columns as hold all facts, or where the part is wide as many as fit. What has
    no room is left out.
    """
    chosen = _columns(facts, rows, 1)
    counts = range(2, MOST_COLUMNS + 1)
    for columns in (_columns(facts, rows, count) for count in counts):
        shown = sum(map(len, columns)), sum(map(len, chosen))
        if sum(map(_width, columns)) + BETWEEN * (len(columns) - 1) > width:
            break
        if wide or shown[0] > shown[1]:
            chosen = columns
    beside = [sheet(part, rows, width, _names(part), screen) for part in chosen]
    lines: list[Row] = []
    for number in range(max(map(len, beside), default=0)):
        row: list[Span] = []
        for part, column in zip(chosen, beside, strict=True):
            cells = column[number] if number < len(column) else ()
            row += [*cells, ("", " " * (_width(part) + BETWEEN - length(cells)))]
        lines.append(tuple(row[:-1]))
    return lines


def _columns(facts: Facts, rows: int, count: int) -> list[Facts]:
    """The facts that as many columns of these rows hold, in columns of equal length."""
    kept = facts[: max(0, rows) * count]
    deep = max(1, -(-len(kept) // count))
    return [kept[first : first + deep] for first in range(0, len(kept), deep)]


def _names(facts: Facts) -> int:
    """Cells of the names of a column."""
    return max(len(name) for name, _ in facts)


def _width(facts: Facts) -> int:
    """Cells of a column."""
    return _names(facts) + APART + max(len(text) for _, text in facts)


# --- the plan ----------------------------------------------------------------------------------


def ruled(words: Sequence[Span], width: int, screen: Screen, end: Sequence[Span] = ()) -> Row:
    """A line with words near its beginning: the head of a part. Words too many are cut. What is to
    stand near the end of the line is left out where there is no room for it.
    """
    dash = "─" if screen.unicode else "-"
    words = [*clipped(list(words), width - RULED, "…" if screen.unicode else ">")]
    rest = width - length(words) - RULED
    closing = length(end) + RULED
    if not end or rest < closing:
        return (("track", f"{dash} "), *words, ("", " "), ("track", dash * max(rest, 0)))
    before = ("track", dash * (rest - closing)), ("", " ")
    return (("track", f"{dash} "), *words, ("", " "), *before, *end, ("", " "), ("track", dash))


def planned(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The learning rate as it is planned, over the steps of the whole run, with a head; what is not
    of this run, which may be a part of it, is faint. Nothing where there are no rows for it.
    """
    room = width - LABELS
    if rows < LEAST_PLAN + 2:
        return []
    columns, whole = room * (2 if screen.unicode else 1), max(training.whole, training.steps)
    values = _rates(training.rate, columns, training.before, whole)
    graph = history(values, room, rows - 2, screen, "amber", max(values) or 1.0)
    first = training.before * room // whole
    last = max(first + 1, -(-(training.before + training.steps) * room // whole))
    top = f"{max(values):.1e}".replace("e-0", "e-")
    labels = [top, *[""] * (len(graph) - 2), "0"]
    drawn: list[Row] = [
        (
            ("label", f"{label:>{LABELS - 1}}"),
            ("track", edge(bool(label), screen)),
            *_within(row, first, last),
        )
        for label, row in zip(labels, graph, strict=True)
    ]
    is_part = last - first < room
    which = " of the whole run, this part bright" if is_part else ", as planned"
    axis = plots.axis_of(whole, room, screen)
    return [ruled((("label", f"learning rate{which}"),), width, screen), *drawn, axis]


def _within(row: Row, first: int, last: int) -> Row:
    """A row of one span: bright between two cells and faint elsewhere, if there is an elsewhere."""
    ((_, text),) = row
    if first == 0 and last >= len(text):
        return row
    parts = (("track", text[:first]), ("rate", text[first:last]), ("track", text[last:]))
    return tuple((role, part) for role, part in parts if part)


@lru_cache(maxsize=4)
def _rates(rate: Value, columns: int, before: int, steps: int) -> tuple[float, ...]:
    """The rate in the middle of each part of a run."""
    return tuple(
        rate(max(1, round((column + 0.5) * steps / columns)) - before) for column in range(columns)
    )
