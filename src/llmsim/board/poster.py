"""The finale: a poster that stays where the board was when a run has ended.

── Parrot-7B · quiet-gradient-42 · pretrain · 64 x H100 ─────────────────────────
 11.2 ⢣
      ⠈⢢⡀  ⣿
  1.8    ⠉⠒⠒⠤⠤⣿⠤⠤⠤⣀⣿
 loss 1.8524   val 1.8485   7.55B tokens   411 GPU-hours
 It has read more than you ever will and understood about as much.
 llmsim --dialect pytorch --seed 4 --start 2026-01-30T12:00:00
"""

from llmsim.board import plots
from llmsim.board.board import View, heading
from llmsim.board.letters import ROWS, big, width
from llmsim.text.screen import Screen
from llmsim.text.style import Row, Span, length
from llmsim.text.wording import wrapped
from llmsim.typed import NamedTuple

MOST_CURVE = 24  # rows of the curve on a high screen
LEFT_FREE = 2  # rows of the screen for the shell's prompt
APART = 4  # cells between two numbers, at least
AGAIN = "Same run again: "
BIG_NEEDS = 20  # rows of a screen that has room for big numbers


class Closing(NamedTuple):
    """What there is to say at the end."""

    # Role, name, number: four, or three of a run without validations.
    numbers: tuple[tuple[str, str, str], ...]
    joke: str
    command: str


def poster(view: View, closing: Closing, screen: Screen) -> list[Row]:
    """The rows from the top down; a small screen has fewer, and the command stays whole."""
    inner = screen.width - 3
    numbers = _numbers(closing, inner, screen)
    words = [(("joke", text),) for text in wrapped(closing.joke.split(), inner)]
    words += [(("label", text),) for text in _command(closing.command, inner)]
    room = screen.height - LEFT_FREE - 1 - len(numbers) - len(words)
    curve = (
        plots.loss_curve(view.training, inner, min(room, MOST_CURVE), screen) if room > 1 else []
    )
    body: list[Row] = [*curve, *numbers, *words]
    return [heading(view, screen), *((("", " "), *row) if row else () for row in body)]


def _command(command: str, room: int) -> list[str]:
    """The command in lines that stay whole words, as a shell takes them."""
    if len(AGAIN) + len(command) <= room:
        return [AGAIN + command]
    program, *flags = command.split(" --")
    return [AGAIN.strip(), *wrapped([program, *(f"--{flag}" for flag in flags)], room, " \\")]


def _numbers(closing: Closing, room: int, screen: Screen) -> list[Row]:
    """The four numbers: big with their names below where there is room, else in a line."""
    sizes = [max(width(number), len(name)) for _, name, number in closing.numbers]
    space = room - sum(sizes)
    if screen.unicode and screen.height >= BIG_NEEDS and space >= APART * len(sizes):
        return _big(closing, sizes, space // len(sizes))
    row: list[Span] = []
    for style, name, number in closing.numbers:
        more: list[Span] = [("", "   " if row else ""), (style, number), ("label", f" {name}")]
        if length(row) + length(more) <= room:
            row += more
    return [tuple(row)]


def _big(closing: Closing, sizes: list[int], gap: int) -> list[Row]:
    """Three rows of large digits, and a row of names."""
    rows: list[list[Span]] = [[] for _ in range(ROWS + 1)]
    for (style, name, number), size in zip(closing.numbers, sizes, strict=True):
        for row, text in zip(rows, [*big(number), name], strict=True):
            row += [(style if row is not rows[-1] else "label", f"{text:<{size + gap}}")]
    return [(), *map(tuple, rows), ()]
