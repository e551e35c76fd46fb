"""What varies from step to step in pretraining, beside what public logs show."""

from collections.abc import Iterator
from math import log, sqrt
from statistics import fmean, median

from llmsim.dialects.registry import framework_of
from llmsim.job.layout import Layout
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning import gradient, loss, spikes
from tests.physics.loss_jobs import dense_15b, gpt2_124m, make_job
from tools.truth_measures import (
    Statistic,
    lagged,
    local,
    robust,
    scaled,
    share,
    skewness,
    together,
)

SEEDS = range(30)
STEPS = range(3000, 4500)


def _left(job: Job) -> list[float]:
    """The noise of the loss."""
    return [loss.training(job, step) - loss.expected(job, step) for step in STEPS]


def _small(seed: int, tokens: int, dialect: str) -> Job:
    """A 124M with a small batch, read as a framework reads its data."""
    job = gpt2_124m(seed)
    schedule = job.schedule._replace(global_batch=tokens // job.schedule.sequence)
    return job._replace(schedule=schedule, framework=framework_of(dialect))


def _ordered(seed: int) -> Job:
    return gpt2_124m(seed)._replace(loader="ordered")


def _micro(seed: int) -> list[float]:
    """One rank's micro-batches of 64 rows of a stream, as modded-nanogpt prints them."""
    job = gpt2_124m(seed)._replace(layout=Layout(gpus=8, nodes=1, dp=8, micro_batch=64))
    return [loss.micro_batch(job, step) - loss.expected(job, step) for step in STEPS]


def noise_lines() -> Iterator[Statistic]:
    """The noise of the loss."""
    size = [robust(_left(job)) * sqrt(batch_tokens(job)) for job in map(dense_15b, SEEDS)]
    yield Statistic("loss noise x sqrt(tokens), 15B", 25, 37, size)
    shuffled = [_left(_small(seed, 98_304, "megatron")) for seed in SEEDS]
    yield Statistic("skewness, shuffled, 98k tokens", -0.25, 0.0, [*map(skewness, shuffled)])
    streams = [scaled(_left(_small(seed, 98_304, "llmc"))) for seed in SEEDS]
    yield Statistic("skewness, contiguous, 98k tokens", 1.1, 3.4, [*map(skewness, streams)])
    yield Statistic("z > 4 in %, contiguous", 0.8, 1.7, [share(each, 4.0) for each in streams])
    lower = [share([-value for value in each], 4.0) for each in streams]
    yield Statistic("z < -4 in %, contiguous", 0.1, 0.3, lower)
    micro = [*map(_micro, SEEDS)]
    yield Statistic("skewness of a micro-batch, 65k", 1.1, 3.4, [*map(skewness, micro)])
    half = [_left(gpt2_124m(seed)) for seed in SEEDS]
    yield Statistic("z > 4 in %, GPT-2 124M, 0.5M", 0.2, 0.8, [share(scaled(h), 4.0) for h in half])
    late = [_left(dense_15b(seed)) for seed in SEEDS]
    yield Statistic("loss noise at lag 1, shuffled", -0.03, 0.03, [*map(lagged, late)])
    ordered = [_left(_ordered(seed)) for seed in SEEDS]
    yield Statistic("loss noise at lag 1, ordered", 0.28, 0.46, [*map(lagged, ordered)])
    yield Statistic("loss noise at lag 5, ordered", 0.14, 0.23, [lagged(o, 5) for o in ordered])


def gap_lines() -> Iterator[Statistic]:
    """Validation less training, and spikes."""
    jobs = [make_job(seed=seed) for seed in SEEDS]
    named = [job._replace(dataset=job.dataset._replace(name=f"set {job.seed}")) for job in jobs]
    gaps = [loss.validation(job, 4000) - loss.expected(job, 4001) for job in named]
    yield Statistic("validation - training, nats", -0.031, 0.029, gaps)
    for name, factor, low, high in (("usual", 1.0, 0, 1), ("twice the usual", 2.0, 3, 15)):
        found = []
        for seed in SEEDS:
            job = make_job(seed=seed, parameters=10**10, steps=200_000, peak_lr=3e-4 * factor)
            blocks = range(1000, 101_000, spikes.BLOCK)
            found.append(sum(spikes.in_block(job, step) is not None for step in blocks) / 10)
        yield Statistic(f"spikes in 10,000 steps, {name} rate", low, high, found)


def _norms(job: Job) -> list[float]:
    return [gradient.norm(job, step) for step in STEPS]


def norm_lines() -> Iterator[Statistic]:
    """The gradient norm of pretraining."""
    jobs = [gpt2_124m(seed) for seed in SEEDS]
    norms = [_norms(job) for job in jobs]
    logs = [[log(value) for value in local(each)] for each in norms]
    for lag, low, high in ((1, 0.18, 0.34), (2, 0.20, 0.33), (3, 0.13, 0.25), (5, 0.07, 0.13)):
        yield Statistic(f"log norm at lag {lag}", low, high, [lagged(each, lag) for each in logs])
    above = [share(local(each), 1.25) for each in norms]
    yield Statistic("norm > 1.25 local medians in %", 0.75, 1.8, above)
    yield Statistic("norm > 2 local medians in %", 0.03, 0.19, [share(local(n), 2) for n in norms])
    both = [together(_left(job), each) for job, each in zip(jobs, logs, strict=True)]
    yield Statistic("norm and loss", 0.14, 0.20, both)
    for parameters, first, low, high in (
        (30e6, 6.5, 0.59, 0.71),
        (124e6, 14.5, 0.25, 0.29),
        (254e6, 21.0, 0.21, 0.25),
    ):
        made = [
            gpt2_124m(seed)._replace(model=job.model._replace(
                parameters=int(parameters), active_parameters=int(parameters)
            ))
            for seed, job in zip(SEEDS, jobs, strict=True)
        ]  # fmt: skip
        name = f"{parameters / 1e6:.0f}M"
        early = [fmean(gradient.norm(job, step) for step in range(1, 6)) for job in made]
        yield Statistic(f"first five norms, {name}", 0.75 * first, 1.3 * first, early)
        late = [median(gradient.norm(job, step) for step in range(15_000, 15_200)) for job in made]
        yield Statistic(f"late norm, {name}", low, high, late)


def lines() -> Iterator[Statistic]:
    """All statistics of pretraining."""
    yield from noise_lines()
    yield from gap_lines()
    yield from norm_lines()
