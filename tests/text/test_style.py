"""Lines fit their screen whatever the width, and without colours there is no escape code."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.text.screen import Screen
from llmsim.text.style import STYLES, Span, clipped, length, paint

PLAIN = Screen(width=10, height=5, color=False, unicode=True, live=True)
SPANS = st.lists(
    st.tuples(st.sampled_from(sorted(STYLES)), st.text("abc xyz-%|01", max_size=120)), max_size=12
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


@pytest.mark.parametrize("style", sorted(set(STYLES) - {""}))
def test_styles_are_sgr_codes(style: str) -> None:
    assert re.fullmatch(r"[0-9]+(;[0-9]+)*", STYLES[style])
