"""What a dialect makes of an event: lines that stay and bars that are rewritten."""

from typing import NamedTuple


class Line(NamedTuple):
    """A line that stays."""

    text: str


class Bar(NamedTuple):
    """A line that the next one of its kind, or any other, replaces."""

    text: str
    task: str
    fraction: float  # 0 .. 1; a pipe shows a bar once per notch of this
