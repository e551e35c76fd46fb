"""The live region: rows below the log, rewritten in place. Lines are inserted above them.

The cursor rests at the start of the region's first row. Where the region ends at the bottom of
the screen, lines scroll in above it, and the region is not touched. Nothing is ever blank in
between: a row is overwritten, and what is left of it erased.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, compress, count, repeat
from operator import ne

from llmsim.text.style import RESET

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"  # synchronized output: all or nothing is drawn
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
STEPPED = 5  # cells that are written again rather than stepped over: a step costs as much
MOST_SHIFT = 6  # rows that a part of a screen is scrolled by at once
LEAST_MARGIN = 2  # rows of a scrolling region, by DEC's manual of the VT510: DECSTBM


def redrawn(before: Sequence[str] | None, lines: Sequence[str], after: Sequence[str]) -> str:
    """What turns the rows `before` into the rows `after`, with new lines of the log above them.

    Without new lines only the rows that differ are written. After a resize it is unknown what
    is there: then `before` is None.
    """
    if before is not None and not lines and len(before) == len(after):
        return at_once(_differences(before, after))
    return at_once(_whole(lines, after))


def rolled(before: Sequence[str], after: Sequence[str]) -> str:
    """The same for rows that fill the screen from its first: what has moved up is scrolled."""
    first, last, shift = _moved(before, after)
    if not shift:
        return redrawn(before, (), after)
    text = f"\x1b[{first + 1};{last + shift}r\x1b[{last + shift};1H" + "\n" * shift
    known = [*before[:first], *before[first + shift : last + shift], *[""] * shift]
    return at_once(f"{text}\x1b[r\x1b[1;1H{_differences([*known, *before[last + shift :]], after)}")


def _moved(before: Sequence[str], after: Sequence[str]) -> tuple[int, int, int]:
    """The rows, from one until another, that have stood some rows lower before; else zeros."""
    best = 0, 0, 0
    for shift in range(1, MOST_SHIFT + 1):
        first = 0
        for row in range(len(after)):
            same = row + shift < len(before) and after[row] == before[row + shift]
            if not same or after[row] == before[row]:
                first = row + 1
            elif row + 1 - first > best[1] - best[0]:
                best = first, row + 1, shift
    return best if best[1] - best[0] >= LEAST_MARGIN else (0, 0, 0)


def at_once(text: str) -> str:
    """The text as one that a terminal draws at once, if it can."""
    return f"{BEGIN}{text}{END}" if text else ""


def cleared(lines: Sequence[str] = ()) -> str:
    """What takes the region away and leaves these lines in its place."""
    return "\r" + ERASE_BELOW + "".join(f"{line}\n" for line in lines)


def scrolled(lines: Sequence[str], above: int) -> str:
    """Lines at the end of the log, whose `above` rows end where a region at the bottom begins."""
    text = "".join(f"\n{line}" for line in lines)
    return f"\x1b[1;{above}r\x1b[{above};1H{text}\x1b[r\x1b[{above + 1};1H"


def overwritten(line: str, rows: int) -> str:
    """A line in the place of the region's first rows, as many as it takes; the cursor is below."""
    # Erased first: erasing behind a line would take the last character of a full one.
    below = f"\n{ERASE_LINE}" * (rows - 1) + (back(rows - 1) if rows > 1 else "")
    return f"\r{ERASE_LINE}{below}{line}\n"


def repainted(lines: Sequence[str], rows: Sequence[str]) -> str:
    """A whole screen from its first row on: the last lines of the log, and the region."""
    home = "\x1b[r\x1b[H"
    return home + _whole(lines, rows)


def replaced(rows: Sequence[str], height: int) -> str:
    """A whole screen of rows; what stood there goes into what has scrolled away."""
    return f"\x1b[r\x1b[{height};1H" + "\n" * height + repainted((), rows)


def _whole(lines: Sequence[str], rows: Sequence[str]) -> str:
    """Lines and rows in the place of whatever was there."""
    # Erased first: erasing behind a line would take the last character of one that is as
    # wide as the terminal, and miss a part of one that is wider.
    return cleared(lines) + "\n".join(rows) + back(len(rows) - 1)


def _differences(before: Sequence[str], after: Sequence[str]) -> str:
    text, place = "", 0
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            down = f"\x1b[{number - place}B" if number > place else ""
            text += f"{down}\r{_changes(old, new)}"
            place = number
    return text + back(place) if text else ""


def _changes(old: str, new: str) -> str:
    """What turns a row into another: the cells that differ, and what is too short to step over."""
    known, changed = _cells(old), _cells(new)
    text, at = "", 0
    for first, last in _runs(known, changed):
        text += (f"\x1b[{first - at}C" if first > at else "") + _written(changed[first:last])
        at = last
    if len(changed) < len(known):
        step = len(changed) - at
        text += (f"\x1b[{step}C" if step else "") + ERASE_LINE
    return text


Cell = tuple[str, str]  # the code of its colours, and its character


@lru_cache(maxsize=128)  # what a row has become is what it was at the next drawing
def _cells(row: str) -> tuple[Cell, ...]:
    """The cells of a painted row. Its pieces end where colours end; most are as they were."""
    return tuple(chain.from_iterable(map(_exploded, row.split(RESET))))


@lru_cache(maxsize=1024)
def _exploded(piece: str) -> tuple[Cell, ...]:
    """The cells of one piece."""
    plain, *coded = piece.split("\x1b[")
    found, code = [*zip(repeat(""), plain, strict=False)], ""
    for part in coded:
        more, _, text = part.partition("m")
        code = f"{code};{more}" if code else more
        found += zip(repeat(code), text, strict=False)
    return tuple(found)


def _runs(before: Sequence[Cell], after: Sequence[Cell]) -> list[tuple[int, int]]:
    """The first cell and the one after the last of each part that differs, close ones joined."""
    changed = compress(count(), map(ne, after, before))
    places = chain(changed, range(len(before), len(after)))
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and place - runs[-1][1] <= STEPPED:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return runs


def _written(run: Sequence[Cell]) -> str:
    """Cells as text with their colours."""
    text, current = "", ""
    for code, character in run:
        if code != current:
            # A code only adds: what was there has to end first.
            text += (RESET if current else "") + (f"\x1b[{code}m" if code else "")
            current = code
        text += character
    return text + (RESET if current else "")


def back(rows: int) -> str:
    """The text that moves the cursor up `rows` rows, to the start of the row."""
    return f"\r\x1b[{rows}A" if rows > 0 else "\r"
