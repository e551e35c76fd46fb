"""Lines fit their screen whatever the width, and without colours there is no escape code."""

import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.text.painting import painted, turned
from llmsim.text.screen import TRUECOLOR, Screen
from llmsim.text.style import (
    BOLD,
    FAINT,
    HEAT_STEPS,
    HUES,
    ITALIC,
    ROLES,
    Rgb,
    Span,
    ash,
    clipped,
    code,
    length,
    merged,
    paint,
    shade,
)

PLAIN = Screen(width=10, height=5, color=False, unicode=True, live=True)
COLORED = PLAIN._replace(width=80, height=24, color=True)
SPANS = st.lists(
    st.tuples(st.sampled_from(sorted(ROLES)), st.text("abc xyz-%|01", max_size=120)), max_size=12
)


def without_codes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@given(SPANS, st.integers(1, 400))
@pytest.mark.long
def test_a_line_is_never_wider_than_the_screen(spans: list[Span], width: int) -> None:
    text = "".join(text for _, text in spans)
    for unicode, ellipsis in ((True, "…"), (False, ">")):
        shown = paint(spans, PLAIN._replace(width=width, unicode=unicode))
        fits = len(text) <= width
        assert shown == (text if fits else text[: width - 1] + ellipsis)


@given(SPANS, st.integers(1, 400))
def test_colours_change_nothing_but_colours(spans: list[Span], width: int) -> None:
    screen = PLAIN._replace(width=width)
    painted = paint(spans, screen._replace(color=True))
    assert without_codes(painted) == paint(spans, screen)


def test_every_style_ends_where_its_text_ends() -> None:
    spans = [("loss", "loss 2.3145"), ("", "  "), ("warning", "slow")]
    assert paint(spans, PLAIN._replace(width=40, color=True)) == (
        "\x1b[32mloss 2.3145\x1b[0m  \x1b[33mslow\x1b[0m"
    )


def test_an_empty_line_is_empty() -> None:
    assert paint([], PLAIN) == ""
    assert length([]) == 0


def test_clipping_keeps_the_styles() -> None:
    spans = clipped([("step", "step 1"), ("loss", "loss 2.3")], 10, "…")
    assert list(spans) == [("step", "step 1"), ("loss", "los"), ("muted", "…")]


# --- colours -----------------------------------------------------------------------------------

CUBE = (0, 95, 135, 175, 215, 255)


def contrast(a: Rgb, b: Rgb) -> float:
    """The contrast of two colours, 1 .. 21 (WCAG 2)."""

    def luminance(color: Rgb) -> float:
        parts = [part / 255 for part in color]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def rgb_of(number: int) -> Rgb:
    """A colour of the 256: of the cube or of the greys."""
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    number -= 16
    return CUBE[number // 36], CUBE[number // 6 % 6], CUBE[number % 6]


@pytest.mark.parametrize("hue", HUES)
def test_text_is_readable_on_light_and_dark_backgrounds(hue: str) -> None:
    rgb, number, _ = HUES[hue]
    for color in (rgb, rgb_of(number)):
        assert contrast(color, (255, 255, 255)) >= 3
        assert contrast(color, (0, 0, 0)) >= 3
    assert contrast(rgb, rgb_of(number)) < 1.35  # the same hue, whatever the depth


# The first sixteen colours of the Linux console (drivers/tty/vt/vt.c, default_red and so on) and of
# xterm (XTerm-col.ad), those that our text has.
CONSOLE: dict[str, Rgb] = {
    "32": (0, 170, 0), "33": (170, 85, 0), "35": (170, 0, 170), "36": (0, 170, 170),
    "31": (170, 0, 0), "34": (0, 0, 170), "90": (85, 85, 85),
    "91": (255, 85, 85), "94": (85, 85, 255),
}  # fmt: skip
XTERM: dict[str, Rgb] = {
    "32": (0, 205, 0), "33": (205, 205, 0), "35": (205, 0, 205), "36": (0, 205, 205),
    "31": (205, 0, 0), "34": (0, 0, 238), "90": (127, 127, 127),
    "91": (255, 0, 0), "94": (92, 92, 255),
}  # fmt: skip


@pytest.mark.parametrize("palette", [CONSOLE, XTERM], ids=["console", "xterm"])
def test_sixteen_colours_are_readable_on_black(palette: dict[str, Rgb]) -> None:
    """Blue and red as these terminals have them have a contrast of 1.5 to 2.7."""
    for name, hue in HUES.items():
        if name not in ("grey", "dim"):
            assert contrast(palette[str(hue.basic)], (0, 0, 0)) >= 3, name


@pytest.mark.parametrize("palette", [CONSOLE, XTERM], ids=["console", "xterm"])
def test_sixteen_colours_are_readable_on_white_in_the_theme_light(palette: dict[str, Rgb]) -> None:
    """Green, yellow and cyan as these terminals have them have a contrast of 1.8 to 3.1."""
    known = palette | {"39": (0, 0, 0)}  # the terminal's ink
    for role in ROLES:
        *weights, number = ["", *code(role, 16, "light").split(";")]
        if FAINT not in weights and number not in (BOLD, ITALIC):
            assert contrast(known[number], (255, 255, 255)) >= 3, role


def test_the_log_has_256_colours_or_the_terminals_sixteen() -> None:
    spans = [("memory", "61GiB")]
    assert paint(spans, COLORED) == "\x1b[38;5;30m61GiB\x1b[0m"
    assert paint(spans, COLORED._replace(colors=TRUECOLOR)) == "\x1b[38;5;30m61GiB\x1b[0m"
    assert paint(spans, COLORED._replace(colors=16)) == "\x1b[36m61GiB\x1b[0m"
    assert not [role for role in ROLES if "38;" in code(role, 16)]


def test_red_is_for_trouble_alone_among_sixteen_colours() -> None:
    """Of a map with a cell that glows no other cell is red; the hottest GPU of a sound one is."""
    red = {role for role in ROLES if code(role, 16).split(";")[-1] in ("31", "91")}
    red |= {role for role in ROLES if ";7" in code(role, 16) and "31" in code(role, 16)}
    assert red == {"alarm", "error", "hot", "failure", "down"}
    steps = [step / (HEAT_STEPS - 1) for step in range(HEAT_STEPS)]
    assert {code(ash(step), 16) for step in steps} <= {"34", "36", "32", "33"}
    assert code("glow", 16) == "91"


# torchtitan's metrics line (torchtitan/components/metrics.py and tools/utils.py, v0.2): loss green,
# MFU magenta; here the terminal's own colours, which its theme makes readable.
@pytest.mark.parametrize("colors", [16, 256, TRUECOLOR])
def test_loss_and_mfu_have_the_terminals_own_colours(colors: int) -> None:
    assert (code("loss", colors), code("mfu", colors)) == ("32", "35")


def test_a_role_that_nobody_knows_is_no_hue() -> None:
    with pytest.raises(KeyError):
        code("lossy", 256)


def test_codes_follow_the_number_of_colours() -> None:
    assert code("busy", TRUECOLOR) == "38;2;0;158;96"
    assert code("busy", 256) == "38;5;29"
    assert code("busy", 16) == "32"
    assert code("busy", 0) == ""
    assert code("hot", 16) == "1;91"
    assert code("hot", 0) == code("title", 256) == "1"
    both = f"heat0 on heat{HEAT_STEPS - 1}"
    assert code(both, 16) == "34;41"
    assert code(both, 256) == "38;5;18;48;5;223"
    assert code(both, TRUECOLOR) == "38;2;26;44;108;48;2;255;214;170"


@pytest.mark.parametrize("colors", [0, 16, 256, TRUECOLOR])
def test_every_style_is_an_sgr_code(colors: int) -> None:
    shades = [shade(hue, step / 7) for hue in HUES for step in range(8)]
    for style in (*ROLES, *shades, *(f"heat{step}" for step in range(HEAT_STEPS))):
        assert re.fullmatch(r"([0-9]+(;[0-9]+)*)?", code(style, colors)), style


def test_a_row_without_colours_has_but_bold_and_faint_text() -> None:
    row = (("title", "run"), ("", " "), ("busy", "100%"), ("track", "--"))
    assert painted(row, COLORED._replace(color=False)) == ("\x1b[1mrun\x1b[0m 100%\x1b[2m--\x1b[0m")


def test_neighbours_of_one_style_are_one() -> None:
    assert tuple(merged([("a", "x"), ("a", "y"), ("", ""), ("b", "z")])) == (
        ("a", "xy"),
        ("b", "z"),
    )


CODES = ["", "1", "2", "34", "1;33", "38;5;18", "38;5;18;48;5;223", "38;2;1;2;3", "7;31", "1;7;91"]
CODES += ["38;2;26;44;108;48;2;18;140;150", "38;2;18;140;150;48;2;26;44;108"]


@given(st.sampled_from(CODES), st.sampled_from(CODES))
def test_a_turn_of_colours_leaves_those_of_the_new_code_alone(before: str, code: str) -> None:
    """Seen in a terminal, beside the same code after a reset. It takes no more bytes than that."""
    terminal = pyte.Screen(4, 1)
    stream, anew = pyte.Stream(terminal), f"\x1b[0m\x1b[{code}m" if code else "\x1b[0m"
    stream.feed(f"\x1b[{before}mx{turned(before, code)}y{anew}z")
    _, turned_to, fresh = (terminal.buffer[0][column] for column in range(3))
    assert turned_to._replace(data="") == fresh._replace(data="")
    assert len(turned(before, code)) <= len(anew)
