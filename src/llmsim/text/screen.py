"""The screen: its size, its colours and its characters."""

from collections.abc import Mapping

from llmsim.typed import NamedTuple

NARROWEST = 20
WIDEST = 400
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
PIPE_WIDTH = 200  # cells; a pipe has no edge, so that lines are shown in full
TRUECOLOR = 2**24


class Screen(NamedTuple):
    """A screen's size in cells, and its abilities: colours, characters beyond ASCII, rewritten
    lines.
    """

    width: int
    height: int
    color: bool
    unicode: bool
    live: bool  # a terminal, where progress bars rewrite their line; a pipe has notches instead
    colors: int = 256  # the number of colours, if `color`: 16, 256 or TRUECOLOR
    theme: str = "auto"  # how the hues look: one of text/themes.py


def fitted(width: int) -> int:
    """The width for which lines are laid out: `width` limited to 20..400."""
    return min(max(width, NARROWEST), WIDEST)


def blank_row(screen: Screen) -> str:
    """The text that empties the cursor's row and leaves the cursor at its start."""
    # "Erase below" also removes the rows into which a narrower terminal has wrapped the line.
    # Without colours no escape code is used: blanks overwrite the row, as in tqdm.
    return "\r\x1b[0m\x1b[J" if screen.color else "\r" + " " * (screen.width - 1) + "\r"


def emptied(screen: Screen) -> str:
    """What empties a terminal's screen; what has left it at the top stays."""
    return "\x1b[H\x1b[J" if screen.live and screen.color else ""


def wants_color(choice: str, environment: Mapping[str, str], terminal: bool) -> bool:
    """Whether to colour: --color first, then NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM, CLICOLOR.

    NO_COLOR counts when not empty (no-color.org); FORCE_COLOR and CLICOLOR_FORCE when
    neither empty nor 0; then a terminal that is not "dumb" is coloured, unless CLICOLOR=0.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    forced = ("FORCE_COLOR", "CLICOLOR_FORCE")
    if any(environment.get(name, "0") not in ("", "0") for name in forced):
        return True
    if environment.get("TERM") == "dumb" or environment.get("CLICOLOR") == "0":
        return False
    return terminal


def theme_of(choice: str, environment: Mapping[str, str]) -> str:
    """The theme: of a terminal that says that its ground is light, `light` unless one was chosen.

    COLORFGBG, which rxvt, Konsole and others set, ends in the number of the ground's colour: 7 and
    15 are whites.
    """
    last = environment.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if choice == "auto" and last in ("7", "15") else choice


def color_count(environment: Mapping[str, str]) -> int:
    """How many colours the terminal knows: COLORTERM first, then TERM; FORCE_COLOR=1 means 16.

    A terminal without these variables has 16. FORCE_COLOR=2 means 256, and 3 true colour.
    """
    forced = {"1": 16, "2": 256, "3": TRUECOLOR}.get(environment.get("FORCE_COLOR", ""))
    if forced:
        return forced
    term = environment.get("TERM", "")
    if environment.get("COLORTERM") in ("truecolor", "24bit") or term.endswith("-direct"):
        return TRUECOLOR
    return 256 if "256color" in term else 16
