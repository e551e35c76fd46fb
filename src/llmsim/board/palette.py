"""Colours of the board, by what they mean, for whatever number of colours a terminal has.

Text must be readable on light and on dark backgrounds, so its colours are of middle lightness:
contrast with white and with black is at least 3. Heat is shown by filled cells and may be any.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from llmsim.text.screen import TRUECOLOR, Screen

Span = tuple[str, str]  # style, text
Row = tuple[Span, ...]
Rgb = tuple[int, int, int]

# What a hue is as true colour, in the cube of 256 and among the sixteen.
HUES: dict[str, tuple[Rgb, int, int]] = {
    "green": ((62, 148, 88), 65, 32),
    "teal": ((24, 142, 146), 30, 36),
    "blue": ((66, 132, 200), 67, 34),
    "violet": ((138, 112, 214), 98, 35),
    "amber": ((178, 128, 16), 136, 33),
    "orange": ((206, 104, 44), 166, 33),
    "red": ((216, 86, 86), 167, 31),
    "grey": ((132, 134, 138), 102, 90),
}
BOLD, FAINT = "1", "2"

# What is shown in which hue, and what is added to it.
ROLES: dict[str, tuple[str, str]] = {
    "title": ("", BOLD),
    "number": ("", BOLD),
    "label": ("grey", ""),
    "track": ("grey", FAINT),
    "progress": ("blue", ""),
    "loss": ("green", ""),
    "rate": ("amber", ""),
    "throughput": ("blue", ""),
    "busy": ("green", ""),
    "waiting": ("amber", ""),
    "idle": ("grey", ""),
    "memory": ("blue", ""),
    "cool": ("teal", ""),
    "warm": ("orange", ""),
    "hot": ("red", BOLD),
    "power": ("violet", ""),
    "launch": ("blue", BOLD),
    "training": ("green", BOLD),
    "validation": ("violet", BOLD),
    "checkpoint": ("amber", BOLD),
    "export": ("teal", BOLD),
}

# Cells of the heat map from cool to hot, in as many steps as the terminal's colours allow.
HEAT_STOPS: Sequence[Rgb] = (
    (30, 52, 92), (32, 78, 116), (30, 100, 120), (38, 118, 108), (88, 134, 84),
    (190, 134, 58), (200, 66, 54),
)  # fmt: skip
HEAT_256 = (23, 24, 24, 31, 30, 30, 72, 71, 107, 143, 179, 173, 167)
HEAT_16 = (34, 36, 32, 33, 31)
HEAT_STEPS = 16
RESET = "\x1b[0m"


def _heat_rgb(step: int) -> Rgb:
    place = step / (HEAT_STEPS - 1) * (len(HEAT_STOPS) - 1)
    index = min(int(place), len(HEAT_STOPS) - 2)
    pairs = zip(HEAT_STOPS[index], HEAT_STOPS[index + 1], strict=True)
    red, green, blue = (round(a + (b - a) * (place - index)) for a, b in pairs)
    return red, green, blue


def heat(share: float) -> str:
    """The style of a cell this far, 0 .. 1, on the way from cool to hot."""
    return f"heat{round(min(max(share, 0.0), 1.0) * (HEAT_STEPS - 1))}"


def _foreground(name: str, colors: int) -> str:
    """The SGR code of a hue or of a step of heat."""
    if name.startswith("heat"):
        step = int(name[4:])
        rgb = _heat_rgb(step)
        low, high = (ramp[step * len(ramp) // HEAT_STEPS] for ramp in (HEAT_16, HEAT_256))
    else:
        rgb, high, low = HUES[name]
    if colors >= TRUECOLOR:
        return "38;2;{};{};{}".format(*rgb)
    return f"38;5;{high}" if colors >= 256 else str(low)


def _background(name: str, colors: int) -> str:
    code = _foreground(name, colors)
    return f"48{code[2:]}" if code.startswith("38;") else str(int(code) + 10)


@lru_cache(maxsize=1024)
def code(style: str, colors: int) -> str:
    """The SGR code of a role, of heat ("heat7") or of heat on heat ("heat7 on heat9")."""
    front, _, back = style.partition(" on ")
    hue, weight = ROLES.get(front, (front, ""))
    codes = [weight] if weight else []
    if hue and colors:
        codes.append(_foreground(hue, colors))
    if back and colors:
        codes.append(_background(back, colors))
    return ";".join(codes)


@lru_cache(maxsize=1024)
def _painted(row: Row, colors: int) -> str:
    parts = []
    for style, text in row:
        sgr = code(style, colors) if style else ""
        parts.append(f"\x1b[{sgr}m{text}{RESET}" if sgr else text)
    return "".join(parts)


def painted(row: Row, screen: Screen) -> str:
    """The row as text for the screen; without colours only bold and faint are left."""
    return _painted(row, screen.colors if screen.color else 0)


def merged(spans: Sequence[Span]) -> Iterator[Span]:
    """The spans, neighbours of one style made one."""
    style, text = "", ""
    for next_style, next_text in spans:
        if next_style != style and text:
            yield style, text
            text = ""
        style, text = next_style, text + next_text
    yield style, text
