"""Simulated time as show time, and back: each phase has its share, and nothing goes backwards."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.job.milestones import checkpoints, validations
from llmsim.options.parsing import REAL_TIME
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.events import Event, MeshBuilt, PhaseEnded, PhaseStarted
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run, Segment, Timeline, run_ended, segment_at
from llmsim.show.pace import HASTE, INTERRUPTIONS, MOST_ADDED, SHARES, UNSEEN, Pace, brevity
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tests.runs import ending

START = datetime(2026, 1, 30, 12)


@cache
def of_seed(seed: int, incidents: str = "none") -> Run:
    return run_of(plan(Options(seed=seed, start=START, incidents=incidents)))


@cache
def facts(seed: int, incidents: str = "none") -> tuple[Event, ...]:
    return tuple(events(of_seed(seed, incidents)))


@cache
def whole(seed: int) -> Run:
    """The run of a seed with its own end, an export, where Slurm's time limit would end it."""
    return run_of(ending(of_seed(seed).job))


def shares(seed: int, duration: float) -> dict[str, float]:
    """Show seconds of each phase, those of the phases nested in it left out."""
    pace = Pace(whole(seed), duration)
    seconds: dict[str, float] = {}
    inside: list[str] = []
    before = 0.0
    for event in events(whole(seed)):
        shown = pace.shown(event.at)
        if inside:
            seconds[inside[-1]] = seconds.get(inside[-1], 0.0) + shown - before
        before = shown
        if isinstance(event, PhaseStarted):
            inside.append(event.phase)
        elif isinstance(event, PhaseEnded):
            assert inside.pop() == event.phase
    assert inside == []
    return seconds


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.long
def test_a_run_takes_about_three_minutes_and_each_phase_its_share(seed: int) -> None:
    seconds = shares(seed, Options().duration)
    assert 150 < sum(seconds.values()) < 210
    assert seconds.keys() == SHARES.keys()
    asked = dict(SHARES)
    assert seconds.pop("launch") <= asked.pop("launch") * 180 * 1.01
    rest = sum(seconds.values()) / sum(asked.values())
    for phase, share in asked.items():
        assert seconds[phase] == pytest.approx(share * rest, rel=0.15), phase


@pytest.mark.long
def test_a_run_that_slurm_ends_takes_about_three_minutes_too() -> None:
    limited = [seed for seed in range(40) if of_seed(seed).job.schedule.time_limit]
    assert limited
    for seed in limited:
        run = of_seed(seed)
        assert 150 < Pace(run, 180.0).shown(run_ended(run)) < 210, seed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.long
def test_dozens_of_failures_do_not_make_a_show_many_times_as_long(seed: int) -> None:
    """131,072 GPUs break dozens of times; a failure, its outage and its relaunch would take 13 s
    each. The steps that are run again take their time, too.
    """
    run = run_of(plan(Options(seed=seed, start=START, gpus=131_072, incidents="rare")))
    launches = sum(segment.kind == "launch" for segment in run.timeline)
    assert launches > 20, seed
    pace = Pace(run, 180.0)
    kinds = ("failure", "outage", "launch")
    added = [pace.shown(each.ended) - pace.shown(each.began) for each in run.timeline
             if each.began and each.kind in kinds]  # fmt: skip
    assert sum(added) < 180 * 2 * MOST_ADDED, seed
    assert brevity(of_seed(seed, "rare").job) == 1.0, seed


def test_a_launch_is_not_stretched() -> None:
    ended = next(e.at for e in facts(5) if isinstance(e, PhaseEnded))
    assert shares(5, 86_400.0)["launch"] == pytest.approx(ended)


def test_the_shares_make_a_whole() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)


def by_phases(seed: int, incidents: str, duration: float) -> list[float]:
    """The show second of each event, added up phase by phase as the events announce them.

    A phase has its share of the show, one validation of four a quarter of the validations'. Of a
    failure the part before its first sign is at most UNSEEN of the show.
    """
    run = of_seed(seed, incidents)
    times = {"validation": validations(run.job), "checkpoint": checkpoints(run.job)}
    rates: list[float] = []
    before, shown, left, haste = 0.0, 0.0, 0.0, 1.0
    seconds = []
    unseen = False
    found = facts(seed, incidents)
    for event, after in zip_longest(found, found[1:]):
        shown += (event.at - before) * rates[-1] / haste if rates else 0.0
        before, haste, unseen = event.at, 1.0 if unseen else haste, False
        seconds.append(shown)
        if isinstance(event, PhaseStarted):
            if event.phase in INTERRUPTIONS:
                share = INTERRUPTIONS[event.phase] * brevity(run.job)
                rates.append(min(1.0, share * left / event.own_seconds))
                if event.phase == "failure":
                    most = UNSEEN * left / (1 - SHARES["launch"])
                    haste, unseen = max(1.0, rates[-1] * (after.at - event.at) / most), True
                continue
            share = SHARES[event.phase] / times.get(event.phase, 1)
            if event.phase == "launch":
                rates.append(min(1.0, share * duration / event.own_seconds))
                haste = HASTE if rates[-1] < 1.0 else 1.0
            else:
                rates.append(share / (1 - SHARES["launch"]) * left / event.own_seconds)
        elif isinstance(event, MeshBuilt):
            haste = 1.0
        elif isinstance(event, PhaseEnded):
            rate = rates.pop()
            left = duration - rate * event.at if event.phase == "launch" else left
    return seconds


@pytest.mark.parametrize("duration", [10.0, 180.0, 86_400.0])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("incidents", ["none", "chaos"])
@pytest.mark.long
def test_events_come_when_their_phases_say(seed: int, duration: float, incidents: str) -> None:
    pace = Pace(of_seed(seed, incidents), duration)
    moments = by_phases(seed, incidents, duration)
    for event, expected in zip(facts(seed, incidents), moments, strict=True):
        assert pace.shown(event.at) == pytest.approx(expected, rel=1e-6, abs=1e-6), event


# First steps that compile for long, and a job that fails again and again.
SILENT = [4, 11, 13, 126, 222, 349]


@pytest.mark.parametrize("seed", SILENT)
def test_the_house_log_is_silent_for_at_most_four_seconds(seed: int) -> None:
    """In three minutes, but for a checkpoint, which says that it takes long."""
    options = Options("pytorch", seed=seed, start=START)
    run = run_of(plan(options))
    pace, told = Pace(run, options.duration), 0.0
    screen = Screen(80, 24, color=False, unicode=True, live=False)
    for frame in play(run, options, lambda: screen):
        if segment_at(run, pace.simulated((told + frame.shown) / 2)).kind != "checkpoint":
            assert frame.shown - told <= 4.0, told
        told = frame.shown


@pytest.mark.parametrize("seed", SILENT)
def test_a_wait_takes_no_time_from_a_show(seed: int) -> None:
    """What a first step that compiles gives up the other steps get: training has its share."""
    run = run_of(plan(Options("pytorch", seed=seed, start=START, incidents="none")))
    pace, seconds = Pace(run, 180.0), dict.fromkeys(SHARES, 0.0)
    number = 0
    while run.timeline.has(number):
        each = run.timeline[number]
        seconds[each.kind] += pace.shown(each.ended) - pace.shown(each.began)
        number += 1
    share = SHARES["training"] / SHARES["export"]
    assert seconds["training"] / seconds["export"] == pytest.approx(share, rel=1e-5)


def test_real_time_is_simulated_time() -> None:
    pace = Pace(of_seed(5), REAL_TIME)
    assert all(pace.shown(event.at) == pace.simulated(event.at) == event.at for event in facts(5))


@given(st.integers(0, 5), st.sampled_from([10.0, 180.0, 1e5, REAL_TIME]), st.floats(0.0, 1.0))
def test_there_and_back_is_the_same_moment(seed: int, duration: float, part: float) -> None:
    run = of_seed(seed)
    pace, at = Pace(run, duration), part * run_ended(run)
    assert pace.simulated(pace.shown(at)) == pytest.approx(at, abs=2e-6, rel=1e-9)


@given(st.integers(0, 5), st.lists(st.floats(0.0, 300.0), min_size=2, max_size=9))
def test_time_goes_on_whoever_asks_first(seed: int, moments: list[float]) -> None:
    pace = Pace(of_seed(seed), 180.0)
    for moment in moments:
        pace.simulated(moment)
    shown = sorted(moments)
    simulated = [pace.simulated(moment) for moment in shown]
    assert simulated == sorted(simulated)
    fresh = Pace(of_seed(seed), 180.0)
    assert simulated == [fresh.simulated(moment) for moment in shown]


@pytest.mark.parametrize("duration", [180.0, REAL_TIME])
def test_after_the_end_is_the_end(duration: float) -> None:
    run = of_seed(5)
    pace = Pace(run, duration)
    assert pace.simulated(1e9) == run_ended(run)
    assert pace.shown(0.0) == pace.simulated(0.0) == 0.0


def test_no_more_of_the_run_is_drawn_than_somebody_asks_for() -> None:
    drawn: list[Segment] = []

    def noting(segments: Iterator[Segment]) -> Iterator[Segment]:
        for segment in segments:
            drawn.append(segment)
            yield segment

    run = of_seed(5)
    watched = run._replace(timeline=Timeline(noting(iter(run.timeline))))
    pace = Pace(watched, 180.0)
    pace.simulated(pace.shown(1.0))
    assert [segment.kind for segment in drawn] == ["launch"]
