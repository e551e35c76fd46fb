"""The live region: rows below the log, rewritten in place. Lines are inserted above them.

The cursor rests at the start of the region's first row. So "erase below" takes the whole
region away, whatever a resize has made of its rows, and no scroll region is needed.
"""

from collections.abc import Sequence

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"  # synchronized output: all or nothing is drawn
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"


def redrawn(before: Sequence[str] | None, lines: Sequence[str], after: Sequence[str]) -> str:
    """What turns the rows `before` into the rows `after`, with new lines of the log above them.

    Without new lines only the rows that differ are written. After a resize it is unknown what
    is there: then `before` is None.
    """
    if before is not None and not lines and len(before) == len(after):
        text = _differences(before, after)
    else:
        text = _whole(lines, after)
    return f"{BEGIN}{text}{END}" if text else ""


def cleared(lines: Sequence[str] = ()) -> str:
    """What takes the region away and leaves these lines in its place."""
    return "\r" + ERASE_BELOW + "".join(f"{line}\n" for line in lines)


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
            text += f"{down}\r{new}{ERASE_LINE}"
            place = number
    return text + back(place) if text else ""


def back(rows: int) -> str:
    """The text that moves the cursor up `rows` rows, to the start of the row."""
    return f"\r\x1b[{rows}A" if rows > 0 else "\r"
