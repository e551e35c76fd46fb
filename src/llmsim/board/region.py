"""The live region: rows below the log, rewritten in place. Lines are inserted above them.

The cursor rests at the start of the region's first row. Where the region ends at the bottom of
the screen, lines scroll in above it, and the region is not touched. Nothing is ever blank in
between: a row is overwritten, and what is left of it erased.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, count
from operator import ne

from llmsim.text.painting import Painted, Pieces, pieces, turned

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
    known, changed = _pieces(old), _pieces(new)
    text, place, size = "", 0, changed.ends[-1]
    for first, last in _joined(_differing(known, changed)):
        text += (f"\x1b[{first - place}C" if first > place else "") + _written(changed, first, last)
        place = last
    if size < known.ends[-1]:
        text += (f"\x1b[{size - place}C" if size > place else "") + ERASE_LINE
    return text


def _pieces(row: str) -> Pieces:
    """The pieces of a row."""
    known = row.pieces if isinstance(row, Painted) else None
    return known or _read(row)


@lru_cache(maxsize=32)  # lines of the log, which have their own colours
def _read(row: str) -> Pieces:
    """The pieces of a row by its escape codes."""
    parts, code = list[tuple[str, str]](), ""
    for part in ("m" + row).split("\x1b["):
        more, _, text = part.partition("m")
        code = "" if more == "0" else f"{code};{more}" if code and more else code or more
        if text:
            parts.append((code, text))
    return pieces(parts)


def _differing(before: Pieces, after: Pieces) -> Iterator[tuple[int, int]]:
    """The first cell and the one after the last of each part that differs."""
    (old_parts, old_ends), (new_parts, new_ends) = before, after
    end = min(old_ends[-1], new_ends[-1])
    one = other = next(compress(count(), map(ne, old_parts, new_parts)), len(new_parts) - 1)
    place = min(new_ends[other - 1] if other else 0, end)
    while place < end:
        (code, old), (new_code, new) = old_parts[one], new_parts[other]
        ends, new_end = old_ends[one], new_ends[other]
        until = min(new_end, ends)
        if code != new_code:
            yield place, until
        else:
            old = old[place - ends :][: until - place]
            new = new[place - new_end :][: until - place]
            if old != new:
                yield from _within(old, new, place)
        one += ends == until
        other += new_end == until
        place = until
    if place < new_ends[-1]:
        yield place, new_ends[-1]


def _within(old: str, new: str, place: int) -> Iterator[tuple[int, int]]:
    """The same of two texts of one length, which begin at a cell; close parts are joined."""
    differs = bytes(map(ne, old, new))
    first = differs.find(b"\1")
    while first >= 0:
        last = differs.find(_APART, first)
        if last < 0:
            last = differs.rindex(b"\1") + 1
        yield place + first, place + last
        first = differs.find(b"\1", last)


_APART = bytes(STEPPED + 1)  # cells that are the same


def _joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same parts, close ones joined."""
    found: list[tuple[int, int]] = []
    for first, last in runs:
        if found and first - found[-1][1] <= STEPPED:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def _written(row: Pieces, first: int, last: int) -> str:
    """The cells of a row, from one until another, as text with their colours."""
    text, number, before = "", bisect_right(row.ends, first), ""
    while first < last:
        end = min(row.ends[number], last)
        code, characters = row.parts[number]
        part = characters[first - row.ends[number] :][: end - first]
        text += f"{turned(before, code)}{part}"
        first, number, before = end, number + 1, code
    return text + turned(before, "")


def back(rows: int) -> str:
    """The text that moves the cursor up `rows` rows, to the start of the row."""
    return f"\r\x1b[{rows}A" if rows > 0 else "\r"
