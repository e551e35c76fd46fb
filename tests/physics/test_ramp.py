"""A batch that grows, against Megatron's rule counted out step by step."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from math import sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmsim.job.layout import Layout
from llmsim.job.records import Job
from llmsim.job.schedule import Schedule
from llmsim.physics.learning import batch_noise, learning_rate, loss, objectives
from llmsim.physics.speed import batch_ramp, step_time, traffic
from tests.physics import jobs, loss_jobs


def megatrons(start: int, increment: int, samples: int, full: int) -> Iterator[int]:
    """The batches of --rampup-batch-size, as num_microbatches_calculator.py counts them."""
    consumed, stages = 0, (full - start) // increment
    while True:
        over = consumed > samples
        batch = full if over else start + int(consumed / (samples / stages)) * increment
        yield batch
        consumed += batch


def ramped(parts: int = 4, log_every: int = 10, steps: int = 2000, share: float = 0.15) -> Job:
    """Llama-3-8B on 8 GPUs with a ramp of so many parts."""
    spread = jobs.layout(8, accumulation=120)
    job = jobs.job(spread=spread, steps=steps)
    fractions = [n for n in batch_ramp.PARTS if 120 % n == 0]
    stages = batch_ramp.planned(spread, steps, log_every, share, fractions.index(parts))
    return job._replace(schedule=job.schedule._replace(ramp=stages, log_every=log_every))


def three_numbers(schedule: Schedule) -> tuple[int, int, int]:
    return (
        schedule.ramp[0].batch,
        schedule.ramp[1].batch - schedule.ramp[0].batch,
        schedule.ramp[-1].before,
    )


@pytest.mark.parametrize("parts", batch_ramp.PARTS)
def test_the_batches_are_megatrons(parts: int) -> None:
    schedule = ramped(parts).schedule
    batches = megatrons(*three_numbers(schedule), schedule.global_batch)
    for step, expected, consumed in zip(
        range(1, schedule.steps + 1), batches, accumulate(megatrons(*three_numbers(schedule), 960)),
        strict=False,
    ):  # fmt: skip
        assert batch_ramp.batch(schedule, step) == expected
        assert batch_ramp.consumed(schedule, step) == consumed
    assert batch_ramp.batch(schedule, schedule.steps) == schedule.global_batch == 960


@settings(deadline=None)
@given(
    accumulation=st.integers(1, 512),
    pp=st.sampled_from((1, 2, 4, 8)),
    steps=st.integers(100, 10_000),
    log_every=st.sampled_from((1, 5, 10, 20, 25)),
    share=st.floats(0.06, 0.18),
    draw=st.integers(0, 2**64 - 1),
)
def test_a_ramp_divides_evenly(
    accumulation: int, pp: int, steps: int, log_every: int, share: float, draw: int
) -> None:
    layout = Layout(
        gpus=8 * pp, nodes=pp, dp=8, pp=pp, micro_batch=2,
        accumulation=accumulation,
    )  # fmt: skip
    stages = batch_ramp.planned(layout, steps, log_every, share, draw)
    assume(stages)
    assert stages[0][0] == 1
    assert stages[-1].batch == 16 * accumulation
    assert stages[-1].first <= 0.3 * steps + 1
    for stage in stages:
        assert stage.batch % 16 == 0
        assert stage.batch // 16 >= pp
        assert (stage.first - 1) % log_every == 0
    assert len({b.before - a.before for a, b in pairwise(stages)}) == 1


def test_what_has_no_ramp_counts_steps() -> None:
    job = jobs.job()
    assert batch_ramp.batch(job.schedule, 7) == job.schedule.global_batch
    assert batch_ramp.consumed(job.schedule, 7) == 7 * job.schedule.global_batch
    assert batch_ramp.position(job.schedule, 7) == 7
    assert batch_ramp.steps_until(job.schedule, 7 * job.schedule.global_batch) == 7
    assert batch_ramp.layout_at(job, 7) is job.layout


@given(st.integers(1, 2000))
def test_steps_until_is_the_first_step_with_enough(step: int) -> None:
    schedule = ramped().schedule
    reached = batch_ramp.consumed(schedule, step)
    assert batch_ramp.steps_until(schedule, reached) == step
    assert batch_ramp.steps_until(schedule, reached - 1) == step
    assert batch_ramp.steps_until(schedule, reached + 1) == step + 1


# --- what follows from it ------------------------------------------------------------------


def test_the_rate_goes_by_sequences_as_megatron_demands() -> None:
    job = ramped()
    schedule = job.schedule
    quarter = schedule.ramp[0].batch
    assert learning_rate.learning_rate(job, 1) == pytest.approx(
        schedule.peak_lr * quarter / (schedule.warmup * schedule.global_batch)
    )
    warm = batch_ramp.steps_until(schedule, schedule.warmup * schedule.global_batch)
    assert warm > schedule.warmup
    assert learning_rate.learning_rate(job, warm) == pytest.approx(schedule.peak_lr, rel=0.01)
    assert learning_rate.learning_rate(job, schedule.steps) == schedule.final_lr


def test_a_quarter_of_the_batch_takes_a_quarter_of_the_time_and_of_the_accumulation() -> None:
    job = ramped()
    last = job.schedule.steps
    assert batch_ramp.layout_at(job, 1).accumulation == 30
    assert batch_ramp.layout_at(job, last) == job.layout
    # But for what a step costs once: the optimizer, the framework's own.
    quarter = step_time.step_seconds(job) / 4
    assert step_time.step_seconds(job, 1) == pytest.approx(quarter, abs=0.05)
    assert step_time.step_seconds(job, 1) > quarter
    few, many = traffic.step_transfers(job, 1), traffic.step_transfers(job, last)
    assert [4 * t.calls for t in few] == [t.calls for t in many]
    assert [t.size for t in few] == [t.size for t in many]


def test_a_pipeline_has_more_of_a_bubble_while_the_batch_is_small() -> None:
    spread = jobs.layout(64, tp=2, pp=8, accumulation=32)
    job = jobs.job(jobs.LLAMA_70B, spread=spread)
    job = job._replace(
        schedule=job.schedule._replace(ramp=batch_ramp.planned(spread, 2000, 10, 0.1, 1))
    )
    assert job.schedule.ramp[0].batch == 32
    assert step_time.step_seconds(job, 1) > 1.05 * step_time.step_seconds(job) / 4


@given(st.lists(st.integers(0, 2000), min_size=3, max_size=3, unique=True).map(sorted))
def test_intervals_still_add_up(steps: list[int]) -> None:
    first, middle, last = steps
    job = ramped()
    parts = step_time.interval_seconds(job, first + 1, middle)
    parts += step_time.interval_seconds(job, middle + 1, last)
    assert step_time.interval_seconds(job, first + 1, last) == pytest.approx(parts, abs=2e-6)


def test_each_stage_keeps_its_pace() -> None:
    job = ramped()
    for stage, after in pairwise(job.schedule.ramp[1:]):
        steps = after.first - stage.first
        seconds = step_time.interval_seconds(job, stage.first, after.first - 1) / steps
        assert seconds == pytest.approx(step_time.step_seconds(job, stage.first), rel=0.03)


def test_a_small_batch_has_a_noisier_loss() -> None:
    """sigma = 25 to 37 / sqrt(tokens of the printed loss) from run to run, in public logs."""
    job = ramped()
    schedule, curve = job.schedule, objectives.curve_of(job)
    early, late = (batch_noise.sigma(job, curve, 3.0, step, step) for step in (1, schedule.steps))
    assert 24 <= early * sqrt(schedule.ramp[0].batch * schedule.sequence) <= 38
    assert early == pytest.approx(2 * late)


def test_the_loss_goes_by_the_tokens_read() -> None:
    """After the same tokens at full rate the power law's share is the same, ramp or not."""
    plain = loss_jobs.make_job(steps=5000, warmup=100)
    stages = batch_ramp.planned(Layout(8, 1, 8, accumulation=32), 5000, 10, 0.1, 2)
    grown = plain._replace(schedule=plain.schedule._replace(ramp=stages))
    step = 4000
    same = batch_ramp.steps_until(grown.schedule, step * plain.schedule.global_batch)
    assert same > step + 100
    assert loss.expected(grown, same) == pytest.approx(loss.expected(plain, step), rel=0.005)
    assert loss.expected(grown, step) > loss.expected(plain, step)
