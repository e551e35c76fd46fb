"""The wall: a run on the whole screen, as a control room shows it.

    ── Parrot-7B · 64 x H100 ────────────────────────────────── training ──
     ▀▀▀ loss        ▀▀▀ tokens/s       ▀▀▀ MFU       ▀▀▀ tokens
      10 ┤⢣                                        │ GPUs: 64 computing
       5 ┤ ⠈⢢⡀                                     │ ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
       2 ┤    ⠉⠒⠒⠤⠤⠤⠤⣀⣀                            │ power 41 kW ⣀⣤⣶⣿⣿⣿
    gradient norm · throughput · learning rate     │ links 2.1 TB/s ⣀⣶⣿⣿
    the last lines of the log
    12.1 kWh   $42   74 kettles boiled
     step 1,045/1,520  ━━━━━━━━━━━━━━━━━━━━━━━━╸────────  68%  eta 2:31:12

Parts that have no room are left out, the least important first.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import takewhile
from math import isfinite, nan

from llmsim.board import plots
from llmsim.board.board import View, heading_of, padded, progress
from llmsim.board.graphs import LABELS, Mark, log_curve, plain_curve
from llmsim.board.letters import ROWS, big, enlarged, largest, titled
from llmsim.board.letters import width as width_of
from llmsim.board.sheet import LOOSE, RULED, in_columns, planned, ruled
from llmsim.board.training import Training, speed
from llmsim.board.wall_content import Figure, Wall
from llmsim.board.wall_gpus import gpus
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length, shade

LEAST = 60, 16  # cells and rows of a screen with room for a wall
BIG = 100, 28  # of a screen with room for big numbers
SIDE = 0.38  # of the width: what the GPUs and their histories have
LEAST_SIDE = 38
MOST_LINES = 12  # of the log
APART = 4  # cells between two big numbers, at least
STRIPS = 3  # rows of each strip below the curve on a high screen
HIGH = 34  # rows of a high screen
GAP = 2
MARKS = {
    "validation": ("validation", "◆", "o"),
    "checkpoint": ("save", "┊", ":"),
    "failure": ("failure", "│", "#"),
}
NAMED = {"checkpoint": "save", "failure": "failure"}
FADED = shade("red", 0.6)  # the role of more than a few failures
Note = Callable[[int], str]  # a text of no more cells than are given
FEW = 6  # failures that stand out on the curve: more would hide it


def has_room(screen: Screen) -> bool:
    """Whether a screen has room for the wall."""
    return screen.live and screen.width >= LEAST[0] and screen.height >= LEAST[1]


def wall(
    view: View, more: Wall, log: Sequence[str], screen: Screen, note: Note | None = None
) -> list[Row]:
    """All rows of the screen. `log` are its last lines, painted, the newest last; `note` is what
    the host has to say, as the keys and their meanings.
    """
    inner, rows = screen.width - 2, screen.height
    top: list[Row] = [heading_of(view, screen.width - 1, screen)]
    alarm = view.training.alarm
    top += _numbers(more, alarm, inner, screen) if more.numbers else _name(view, inner, screen)
    low = [_odometers(more, inner), progress(view, inner, screen)]
    room = rows - len(top) - len(low)
    lines = min(MOST_LINES, max(2, room // 5))
    body = _body(view, more, inner, room - lines - 1, screen)
    shown = _ticker(log, lines)
    name: Row = (("label", "log"),)
    said: Row = (("label", note(inner - length(name) - 2 * RULED)),) if note else ()
    rule = ruled(name, inner, screen, said)
    return [top[0], *((("", " "), *row) for row in (*top[1:], *body, rule, *shown, *low))]


# --- numbers -------------------------------------------------------------------------------


def _name(view: View, inner: int, screen: Screen) -> list[Row]:
    """The model's name in big letters, until there are numbers."""
    times = largest(screen)
    fits = screen.height >= BIG[1]
    letters = titled(view.titles[0], inner, ROWS * times, screen, times) if fits else []
    shown: list[Row] = [(("title", line),) for line in letters]
    return [(), *shown, (), ()] if shown else []


def _numbers(more: Wall, alarm: tuple[str, ...], inner: int, screen: Screen) -> list[Row]:
    """The big numbers, each with its name below; a small screen has them in a line.

    While no step is made, the throughput's place has the word for it.
    """
    usual = more.usual or tuple(each.number for each in more.numbers)
    names = [_below(each) for each in more.numbers]
    for times in range(largest(screen), 0, -1):
        sizes = [
            max(times * width_of(each.number), times * width_of(other), len(name))
            for each, other, name in zip(more.numbers, usual, names, strict=True)
        ]
        gap = (inner - sum(sizes)) // len(sizes)
        fits = gap >= APART
        if fits:
            break
    numbers = [*more.numbers]
    if not (fits and screen.unicode and screen.width >= BIG[0] and screen.height >= BIG[1]):
        if alarm:
            numbers[1] = numbers[1]._replace(role=alarm[0])
        return [_in_line(numbers, usual, inner)]
    if alarm:
        role, word = alarm
        numbers = [each._replace(role="label") for each in numbers]
        if times * width_of(word) <= sizes[1] + gap - APART:
            numbers[1] = numbers[1]._replace(number=word)
        numbers[1] = numbers[1]._replace(role=role)
    rows: list[list[Span]] = [[] for _ in range(times * ROWS + 1)]
    for each, name, size in zip(numbers, names, sizes, strict=True):
        longer = f"{name} {each.also}"
        below = longer if len(longer) <= size + gap - APART else name
        for row_, text in zip(rows, [*enlarged(big(each.number), times), below], strict=True):
            row_.append((each.role if row_ is not rows[-1] else "label", f"{text:<{size + gap}}"))
    return [(), *map(tuple, rows), ()]


def _below(figure: Figure) -> str:
    """What stands below large digits."""
    return f"{figure.name}, {figure.unit} of {figure.of}" if figure.of else figure.name


def _in_line(numbers: Sequence[Figure], usual: Sequence[str], inner: int) -> Row:
    """The numbers in a line: with short names where that makes room for more of them."""
    rows: list[Row] = []
    for names in ({}, plots.SHORT):
        row: list[Span] = []
        for each, other in zip(numbers, usual, strict=True):
            room = len(other) + len(each.unit)
            extra: list[Span] = [("", "   " * bool(row))]
            extra.append(("label", f"{names.get(each.name, each.name)} "))
            extra.append((each.role, f"{each.number + each.unit:<{room}}"))
            if length(row) + length(extra) <= inner:
                row += extra
        rows.append(tuple(row))
    return max(rows, key=len)


def _odometers(more: Wall, inner: int) -> Row:
    row: list[Span] = []
    for number, name in more.odometers:
        extra: list[Span] = [("", "    " if row else ""), ("number", number), ("label", f" {name}")]
        if length(row) + length(extra) <= inner:
            row += extra
    return tuple(row)


def _ticker(log: Sequence[str], lines: int) -> list[Row]:
    """The last lines of the log; they have their own colours, and are cut already."""
    shown = list(log)[-lines:]
    return [*((("", line),) for line in shown), *[()] * (lines - len(shown))]


# --- the two halves --------------------------------------------------------------------------


def _body(view: View, more: Wall, inner: int, rows: int, screen: Screen) -> list[Row]:
    """The curves at the left, the GPUs at the right."""
    side = max(LEAST_SIDE, round(inner * SIDE))
    left = inner - side - 2 * GAP - 1
    if left < 24:
        return _curves(view, more, inner, rows, screen)
    curves = _curves(view, more, left, rows, screen)
    cluster = gpus(view.cluster, more, side, rows, screen)
    bar: Span = ("track", "│" if screen.unicode else "|")
    return [
        (*padded(one, left), ("", " " * GAP), bar, ("", " " * GAP), *other)
        for one, other in zip(curves, cluster, strict=True)
    ]


def _curves(view: View, more: Wall, width: int, rows: int, screen: Screen) -> list[Row]:
    """The loss, and below it strips on the same axis; before the first step the plan."""
    training = view.training
    if not training.step:
        return _plan(view, width, rows, screen)
    high = max(STRIPS, rows // 9) if screen.height >= HIGH else 1
    strips = [
        ("gradient norm", ("gradient", more.gradient_number), more.gradient, "gradient"),
        ("tokens/s", speed(training), training.throughput, "throughput"),
    ]
    room = width - LABELS
    columns = room * (2 if screen.unicode else 1)
    below: list[Row] = []
    if rows >= 9:
        for name, (newest_role, number), mean, role in strips:
            shown, ends = _strip(training, mean, columns, high, role, screen)
            words = ("label", f"{name} "), (newest_role, number.strip())
            below += [ruled(words, width, screen, ends), *shown]
        if high > 1 and training.step:
            below.append(plots.axis(training, room, screen))
    newest = _newest(view, width - len("- loss  "), screen)
    above = [
        ruled((("label", "loss"), ("", " "), *newest), width, screen, _key(more, width, screen))
    ]
    left = rows - len(below) - len(above)
    return above + _loss(view, more, columns, left, screen) + below


def _plan(view: View, width: int, rows: int, screen: Screen) -> list[Row]:
    """The facts of the run, and below them its learning rate."""
    facts = in_columns(view.facts(), rows - 1, width, screen, wide=True)
    if rows >= LOOSE * len(facts):
        facts = [row for fact in facts for row in (fact, ())]
    lines = [ruled((("label", "the plan"),), width, screen), *facts]
    lines += planned(view.training, width, rows - len(lines), screen)
    return [*lines, *[()] * (rows - len(lines))][:rows]


def _marked(view: View, screen: Screen) -> Row:
    """The mark of a validation, if the curve has one."""
    role, *glyphs = MARKS["validation"]
    return ((role, f"{glyphs[not screen.unicode]} "),) if view.training.validated else ()


def _newest(view: View, width: int, screen: Screen) -> Row:
    """The loss, and the one of the last validation with the longest name that has room."""
    told = {name: (role, number) for role, name, number in view.training.numbers}
    first: Row = (told["loss"],) if "loss" in told else (("label", "no step logged yet"),)
    if "val" not in told:
        return first
    mark = _marked(view, screen)
    names: list[Row] = [(*mark, ("label", name)) for name in ("validation ", "val ")]
    names += [mark] if mark else []
    rows = [(*first, ("", "  "), *name, told["val"]) for name in names]
    return next((row for row in rows if length(row) <= width), first)


def _roles(more: Wall) -> dict[str, str]:
    """The roles of the lines on the curve, by what they stand for."""
    many = sum(kind == "failure" for kind, _ in more.marks) > FEW
    return {kind: FADED if many and kind == "failure" else MARKS[kind][0] for kind, _ in more.marks}


def _key(more: Wall, width: int, screen: Screen) -> Row:
    """What the lines on the curve stand for."""
    roles, place = sorted(_roles(more).items()), 1 + (not screen.unicode)
    return plots.key_of([(role, MARKS[kind][place], NAMED[kind]) for kind, role in roles], width)


def _loss(view: View, more: Wall, columns: int, rows: int, screen: Screen) -> list[Row]:
    training = view.training
    steps = plots.span(training.step, training.steps)
    values = plots.samples(training, training.loss, columns, screen)
    roles = _roles(more)
    marks = [
        Mark(step / steps, nan, roles[kind], *MARKS[kind][1:])
        for kind, step in more.marks
        if step <= steps
    ]
    marks += [
        Mark(step / steps, loss, *MARKS["validation"])
        for step, loss in training.validated
        if step <= steps and isfinite(loss)
    ]
    # The first steep fall leaves it at the top, as on the board: else it takes most of the rows.
    highest = max(filter(isfinite, values), default=nan)
    known = plots.with_validations(plots.bounds(values, columns), training.validated)
    ends = [*known] if isfinite(highest) else []
    ends += [mark.value for mark in marks if mark.value <= highest]
    return log_curve(values, columns, rows, tuple(marks), screen, ends=tuple(ends))


def _strip(
    training: Training,
    mean: Callable[[int, int], float],
    columns: int,
    rows: int,
    role: str,
    screen: Screen,
) -> tuple[list[Row], Row]:
    """A curve of a few rows, on the loss curve's axis, and its ends if it has no scale."""
    values = plots.samples(training, mean, columns, screen)
    ends = _ends(values)
    lines = plain_curve(values, ends, columns, rows, screen.unicode)
    low, high = map(_told, ends)
    labels, told = [""] * rows, list[Span]()
    if values and rows == 1:
        told = [("label", low if low == high else f"{low} to {high}")]
    elif values:
        labels[0], labels[-1] = high if low != high else "", low
    shown: list[Row] = [
        (("label", f"{label:>{LABELS - 2}}  "), (role, line))
        for label, line in zip(labels, lines, strict=True)
    ]
    return shown, tuple(told)


@lru_cache(maxsize=4)
def _ends(values: tuple[float, ...]) -> tuple[float, float]:
    """The lowest and the highest value of all but the first. The first steps are slow and their
    gradients are large: on a scale with them the other steps would look flat.
    """
    first = sum(1 for _ in takewhile(values[:1].__contains__, values))  # columns of one step
    known = [value for value in values[first:] or values if isfinite(value)]
    return min(known, default=0.0), max(known, default=1.0)


def _told(value: float) -> str:
    return units.short(value) if value >= 1000 else units.at_most_five(value).strip()
