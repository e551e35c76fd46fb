"""Loss spikes: rare, led by the gradient norm, healed after tens of steps (BLOOM-176B)."""

from llmsim.job.recipes import RECIPES
from llmsim.job.records import Job
from llmsim.physics.learning import gradient, loss, spikes
from tests.physics.loss_jobs import make_job

STEPS = 1_000_000


def _job(seed: int = 1) -> Job:
    return make_job(
        seed=seed, parameters=176_000_000_000, global_batch=1024, steps=STEPS, warmup=2000,
        peak_lr=1.2e-4,
    )  # fmt: skip


def _all(job: Job) -> list[spikes.Spike]:
    found = (spikes.in_block(job, step) for step in range(0, STEPS, spikes.BLOCK))
    return [spike for spike in found if spike is not None]


def test_a_large_model_has_one_in_thirty_thousand_steps() -> None:
    counts = [len(_all(_job(seed))) for seed in range(10)]
    assert 25 < sum(counts) / 10 < 42  # 33 in a million


def test_smaller_models_have_fewer() -> None:
    job = make_job(parameters=1_000_000_000, steps=STEPS)
    assert len(_all(job)) < 25


def test_twice_the_usual_rate_brings_many_and_large_ones() -> None:
    """Public runs: 3 to 15 in 10,000 steps, 0.3 to 3.7 nats high, 40 to 100 steps long."""
    job = make_job(parameters=10_000_000_000, steps=STEPS, peak_lr=6e-4)
    found = _all(job)
    assert 3 < len(found) / (STEPS / 10_000) < 15
    assert min(spike.height for spike in found) >= 0.3
    assert max(spike.height for spike in found) <= 3.7


def test_most_are_harmless_and_some_are_not() -> None:
    heights = sorted(spike.height for seed in range(10) for spike in _all(_job(seed)))
    assert heights[len(heights) // 2] < 0.25
    assert 1.0 < heights[-1] <= 3.0


def test_the_gradient_norm_leads_and_the_loss_recovers() -> None:
    for spike in _all(_job()):
        job, onset = _job(), spike.onset
        before = onset - spike.lead
        assert 1 <= spike.lead <= 5
        assert spikes.gradient_factor(job, before - 1) == 1.0
        assert spikes.gradient_factor(job, before) > 1.1
        assert spikes.loss_excess(job, onset - 1) == 0.0
        assert spikes.loss_excess(job, onset) == spike.height
        assert spikes.loss_excess(job, onset + 60) < 0.01 * spike.height
        rise = [spikes.gradient_factor(job, step) for step in range(before - 1, onset + 1)]
        assert rise == sorted(rise)


def test_a_spike_shows_in_what_is_printed() -> None:
    job = _job()
    spike = max(_all(job), key=lambda found: found.height)
    usual = loss.expected(job, spike.onset)
    assert loss.training(job, spike.onset) > usual + 0.9 * spike.height
    assert loss.averaged(job, spike.onset - 4, spike.onset + 5) > usual + 0.2 * spike.height
    assert gradient.norm(job, spike.onset) > 10 * gradient.expected(job, spike.onset)


def test_fine_tuning_has_none() -> None:
    job = _job()._replace(recipe=RECIPES["sft"])
    assert not _all(job)
    assert spikes.loss_excess(job, 31_214) == 0.0
    assert spikes.gradient_factor(job, 31_214) == 1.0
