"""Where lines go: how wide it is and what it can show."""

from collections.abc import Mapping

from llmsim.typed import NamedTuple

NARROWEST = 20
WIDEST = 400
PIPE_WIDTH = 200  # a pipe has no edge: a line tells all
TRUECOLOR = 2**24


class Screen(NamedTuple):
    """Size in cells, and what may be written: colours, characters beyond ASCII, rewritten lines."""

    width: int
    height: int
    color: bool
    unicode: bool
    live: bool  # a terminal, where progress bars rewrite their line; a pipe has notches instead
    colors: int = 256  # how many there are, if there are any: 16, 256 or TRUECOLOR


def fitted(width: int) -> int:
    """The width to lay out for; outside 20..400 the nearest of these."""
    return min(max(width, NARROWEST), WIDEST)


def blank_row(screen: Screen) -> str:
    """What empties the last row, the cursor's, and leaves the cursor at its start."""
    # "Erase below" also takes what a terminal that became narrower has wrapped. Without
    # colours there is no escape code either: blanks do it, as in tqdm.
    return "\r\x1b[0m\x1b[J" if screen.color else "\r" + " " * (screen.width - 1) + "\r"


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


def color_count(environment: Mapping[str, str]) -> int:
    """How many colours the terminal knows: COLORTERM first, then TERM; FORCE_COLOR=1 means 16.

    16 is what a terminal has that says nothing; FORCE_COLOR=2 means 256 and 3 true colour.
    """
    forced = {"1": 16, "2": 256, "3": TRUECOLOR}.get(environment.get("FORCE_COLOR", ""))
    if forced:
        return forced
    term = environment.get("TERM", "")
    if environment.get("COLORTERM") in ("truecolor", "24bit") or term.endswith("-direct"):
        return TRUECOLOR
    return 256 if "256color" in term else 16
