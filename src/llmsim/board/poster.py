"""The finale: a poster that stays where the board was when a run has ended.

── Parrot-7B · quiet-gradient-42 · pretrain · 64 x H100 ─────────────────────────
 11.2 ⢣
      ⠈⢢⡀  ⣿
  1.8    ⠉⠒⠒⠤⠤⣿⠤⠤⠤⣀⣿
 step └──── 500 ──── 1,000 ────
 1.8524 training loss   1.8485 ◆ validation   7.55B tokens   411.0 GPU-hours
 It has read more than you ever will and understood about as much.
 llmsim --dialect pytorch --seed 4 --start 2026-01-30T12:00:00
"""

from llmsim.board import plots
from llmsim.board.board import View, heading
from llmsim.board.graphs import LABELS
from llmsim.board.letters import ROWS, big, enlarged, largest, width
from llmsim.board.training import Training
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length
from llmsim.text.wording import wrapped
from llmsim.typed import NamedTuple

MOST_CURVE = 24  # rows of the curve where the log's summary stands above it
SUMMARY = 14  # rows of this summary: where there are fewer, the curve has them, too
AXIS_NEEDS = 8  # rows of a curve that has room for the numbers of steps
LEFT_FREE = 2  # rows of the screen for the shell's prompt
BETWEEN = 2  # cells between two numbers in a line
APART = 4  # cells between two numbers, at least
MARK = 2  # cells of a mark before a name
AGAIN = "Same run again: "
BIG_NEEDS = 20  # rows of a screen that has room for big numbers


class Closing(NamedTuple):
    """What there is to say at the end."""

    # Role, name, number: four, or three of a run without validations.
    numbers: tuple[tuple[str, str, str], ...]
    joke: str
    command: str


def poster(view: View, closing: Closing, screen: Screen, alone: bool = False) -> list[Row]:
    """The rows from the top down; a small screen has fewer, and the command stays whole.

    `alone` says that no log stands above it: then the curve has all rows.
    """
    inner = screen.width - 3
    numbers = _numbers(view, closing, inner, screen)
    words = [(("joke", text),) for text in wrapped(closing.joke.split(), inner)]
    words += [(("label", text),) for text in _command(closing.command, inner)]
    room = screen.height - LEFT_FREE - 1 - len(numbers) - len(words)
    high = room if alone or room < MOST_CURVE + SUMMARY else MOST_CURVE
    body: list[Row] = [*_curve(view.training, inner, high, screen), *numbers, *words]
    # A single row of the log, the end of a table, would look like debris.
    above: list[Row] = [()] if room == high > 1 and not alone else []
    return [*above, heading(view, screen), *((("", " "), *row) if row else () for row in body)]


def _curve(training: Training, width: int, rows: int, screen: Screen) -> list[Row]:
    """The loss, and below it the steps where there is room for them."""
    if rows <= 1:
        return []
    axis = [plots.axis(training, width - LABELS, screen)] if rows >= AXIS_NEEDS else []
    return [*plots.loss_curve(training, width, rows - len(axis), screen), *axis]


def _command(command: str, room: int) -> list[str]:
    """The command in lines that stay whole words, as a shell takes them."""
    if len(AGAIN) + len(command) <= room:
        return [AGAIN + command]
    program, *flags = command.split(" --")
    return [AGAIN.strip(), *wrapped([program, *(f"--{flag}" for flag in flags)], room, " \\")]


def _numbers(view: View, closing: Closing, room: int, screen: Screen) -> list[Row]:
    """The four numbers: big with their names below where there is room, else in a line."""
    for times in range(largest(screen), 0, -1):
        sizes = [
            max(times * width(number), len(name) + MARK) for _, name, number in closing.numbers
        ]
        space = room - sum(sizes)
        if screen.unicode and screen.height >= BIG_NEEDS and space >= APART * len(sizes):
            return _big(view, closing, sizes, space // len(sizes), screen, times)
    rows = [_in_line(view, closing, names, room, screen) for names in ({}, plots.SHORT)]
    return [max(rows, key=len)]


def _in_line(view: View, closing: Closing, names: dict[str, str], room: int, screen: Screen) -> Row:
    """The numbers in a line, as many as there is room for with these names for some of them."""
    row: list[Span] = []
    for style, name, number in closing.numbers:
        more: list[Span] = [("", " " * BETWEEN if row else ""), (style, number), ("", " ")]
        more += [("label", names[name])] if name in names else _named(view, name, screen)
        if length(row) + length(more) <= room:
            row += more
    return tuple(row)


def _named(view: View, name: str, screen: Screen) -> list[Span]:
    """The name of a number; the one of validations has their mark on the curve before it."""
    if name == "validation" and view.training.validated:
        return [("validation", f"{plots.VALIDATED[not screen.unicode]} "), ("label", name)]
    return [("label", name)]


def _big(
    view: View, closing: Closing, sizes: list[int], gap: int, screen: Screen, times: int
) -> list[Row]:
    """Rows of large digits, and a row of names."""
    rows: list[list[Span]] = [[] for _ in range(times * ROWS + 1)]
    for (style, name, number), size in zip(closing.numbers, sizes, strict=True):
        for row, text in zip(rows[:-1], enlarged(big(number), times), strict=True):
            row += [(style, f"{text:<{size + gap}}")]
        below = _named(view, name, screen)
        rows[-1] += [*below, ("", " " * (size + gap - length(below)))]
    return [(), *map(tuple, rows), ()]
