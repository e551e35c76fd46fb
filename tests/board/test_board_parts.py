"""The board's parts: curves, bars, colours, and how rows are rewritten."""

import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.board import region
from llmsim.board.curves import curve, level, rule, spark
from llmsim.board.heat_map import warmth
from llmsim.board.palette import HEAT_256, HEAT_STEPS, HUES, ROLES, Rgb, code, heat, merged, painted
from llmsim.board.plots import span
from llmsim.text.screen import TRUECOLOR, Screen, color_count
from llmsim.text.style import SIXTEEN, STYLES, paint

HEIGHTS = st.lists(st.none() | st.floats(-1, 2), max_size=60)
SCREEN = Screen(80, 24, color=True, unicode=True, live=True)


# --- curves ------------------------------------------------------------------------------------


@given(HEIGHTS, st.integers(1, 12), st.booleans())
def test_a_curve_has_its_size(heights: list[float | None], rows: int, unicode: bool) -> None:
    lines = curve(heights, rows, unicode)
    width = -(-len(heights) // 2) if unicode else len(heights)
    assert [len(line) for line in lines] == [width] * rows
    assert unicode or all(line.isascii() for line in lines)
    known = any(height is not None for height in heights)
    assert any(line.strip() for line in lines) == known


def test_a_curve_goes_where_its_heights_are() -> None:
    assert curve([0.0, 1 / 3, 2 / 3, 1.0], 1, unicode=True) == ["⡠⠊"]
    assert curve([1.0, 0.0], 2, unicode=True) == ["⢱", "⢸"]
    assert curve([0.0, 0.5, 1.0], 1, unicode=False) == [".-'"]
    assert curve([None, 0.0], 1, unicode=True) == ["⢀"]


def test_a_steep_curve_has_no_gaps() -> None:
    for heights in ([0.0, 1.0], [1.0, 0.0]):
        for row in curve(heights, 6, unicode=True):
            bits = ord(row) - 0x2800 if row.strip() else 0
            assert bits & 0b10111000, (heights, row)  # the second column, from the first's end


@given(st.floats(-1, 2), st.integers(0, 100), st.booleans())
def test_a_rule_is_as_wide_as_it_should(fraction: float, width: int, unicode: bool) -> None:
    filled, rest = rule(fraction, width, unicode)
    assert len(filled + rest) == width
    assert bool(rest) or fraction > 0.4 or width == 0


def test_glyphs_rise_with_their_share() -> None:
    assert spark([0, 0.5, None, 1, 7], unicode=True) == "▁▅ ██"
    assert spark([0, 0.99], unicode=False) == "_#"
    assert [level(share, "abc") for share in (-1, 0, 0.34, 0.99, 1, 2)] == list("aabccc")
    assert rule(0.5, 5, unicode=True) == ("━━╸", "──")
    assert rule(0.5, 4, unicode=False) == ("==", "--")


@pytest.mark.parametrize(
    ("step", "steps", "shown"),
    [(0, 1000, 31), (31, 1000, 31), (32, 1000, 62), (300, 1000, 500), (501, 1000, 1000), (1, 1, 1)],
)
def test_the_curve_uses_half_of_its_width_or_more(step: int, steps: int, shown: int) -> None:
    assert span(step, steps) == shown


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_the_curve_never_leaves_its_width(step: int, steps: int) -> None:
    assert min(step, steps) <= span(min(step, steps), steps) <= steps


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


@pytest.mark.parametrize("style", [name for name in STYLES if "38;5;" in STYLES[name]])
def test_the_logs_colours_are_readable_on_both_too(style: str) -> None:
    color = rgb_of(int(STYLES[style].rpartition(";")[2]))
    assert contrast(color, (255, 255, 255)) >= 3
    assert contrast(color, (0, 0, 0)) >= 3


def test_a_log_in_sixteen_colours_has_no_others() -> None:
    assert STYLES.keys() == SIXTEEN.keys()
    assert not [name for name in SIXTEEN if "38;" in SIXTEEN[name]]
    spans = [("memory", "61GiB")]
    assert paint(spans, SCREEN) == "\x1b[38;5;30m61GiB\x1b[0m"
    assert paint(spans, SCREEN._replace(colors=16)) == "\x1b[36m61GiB\x1b[0m"


def test_codes_follow_the_number_of_colours() -> None:
    assert code("busy", TRUECOLOR) == "38;2;62;148;88"
    assert code("busy", 256) == "38;5;65"
    assert code("busy", 16) == "32"
    assert code("busy", 0) == ""
    assert code("hot", 16) == "1;31"
    assert code("hot", 0) == code("title", 256) == "1"
    assert code("heat0 on heat15", 16) == "34;41"
    assert code("heat0 on heat15", 256) == "38;5;23;48;5;167"
    assert code("heat0 on heat15", TRUECOLOR) == "38;2;30;52;92;48;2;200;66;54"


@pytest.mark.parametrize("colors", [0, 16, 256, TRUECOLOR])
def test_every_style_is_an_sgr_code(colors: int) -> None:
    for style in (*ROLES, *(f"heat{step}" for step in range(HEAT_STEPS))):
        assert re.fullmatch(r"([0-9]+(;[0-9]+)*)?", code(style, colors)), style


def test_heat_rises_with_the_temperature() -> None:
    styles = [heat(warmth(celsius)) for celsius in range(20, 96)]
    numbers = [int(style[4:]) for style in styles]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (0, HEAT_STEPS - 1)
    assert len(HEAT_256) <= HEAT_STEPS


def test_a_row_without_colours_has_but_bold_and_faint_text() -> None:
    row = (("title", "run"), ("", " "), ("busy", "100%"), ("track", "--"))
    assert painted(row, SCREEN._replace(color=False)) == ("\x1b[1mrun\x1b[0m 100%\x1b[2m--\x1b[0m")


def test_neighbours_of_one_style_are_one() -> None:
    assert tuple(merged([("a", "x"), ("a", "y"), ("", ""), ("b", "z")])) == (
        ("a", "xy"),
        ("b", "z"),
    )


@pytest.mark.parametrize(
    ("environment", "colors"),
    [
        ({}, 16),
        ({"TERM": "xterm"}, 16),
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "tmux-256color", "COLORTERM": "truecolor"}, TRUECOLOR),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, TRUECOLOR),
        ({"TERM": "xterm-direct"}, TRUECOLOR),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1"}, 16),
        ({"TERM": "xterm", "FORCE_COLOR": "2"}, 256),
        ({"FORCE_COLOR": "3"}, TRUECOLOR),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "0"}, 256),
    ],
)
def test_how_many_colours_there_are(environment: dict[str, str], colors: int) -> None:
    assert color_count(environment) == colors


# --- the region --------------------------------------------------------------------------------

ROWS = st.lists(st.text("abc ", min_size=1, max_size=19), max_size=5)


def shown(terminal: pyte.Screen) -> list[str]:
    return [row.rstrip() for row in terminal.display]


@settings(deadline=None)
@given(st.lists(st.tuples(ROWS, ROWS), max_size=8), st.booleans())
@pytest.mark.long
def test_rows_stand_below_the_lines_whatever_changes(
    changes: list[tuple[list[str], list[str]]], known: bool
) -> None:
    terminal = pyte.Screen(20, 60)
    terminal.set_mode(pyte.modes.LNM)
    stream = pyte.Stream(terminal)
    log: list[str] = []
    before: list[str] = []
    for lines, after in changes:
        stream.feed(region.redrawn(before if known else None, lines, after))
        log, before = log + lines, after
        expected = [row.rstrip() for row in log + after]
        assert shown(terminal)[: len(expected)] == expected
        assert not any(shown(terminal)[len(expected) :])
        assert (terminal.cursor.x, terminal.cursor.y) == (0, len(log))
    stream.feed(region.cleared(["bye"]))
    assert shown(terminal)[len(log)] == "bye"
    assert not any(shown(terminal)[len(log) + 1 :])


def test_only_what_changed_is_written_and_at_once() -> None:
    text = region.redrawn(["a", "b", "c"], [], ["a", "x", "c"])
    assert text == "\x1b[?2026h\x1b[1B\rx\x1b[K\r\x1b[1A\x1b[?2026l"
    assert region.redrawn(["a", "b"], [], ["a", "b"]) == ""


def test_a_line_as_wide_as_the_terminal_keeps_its_last_character() -> None:
    terminal = pyte.Screen(8, 6)
    terminal.set_mode(pyte.modes.LNM)
    pyte.Stream(terminal).feed(region.redrawn(["one", "two"], ["12345678", "123456789"], ["one"]))
    assert shown(terminal) == ["12345678", "12345678", "9", "one", "", ""]
