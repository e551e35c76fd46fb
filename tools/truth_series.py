"""What varies from step to step and from second to second, beside what public logs show."""

from collections.abc import Sequence
from math import log, sqrt
from statistics import fmean, median, pstdev

from llmsim.job.records import Job, batch_tokens
from llmsim.physics.hardware import telemetry
from llmsim.physics.learning import gradient, loss
from llmsim.physics.speed import step_time
from tests.physics import jobs
from tests.physics.loss_jobs import dense_15b, gpt2_124m, make_job

SEEDS = range(6)
STEPS = range(2000, 3500)
_STEADY: tuple[telemetry.Load, ...] = (
    telemetry.Load("training", 0.0),
    telemetry.Load("idle", 0.0),
)


def _lagged(values: Sequence[float], lag: int = 1) -> float:
    mean, spread = fmean(values), pstdev(values)
    pairs = zip(values, values[lag:], strict=False)
    return fmean((a - mean) * (b - mean) for a, b in pairs) / spread**2


def _clipped(values: Sequence[float]) -> list[float]:
    """In robust standard deviations from the median, at most 4."""
    middle = median(values)
    robust = 1.4826 * median(abs(value - middle) for value in values)
    return [max(-4.0, min(4.0, (value - middle) / robust)) for value in values]


def _noise(job: Job) -> float:
    left = [loss.training(job, step) - loss.expected(job, step) for step in STEPS]
    middle = median(left)
    return 1.4826 * median(abs(each - middle) for each in left) * sqrt(batch_tokens(job))


def _norms(job: Job, steps: range = STEPS) -> list[float]:
    return [log(gradient.norm(job, step) / gradient.expected(job, step)) for step in steps]


def _tuning(seed: int) -> float:
    job = make_job(seed=seed, recipe="sft", steps=1000, warmup=30)
    norms = [gradient.norm(job, step) for step in range(1, 1001)]
    return fmean(norms[:50]) / median(norms)


def _times(seed: int, gpus: int) -> list[float]:
    job = jobs.job(spread=jobs.layout(gpus), seed=seed, steps=4000)
    return _clipped([step_time.interval_seconds(job, step, step) for step in STEPS])


def _power(seed: int, index: int = 0) -> list[float]:
    job = jobs.job(seed=seed)
    moments = range(2000, 2400)
    return [telemetry.reading(job, index, at + 0.4, _STEADY).power_watts for at in moments]


def _together(seed: int) -> float:
    one, other = _power(seed), _power(seed, 1)
    means = fmean(one), fmean(other)
    products = [(a - means[0]) * (b - means[1]) for a, b in zip(one, other, strict=True)]
    return fmean(products) / pstdev(one) / pstdev(other)


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


def _busy(seed: int) -> float:
    job = jobs.job(seed=seed)
    moments = range(2000, 2200)
    return median(telemetry.reading(job, 0, at, _STEADY).utilization for at in moments)


def lines() -> list[tuple[str, str, list[float]]]:
    """Name, what public logs show, and ours of each seed."""
    return [
        (
            "noise of the loss x sqrt(tokens), 15B",
            "25 to 37",
            [_noise(dense_15b(s)) for s in SEEDS],
        ),
        *(
            (
                f"log gradient norm at lag {lag}",
                real,
                [_lagged(_norms(gpt2_124m(s)), lag) for s in SEEDS],
            )
            for lag, real in (
                (1, "0.18 to 0.34"),
                (2, "0.20 to 0.33"),
                (3, "0.13 to 0.25"),
                (5, "0.07 to 0.13"),
            )
        ),
        ("SFT: first 5 % of norms / median", "1.2 to 2.9", [_tuning(s) for s in SEEDS]),
        (
            "step times, 5th percentile, sigma",
            "-1.6",
            [_quantile(_times(s, 64), 0.05) for s in SEEDS],
        ),
        (
            "step times, 95th percentile, sigma",
            "+1.6",
            [_quantile(_times(s, 64), 0.95) for s in SEEDS],
        ),
        ("step times at lag 1, 512 GPUs", "0.2 to 0.75", [_lagged(_times(s, 512)) for s in SEEDS]),
        (
            "power at 1 Hz, spread in %",
            "1.6 to 1.9",
            [100 * pstdev(_power(s)) / fmean(_power(s)) for s in SEEDS],
        ),
        ("power at 1 Hz at lag 1", "0.02 to 0.10", [_lagged(_power(s)) for s in SEEDS]),
        ("power of two GPUs of a node", "0.75 to 0.81", [_together(s) for s in SEEDS]),
        ("GPU-Util of 8B on H100, median", "91 to 92", [_busy(s) for s in SEEDS]),
    ]
