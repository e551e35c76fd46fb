"""Themes: each hue stays readable on the ground that a theme is for."""

import re
from itertools import product

import pytest

from llmsim.text.screen import TRUECOLOR
from llmsim.text.style import HEAT_STEPS, HUES, ROLES, code, colored
from llmsim.text.themes import THEMES, Rgb, cube, themed
from tests.text.test_style import contrast, rgb_of

BLACK, WHITE = (12, 15, 20), (251, 251, 249)


GROUNDS = [
    ("auto", BLACK, 3.0), ("auto", WHITE, 3.0), ("dark", BLACK, 4.5), ("light", WHITE, 4.5),
    ("contrast", BLACK, 7.0), ("phosphor", BLACK, 4.5), ("amber", BLACK, 4.5),
]  # fmt: skip


@pytest.mark.parametrize(("theme", "ground", "least"), GROUNDS)
def test_every_hue_can_be_read(theme: str, ground: Rgb, least: float) -> None:
    """WCAG 2.2: 3 for large text and graphics, 4.5 for text, 7 for enhanced contrast."""
    for name, hue in HUES.items():
        assert contrast(themed(hue.rgb, theme), ground) >= least, (theme, name)


def number_of(role: str, theme: str) -> int | None:
    """A role's colour among the 256, if the text has one of them."""
    found = re.search(r"38;5;(\d+)", code(role, 256, theme))
    return int(found[1]) if found else None


@pytest.mark.parametrize(("theme", "ground", "least"), GROUNDS)
def test_so_it_can_among_256_colours(theme: str, ground: Rgb, least: float) -> None:
    """The nearest of them may be paler; what is faint has no colour of its own."""
    for role, (hue, weight) in ROLES.items():
        number = number_of(role, theme)
        if number is not None and "2" not in weight:
            assert contrast(rgb_of(number), ground) >= least, (theme, role)
        assert number is not None or not hue or (theme == "auto" and hue.startswith("own ")), role


@pytest.mark.parametrize("theme", ["auto", "dark", "light", "contrast"])
def test_meanings_stay_apart_among_256_colours(theme: str) -> None:
    """What computes is not what is cool, and red is nothing else's colour."""
    roles = ("busy", "cool", "progress", "power", "waiting", "gradient", "failure", "label")
    assert len({number_of(role, theme) for role in roles}) == len(roles)
    red, green, blue = rgb_of(number_of("failure", theme) or 0)
    assert red > 1.3 * max(green, blue)


@pytest.mark.parametrize("theme", ["dark", "light", "contrast", "phosphor", "amber"])
@pytest.mark.parametrize("colors", [256, TRUECOLOR])
def test_a_theme_brings_its_colours(theme: str, colors: int) -> None:
    """Of the terminal's own nobody knows whether they can be read on the theme's ground."""
    for role, (hue, _) in ROLES.items():
        assert "38;" in code(role, colors, theme) or not hue, role


def test_the_theme_contrast_takes_the_light_ones_of_sixteen() -> None:
    """White is the one that is grey on the Linux console, 170 of 255."""
    codes = {code(role, 16, "contrast").split(";")[-1] for role, (hue, _) in ROLES.items() if hue}
    assert codes <= {"37", "91", "92", "93", "94", "95", "96"}


def test_the_hottest_cell_is_no_hole_in_a_white_screen() -> None:
    for colors, pattern in ((TRUECOLOR, r"38;2;(\d+);(\d+);(\d+)"), (256, r"38;5;(\d+)")):
        for theme, ground in (("light", WHITE), ("dark", BLACK)):
            found = re.search(pattern, code(f"heat{HEAT_STEPS - 1}", colors, theme))
            assert found
            parts = [int(part) for part in found.groups()]
            hottest = rgb_of(parts[0]) if colors == 256 else (parts[0], parts[1], parts[2])
            assert contrast(hottest, ground) > 7


@pytest.mark.parametrize(("theme", "strongest"), [("phosphor", 1), ("amber", 0)])
def test_a_screen_of_one_colour_has_one(theme: str, strongest: int) -> None:
    for role in ROLES:
        for part in code(role, TRUECOLOR, theme).split(";38;2;"):
            if part.startswith("38;2;"):
                color = [int(each) for each in part.split(";")[2:5]]
                assert max(color) == color[strongest], role
    basic = {code(role, 16, theme)[-2:] for role, (hue, _) in ROLES.items() if hue}
    assert basic <= {"32"} if theme == "phosphor" else {"33"}


@pytest.mark.parametrize("colors", [256, TRUECOLOR])
@pytest.mark.parametrize("theme", ["phosphor", "amber"])
def test_heat_of_one_colour_is_brightness(theme: str, colors: int) -> None:
    """A hotter cell is brighter, and cells that are well, from the second step to the seventh,
    differ much; among 256 colours there are few of one hue.
    """
    shown = [contrast(filled(f"heat{step}", colors, theme), BLACK) for step in range(HEAT_STEPS)]
    assert shown == sorted(shown)
    assert shown[6] / shown[1] > (1.7 if colors == 256 else 3)
    glow = contrast(filled("glow", colors, theme), BLACK)
    ashes = [contrast(filled(f"ash{step}", colors, theme), BLACK) for step in range(HEAT_STEPS)]
    assert glow > 2.5 * max(ashes)


@pytest.mark.parametrize("colors", [256, TRUECOLOR])
def test_cells_beside_one_that_glows_are_pale_on_white(colors: int) -> None:
    """Dark ones would be what is seen first."""
    ashes = [contrast(filled(f"ash{step}", colors, "light"), WHITE) for step in range(HEAT_STEPS)]
    assert max(ashes) < 2.7
    assert contrast(filled("glow", colors, "light"), WHITE) > 3.5


def filled(role: str, colors: int, theme: str) -> Rgb:
    """The colour of a cell."""
    parts = [int(part) for part in code(role, colors, theme).split(";")[2:]]
    return rgb_of(parts[0]) if colors == 256 else (parts[0], parts[1], parts[2])


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
    spans = [("loss", "1.5"), ("heat3", "x"), ("heat3 on heat6", "y"), ("", "w")]
    spans.insert(3, ("shade2 green", "z"))
    text = colored(spans, colors, theme)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == "1.5xyzw"
    assert ("\x1b[" in text) == bool(colors)
