"""docs/options.md: what it says of variables, held against what they do."""

import re
from itertools import product

import pytest

from llmsim.options.table import OPTIONS
from llmsim.text.screen import TRUECOLOR, color_count, wants_color
from tools import option_docs

# A value of each variable that colours a pipe, or takes the colours of a terminal.
WITH = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}
WITHOUT = {"NO_COLOR": "1", "TERM=dumb": "dumb", "CLICOLOR": "0"}  # by their rows in the table
ROWS = {name: set(re.findall(r"`([\w-]+)`", wins)) for name, _, wins in option_docs.VARIABLES}


def test_every_option_has_its_row() -> None:
    rows = option_docs.option_table().splitlines()[2:]
    assert [re.findall(r"`--([\w-]+)`", row)[0] for row in rows] == [o.name for o in OPTIONS]
    assert {row.count("|") for row in rows} == {7}
    (speed,) = [row for row in rows if "--speed-factor" in row]
    assert speed.startswith("| `--speed-factor`, `-s` | `LLMSIM_SPEED_FACTOR` | `speed-factor` |")


@pytest.mark.parametrize(("yes", "no"), [*product(WITH, WITHOUT)])
def test_of_two_variables_the_table_says_which_wins(yes: str, no: str) -> None:
    variable = no.partition("=")[0]
    colored = wants_color("auto", {yes: WITH[yes], variable: WITHOUT[no]}, terminal=True)
    assert (yes in ROWS[no]) is colored
    assert (no in ROWS[yes]) is not colored


@pytest.mark.parametrize("name", [*WITH, *WITHOUT])
def test_a_flag_wins_over_every_variable_of_colour(name: str) -> None:
    environment = {name.partition("=")[0]: {**WITH, **WITHOUT}[name]}
    assert wants_color("always", environment, terminal=False)
    assert not wants_color("never", environment, terminal=True)
    assert "--color" in ROWS[name]


def test_how_many_colours_there_are_is_as_the_table_says() -> None:
    term, colorterm = {"TERM": "xterm-256color"}, {"COLORTERM": "truecolor"}
    assert color_count(term) == 256
    assert color_count({**term, **colorterm}) == TRUECOLOR
    assert "COLORTERM" in ROWS["TERM"]
    assert color_count({**term, **colorterm, "FORCE_COLOR": "1"}) == 16
    assert "FORCE_COLOR" in ROWS["COLORTERM"] & ROWS["TERM"]
