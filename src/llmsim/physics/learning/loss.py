"""Training and validation loss as printed: the curve plus the noise of the batch, in nats.

    training = expected + sigma * z + spike,   sigma = 30 / sqrt(T) * f

T is the number of tokens averaged in the printed loss. On public logs sigma * sqrt(T)
lies between 24 and 41; the noise is white, Gaussian above a million tokens and skewed
to the right below (hard documents): at 0.5M tokens z > 4 in 0.34 % and z > 5 in 0.16 %
of the steps of GPT-2 124M. f grows from 0 to 1 as the model leaves the uniform
distribution, under which every token costs the same ln V: at first the loss falls
without a step upwards. A fixed validation set has next to no noise: 0.0004 nats.
"""

from functools import lru_cache
from math import exp, fsum, log, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.learning import bends, objectives, spikes
from llmsim.physics.learning.curve import Curve, value
from llmsim.physics.learning.objectives import curve
from llmsim.physics.speed import batch_ramp

NOISE = 30.0  # nats x sqrt(tokens), of a middling run
NOISE_SPREAD = 0.13  # of its logarithm, from run to run
RELATIVE_LIMIT = 0.08  # of the loss: the noise of the tiniest batches stays below it
GAUSSIAN_TOKENS = 2**20  # from here on the noise has no skew
BUMP = 1.45  # mean of the hard documents' excess, in standard deviations

GAP = 0.016  # nats: GPT-2 124M, train 3.289 and validation 3.272
VALIDATION_NOISE = 0.0004
OVERFIT = 0.01  # nats for every epoch after the first, in fine-tuning


def floor(job: Job) -> float:
    """Nats below which no printed loss of this job lies; at least 1 in pretraining."""
    return curve(job).floor


def expected(job: Job, step: int) -> float:
    """The noise-free training loss of this step, in nats; steps count from 1."""
    return value(curve(job), job, step) + bends.loss_excess(job, step)


def training(job: Job, step: int) -> float:
    """The training loss of this single step, the mean over its global batch, in nats."""
    shape = curve(job)
    clean = value(shape, job, step)
    return _printed(job, shape, clean, step, step) + _excess(job, step)


def _excess(job: Job, step: int) -> float:
    """Nats that spikes and incidents add to the loss of a step."""
    return spikes.loss_excess(job, step) + bends.loss_excess(job, step)


def micro_batch(job: Job, step: int) -> float:
    """The loss of one rank's last micro-batch of a step, in nats: noisier than the step's own.

    The micro-batch is one of dp x accumulation in the global batch and shares its noise.
    """
    layout, shape = batch_ramp.layout_at(job, step), curve(job)
    parts = layout.dp * layout.accumulation
    clean = value(shape, job, step)
    own = sqrt(1.0 - 1.0 / parts) * noise.normal(job.seed, "loss micro-batch", step)
    luck = residual(job, step) / sqrt(parts) + own
    sigma = objectives.of(job).sigma(job, shape, clean, step, step) * sqrt(parts)
    sigma = min(RELATIVE_LIMIT * clean, sigma)
    noisy = clean + sigma * luck
    return shape.floor + abs(noisy - shape.floor) + _excess(job, step)


def greatest(job: Job, step: int) -> float:
    """The largest of the data ranks' mean losses in a step, in nats; at least the step's own.

    The loss of one of n ranks has sqrt(n) times the step's standard deviation. The largest lies
    about sqrt(2 ln n) of these deviations above the mean (Fisher and Tippett 1928).
    """
    layout, shape = batch_ramp.layout_at(job, step), curve(job)
    mean, ranks = training(job, step), layout.dp
    if ranks == 1:
        return mean
    sigma = objectives.of(job).sigma(job, shape, value(shape, job, step), step, step) * sqrt(ranks)
    sigma = min(RELATIVE_LIMIT * mean, sigma)
    luck = 1.0 + 0.15 * max(-3.0, min(3.0, noise.normal(job.seed, "loss greatest", step)))
    return mean + sigma * sqrt(2.0 * log(ranks)) * luck


def averaged(job: Job, first: int, last: int) -> float:
    """The mean training loss of steps first..last, both included, in nats."""
    steps = last - first + 1
    if steps == 1:
        return training(job, last)
    shape = curve(job)
    # Simpson's rule
    ends = value(shape, job, first) + value(shape, job, last)
    clean = (ends + 4.0 * value(shape, job, (first + last) // 2)) / 6.0
    excess = bends.loss_excess(job, last, first)
    if spikes.in_block(job, last) is not None:
        block = range(max(first, last - spikes.BLOCK), last + 1)
        excess += fsum([spikes.loss_excess(job, step) for step in block]) / steps
    return _printed(job, shape, clean, first, last) + excess


def _printed(job: Job, shape: Curve, clean: float, first: int, last: int) -> float:
    """The mean loss of these steps with its noise, never below the floor.

    Values below the floor are reflected, not cut off, so that no value comes twice.
    """
    sigma = objectives.of(job).sigma(job, shape, clean, first, last)
    noisy = clean + sigma * residual(job, last, first)
    return shape.floor + abs(noisy - shape.floor)


def batch_sigma(job: Job, shape: Curve, clean: float, first: int, last: int) -> float:
    """Standard deviation of a loss averaged over the tokens of these steps, in nats."""
    noise_here = NOISE * _loudness(job.seed)
    return min(noise_here / sqrt(batch_ramp.tokens(job, first, last)), RELATIVE_LIMIT * clean)


@lru_cache(maxsize=64)
def _loudness(seed: int) -> float:
    """How noisy the run's data is: sigma x sqrt(tokens) is 25 to 37 from run to run."""
    return exp(NOISE_SPREAD * max(-1.6, min(1.6, noise.normal(seed, "loss loudness"))))


def residual(job: Job, step: int, first: int | None = None) -> float:
    """The noise of a step's tokens, or of the steps first..step, in units of sigma.

    Mean 0, variance 1. Where data is read as a stream, small batches are skewed to the right, by
    hard documents; shuffled samples are not.
    """
    return _residual(job, step, first or step)


@remembered()  # the gradient norm of a step asks for it again
def _residual(job: Job, step: int, first: int) -> float:
    z = noise.normal(job.seed, "loss", step)
    tokens = batch_ramp.tokens(job, first, step)
    if tokens >= GAUSSIAN_TOKENS or job.framework.shuffles:
        return z
    # With probability `share` an exponential is added. Its moments are BUMP and 2 BUMP**2:
    # subtract the mean and divide by the standard deviation of the sum.
    share = min(0.15, 0.07 * (GAUSSIAN_TOKENS / tokens - 1.0))
    u = noise.uniform(job.seed, "loss-tail", step)
    mean = share * BUMP
    tail = BUMP * log(share / u) if u < share else 0.0
    return (z + tail - mean) / sqrt(1.0 + 2.0 * BUMP * mean - mean * mean)


def validation(job: Job, step: int, part: str = "validation") -> float:
    """The loss on the fixed validation set after this step's update, in nats.

    It lies a little below the training loss, by an amount that belongs to the set's tokens. A
    second epoch lowers the training loss, since the model memorizes its data, but not this loss.
    Another `part` of the held-out data has the same size and other tokens.
    """
    return objectives.of(job).held_out_loss(job, step, part) + bends.loss_excess(job, step + 1)


def held_out(job: Job, step: int, part: str) -> float:
    """The validation loss of an objective whose loss is a mean over tokens, in nats."""
    shape = curve(job)
    clean = value(shape._replace(epoch_gain=1.0), job, step + 1)
    if shape.epoch_gain != 1.0:
        clean += OVERFIT * max(0.0, step / shape.epoch - 1.0)
    tokens = batch_tokens(job) * max(1, job.schedule.validation_batches)
    luck = min(GAP, NOISE / sqrt(tokens)) * noise.normal(job.seed, f"{part}-set")
    gap = (GAP - luck) * min(1.0, clean / 3.3)
    wobble = VALIDATION_NOISE * noise.normal(job.seed, part, step)
    return max(shape.floor, clean - gap + wobble)


def perplexity(loss: float) -> float:
    """exp(loss). A Megatron line: loss 8.889540, perplexity 7.255679E+03."""
    return exp(loss)
