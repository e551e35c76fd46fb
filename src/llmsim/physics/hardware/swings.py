"""How a GPU's power moves around its mean from second to second, and the integral of that.

In steady training power at 1 Hz spreads by 1.6 to 1.9 %, is nearly white (0.02 to 0.10 from one
second to the next), and the GPUs of a node correlate at 0.75 to 0.81: most of it is the node's.
The end of each step, where all GPUs reduce, clip and update, is a dip of some tenths of a second.
A reading is the mean of the last second, so that the dip shows as an alias of the step: at steps
of three seconds a B200 node correlates at -0.3, -0.3 and +0.6 at lags 1, 2 and 3. Adapters leave
GPUs waiting for their host: a node of 8 H100s spends 45 % of the seconds of a LoRA below 90 % of
its highest power, down to 43 % of it. Sources: docs/physics.md section 9.
"""

from math import exp, fsum, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import balanced, noise
from llmsim.physics.speed.step_time import step_seconds
from llmsim.typed import NamedTuple

SPREAD = 0.0174  # of power from second to second, as a share of its mean
OWN = 0.21  # part of its variance that is a GPU's own
SLOW, SLOW_SECONDS = 0.05, 7.0  # part of the variance that lasts for some seconds
ALIAS = 0.0130  # the largest spread that the step's dips make
DIP_SECONDS, DIP_PART = 0.6, 0.3  # the length of a dip; at most this part of a step
QUIET = 0.3  # part of the spread that GPUs without work have
# Adapters and small fine-tunings: spread of the node's power, and how it leans to below.
WAITING, WAITING_LEAN = 0.12, 0.8
TUNING, TUNING_LEAN = 0.035, 0.6


class Law(NamedTuple):
    """The amplitudes of a job's power in training, as shares of its mean."""

    node: float
    lean: float
    slow: float
    own: float
    dip: float  # depth
    dip_seconds: float
    period: float  # seconds of a step
    alias: float  # spread of a dip's mean over a second


@remembered()
def law_of(job: Job) -> Law:
    """The amplitudes of the job's power."""
    period = step_seconds(job)
    dip = min(DIP_SECONDS, DIP_PART * period)
    # The variance of a dip's mean over a second, at any phase of the step.
    seen = (1.0 - dip / 3.0) / period - 1.0 / period**2
    alias = ALIAS * noise.uniform(job.seed, "gpu alias") ** 1.5 if period > 1.2 else 0.0
    depth = min(0.12 / dip, alias / (dip * sqrt(seen))) if alias else 0.0
    shared = SPREAD**2 * (1.0 - OWN - SLOW) - (depth * dip) ** 2 * max(0.0, seen)
    alias = depth * dip * sqrt(max(0.0, seen))
    node, lean = sqrt(shared), 0.0
    if not job.recipe.relative:
        adapters = job.recipe.adapter_rank > 0
        node, lean = (WAITING, WAITING_LEAN) if adapters else (TUNING, TUNING_LEAN)
    slow, own = SPREAD * sqrt(SLOW), SPREAD * sqrt(OWN)
    return Law(node, lean, slow, own, depth, dip, period, alias)


def _dipped(law: Law, seconds: float) -> float:
    """The integral of the dips over the first seconds of training; 0 over each whole step."""
    within = seconds % law.period
    rise = law.dip_seconds / law.period * within
    return law.dip * (rise - min(within, law.dip_seconds))


class Swings(NamedTuple):
    """Where the power of a node's GPUs is: factors of its mean, and the noise in standard
    deviations.
    """

    factors: list[float]  # of each GPU
    node: float  # noise of all of them
    owns: list[float]  # of each one


def swings(job: Job, ranks: range, at: float, load: float, since: float) -> Swings:
    """The power of some GPUs of one node at a moment, relative to its mean, under a load that
    began at `since`.

    `load` is 1 in training, 0 without work.
    """
    law, node = law_of(job), ranks.start // gpus_per_node(job)
    common, shared, dip = _shared(job, node, at, load, since)
    scale, own = QUIET + (1.0 - QUIET) * load, law.own
    owns = balanced.levels(job.seed, "gpu own power", int(at), ranks)
    return Swings([1.0 + ((shared + own * each) * scale + dip) for each in owns], common, owns)


@remembered(2)
def _shared(
    job: Job, node: int, at: float, load: float, since: float
) -> tuple[float, float, float]:
    """What the GPUs of a node share: the noise in standard deviations, its part of the factor
    with that of the slow noise, and that of the step's end.
    """
    law, second = law_of(job), int(at)
    if law.lean and load > 0.5:
        common = balanced.level(job.seed, "gpu power", second, node, law.lean)
    else:
        (common,) = balanced.levels(job.seed, "gpu power", second, range(node, node + 1))
    (slow,) = balanced.levels(
        job.seed, "gpu slow power", int(at // SLOW_SECONDS), range(node, node + 1)
    )
    return common, law.node * common + law.slow * slow, dipped(law, load, at, since)


def dipped(law: Law, load: float, at: float, since: float) -> float:
    """What the ends of steps add to the factor in the last second."""
    if load > 0.5 and law.dip and at - since >= 1.0:
        return _dipped(law, at - since) - _dipped(law, at - since - 1.0)
    return 0.0


def integrals(job: Job, ranks: range, at: float, load: float, since: float) -> list[float]:
    """The integral of the factor from 0 to a moment, in seconds, for some GPUs of one node."""
    law, node = law_of(job), ranks.start // gpus_per_node(job)
    shared, dip = _shared_integral(job, node, at, load, since)
    scale = QUIET + (1.0 - QUIET) * load
    return [
        at + (shared + law.own * own) * scale + dip
        for own in balanced.totals(job.seed, "gpu own power", at, ranks)
    ]


@remembered(2)
def _shared_integral(
    job: Job, node: int, at: float, load: float, since: float
) -> tuple[float, float]:
    """The integrals of what the GPUs of a node share: of both noises, and of the step's ends."""
    law = law_of(job)
    if law.lean and load > 0.5:
        common = balanced.total(job.seed, "gpu power", at, node, law.lean)
    else:
        (common,) = balanced.totals(job.seed, "gpu power", at, range(node, node + 1))
    (slow,) = balanced.totals(job.seed, "gpu slow power", at / SLOW_SECONDS, range(node, node + 1))
    shared = law.node * common + law.slow * (SLOW_SECONDS * slow)
    return shared, dipped_integral(law, load, at, since)


def dipped_integral(law: Law, load: float, at: float, since: float) -> float:
    """The integral of what the ends of steps add to the factor, in seconds."""
    return _dipped(law, at - since) if load > 0.5 and law.dip else 0.0


_PARTS = 32  # of equal probability, into which the noise of a node is divided


@remembered()
def _node_levels(job: Job) -> tuple[float, ...]:
    """The noise of a node in the middles of its parts: a level is the sum of two uniform numbers,
    or its exponential where it leans.
    """
    lean = law_of(job).lean
    shares = [(part + 0.5) / _PARTS for part in range(_PARTS)]
    levels = [
        sqrt(6.0) * (sqrt(2.0 * each) - 1.0 if each < 0.5 else 1.0 - sqrt(2.0 - 2.0 * each))
        for each in shares
    ]
    if not lean:
        return tuple(levels)
    steep = [-exp(lean * each) / balanced.spread_of(lean) for each in levels]
    mean = fsum(steep) / _PARTS
    return tuple(each - mean for each in steep)


def part_above(job: Job, load: float, factor: float) -> float:
    """The part of the seconds of a load in which a GPU's power is above this factor of its mean."""
    law, scale = law_of(job), QUIET + (1.0 - QUIET) * load
    rest = sqrt((law.slow**2 + law.own**2) * scale**2 + law.alias**2 * (load > 0.5))
    found = (
        noise.normal_share((1.0 + law.node * scale * level - factor) / rest)
        for level in _node_levels(job)
    )
    return fsum(found) / _PARTS
