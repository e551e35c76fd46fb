"""Which screens are coloured, and how wide they may be."""

import pytest

from llmsim.text.screen import TRUECOLOR, Screen, blank_row, color_count, fitted, wants_color


@pytest.mark.parametrize(
    ("choice", "environment", "on_terminal", "in_pipe"),
    [
        ("auto", {}, True, False),
        ("auto", {"TERM": "xterm-256color"}, True, False),
        ("auto", {"TERM": "dumb"}, False, False),
        ("auto", {"NO_COLOR": "1"}, False, False),
        ("auto", {"NO_COLOR": "0"}, False, False),
        ("auto", {"NO_COLOR": ""}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, True, True),
        ("auto", {"FORCE_COLOR": "3", "TERM": "dumb"}, True, True),
        ("auto", {"FORCE_COLOR": "0"}, True, False),
        ("auto", {"FORCE_COLOR": ""}, True, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, True, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, True, False),
        ("auto", {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False),
        ("auto", {"CLICOLOR": "1"}, True, False),
        ("auto", {"CLICOLOR": "0"}, False, False),
        ("auto", {"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True, True),
        ("always", {}, True, True),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, True, True),
        ("never", {}, False, False),
        ("never", {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
    ],
)
def test_who_gets_colours(
    choice: str, environment: dict[str, str], on_terminal: bool, in_pipe: bool
) -> None:
    assert wants_color(choice, environment, terminal=True) is on_terminal
    assert wants_color(choice, environment, terminal=False) is in_pipe


@pytest.mark.parametrize(("width", "fit"), [(0, 20), (19, 20), (20, 20), (80, 80), (10**9, 400)])
def test_widths_from_20_to_400_are_laid_out(width: int, fit: int) -> None:
    assert fitted(width) == fit


def test_a_row_is_emptied_by_a_code_or_by_blanks() -> None:
    screen = Screen(width=20, height=5, color=True, unicode=True, live=True)
    assert blank_row(screen) == "\r\x1b[0m\x1b[J"
    assert blank_row(screen._replace(color=False)) == "\r" + 19 * " " + "\r"


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
