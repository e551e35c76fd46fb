"""The parameters of the page's address that are the page's own: Python knows nothing of them.

web/address.js leaves them out of what it sends to Python, and docs/options.md lists them. The ones
that are options of a terminal, too, have the option's name.
"""

from llmsim.options.table import OPTIONS
from llmsim.text.themes import THEMES
from llmsim.text.wording import either

# Name, value and meaning.
OWN: tuple[tuple[str, str, str], ...] = (
    ("theme", either(THEMES), "the colours of page and log; the button `theme` sets them, too"),
    (
        "type",
        "1",
        "each key prints the next line, Esc ends the typing; the same as the button `type`",
    ),
    ("paused", "1", "the first run begins paused; a link of a paused show has this parameter"),
    (
        "at",
        "as for `from`",
        "the first run begins at this moment; the button `share` makes such links",
    ),
    ("kiosk", "1", "the page hides controls, pointer and greeting; the screen stays on"),
    ("background", "transparent", "no background, so that OBS shows the picture behind the text"),
    (
        "boot",
        "micropip",
        "the page's Python (Pyodide) starts in its usual way, which is slower",
    ),
)


def named(option: str) -> bool:
    """Whether an option, by its name, is a parameter of the page: Python's or the page's own."""
    return option in {name for name, _, _ in OWN} or any(
        each.in_url and each.name == option for each in OPTIONS
    )
