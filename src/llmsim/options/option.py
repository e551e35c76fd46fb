"""The record of an option: one row of the table."""

from collections.abc import Callable

from llmsim.typed import NamedTuple


class Option(NamedTuple):
    """A row of the table; without a metavar it is a switch. For `parse` see options/parsing.py."""

    name: str
    parse: Callable[[str], object]
    expected: str  # what a right value is: completes "give ..."
    meaning: str
    default: str
    metavar: str
    short: str | None = None
    names_job: bool = False  # whether the command that repeats a run must have it
    page_default: str = ""  # the default in the page, if it differs
    infinite: str = ""  # the text that means infinity, if a value may be infinite
    in_url: bool = True  # whether it makes sense in a page
    in_config: bool = True  # whether it makes sense as a default, in the file or a variable
    repeats: bool = False  # whether it may be given several times, and each time counts

    @property
    def defaults(self) -> str:
        """The default as docs and --help show it, with that of the page if it differs."""
        return self.default + f", in a browser {self.page_default}" * bool(self.page_default)
