"""Themes: how the hues of the one table look on a dark or a light screen, or as an old terminal.

A theme changes each hue, never what a hue means. `auto` leaves them as they are: of middle
lightness, readable on both grounds.
"""

from collections.abc import Callable

Rgb = tuple[int, int, int]

THEMES = ("auto", "dark", "light", "contrast", "phosphor", "amber")
_PHOSPHOR, _AMBER = (92, 255, 128), (255, 176, 48)
BASIC = 16  # colours of a terminal that has the fewest
_PLAIN = {"phosphor": 32, "amber": 33}  # SGR codes where there are only sixteen colours
# The same on white: the terminal's own ink for green, blue for teal, magenta for amber, and grey
# for faint text.
_ON_WHITE = {32: 39, 36: 34, 33: 35, 91: 31, 2: 90}
_DARK = (2, 90)  # SGR codes of faint text and of the grey of sixteen colours
# Reds stay brighter than all else where there is but one colour: what is wrong must be seen.
_LEAST, _MOST = 0.38, 1.0
_STEPS = (0, 95, 135, 175, 215, 255)  # of a part of a colour in xterm's cube
# Cells of a heat map of one colour: the coolest one's part of it, and what the 256 have between it
# and the hottest. What is well has its place in the middle: there they differ.
_COOLEST = 0.16
_RAMPS = {
    "phosphor": (22, 28, 34, 71, 77, 83, 120),
    "amber": (58, 94, 136, 172, 214, 221, 223),
}
_GREY = 16  # between the least and the most of a colour's parts, of what counts as grey
_LIGHT = 0.66  # of the theme `contrast`: 7 to 1 on black


def mixed(color: Rgb, other: Rgb, share: float) -> Rgb:
    """A colour with this share, 0 .. 1, of another."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _lightness(color: Rgb) -> float:
    """How light a colour is, 0 .. 1 (the weights of ITU-R BT.709)."""
    red, green, blue = color
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def _one_colour(ink: Rgb) -> Callable[[Rgb], Rgb]:
    def shade(color: Rgb) -> Rgb:
        red, green, _ = color
        alarm = 0.35 if red > 1.6 * green else 0.0
        share = min(_MOST, _LEAST + 0.9 * _lightness(color) + alarm)
        return mixed((0, 0, 0), ink, share)

    return shade


def _vivid(color: Rgb) -> Rgb:
    """The colour as far from grey as it goes, and lighter; a grey stays one."""
    least, most = min(color), max(color)
    spread = most - least
    red, green, blue = (
        round(255 * (part - least) / spread) if spread > _GREY else 0 for part in color
    )
    lightness = _lightness((red, green, blue))
    missing = max(0.0, (_LIGHT - lightness) / (1.0 - lightness))
    return mixed((red, green, blue), (255, 255, 255), missing)


_CHANGES: dict[str, Callable[[Rgb], Rgb]] = {
    "dark": lambda color: mixed(color, (255, 255, 255), 0.24),
    "light": lambda color: mixed(color, (0, 0, 0), 0.3),
    "contrast": _vivid,
    "phosphor": _one_colour(_PHOSPHOR),
    "amber": _one_colour(_AMBER),
}


def themed(color: Rgb, theme: str) -> Rgb:
    """A colour as a theme shows it."""
    change = _CHANGES.get(theme)
    return change(color) if change else color


def glowing(share: float, theme: str) -> tuple[Rgb, tuple[int, ...]]:
    """A cell this far, 0 .. 1, on the way from cool to hot on a screen of one colour, and what the
    256 colours have for all cells.
    """
    ink = _PHOSPHOR if theme == "phosphor" else _AMBER
    return mixed((0, 0, 0), ink, _COOLEST + (1.0 - _COOLEST) * share), _RAMPS[theme]


def ground(theme: str) -> Rgb:
    """What a theme's screen is like where nothing stands: where nobody knows it, dark."""
    return (250, 250, 248) if theme == "light" else (8, 10, 14)


# What is taken of the 256 colours where the nearest is of another hue: to a dark green a teal, as
# to the dark teal itself, to a violet a blue, and to a dark red one that is too pale on white.
_OF_CUBE = {("light", "green"): 28, ("light", "red"): 160, ("light", "violet"): 92}


def of_cube(name: str, color: Rgb, theme: str) -> int:
    """The number among the 256 of a hue that a theme shows as this colour."""
    return _OF_CUBE.get((theme, name)) or cube(color)


def cube(color: Rgb) -> int:
    """The nearest of the 6 x 6 x 6 colours among the 256."""
    red, green, blue = (
        min(range(len(_STEPS)), key=lambda step: abs(_STEPS[step] - part)) for part in color
    )
    return 16 + 36 * red + 6 * green + blue


def basic(code: int, theme: str) -> int:
    """One of the sixteen colours as a theme shows it; `code` is its SGR code, or that of faint
    text: on the Linux console this and the grey are too dark for the theme `contrast`.
    On white the green, yellow and cyan of most terminals can hardly be read.
    """
    if theme == "light":
        return _ON_WHITE.get(code, code)
    if theme == "contrast":
        return code + 60 if 30 <= code <= 37 else 37 if code in _DARK else code
    return _PLAIN.get(theme, code)


def has_own_colours(theme: str) -> bool:
    """Whether the terminal's own colours stay: a screen of one colour has none beside it."""
    return theme not in _PLAIN


def replaces_own(theme: str, colors: int) -> bool:
    """Whether hues stand in for the terminal's own colours, which may be too pale for the ground
    that a theme knows; of sixteen colours there are no others.
    """
    return theme != THEMES[0] and (colors > BASIC or not has_own_colours(theme))
