"""The rows of a board as text with escape codes, painted and kept from drawing to drawing."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate

from llmsim.text.screen import Screen
from llmsim.text.style import RESET, Row, code
from llmsim.text.themes import has_own_colours
from llmsim.typed import NamedTuple


class Pieces(NamedTuple):
    """A painted row in pieces of one colour: the code of each with its text, and the cell after it.
    The last piece is empty.
    """

    parts: tuple[tuple[str, str], ...]
    ends: tuple[int, ...]


def pieces(parts: Iterable[tuple[str, str]]) -> Pieces:
    """The pieces of these codes and texts."""
    parts = (*parts, ("", ""))
    return Pieces(parts, (*accumulate([len(text) for _, text in parts]),))


class Painted(str):
    """A row as text with escape codes, which knows its pieces: who compares two rows does not have
    to read them. None: a line of the log in it has codes of its own.
    """

    pieces: Pieces | None = None


def painted(row: Row, screen: Screen) -> Painted:
    """A row of the board for the screen; without colours only bold and faint are left.

    Neighbours with one code are under it together.
    """
    colors, theme = screen.colors if screen.color else 0, screen.theme
    codes, parts, current, joined = _sgr(colors, theme), list[tuple[str, str]](), "", ""
    for role, text in row:
        sgr = codes.get(role)
        if sgr is None:
            sgr = codes[role] = code(role, colors, theme)
        if sgr == current:
            joined += text
        elif text:
            if joined:
                parts.append((current, joined))
            current, joined = sgr, text
    if joined:
        parts.append((current, joined))
    whole = Painted("".join([f"\x1b[{sgr}m{text}{RESET}" if sgr else text for sgr, text in parts]))
    if not any("\x1b" in text for _, text in parts):
        whole.pieces = pieces(parts)
    return whole


@lru_cache(maxsize=16)
def _sgr(colors: int, theme: str) -> dict[str, str]:
    """The codes of the roles that were painted with this number of colours. The two name the
    dictionary; roles are few, but pairs of heat a few hundred.
    """
    return {"": ""} if not colors or has_own_colours(theme) else {}


@lru_cache(maxsize=4096)
def turned(before: str, code: str) -> str:
    """The shortest escape code after which text has one code in the place of another."""
    old, new = _parts(before), _parts(code)
    if not old.keys() <= new.keys():  # a code only adds: what was there has to end first
        return f"\x1b[0;{code}m" if code else RESET
    changed = [part for kind, part in new.items() if old.get(kind) != part]
    return f"\x1b[{';'.join(changed)}m" if changed else ""


def _parts(code: str) -> dict[str, str]:
    """The parts of a code by what each is about."""
    found, numbers = dict[str, str](), code.split(";") if code else []
    while numbers:
        first = numbers[0]
        size = {"2": 5, "5": 3}[numbers[1]] if first in ("38", "48") else 1
        found[_ABOUT.get(int(first) // 10, first)] = ";".join(numbers[:size])
        numbers = numbers[size:]
    return found


# What the codes of a ten are about; below ten each one is about something else.
_ABOUT = {3: "front", 9: "front", 4: "back", 10: "back"}


class Painter:
    """Paints the rows of a drawing. Most are what they were in the last one, and stay as text."""

    def __init__(self) -> None:
        """Nothing has been painted yet."""
        self._last: tuple[Screen | None, list[Row], list[Painted]] = (None, [], [])

    def paint(self, rows: list[Row], screen: Screen) -> list[Painted]:
        """The rows as text, from the top down."""
        before, known, texts = self._last
        if before != screen or len(known) != len(rows):
            known, texts = [()] * len(rows), [painted((), screen)] * len(rows)
        shown = [
            text if row == old else painted(row, screen)
            for row, old, text in zip(rows, known, texts, strict=True)
        ]
        self._last = screen, rows, shown
        return shown
