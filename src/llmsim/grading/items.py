"""What is judged: one expression of a file."""

from llmsim.typed import Literal, NamedTuple

Kind = Literal["alert", "record", "panel", "variable"]


class Item(NamedTuple):
    """One expression of a file."""

    file: str
    kind: Kind
    name: str  # an alert's or a record's, or a panel's title
    expression: str
    seconds: float = 0.0  # that an alert waits (`for`)
    written: str = ""  # the expression as it stands in the file
