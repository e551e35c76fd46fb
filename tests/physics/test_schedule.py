"""Learning rate, batch and warmup. Figures from the papers named beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.job import Decay, Job
from llmsim.physics import schedule
from tests.physics.loss_jobs import make_job

DECAYS: tuple[Decay, ...] = ("cosine", "linear", "wsd")


@pytest.mark.parametrize("decay", DECAYS)
def test_the_rate_is_exact_where_it_is_known(decay: Decay) -> None:
    job = make_job(steps=10_000, warmup=2000, peak_lr=3e-4, final_lr=3e-5, decay=decay)
    assert schedule.learning_rate(job, 1) == 3e-4 / 2000
    assert schedule.learning_rate(job, 1000) == 1.5e-4
    assert schedule.learning_rate(job, 2000) == 3e-4
    assert schedule.learning_rate(job, 10_000) == 3e-5


def test_cosine_and_linear_are_half_way_down_in_the_middle() -> None:
    for decay in DECAYS[:2]:
        job = make_job(steps=10_000, warmup=2000, peak_lr=3e-4, final_lr=3e-5, decay=decay)
        assert schedule.learning_rate(job, 6000) == pytest.approx((3e-4 + 3e-5) / 2)


def test_wsd_is_stable_then_decays_as_one_minus_a_root() -> None:
    job = make_job(steps=12_000, warmup=2000, peak_lr=4e-4, final_lr=0.0, decay="wsd")
    assert schedule.learning_rate(job, 10_000) == 4e-4  # 80 % of what follows the warmup
    # A quarter of the decay is over: sqrt(1/4) of the rate is gone.
    assert schedule.learning_rate(job, 10_500) == pytest.approx(2e-4)


@pytest.mark.parametrize("decay", DECAYS)
def test_the_rate_rises_to_its_peak_and_never_again(decay: Decay) -> None:
    job = make_job(steps=500, warmup=50, decay=decay)
    rates = [schedule.learning_rate(job, step) for step in range(1, 501)]
    assert rates[:50] == sorted(rates[:50])
    assert rates[49:] == sorted(rates[49:], reverse=True)


def test_sizes_of_gpt3() -> None:
    """GPT-3, table 2.1: parameters, peak learning rate, batch in tokens."""
    for size, rate, batch in [
        (125_000_000, 6.0e-4, 500_000),
        (1_300_000_000, 2.0e-4, 1_000_000),
        (175_000_000_000, 0.6e-4, 3_200_000),
    ]:
        assert schedule.peak_learning_rate(size) == rate
        assert schedule.batch_tokens_for(size) == batch


def test_sizes_of_llama3_405b() -> None:
    """Llama 3 paper, section 3.4.1: 8e-5, warmup 8,000 steps, 16M tokens at last."""
    assert schedule.peak_learning_rate(405_000_000_000) == 8e-5
    assert schedule.warmup_steps(405_000_000_000, 1_200_000) == 8000
    assert schedule.batch_tokens_for(405_000_000_000) == 16_000_000


def test_a_short_run_has_a_short_warmup() -> None:
    assert schedule.warmup_steps(7_000_000_000, 500_000) == 2000  # Llama 2
    assert schedule.warmup_steps(7_000_000_000, 300) == 30
    assert schedule.warmup_steps(7_000_000_000, 5) == 1


@given(st.integers(10**7, 2 * 10**12))
def test_between_the_rows_lie_sensible_values(parameters: int) -> None:
    assert 0.6e-4 <= schedule.peak_learning_rate(parameters) <= 6e-4
    assert 500_000 <= schedule.batch_tokens_for(parameters) <= 16_000_000


def test_full_rate_steps_is_the_integral_of_the_rate() -> None:
    job = make_job(steps=1000, warmup=100, decay="wsd")
    for steps in (50, 100, 400):
        summed = sum(_relative_rate(job, step) for step in range(1, steps + 1))
        assert schedule.full_rate_steps(steps, 100) == pytest.approx(summed, abs=0.51)


def _relative_rate(job: Job, step: int) -> float:
    return schedule.learning_rate(job, step) / job.schedule.peak_lr
