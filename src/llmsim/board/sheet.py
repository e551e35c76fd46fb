"""The facts of a run in columns, and its plan: what there is to see before the first step."""

from collections.abc import Sequence
from functools import lru_cache

from llmsim.board import plots
from llmsim.board.graphs import LABELS, edge, history
from llmsim.board.plots import Training, Value
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, clipped, length

Facts = Sequence[tuple[str, str]]  # names and values, the most telling first

NAMES, APART = 13, 2  # cells of the names of facts, and after them
BETWEEN = 4  # cells between two columns of facts
MOST_COLUMNS = 3
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
    return max(NAMES, *(len(name) for name, _ in facts))


def _width(facts: Facts) -> int:
    """Cells of a column."""
    return _names(facts) + APART + max(len(text) for _, text in facts)


# --- the plan ----------------------------------------------------------------------------------


def planned(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The learning rate of the whole run as it is planned, over the run's steps, where there are
    rows for it.
    """
    room = width - LABELS
    if rows < LEAST_PLAN + 1:
        return []
    columns = room * (2 if screen.unicode else 1)
    values = _rates(training.rate, columns, training.steps)
    graph = history(values, room, rows - 1, screen, "amber", max(values) or 1.0)
    top = f"{max(values):.1e}".replace("e-0", "e-")
    labels = [top, *[""] * (len(graph) - 2), "0"]
    drawn: list[Row] = [
        (("label", f"{label:>{LABELS - 1}}"), ("track", edge(bool(label), screen)), *row)
        for label, row in zip(labels, graph, strict=True)
    ]
    return [*drawn, plots.whole_axis(training, room, screen)]


@lru_cache(maxsize=4)
def _rates(rate: Value, columns: int, steps: int) -> tuple[float, ...]:
    """The rate in the middle of each part of a run."""
    return tuple(rate(max(1, round((column + 0.5) * steps / columns))) for column in range(columns))
