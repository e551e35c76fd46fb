"""The left part of the board: loss, learning rate and throughput as numbers and curves."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import isfinite, isnan, nan

from llmsim.board.curves import Height, curve, spark
from llmsim.board.graphs import LABELS, Mark, log_curve, scale
from llmsim.board.letters import ROWS, big
from llmsim.board.letters import width as big_width
from llmsim.board.training import Mean, Number, Training, Value, speed
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length, merged

# The names of large numbers where they stand in a narrow line.
SHORT = {
    "training loss": "loss", "validation": "val",
    "tokens per second": "tok/s", "tokens read": "read", "tokens of this job": "tokens",
}  # fmt: skip

ZOOMS = 5  # the curve's span is doubled this often until it is the whole run
CLIPPED = 0.08  # the part of the curve that may leave it at the top: the first steep fall
KEPT = 0.35  # the part of the whole range that is always on the scale
LOW = 0.02  # the part of the columns that may leave it at the bottom, and what they would take of
STRAY = 0.25  # it if they did not: a batch or two with a strangely low loss
ABOVE = 0.4  # of the scale: how far above it a validation may lie that makes it higher
SENSITIVE = 5.0  # throughput that is 12 % below the usual is at the bottom
LEAST_SPARK = 4  # cells
VALIDATED = "◆", "o"  # the mark of a validation on the curve
SAVED = "┊", ":"  # the mark of a checkpoint
BROKEN = "×", "x"  # the mark of an incident
FEW_BROKEN = 6  # of these: as many as stand on the curve
TWO_ROWS = 8  # rows from which on there are two rows of numbers
BIG_NEEDS = 13  # rows of a part that has room for big numbers
BETWEEN = 3  # cells after a big number
ALSO_BIG = "val", "mfu"  # numbers that are big where there is room for more
AXIS_NEEDS = 15  # rows of a part that has room for the numbers of steps
AXIS_APART = 11  # cells between two of these, at least
APART = "    "  # between the numbers and the key of the marks
_ROUND = [nice * 10**decade for decade in range(8) for nice in (1, 2, 5)]


def span(step: int, steps: int) -> int:
    """The steps that the curve's width stands for: the run, halved until half of it is in use."""
    zoom = next((zoom for zoom in range(ZOOMS, 0, -1) if step << zoom <= steps), 0)
    return max(steps >> zoom, 1)


@lru_cache(maxsize=16)
def _means(mean: Mean, columns: int, steps: int) -> list[float]:
    """The means of the first columns, of `columns` that stand for `steps` steps: as many as have
    been asked for.
    """
    del mean, columns, steps  # they name the list
    return []


@lru_cache(maxsize=16)
def _sampled(mean: Mean, columns: int, known: int, steps: int) -> tuple[float, ...]:
    """The mean of each column that is known; all `columns` together stand for `steps` steps."""
    values = _means(mean, columns, steps)
    ends = [max(1, column * steps // columns) for column in range(len(values), known + 1)]
    values += [mean(min(a + 1, b), b) for a, b in pairwise(ends)]
    return tuple(values[:known])


def _known(training: Training, columns: int, screen: Screen) -> tuple[int, int]:
    """How many columns are known, of `columns` that stand for the curve's span, and that span.

    Of the two columns of a braille cell none is known without the other: a curve that grew by
    half a cell would be drawn twice as often, and nobody would see it.
    """
    steps, together = span(training.step, training.steps), 2 if screen.unicode else 1
    return min(training.step * columns // steps, columns) // together * together, steps


def samples(training: Training, mean: Mean, columns: int, screen: Screen) -> tuple[float, ...]:
    """The means of the columns that are known, of `columns` that stand for the curve's span."""
    known, steps = _known(training, columns, screen)
    return _sampled(mean, columns, known, steps)


def _scaled(values: Sequence[float], low: float, high: float) -> list[float]:
    return [(value - low) / ((high - low) or 1.0) for value in values]


def bounds(values: Sequence[float], columns: int) -> tuple[float, float]:
    """The scale: without the first steep fall, but with a part of it, and without what is nan or
    strangely low.
    """
    values = [value for value in values if not isnan(value)]
    if not values:
        return 0.0, 0.0
    steady = values[int(columns * CLIPPED) :] or values
    low, lower = min(values), sorted(values)[int(len(values) * LOW)]
    axis = scale((low, max(steady)))
    low = lower if axis.height(lower) - axis.height(low) > STRAY else low
    return low, max(*steady, low + KEPT * (max(values) - low))


def with_validations(
    ends: tuple[float, float], validated: Sequence[tuple[int, float]]
) -> tuple[float, float]:
    """The scale with losses of the later half of the validations that are a little above it: a
    curve that hardly falls may lie below them all.
    """
    axis = scale(ends)
    most = axis.high + ABOVE * (axis.high - axis.low)
    later = [loss for step, loss in validated if 2 * step >= validated[-1][0] and loss <= most]
    return ends[0], max(ends[1], *later, ends[1])


def loss_curve(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The curve with its scale, and marks of what happened on it."""
    columns = (width - LABELS) * (2 if screen.unicode else 1)
    known, steps = _known(training, columns, screen)
    reached = tuple(step <= training.step for step in training.broken)
    marked = training.saved, training.validated, training.broken, reached
    return _loss_curve(training.loss, columns, rows, known, steps, marked, screen)


Marked = tuple[
    tuple[int, ...], tuple[tuple[int, float], ...], tuple[int, ...], tuple[bool, ...]
]  # what is saved, validated and broken, and which of the last lie on the curve


@lru_cache(maxsize=4)
def _loss_curve(
    loss: Mean, columns: int, rows: int, known: int, steps: int, marked: Marked, screen: Screen
) -> list[Row]:
    """The same; most of the time nothing of it has changed since the last drawing."""
    values = _sampled(loss, columns, known, steps)
    ends = with_validations(bounds(values, columns), marked[1]) if values else ()
    raw = _sampled(_single(loss), columns, known, steps)
    marks = _marks(marked, steps, values, columns, scale(ends).high)
    return log_curve(values, columns, rows, marks, screen, raw, ends)


@lru_cache(maxsize=4)
def _single(loss: Mean) -> Mean:
    """The loss of the last of some steps."""
    return lru_cache(maxsize=4096)(lambda _first, last: loss(last, last))


def _marks(
    marked: Marked, steps: int, values: Sequence[float], columns: int, top: float
) -> tuple[Mark, ...]:
    """Saves, validations and incidents that the curve has room for; it has some of the columns.

    More than a few incidents stand at the top of its axis: on the curve they would hide it.
    """
    saved, validated, broken, reached = marked
    marks = [Mark(step / steps, nan, "save", *SAVED) for step in saved if step <= steps]
    marks += [
        Mark(step / steps, loss, "validation", *VALIDATED)
        for step, loss in validated
        if step <= steps and isfinite(loss)
    ]
    for step, on_curve in zip(broken, reached, strict=True):
        place = min(int(step / steps * columns), len(values) - 1)
        known = values and on_curve and isfinite(values[place])
        value = values[place] if known else min(values, default=nan)
        value = top if len(broken) > FEW_BROKEN else value
        if step <= steps:
            marks.append(Mark(step / steps, value, "error", *BROKEN))
    return tuple(marks)


def key(training: Training, room: int, screen: Screen) -> Row:
    """What the marks on the curve stand for, as many as there is room for."""
    marks = (
        ("validation", VALIDATED, "validation", training.validated),
        ("save", SAVED, "save", training.saved),
        ("error", BROKEN, "incident", training.broken),
    )
    ascii_ = not screen.unicode
    return key_of(
        [(role, glyphs[ascii_], name) for role, glyphs, name, seen in marks if seen], room
    )


def key_of(signs: Iterable[tuple[str, str, str]], room: int) -> Row:
    """A key of signs, each a role, a glyph and what it stands for: as many as have room."""
    row: list[Span] = []
    for role, glyph, name in signs:
        more: list[Span] = [("", "  " * bool(row)), (role, glyph), ("label", f" {name}")]
        row += more if length(row) + length(more) <= room else []
    return tuple(row)


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
    values = samples(training, training.throughput, columns, screen)
    return _about_usual(values, columns, width, screen.unicode)


@lru_cache(maxsize=4)
def _about_usual(values: tuple[float, ...], columns: int, width: int, unicode: bool) -> Row:
    """The line of throughput."""
    if not values:
        return (("", " " * width),)
    usual = sorted(values)[len(values) // 2]
    heights: list[Height] = [0.6 + SENSITIVE * (value / usual - 1.0) for value in values]
    heights += [None] * (columns - len(values))
    return (("throughput", curve(heights, 1, unicode)[0]),)


def numbers(training: Training, room: int) -> Row:
    """The newest numbers, as many as there is room for."""
    if not training.numbers:
        return (("label", "no step logged yet" if training.step else "no step yet"),)
    return _fitting(training.numbers, room)[0]


def _fitting(numbers: Sequence[Number], room: int) -> tuple[Row, list[Number]]:
    """A row of the numbers that have room, and the other ones."""
    row, others = list[Span](), list[Number]()
    for each in numbers:
        style, name, number = each
        more = [("", "  " if row else ""), ("label", name + " "), (style, number)]
        if length(row) + length(more) <= room:
            row += more
        else:
            others.append(each)
    return tuple(row), others


def plots(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """Numbers, the loss curve, and on its axis rate and throughput where there are rows."""
    if rows == 1:
        return [vitals(training, width, screen)]
    lines = _heading(training, width, rows, screen)
    below = _aligned(training, width, screen) if rows >= 5 else []
    if rows >= AXIS_NEEDS and training.step:
        below.append(axis(training, width - LABELS, screen))
    return lines + loss_curve(training, width, rows - len(lines) - len(below), screen) + below


def _heading(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The newest numbers: two of them big where there is room, else in one row or two.
    What the marks on the curve stand for follows, where there is room for it.
    """
    lines = _numbers(training, width, rows, screen)
    if rows < TWO_ROWS or not training.numbers:
        return lines
    *_, last = lines
    used = length(last) + len(APART)
    signs = key(training, width - used, screen)
    return [*lines[:-1], (*last, ("", APART), *signs)] if signs else lines


def _numbers(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The same without a key for the marks on the curve."""
    role, newest = speed(training)
    more = (("rate", "lr", training.rate_number), (role, "tok/s", newest))
    if not training.numbers:
        coming = numbers(training._replace(numbers=more), width)
        return [numbers(training, width), coming][: 1 + (rows >= TWO_ROWS)]
    shown = [training.numbers[0], more[1]]
    if rows >= BIG_NEEDS and screen.unicode and _fits(shown, width):
        rest = [*training.numbers[1:], more[0]]
        for each in [each for each in rest if each[1] in ALSO_BIG]:
            if _fits([*shown, _short(each)], width):
                shown.append(_short(each))
                rest.remove(each)
        if training.alarm:
            shown = [("label", name, number) for _, name, number in shown]
            shown[1] = (training.alarm[0], "tok/s 0", training.alarm[1])
        elif training.paused and len(longer := f"tok/s {training.paused}") <= big_width(newest):
            shown[1] = (role, longer, newest)
        return [*_big(tuple(shown)), numbers(training._replace(numbers=tuple(rest)), width)]
    if rows >= TWO_ROWS:
        first, others = _fitting(training.numbers, width)
        return [first, _fitting([*more, *others], width)[0]]
    return [numbers(training._replace(numbers=(*training.numbers, *more)), width)]


def _short(number: Number) -> Number:
    """A number for large digits: what it is a part of stands above them."""
    role, name, text = number
    text, _, of = text.partition(" of ")
    return role, f"{name} of {of}" if of else name, text


def _fits(shown: Sequence[Number], room: int) -> bool:
    return sum(big_width(number) + BETWEEN for _, _, number in shown) <= room


@lru_cache(maxsize=4)
def _big(shown: tuple[Number, ...]) -> list[Row]:
    """A row of names, and three of large digits."""
    rows: list[list[Span]] = [[] for _ in range(ROWS + 1)]
    for role, name, number in shown:
        size = big_width(number) + BETWEEN
        for row, text in zip(rows, [name, *big(number)], strict=True):
            row.append((role if row is not rows[0] else "label", f"{text:<{size}}"))
    return [tuple(row) for row in rows]


def _aligned(training: Training, width: int, screen: Screen) -> list[Row]:
    """Learning rate and throughput below the loss, step by step."""
    room = width - LABELS
    rate, speed = rate_line(training, room, screen), throughput_line(training, room, screen)
    return [
        (("label", f"{'lr':>{LABELS - 2}}  "), *rate),
        (("label", f"{'tok/s':>{LABELS - 2}}  "), *speed),
    ]


def axis(training: Training, room: int, screen: Screen) -> Row:
    """The steps that the curves are over, by their numbers in the log."""
    return _axis(training.before, span(training.step, training.steps), room, screen)


def axis_of(steps: int, room: int, screen: Screen) -> Row:
    """The steps from the first to the last of these."""
    return _axis(0, steps, room, screen)


@lru_cache(maxsize=4)
def _axis(before: int, steps: int, room: int, screen: Screen) -> Row:
    """Numbers on a line that is as long as these steps, which follow others."""
    dash = "─" if screen.unicode else "-"
    least = max(AXIS_APART, len(f" {before + steps:,} ") + 1)
    apart = next((each for each in _ROUND if each * room // steps >= least), steps)
    text, unit = "", f"{'step':>{LABELS - 2}} "
    for step in range(before // apart * apart + apart, before + steps + 1, apart):
        number = f" {step:,} "
        place = (step - before) * room // steps - len(number) // 2
        if len(text) <= place and place + len(number) <= room:
            text = text.ljust(place, dash) + number
    corner = "└" if screen.unicode else "+"
    return (("label", unit), ("track", corner), *_on_line(text.ljust(room, dash), dash))


def _on_line(text: str, dash: str) -> Iterator[Span]:
    """The text of an axis: its line is a track, its numbers are labels."""
    yield from merged([("track" if glyph == dash else "label", glyph) for glyph in text])


def vitals(training: Training, width: int, screen: Screen) -> Row:
    """All in one line: the newest numbers, and the loss as a sparkline."""
    role, newest = speed(training)
    more = (("rate", "lr", training.rate_number), (role, "tok/s", newest))
    extended = training._replace(numbers=training.numbers + (more if training.numbers else ()))
    row = numbers(extended, width if width < 40 else width * 3 // 5)
    room = width - length(row) - 2
    values = samples(training, training.loss, max(room, 1), screen._replace(unicode=False))
    if room < LEAST_SPARK or not values:
        return row
    heights = _scaled(values, *bounds(values, room))
    line = spark([each if isfinite(each) else None for each in heights], screen.unicode)
    return (*row, ("", "  "), ("curve", line))
