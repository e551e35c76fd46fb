"""A run as frames: when each comes, and what a terminal and a pipe make of them."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from itertools import accumulate

import pyte
import pytest

from llmsim.dialects.line import NOTCHES, Bar, Line, in_pipe
from llmsim.dialects.registry import NAMES, lines_of
from llmsim.job.records import Job
from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Event
from llmsim.run.simulation import run_of, simulate
from llmsim.show.opening import Frame
from llmsim.show.player import farewell, on_terminal, play
from llmsim.text.screen import Screen, blank_row

START = datetime(2026, 1, 30, 12)
PIPE = Screen(width=200, height=24, color=False, unicode=True, live=False)
TERMINAL = Screen(width=80, height=24, color=True, unicode=True, live=True)
SHORT_RUN = 5  # a seed
LOG = Options(view="log")  # the board has tests of its own


@cache
def job_of(seed: int, dialect: str = "pytorch") -> Job:
    return plan(Options(seed=seed, start=START, dialect=dialect))


def frames(screen: Screen, options: Options | None = None, seed: int = SHORT_RUN) -> list[Frame]:
    return list(play(job_of(seed), options or LOG, lambda: screen))


def told(screen: Screen) -> Iterator[Line | Bar]:
    """Everything that the dialect tells of the short run."""
    job = job_of(SHORT_RUN)
    tell = lines_of(job.framework.name)
    for event in simulate(job):
        if type(event) in tell:
            yield from tell[type(event)](event, job, screen)


def log_of(screen: Screen) -> list[str]:
    """The lines that stay: all but the bars that are not full."""
    plain = told(screen._replace(color=False))
    return [line.text.rstrip() for line in plain if isinstance(line, Line) or line.fraction >= 1]


# --- on a terminal -----------------------------------------------------------------------------


class Terminal(pyte.Screen):
    """A terminal that remembers the rows which have left it at the top."""

    def __init__(self, screen: Screen) -> None:
        self.gone: list[str] = []
        super().__init__(screen.width, screen.height)
        self.set_mode(pyte.modes.LNM)  # what a tty makes of a line feed

    def row(self, number: int) -> str:
        cells = self.buffer[number]
        return "".join(cells[column].data for column in range(self.columns)).rstrip()

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.gone.append(self.row(0))
        super().index()

    def shown(self) -> list[str]:
        """All rows from the first, without the empty ones at the bottom."""
        rows = self.gone + [self.row(number) for number in range(self.lines)]
        while rows and not rows[-1]:
            rows.pop()
        return rows


@pytest.mark.parametrize(
    ("width", "height", "color"),
    [
        (20, 5, True), (80, 24, True), (120, 40, True), (200, 50, True), (400, 100, True),
        (20, 5, False), (80, 24, False),
    ],
)  # fmt: skip
@pytest.mark.long
def test_a_terminal_shows_each_line_once_and_the_bar_below(
    width: int, height: int, color: bool
) -> None:
    screen = Screen(width, height, color, unicode=True, live=True)
    terminal = Terminal(screen)
    stream = pyte.Stream(terminal)
    for frame in frames(screen):
        stream.feed(frame.text)
        below = [terminal.row(number) for number in range(terminal.cursor.y, height)]
        bar, rest = below[0], below[1:]
        assert terminal.cursor.x == 0
        assert not any(rest)
        assert not bar or re.search(r"%\|.*\| .*\[", bar) or width < 60
        assert len(bar) < width
    assert terminal.shown() == log_of(screen)
    assert terminal.row(terminal.cursor.y) == ""


def test_a_terminal_without_colours_gets_no_escape_code() -> None:
    text = "".join(frame.text for frame in frames(TERMINAL._replace(color=False)))
    assert "\x1b" not in text
    assert "%|" in text


def test_lines_stand_above_the_live_line_and_a_full_bar_stays() -> None:
    half, full = Bar(lambda: "half ", "epoch", 0.5), Bar(lambda: "full", "epoch", 1.0)
    blank = blank_row(TERMINAL)
    assert on_terminal([Line("one")], "", TERMINAL) == ("one\n", "")
    assert on_terminal([half], "", TERMINAL) == ("half \r", "half ")
    assert on_terminal([Line("one"), Line("two")], "half ", TERMINAL) == (
        f"{blank}one\ntwo\nhalf \r",
        "half ",
    )
    assert on_terminal([full], "half ", TERMINAL) == (f"{blank}full\n", "")
    assert on_terminal([full, Line("one")], "half ", TERMINAL) == (f"{blank}full\none\n", "")
    assert on_terminal([], "half ", TERMINAL) == ("", "half ")


def test_a_bar_that_a_narrower_terminal_has_no_room_for_goes() -> None:
    wide, narrow = TERMINAL._replace(width=200), TERMINAL._replace(width=60)
    texts = [frame.text for frame in frames(wide)]
    # A bar stands below, and then a line comes above it.
    last = next(i for i, text in enumerate(texts[1:]) if "\n" in text and text.endswith("\r"))
    screens, rows = [wide], []
    for number, frame in enumerate(play(job_of(SHORT_RUN), LOG, lambda: screens[-1])):
        if number > last:
            rows += re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;]*[mJ]", "", frame.text))
        elif number == last:
            assert frame.text.endswith("\r")
            screens.append(narrow)
        if number == last + 1:
            assert frame.text.startswith(blank_row(narrow))
            assert frame.text.endswith("\n")
    assert max(map(len, rows)) == 60


# --- in a pipe ---------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.long
def test_a_pipe_gets_the_lines_of_the_terminal_and_bars_by_quarters(width: int) -> None:
    screen = PIPE._replace(width=width)
    text = "".join(frame.text for frame in frames(screen))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    bars = {line.text for line in told(screen) if isinstance(line, Bar)}
    kept = [line.text for line in told(screen) if isinstance(line, Line)]
    assert [line for line in lines if line not in bars] == kept
    full = [line.text for line in told(screen) if isinstance(line, Bar) and line.fraction >= 1]
    shown = [line for line in lines if line in bars]
    assert [line for line in shown if line in full] == full
    assert len(full) < len(shown) <= NOTCHES * len(full)


def test_a_pipe_shows_a_bar_once_in_each_quarter() -> None:
    notches: dict[str, int] = {}
    parts = [0.0, 0.1, 0.3, 0.4, 0.49, 0.8, 0.99, 1.0, 0.05, 0.26]
    bars = [Bar(f"{part}".__str__, "epoch", part) for part in parts]
    assert in_pipe(bars, notches) == "0.3\n0.8\n1.0\n0.26\n"
    assert in_pipe([Bar(lambda: "other", "validation", 0.3)], notches) == "other\n"


# --- when --------------------------------------------------------------------------------------


@pytest.mark.parametrize("duration", [10.0, 600.0, 86_400.0])
def test_a_show_lasts_as_long_as_was_asked_for(duration: float) -> None:
    delays = [frame.delay for frame in frames(PIPE, Options(duration=duration))]
    assert min(delays) >= 0
    assert sum(delays) == pytest.approx(duration, rel=0.1)


def test_in_real_time_delays_are_the_simulated_gaps() -> None:
    job = job_of(SHORT_RUN)
    seconds = sum(frame.delay for frame in frames(PIPE, Options(duration=REAL_TIME)))
    table = lines_of(job.framework.name)
    assert seconds == pytest.approx(max(e.at for e in simulate(job) if type(e) in table))


def step_times(screen: Screen) -> list[float]:
    """When each step's line comes, in show seconds."""
    shown = frames(screen)
    moments = accumulate(frame.delay for frame in shown)
    pattern = r"step +[0-9,]+/[0-9,]+ "
    return [
        moment
        for frame, moment in zip(shown, moments, strict=True)
        for _ in re.findall(pattern, re.sub(r"\x1b\[[0-9;]*m", " ", frame.text + " "))
    ]


def test_when_a_line_comes_does_not_depend_on_the_screen() -> None:
    expected = step_times(PIPE)
    assert len(expected) > 100
    for screen in (TERMINAL, TERMINAL._replace(width=200, color=False), PIPE._replace(width=80)):
        assert step_times(screen) == pytest.approx(expected)


@pytest.mark.parametrize("lines", [0, 1, 30, 10**9])
def test_the_first_lines_come_at_once_and_the_others_when_they_would(lines: int) -> None:
    usual = frames(PIPE)
    hurried = frames(PIPE, Options(instant_print_lines=lines))
    assert [frame.text for frame in hurried] == [frame.text for frame in usual]
    printed = 0
    for fast, slow in zip(hurried, usual, strict=True):
        assert fast.delay == (0.0 if printed < lines else slow.delay)
        printed += fast.text.count("\n")


def test_runs_are_told_alike_every_time() -> None:
    assert frames(PIPE) == frames(PIPE)
    assert frames(TERMINAL) == frames(TERMINAL)


# --- goodbye -----------------------------------------------------------------------------------


def test_goodbyes_are_whole_in_lines_that_fit() -> None:
    """A joke without its end is none."""
    for seed in range(40):
        lines = farewell(seed, TERMINAL._replace(width=30, color=False)).split("\n")
        assert all(0 < len(line) <= 30 and line.isprintable() for line in lines)
        assert " ".join(lines) == farewell(seed, PIPE._replace(width=80))
    assert len({farewell(seed, PIPE) for seed in range(40)}) > 3


@pytest.mark.long
@pytest.mark.parametrize("dialect", NAMES)
def test_a_file_has_the_same_lines_without_the_moves_that_it_does_not_show(dialect: str) -> None:
    """The traits of a framework say which moves of a bar its file shows; its lines decide."""
    options = Options(seed=3, start=START, dialect=dialect, incidents="typical")
    run = run_of(plan(options))

    def everything(coming: Iterable[Event]) -> Iterable[Event]:
        return coming

    whole = "".join(frame.text for frame in play(run, options, lambda: PIPE, 0.0, everything))
    thin = "".join(frame.text for frame in play(run, options, lambda: PIPE, 0.0))
    assert thin == whole, f"seed 3, {dialect}"
