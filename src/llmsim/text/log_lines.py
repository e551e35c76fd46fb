"""Lines of a log as a terminal shows them."""

from collections.abc import Iterable, Sequence

from llmsim.text.style import cells

TAB = 8  # cells from one tab stop to the next


def single(texts: Iterable[str]) -> list[str]:
    """The lines of some texts, blanks in place of their tabs: a tab skips cells, and what stood
    there before stays.
    """
    return [
        _untabbed(line) if "\t" in line else line for text in texts for line in text.split("\n")
    ]


def _untabbed(line: str) -> str:
    """The line with blanks up to each tab stop."""
    first, *others = line.split("\t")
    for part in others:
        first += " " * (TAB - cells(first) % TAB) + part
    return first


def rows_for(lines: Sequence[str], width: int) -> int:
    """The rows that lines take on a terminal, which wraps what is wider than it is."""
    return sum(max(1, -(-cells(line) // width)) for line in lines)
