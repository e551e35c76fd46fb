"""The opening: what stands between a log that has just begun and the board below it.

The name of the model in big letters, in the middle of the rows that the log has not reached yet.
As the log grows, it goes.
"""

from llmsim.board.board import View
from llmsim.board.letters import titled
from llmsim.text.screen import Screen
from llmsim.text.style import Row

MARGIN = 2  # rows above the letters, and below
CLOSE = 5  # rows of the letters and of the line below them, at least


def opening(view: View, rows: int, screen: Screen) -> list[Row]:
    """As many rows as are free: the name in the lower half of them, or nothing but blanks."""
    blank: list[Row] = [()] * rows
    if view.training.step:
        return blank
    room = screen.width - 4
    letters = titled(view.titles[0], room, rows - MARGIN - 2, screen)
    if not letters or rows < CLOSE + MARGIN:
        return _in_lines(view, rows, room, screen)
    shown: list[Row] = [(("title", _centered(line, screen)),) for line in letters]
    words = "   ".join(view.titles[1:])[:room]
    shown += [(), (("", " " * ((screen.width - len(words)) // 2)), ("label", words))]
    above = (rows - len(shown)) * 2 // 3
    return [*blank[:above], *shown, *blank[above + len(shown) :]]


def _in_lines(view: View, rows: int, room: int, screen: Screen) -> list[Row]:
    """The titles, one below the other, where there is no room for big letters."""
    titles = [title[:room] for title in view.titles[:rows]]
    shown: list[Row] = [
        (("title" if not number else "label", _centered(title, screen)),)
        for number, title in enumerate(titles)
    ]
    above = (rows - len(shown)) // 2
    return [*[()] * above, *shown, *[()] * (rows - len(shown) - above)]


def _centered(line: str, screen: Screen) -> str:
    """A row of letters in the middle of the screen."""
    return " " * ((screen.width - len(line)) // 2) + line.rstrip()
