"""Training and validation loss as printed: the curve plus the noise of the batch, in nats.

    training = expected + sigma * z + spike,   sigma = 30 / sqrt(T) * f

T is the number of tokens averaged in the printed loss; batch_noise.py has the noise, its tails
and its memory. f grows from 0 to 1 as the model leaves the uniform distribution, under which
every token costs the same ln V: at first the loss falls without a step upwards. A fixed
validation set has next to no noise: 0.0004 nats. It lies above or below the training loss:
FineWeb -0.011 to -0.031, FineWeb-Edu +0.016 to +0.029, C4 +0.022.
"""

from functools import lru_cache
from math import exp, fsum, log, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.learning import batch_noise, bends, objectives, spikes
from llmsim.physics.learning.batch_noise import NOISE, RELATIVE_LIMIT, residual
from llmsim.physics.learning.curve import Law
from llmsim.physics.learning.objectives import curve_of, held_out_law, law_of
from llmsim.physics.speed import batch_ramp

GAP = 0.021  # nats, standard deviation of validation minus training from set to set
FEW_TOKENS = 16_384  # a micro-batch up to this size may be of one document
MICRO_LIMIT = 0.15  # of the loss: the noise of a micro-batch stays below it
VALIDATION_NOISE = 0.0004
OVERFIT = 0.03  # nats for every epoch after the first, in fine-tuning


def floor(job: Job) -> float:
    """Nats below which no printed loss of this job lies; at least 1 in pretraining."""
    return curve_of(job).floor


def expected(job: Job, step: int) -> float:
    """The noise-free training loss of this step, in nats; steps count from 1."""
    return law_of(job)(step) + bends.loss_excess(job, step)


def training(job: Job, step: int) -> float:
    """The training loss of this single step, the mean over its global batch, in nats."""
    return training_of(job)(step)


@remembered()
def training_of(job: Job) -> Law:
    """`training` as a function of the step alone, which keeps its latest values: what is logged
    beside the loss asks for them again.
    """
    objective, curve, law = objectives.of(job), curve_of(job), law_of(job)
    whole, sigma, floor = objective.training, objective.sigma, curve.floor
    rises, residual = objective.spikes or job.bends, batch_noise.residual_of(job)

    def training(step: int) -> float:
        if whole:
            nats = whole(job, step, step)
        else:
            clean = law(step)
            spread = sigma(job, curve, clean, step, step)
            nats = _reflected(clean + spread * residual(step), floor)
        return nats + _excess(job, step) if rises else nats

    return lru_cache(64)(training)


def _reflected(noisy: float, floor: float) -> float:
    """A loss that is never below the floor: it is reflected, not cut off, so that no value comes
    twice.
    """
    return floor + abs(noisy - floor)


def _excess(job: Job, step: int) -> float:
    """Nats that spikes and incidents add to the loss of a step."""
    return spikes.loss_excess(job, step) + bends.loss_excess(job, step)


def micro_batch(job: Job, step: int) -> float:
    """The loss of one rank's last micro-batch of a step, in nats: noisier than the step's own.

    The micro-batch is one of dp x accumulation in the global batch and shares its noise. It
    has the tails of its own tokens: a few sequences may all be of one hard document, even where
    samples are shuffled.
    """
    layout, curve = batch_ramp.layout_at(job, step), curve_of(job)
    parts = layout.dp * layout.accumulation
    clean = law_of(job)(step)
    tokens = layout.micro_batch * job.schedule.sequence
    kind = batch_noise.loader(job) if tokens > FEW_TOKENS else "contiguous"
    batch = batch_noise.batch_number(job, step)
    drawn = batch_noise.drawn(job, "loss micro-batch", batch, tokens, kind)
    luck = residual(job, step) / sqrt(parts) + sqrt(1.0 - 1.0 / parts) * drawn
    sigma = objectives.of(job).sigma(job, curve, clean, step, step) * sqrt(parts)
    sigma = min(MICRO_LIMIT * clean, sigma)
    noisy = clean + sigma * luck
    return _reflected(noisy, curve.floor) + _excess(job, step)


def greatest(job: Job, step: int) -> float:
    """The largest of the data ranks' mean losses in a step, in nats; at least the step's own.

    The loss of one of n ranks has sqrt(n) times the step's standard deviation. The largest lies
    about sqrt(2 ln n) of these deviations above the mean (Fisher and Tippett 1928).
    """
    layout, curve = batch_ramp.layout_at(job, step), curve_of(job)
    mean, ranks = training(job, step), layout.dp
    if ranks == 1:
        return mean
    sigma = objectives.of(job).sigma(job, curve, law_of(job)(step), step, step) * sqrt(ranks)
    sigma = min(RELATIVE_LIMIT * mean, sigma)
    luck = 1.0 + 0.15 * max(-3.0, min(3.0, noise.normal(job.seed, "loss greatest", step)))
    return mean + sigma * sqrt(2.0 * log(ranks)) * luck


def averaged(job: Job, first: int, last: int) -> float:
    """The mean training loss of steps first..last, both included, in nats."""
    steps = last - first + 1
    if steps == 1:
        return training(job, last)
    if whole := objectives.of(job).training:
        return whole(job, first, last) + bends.loss_excess(job, last, first)
    clean = _mean(law_of(job), first, last)
    excess = bends.loss_excess(job, last, first)
    if spikes.in_block(job, last) is not None:
        block = range(max(first, last - spikes.BLOCK), last + 1)
        excess += fsum([spikes.loss_excess(job, step) for step in block]) / steps
    curve = curve_of(job)
    sigma = objectives.of(job).sigma(job, curve, clean, first, last)
    return _reflected(clean + sigma * residual(job, last, first), curve.floor) + excess


# Intervals that begin within this many of their own lengths from step 1 bend too much for Simpson's
# rule; where they have few steps, each is asked for.
_BENT, _FEW = 8, 1024


def _mean(law: Law, first: int, last: int) -> float:
    """The mean of a noise-free loss over steps first..last, both included."""
    steps = last - first + 1
    if steps <= _FEW and first <= _BENT * steps:
        return fsum([law(step) for step in range(first, last + 1)]) / steps
    return (law(first) + law(last) + 4.0 * law((first + last) // 2)) / 6.0


def validation(job: Job, step: int, part: str = "validation") -> float:
    """The loss on the fixed validation set after this step's update, in nats.

    It lies a little below or above the training loss, by an amount that belongs to the data set
    and to the held-out tokens. A second epoch lowers the training loss, since the model memorizes
    its data, but not this loss. Another `part` of the held-out data has the same size and other
    tokens.
    """
    return objectives.of(job).held_out_loss(job, step, part) + bends.loss_excess(job, step + 1)


def held_out(job: Job, step: int, part: str) -> float:
    """The validation loss of an objective whose loss is a mean over tokens, in nats."""
    curve = curve_of(job)
    clean = held_out_law(job)(step + 1)
    if curve.epoch_gain != 1.0:
        clean += OVERFIT * max(0.0, step / curve.epoch - 1.0)
    wobble = VALIDATION_NOISE * noise.normal(job.seed, part, step)
    return max(curve.floor, clean + _gap(job, part) * min(1.0, clean / 3.3) + wobble)


@remembered(4)  # parts: the lowest loss of a long run asks for all of its validations
def _gap(job: Job, part: str) -> float:
    """How far a held-out set lies from the training data, in nats where the loss is 3.3 or more."""
    tokens = batch_tokens(job) * max(1, job.schedule.validation_batches)
    gap = GAP * noise.normal(0, f"validation of {job.dataset.name}")
    return gap + min(0.5 * GAP, NOISE / sqrt(tokens)) * noise.normal(job.seed, f"{part}-set")


def perplexity(loss: float) -> float:
    """exp(loss). A Megatron line: loss 8.889540, perplexity 7.255679E+03."""
    return exp(loss)
