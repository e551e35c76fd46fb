"""The output of a dialect for an event: lines that stay, and bars that are rewritten."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module

from llmsim.job.records import Job
from llmsim.text.screen import Screen
from llmsim.typed import Any, NamedTuple


class Line(NamedTuple):
    """A line that stays."""

    text: str
    farewell: bool = False  # whether a board's last picture says the same: the joke, the command
    rank: int = 0  # that prints it
    launcher: bool = False  # whether the launcher of the rank's node prints it instead


class Bar(NamedTuple):
    """A line that the next bar replaces and that lines are printed above; a full one stays.

    It is drawn when it is shown: most bars of a run that goes into a pipe never are.
    """

    draw: Callable[[], str]
    task: str
    fraction: float  # 0 .. 1; a pipe shows a bar once per notch of this

    @property
    def text(self) -> str:
        """The bar, drawn."""
        return self.draw()


def rows_left(line: Line | Bar) -> int:
    """The rows that a line leaves in the log; a bar leaves one when it is full."""
    if isinstance(line, Bar):
        return int(line.fraction >= 1)
    return line.text.count("\n") + 1


def parted(lines: Iterable[Line | Bar], rows: int) -> tuple[list[Line | Bar], list[Line | Bar]]:
    """The lines of the first rows, and the lines after them; a line may be cut in two."""
    above, rest = list[Line | Bar](), list(lines)
    while rest and rows > 0:
        line = rest.pop(0)
        rows -= rows_left(line)
        if isinstance(line, Line) and rows < 0:
            upper = line.text.split("\n")
            rest.insert(0, line._replace(text="\n".join(upper[rows:])))
            line = line._replace(text="\n".join(upper[:rows]))
        above.append(line)
    return above, rest


# Turns an event into lines: (event, job, screen) -> lines and bars.
Render = Callable[[Any, Job, Screen], Iterable[Line | Bar]]


def later(module: str, *kinds: type) -> dict[type, Render]:
    """What the LINES of a module below llmsim.dialects give for these kinds of event.

    The module is imported when the first of them comes, so that a first line does not wait for it.
    """

    @cache
    def lines() -> Mapping[type, Render]:
        table: Mapping[type, Render] = import_module(f"llmsim.dialects.{module}").LINES
        return table

    def render(event: Any, job: Job, screen: Screen) -> Iterable[Line | Bar]:
        return lines()[type(event)](event, job, screen)

    return dict.fromkeys(kinds, render)


# A pipe shows a bar at every quarter.
NOTCHES = 4


def in_pipe(lines: Iterable[Line | Bar], notches: dict[str, int]) -> str:
    """The text of the lines, of a bar only the first in each notch; `notches` is kept up."""
    text = ""
    for line in lines:
        if isinstance(line, Bar) and line.fraction < 1:
            notch = int(line.fraction * NOTCHES)
            seen, notches[line.task] = notches.get(line.task, 0), notch
            if notch <= seen:
                continue
        text += line.text + "\n"
    return text
