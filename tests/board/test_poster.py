"""The poster that a run leaves."""

from datetime import datetime

import pytest

from llmsim.board.poster import Closing, poster
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Summary
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import run_ended
from llmsim.show.dashboard import Dashboard
from llmsim.show.finale import Finale
from llmsim.text.screen import Screen
from tests.board.stage import Terminal

NUMBERS = (
    ("loss", "training loss", "2.0158"),
    ("number", "validation", "2.0002"),
    ("throughput", "tokens", "71.5B"),
    ("power", "GPU-hours", "18,630"),
)


@pytest.mark.parametrize(("width", "shown"), [(40, 3), (60, 4), (80, 4)])
def test_a_narrow_poster_has_short_names_for_more_numbers(width: int, shown: int) -> None:
    """At 40x15 the validation's loss had no room."""
    run = run_of(plan(Options(seed=9, start=datetime(2026, 1, 30, 12), gpus=64)))
    view = Dashboard(run).view(run_ended(run), 1.0)
    screen = Screen(width, 15, color=True, unicode=True, live=True)
    rows = poster(view, Closing(NUMBERS, "A joke.", "llmsim --seed 9"), screen)
    text = "\n".join("".join(piece for _, piece in row) for row in rows)
    found = [number for *_, number in NUMBERS if f"{number} " in text]
    assert found == [number for *_, number in NUMBERS[:shown]]
    assert ("training loss" in text) == (width == 80)


LOG = [f"line {number} of the log" for number in range(60)]
SIZES = [(160, 45), (100, 30), (30, 8), (140, 40), (60, 20), (160, 45)]


def finale(wall: bool) -> Finale:
    """The poster of a run that has ended."""
    run = run_of(plan(Options(seed=9, start=datetime(2026, 1, 30, 12), gpus=64)))
    ended = run_ended(run)
    (summary,) = (event for event in events(run, ended - 1.0) if isinstance(event, Summary))
    return Finale(Dashboard(run).seen(ended, 1.0), (summary, run.job), wall, LOG)


def sized(size: tuple[int, int]) -> Screen:
    return Screen(*size, color=True, unicode=True, live=True)


def seen(terminal: Terminal) -> list[str]:
    return [terminal.row(number) for number in range(terminal.lines)]


def fresh(wall: bool, size: tuple[int, int], paused: bool) -> list[str]:
    """What a terminal shows that has always had this size."""
    poster, terminal = finale(wall), Terminal(*size)
    terminal.stream.feed("" if wall else "".join(f"{line}\n" for line in LOG))
    terminal.stream.feed(poster.drawn(sized(size)))
    terminal.stream.feed(poster.redrawn(sized(size), paused))
    return seen(terminal)


@pytest.mark.parametrize("wall", [False, True])
def test_a_poster_is_drawn_anew_when_the_terminal_is_resized(wall: bool) -> None:
    """At 160x45, made 100x30, its rows were broken in two, and stayed so in a pause."""
    poster, terminal = finale(wall), Terminal(*SIZES[0])
    terminal.stream.feed(poster.drawn(sized(SIZES[0])))
    for size in SIZES[1:]:
        terminal.grow_or_shrink(*size)
        poster.forget()
        terminal.stream.feed(poster.redrawn(sized(size), paused=True))
        if wall and size == (30, 8):  # no wall fits there, and the log is shown
            continue
        assert seen(terminal) == fresh(wall, size, paused=True), size
        assert poster.redrawn(sized(size), paused=True) == ""


def test_the_row_below_a_poster_says_that_it_is_paused() -> None:
    poster, terminal, screen = finale(wall=True), Terminal(100, 30), sized((100, 30))
    terminal.stream.feed(poster.drawn(screen))
    playing = seen(terminal)
    terminal.stream.feed(poster.redrawn(screen, paused=True))
    assert [row for row in seen(terminal) if row not in playing] == [" paused: space goes on"]
    terminal.stream.feed(poster.redrawn(screen, paused=False))
    assert seen(terminal) == playing


def test_a_poster_stands_whole_below_what_another_job_has_written() -> None:
    """As after Ctrl+Z: what the shell has written goes up, and is not lost."""
    poster, terminal, screen = finale(wall=True), Terminal(100, 30), sized((100, 30))
    terminal.stream.feed(poster.drawn(screen))
    playing = seen(terminal)
    terminal.stream.feed("[1]+  Stopped\n$ fg\n")
    poster.forget()
    terminal.stream.feed(poster.redrawn(screen, paused=False))
    assert seen(terminal) == playing
    assert "$ fg" in terminal.gone
