"""The global gradient norm, before clipping; dimensionless.

    norm = mean(step) * signal(step) * exp(spread * x) * outlier * spike
    mean = base + warm * exp(-max(0, s - W) / 0.35 W) + early * (0.84 u**9 + 0.16 u**1.5)
    mean = base * (1 + drift * s / steps) * (1 + transient * exp(-s / 0.04 steps))     when tuned

s counts the updates done, W is the warmup, u the part of the unigram drop that is still to come:
the norm stays where the loss has its plateau, and falls with it. The shape is GPT-2 124M's in
llm.c (warmup 700, clip 1.0): 15.4 at step 0, then 3.0 (to 25), 1.95 (to 50), 1.2 (to 100),
0.9 (to 400), 0.80 (to 700), 0.43 (to 1500), 0.28 and at last 0.26. The first five steps lie at
6.5 (30M), 14.5 (124M) and 21 (254M), late ones at 0.59 to 0.71, 0.27 and 0.23; BLOOM-176B's at
0.13 to 0.25, fine-tuning of Llama-2-70B at 0.23 to 0.36.

x has a memory of some steps, leans to the right and correlates with the loss residual at 0.14 to
0.20. In 31 supervised fine-tunings the first 5 % lie at 1.6 (1.2 to 2.9) times the median, log
norms spread by 0.17 (0.11 to 0.25), 2.3 % of the rows lie above 1.5 medians, the highest at 3.3
(1.9 to 25), and the correlation with the loss is 0.19 (0.05 to 0.44). In preference tuning and
reinforcement the norm follows the share of the samples that still teach (`signal`). docs/physics.md
section 8.
"""

from collections.abc import Callable
from functools import lru_cache
from math import exp, inf, log, nan, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import autoregressive, noise
from llmsim.physics.learning import batch_noise, bends, loss_scale, objectives, spikes
from llmsim.physics.learning.objectives import GradientShape, curve_of, law_of
from llmsim.physics.speed import batch_ramp
from llmsim.typed import NamedTuple

# Slow weather has this part of the log norm's variance: at lags 1, 2, 3 and 5 public runs
# correlate at .18-.34, .20-.33, .13-.25 and .07-.13.
MEMORY, PERSISTENCE = 0.65, 0.82
LEAN = 0.04  # a sixth of the skewness of the core
# Mean of an outlier's factor minus 1: 0.75 to 1.8 % lie above 1.25 local medians,
# 0.03 to 0.19 % above 2.
OUTLIER_SIZE = 0.36
TUNED_OUTLIERS, TUNED_OUTLIER = 0.02, 1.45  # the same of fine-tuning, whose tail is a power law

_LANES = 2.0  # three 16-bit lanes sum to a variance of 3/12


class _Parts(NamedTuple):
    """The mean norm's parameters, and the weights of what x consists of: a step's own number, the
    slow weather, the noise of the loss.
    """

    shape: GradientShape
    own: float
    weather: float
    loss: float


@remembered(64)
def _parts(job: Job, tokens: int) -> _Parts:
    """The same in steps with this many tokens."""
    shape = objectives.of(job).gradient(job, tokens)
    rest = 1.0 - shape.with_loss**2
    own, weather = sqrt((1.0 - MEMORY) * rest) * _LANES, sqrt(MEMORY * rest)
    return _Parts(shape, own, weather, shape.with_loss)


def level(job: Job) -> float:
    """A factor on the gradient norm that differs from run to run."""
    return 0.8 + 0.45 * noise.uniform(job.seed, "gradient-level")


def drift(job: Job) -> float:
    """The relative change of the norm over a run that starts from trained weights."""
    return 0.3 * noise.uniform(job.seed, "gradient-drift") - 0.2


def warmup(job: Job) -> float:
    """The number of steps in which the warmup raises the gradient norm: 300 to 2000."""
    schedule = job.schedule
    rising = batch_ramp.steps_until(schedule, schedule.warmup * schedule.global_batch)
    return float(max(300, min(rising, 2000)))


def tuned(job: Job, factor: float) -> GradientShape:
    """The gradient norm of a fine-tuning, as a factor on that of full supervised fine-tuning."""
    size = job.model.parameters / 124e6
    base = 1.3 * factor * float(size**-0.2) * level(job)
    power = noise.between(job.seed, "gradient outliers", 0.15, 0.8)
    return GradientShape(
        base, 0.0, 0.0, warmup(job), 0.12, drift(job),
        outliers=TUNED_OUTLIERS, outlier_power=power,
    )  # fmt: skip


def supervised(job: Job, factor: float) -> GradientShape:
    """The gradient norm of supervised fine-tuning, which falls at first and varies more; `factor`
    as in `tuned`.
    """
    seed = job.seed
    return tuned(job, factor)._replace(
        spread=noise.between(seed, "gradient-spread", 0.12, 0.22),
        transient=0.5 + 2.2 * noise.uniform(seed, "gradient-transient") ** 1.5,
        with_loss=0.05 + 0.35 * noise.uniform(seed, "gradient with loss") ** 1.4,
    )


def expected(job: Job, step: int) -> float:
    """The noise-free gradient norm of this step; steps count from 1."""
    return _mean(_parts(job, batch_ramp.tokens(job, step, step)).shape, job, step)


def _mean(shape: GradientShape, job: Job, step: int) -> float:
    done = step - 1 if step > 1 else 0
    if not shape.early:
        part = done / job.schedule.steps
        falling = 1.0 + shape.transient * exp(-part / 0.04)
        return shape.base * (1.0 + shape.drift * min(1.0, part)) * falling
    mean = shape.base
    if left := _unigrams_left(job, step):
        mean += shape.early * (0.84 * left**9 + 0.16 * left**1.5)
    over = max(0.0, done - shape.warmup)
    return mean + shape.warm * exp(-over / (0.35 * shape.warmup))


def _unigrams_left(job: Job, step: int) -> float:
    """The part of the loss's first drop that is still to come, 1..0."""
    if step > _learnt(job):
        return 0.0
    curve = curve_of(job)
    return max(0.0, min(1.0, 1.0 - (curve.start - law_of(job)(step)) / curve.drop))


@remembered()
def _learnt(job: Job) -> int:
    """The first step at which the unigrams are learnt."""
    curve = curve_of(job)
    low, high, law = 1, job.schedule.steps, law_of(job)
    while low < high:
        middle = (low + high) // 2
        learnt = law(middle) <= curve.start - curve.drop
        low, high = (low, middle) if learnt else (middle + 1, high)
    return high


def norm(job: Job, step: int) -> float:
    """The gradient norm of this step, before clipping. In fp16 it is infinite where gradients
    overflow, and not a number where the loss is none.
    """
    return norm_of(job)(step)


@remembered()
def norm_of(job: Job) -> Callable[[int], float]:
    """`norm` as a function of the step alone, which keeps its latest values: a framework that
    watches its norms asks again.
    """
    seed, scales = job.seed, loss_scale.scales(job)
    signal, rises = objectives.of(job).signal, objectives.of(job).spikes or job.bends
    residual, tokens = batch_noise.residual_of(job), batch_ramp.steady_tokens(job)
    steady = _parts(job, tokens) if tokens else None
    drawn = batch_noise.by_blocks(
        job,
        lambda first, every: noise.words(seed, "gradient", first, 1, batch_noise.BLOCK, every),
        lambda step: noise.bits(seed, "gradient", step),
    )

    def norm(step: int) -> float:
        if scales and loss_scale.scaled(job, step).skipped:
            return nan if bends.broken(job, step) else inf
        parts = steady or _parts(job, batch_ramp.tokens(job, step, step))
        shape, own, weather, loss = parts
        word = drawn(step)
        # A nearly normal number: three 16-bit parts of one random number. The fourth finds
        # outliers.
        z = ((word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF)) / 65_536.0 - 1.5
        slow = autoregressive.value(seed, "gradient memory", step, PERSISTENCE)
        x = own * z + weather * slow + loss * residual(step)
        x += LEAN * (x * x - 1.0)
        mean = _mean(shape, job, step)
        if signal:
            mean *= signal(job, step)
        norm = mean * exp(shape.spread * x)
        u = ((word >> 48) + 0.5) / 65_536.0
        if u < shape.outliers:
            norm *= _outlier(shape, u)
        if rises:
            norm *= spikes.gradient_factor(job, step) * bends.gradient_factor(job, step)
        return norm

    return lru_cache(64)(norm)


def _outlier(shape: GradientShape, u: float) -> float:
    """The factor of an outlier, from a number between 0 and the share of outliers."""
    if shape.outlier_power:
        return TUNED_OUTLIER * float((shape.outliers / u) ** shape.outlier_power)
    return 1.0 + OUTLIER_SIZE * log(shape.outliers / u)
