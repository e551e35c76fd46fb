"""Training and validation loss as printed: the curve plus the noise of the batch, in nats.

    training = expected + sigma * z + spike,   sigma = 30 / sqrt(T) * f**1.5

T is the number of tokens averaged in the printed loss. Measured on public logs,
sigma * sqrt(T) lies between 24 and 41, white from step to step, Gaussian above a
million tokens and skewed to the right below (hard documents): at 0.5M tokens
z > 4 in 0.34 % and z > 5 in 0.16 % of the steps. f grows from 0 to 1 as the model
leaves the uniform distribution, under which every token costs the same ln V: at
first the loss falls without a single step up.
"""

from math import exp, fsum, log, sqrt

from llmsim.job import Job, batch_tokens
from llmsim.physics import curve as curves
from llmsim.physics import noise, schedule, spikes

NOISE = 30.0  # nats x sqrt(tokens)
GAUSSIAN_TOKENS = 2**20  # from here on the noise has no skew
RELATIVE_LIMIT = 0.08  # of the loss: the noise of the tiniest batches stays below it
VALIDATION_NOISE = 0.0004  # nats, a fixed validation set
TRAIN_VALIDATION_GAP = 0.016  # nats: GPT-2 124M, train 3.289 and validation 3.272


def floor(job: Job) -> float:
    """Nats below which no printed loss of this job lies; at least 1 in pretraining."""
    return curves.curve(job).floor


def expected(job: Job, step: int) -> float:
    """The noise-free training loss of this step, in nats; steps count from 1."""
    return curves.value(curves.curve(job), job, step)


def training(job: Job, step: int) -> float:
    """The training loss of this single step, averaged over its global batch, in nats."""
    return averaged(job, step, step)


def averaged(job: Job, first: int, last: int) -> float:
    """The mean training loss of steps first..last, both included, in nats."""
    clean = expected(job, last)
    if first < last:  # Simpson's rule
        ends = clean + expected(job, first)
        clean = (ends + 4.0 * expected(job, (first + last) // 2)) / 6.0
    excess = spikes.loss_excess(job, last)
    if first < last and spikes.spike_near(job, last) is not None:
        steps = range(max(first, last - spikes.BLOCK), last + 1)
        excess = fsum(spikes.loss_excess(job, s) for s in steps) / (last - first + 1)
    noisy = clean + _sigma(job, clean, last - first + 1) * residual(job, last, last - first + 1)
    bottom = floor(job)
    # A tail that would cross the floor is folded back: no value is ever printed twice.
    return bottom + abs(noisy + excess - bottom)


def residual(job: Job, step: int, steps: int = 1) -> float:
    """The batch's luck in units of sigma: mean 0, variance 1, skewed for small batches."""
    z = noise.normal(job.seed, "loss", step)
    tokens = batch_tokens(job) * steps
    if tokens >= GAUSSIAN_TOKENS:
        return z
    share = min(0.15, 0.05 * (GAUSSIAN_TOKENS / tokens - 1.0))
    u = noise.uniform(job.seed, "loss-tail", step)
    # With probability `share`, an exponential of mean 1.33 on top: E x = 1.33 share,
    # E x^2 = 3.54 share. Then back to mean 0 and variance 1.
    bump = 1.33 * log(share / u) if u < share else 0.0
    mean = 1.33 * share
    return (z + bump - mean) / sqrt(1.0 + 3.54 * share - mean * mean)


def _sigma(job: Job, clean: float, steps: int) -> float:
    """Standard deviation of the printed loss, in nats."""
    if job.recipe == "grpo":
        return 0.004
    if job.recipe == "dpo":  # per pair, growing as the policy leaves the reference
        share = min(1.0, max(0.0, (log(2.0) - clean) / 0.15))
        return 0.5 * share / sqrt(job.schedule.global_batch * steps)
    full = min(NOISE / sqrt(batch_tokens(job) * steps), RELATIVE_LIMIT * clean)
    if job.recipe != "pretrain":
        return full
    shape = curves.curve(job)
    learnt = min(1.0, max(0.0, (shape.start - clean) / shape.drop))
    return full * learnt * sqrt(learnt)


def validation(job: Job, step: int) -> float:
    """The loss on the fixed validation set after this step's update, in nats."""
    clean = expected(job, step + 1)
    if job.recipe == "grpo":
        return clean
    gap = TRAIN_VALIDATION_GAP * min(1.0, clean / 3.3)
    z = noise.normal(job.seed, "validation", step)
    return max(floor(job), clean - gap) + VALIDATION_NOISE * abs(z)


def perplexity(loss: float) -> float:
    """exp(loss). A Megatron line: loss 8.889540, perplexity 7.255679E+03."""
    return exp(loss)


def reward(job: Job, step: int) -> float:
    """The mean reward of this step's completions in reinforcement learning, 0..1."""
    low = 0.10 + 0.25 * noise.uniform(job.seed, "reward-start")
    high = 0.60 + 0.25 * noise.uniform(job.seed, "reward-end")
    done = schedule.full_rate_steps(max(0, step - 1), job.schedule.warmup)
    mean = high - (high - low) * exp(-3.0 * done / job.schedule.steps)
    sigma = sqrt(mean * (1.0 - mean) / job.schedule.global_batch)
    return min(1.0, max(0.0, mean + sigma * noise.normal(job.seed, "reward", step)))
