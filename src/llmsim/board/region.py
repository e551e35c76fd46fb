"""The live region: rows below the log, rewritten in place. Lines are inserted above them.

The cursor rests at the start of the region's first row. Where the region ends at the bottom of
the screen, lines scroll in above it, and the region is not touched. Nothing is ever blank in
between: a row is overwritten, and what is left of it erased.
"""

from collections.abc import Sequence

from llmsim.text.style import RESET, cells

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"  # synchronized output: all or nothing is drawn
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
LEAST_MARGIN = 2  # rows of a scrolling region, by DEC's manual of the VT510: DECSTBM


def redrawn(before: Sequence[str] | None, lines: Sequence[str], after: Sequence[str]) -> str:
    """What turns the rows `before` into the rows `after`, with new lines of the log above them.

    Without new lines only the rows that differ are written. After a resize it is unknown what
    is there: then `before` is None.
    """
    if before is not None and not lines and len(before) == len(after):
        return at_once(_differences(before, after))
    return at_once(_whole(lines, after))


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
    """What turns a row into another, from the first piece on that differs.

    A piece ends where colours end, so that none loses its own.
    """
    before, after = old.split(RESET), new.split(RESET)
    same = _alike(before[:-1], after[:-1])
    kept = sum(map(cells, after[:same]))
    text = RESET.join(after[same:])
    if cells(old) == cells(new):
        ending = _alike(before[same:][::-1], after[same:][::-1])
        left = after[same : len(after) - ending]
        text = "".join(piece + RESET for piece in left) if ending else text
    else:
        text += ERASE_LINE
    return (f"\x1b[{kept}C" if kept else "") + text


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    """How many pieces are equal, from the first on."""
    pairs = enumerate(zip(some, others, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(some), len(others)))


def back(rows: int) -> str:
    """The text that moves the cursor up `rows` rows, to the start of the row."""
    return f"\r\x1b[{rows}A" if rows > 0 else "\r"
