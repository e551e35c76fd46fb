"""The left part of the board: loss, learning rate and throughput as numbers and curves."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

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


def span(step: int, steps: int) -> int:
    """The steps that the curve's width stands for: the run, halved until half of it is in use."""
    zoom = next((zoom for zoom in range(ZOOMS, 0, -1) if step << zoom <= steps), 0)
    return max(steps >> zoom, 1)


@lru_cache(maxsize=16)
def _sampled(mean: Mean, columns: int, known: int, steps: int) -> tuple[float, ...]:
    """The mean of each column that is known; all `columns` together stand for `steps` steps."""
    ends = [max(1, column * steps // columns) for column in range(known + 1)]
    return tuple(mean(min(a + 1, b), b) for a, b in pairwise(ends))


def _samples(training: Training, mean: Mean, columns: int, steps: int) -> tuple[float, ...]:
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
    """The scale: without the first steep fall, but with a part of it."""
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
    samples = _samples(training, training.loss, columns, span(training.step, training.steps))
    return _loss_curve(samples, columns, rows, screen.unicode)


def rate_line(training: Training, width: int, screen: Screen) -> Row:
    """The learning rate so far, and in grey what is planned."""
    columns = width * (2 if screen.unicode else 1)
    line = _planned(training.rate, columns, training.steps, screen.unicode)
    done = min(training.step * width // training.steps, width)
    return (("rate", line[:done]), ("track", line[done:]))


@lru_cache(maxsize=8)
def _planned(rate: Value, columns: int, steps: int, unicode: bool) -> str:
    rates = [rate(max(1, (column + 1) * steps // columns)) for column in range(columns)]
    return curve(_scaled(rates, 0.0, max(rates)), 1, unicode)[0]


def throughput_line(training: Training, width: int, screen: Screen) -> Row:
    """Throughput so far, about the usual in the middle of the line: dips are what matters."""
    columns = width * (2 if screen.unicode else 1)
    steps = span(training.step, training.steps)
    values = _samples(training, training.throughput, columns, steps)
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
    sparks = _sparks(training, width, screen) if rows >= 4 else []
    return lines + loss_curve(training, width, rows - 1 - len(sparks), screen) + sparks


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
    values = _samples(training, training.loss, max(room, 1), span(training.step, training.steps))
    if room < LEAST_SPARK or not values:
        return row
    line = spark(_scaled(values, *_bounds(values, room)), screen.unicode)
    return (*row, ("", "  "), ("curve", line))
