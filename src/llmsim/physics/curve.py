"""The noise-free loss of a run as a sum of decaying exponentials, in nats per token.

    loss = floor + rest + sum a_i exp(-k_i t_i)

Pretraining has three regimes, each with a clock t of its own:

1. The unigram drop, from ln V + 0..0.5 to about 4 + 0.31 ln V. One exponential, 35
   steps long, counted in steps once a plateau of at most 5 warmup steps is over.
2. Learning to use context: one exponential, 350 steps long, however large the batch
   (below the critical batch size more tokens per step do not help).
3. The power law B / D**beta in the tokens D seen, counted in steps at full learning
   rate, t = integral of lr/peak. The power law (1 + D/D0)**-beta is the Laplace
   transform of a gamma density, so a geometric ladder of rates x_i with weights
   x_i**beta exp(-x_i) is the same curve within 1 %.

The level is Chinchilla's law E + A / N**alpha + B / D**beta with the constants of
Besiroglu et al. 2024 (arXiv 2404.10102), moved by -0.3..0.3 nats for the data. A
mixture of experts counts as the geometric mean of its total and active size. E plus
the data's offset is the floor: the entropy of the text. The three lengths, the share
of regime 2 and 3 and the offsets for web and mixture are fitted to three public logs:
GPT-2 124M on FineWeb (llm.c), a 15B dense model and a Mixtral 8x7B (both Megatron).
Repeated data counts as fresh for 4 epochs and then fades (Muennighoff et al. 2023).

The other recipes fill the same record: see the functions below.
"""

from functools import lru_cache
from math import exp, fsum, log, sqrt
from typing import NamedTuple

from llmsim.job import Job, batch_tokens, steps_per_epoch
from llmsim.physics import noise, schedule

ENTROPY = 1.8172  # E, nats
SIZE_SCALE, SIZE_EXPONENT = 482.01, 0.3478  # A, alpha
DATA_SCALE, DATA_EXPONENT = 2085.43, 0.3658  # B, beta

# Nats per token, relative to the MassiveText mix of the law.
DATA_OFFSETS = {
    "web": 0.20,  # measured: GPT-2 124M on FineWeb
    "mixed": -0.10,  # measured: both Megatron runs; some code, many languages
    "books": 0.15,
    "multilingual": 0.05,
    "reference": -0.05,
    "chat": -0.10,
    "science": -0.10,
    "math": -0.25,
    "code": -0.30,
}

PLATEAU = 5  # steps in which the loss hardly moves, where the warmup is that long
UNIGRAM_STEPS = 35.0
CONTEXT_STEPS = 350.0
TOKEN_SHARE = 0.575  # of the way from unigram to the asymptote, the part that tokens buy
ANNEAL = 0.06  # nats gained as the learning rate decays from its peak to zero

FRESH_EPOCHS, EPOCH_SCALE = 4.0, 15.4  # Muennighoff: R* = 15.4

_NODES = [exp(1.5 - 2.0 * i) for i in range(10)]
_WEIGHTS = [x**DATA_EXPONENT * exp(-x) for x in _NODES]
LADDER = tuple((w / fsum(_WEIGHTS), x) for w, x in zip(_WEIGHTS, _NODES, strict=True))

Terms = tuple[tuple[float, float], ...]  # amplitude in nats, rate per unit of the clock


class Curve(NamedTuple):
    """Everything the noise-free loss needs, worked out once per job."""

    floor: float  # the loss never falls below it
    rest: float  # above the floor and never lost: the model is too small
    start: float  # the loss before the first step
    drop: float  # how far it falls before the noise has its full size
    early: Terms  # clock: steps after the plateau
    middle: Terms  # clock: steps
    late: Terms  # clock: steps at full learning rate
    pace: float  # full-rate steps per step after the warmup; below 1 if the peak is low
    anneal: float  # nats that go with the learning rate's decay
    rewarm: bool  # the learning rate's rise lifts the loss: the model was trained before
    keep: float  # what an epoch leaves of rest and terms to the next
    epoch: int  # steps in an epoch
    plateau: int


def effective_parameters(job: Job) -> float:
    """The size of the dense model of equal loss: sqrt(total x active) parameters."""
    return sqrt(float(job.model.parameters) * float(job.model.active_parameters))


def data_offset(job: Job) -> float:
    """Nats by which this kind of data lies above or below the law's own data."""
    return DATA_OFFSETS.get(job.dataset.kind, 0.0)


def capacity(job: Job) -> float:
    """Nats that a model of this size leaves for ever: A / N**alpha."""
    return SIZE_SCALE / float(effective_parameters(job) ** SIZE_EXPONENT)


def token_ladder(amplitude: float, tokens_per_step: int, scale: float) -> Terms:
    """amplitude * (1 + tokens / scale)**-beta as exponentials of the steps."""
    return tuple((amplitude * w, x * tokens_per_step / scale) for w, x in LADDER)


@lru_cache(maxsize=64)
def curve(job: Job) -> Curve:
    """The job's loss curve, by recipe."""
    make = {"pretrain": _pretrain, "continue": _continue, "dpo": _dpo, "grpo": _grpo}
    return make.get(job.recipe, _finetune)(job)


def _between(job: Job, stream: str, low: float, high: float) -> float:
    return low + (high - low) * noise.uniform(job.seed, stream)


def _plain(job: Job, floor: float, start: float) -> Curve:
    """A curve with nothing to learn, for the recipes to fill."""
    peak = schedule.peak_learning_rate(job.model.parameters)
    pace = min(1.0, job.schedule.peak_lr / peak) if job.recipe == "pretrain" else 1.0
    return Curve(
        floor=floor,
        rest=0.0,
        start=start,
        drop=0.0,
        early=(),
        middle=(),
        late=(),
        pace=pace,
        anneal=0.0,
        rewarm=False,
        keep=1.0,
        epoch=max(1, steps_per_epoch(job)),
        plateau=min(PLATEAU, job.schedule.warmup),
    )


def _pretrain(job: Job) -> Curve:
    """From scratch: unigrams, context, power law."""
    uniform_loss = log(job.architecture.vocabulary)
    start = uniform_loss + _between(job, "loss-start", 0.0, 0.5)
    floor = ENTROPY + data_offset(job)
    rest = capacity(job)
    unigram = min(4.0 + 0.31 * uniform_loss, 0.8 * uniform_loss)
    to_learn = unigram - floor - rest - ANNEAL
    by_tokens = TOKEN_SHARE * to_learn
    # B / D**beta = by_tokens gives the D0 at which the ladder meets the law's power.
    scale = (DATA_SCALE / by_tokens) ** (1.0 / DATA_EXPONENT)
    return _plain(job, floor, start)._replace(
        rest=rest,
        drop=start - unigram,
        early=((start - unigram, 1.0 / UNIGRAM_STEPS),),
        middle=((to_learn - by_tokens, 1.0 / CONTEXT_STEPS),),
        late=token_ladder(by_tokens, batch_tokens(job), scale),
        anneal=ANNEAL,
    )


def _continue(job: Job) -> Curve:
    """A trained model on new data: a bump as the rate warms up again, then a slow decline."""
    floor = ENTROPY + data_offset(job)
    rest = capacity(job) + DATA_SCALE / 2e12**DATA_EXPONENT  # it has seen about 2T tokens
    shift = _between(job, "loss-shift", 0.10, 0.25)
    return _plain(job, floor, floor + rest + shift)._replace(
        rest=rest,
        late=token_ladder(shift, batch_tokens(job), 500e6),
        anneal=ANNEAL,
        rewarm=True,
    )


def _finetune(job: Job) -> Curve:
    """Answers only: 1.2..2 falls within tens of steps to about 1; each epoch takes a step."""
    lora = job.recipe == "lora"
    floor = 0.2
    start = _between(job, "loss-start", 1.3, 2.0)
    size = 0.05 * log(job.model.parameters / 1e9)
    end = min(1.05, max(0.8, 1.0 - size)) + 0.5 * data_offset(job)
    end += _between(job, "loss-end", -0.05, 0.05) + (0.08 if lora else 0.0)
    slow = 0.12
    return _plain(job, floor, start)._replace(
        rest=end - floor,
        drop=start - end,
        early=((start - end - slow, 1.0 / (30.0 if lora else 12.0)),),
        middle=((slow, 3.0 / job.schedule.steps),),
        keep=0.93 if lora else 0.82,
    )


def _dpo(job: Job) -> Curve:
    """Preferences: ln 2 while the policy is the reference, then 0.4..0.6."""
    end = _between(job, "loss-end", 0.42, 0.58)
    return _plain(job, 0.0, log(2.0))._replace(
        rest=end,
        drop=log(2.0) - end,
        late=((log(2.0) - end, 4.0 / job.schedule.steps),),
        keep=0.85,
    )


def _grpo(job: Job) -> Curve:
    """Advantages cancel, so the loss is the KL penalty: from 0 to about 0.01."""
    end = _between(job, "loss-end", 0.004, 0.02)
    return _plain(job, -0.5, 0.0)._replace(
        rest=0.5 + end,
        late=((-end, 3.0 / job.schedule.steps),),
    )


def value(shape: Curve, job: Job, step: int) -> float:
    """The noise-free loss of step `step`, counted from 1: before that step's update."""
    done = max(0, step - 1)
    early = schedule.full_rate_steps(done, shape.plateau)
    late = _fresh(schedule.full_rate_steps(done, job.schedule.warmup) * shape.pace, shape.epoch)
    terms = [a * exp(-k * early) for a, k in shape.early]
    terms += [a * exp(-k * done) for a, k in shape.middle]
    terms += [a * exp(-k * late) for a, k in shape.late]
    above = shape.rest + fsum(terms)
    if shape.keep != 1.0:
        above *= shape.keep ** (done // shape.epoch)
    if shape.rewarm:
        above += shape.anneal * schedule.learning_rate(job, step) / job.schedule.peak_lr
    elif shape.anneal:
        above += shape.anneal * schedule.remaining(job.schedule, step)
    return shape.floor + above


def _fresh(steps: float, epoch: int) -> float:
    """Steps on data never seen before that teach as much as these."""
    limit = FRESH_EPOCHS * epoch
    if steps <= limit:
        return steps
    scale = EPOCH_SCALE * epoch
    return limit + scale * (1.0 - exp((limit - steps) / scale))
