"""The left part of the board: loss, learning rate and throughput as numbers and curves."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from math import isnan

from llmsim.board.curves import Height, curve, spark
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length
from llmsim.typed import NamedTuple

Value = Callable[[int], float]
Mean = Callable[[int, int], float]  # of the steps from the first to the last, both included

ZOOMS = 5  # the curve's span is doubled this often until it is the whole run
CLIPPED = 0.08  # the part of the curve that may leave it at the top: the first steep fall
KEPT = 0.35  # the part of the whole range that is always on the scale
SENSITIVE = 5.0  # throughput that is 12 % below the usual is at the bottom
LABELS = 6  # cells of the curve's scale
NAMES = 6  # cells of the sparklines' names
LEAST_SPARK = 4  # cells
VALIDATED = "⣿", "o"  # the mark of a validation on the curve
BROKEN = "×", "x"  # the mark of an incident
TWO_ROWS = 8  # rows from which on there are two rows of numbers, and one time axis for all curves


class Training(NamedTuple):
    """How far training is. The functions are asked only for what is shown."""

    step: int  # the last complete one; 0 before the first
    steps: int
    loss: Mean
    rate: Value
    throughput: Mean  # tokens per second
    numbers: tuple[tuple[str, str, str], ...]  # role, name, number; the most important first
    rate_number: str
    throughput_number: str
    validated: tuple[tuple[int, float], ...] = ()  # step and loss of each validation so far
    broken: tuple[int, ...] = ()  # the steps after which incidents struck


def span(step: int, steps: int) -> int:
    """The steps that the curve's width stands for: the run, halved until half of it is in use."""
    zoom = next((zoom for zoom in range(ZOOMS, 0, -1) if step << zoom <= steps), 0)
    return max(steps >> zoom, 1)


@lru_cache(maxsize=16)
def _sampled(mean: Mean, columns: int, known: int, steps: int) -> tuple[float, ...]:
    """The mean of each column that is known; all `columns` together stand for `steps` steps."""
    ends = [max(1, column * steps // columns) for column in range(known + 1)]
    return tuple(mean(min(a + 1, b), b) for a, b in pairwise(ends))


def samples(training: Training, mean: Mean, columns: int, steps: int) -> tuple[float, ...]:
    """The means of the columns that are known, of `columns` that stand for `steps` steps."""
    known = min(training.step * columns // steps, columns)
    return _sampled(mean, columns, known, steps)


def _scaled(values: Sequence[float], low: float, high: float) -> list[float]:
    return [(value - low) / ((high - low) or 1.0) for value in values]


@lru_cache(maxsize=8)
def _loss_curve(values: tuple[float, ...], columns: int, rows: int, unicode: bool) -> list[Row]:
    low, high = _bounds(values, columns)
    heights: list[Height] = [
        height if height <= 1.0 else None for height in _scaled(values, low, high)
    ]
    heights += [None] * (columns - len(values))
    lines = curve(heights, rows, unicode)
    labels = [""] * rows
    if values:
        labels[-1], labels[0] = _label(low), _label(high)
    return [
        (("label", f"{label:>{LABELS - 1}} "), ("curve", line))
        for label, line in zip(labels, lines, strict=True)
    ]


def _bounds(values: Sequence[float], columns: int) -> tuple[float, float]:
    """The scale: without the first steep fall, but with a part of it, and without what is nan."""
    values = [value for value in values if not isnan(value)]
    if not values:
        return 0.0, 0.0
    steady = values[int(columns * CLIPPED) :] or values
    low = min(values)
    return low, max(*steady, low + KEPT * (max(values) - low))


def _label(value: float) -> str:
    return f"{value:.4f}"[: LABELS - 1]


def loss_curve(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The curve with its lowest and highest value at the left."""
    columns = (width - LABELS) * (2 if screen.unicode else 1)
    steps = span(training.step, training.steps)
    values = samples(training, training.loss, columns, steps)
    lines = _loss_curve(values, columns, rows, screen.unicode)
    return _marked(lines, values, columns, training, screen)


def _marked(
    lines: list[Row], values: Sequence[float], columns: int, training: Training, screen: Screen
) -> list[Row]:
    """The curve with a mark at each validation that is on the scale."""
    low, high = _bounds(values, columns)
    steps, cells = span(training.step, training.steps), columns // (2 if screen.unicode else 1)
    mark = VALIDATED[not screen.unicode]
    marked = [*lines]
    for step, loss in training.validated:
        height = (loss - low) / ((high - low) or 1.0)
        cell = min(step * cells // steps, cells - 1)
        if height <= 1.0:
            row = len(lines) - 1 - min(int(max(height, 0.0) * len(lines)), len(lines) - 1)
            label, *curve_spans = marked[row]
            marked[row] = (label, *_with_mark(curve_spans, cell, ("validation", mark)))
    for step in training.broken:
        cell = min(step * cells // steps, cells - 1)
        row = _row_of(values, cell * columns // cells, (low, high), len(lines))
        label, *curve_spans = marked[row]
        cross = ("error", BROKEN[not screen.unicode])
        marked[row] = (label, *_with_mark(curve_spans, cell, cross))
    return marked


def _row_of(samples: Sequence[float], column: int, bounds: tuple[float, float], rows: int) -> int:
    """The row of the curve in a column; the lowest where the curve has not come yet."""
    if column >= len(samples) or isnan(samples[column]):
        return rows - 1
    (height,) = _scaled([samples[column]], *bounds)
    return rows - 1 - min(int(max(height, 0.0) * rows), rows - 1)


def _with_mark(spans: Sequence[Span], cell: int, mark: Span) -> Sequence[Span]:
    """The spans with a mark in the place of one cell."""
    kept: list[Span] = []
    place = 0
    for role, text in spans:
        if place <= cell < place + len(text):
            at = cell - place
            kept += [(role, text[:at]), mark, (role, text[at + 1 :])]
        else:
            kept.append((role, text))
        place += len(text)
    return [span for span in kept if span[1]]


def rate_line(training: Training, width: int, screen: Screen) -> Row:
    """The learning rate so far, and in grey what is planned; on the time axis of the loss."""
    columns = width * (2 if screen.unicode else 1)
    steps = span(training.step, training.steps)
    line = _planned(training.rate, columns, steps, screen.unicode)
    done = min(training.step * width // steps, width)
    return (("rate", line[:done]), ("track", line[done:]))


@lru_cache(maxsize=8)
def _planned(rate: Value, columns: int, steps: int, unicode: bool) -> str:
    rates = [rate(max(1, (column + 1) * steps // columns)) for column in range(columns)]
    return curve(_scaled(rates, 0.0, max(rates)), 1, unicode)[0]


def throughput_line(training: Training, width: int, screen: Screen) -> Row:
    """Throughput so far, about the usual in the middle of the line: dips are what matters."""
    columns = width * (2 if screen.unicode else 1)
    steps = span(training.step, training.steps)
    values = samples(training, training.throughput, columns, steps)
    if not values:
        return (("", " " * width),)
    usual = sorted(values)[len(values) // 2]
    heights: list[Height] = [0.6 + SENSITIVE * (value / usual - 1.0) for value in values]
    heights += [None] * (columns - len(values))
    return (("throughput", curve(heights, 1, screen.unicode)[0]),)


def numbers(training: Training, room: int) -> Row:
    """The newest numbers, as many as there is room for."""
    if not training.numbers:
        return (("label", "no step yet"),)
    row: list[Span] = []
    for style, name, number in training.numbers:
        more = [("", "  " if row else ""), ("label", name + " "), (style, number)]
        if length(row) + length(more) <= room:
            row += more
    return tuple(row)


def _named(name: str, number: str, size: int) -> Row:
    return (("label", f"{name:<{NAMES}}"), ("number", f"{number:>{size}} "))


def plots(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """Numbers, the loss curve, and the sparklines where there are rows for them."""
    if rows == 1:
        return [vitals(training, width, screen)]
    lines = [numbers(training, width)]
    if rows >= TWO_ROWS:
        lines.append(_more_numbers(training, width))
        sparks = _aligned(training, width, screen)
    else:
        sparks = _sparks(training, width, screen) if rows >= 4 else []
    return lines + loss_curve(training, width, rows - len(lines) - len(sparks), screen) + sparks


def _more_numbers(training: Training, width: int) -> Row:
    """The second row of numbers: the learning rate and the throughput."""
    if not training.numbers:
        return ()
    shown = (
        ("rate", "lr", training.rate_number),
        ("throughput", "tok/s", training.throughput_number),
    )
    return numbers(training._replace(numbers=shown), width)


def _aligned(training: Training, width: int, screen: Screen) -> list[Row]:
    """Learning rate and throughput below the loss, step by step."""
    room = width - LABELS
    rate, speed = rate_line(training, room, screen), throughput_line(training, room, screen)
    return [
        (("label", f"{'lr':>{LABELS - 1}} "), *rate),
        (("label", f"{'tok/s':>{LABELS - 1}} "), *speed),
    ]


def _sparks(training: Training, width: int, screen: Screen) -> list[Row]:
    """Learning rate and throughput, each with its newest number."""
    size = max(len(training.rate_number), len(training.throughput_number))
    rate = _named("lr", training.rate_number, size)
    speed = _named("tok/s", training.throughput_number, size)
    room = width - length(rate)
    if room >= LEAST_SPARK:
        rate = (*rate, *rate_line(training, room, screen))
        speed = (*speed, *throughput_line(training, room, screen))
    return [rate, speed]


def vitals(training: Training, width: int, screen: Screen) -> Row:
    """All in one line: the newest numbers, and the loss as a sparkline."""
    more = (
        ("rate", "lr", training.rate_number),
        ("throughput", "tok/s", training.throughput_number),
    )
    extended = training._replace(numbers=training.numbers + (more if training.numbers else ()))
    row = numbers(extended, width if width < 40 else width * 3 // 5)
    room = width - length(row) - 2
    values = samples(training, training.loss, max(room, 1), span(training.step, training.steps))
    if room < LEAST_SPARK or not values:
        return row
    line = spark(_scaled(values, *_bounds(values, room)), screen.unicode)
    return (*row, ("", "  "), ("curve", line))
