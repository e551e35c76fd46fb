"""Themes: each hue stays readable on the ground that a theme is for."""

import re
from itertools import product

import pytest

from llmsim.text.screen import TRUECOLOR
from llmsim.text.style import HUES, ROLES, code, colored
from llmsim.text.themes import THEMES, Rgb, cube, themed
from tests.text.test_style import contrast

BLACK, WHITE = (12, 15, 20), (251, 251, 249)


@pytest.mark.parametrize(
    ("theme", "ground", "least"),
    [
        ("auto", BLACK, 3.0), ("auto", WHITE, 3.0), ("dark", BLACK, 4.5), ("light", WHITE, 4.5),
        ("contrast", BLACK, 7.0), ("phosphor", BLACK, 4.5), ("amber", BLACK, 4.5),
    ],
)  # fmt: skip
def test_every_hue_can_be_read(theme: str, ground: Rgb, least: float) -> None:
    """WCAG 2.2: 3 for large text and graphics, 4.5 for text, 7 for enhanced contrast."""
    for name, hue in HUES.items():
        assert contrast(themed(hue.rgb, theme), ground) >= least, (theme, name)


@pytest.mark.parametrize(("theme", "strongest"), [("phosphor", 1), ("amber", 0)])
def test_a_screen_of_one_colour_has_one(theme: str, strongest: int) -> None:
    for role in ROLES:
        for part in code(role, TRUECOLOR, theme).split(";38;2;"):
            if part.startswith("38;2;"):
                color = [int(each) for each in part.split(";")[2:5]]
                assert max(color) == color[strongest], role
    basic = {code(role, 16, theme)[-2:] for role, (hue, _) in ROLES.items() if hue}
    assert basic <= {"32"} if theme == "phosphor" else {"33"}


def test_what_is_wrong_is_brighter_than_what_is_well_on_one_colour() -> None:
    for theme in ("phosphor", "amber"):
        red, green = (contrast(themed(HUES[name].rgb, theme), BLACK) for name in ("red", "green"))
        assert red > green


def test_a_grey_is_grey_in_every_theme_of_many_colours() -> None:
    """Words are grey: as a vivid blue they would look like the tokens per second."""
    for theme in ("auto", "dark", "light", "contrast"):
        for name in ("grey", "dim"):
            parts = themed(HUES[name].rgb, theme)
            assert max(parts) - min(parts) <= 6, (theme, name)


@pytest.mark.parametrize("color", [(41, 115, 58), (8, 10, 14), (24, 60, 35), (250, 77, 56)])
def test_the_nearest_colour_of_xterms_cube_is_taken(color: Rgb) -> None:
    """Its steps are not even (256colres.h of xterm: 0, then 55 + 40 n)."""
    steps = [0, *(55 + 40 * number for number in range(1, 6))]
    cells = {
        16 + 36 * red + 6 * green + blue: (steps[red], steps[green], steps[blue])
        for red, green, blue in product(range(6), repeat=3)
    }
    nearest = min(
        sum(abs(a - b) for a, b in zip(cell, color, strict=True)) for cell in cells.values()
    )
    taken = cells[cube(color)]
    assert sum(abs(a - b) for a, b in zip(taken, color, strict=True)) == nearest


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colors", [0, 16, 256, TRUECOLOR])
def test_a_theme_changes_colours_alone(theme: str, colors: int) -> None:
    spans = [("loss", "1.5"), ("heat3", "x"), ("heat3 on heat9", "y"), ("", "w")]
    spans.insert(3, ("shade2 green", "z"))
    text = colored(spans, colors, theme)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == "1.5xyzw"
    assert ("\x1b[" in text) == bool(colors)
