"""A terminal that is resized again and again shows what a fresh one does, a moment later."""

from collections import deque

import pytest

from llmsim.board.wall import has_room
from llmsim.options.table import Options
from llmsim.physics import noise
from llmsim.show.live_region import LiveRegion
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tests.board.stage import DURATION, Terminal, timed

RESIZES = 50  # of each view
SOON = 0.3  # seconds at speed 1 within which nothing may be left over
APART = 0.4  # show seconds from one resize to the next


def sized(number: int) -> Screen:
    """The size after this many resizes."""
    width, height = (noise.integer(16, axis, *ends, number) for axis, ends in AXES)
    return Screen(width, height, color=True, unicode=True, live=True)


AXES = (("width", (30, 110)), ("height", (8, 34)))


def fresh(region: LiveRegion, screen: Screen) -> list[str]:
    """What a terminal of this size shows that has just been drawn, of the same moment."""
    other, terminal = LiveRegion(lambda: screen, Playback(0.0)), Terminal(*screen[:2])
    other.wall = region.wall
    other._tail = deque(region._tail, region._tail.maxlen)
    other._bar, other._bar_seen = region._bar, region._bar_seen
    assert region._view
    if region.wall and has_room(screen):
        terminal.stream.feed(other.draw(region._view))
    else:
        terminal.stream.feed(other._repainted(region._view, screen))
    return [terminal.row(number) for number in range(screen.height)]


@pytest.mark.transcripts  # a terminal made of Python is slow
@pytest.mark.parametrize("wall", [False, True])
def test_nothing_is_left_over_soon_after_a_resize(wall: bool) -> None:
    """Nobody says that there was one: the next drawing sees it."""
    screens = [sized(0)]
    region = LiveRegion(lambda: screens[-1], Playback(0.0))
    region.wall = wall
    run, _ = timed(7, 8)
    terminal = Terminal(*screens[0][:2])
    resized, checked = 2.0, 0
    for frame in play(run, Options(duration=DURATION), lambda: screens[-1], region=region):
        terminal.stream.feed(frame.text)
        if len(screens) <= RESIZES and frame.shown > resized + APART and not frame.text:
            resized = frame.shown
            screens.append(sized(len(screens)))
            terminal.grow_or_shrink(*screens[-1][:2])
        elif len(screens) == checked + 2 and frame.text:
            assert frame.shown - resized <= SOON, screens[-1]
            shown = [terminal.row(number) for number in range(terminal.lines)]
            assert shown == fresh(region, screens[-1]), (checked, screens[-2:])
            checked += 1
    assert checked == RESIZES
