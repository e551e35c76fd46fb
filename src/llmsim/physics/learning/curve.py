"""The noise-free loss of a run: a sum of decaying exponentials, in nats per token.

    loss = floor + rest + sum a_i exp(-k_i t_i) + anneal * r

r is the part of the learning rate's decay that is still to come, from 1 to 0. Pretraining has three
regimes, each on a clock t of its own:

1. The unigram drop, from ln V + 0..0.5 to 4 + 0.31 ln V. One exponential in steps, 34
   steps long (less when the warmup is short), after a plateau of at most 5 steps in
   which the learning rate is next to nothing.
2. Learning to use context: one exponential in steps, 360 long however large the batch.
3. The power law in tokens, (1 + D/D0)**-beta, on the clock of steps at full learning
   rate, t = integral of lr/peak. It is the Laplace transform of a gamma density, so a
   geometric ladder of rates x_i with weights x_i**beta exp(-x_i) is the same curve
   within 3 % of its height over the six decades that a run can span.

The level is Chinchilla's law E + A / N**alpha + B / D**beta with the constants of
Besiroglu et al. 2024 (arXiv 2404.10102), moved by -1.3..0.2 nats for the kind of data
(code models of 3B to 15B print 0.9 to 1.2). N of a mixture of experts is the geometric mean
of its total and its active size. E plus that offset is the floor, the entropy of the text,
but at least 1, which the loss then nears as softplus does; A / N**alpha is the rest. The lengths,
the split between regimes 2 and 3 and the offsets of web and mixed data are fitted to
three public logs, each met within 7 % from step 1 to 40,000: GPT-2 124M on FineWeb
(llm.c), a 15B dense model and a Mixtral 8x7B (both Megatron). Data repeated up to 4
times counts as fresh, then fades (Muennighoff et al. 2023).

language.py makes the curve of pretraining. Fine-tuning, preference tuning and reinforcement
learning use fewer fields of the same record, each in its own module. objectives.curve(job) gives
the curve of a job.
"""

from math import exp, fsum, log1p, sqrt

from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate
from llmsim.physics.speed import batch_ramp
from llmsim.typed import NamedTuple

ENTROPY = 1.8172  # E, nats
SIZE_SCALE, SIZE_EXPONENT = 482.01, 0.3478  # A, alpha
DATA_SCALE, DATA_EXPONENT = 2085.43, 0.3658  # B, beta

# Nats per token relative to the law's own data, MassiveText. Web and mixed are fitted.
DATA_OFFSETS = {
    "web": 0.20,
    "mixed": -0.10,
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
PLATEAU = 5  # steps, where the warmup is that long
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

AFTER_PLATEAU, STEPS, FULL_RATE_STEPS = 0, 1, 2  # the clocks
Term = tuple[float, float, int]  # amplitude in nats, rate per tick, clock


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
    plateau: int = 0
    softplus_floor: bool = False  # the law may fall below the floor: a softplus keeps it above


def value(shape: Curve, job: Job, step: int) -> float:
    """The noise-free loss of this step, counted from 1, as seen before its update; nats."""
    above = unclamped(shape, job, step)
    if shape.softplus_floor:
        above = SOFTNESS * log1p(exp(above / SOFTNESS))
    return shape.floor + above


def unclamped(shape: Curve, job: Job, step: int) -> float:
    """Nats above the floor by Chinchilla's law alone, which may fall below the floor."""
    done, trained = max(0, step - 1), max(0, step - 1 - job.framework.lr_lag_steps)
    read = batch_ramp.position(job.schedule, trained)  # full batches
    clocks = (
        learning_rate.full_rate_steps(trained, shape.plateau),
        trained,
        fresh(learning_rate.full_rate_steps(read, job.schedule.warmup) * shape.pace, shape.epoch),
    )
    above = shape.rest + fsum([a * exp(-k * clocks[clock]) for a, k, clock in shape.terms])
    if shape.epoch_gain != 1.0:
        above *= shape.epoch_gain ** min(done // shape.epoch, shape.last_epoch)
    if shape.rewarm:
        above += shape.anneal * learning_rate.learning_rate(job, step) / job.schedule.peak_lr
    elif shape.anneal:
        scheduled = step - job.framework.lr_lag_steps
        above += shape.anneal * learning_rate.remaining(job.schedule, scheduled)
    return above


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
    """Nats by which this kind of data lies above or below the law's own."""
    return DATA_OFFSETS.get(job.dataset.kind, 0.0)


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
    return tuple((amplitude * w, x * tokens_per_step / scale, FULL_RATE_STEPS) for w, x in _LADDER)
