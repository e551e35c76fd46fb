"""The opening: what stands between a log that has just begun and the board below it.

The name of the model in big letters, and below it the facts of its run, in the rows that the log
has not reached yet. As the log grows, they go.
"""

from llmsim.board.board import View
from llmsim.board.letters import titled
from llmsim.board.sheet import APART, sheet
from llmsim.text.screen import Screen
from llmsim.text.style import Row

MARGIN = 2  # rows above the letters, and below
CLOSE = 5  # rows of the letters and of the line below them, at least


def opening(view: View, rows: int, screen: Screen) -> list[Row]:
    """As many rows as are free: the name and what there is to know, or nothing but blanks."""
    if view.training.step or rows < 1:
        return [()] * rows
    room = screen.width - 4
    shown: list[Row] = []
    if rows >= CLOSE + MARGIN:
        letters = titled(view.titles[0], room, rows - MARGIN - 2, screen)
        shown = [(("title", _centered(line, screen)),) for line in letters]
    shown = [*shown, ()] if shown else [(("title", _centered(view.titles[0][:room], screen)),)]
    shown += _sheet(view, rows - len(shown), room, screen)
    above = (rows - len(shown)) // 2
    return [*[()] * above, *shown, *[()] * (rows - len(shown) - above)]


def is_big(rows: list[Row]) -> bool:
    """Whether an opening has the name in big letters: the board then does without."""
    return len(rows) >= CLOSE + MARGIN and any(rows)


def _sheet(view: View, rows: int, room: int, screen: Screen) -> list[Row]:
    """Facts in two columns about the middle; where nobody knows any, the other titles."""
    facts = sheet(view.facts(), rows, screen.width - APART, screen.width // 2 - APART, screen)
    if not facts:
        return [(("label", _centered(title[:room], screen)),) for title in view.titles[1:][:rows]]
    return facts


def _centered(line: str, screen: Screen) -> str:
    """A row of letters in the middle of the screen."""
    return " " * ((screen.width - len(line)) // 2) + line.rstrip()
