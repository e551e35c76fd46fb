"""The noise-free loss of a run: a sum of decaying exponentials, in nats per token.

    loss = floor + rest + sum a_i exp(-k_i t_i) + anneal * r

r is what is left of the learning rate's decay, from 1 to 0. Pretraining has three
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

Fine-tuning, preferences and reinforcement fill the same record with less.
"""

from functools import lru_cache
from math import exp, fsum, log, log1p, sqrt

from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
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

LOWEST = 1.0  # nats: no text is easier
SOFTNESS = 0.25  # nats above it within which the law bends
PLATEAU = 5  # steps, where the warmup is that long
UNIGRAM_STEPS, UNIGRAM_WARMUP = 34.0, 700  # a shorter warmup makes a faster drop
CONTEXT_STEPS = 360.0
TOKEN_SHARE = 0.58  # of the nats between unigram and asymptote, what tokens buy
ANNEAL = 0.06  # nats gained while the learning rate decays from its peak to zero
SEEN_TOKENS = 2e12  # what a model has read before it is trained further
DOMAIN_TOKENS = 100e6  # the scale on which it gets used to new data
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
    """What the noise-free loss of a job needs, worked out once."""

    floor: float  # the loss never falls below it
    rest: float  # nats above the floor that never go; negative where the law ends below it
    start: float  # the loss before the first update
    terms: tuple[Term, ...]
    drop: float = 1.0  # how far the loss falls before its noise has full size
    anneal: float = 0.0
    rewarm: bool = False  # trained before: the loss rises with the learning rate
    pace: float = 1.0  # below 1 if the peak learning rate is below the usual
    keep: float = 1.0  # what an epoch leaves of the loss above the floor
    epoch: int = 1  # steps in an epoch
    last_epoch: int = 0  # counted from 0
    plateau: int = 0
    soft: bool = False  # the law may go below the floor: the loss bends away from it


@lru_cache(maxsize=64)
def curve(job: Job) -> Curve:
    """The job's curve, by its recipe."""
    make = {"pretrain": _pretrain, "continue": _continue, "dpo": _dpo, "grpo": _grpo}
    return make.get(job.recipe, _finetune)(job)._replace(
        epoch=max(1, steps_per_epoch(job)),
        last_epoch=job.schedule.epochs - 1,
        plateau=min(PLATEAU, job.schedule.warmup),
    )


def value(shape: Curve, job: Job, step: int) -> float:
    """The noise-free loss of this step, counted from 1, as seen before its update; nats."""
    above = lawful(shape, job, step)
    if shape.soft:
        above = SOFTNESS * log1p(exp(above / SOFTNESS))
    return shape.floor + above


def lawful(shape: Curve, job: Job, step: int) -> float:
    """Nats above the floor by Chinchilla's law, whether or not it knows the floor."""
    done, trained = max(0, step - 1), max(0, step - 1 - job.framework.lr_lag_steps)
    read = batch_ramp.position(job.schedule, trained)  # full batches
    clocks = (
        learning_rate.full_rate_steps(trained, shape.plateau),
        trained,
        fresh(learning_rate.full_rate_steps(read, job.schedule.warmup) * shape.pace, shape.epoch),
    )
    above = shape.rest + fsum([a * exp(-k * clocks[clock]) for a, k, clock in shape.terms])
    if shape.keep != 1.0:
        above *= shape.keep ** min(done // shape.epoch, shape.last_epoch)
    if shape.rewarm:
        above += shape.anneal * learning_rate.learning_rate(job, step) / job.schedule.peak_lr
    elif shape.anneal:
        scheduled = step - job.framework.lr_lag_steps
        above += shape.anneal * learning_rate.remaining(job.schedule, scheduled)
    return above


def fresh(steps: float, epoch: int) -> float:
    """Steps on fresh data that teach as much as these, of which an epoch has `epoch`."""
    limit = FRESH_EPOCHS * epoch
    if steps <= limit:
        return steps
    scale = EPOCH_SCALE * epoch
    return limit + scale * (1.0 - exp((limit - steps) / scale))


def data_offset(job: Job) -> float:
    """Nats by which this kind of data lies above or below the law's own."""
    return DATA_OFFSETS.get(job.dataset.kind, 0.0)


def entropy(job: Job) -> tuple[float, float]:
    """The floor under the loss on this data, and how far below it the law's own would lie."""
    floor = ENTROPY + data_offset(job)
    return max(LOWEST, floor), max(0.0, LOWEST - floor)


def released(job: Job) -> float:
    """The loss by the law, on its own data, of the weights that a further training starts from."""
    return ENTROPY + capacity(job) + DATA_SCALE / float(SEEN_TOKENS**DATA_EXPONENT)


def capacity(job: Job) -> float:
    """Nats that a model of this size never learns: A / N**alpha, N = sqrt(total x active)."""
    size = sqrt(float(job.model.parameters) * float(job.model.active_parameters))
    return SIZE_SCALE / float(size**SIZE_EXPONENT)


def _power_law(amplitude: float, tokens_per_step: int, scale: float) -> tuple[Term, ...]:
    """amplitude * (1 + tokens / scale)**-beta on the clock of full-rate steps."""
    return tuple((amplitude * w, x * tokens_per_step / scale, FULL_RATE_STEPS) for w, x in _LADDER)


def _pretrain(job: Job) -> Curve:
    """From scratch: unigrams, context, power law."""
    uniform = log(job.architecture.vocabulary)  # the loss of a model that knows nothing
    start = uniform + noise.between(job.seed, "loss-start", 0.0, 0.5)
    floor, below = entropy(job)
    rest = capacity(job) - below
    unigram = min(4.0 + 0.31 * uniform, 0.8 * uniform)
    to_learn = unigram - floor - rest - ANNEAL
    by_tokens = TOKEN_SHARE * to_learn
    # At D0 the law's B / D**beta is worth by_tokens: from there on the ladder follows it.
    scale = (DATA_SCALE / by_tokens) ** (1.0 / DATA_EXPONENT)
    plan = job.schedule
    warmup = batch_ramp.steps_until(plan, plan.warmup * plan.global_batch)
    hurry = max(0.3, min(1.0, sqrt(warmup / UNIGRAM_WARMUP)))
    usual = learning_rate.peak_learning_rate(job.model.parameters)
    return Curve(
        floor=floor,
        rest=rest,
        start=start,
        terms=(
            (start - unigram, 1.0 / (UNIGRAM_STEPS * hurry), AFTER_PLATEAU),
            (to_learn - by_tokens, 1.0 / CONTEXT_STEPS, STEPS),
            *_power_law(by_tokens, batch_tokens(job), scale),
        ),
        drop=start - unigram,
        anneal=ANNEAL,
        pace=min(1.0, job.schedule.peak_lr / usual),
        soft=below > 0.0,
    )


def _continue(job: Job) -> Curve:
    """A trained model on new data: a bump as the rate warms up again, then a slow decline."""
    floor, below = entropy(job)
    rest = released(job) - ENTROPY - below
    shift = noise.between(job.seed, "loss-shift", 0.10, 0.25)
    return Curve(
        floor=floor,
        rest=rest,
        start=floor + rest + shift,
        terms=_power_law(shift, batch_tokens(job), DOMAIN_TOKENS),
        anneal=ANNEAL,
        rewarm=True,
        soft=below > 0.0,
    )


def _finetune(job: Job) -> Curve:
    """Answers only: to about 1 within tens of steps at full rate; each epoch is a stair.

    The larger model answers better from the start: 1.6..2.0 at 1B, 1.1..1.4 at 34B.
    """
    lora = job.recipe == "lora"
    floor = 0.2
    size = log(job.model.parameters / 1e9)
    start = max(1.1, 1.8 - 0.156 * size) * noise.between(job.seed, "loss-start", 0.89, 1.11)
    end = min(1.05, max(0.8, 1.0 - 0.05 * size)) + 0.5 * max(-0.5, data_offset(job))
    end += noise.between(job.seed, "loss-end", -0.05, 0.05) + (0.08 if lora else 0.0)
    end = min(end, start - (0.2 if lora else 0.25))
    slow = 0.12  # of the fall, what takes the whole run
    return Curve(
        floor=floor,
        rest=end - floor,
        start=start,
        terms=(
            (start - end - slow, 1.0 / (30.0 if lora else 12.0), FULL_RATE_STEPS),
            (slow, 3.0 / job.schedule.steps, FULL_RATE_STEPS),
        ),
        keep=0.93 if lora else 0.82,
    )


def _dpo(job: Job) -> Curve:
    """Preferences: ln 2 while the policy still is the reference, then 0.4..0.6."""
    end = noise.between(job.seed, "loss-end", 0.42, 0.58)
    start = log(2.0)
    return Curve(
        floor=0.0,
        rest=end,
        start=start,
        terms=((start - end, 4.0 / job.schedule.steps, FULL_RATE_STEPS),),
        keep=0.9,
    )


def _grpo(job: Job) -> Curve:
    """Advantages cancel, so the loss is the KL penalty, from 0 to about 0.01, and its noise."""
    end = noise.between(job.seed, "loss-end", 0.004, 0.02)
    return Curve(
        floor=-0.5,
        rest=0.5 + end,
        start=0.0,
        terms=((-end, 3.0 / job.schedule.steps, FULL_RATE_STEPS),),
    )
