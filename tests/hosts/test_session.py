"""The loop, by a clock that the test moves: when what is written, and what keys make of it."""

import re
import signal
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import accumulate, pairwise
from math import inf

import pytest

from llmsim.board.board import rows_of
from llmsim.errors import OptionError
from llmsim.hosts import output as output_module
from llmsim.hosts.keyboard import Keyboard
from llmsim.hosts.output import Output
from llmsim.hosts.runs import PAUSE
from llmsim.hosts.session import BATCH, HINT_TIME, LONGEST_SLEEP, NOTE_TIME, SHORTEST_SLEEP, Session
from llmsim.hosts.signals import Signals, Stopped
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.show.opening import Frame
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tests.board.stage import Terminal

pytestmark = pytest.mark.long


class Clock:
    """Time that passes only in sleep, and as much as the test says in between."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Recorder(Output):
    """An output that notes what is written and when."""

    def __init__(self, clock: Clock, stall: Mapping[int, float] | None = None) -> None:
        super().__init__("never")
        self.clock = clock
        self.stall = stall or {}  # seconds that the reader takes for its n-th text
        self.written: list[tuple[float, str]] = []

    def write(self, text: str, _deadline: float = inf) -> None:
        if text:
            self.written.append((self.clock.now, text))
            self.clock.now += self.stall.get(len(self.written), 0.0)

    def text(self) -> str:
        return "".join(text for _, text in self.written)


RUN = Options("pytorch", seed=5, start=datetime(2026, 1, 30, 12))


def length(options: Options, output: Output) -> float:
    """Show seconds of a run."""
    return sum(frame.delay for frame in play(plan(options), options, output.screen))


@pytest.mark.parametrize("speed", [0.25, 1.0, 60.0, 1e4])
def test_a_show_lasts_as_long_as_its_delays(speed: float) -> None:
    clock = Clock()
    output = Recorder(clock)
    frames = list(play(plan(RUN), RUN, output.screen))
    assert Session(RUN._replace(speed_factor=speed), output, inf, clock, clock.sleep).play()
    assert output.text() == "".join(frame.text for frame in frames)
    seconds = sum(frame.delay for frame in frames) / speed
    assert clock.now - 1000 == pytest.approx(seconds, abs=SHORTEST_SLEEP)
    assert max(clock.slept, default=0) <= LONGEST_SLEEP


def test_each_text_is_written_when_it_is_due() -> None:
    clock = Clock()
    output = Recorder(clock)
    Session(RUN, output, inf, clock, clock.sleep).play()
    ends = list(accumulate(len(text) for _, text in output.written))
    end, due = 0, 1000.0
    for frame in play(plan(RUN), RUN, output.screen):
        end, due = end + len(frame.text), due + frame.delay
        moment, _ = output.written[bisect_left(ends, end)]
        assert moment == pytest.approx(due, abs=SHORTEST_SLEEP)


def test_at_full_speed_nothing_is_waited_for_and_texts_are_large() -> None:
    clock = Clock()
    output = Recorder(clock)
    assert Session(RUN._replace(speed_factor=inf), output, inf, clock, clock.sleep).play()
    assert clock.slept == []
    _, *texts, _ = [text for _, text in output.written]  # the first line waits for no other
    assert all(len(text) >= BATCH for text in texts)


@pytest.mark.parametrize("speed", [1.0, 50.0, inf])
def test_a_show_stops_at_its_deadline(speed: float) -> None:
    clock = Clock()
    output = Recorder(clock, stall=dict.fromkeys(range(1, 10_000), 0.25))
    forever = RUN._replace(speed_factor=speed, runs=0)
    assert not Session(forever, output, 1003.0, clock, clock.sleep).play()
    assert 1003.0 <= clock.now <= 1003.25


def test_a_suspended_show_is_not_caught_up_with() -> None:
    clock = Clock()
    output = Recorder(clock, stall={20: 3600.0})
    usual = length(RUN, output)
    Session(RUN, output, inf, clock, clock.sleep).play()
    assert clock.now - 1000 == pytest.approx(usual + 3600, abs=5)


def test_a_signal_is_heard_where_nothing_is_waited_for_and_little_is_told() -> None:
    """All lines of a run come at once, and they are fewer than are written together."""
    clock, signals = Clock(), Signals()
    output = Recorder(clock)
    options = Options("lightning", seed=5, runs=0, instant_print_lines=10**6, duration=1e-6)
    signals.asked = 15
    with pytest.raises(Stopped) as stopped:
        Session(options, output, inf, clock, clock.sleep, signals=signals).play()
    assert stopped.value.status == 143
    assert output.written == []


# --- keys --------------------------------------------------------------------------------------


class Fingers(Keyboard):
    """Presses keys at moments of the clock."""

    def __init__(self, clock: Clock, keys: Iterable[tuple[float, str]]) -> None:
        super().__init__(-1)
        self.clock, self.keys = clock, list(keys)

    def changed_hands(self) -> bool:
        return False

    def pressed(self) -> list[str]:
        names = []
        while self.keys and 1000 + self.keys[0][0] <= self.clock.now:
            names.append(self.keys.pop(0)[1])
        return names

    def patience(self) -> float:
        return max(0.0, 1000 + self.keys[0][0] - self.clock.now) if self.keys else inf


class Theatre(Recorder):
    """A coloured terminal of some size, which shows what is written."""

    def __init__(self, clock: Clock, width: int = 80, height: int = 24) -> None:
        super().__init__(clock)
        self._screen = Screen(width, height, color=True, unicode=True, live=True)
        self.terminal = Terminal(width, height)

    def screen(self) -> Screen:
        return self._screen

    def write(self, text: str, _deadline: float = inf) -> None:
        super().write(text)
        self.terminal.stream.feed(text)

    def rows(self) -> list[str]:
        return [self.terminal.row(number) for number in range(self._screen.height)]

    def below(self) -> list[str]:
        """The rows of the live region."""
        rows = self.rows()[self.terminal.cursor.y :]
        while rows and not rows[-1]:
            rows.pop()
        return rows


SHORT = RUN._replace(duration=30.0)


def played(
    *keys: tuple[float, str],
    until: float = inf,
    options: Options = SHORT,
    size: tuple[int, int] = (50, 12),
) -> tuple[Theatre, Clock, bool]:
    """A show with keys pressed at these seconds, up to a second; whether it came to its end."""
    clock = Clock()
    theatre = Theatre(clock, *size)
    session = Session(options, theatre, 1000 + until, clock, clock.sleep, Fingers(clock, keys))
    return theatre, clock, session.play()


@pytest.mark.parametrize(("view", "rest"), [("wall", PAUSE), ("log", 0.0)])
def test_the_last_picture_of_a_board_stays_before_the_next_run(view: str, rest: float) -> None:
    """Nothing is written for some seconds after a run's poster; a log goes on at once."""
    one = SHORT._replace(view=view, incidents="none")
    first, second = (played(options=one._replace(seed=seed))[1] for seed in (5, 6))
    theatre, clock, ended = played(options=one._replace(runs=2))
    assert ended
    alone = first.now + second.now - 2000
    assert clock.now - 1000 == pytest.approx(alone + rest, abs=0.6)
    gaps = [after - before for (before, _), (after, _) in pairwise(theatre.written)]
    assert max(gaps) >= rest


@pytest.mark.parametrize(("speed", "rest"), [(8.0, PAUSE), (0.5, PAUSE), (inf, 0.0)])
def test_the_last_picture_stays_as_long_at_any_speed(speed: float, rest: float) -> None:
    """At speed 8 it was gone after 0.6 seconds. At the highest speed nothing is waited for."""
    asked = SHORT._replace(view="wall", incidents="none", speed_factor=speed, runs=2)
    theatre, _, ended = played(options=asked)
    assert ended
    gaps = [after - before for (before, _), (after, _) in pairwise(theatre.written)]
    assert max(gaps) == pytest.approx(rest, abs=0.6)


@pytest.mark.parametrize("key", ["back", "forward", "next"])
def test_a_key_ends_the_rest_between_two_runs(key: str) -> None:
    """The next run begins at once, and nothing false is said of exports."""
    one = SHORT._replace(view="wall", incidents="none")
    alone = played(options=one)[1].now - 1000
    usual = played(options=one._replace(runs=2))[1]
    theatre, clock, ended = played((alone + 2.0, key), options=one._replace(runs=2))
    assert ended
    assert usual.now - clock.now == pytest.approx(PAUSE - 2.0, abs=0.6)
    assert "no way back" not in theatre.text()


def test_a_pause_holds_the_show_and_costs_it_nothing() -> None:
    usual, usual_clock, _ = played()
    theatre, clock, ended = played((10.0, "pause"), (3610.0, "pause"))
    assert ended
    assert clock.now - usual_clock.now == pytest.approx(3600, abs=0.01)
    assert theatre.terminal.shown() == usual.terminal.shown()
    held = [text for moment, text in theatre.written if 1010.0 < moment < 4610.0]
    assert held == []


# --- type to advance -----------------------------------------------------------------------------

TYPED = SHORT._replace(type=True, view="log")
ANY = ("unknown", "pause", "next", "faster", "board", "back")  # as the keys are otherwise called


def told(frames: Iterable[Frame], keys: int) -> str:
    """What a show writes until each of these keys has had its lines; all before a wait is free."""
    text, waited, left = "", False, keys
    for frame in frames:
        waited = waited or frame.delay > 0
        if waited and left == 0:
            break
        text += frame.text
        left -= waited and frame.lines
    return text


@pytest.mark.parametrize("keys", [0, 1, 6, 60])
def test_each_key_brings_the_next_line_and_nothing_else_does(keys: int) -> None:
    typed = [(10.0 + number, ANY[number % len(ANY)]) for number in range(keys)]
    theatre, clock, ended = played(*typed, until=1000.0, options=TYPED)
    assert not ended  # however long it waits
    assert clock.now >= 2000.0
    frames = play(plan(SHORT), SHORT._replace(view="log"), theatre.screen)
    told_so_far = Theatre(Clock(), 50, 12)
    told_so_far.write(told(frames, keys))
    assert theatre.terminal.shown() == told_so_far.terminal.shown()
    moments = {moment for moment, _ in theatre.written}
    assert moments <= {1000.0, 1000 + HINT_TIME, *(1000 + moment for moment, _ in typed)}


def test_keys_typed_together_bring_a_line_each() -> None:
    apart, _, _ = played(*((10.0 + key, "unknown") for key in range(7)), until=30, options=TYPED)
    at_once, _, _ = played(*[(10.0, "unknown")] * 7, until=30, options=TYPED)
    assert at_once.terminal.shown() == apart.terminal.shown()


def test_who_types_can_end_the_show_and_see_its_end() -> None:
    _, clock, ended = played((10.0, "unknown"), (12.0, "quit"), until=100, options=TYPED)
    assert not ended
    assert clock.now == pytest.approx(1012, abs=0.1)
    many = [(1.0 + key / 100, "unknown") for key in range(3000)]
    _, _, ended = played(*many, until=100, options=TYPED)
    assert ended


def test_the_board_comes_along_with_what_is_typed() -> None:
    board = TYPED._replace(view="board", from_="50%")
    some, _, _ = played(*((10.0 + key, "unknown") for key in range(3)), until=20, options=board)
    more, _, _ = played(*((10.0 + key, "unknown") for key in range(30)), until=50, options=board)
    steps = [re.search(r"step +([\d,]+)/", " ".join(it.below())) for it in (some, more)]
    first, second = (int(step[1].replace(",", "")) for step in steps if step)
    assert first < second


def test_where_nobody_can_type_the_show_goes_on_by_itself() -> None:
    clock = Clock()
    assert Session(TYPED, Recorder(clock), inf, clock, clock.sleep).play()


def heading(theatre: Theatre) -> str:
    """The first row of the board."""
    return next(row for row in theatre.below() if row.startswith("── "))


def test_a_paused_show_says_so() -> None:
    """In the board's heading, at any speed: no row moves for it."""
    theatre, _, _ = played((10.0, "pause"), until=20.0)
    assert "paused" in heading(theatre)
    theatre, _, _ = played((10.0, "pause"), (12.0, "faster"), until=15.0)
    assert "paused 2x" in heading(theatre)
    log, _, _ = played((10.0, "pause"), until=20.0, options=SHORT._replace(view="log"))
    assert log.below()[-1].strip().startswith("paused")
    theatre, _, _ = played((10.0, "pause"), (12.0, "pause"), until=13.0)
    assert not any("paused" in row for row in theatre.rows())


@pytest.mark.parametrize(("key", "factor"), [("faster", 2.0), ("slower", 0.5)])
def test_speed_doubles_and_halves(key: str, factor: float) -> None:
    clock = Clock()
    usual, keys = length(SHORT, Recorder(clock)), Fingers(clock, [(20.0, key)])
    assert Session(SHORT, Recorder(clock), inf, clock, clock.sleep, keys).play()
    left = usual - 20
    assert clock.now == pytest.approx(1020 + left / factor, abs=0.2)
    told, _, _ = played((20.0, key), until=20.5)
    assert f" {factor:g}x " in heading(told)
    log = SHORT._replace(view="log")
    told, _, _ = played((20.0, key), until=20.5, options=log)
    assert told.below()[-1].strip() == f"speed {factor:g}"
    later, _, _ = played((20.0, key), until=20.5 + NOTE_TIME, options=log)
    assert not any("speed" in row for row in later.rows())


def test_speed_has_bounds_and_comes_back_from_the_highest() -> None:
    crazy = [(20.0 + number / 100, "faster") for number in range(50)]
    theatre, clock, ended = played(*crazy)
    assert ended
    assert clock.now < 1022
    calm = [(20.0 + number / 100, "slower") for number in range(50)]
    theatre, _, _ = played(*calm, until=21.0)
    assert f" {2**-6:g}x " in heading(theatre)


def test_slow_again_after_fast_shows_the_next_tick_soon() -> None:
    keys = [(20.0, "faster")] * 6 + [(20.5, "slower")] * 6
    theatre, _, _ = played(*keys, until=25.0, options=RUN._replace(duration=3600.0))
    drawn = [moment for moment, _ in theatre.written if moment > 1020.5]
    assert drawn[0] < 1020.7
    assert max(b - a for a, b in pairwise(drawn)) < 3


def test_next_goes_on_to_the_next_run_which_counts() -> None:
    theatre, _, ended = played((10.0, "next"))
    assert ended
    log = "\n".join(theatre.terminal.shown())
    assert "--seed 5" not in log.replace("\n", " ").partition("Same run again")[2]
    assert "--seed 6" in "\n".join(theatre.terminal.shown()).partition("Same run again")[2]
    assert "━" not in log
    assert log.count("Same run again") == 1


def test_the_board_goes_and_comes() -> None:
    off, _, _ = played((15.0, "board"), until=20.0)
    assert len(off.below()) <= 1
    on, _, _ = played((15.0, "board"), (18.0, "board"), until=20.0)
    assert len(on.below()) == rows_of(on.screen())
    assert (
        on.terminal.shown()[: len(on.terminal.gone)]
        == played()[0].terminal.shown()[: len(on.terminal.gone)]
    )


def test_a_log_can_be_given_a_board() -> None:
    log = SHORT._replace(view="log")
    assert len(played(until=20.0, options=log)[0].below()) <= 1
    theatre, _, _ = played((15.0, "board"), until=20.0, options=log)
    assert 0 <= len(theatre.below()) - rows_of(theatre.screen()) <= 1  # a bar


def test_a_board_that_was_taken_away_stays_away_in_the_next_run() -> None:
    theatre, _, _ = played((10.0, "board"), (12.0, "next"), until=25.0)
    assert len(theatre.below()) <= 1


@pytest.mark.parametrize("view", ["log", "board", "wall"])
@pytest.mark.parametrize("keys", [["board"], ["board", "wall"], ["wall", "board", "wall"]])
def test_a_pause_is_said_whatever_is_shown(view: str, keys: list[str]) -> None:
    """A board that was taken away in a pause took the word with it."""
    pressed = [(15.0 + number / 10, key) for number, key in enumerate(["pause", *keys])]
    asked = SHORT._replace(view=view)
    theatre, _, _ = played(*pressed, until=16.0, options=asked, size=(120, 40))
    assert sum("paused" in row for row in theatre.rows()) == 1


def test_the_key_of_the_board_takes_away_a_wall_too() -> None:
    """It changed nothing that one could see, until the wall was left and no board came."""
    wall = SHORT._replace(view="wall")
    theatre, _, _ = played((15.0, "board"), until=15.5, options=wall, size=(120, 40))
    assert len(theatre.below()) <= 1
    theatre, _, _ = played((15.0, "board"), (16.0, "board"), until=16.5, options=wall)
    assert len(theatre.below()) == rows_of(theatre.screen())


class Resizing(Fingers):
    """A terminal that is resized once, wraps its lines anew, and says so by a signal."""

    def __init__(self, theatre: Theatre, signals: Signals, size: tuple[int, int], at: float):
        super().__init__(theatre.clock, [(at - 1.0, "pause")])
        self.theatre, self.signals, self.at = theatre, signals, at
        self.coming = [size]

    def open(self) -> None:
        pass

    def pressed(self) -> list[str]:
        if self.coming and self.clock.now >= 1000 + self.at:
            width, height = self.coming.pop()
            self.theatre._screen = self.theatre._screen._replace(width=width, height=height)
            self.theatre.terminal.grow_or_shrink(width, height)
            self.theatre.terminal.cursor.y = 3
            self.signals._disturb(signal.SIGWINCH, None)
        return super().pressed()


@pytest.mark.parametrize("size", [(80, 24), (60, 30), (100, 18)])
@pytest.mark.parametrize("view", ["board", "wall"])
def test_a_resize_in_a_pause_leaves_one_whole_picture(size: tuple[int, int], view: str) -> None:
    """The board was drawn where the cursor stood, which is anywhere after lines are wrapped."""
    clock, signals = Clock(), Signals()
    theatre = Theatre(clock, 80, 24)
    keyboard = Resizing(theatre, signals, size, at=20.0)
    asked = SHORT._replace(view=view)
    Session(asked, theatre, 1021.0, clock, clock.sleep, keyboard, signals).play()
    rows = theatre.rows()
    assert len(rows) == size[1]
    assert sum("paused" in row for row in rows) == 1
    assert "eta" in rows[-1]
    assert sum(not row.strip() for row in rows) <= 2


@pytest.mark.parametrize("while_paused", [False, True])
def test_quit_ends_the_show_early(while_paused: bool) -> None:
    pause = [(10.0, "pause")] if while_paused else []
    _, clock, ended = played(*pause, (20.0, "quit"), options=SHORT._replace(runs=0))
    assert not ended
    assert clock.now == pytest.approx(1020.0, abs=0.11)


def test_keys_are_heard_at_full_speed() -> None:
    options = RUN._replace(speed_factor=inf, runs=0)
    clock = Clock()
    theatre = Theatre(clock)
    theatre.stall = dict.fromkeys(range(1, 10_000), 0.1)
    session = Session(options, theatre, 1100.0, clock, clock.sleep, Fingers(clock, [(2.0, "quit")]))
    assert not session.play()
    assert clock.now < 1002.1


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (80, 24), (120, 40)])
def test_the_keys_are_shown_once_and_go_away(size: tuple[int, int]) -> None:
    first, _, _ = played(until=HINT_TIME - 0.5, size=size)
    assert "q quit" in first.below()[-1]
    assert 1 < len(first.below()) <= rows_of(first.screen()) + 2  # the keys, and a bar
    later, _, _ = played(until=HINT_TIME + 0.5, size=size, options=SHORT._replace(runs=0))
    assert not any("q quit" in row for row in later.rows())
    assert not any("q quit" in row for row in later.terminal.gone)
    again, _, _ = played((15.0, "unknown"), until=16.0, size=size)
    assert "q quit" in again.below()[-1]


def test_without_a_keyboard_no_keys_are_shown() -> None:
    clock = Clock()
    theatre = Theatre(clock)
    Session(RUN, theatre, 1005.0, clock, clock.sleep).play()
    assert 0 <= len(theatre.below()) - rows_of(theatre.screen()) <= 1  # a bar
    assert "quit" not in theatre.text()
    assert output_module.PASTES_TOLD not in theatre.text()


# --- another moment ----------------------------------------------------------------------------


def steps_on(rows: list[str]) -> list[int]:
    """The steps whose lines stand there."""
    found = [re.match(r".* step +([\d,]+)/", row) for row in rows]
    return [int(match[1].replace(",", "")) for match in found if match]


def positions(
    *keys: tuple[float, str], until: float, view: str = "log", from_: str | None = None
) -> tuple[Theatre, Session]:
    """A show with keys pressed, up to a second; without the board it costs a tenth."""
    clock, options = Clock(), LONG._replace(view=view, from_=from_)
    theatre = Theatre(clock, 120, 40)
    show = Session(options, theatre, 1000 + until, clock, clock.sleep, Fingers(clock, keys))
    assert not show.play()
    return theatre, show


LONG = RUN._replace(duration=180.0)


@pytest.mark.parametrize(
    ("key", "position"), [("back", 90.0), ("forward", 110.0), ("beginning", 0.0)]
)
def test_arrows_go_ten_show_seconds_back_and_on_and_home_to_the_beginning(
    key: str, position: float
) -> None:
    _, show = positions((100.0, key), until=100.05)
    assert show.playback.position == pytest.approx(position + 0.05, abs=0.02)
    _, show = positions((100.0, key), until=103.0)
    assert show.playback.position == pytest.approx(position + 3.0, abs=0.02)


def test_keys_that_come_together_add_up() -> None:
    _, show = positions(*[(100.0, "back")] * 3, (100.0, "forward"), until=100.05)
    assert show.playback.position == pytest.approx(80.05, abs=0.02)


def test_a_seek_shows_the_moment_as_somebody_who_waited_for_it_sees_it() -> None:
    waited = [positions(until=until)[0] for until in (80.9, 81.1)]
    early, late = (steps_on(theatre.rows()) for theatre in waited)
    for seeks, until in (
        ([(60.0, "forward")] * 2, 61.0),
        ([(100.0, "back")] * 2, 101.0),
        ([(50.0, "forward"), (52.0, "beginning"), (53.0, "forward")], 123.0),
    ):
        sought, _ = positions(*seeks, until=until)
        assert early[-1] <= steps_on(sought.rows())[-1] <= late[-1], seeks


def test_the_board_goes_along() -> None:
    sought, _ = positions((1.0, "forward"), until=2.0, view="board", from_="40%")
    waited = [positions(until=until, view="board", from_="40%")[0] for until in (11.9, 12.1)]
    early, done, late = (
        int(match[1].replace(",", ""))
        for theatre in (waited[0], sought, waited[1])
        for match in re.finditer(r"step +([\d,]+)/.*━", "\n".join(theatre.below()))
    )
    assert early <= done <= late


def test_a_seek_is_shown_at_once_and_also_in_a_pause() -> None:
    theatre, show = positions((100.0, "pause"), (110.0, "back"), until=120.0)
    assert show.playback.paused
    assert show.playback.position == pytest.approx(90.0, abs=0.01)
    written = [moment for moment, _ in theatre.written if moment > 1109.0]
    assert written
    assert max(written) < 1110.01
    assert theatre.below()[-1].strip().startswith("paused")


def test_the_start_is_as_far_back_as_one_can_go_and_the_end_as_far_on() -> None:
    _, show = positions((5.0, "back"), until=6.0)
    assert show.playback.position == pytest.approx(1.0, abs=0.02)
    clock = Clock()
    theatre = Theatre(clock, 120, 40)
    keys = Fingers(clock, [(100.0, "forward")] * 30)
    assert Session(LONG._replace(view="log"), theatre, inf, clock, clock.sleep, keys).play()
    assert clock.now < 1101
    assert "Same run again" in "\n".join(theatre.terminal.shown())


@pytest.mark.parametrize("moment", ["export", "60%", "step=30", "training"])
def test_each_run_begins_where_the_options_say(moment: str) -> None:
    clock = Clock()
    output = Recorder(clock)
    options = RUN._replace(runs=3, steps=40, from_=moment, speed_factor=inf)
    assert Session(options, output, inf, clock, clock.sleep).play()
    shows = output.text().split("Same run again")
    assert len(shows) == 4
    for show in shows[:3]:
        assert "Rendezvous" not in show
        assert show.count("\n") > 3


@pytest.mark.parametrize("kind", ["step", "failure"])
def test_a_later_run_without_the_moment_begins_at_its_launch(kind: str) -> None:
    """A loop goes on. The later of these two is shorter, and does not break."""
    clock = Clock()
    output = Recorder(clock)
    asked = RUN._replace(seed=27, runs=2, speed_factor=inf)
    moment = f"step={plan(asked).schedule.steps}" if kind == "step" else kind
    asked = asked._replace(from_=moment)
    assert Session(asked, output, inf, clock, clock.sleep).play()
    first, second, _ = output.text().split("Same run again")
    assert "loss" in first.split("Rendezvous")[0]
    assert "loss" not in second.split("Rendezvous")[0]
    assert "Rendezvous" in second


def test_a_moment_that_the_run_does_not_have_is_refused_before_anything_is_written() -> None:
    clock = Clock()
    output = Recorder(clock)
    with pytest.raises(OptionError):
        Session(RUN._replace(from_="step=1000000"), output, inf, clock, clock.sleep).play()
    assert output.written == []
