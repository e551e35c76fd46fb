"""A new theme is one module here, and two files of the page: CONTRIBUTING names all of them."""

from pathlib import Path

import pytest

from tests.copied import ROOT, Copy, told_by_contributing

PAINT = """
from llmsim.text.screen import Screen
from llmsim.text.style import paint
screen = Screen(80, 24, color=True, unicode=True, live=True, colors=1 << 24, theme="{theme}")
print(paint((("joke", "a"), ("title", "b"), ("muted", "c")), screen))
"""


@pytest.mark.long
def test_a_new_theme_is_one_module(tmp_path: Path) -> None:
    copy, themes = Copy(tmp_path), "src/llmsim/text/themes.py"
    copy.replace(themes, '"phosphor", "amber")\n', '"phosphor", "amber", "ice")\n')
    changes = "_CHANGES: dict[str, Callable[[Rgb], Rgb]] = {\n"
    copy.replace(themes, changes, f'{changes}    "ice": _one_colour((160, 220, 255)),\n')
    told = told_by_contributing("A theme, a scene, a joke")
    assert copy.touched() == {themes} <= told

    painted = copy.python("-c", PAINT.format(theme="ice"))
    assert painted != copy.python("-c", PAINT.format(theme="amber"))
    assert "amber or ice" in copy.python("-m", "llmsim", "--help")


def test_a_theme_of_the_terminal_is_one_of_the_page() -> None:
    """The page's files are told, and have each theme but auto, which is the system's."""
    from llmsim.text.themes import THEMES

    for page in ("web/themes.js", "web/style.css"):
        assert page in told_by_contributing("A theme, a scene, a joke")
    page = (ROOT / "web/themes.js").read_text(encoding="utf-8")
    assert all(f"\n  {theme}: " in page for theme in THEMES if theme != "auto")
