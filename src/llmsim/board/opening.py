"""The opening: what stands between a log that has just begun and the board below it.

The name of the model in big letters, and below it the facts of its run, in the rows that the log
has not reached yet. As the log grows, they go. No fact stands here and on the board.
"""

from llmsim.board.board import View, board
from llmsim.board.letters import ROWS, titled, width
from llmsim.board.sheet import APART, Facts, sheet
from llmsim.text.screen import Screen
from llmsim.text.style import Row
from llmsim.typed import NamedTuple

ABOVE = 1  # blank rows above the letters
EMPTY = 8  # with more of a screen than this part, of one, free after the first step, the card stays
CLOSE = 7  # rows of a card with the name in big letters, at least
LEAST_FACTS = 3  # rows of a card with facts
LARGER = 3  # times the rows of larger letters have to fit, and times their width
BESIDE = 0.6  # the part of the width that larger letters may take


class Card(NamedTuple):
    """The rows that the log has not reached yet."""

    rows: list[Row]
    big: bool = False  # whether the name is in big letters: the board then does without
    told: int = 0  # how many of the first facts are there


def opening(view: View, rows: int, screen: Screen) -> Card:
    """As many rows as are free: the name and what there is to know, or nothing but blanks."""
    if rows < (max(CLOSE, screen.height // EMPTY) if view.training.step else 1):
        return Card([()] * rows)
    letters = _letters(view.titles[0], rows, screen) if rows >= CLOSE else []
    facts = view.facts()
    if letters:
        shown: list[Row] = [(("title", _centered(line, screen)),) for line in letters] + [()]
        shown += _sheet(facts, view, rows - ABOVE - len(shown), screen)
        told = min(len(facts), max(0, rows - ABOVE - len(letters) - 1))
        return Card(_in_the_middle(shown, rows), big=True, told=told)
    on_board = {
        text.strip() for row in board(view, screen) for role, text in row if role == "label"
    }
    more = [fact for fact in facts if fact[0] not in on_board]
    if len(more) < len(facts):  # the board has the name, too
        # Where a large screen is nearly full, facts stay on the board, where they are not alone.
        few = rows < LEAST_FACTS <= screen.height // 10
        told = min(rows, len(facts)) if len(more) < rows and not few else 0  # else a part is blank
        shown = _sheet(facts[:told] if told else more, view, 0 if few else rows, screen)
        return Card(_in_the_middle(shown, rows), told=told)
    room = screen.width - 4
    name: Row = (("title", _centered(view.titles[0][:room], screen)),)
    return Card(_in_the_middle([name, *_sheet(facts, view, rows - 1, screen)], rows))


def _letters(name: str, rows: int, screen: Screen) -> list[str]:
    """The name in letters as large as the free part of the screen allows."""
    room = screen.width - 4
    most = min(rows // (LARGER * ROWS), int(BESIDE * room) // max(1, width(name)))
    return titled(name, room, rows - ABOVE - 2, screen, most)


def _in_the_middle(shown: list[Row], rows: int) -> list[Row]:
    above = (rows - len(shown) + 1) // 2
    return [*[()] * above, *shown, *[()] * (rows - len(shown) - above)]


def _sheet(facts: Facts, view: View, rows: int, screen: Screen) -> list[Row]:
    """Facts in two columns about the middle; where nobody knows any, the other titles."""
    if not facts:
        room = screen.width - 4
        return [(("label", _centered(each[:room], screen)),) for each in view.titles[1:][:rows]]
    return sheet(facts, rows, screen.width - APART, screen.width // 2 - APART, screen)


def _centered(line: str, screen: Screen) -> str:
    """A row of letters in the middle of the screen."""
    return " " * ((screen.width - len(line)) // 2) + line.rstrip()
