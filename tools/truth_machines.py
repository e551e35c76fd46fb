"""Step times and telemetry beside what public logs show."""

from collections.abc import Iterator
from statistics import fmean, median, pstdev

from llmsim.job.recipes import RECIPES
from llmsim.job.records import Job
from llmsim.physics.hardware import telemetry
from llmsim.physics.speed import step_time
from tests.physics import jobs
from tools.truth_measures import Statistic, lagged, quantile, scaled, share, together

SEEDS = range(30)
STEPS = range(2000, 3500)
STEADY = (telemetry.Load("training", 0.0), telemetry.Load("idle", 0.0))
SAVING = (telemetry.Load("checkpoint", 4000.0), *STEADY)
SECONDS = range(2000, 2400)


def _times(seed: int, gpus: int) -> list[float]:
    job = jobs.job(spread=jobs.layout(gpus), seed=seed, steps=8000)
    return [step_time.interval_seconds(job, step, step) for step in STEPS]


def step_lines() -> Iterator[Statistic]:
    """Times of steps."""
    times = [_times(seed, 64) for seed in SEEDS]
    low = [quantile(scaled(each), 0.05) for each in times]
    yield Statistic("step times, 5th percentile, sigma", -1.75, -1.45, low)
    high = [quantile(scaled(each), 0.95) for each in times]
    yield Statistic("step times, 95th percentile, sigma", 1.45, 1.95, high)
    long = [share([value / median(each) for value in each], 1.2) for each in times]
    yield Statistic("step times > 1.2 medians in %", 0.02, 0.6, long)
    most = [max(each) / median(each) for each in times]
    yield Statistic("longest of 1,500 steps / median", 1.2, 10, most)
    many = [lagged([max(-4.0, min(4.0, z)) for z in scaled(_times(seed, 512))]) for seed in SEEDS]
    yield Statistic("step times at lag 1, 512 GPUs", 0.2, 0.75, many)


def _power(job: Job, index: int = 0) -> list[float]:
    return [
        telemetry.latents(job, range(index, index + 1), at + 0.4, STEADY).power_watts[0]
        for at in SECONDS
    ]


def power_lines() -> Iterator[Statistic]:
    """Power at 1 Hz."""
    made = [jobs.job(seed=seed) for seed in SEEDS]
    powers = [_power(job) for job in made]
    spread = [100 * pstdev(each) / fmean(each) for each in powers]
    yield Statistic("power at 1 Hz, spread in %", 1.6, 1.9, spread)
    yield Statistic("power at 1 Hz at lag 1", 0.0, 0.10, [*map(lagged, powers)])
    yield Statistic("power at 1 Hz at lag 30", -0.06, 0.06, [lagged(each, 30) for each in powers])
    other = [together(each, _power(job, 1)) for job, each in zip(made, powers, strict=True)]
    yield Statistic("power of two GPUs of a node", 0.75, 0.81, other)
    peaks = [
        share([v for each in range(8) for v in _power(jobs.job(gpu=jobs.A100, seed=s), each)], 400)
        for s in SEEDS
    ]  # fmt: skip
    yield Statistic("A100: samples above 400 W in %", 5, 10, peaks)
    below = []
    for job in made:
        adapters = job._replace(recipe=RECIPES["lora"])
        node = [fmean(each) for each in zip(*(_power(adapters, i) for i in range(8)), strict=True)]
        below.append(share([-watts / max(node) for watts in node], -0.9))
    yield Statistic("LoRA: seconds below 90 % of the top in %", 35, 55, below)


def usage_lines() -> Iterator[Statistic]:
    """Utilization."""
    made = [jobs.job(seed=seed) for seed in SEEDS]
    busy = [
        [float(telemetry.reading(job, 0, at, STEADY).utilization) for at in SECONDS] for job in made
    ]
    yield Statistic("GPU-Util of 8B on H100, median", 91, 92, [*map(median, busy)])
    low = [quantile(each, 0.05) for each in busy]
    yield Statistic("GPU-Util of 8B on H100, 5th percentile", 84, 86, low)
    saves = [
        [telemetry.reading(job, 0, 4000.0 + at, SAVING) for at in range(1, 200)] for job in made
    ]
    spinning = [share([each.utilization for each in save], 94.5) for save in saves]
    yield Statistic("saves: seconds at 95 % and more, in %", 30, 79, spinning)
    watts = [fmean(each.power_watts / 700 for each in save) for save in saves]
    yield Statistic("saves: power / limit, H100", 0.20, 0.22, watts)


def lines() -> Iterator[Statistic]:
    """All statistics of machines."""
    yield from step_lines()
    yield from power_lines()
    yield from usage_lines()
