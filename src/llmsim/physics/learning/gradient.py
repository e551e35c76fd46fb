"""The global gradient norm, before clipping; dimensionless.

    norm = mean(step) * exp(spread * x) * outlier * spike
    mean = base + warm * exp(-max(0, s - W) / 0.35 W) + early * (12.2 exp(-s) + 2 exp(-s / 50))
    mean = base * (1 + drift * s / steps)                      of a model that was trained before

s counts the updates done, W is the warmup. The shape is GPT-2 124M's in llm.c (warmup
700, clip 1.0): 15.4 at step 0, then on average 3.0 (to 25), 1.95 (to 50), 1.2 (to 100),
0.9 (to 400), 0.80 (to 700), 0.43 (to 1500), 0.28 and at last 0.26. Its relative spread is
5.5 % (robust), x has a memory of some steps and correlates with the loss residual at
0.13; 0.22 % of the steps exceed 1.5 medians, 0.14 % exceed 2. Larger models lie lower
(BLOOM-176B: 0.13 to 0.25), fine-tuning of Llama-2-70B at 0.23 to 0.36. Supervised
fine-tuning starts at 1.2 to 2.9 times its median (first 5 % of the steps), and its spread is
0.11 to 0.25 from run to run; other further training lies at its level from the first step.
"""

from math import exp, fsum, log, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning import bends, loss, objectives, spikes
from llmsim.physics.learning.objectives import GradientShape
from llmsim.physics.speed import batch_ramp

LOSS_SHARE = 0.16  # correlation with the loss residual
# Slow weather, an AR(1) over as many steps as matter, has this part of the log norm's variance:
# at lags 1, 2, 3 and 5 public runs correlate at .18-.34, .20-.33, .13-.25 and .07-.13.
MEMORY, PERSISTENCE, REMEMBERED = 0.40, 0.84, 16
# Share of the steps and mean of the factor minus 1: 0.75 to 1.8 % lie above 1.25 local medians,
# 0.03 to 0.19 % above 2.
OUTLIERS, OUTLIER_SIZE = 0.014, 0.38

_OWN = sqrt((1.0 - MEMORY) * (1.0 - LOSS_SHARE**2))
_WEIGHTS = tuple(
    sqrt(MEMORY * (1.0 - LOSS_SHARE**2) * (1.0 - PERSISTENCE**2)) * PERSISTENCE**back
    for back in range(REMEMBERED)
)
_QUARTERS = sqrt(3.0)  # four 16-bit numbers sum to a variance of 4/12


@remembered(64)
def _shape(job: Job, tokens: int) -> GradientShape:
    """The parameters of the gradient norm in steps with this many tokens."""
    return objectives.of(job).gradient(job, tokens)


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
    return GradientShape(base, 0.0, 0.0, warmup(job), 0.12, drift(job))


def supervised(job: Job, factor: float) -> GradientShape:
    """The same of supervised fine-tuning, whose norm falls at first and varies more.

    In 31 public runs the first 5 % lie at 1.6 (1.2 to 2.9) times the median, and the spread of
    the log is 0.17 (0.11 to 0.25).
    """
    seed = job.seed
    return tuned(job, factor)._replace(
        spread=noise.between(seed, "gradient-spread", 0.11, 0.23),
        transient=0.3 + 1.6 * noise.uniform(seed, "gradient-transient") ** 2,
    )


def expected(job: Job, step: int) -> float:
    """The noise-free gradient norm of this step; steps count from 1."""
    return _mean(_shape(job, batch_ramp.tokens(job, step, step)), job, step)


def _mean(shape: GradientShape, job: Job, step: int) -> float:
    done = max(0, step - 1)
    if not shape.early:
        part = done / job.schedule.steps
        falling = 1.0 + shape.transient * exp(-part / 0.04)
        return shape.base * (1.0 + shape.drift * min(1.0, part)) * falling
    mean = shape.base + shape.early * (12.2 * exp(-done) + 2.0 * exp(-done / 50.0))
    over = max(0.0, done - shape.warmup)
    return mean + shape.warm * exp(-over / (0.35 * shape.warmup))


def norm(job: Job, step: int) -> float:
    """The gradient norm of this step, before clipping."""
    shape, seed = _shape(job, batch_ramp.tokens(job, step, step)), job.seed
    sums = noise.sums_of_quarters(seed, "gradient memory", step, REMEMBERED)
    slow = [w * ((total / 65536.0 - 2.0) * _QUARTERS) for w, total in zip(_WEIGHTS, sums)]  # noqa: B905  # as _shock
    own = noise.bits(seed, "gradient", step)
    total = (own & 0xFFFF) + (own >> 16 & 0xFFFF) + (own >> 32 & 0xFFFF) + (own >> 48)
    x = _OWN * _shock(total) + fsum(slow) + LOSS_SHARE * loss.residual(job, step)
    u = noise.uniform(seed, "gradient-tail", step)
    outlier = 1.0 + OUTLIER_SIZE * log(OUTLIERS / u) if u < OUTLIERS else 1.0
    mean = _mean(shape, job, step)
    raised = spikes.gradient_factor(job, step) * bends.gradient_factor(job, step)
    return mean * exp(shape.spread * x) * outlier * raised


def _shock(total: int) -> float:
    """A nearly normal number, mean 0, variance 1, from the sum of four 16-bit random numbers."""
    return (total / 65536.0 - 2.0) * _QUARTERS
