"""Statistics of many runs beside what was measured on public logs (docs/physics.md, 7 to 9).

    python -m tools.run_statistics [--seeds 20]

Exit status 1 if a figure lies outside its band.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from statistics import fmean, median, pstdev

from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning import gradient, loss
from llmsim.physics.speed import step_time
from tests.physics.loss_jobs import dense_15b, gpt2_124m, mixtral_8x7b

SPAN = 2000  # steps of a late stretch
JOBS: tuple[Callable[[int], Job], ...] = (gpt2_124m, dense_15b, mixtral_8x7b)


def _residuals(job: Job, first: int) -> list[float]:
    """Training loss less its noise-free course, over a late stretch."""
    steps = range(first, first + SPAN)
    return [loss.training(job, step) - loss.expected(job, step) for step in steps]


def _robust_spread(values: Sequence[float]) -> float:
    """1.4826 x the median absolute deviation: a standard deviation that tails do not move."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


def noise_sigma(job: Job) -> float:
    """sigma x sqrt(tokens in the printed loss), nats; robust, so that spikes do not count."""
    return _robust_spread(_residuals(job, 10_000)) * sqrt(batch_tokens(job))


def lag_one(job: Job) -> float:
    """Autocorrelation of the loss's noise from one step to the next, extremes clipped."""
    residuals = _residuals(job, 10_000)
    limit = 6 * _robust_spread(residuals)
    values = [max(-limit, min(limit, value)) for value in residuals]
    mean = fmean(values)
    products = [(a - mean) * (b - mean) for a, b in pairwise(values)]
    return fmean(products) / pstdev(values) ** 2


def _ups(job: Job, steps: range) -> float:
    losses = [loss.training(job, step) for step in steps]
    return fmean([after > before for before, after in pairwise(losses)])


def late_ups(job: Job) -> float:
    """Part of the late steps whose loss is higher than the one before."""
    return _ups(job, range(10_000, 10_000 + SPAN))


def first_ups(job: Job) -> float:
    """The same for steps 1 to 25."""
    return _ups(job, range(1, 26))


def throughput_spread(job: Job) -> float:
    """Robust coefficient of variation of single steps' times, per cent."""
    times = [step_time.interval_seconds(job, step, step) for step in range(1000, 1000 + SPAN)]
    return 100 * _robust_spread(times) / median(times)


def gradient_spread(job: Job) -> float:
    """Robust relative standard deviation of the gradient norm, per cent."""
    norms = [gradient.norm(job, step) for step in range(10_000, 10_000 + SPAN)]
    return 100 * _robust_spread(norms) / median(norms)


# What is measured, its name, and the band that its mean over the seeds has to lie in.
BANDS = (
    (noise_sigma, "noise sigma x sqrt(T), nats", 24.0, 41.0),
    (lag_one, "lag-1 autocorrelation of the noise", -0.05, 0.05),
    (late_ups, "share of steps up, late", 0.47, 0.53),
    (first_ups, "share of steps up, first 25", 0.0, 0.1),
    (throughput_spread, "step time, robust CV in %", 0.26, 6.0),
    (gradient_spread, "gradient norm, robust rel. std in %", 3.0, 9.0),
)


def main() -> int:
    """Prints the table and says whether all figures lie in their bands."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(parser.parse_args().seeds)
    good = True
    for make in JOBS:
        print(f"\n{make.__name__}, {len(seeds)} seeds of {SPAN:,} steps")
        for measure, name, low, high in BANDS:
            values = [measure(make(seed)) for seed in seeds]
            mean = fmean(values)
            inside = low <= mean <= high
            good = good and inside
            print(
                f"  {name:38} mean {mean:8.3f}  from {min(values):8.3f} to {max(values):8.3f}"
                f"  band {low:g} to {high:g}{'' if inside else '  OUTSIDE'}"
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
