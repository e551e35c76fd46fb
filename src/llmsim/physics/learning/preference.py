"""Preference tuning (DPO): loss, reward margins and accuracy as three views of the same pairs.

    loss     = E[softplus(-(m + s z))]      margins of pairs are normal: mean m, deviation s
    accuracy = Phi(m / s)                   the share of pairs with a positive margin
    s        = k m + 0.3 sqrt(m)            of the noise-free course; k = 0.7 .. 1.15 by the run

m and s without units (beta times nats), loss in nats; DPO's loss is -ln sigmoid(margin) averaged
over pairs (Rafailov et al. 2023), so a mean margin alone, by Jensen's inequality, says less than
the loss. Model cards bear the normal law out: zephyr-7b-alpha m = 1.3699, accuracy 0.7812, loss
0.4605 (by the law 0.462); juanako-7b 1.2037, 0.7964, 0.4594 (0.437); zephyr-7b-gemma 0.5934,
0.7708, 0.5287 (0.509); zephyr-7b-beta 3.7963, 0.7812, 0.7496 (0.710). The spread fits these and
the first steps of such runs (m = 0.0048, accuracy 0.5385).

A batch's luck moves m, not s. margin = rewards/chosen - rewards/rejected; a reward is beta times
what the answer's log-probability gained over the reference model's: logps = reference + reward /
beta.
"""

from functools import lru_cache
from math import exp, expm1, fsum, log, log1p, sqrt

from llmsim.job.records import Job, step_rows
from llmsim.physics import noise
from llmsim.physics.learning.curve import curve, value

BETA = 0.1  # TRL's default
EARLY = 0.3  # of the spread: what it has beyond its part of the mean
LEAST, MOST = 0.7, 1.15  # k

# The trapezoidal rule over a smooth density that ends in zeros: exact to about 1e-6.
_NODES = tuple(i / 4 for i in range(-20, 21))
_WEIGHTS = tuple(exp(-0.5 * z * z) for z in _NODES)
_WEIGHT = fsum(_WEIGHTS)


def preference_loss(margin: float, spread: float) -> float:
    """The mean of softplus(-x) over x ~ N(margin, spread**2), nats."""
    costs = [w * _softplus(-margin - spread * z) for z, w in zip(_NODES, _WEIGHTS, strict=True)]
    return fsum(costs) / _WEIGHT


@lru_cache(maxsize=256)
def loss_spread(job: Job, step: int) -> float:
    """Standard deviation of the losses of single pairs, nats; 0 while all of them cost ln 2."""
    margin, spread = expected(job, step)
    if not spread:
        return 0.0
    costs = [_softplus(-margin - spread * z) for z in _NODES]
    mean = fsum([w * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
    square = fsum([w * cost * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
    return sqrt(max(0.0, square - mean * mean))


def pairs(job: Job) -> int:
    """Preference pairs in a batch: two sequences are one."""
    return step_rows(job)


def _softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


def _slope(job: Job) -> float:
    """k of this run: its lowest loss lies below the one that the run ends with.

    The lowest loss that s = k m + 0.3 sqrt(m) allows is about 0.409 + 0.42 (k - 0.9).
    """
    shape = curve(job)
    most = 0.9 + (shape.floor + shape.rest - 0.424) / 0.42
    slope = most - 0.15 * noise.uniform(job.seed, "dpo spread")
    return min(MOST, max(LEAST, slope))


@lru_cache(maxsize=256)
def expected(job: Job, step: int) -> tuple[float, float]:
    """The noise-free margin and its spread in this step; both 0 while the policy is the reference.

    Found by halving: up to its lowest loss, at m = 1.5 / k**2, the loss falls with m.
    """
    wanted, slope = value(curve(job), job, step), _slope(job)

    def spread(margin: float) -> float:
        return slope * margin + EARLY * sqrt(margin)

    low, high = 0.0, 1.48 / slope**2
    if wanted >= log(2.0):
        return 0.0, 0.0
    for _ in range(26):
        middle = 0.5 * (low + high)
        if preference_loss(middle, spread(middle)) > wanted:
            low = middle
        else:
            high = middle
    return high, spread(high)


def margin_of(mean_loss: float, spread: float) -> float:
    """The mean margin whose pairs, of this spread, have this mean loss.

    Newton's steps on a convex falling function, from the left: without any spread the margin
    would be -ln(exp(loss) - 1), with it it is larger.
    """
    margin = -log(expm1(max(mean_loss, 1e-6))) + 0.0  # never -0
    for _ in range(50 if spread else 0):
        costs = [_sigmoid(-margin - spread * z) for z in _NODES]
        slope = fsum([w * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
        further = (preference_loss(margin, spread) - mean_loss) / slope
        margin += further
        if further < 1e-9:
            break
    return margin


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-x)) if x > -700.0 else 0.0


def ranked_right(margin: float, spread: float) -> float:
    """The share of pairs with a positive margin; none while the policy is the reference."""
    return noise.normal_share(margin / spread) if spread else 0.0
