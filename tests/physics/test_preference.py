"""Losses, margins and accuracies of preference pairs, against public model cards."""

from math import exp, log, log1p
from statistics import NormalDist, fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.job.records import Job
from llmsim.physics.learning import loss, metrics, preference
from tests.runs import job_of

# Evaluations by TRL: loss, rewards/margins, rewards/accuracies.
CARDS = {
    "zephyr-7b-alpha": (0.4605, 1.3699, 0.7812),
    "zephyr-7b-beta": (0.7496, 3.7963, 0.7812),
    "juanako-7b-v1": (0.4594, 1.2037, 0.7964),
    "zephyr-7b-gemma-dpo": (0.5287, 0.5934, 0.7708),
    "a Llama-3-8B after its first steps": (0.6910, 0.0048, 0.5385),
}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_margins_of_published_models_are_normal(card: tuple[float, float, float]) -> None:
    measured, margin, accuracy = card
    spread = margin / NormalDist().inv_cdf(accuracy)
    assert preference.preference_loss(margin, spread) == pytest.approx(measured, rel=0.06)
    if margin > 0.1:  # without a spread the margin would mean another loss by far
        assert log1p(exp(-margin)) < 0.9 * measured


@given(st.floats(-3.0, 5.0), st.floats(0.0, 3.0))
def test_the_expectation_is_that_of_many_draws(margin: float, spread: float) -> None:
    pairs = NormalDist(margin, spread) if spread > 1e-3 else None
    quantiles = [(i + 0.5) / 2000 for i in range(2000)]
    draws = [pairs.inv_cdf(q) for q in quantiles] if pairs else [margin]
    summed = fmean(log1p(exp(-abs(x))) + max(0.0, -x) for x in draws)
    assert preference.preference_loss(margin, spread) == pytest.approx(summed, abs=3e-3)


@given(st.floats(0.1, 5.0), st.floats(0.1, 3.0))
def test_the_spread_is_found_again(margin: float, spread: float) -> None:
    value = preference.preference_loss(margin, spread)
    assert preference.pairs_with(value, margin).spread == pytest.approx(spread, abs=1e-3)


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    return [job_of(seed, recipe="dpo") for seed in range(12)]


def test_at_first_the_policy_is_the_reference(jobs: list[Job]) -> None:
    for job in jobs:
        first = dict(metrics.metrics(job, 1))
        assert loss.training(job, 1) == pytest.approx(log(2.0), abs=1e-12)
        rewards = [value for name, value in first.items() if name.startswith("rewards/")]
        assert rewards == [0.0] * 4


def test_loss_margins_and_accuracies_of_a_run_agree(jobs: list[Job]) -> None:
    for job in jobs:
        steps = range(max(1, job.schedule.steps - 60), job.schedule.steps + 1)
        told = [dict(metrics.metrics(job, step)) for step in steps]
        margin = fmean(values["rewards/margins"] for values in told)
        accuracy = fmean(values["rewards/accuracies"] for values in told)
        assert 0.66 < accuracy <= 1.0
        if accuracy == 1.0:
            continue
        spread = margin / NormalDist().inv_cdf(accuracy)
        measured = fmean(loss.training(job, step) for step in steps)
        assert preference.preference_loss(margin, spread) == pytest.approx(measured, abs=0.06)


def test_a_step_with_luck_has_larger_margins(jobs: list[Job]) -> None:
    for job in jobs:
        last = job.schedule.steps
        steps = sorted(range(last - 40, last), key=lambda step: loss.training(job, step))
        margins = [dict(metrics.metrics(job, step))["rewards/margins"] for step in steps]
        assert fmean(margins[:10]) > fmean(margins[-10:])
