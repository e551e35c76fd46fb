"""The numbers of the board and of the log's newest line are the same at each moment."""

import re
from datetime import datetime

import pytest

from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.show.live_region import LiveRegion
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.show.with_region import TICK
from llmsim.text.screen import Screen
from tests.board.stage import Terminal

OPTIONS = Options("pytorch", seed=9, start=datetime(2026, 1, 30, 12), gpus=8, recipe="sft")
LOGGED = re.compile(r"(?:\d|INFO) step +[\d,]+/[\d,]+ .*?loss +([\d.]+)")
ON_BOARD = re.compile(r"^ (?:training )?loss +([\d.]+)  ")


def losses(rows: list[str]) -> tuple[str, str]:
    """The newest loss of the log, and the one of the board or the wall."""
    logged = [found[1] for row in rows if (found := LOGGED.search(row))]
    shown = [found[1] for row in rows if (found := ON_BOARD.search(row))]
    return (logged or ["-"])[-1], (shown or ["-"])[-1]


@pytest.mark.parametrize("wall", [False, True])
def test_a_line_and_the_board_have_the_same_loss_at_once(wall: bool) -> None:
    """The board was up to a quarter of a second behind. Lines that are closer than this share a
    drawing.
    """
    screen = Screen(100, 24, color=True, unicode=True, live=True)
    region, terminal = LiveRegion(lambda: screen, Playback(0.0)), Terminal(100, 24)
    region.wall = wall
    agreed, last, drawn = 0, "-", -1.0
    for frame in play(plan(OPTIONS), OPTIONS, lambda: screen, region=region):
        terminal.stream.feed(frame.text)
        logged, shown = losses(terminal.display)
        if logged != last and frame.shown - drawn >= TICK:
            assert shown == logged, frame.shown
            agreed, drawn = agreed + 1, frame.shown
        last = logged
        if frame.shown > 60.0:
            break
    assert agreed > 20


@pytest.mark.parametrize("wall", [False, True])
def test_something_is_drawn_twice_a_second(wall: bool) -> None:
    """Also after a line with which the board has been drawn."""
    screen = Screen(100, 24, color=True, unicode=True, live=True)
    region, last = LiveRegion(lambda: screen, Playback(0.0)), 0.0
    region.wall = wall
    for frame in play(plan(OPTIONS), OPTIONS, lambda: screen, region=region):
        if frame.text:
            assert frame.shown - last <= 2 * TICK + 1e-6, frame.shown
            last = frame.shown
    assert last > 150.0
