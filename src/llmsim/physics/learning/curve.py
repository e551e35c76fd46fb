"""The noise-free loss of a run: a sum of decaying exponentials, in nats per token.

    loss = floor + rest + sum a_i exp(-k_i t_i) + anneal * r

r is the part of the learning rate's decay that is still to come, from 1 to 0. Pretraining has three
regimes, each on a clock t of its own:

1. The unigram drop, from ln V + 0..0.5 to 1.36 + 0.53 ln V: exp(-g) of it is left, and
   1 / g = 1 / (c (N / 124M)**0.30 (sum of the rates so far)**0.42) + 1 / (0.58 updates), but g
   is no more than 17,800 (N / 124M)**0.33 n / (n + 3.5) times the sum of the n first rates. So
   a warmup begins with a plateau, a long warmup or a small model makes the drop late, and
   without a warmup the updates themselves limit it: 9.0 is passed at step 4.
2. Learning to use context: exp(-(updates / tau)**1.13), tau about 430, longer where batches
   are small, where there is hardly a warmup or the rate is low.
3. The power law in tokens, (1 + D/D0)**-beta, on the clock of steps at full learning
   rate, t = integral of lr/peak. It is the Laplace transform of a gamma density, so a
   geometric ladder of rates x_i with weights x_i**beta exp(-x_i) is the same curve
   within 3 % of its height over the six decades that a run can span.

The level is Chinchilla's law E + A / N**alpha + B / D**beta with the constants of
Besiroglu et al. 2024 (arXiv 2404.10102), moved by -1.3..0.2 nats for the kind of data
(code models of 3B to 15B print 0.9 to 1.2). N of a mixture of experts is the geometric mean
of its total and its active size. E plus that offset is the floor, the entropy of the text,
but at least 1, which the loss then nears as softplus does; A / N**alpha is the rest. The early
regimes, the split between the second and the third and the offsets of web and mixed data are
fitted to public logs of eleven runs of 64M to 46.7B, each met within 7 % from step 1 to 40,000
(tests/truth, `make truth`; tests/physics/loss_jobs.py). Data repeated up to 4
times counts as fresh, then fades (Muennighoff et al. 2023).

language.py makes the curve of pretraining. Fine-tuning, preference tuning and reinforcement
learning use fewer fields of the same record, each in its own module. objectives.curve_of(job) gives
the curve of a job.
"""

from collections.abc import Callable
from math import exp, fsum, log1p, sqrt

from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning import learning_rate, usual_rate
from llmsim.physics.speed import batch_ramp
from llmsim.physics.speed.batch_ramp import position
from llmsim.typed import NamedTuple

ENTROPY = 1.8172  # E, nats
SIZE_SCALE, SIZE_EXPONENT = 482.01, 0.3478  # A, alpha
DATA_SCALE, DATA_EXPONENT = 2085.43, 0.3658  # B, beta

# Nats per token relative to the law's own data, MassiveText. Web and mixed are fitted.
DATA_OFFSETS = {
    "web": 0.165,
    "mixed": -0.096,
    "books": 0.15,
    "multilingual": 0.05,
    "reference": -0.05,
    "chat": -0.10,
    "science": -0.10,
    "math": -0.75,
    "problems": -0.75,
    "code": -1.30,
}

LOWEST = 1.0  # nats: the entropy of no text is lower
SOFTNESS = 0.25  # nats above the floor within which the curve bends
ANNEAL = 0.06  # nats gained while the learning rate decays from its peak to zero
SEEN_TOKENS = 2e12  # tokens that a released model has already read
FRESH_EPOCHS, EPOCH_SCALE = 4.0, 15.4  # Muennighoff et al.: 15.4 is their R*

_STEP = 2.2  # of the ladder, in log rate
_RATES = tuple(exp(1.6 - _STEP * i) for i in range(9))  # 5 down to 1e-7
_HEIGHTS = tuple(x**DATA_EXPONENT * exp(-x) for x in _RATES)
# The last rung stands for all below it: the heights fall by a constant factor there.
_LAST = _HEIGHTS[-1] / (1.0 - exp(-DATA_EXPONENT * _STEP))
_WEIGHTS = (*_HEIGHTS[:-1], _LAST)
_LADDER = tuple((w / fsum(_WEIGHTS), x) for w, x in zip(_WEIGHTS, _RATES, strict=True))

Term = tuple[float, float]  # amplitude in nats, rate per step at the peak learning rate

# Of the early regimes; fitted, as the offsets of web and mixed data are, to eleven public runs.
UNIGRAM_SPEED, UNIGRAM_SIZE, UNIGRAM_POWER = 18.0, 0.302, 0.423
UNIGRAM_UPDATES = 0.58
ONSET, ONSET_SIZE, ONSET_EDGE, ONSET_UPDATES = 17_800.0, 0.33, 8.0, 3.5
CONTEXT_STEPS, CONTEXT_POWER = 427.0, 1.13
CONTEXT_BATCH, USUAL_BATCH = 0.149, 524_288
UNWARMED, UNWARMED_STEPS = 0.93, 234.0
CONTEXT_RATE = 0.106


class Early(NamedTuple):
    """What falls first in a run from random weights."""

    unigrams: float  # nats between the first loss and that of unigrams
    speed: float  # of their learning, by the sum of the learning rates
    onset: float  # the same of the first updates
    context: float  # nats that the use of context takes away
    context_steps: float


class Curve(NamedTuple):
    """The parameters of a job's noise-free loss, computed once."""

    floor: float  # the loss never falls below it
    rest: float  # nats above the floor that stay for ever; negative where the law ends below it
    start: float  # the loss before the first update
    terms: tuple[Term, ...]
    drop: float = 1.0  # how far the loss falls before its noise has full size
    anneal: float = 0.0
    rewarm: bool = False  # further training: the loss rises with the learning rate
    pace: float = 1.0  # below 1 if the peak learning rate is below the usual
    epoch_gain: float = 1.0  # factor on the loss above the floor after each epoch
    epoch: int = 1  # steps in an epoch
    last_epoch: int = 0  # counted from 0
    early: Early | None = None  # of a run from random weights
    softplus_floor: bool = False  # the law may fall below the floor: a softplus keeps it above


Law = Callable[[int], float]  # nats at an optimizer step, counted from 1


def law(curve: Curve, job: Job) -> Law:
    """The noise-free loss of a step, as seen before its update."""
    floor, above = curve.floor, unclamped(curve, job)
    if curve.softplus_floor:
        return lambda step: floor + SOFTNESS * log1p(exp(above(step) / SOFTNESS))
    return lambda step: floor + above(step)


def unclamped(curve: Curve, job: Job) -> Law:
    """Nats above the floor by Chinchilla's law alone, which may fall below the floor."""
    schedule, lag = job.schedule, job.framework.lr_lag_steps
    warmup, peak = schedule.warmup, schedule.peak_lr
    rest, terms, pace, early = curve.rest, curve.terms, curve.pace, curve.early
    epoch, gain, last_epoch = curve.epoch, curve.epoch_gain, curve.last_epoch
    rewarm, anneal = curve.rewarm, curve.anneal
    rate, left = learning_rate.rates_of(job), learning_rate.remaining_of(schedule)

    def above(step: int) -> float:
        scheduled = step - lag
        trained = scheduled - 1 if scheduled > 1 else 0
        full = learning_rate.full_rate_steps(position(schedule, trained), warmup)
        clock = fresh(full * pace, epoch)
        nats = rest + fsum([a * exp(-k * clock) for a, k in terms])
        if early is not None:
            nats += _early(early, trained, full * peak)
        if gain != 1.0:
            nats *= gain ** min(max(0, step - 1) // epoch, last_epoch)
        if rewarm:
            nats += anneal * rate(step) / peak
        elif anneal:
            nats += anneal * left(position(schedule, scheduled))
        return nats

    return above


def _early(early: Early, updates: int, rates: float) -> float:
    """What is left of the first two regimes, in nats, after a number of updates.

    `rates` is the sum of the learning rates of these updates.
    """
    if not updates:
        return early.unigrams + early.context
    rates = max(1e-12, rates)
    slowed = early.speed * rates**UNIGRAM_POWER
    # No faster than the first updates, each of which teaches in proportion to its rate.
    beyond = slowed * (updates + ONSET_UPDATES) / (early.onset * rates * updates)
    if beyond > 0.2:  # below, the factor is 1
        slowed *= (1.0 + beyond**ONSET_EDGE) ** (-1.0 / ONSET_EDGE)
    learnt = 1.0 / (1.0 / slowed + 1.0 / (UNIGRAM_UPDATES * updates))
    used = (updates / early.context_steps) ** CONTEXT_POWER
    return early.unigrams * exp(-learnt) + early.context * exp(-used)


def early(job: Job, unigrams: float, context: float) -> Early:
    """The first two regimes of a job, with the nats that each takes away."""
    model, schedule = job.model, job.schedule
    size = model.active_parameters / 124e6
    speed, onset = UNIGRAM_SPEED * float(size**UNIGRAM_SIZE), ONSET * float(size**ONSET_SIZE)
    steps = CONTEXT_STEPS * float((USUAL_BATCH / batch_tokens(job)) ** CONTEXT_BATCH)
    warmup = batch_ramp.steps_until(schedule, schedule.warmup * schedule.global_batch)
    steps *= 1.0 + UNWARMED * exp(-warmup / UNWARMED_STEPS)
    usual = usual_rate.peak_learning_rate(model.parameters)
    steps *= min(4.0, max(0.25, (usual / schedule.peak_lr) ** CONTEXT_RATE))
    return Early(unigrams, speed, onset, context, steps)


def fresh(steps: float, epoch: int) -> float:
    """The number of steps on fresh data that teach as much as `steps` with epochs of `epoch`
    steps.
    """
    limit = FRESH_EPOCHS * epoch
    if steps <= limit:
        return steps
    scale = EPOCH_SCALE * epoch
    return limit + scale * (1.0 - exp((limit - steps) / scale))


def data_offset(job: Job) -> float:
    """Nats by which this data set lies above or below the law's own: its kind, and its own level
    where published losses say it.
    """
    return DATA_OFFSETS.get(job.dataset.kind, 0.0) + job.dataset.level


def entropy(job: Job) -> tuple[float, float]:
    """The floor of the loss on this data, and how far the law's own floor would lie below it,
    nats.
    """
    floor = ENTROPY + data_offset(job)
    return max(LOWEST, floor), max(0.0, LOWEST - floor)


def released(job: Job) -> float:
    """The loss of the released weights from which a further training starts, by the law, in
    nats.
    """
    return ENTROPY + capacity(job) + DATA_SCALE / float(SEEN_TOKENS**DATA_EXPONENT)


def capacity(job: Job) -> float:
    """Nats that a model of this size never learns: A / N**alpha, N = sqrt(total x active)."""
    size = sqrt(float(job.model.parameters) * float(job.model.active_parameters))
    return SIZE_SCALE / float(size**SIZE_EXPONENT)


def power_law(amplitude: float, tokens_per_step: int, scale: float) -> tuple[Term, ...]:
    """amplitude * (1 + tokens / scale)**-beta on the clock of full-rate steps."""
    return tuple((amplitude * w, x * tokens_per_step / scale) for w, x in _LADDER)
