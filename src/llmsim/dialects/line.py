"""What a dialect makes of an event: lines that stay and bars that are rewritten."""

from llmsim.typed import NamedTuple


class Line(NamedTuple):
    """A line that stays."""

    text: str


class Bar(NamedTuple):
    """A line that the next bar replaces and that lines are printed above; a full one stays."""

    text: str
    task: str
    fraction: float  # 0 .. 1; a pipe shows a bar once per notch of this
