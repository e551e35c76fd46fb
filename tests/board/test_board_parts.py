"""The board's parts: curves, bars, colours, and how rows are rewritten."""

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.board import region
from llmsim.board.curves import curve, level, rule, spark
from llmsim.board.heat_map import scale_of
from llmsim.board.plots import bounds, span
from llmsim.text.style import HEAT_STEPS, heat
from tests.board.stage import Terminal

HEIGHTS = st.lists(st.none() | st.floats(-1, 2), max_size=60)


# --- curves ------------------------------------------------------------------------------------


@given(HEIGHTS, st.integers(1, 12), st.booleans())
@pytest.mark.long
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


def test_a_batch_with_a_strange_loss_does_not_flatten_the_curve() -> None:
    """One batch of an adapter had a loss of 0.3 among losses of 1.0 to 1.4."""
    usual = [1.4 - 0.4 * step / 300 for step in range(300)]
    odd = [0.3 if step == 40 else loss for step, loss in enumerate(usual)]
    assert bounds(odd, 300) == pytest.approx(bounds(usual, 300), abs=0.02)
    high = [4.0 - 3.0 * min(step, 60) / 60 for step in range(300)]
    odd = [0.24 if step == 200 else loss for step, loss in enumerate(high)]
    assert bounds(odd, 300) == pytest.approx(bounds(high, 300), abs=0.02)
    falling = [4.0 / (1 + step / 20) for step in range(300)]
    assert bounds(falling, 300)[0] == min(falling)


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


# --- heat ------------------------------------------------------------------------------------


def test_heat_rises_with_the_temperature() -> None:
    warmth = scale_of(range(21, 95))
    assert warmth == (20, 95)
    styles = [heat(warmth.share(celsius)) for celsius in range(20, 96)]
    numbers = [int(style[4:]) for style in styles]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (0, HEAT_STEPS - 1)


@pytest.mark.parametrize("coolest", [54, 55, 56])
def test_one_cool_gpu_among_many_changes_no_colour(coolest: int) -> None:
    assert scale_of([coolest, *[58, 59, 60] * 300, 63]) == (52, 72)


@given(st.lists(st.integers(20, 95), min_size=1, max_size=50))
def test_the_scale_holds_all_temperatures(seen: list[int]) -> None:
    warmth = scale_of(seen)
    assert warmth.low <= min(seen) <= max(seen) <= warmth.high
    assert warmth.high - warmth.low >= 20


def test_gpus_that_are_all_lost_have_a_scale_too() -> None:
    warmth = scale_of([])
    assert warmth.high - warmth.low >= 20


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
    assert text == "\x1b[?2026h\x1b[1B\rx\r\x1b[1A\x1b[?2026l"
    assert region.redrawn(["a", "b"], [], ["a", "b"]) == ""


def test_a_line_as_wide_as_the_terminal_keeps_its_last_character() -> None:
    terminal = pyte.Screen(8, 6)
    terminal.set_mode(pyte.modes.LNM)
    pyte.Stream(terminal).feed(region.redrawn(["one", "two"], ["12345678", "123456789"], ["one"]))
    assert shown(terminal) == ["12345678", "12345678", "9", "one", "", ""]


def test_of_a_row_only_the_pieces_that_differ_are_written() -> None:
    """What stands before them is stepped over, and what follows stays."""
    before = "\x1b[1ma\x1b[0m\x1b[32mone\x1b[0m\x1b[1mz\x1b[0m"
    after = "\x1b[1ma\x1b[0m\x1b[31mtwo\x1b[0m\x1b[1mz\x1b[0m"
    text = region.redrawn([before], [], [after])
    assert text == "\x1b[?2026h\r\x1b[1C\x1b[31mtwo\x1b[0m\r\x1b[?2026l"
    terminal = Terminal(20, 3)
    terminal.stream.feed(f"{before}\r{region.redrawn([before], [], ['shorter'])}")
    assert terminal.row(0) == "shorter"
