"""A show's position and speed, by a clock that the test hands in."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.show.playback import ARREARS, FASTEST, SLOWEST, Playback


def test_what_is_owed_is_paid_off_as_time_passes() -> None:
    playback = Playback(100.0)
    assert playback.owe(5.0, 100.0) == 5.0
    assert playback.left(102.0) == 3.0
    assert playback.position == 2.0
    assert playback.left(105.0) == 0.0
    assert playback.owe(1.0, 105.5) == 0.5
    assert playback.position == 5.5


@pytest.mark.parametrize("speed", [0.25, 2.0, 64.0])
def test_seconds_are_show_seconds_by_the_speed(speed: float) -> None:
    playback = Playback(0.0, speed)
    assert playback.owe(8.0, 0.0) == 8.0 / speed
    assert playback.left(1.0 / speed) == 7.0 / speed
    assert playback.position == 1.0


def test_at_full_speed_nothing_is_waited_for() -> None:
    playback = Playback(0.0, inf)
    assert playback.owe(3600.0, 0.0) == 0.0
    assert playback.position == 3600.0


def test_another_speed_takes_hold_in_a_wait() -> None:
    playback = Playback(0.0)
    playback.owe(1000.0, 0.0)
    playback.go_at(100.0, 500.0)
    assert playback.left(500.0) == 5.0
    playback.go_at(inf, 501.0)
    assert playback.left(501.0) == 0.0


def test_a_lower_speed_makes_no_wait_longer() -> None:
    """A board is drawn every 6.4 show seconds at speed 64: one such wait at speed 1 is a halt."""
    playback = Playback(0.0, 64.0)
    playback.owe(6.4, 0.0)
    playback.go_at(1.0, 0.05)
    assert playback.left(0.05) == pytest.approx(0.05)
    assert playback.position == pytest.approx(6.35)


def test_what_is_late_stays_as_late_at_another_speed() -> None:
    playback = Playback(0.0)
    playback.go_at(64.0, 0.5)
    assert playback.left(0.5) >= -0.5
    playback = Playback(0.0, 64.0)
    playback.go_at(1.0, 0.5)
    assert playback.left(0.5) >= -ARREARS


def test_a_pause_costs_nothing() -> None:
    playback = Playback(0.0)
    playback.owe(10.0, 0.0)
    playback.pause(True, 4.0)
    assert playback.left(5.0) == inf
    assert playback.left(3600.0) == inf
    assert playback.position == 4.0
    playback.pause(False, 3604.0)
    assert playback.left(3604.0) == 6.0


def test_a_suspended_machine_is_not_caught_up_with() -> None:
    playback = Playback(0.0)
    playback.owe(1.0, 0.0)
    assert playback.left(3600.0) == -ARREARS
    assert playback.owe(5.0, 3600.0) == 5.0 - ARREARS


@pytest.mark.parametrize("while_paused", [False, True])
@pytest.mark.parametrize("what", ["next", "quit"])
def test_who_asks_for_the_end_of_a_run_does_not_wait(what: str, while_paused: bool) -> None:
    playback = Playback(0.0)
    playback.owe(1000.0, 0.0)
    playback.pause(while_paused, 1.0)
    playback.ask(what)
    assert playback.asked == what
    assert playback.left(1.0) <= 0.0


def test_a_run_begins_with_nothing_owed_or_asked() -> None:
    playback = Playback(0.0, 4.0)
    playback.owe(1000.0, 0.0)
    playback.ask("next")
    playback.begin(9.0)
    assert (playback.asked, playback.position, playback.left(9.0)) == ("", 0.0, 0.0)
    assert playback.speed == 4.0


def test_keys_lead_to_the_ends_and_no_further() -> None:
    playback = Playback(0.0)
    for _ in range(30):
        playback.faster(0.0)
    assert playback.speed == FASTEST == 1024
    for _ in range(30):
        playback.slower(0.0)
    assert playback.speed == SLOWEST == 1 / 64


@pytest.mark.parametrize(("speed", "slower", "faster"), [(inf, 1024, inf), (5000, 1024, 5000),
                                                         (0.001, 0.001, 0.002)])  # fmt: skip
def test_a_speed_beyond_the_ends_is_left_towards_them(
    speed: float, slower: float, faster: float
) -> None:
    playback = Playback(0.0, speed)
    playback.slower(0.0)
    assert playback.speed == slower
    playback = Playback(0.0, speed)
    playback.faster(0.0)
    assert playback.speed == faster


MOVES = st.lists(
    st.tuples(
        st.floats(0.0, 0.5),  # seconds that pass
        st.sampled_from(["owe", "faster", "slower", "pause", "go on"]),
        st.floats(0.0, 20.0),
    ),
    max_size=60,
)


@pytest.mark.long
@given(MOVES)
def test_the_position_never_goes_back_nor_past_the_next_frame(
    moves: list[tuple[float, str, float]],
) -> None:
    playback, now, due, before = Playback(0.0), 0.0, 0.0, 0.0
    for past, move, delay in moves:
        now += past
        if move == "owe":
            playback.owe(delay, now)
            due += delay
        elif move == "faster":
            playback.faster(now)
        elif move == "slower":
            playback.slower(now)
        else:
            playback.pause(move == "pause", now)
        playback.left(now)
        assert before - 1e-9 <= playback.position <= due + 1e-9, (move, now)
        before = playback.position
