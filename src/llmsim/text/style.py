"""Colour by meaning. A line is spans of (role, text), and this is the one table of roles.

Each role has a hue, and each hue a code for whatever number of colours a terminal has. Text must
be readable on light and on dark backgrounds, so hues are of middle lightness: their contrast with
white and with black is at least 3. Heat is shown by filled cells and may have any lightness.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from llmsim.text.screen import TRUECOLOR, Screen
from llmsim.text.themes import (
    BASIC,
    THEMES,
    basic,
    cube,
    glowing,
    ground,
    has_own_colours,
    mixed,
    of_cube,
    replaces_own,
    themed,
)
from llmsim.typed import NamedTuple

Span = tuple[str, str]  # role, text
Row = tuple[Span, ...]
Rgb = tuple[int, int, int]

RESET = "\x1b[0m"
BOLD, FAINT, ITALIC, REVERSE = "1", "2", "3", "7"  # SGR codes that need no colour


class Hue(NamedTuple):
    """A colour in true colour, its number among the 256, and the SGR code for the sixteen."""

    rgb: Rgb
    cube: int
    basic: int


# Among sixteen colours red is for trouble alone. Red and blue are the bright ones, since the others
# can hardly be read on black.
HUES = {
    "green": Hue((0, 158, 96), 29, 32),
    "teal": Hue((0, 152, 164), 30, 36),
    "blue": Hue((48, 138, 240), 33, 94),
    "violet": Hue((146, 108, 255), 99, 35),
    "amber": Hue((198, 132, 0), 136, 33),
    "orange": Hue((232, 96, 24), 166, 33),
    "vermilion": Hue((232, 96, 24), 166, 33),
    "red": Hue((240, 78, 84), 167, 91),
    "glow": Hue((255, 36, 44), 196, 91),
    "grey": Hue((132, 134, 138), 102, 90),
    "dim": Hue((128, 128, 128), 244, int(FAINT)),
}
# What has the terminal's own colour of text, on a screen of one colour.
TEXT = Hue((225, 225, 225), 254, 97)
# The terminal's own colours, which its theme chooses, however many others it has.
OWN = {"red": 31, "green": 32, "yellow": 33, "magenta": 35, "cyan": 36}
# What stands in for them where our own theme knows the ground.
OWN_HUES = {
    "red": "red", "green": "green", "yellow": "amber", "magenta": "violet", "cyan": "teal",
}  # fmt: skip

# Each role's hue and its further SGR codes.
ROLES: dict[str, tuple[str, str]] = {
    "title": ("", BOLD),
    "number": ("", BOLD),
    # The log, in the manner of torchtitan's metrics line (green loss, orange gradient norm,
    # turquoise memory, blue throughput, magenta MFU) and of Python loggers (yellow warnings,
    # red errors).
    "time": ("dim", ""),
    "muted": ("dim", ""),
    "name": ("own cyan", ""),
    "step": ("own cyan", BOLD),
    "loss": ("own green", ""),
    "perplexity": ("green", ""),
    "gradient": ("vermilion", ""),
    "rate": ("amber", ""),
    "throughput": ("blue", ""),
    "memory": ("teal", ""),
    "mfu": ("own magenta", ""),
    "good": ("own green", BOLD),
    "warning": ("own yellow", ""),
    "alarm": ("own red", ""),
    "error": ("own red", BOLD),
    "prompt": ("own green", BOLD),
    "joke": ("amber", ITALIC),
    # The board.
    "label": ("grey", ""),
    "track": ("grey", FAINT),
    "progress": ("blue", ""),
    "curve": ("green", ""),
    "busy": ("green", ""),
    "waiting": ("amber", ""),
    "idle": ("grey", ""),
    "filled": ("blue", ""),
    "cool": ("teal", ""),
    "warm": ("orange", ""),
    "hot": ("red", BOLD),
    "power": ("violet", ""),
    "launch": ("blue", BOLD),
    "training": ("green", BOLD),
    "validation": ("violet", BOLD),
    "checkpoint": ("amber", BOLD),
    "export": ("teal", BOLD),
    "save": ("amber", FAINT),
    "failure": ("red", BOLD),
    # What must be seen from the other end of a room, and on a screen of one colour: a filled band.
    "down": ("red", f"{BOLD};{REVERSE}"),
    "stopped": ("amber", f"{BOLD};{REVERSE}"),
    "outage": ("amber", BOLD),
    "relaunch": ("blue", BOLD),
}
FILLED = frozenset(role for role, (_, more) in ROLES.items() if REVERSE in more.split(";"))
LOG_COLORS = 256  # The log has no true colour, since real loggers have none.

# Cells of the heat map from cool to hot, in as many steps as the terminal's colours allow. The
# hottest glow: they are lighter than all others.
HEAT_STOPS: Sequence[Rgb] = (
    (26, 44, 108), (24, 92, 160), (18, 140, 150), (56, 160, 98), (206, 156, 44),
    (238, 96, 40), (255, 70, 62), (255, 214, 170),
)  # fmt: skip
HEAT_256 = (18, 25, 25, 31, 30, 36, 35, 71, 107, 178, 172, 202, 202, 203, 223)
# On white the hottest are the darkest reds: the lightest would look like holes.
STOPS_ON_WHITE: Sequence[Rgb] = (*HEAT_STOPS[:-1], (150, 0, 44))
RAMP_ON_WHITE = (*HEAT_256[:-2], 160, 88)
HEAT_16 = (34, 36, 32, 33, 31)
ASH_16 = (34, 36, 32, 33, 33)  # of the cells around one that glows, which alone is red
HEAT_STEPS = 8  # as many as the key has cells
ASH = 0.45  # of a cell's hue is left where another cell is the one to look at

# A shade of a hue, from 0 at the ground to the highest at its graph: what fills a graph. Its share
# of the hue; the rest is the ground's. With fewer colours faint text mixes them.
SHADES = (0.28, 0.35, 0.43, 0.52, 0.62, 0.73, 0.85, 1.0)


# --- codes ---------------------------------------------------------------------------------


def heat(share: float) -> str:
    """The role of a cell this far, 0 .. 1, on the way from cool to hot."""
    return f"heat{round(min(max(share, 0.0), 1.0) * (HEAT_STEPS - 1))}"


def has_shades(screen: Screen) -> bool:
    """Whether a cell can be filled with its heat: where there are sixteen colours what is well has
    but two of them, and needs shades of these.
    """
    return screen.color and screen.colors > BASIC


def ash(share: float) -> str:
    """The role of a cell this far, 0 .. 1, from cool to hot where another one is the one to
    look at: near the ground, so that that one glows.
    """
    return f"ash{round(min(max(share, 0.0), 1.0) * (HEAT_STEPS - 1))}"


def _heat_hue(step: int, theme: str) -> Hue:
    if not has_own_colours(theme):
        color, ramp = glowing(step / (HEAT_STEPS - 1), theme)
        return Hue(color, _of_ramp(ramp, step), HEAT_16[0])
    white = theme == "light"
    stops, ramp = (STOPS_ON_WHITE, RAMP_ON_WHITE) if white else (HEAT_STOPS, HEAT_256)
    place = step / (HEAT_STEPS - 1) * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    color = mixed(stops[index], stops[index + 1], place - index)
    return Hue(color, _of_ramp(ramp, step), _of_ramp(HEAT_16, step))


def _of_ramp(ramp: Sequence[int], step: int) -> int:
    """The colour of a step of heat."""
    return ramp[round(step * (len(ramp) - 1) / (HEAT_STEPS - 1))]


def _hue(name: str, theme: str) -> Hue:
    if name == "text":
        return TEXT
    if name.startswith("heat"):
        return _heat_hue(int(name[4:]), theme)
    if name.startswith("ash"):
        step, own = int(name[3:]), has_own_colours(theme)
        like = THEMES[0] if own and theme != "light" else theme
        rgb = mixed(ground(like), _heat_hue(step, like).rgb, ASH)
        number = cube(rgb) if own else _heat_hue(min(step // 3, 1), like).cube
        return Hue(rgb, number, _of_ramp(ASH_16, step))
    return HUES[name]


def _foreground(name: str, colors: int, theme: str) -> str:
    """The SGR code of a hue, of a colour of the terminal's own, or of a step of heat."""
    if name.startswith("own "):
        own = name[4:]
        if not replaces_own(theme, colors):
            return str(basic(OWN[own], theme))
        name = OWN_HUES[own]
    hue = _hue(name, theme)
    # Heat fills whole cells: it needs no contrast with the ground, and keeps its colours.
    rgb = themed(hue.rgb, theme)
    filled = name.startswith(("heat", "ash")) or (name == "glow" and has_own_colours(theme))
    if colors >= TRUECOLOR:
        return "38;2;{};{};{}".format(*(hue.rgb if filled else rgb))
    if colors >= 256:
        return f"38;5;{hue.cube if filled or theme == THEMES[0] else of_cube(name, rgb, theme)}"
    return str(basic(hue.basic, THEMES[0] if filled and theme == "light" else theme))


def _background(name: str, colors: int, theme: str) -> str:
    code = _foreground(name, colors, theme)
    return f"48{code[2:]}" if code.startswith("38;") else str(int(code) + 10)


def shade(hue: str, share: float) -> str:
    """The role of what fills a graph of a hue, this far, 0 .. 1, above the ground."""
    return f"shade{round(min(max(share, 0.0), 1.0) * (len(SHADES) - 1))} {hue}"


def _shaded(role: str, colors: int, theme: str) -> str:
    """The SGR code of a shade."""
    if not colors:
        return ""
    part, hue = SHADES[int(role[5])], role[7:]
    if colors < TRUECOLOR:
        weight = f"{FAINT};" if part < 0.7 else ""
        return weight + _foreground(hue, colors, theme)
    return "38;2;{};{};{}".format(*mixed(ground(theme), themed(HUES[hue].rgb, theme), part))


@lru_cache(maxsize=1024)
def code(role: str, colors: int, theme: str = "auto") -> str:
    """The SGR code of a role, of heat ("heat7"), of heat on heat ("heat7 on heat9"), or of a
    shade ("shade3 green").

    Without colours (0) only bold, faint and italic are left.
    """
    if role.startswith("shade"):
        return _shaded(role, colors, theme)
    front, _, back = role.partition(" on ")
    hue, weight = ROLES.get(front, (front, ""))
    if not hue and not has_own_colours(theme):
        hue = "text"
    if weight == FAINT and hue and colors >= TRUECOLOR and theme != THEMES[0]:
        # The ground is known: a mixture is faint in every terminal, SGR 2 only in some.
        faint = mixed(themed(_hue(hue, theme).rgb, theme), ground(theme), 0.5)
        return "38;2;{};{};{}".format(*faint)
    codes = [weight] if weight else []
    if hue and colors:
        codes.append(_foreground(hue, colors, theme))
    if back and colors:
        codes.append(_background(back, colors, theme))
    return ";".join(codes)


# --- spans ---------------------------------------------------------------------------------


def length(spans: Iterable[Span]) -> int:
    """Cells the spans take. All our characters are one cell wide."""
    cells = 0
    for _, text in spans:  # a loop, since most clauses have one span: sum() takes twice as long
        cells += len(text)
    return cells


def clipped(spans: Sequence[Span], width: int, ellipsis: str) -> Sequence[Span]:
    """The spans, cut to the width with an ellipsis where they are longer."""
    if length(spans) <= width:
        return spans
    kept: list[Span] = []
    room = width - len(ellipsis)
    for role, text in spans:
        kept.append((role, text[:room]))
        room -= len(text)
        if room <= 0:
            break
    return [*kept, ("muted", ellipsis)]


def cells(text: str) -> int:
    """The cells that a painted line takes, without its escape codes."""
    plain, *coded = text.split("\x1b")
    return len(plain) + sum(len(part.partition("m")[2]) for part in coded)


def cut(text: str, width: int) -> str:
    """A painted line, cut to the width; its escape codes take no cells and stay."""
    kept, used = "", 0
    for number, part in enumerate(text.split("\x1b")):
        code, letter, shown = part.partition("m") if number else ("", "", part)
        kept += ("\x1b" + code + letter if number else "") + shown[: max(0, width - used)]
        used += len(shown)
    return kept


def shortened(text: str, width: int, unicode: bool) -> str:
    """A painted line that ends in an ellipsis where it is wider."""
    return text if cells(text) <= width else cut(text, width - 1) + ("…" if unicode else ">")


def merged(spans: Sequence[Span]) -> Iterator[Span]:
    """The spans; neighbours with the same role are joined."""
    role, text = "", ""
    for next_role, next_text in spans:
        if next_role != role and text:
            yield role, text
            text = ""
        role, text = next_role, text + next_text
    yield role, text


def colored(spans: Iterable[Span], colors: int, theme: str = "auto") -> str:
    """The spans as text with escape codes for this number of colours."""
    parts, codes = [], _codes(colors, theme)
    for role, text in spans:
        begin = codes.get(role)
        if begin is None:
            sgr = code(role, colors, theme)
            begin = codes[role] = f"\x1b[{sgr}m" if sgr else ""
        parts.append(f"{begin}{text}\x1b[0m" if begin else text)
    return "".join(parts)


@lru_cache(maxsize=16)
def _codes(colors: int, theme: str) -> dict[str, str]:
    """The sequences that begin the roles which were painted with this number of colours.

    The two name the dictionary; roles are few, but pairs of heat a few hundred.
    """
    return {"": ""} if not colors or has_own_colours(theme) else {}


MOST_TEMPLATES = 512  # that are kept: a log has some dozens


@lru_cache(maxsize=16)
def _templates(colors: int, theme: str) -> dict[tuple[str, ...], str]:
    """By the roles of a line's spans: the line's codes, with a place for the text of each span."""
    del colors, theme  # they name the dictionary
    return {}


def paint(spans: Sequence[Span], screen: Screen) -> str:
    """A line of the log for the screen: fitted to its width, coloured if it has colours."""
    return paint_whole(clipped(spans, screen.width, "…" if screen.unicode else ">"), screen)


def paint_whole(spans: Sequence[Span], screen: Screen) -> str:
    """A line of the log for the screen, whose width it is known to fit."""
    if not screen.color or not spans:
        return "".join([text for _, text in spans])
    roles, texts = zip(*spans, strict=True)
    templates = _templates(min(screen.colors, LOG_COLORS), screen.theme)
    template = templates.get(roles)
    if template is None:
        if len(templates) >= MOST_TEMPLATES:
            templates.clear()
        shape = [(role, "%s") for role in roles]
        template = templates[roles] = colored(shape, min(screen.colors, LOG_COLORS), screen.theme)
    return template % texts
