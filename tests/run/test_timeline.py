"""A run can be asked for any moment, and the answers agree with what its events say."""

from functools import cache
from itertools import pairwise
from math import fsum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.job import milestones
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.sites import site_of
from llmsim.run.events import (
    CheckpointSaved,
    CheckpointStarted,
    Event,
    PhaseEnded,
    PhaseStarted,
    Status,
    Step,
    Validated,
)
from llmsim.run.moment import energy, energy_of, loads, odd, readings, state
from llmsim.run.simulation import events, run_of, step
from llmsim.run.timeline import (
    Delay,
    Run,
    run_ended,
    segment_at,
    step_at,
    step_began,
    step_done,
    step_ended,
    step_in,
)
from tests.runs import job_of

SEEDS = st.integers(0, 199)
PARTS = st.floats(0.0, 1.0)


@cache
def told(seed: int) -> tuple[Event, ...]:
    """Every event of a seed's run."""
    return tuple(events(run_of(job_of(seed))))


def fresh(seed: int) -> Run:
    """A run that nobody has asked anything yet."""
    return run_of(job_of(seed))


@settings(max_examples=60, deadline=None)
@given(SEEDS, PARTS, st.booleans())
@pytest.mark.long
def test_the_events_since_a_moment_are_the_tail_of_all(seed: int, part: float, on: bool) -> None:
    every = told(seed)
    at = every[int(part * (len(every) - 1))].at if on else part * every[-1].at
    assert list(events(fresh(seed), at)) == [event for event in every if event.at >= at]


@settings(max_examples=30, deadline=None)
@given(SEEDS)
@pytest.mark.long
def test_segments_follow_one_another_and_events_never_go_back(seed: int) -> None:
    segments = list(fresh(seed).timeline)
    assert segments[0].began == 0.0
    assert all(one.ended == other.began for one, other in pairwise(segments))
    assert all(one.at <= other.at for one, other in pairwise(told(seed)))
    assert segments[-1].ended == told(seed)[-1].at
    trained = [segment for segment in segments if segment.kind == "training"]
    steps = [number for each in trained for number in range(each.first, each.last + 1)]
    schedule = job_of(seed).schedule
    assert steps == list(range(schedule.first_step, schedule.steps + 1))


@settings(max_examples=40, deadline=None)
@given(SEEDS, PARTS)
@pytest.mark.long
def test_a_state_agrees_with_the_events_around_it(seed: int, part: float) -> None:
    run, every = fresh(seed), told(seed)
    at = part * every[-1].at
    moment = state(run, at)
    steps = [event for event in every if isinstance(event, Step)]
    assert moment.step >= max([event.step for event in steps if event.at <= at], default=0)
    assert moment.step <= min([event.step for event in steps if event.at > at], default=10**9)
    inside: list[str] = []
    for event in every:
        if event.at > at:
            break
        if isinstance(event, PhaseStarted):
            inside.append(event.phase)
        elif isinstance(event, PhaseEnded):
            inside.pop()
    if inside:
        assert moment.segment.kind == inside[-1]
    assert moment.segment.began <= at <= moment.segment.ended or at > run_ended(run)
    assert moment.executed == moment.step
    assert step_at(run, at) == moment.step
    assert segment_at(run, at) == moment.segment


@pytest.mark.parametrize("seed", range(0, 40, 5))
@pytest.mark.long
def test_any_step_is_the_one_that_is_logged(seed: int) -> None:
    for event in told(seed):
        if isinstance(event, Step):
            run = fresh(seed)
            assert step(run, event.step) == event
            assert step_done(run, event.step) == event.at
            assert step_began(run, event.step) <= event.at


def due(first: int, every: int, last: int) -> list[int]:
    """The steps first..last that are logged: step 1, and the multiples of the interval."""
    return [step for step in range(first, last + 1) if step == 1 or step % every == 0]


@pytest.mark.parametrize("log_every", [1, 7, 13, 1000])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.long
def test_pauses_need_not_fall_on_a_logged_step(seed: int, log_every: int) -> None:
    job = job_of(seed)
    job = job._replace(schedule=job.schedule._replace(log_every=log_every))
    every = list(events(run_of(job)))
    validated = [event.step for event in every if isinstance(event, Validated)]
    saved = [event.step for event in every if isinstance(event, CheckpointSaved)]
    logged = [event.step for event in every if isinstance(event, Step)]
    steps = job.schedule.steps
    assert validated == list(milestones.validated_steps(job))
    assert saved == list(milestones.saved_steps(job))
    assert logged == due(job.schedule.first_step, log_every, steps)
    assert all(one.at <= other.at for one, other in pairwise(every))


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_step_that_the_run_has_not_is_refused(number: int) -> None:
    with pytest.raises(IndexError, match="the run has steps 1 to"):
        step(fresh(1), number)


@pytest.mark.parametrize("seed", range(0, 40, 4))
@pytest.mark.long
def test_gauges_are_those_of_the_log(seed: int) -> None:
    looks = [event for event in told(seed) if isinstance(event, Status) and event.gpus]
    for event in looks:
        assert readings(fresh(seed), event.at) == event.gpus, event.reason


@pytest.mark.parametrize(("seed", "gpus"), [(25, 8), (8, 128)])
def test_a_gpu_that_is_hot_is_hot_in_the_log_too(seed: int, gpus: int) -> None:
    """Its gauges rise before its clock falls, and a table between says so: it once stood cool."""
    broken = "thermal@26%:rank=3"
    job = job_of(seed, dialect="pytorch", recipe="pretrain", gpus=gpus, incident=(broken,))
    run = run_of(job)
    odd = 0
    for event in events(run):
        if isinstance(event, Status):
            seen = readings(run, event.at, range(8))
            odd += seen[3].temperature_c > max(each.temperature_c for each in seen[:3]) + 5
            if event.gpus:
                assert event.gpus[:8] == seen
            else:
                assert event.nodes[0].temperature_max == max(each.temperature_c for each in seen)
                assert event.nodes[0].power_watts == sum(each.power_watts for each in seen)
    assert odd  # one of the tables is of a moment at which the GPU is hot


def lag(run: Run) -> float:
    return site_of(run.job).lag


@pytest.mark.parametrize("seed", range(10))
def test_a_temperature_has_no_steps(seed: int) -> None:
    """A first-order lag of some 35 s moves 45 C by at most 1.3 C in a second, plus rounding."""
    run = fresh(seed)
    saves = [event.at for event in told(seed) if isinstance(event, CheckpointStarted)]
    for begun in (saves[0], saves[-1]):
        around = [readings(run, begun + second, (0,))[0] for second in range(-3, 60)]
        steps = [abs(a.temperature_c - b.temperature_c) for a, b in pairwise(around)]
        assert max(steps) <= 2, begun
    assert 35.0 <= lag(run) <= 55.0


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)]
)
def test_energy_is_the_integral_of_power(seed: int) -> None:
    """By the midpoint rule, in each load of a launch and around the first checkpoint.

    A reading is the mean of the last second and at most what the power control lets pass, so that
    the sum differs by some thousandths.
    """
    run = fresh(seed)
    number = next(at for at, each in enumerate(run.timeline) if each.kind == "checkpoint")
    segments = [run.timeline[each] for each in (number - 1, number, number + 1)]
    pieces = [(each.began, min(each.ended, each.began + 300.0)) for each in segments]
    launched = [load.began for load in loads(run, segments[0].began - 1e-3)][::-1]
    loaded = [(began, min(ended, began + 300.0)) for began, ended in pairwise(launched)]
    for began, ended in (*loaded, *pieces):
        parts = 2000
        width = (ended - began) / parts
        load = next(loads(run, (began + ended) / 2.0))
        power = (
            telemetry.latents(run.job, range(1), began + (part + 0.5) * width, (load,)).power_watts[
                0
            ]
            for part in range(parts)
        )
        taken = energy(run, ended, 0) - energy(run, began, 0)
        assert taken == pytest.approx(width * fsum(power), rel=3e-3), load


def test_energy_is_the_same_in_whatever_order_it_is_asked_for() -> None:
    at = [10.0, 4000.0, 300.0, 9000.0, 4000.0]
    together = fresh(5)
    assert [energy(together, each, 0) for each in at] == [energy(fresh(5), each, 0) for each in at]


@pytest.mark.parametrize("gpus", [8, 1024])
def test_energy_that_is_asked_for_often_is_the_same(gpus: int) -> None:
    """Of a run with many failures: with what the run remembers, and from all loads anew."""
    job = job_of(5, gpus=gpus, recipe="pretrain", dialect="pytorch", incidents="chaos")
    often, ended = run_of(job), run_ended(run_of(job))
    for at in (ended * part / 40 for part in (*range(1, 41), 3, 30)):
        once = run_of(job)
        for gpu in (0, gpus // 2, gpus - 1, *[*odd(once, at)][:1]):
            assert energy(often, at, gpu) == energy_of(once, at, gpu, tuple(loads(once, at, gpu)))


@cache
def stretched(seed: int) -> Run:
    """A run whose segments stay drawn."""
    return fresh(seed)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([1, 4, 9]),
    st.floats(-0.1, 1.1),
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 40), st.floats(0.0, 2000.0)), max_size=4),
)
def test_the_steps_at_a_moment_are_those_that_have_ended(
    seed: int, part: float, slow: list[tuple[int, int, float]]
) -> None:
    """Of a stretch whose steps are slowed at random; all its steps are counted one by one."""
    run = stretched(seed)
    job, stretch = run.job, next(each for each in run.timeline if each.kind == "training")
    stretch = stretch._replace(last=min(stretch.last, stretch.first + 60))
    delays = tuple(Delay(first, first + more, seconds) for first, more, seconds in slow)
    stretch = stretch._replace(delays=delays)
    stretch = stretch._replace(ended=step_ended(job, stretch, stretch.last))
    at = stretch.began + part * (stretch.ended - stretch.began)
    steps = range(stretch.first, stretch.last + 1)
    done = stretch.first - 1 + sum(step_ended(job, stretch, step) <= at for step in steps)
    assert step_in(job, stretch, at) == done
    assert step_in(job, stretch, step_ended(job, stretch, done)) == done
