"""Learning rate, batch and warmup. Figures from the papers named beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.job.records import Job
from llmsim.job.schedule import Decay
from llmsim.physics.learning import learning_rate, usual_rate
from tests.physics.loss_jobs import make_job

DECAYS: tuple[Decay, ...] = ("cosine", "linear", "wsd")


@pytest.mark.parametrize("decay", DECAYS)
def test_the_rate_is_exact_where_it_is_known(decay: Decay) -> None:
    job = make_job(steps=10_000, warmup=2000, peak_lr=3e-4, final_lr=3e-5, decay=decay)
    assert learning_rate.learning_rate(job, 1) == 3e-4 / 2000
    assert learning_rate.learning_rate(job, 1000) == 1.5e-4
    assert learning_rate.learning_rate(job, 2000) == 3e-4
    assert learning_rate.learning_rate(job, 10_000) == 3e-5


def test_cosine_and_linear_are_half_way_down_in_the_middle() -> None:
    for decay in DECAYS[:2]:
        job = make_job(steps=10_000, warmup=2000, peak_lr=3e-4, final_lr=3e-5, decay=decay)
        assert learning_rate.learning_rate(job, 6000) == pytest.approx((3e-4 + 3e-5) / 2)


def test_wsd_is_stable_then_decays_as_one_minus_a_root() -> None:
    job = make_job(steps=12_000, warmup=2000, peak_lr=4e-4, final_lr=0.0, decay="wsd")
    assert learning_rate.learning_rate(job, 10_000) == 4e-4  # 80 % of what follows the warmup
    # A quarter of the decay is over: sqrt(1/4) of the rate is gone.
    assert learning_rate.learning_rate(job, 10_500) == pytest.approx(2e-4)


@pytest.mark.parametrize("decay", DECAYS)
def test_the_rate_rises_to_its_peak_and_never_again(decay: Decay) -> None:
    job = make_job(steps=500, warmup=50, decay=decay)
    rates = [learning_rate.learning_rate(job, step) for step in range(1, 501)]
    assert rates[:50] == sorted(rates[:50])
    assert rates[49:] == sorted(rates[49:], reverse=True)


@pytest.mark.parametrize(
    ("parameters", "rate", "batch"),
    [
        (125_000_000, 6e-4, 2**19),  # GPT-3, table 2.1: 0.5M
        (1_000_000_000, 4e-4, 2**20),  # OLMo 2 1B: 4e-4
        (7_000_000_000, 3e-4, 2**21),  # Llama 2 7B, OLMo 2 7B: 3e-4
        (13_000_000_000, 3e-4, 2**21),
        (70_000_000_000, 1.5e-4, 2**22),  # Llama 2 70B: 1.5e-4, 4M tokens
        (405_000_000_000, 0.8e-4, 2**24),  # Llama 3 405B: 8e-5, 16M tokens
    ],
)
def test_published_sizes(parameters: int, rate: float, batch: int) -> None:
    assert usual_rate.peak_learning_rate(parameters) == rate
    assert usual_rate.batch_tokens_for(parameters) == batch


def test_a_short_run_has_a_short_warmup() -> None:
    assert usual_rate.warmup_steps(7_000_000_000, 500_000) == 2000  # Llama 2
    assert usual_rate.warmup_steps(7_000_000_000, 300) == 30
    assert usual_rate.warmup_steps(7_000_000_000, 5) == 1


@given(st.integers(10**7, 2 * 10**12))
def test_between_the_rows_lie_sensible_values(parameters: int) -> None:
    assert 0.6e-4 <= usual_rate.peak_learning_rate(parameters) <= 6e-4
    assert 2**19 <= usual_rate.batch_tokens_for(parameters) <= 2**24


def test_full_rate_steps_is_the_integral_of_the_rate() -> None:
    job = make_job(steps=1000, warmup=100, decay="wsd")
    for steps in (50, 100, 400):
        summed = sum(_relative_rate(job, step) for step in range(1, steps + 1))
        assert learning_rate.full_rate_steps(steps, 100) == pytest.approx(summed, abs=0.51)


def _relative_rate(job: Job, step: int) -> float:
    return learning_rate.learning_rate(job, step) / job.schedule.peak_lr
