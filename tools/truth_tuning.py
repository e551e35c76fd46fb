"""Fine-tuning, preferences and reinforcement beside what public logs show."""

from collections.abc import Iterator
from math import log
from statistics import fmean, median, pstdev

from llmsim.dialects.registry import framework_of
from llmsim.job.records import Job
from llmsim.physics.learning import gradient, loss, metrics
from tests.physics.loss_jobs import make_job
from tools.truth_measures import Statistic, robust, share, together

SEEDS = range(30)
STEPS = 600
ROWS = range(1, STEPS + 1)


def _job(seed: int, recipe: str, epochs: int = 1) -> Job:
    """A run of 7B as TRL would show it, on a set of its own."""
    kind = {"dpo": "preference", "grpo": "problems"}.get(recipe, "chat")
    job = make_job(
        seed=seed, recipe=recipe, parameters=7_000_000_000, kind=kind, sequence=2048,
        global_batch=128, steps=STEPS, warmup=18, peak_lr=2e-5, final_lr=0.0, epochs=epochs,
    )  # fmt: skip
    dataset = job.dataset._replace(name=f"set {seed}")
    return job._replace(dataset=dataset, framework=framework_of("trl"))


def _stair(job: Job) -> float:
    """The fall of the loss from before the end of the first epoch to after it."""
    half = STEPS // 2
    before = fmean(loss.training(job, step) for step in range(half - 60, half + 1))
    return fmean(loss.training(job, step) for step in range(half + 2, half + 62)) - before


def supervised_lines() -> Iterator[Statistic]:
    """Supervised fine-tuning."""
    jobs = [_job(seed, ("sft", "lora")[seed % 2], 1 + seed % 3) for seed in SEEDS]
    losses = [[loss.training(job, step) for step in ROWS] for job in jobs]
    yield Statistic("SFT and LoRA: first loss", 1.64, 2.44, [each[0] for each in losses])
    yield Statistic("SFT and LoRA: end loss", 0.33, 1.34, [fmean(each[-50:]) for each in losses])
    left = [
        [value / loss.expected(job, step) - 1.0 for step, value in zip(ROWS, each, strict=True)]
        for job, each in zip(jobs, losses, strict=True)
    ]
    yield Statistic("SFT and LoRA: noise of a row / level", 0.05, 0.15, [*map(robust, left)])
    full = [_stair(_job(seed, "sft", 2)) for seed in SEEDS]
    yield Statistic("SFT: stair at an epoch", -0.47, -0.09, full)
    lora = [_stair(_job(seed, "lora", 2)) for seed in SEEDS]
    yield Statistic("LoRA: stair at an epoch", -0.08, 0.0, lora)
    norms = [[gradient.norm(job, step) for step in ROWS] for job in jobs]
    first = [fmean(each[: STEPS // 20]) / median(each) for each in norms]
    yield Statistic("SFT and LoRA: first 5 % of norms / median", 1.2, 2.9, first)
    spread = [robust([log(value) for value in each]) for each in norms]
    yield Statistic("SFT and LoRA: log norm, robust spread", 0.11, 0.25, spread)
    high = [share([value / median(each) for value in each[60:]], 1.5) for each in norms]
    yield Statistic("SFT and LoRA: norm > 1.5 medians in %", 1.0, 4.0, high)
    most = [max(each) / median(each) for each in norms]
    yield Statistic("SFT and LoRA: highest norm / median", 1.9, 25, most)
    both = [
        together(noise[60:], [log(value) for value in each[60:]])
        for noise, each in zip(left, norms, strict=True)
    ]
    yield Statistic("SFT and LoRA: norm and loss", 0.05, 0.44, both)


def preference_lines() -> Iterator[Statistic]:
    """DPO."""
    jobs = [_job(seed, "dpo") for seed in SEEDS]
    losses = [[loss.training(job, step) for step in ROWS] for job in jobs]
    margins = [
        [dict(metrics.metrics(job, step))["rewards/margins"] for step in ROWS] for job in jobs
    ]
    both = [together(a, b) for a, b in zip(losses, margins, strict=True)]
    yield Statistic("DPO: loss and margin", -0.68, -0.43, both)
    norms = [[gradient.norm(job, step) for step in ROWS] for job in jobs]
    ends = [fmean(each[-50:]) for each in losses]
    yield Statistic("DPO: end loss", 0.11, 0.62, ends)
    easy = [norm for norm, end in zip(norms, ends, strict=True) if end < 0.3]
    spreads = [pstdev([log(value) for value in each]) for each in easy]
    yield Statistic("DPO of easy pairs: spread of the log norm", 0.9, 1.5, spreads)
    follows = [together(a, b) for a, b in zip(losses, norms, strict=True)]
    yield Statistic("DPO: norm and loss", 0.6, 0.77, follows)
    first = [fmean(each[:10]) for each in norms]
    yield Statistic("DPO: first norms", 10, 30, first)


def reinforcement_lines() -> Iterator[Statistic]:
    """GRPO."""
    jobs = [_job(seed, "grpo") for seed in SEEDS]
    logged = [[dict(metrics.metrics(job, step)) for step in ROWS] for job in jobs]

    def column(name: str) -> list[list[float]]:
        return [[row[name] for row in rows] for rows in logged]

    norms = [[gradient.norm(job, step) for step in ROWS] for job in jobs]
    for name, low, high in (("reward_std", 0.31, 0.96), ("frac_reward_zero_std", -0.94, -0.36)):
        pairs = zip(norms, column(name), strict=True)
        yield Statistic(f"GRPO: norm and {name}", low, high, [together(a, b) for a, b in pairs])
    losses = [[loss.training(job, step) for step in ROWS] for job in jobs]
    pairs = zip(losses, column("kl"), strict=True)
    yield Statistic("GRPO: loss and kl", 0.99, 1.0, [together(a, b) for a, b in pairs])
    rough = []
    for job, each in zip(jobs, column("kl"), strict=True):
        steps = range(STEPS // 2, STEPS)
        clean = [loss.expected(job, step) / job.recipe.beta for step in steps]
        rough.append(pstdev([each[s - 1] / c for s, c in zip(steps, clean, strict=True)]))
    yield Statistic("GRPO: kl, relative noise of a step", 0.19, 1.8, rough)
    pairs = zip(column("completions/mean_length"), column("reward"), strict=True)
    yield Statistic("GRPO: length and reward", -0.68, 0.09, [together(a, b) for a, b in pairs])


def lines() -> Iterator[Statistic]:
    """All statistics of tuning."""
    yield from supervised_lines()
    yield from preference_lines()
    yield from reinforcement_lines()
