"""The global gradient norm before clipping.

    norm = mean(step) * exp(0.055 x) * outlier * spike

    mean = base + warm * exp(-max(0, step - W) / 0.35 W) + 12.4 exp(-step/1.5) + 2 exp(-step/45)

The shape is GPT-2 124M's in llm.c (clip 1.0, warmup W = 700): 15.4 at step 0, mean 3.0
in steps 0 to 25, 1.95, 1.2, 0.9 (100 to 400), 0.80 (to 700), 0.43 (to 1500), then 0.28
to 0.26. x has lag-1 autocorrelation 0.24 and goes with the loss residual at 0.13; the
robust relative standard deviation is 5.5 %; 0.22 % of the steps exceed 1.5 medians and
0.14 % exceed 2. Larger models lie lower: BLOOM-176B at 0.13 to 0.25. Dimensionless.
"""

from functools import lru_cache
from math import exp, log, sqrt
from typing import NamedTuple

from llmsim.job import Job, batch_tokens
from llmsim.physics import loss, noise, spikes

SPREAD = 0.055  # standard deviation of log norm
LOSS_SHARE = 0.14  # correlation with the loss residual
NEIGHBOUR = 0.26  # weight of the step before: lag-1 autocorrelation 0.26 / (1 + 0.26**2) = 0.24
OUTLIERS, OUTLIER_SIZE = 0.0035, 1.1  # share of steps; mean excess of the factor
LANES = 3.0  # variance of the sum of four 16-bit lanes is 4/12, so times sqrt(3) is 1


class Shape(NamedTuple):
    """The mean norm of a job: what is left at the end and what the start adds."""

    base: float
    warm: float
    early: float  # factor on the two early exponentials
    warmup: float  # steps


@lru_cache(maxsize=64)
def _shape(job: Job) -> Shape:
    size = job.model.parameters / 124e6
    luck = 0.8 + 0.45 * noise.uniform(job.seed, "gradient-level")
    early = 0.7 + 0.6 * noise.uniform(job.seed, "gradient-start")
    warmup = float(max(1, min(job.schedule.warmup, 2000)))
    if job.recipe == "pretrain":
        # Half of the squared norm is the batch's own noise, which shrinks with its tokens.
        batch = sqrt(0.5 + 0.5 * 524_288 / batch_tokens(job))
        base = 0.26 * size**-0.07 * batch * luck
        return Shape(base, 0.58 * luck, early, warmup)
    if job.recipe == "continue":
        return Shape(0.3 * size**-0.07 * luck, 0.2 * luck, 0.02, warmup)
    level = {"lora": 0.6, "dpo": 3.0, "grpo": 0.3}.get(job.recipe, 1.0)
    base = level * 1.3 * size**-0.2 * luck
    return Shape(base, 0.0, base * early, warmup)


def expected(job: Job, step: int) -> float:
    """The noise-free gradient norm of this step; steps count from 1."""
    shape = _shape(job)
    done = max(0, step - 1)
    over = max(0.0, done - shape.warmup)
    early = 12.4 * exp(-done / 1.5) + 2.0 * exp(-done / 45.0)
    return shape.base + shape.warm * exp(-over / (0.35 * shape.warmup)) + shape.early * early


def _shock(seed: int, step: int) -> float:
    """Nearly normal, variance 1, exact on every machine: the sum of four 16-bit lanes."""
    word = noise.bits(seed, "gradient", step)
    total = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
    return (total / 65536.0 - 2.0) * sqrt(LANES)


def norm(job: Job, step: int) -> float:
    """The gradient norm of this step before clipping."""
    own = (_shock(job.seed, step) + NEIGHBOUR * _shock(job.seed, step - 1)) / sqrt(
        1.0 + NEIGHBOUR * NEIGHBOUR
    )
    x = LOSS_SHARE * loss.residual(job, step) + sqrt(1.0 - LOSS_SHARE * LOSS_SHARE) * own
    u = noise.uniform(job.seed, "gradient-tail", step)
    outlier = 1.0 + OUTLIER_SIZE * log(OUTLIERS / u) if u < OUTLIERS else 1.0
    return expected(job, step) * exp(SPREAD * x) * outlier * spikes.gradient_factor(job, step)
