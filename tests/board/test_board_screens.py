"""The board on a terminal: golden screens, whole runs, resizes."""

import re
from collections.abc import Iterable
from itertools import pairwise
from math import inf

import pytest

from llmsim.board.board import rows_of
from llmsim.board.poster import Closing, poster
from llmsim.board.region import BEGIN, END
from llmsim.dialects.line import Line
from llmsim.dialects.registry import lines_of
from llmsim.options.table import Options
from llmsim.run.events import Summary
from llmsim.show.dashboard import closing
from llmsim.show.opening import shows_board
from llmsim.show.player import play
from llmsim.show.with_region import TICK
from llmsim.text.screen import Screen
from tests.board.stage import (
    DURATION,
    GOLDEN,
    GOLDENS,
    Golden,
    Terminal,
    drawn,
    picture,
    still,
    timed,
)

pytestmark = pytest.mark.long

TERMINAL = Screen(80, 24, color=True, unicode=True, live=True)
PIPE = TERMINAL._replace(live=False, color=False)


def sized(width: int, *values: object) -> object:
    """Values of a test; a terminal made of Python is too slow for the unit suite when wide."""
    return pytest.param(*values, marks=pytest.mark.transcripts if width > 120 else ())


@pytest.mark.parametrize(
    "golden", [sized(golden.width, golden) for golden in GOLDENS], ids=lambda it: it.path.stem
)
def test_golden_screens(golden: Golden) -> None:
    """`python -m tests.board.stage` writes them anew."""
    assert picture(golden) == golden.path.read_text(encoding="utf-8")


def test_there_are_no_other_golden_screens() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {golden.path.name for golden in GOLDENS}


def told(gpus: int, screen: Screen, start: float = -1.0, end: float = inf) -> list[str]:
    """The lines that stay, of events from one moment until another: all but bars not full.

    The farewell is the poster's.
    """
    run, events = timed(7, gpus)
    job = run.job
    table, plain = lines_of(job.framework.name), screen._replace(color=False)
    return [
        line.text.rstrip()
        for moment, event in events
        if type(event) in table and start <= moment < end
        for line in table[type(event)](event, job, plain)
        if (not line.farewell if isinstance(line, Line) else line.fraction >= 1)
    ]


SIZES = [(20, 5), (80, 24), (120, 40), (200, 50), (400, 100)]


@pytest.mark.parametrize(
    ("gpus", "width", "height"),
    [sized(size[0], gpus, *size) for gpus in (8, 1024) for size in SIZES],
)
def test_the_log_stands_above_the_board_and_nothing_is_left(
    gpus: int, width: int, height: int
) -> None:
    screen = Screen(width, height, color=True, unicode=True, live=True)
    terminal = Terminal(width, height)
    for number, (clock, text) in enumerate(drawn(7, gpus, lambda: screen, speed=8.0)):
        terminal.stream.feed(text)
        if number % 10 or not TICK * 8 < clock < DURATION - 1:
            continue
        assert terminal.cursor.x == 0
        board_of(terminal, screen)
    log, shown = told(gpus, screen), terminal.shown()
    assert shown[: len(log)] == log
    last = shown[len(log) :]
    assert len(last) <= max(height - 1, 15)
    last = last[not last[0] :]  # a row may keep the log away
    # A name that is too long for a narrow screen is cut.
    assert last[0].startswith("── " + timed(7, gpus)[0].job.model.name[: width // 2])
    again = "".join(row.strip(" \\") for row in last)
    assert timed(7, gpus)[0].job.command.split()[-1] in again


def test_the_poster_has_the_hours_of_the_summary_in_the_log() -> None:
    run, events = timed(7, 8)
    summary = next(event for _, event in events if isinstance(event, Summary))
    numbers = {name: number for _, name, number in closing(summary, run.job).numbers}
    assert numbers["GPU-hours"] == f"{summary.gpu_hours:,.1f}"


CLOSING = Closing(
    (("loss", "training loss", "2.9320"), ("number", "validation", "2.8125")),
    "It has read more than you ever will.",
    "llmsim --seed 7 --start 2026-01-30T12:00:00",
)


@pytest.mark.parametrize("size", SIZES)
def test_the_poster_of_a_wall_has_all_rows_but_the_prompts(size: tuple[int, int]) -> None:
    """And below its curve the steps, where it has some rows."""
    screen = TERMINAL._replace(width=size[0], height=size[1])
    rows = poster(still(7, 8, 1.0), CLOSING, screen, alone=True)
    assert len(rows) == size[1] - 2 or size[1] < 12
    text = ["".join(piece for _, piece in row) for row in rows]
    assert all(len(row) < size[0] for row in text)
    assert any("step └" in row and " 1,000 " in row for row in text) == (size[1] >= 24)


@pytest.mark.parametrize("height", range(12, 60))
def test_above_a_poster_stands_the_logs_summary_or_nothing(height: int) -> None:
    rows = poster(still(7, 8, 1.0), CLOSING, TERMINAL._replace(height=height))
    above = height - 1 - len(rows)  # rows of the log
    assert not above or above >= 14
    assert bool(above) or not rows[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        sized(max(pair)[0], *pair)
        for pair in (*pairwise(SIZES), (SIZES[2], SIZES[0]), (SIZES[4], SIZES[0]))
    ],
)
def test_a_run_that_is_resized_in_the_middle_loses_no_line(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    screens = [TERMINAL._replace(width=before[0], height=before[1])]
    terminal, moment = Terminal(*before), 0.0
    for clock, text in drawn(7, 8, lambda: screens[-1], 100.0):
        if not text and clock > DURATION / 2 and len(screens) == 1:
            moment = clock - 1e-6
            board_of(terminal, screens[-1])
            terminal.grow_or_shrink(*after)
            screens.append(TERMINAL._replace(width=after[0], height=after[1]))
        terminal.stream.feed(text)
        if len(screens) == 2 and text and clock < DURATION - 4:
            board_of(terminal, screens[-1])
    log = told(8, screens[0], end=moment) + told(8, screens[1], start=moment)
    rows = iter(terminal.shown())  # what was on the screen at the resize is there twice
    for line in log:  # a narrower terminal cuts
        assert any(row in (line, line[: after[0]].rstrip()) for row in rows), line


RESIZES = [(80, 24), (60, 20), (120, 40), (20, 5), (200, 50), (80, 4), (80, 24), (19, 24), (40, 10)]


def test_a_resize_leaves_no_rests() -> None:
    """At each size in turn the screen shows lines of the log, and below them one board."""
    screens = [TERMINAL]
    terminal = Terminal(80, 24)
    sizes = iter(RESIZES[1:])
    for clock, text in drawn(7, 64, lambda: screens[-1]):
        if not text and clock > 7 + 1.5 * len(screens):  # while the show waits
            size = next(sizes, None)
            if size is None:
                break
            board_of(terminal, screens[-1])
            terminal.grow_or_shrink(*size)
            screens.append(TERMINAL._replace(width=size[0], height=size[1]))
        terminal.stream.feed(text)
    assert len(screens) == len(RESIZES)
    board_of(terminal, screens[-1])
    log = "\n".join(terminal.gone)
    assert "━" not in log
    assert "── NotFound" not in log


def board_of(terminal: Terminal, screen: Screen) -> None:
    """Checks that the screen ends in one board of the right size, and has no other."""
    rows = [terminal.row(number) for number in range(terminal.lines)]
    bars = [number for number, row in enumerate(rows) if re.search(r"[━╸─] +\d+%", row)]
    top = terminal.cursor.y
    if rows_of(screen) == 0:
        assert bars == []
        return
    assert len(bars) == 1, rows
    assert top < bars[0] <= terminal.lines - 1
    assert bars[0] - rows_of(screen) >= -1
    assert not any(rows[bars[0] + 1 :])
    assert not any("── NotFound" in row or "━" in row for row in rows[:top]), rows


# --- when --------------------------------------------------------------------------------------


def ticks(moments: Iterable[float]) -> int:
    """How many of these moments are those of ticks."""
    return sum(abs(moment / TICK - round(moment / TICK)) < 1e-6 for moment in moments)


def test_the_board_is_drawn_four_times_a_second() -> None:
    """At a tick, or with a line shortly before it."""
    moments = sorted({round(clock, 6) for clock, text in drawn(7, 8, lambda: TERMINAL) if text})
    assert max(after - before for before, after in pairwise(moments)) < 2 * TICK
    assert len({int(moment / TICK) for moment in moments}) > DURATION * 4 * 0.9
    assert DURATION < ticks(moments) <= DURATION * 4 + 1


def test_at_a_higher_speed_ticks_are_further_apart() -> None:
    usual = ticks(clock for clock, text in drawn(7, 8, lambda: TERMINAL) if text)
    fast = ticks(clock for clock, text in drawn(7, 8, lambda: TERMINAL, speed=50.0) if text)
    assert fast < usual / 5


def test_the_show_lasts_as_long_with_the_board() -> None:
    _, events = timed(7, 8)
    *_, (end, _) = drawn(7, 8, lambda: TERMINAL)
    assert end == pytest.approx(events[-1][0])


def test_texts_do_not_wait_so_that_they_have_the_size_of_the_moment() -> None:
    run, _ = timed(7, 8)
    frames = list(play(run, Options(duration=DURATION), lambda: TERMINAL))
    assert not [frame for frame in frames if frame.delay and frame.text]
    assert all(frame.text.startswith(BEGIN) for frame in frames[:-1] if frame.text)
    assert all(frame.text.endswith(END) for frame in frames[:-1] if frame.text)
    assert frames == list(play(run, Options(duration=DURATION), lambda: TERMINAL))


def test_the_first_lines_come_at_once() -> None:
    run, _ = timed(7, 8)
    options = Options(duration=DURATION, instant_print_lines=40)
    terminal = Terminal(80, 24)
    for frame in play(run, options, lambda: TERMINAL):
        if frame.delay:
            break
        terminal.stream.feed(frame.text)
    assert 40 <= len(terminal.gone) + terminal.cursor.y < 60


# --- where -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "screen", "on"),
    [
        (Options(), TERMINAL, True),
        (Options(), TERMINAL._replace(color=False), False),
        (Options(), PIPE, False),
        (Options(), PIPE._replace(color=True), False),
        (Options(speed_factor=float("inf")), TERMINAL, False),
        (Options(view="board", speed_factor=float("inf")), TERMINAL, True),
        (Options(view="board"), TERMINAL._replace(color=False), True),
        (Options(view="board"), PIPE, False),
        (Options(view="log"), TERMINAL, False),
    ],
)
def test_where_the_board_is(options: Options, screen: Screen, on: bool) -> None:
    assert shows_board(options, screen) is on


def test_a_board_without_colours_moves_the_cursor_and_colours_nothing() -> None:
    screen = TERMINAL._replace(color=False)
    text = "".join(text for _, text in drawn(7, 8, lambda: screen, speed=20.0))
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", text))
    assert set(";".join(codes).split(";")) <= {"0", "1", "2", "3"}
    assert "\x1b[?2026h" in text
