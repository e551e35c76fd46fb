"""The random time of steps, as a cumulative time that can be computed directly at any step.

    elapsed(k) = first + k s + s sigma (G(k) - k) + levels + outliers + gc + drift + warming
                 + slowdowns

s mean seconds of a step. G is a gamma process whose shares are nearly normal, as real steps'
cores are (5th and 95th percentile at -1.6 and +1.6 sigma). Levels keep for some dozen steps: in
runs over many nodes neighbouring steps correlate at 0.2 to 0.75. Outliers, one in 60 to 250 steps,
make the tail heavy, as on a 15B Megatron run, whose 99th percentile is at +12 %;
sigma itself lies between 0.25 % (torchtitan, nanoGPT) and 4 % (MoE). Drift is
the day's 1-2 % with the temperature of the hall (Llama 3 paper, section 3.3.4), warming
the 0.7 % that a cold GPU is faster in its first minute. Source: docs/physics.md section 9.

Because the process is cumulative, the times of intervals add up exactly.
A sum over steps is found by halving: a node of a binary tree holds the sum over 2**level
steps, and the share of its left half is a symmetric beta variate, which is what conditioning
a gamma process on its total gives. Cost: one draw per level, cached.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import cos, exp, fsum, pi, sqrt

from llmsim.physics import noise
from llmsim.typed import Literal, NamedTuple

Kind = Literal["straggler", "data stall", "network retry"]

_SHAPE = 40.0  # of a step's gamma share: skewness 2 / sqrt(40) = 0.3
LEVEL = 40  # steps that a level of the network lasts
_SPREAD = 1.0 / sqrt(_SHAPE)  # standard deviation of a share of mean 1
_DAY = 86_400.0
_WARMING, _WARM = 0.007, 60.0


class Slowdown(NamedTuple):
    """A stretch of slow steps that has a line in the log, and its cause."""

    kind: Kind
    seconds: float  # lost in each of its steps; interval_seconds already contains them
    rank: int  # the rank that causes it
    first: int  # its first executed step
    steps: int  # the number of slow steps


class StepTiming(NamedTuple):
    """The constants of one run's timing."""

    seed: int
    steps: int
    mean: float  # seconds of a steady step
    sigma: float  # relative spread of ordinary steps
    first_extra: float  # seconds that step 1 takes longer
    level: float  # relative spread of the levels
    outlier_every: int
    outlier: float  # mean seconds that an outlier takes longer
    gc_every: int
    gc: float  # seconds of a garbage collection
    diurnal_drift: float  # its relative amplitude
    phase: float  # of the day at the run's start, radians; 0 is when the hall warms fastest
    slowdowns: tuple[Slowdown, ...]


@lru_cache(maxsize=16_384)
def _node(seed: int, stream: str, top: int, level: int, index: int) -> float:
    """Sum of 2**level shares of mean 1; the whole tree's sum is its expectation."""
    if level == top:
        return float(1 << top)
    parent = _node(seed, stream, top, level + 1, index >> 1)
    # Symmetric beta(a, a) in closed form (Ulrich 1984; Devroye 1986, chapter IX.4).
    a = _SHAPE * (1 << level)
    name = (1 << (top - level - 1)) + (index >> 1)  # heap number of the parent
    radius = 1.0 - noise.uniform(seed, stream, 2 * name) ** (2.0 / (2.0 * a - 1.0))
    angle = 2.0 * pi * noise.uniform(seed, stream, 2 * name + 1)
    left = 0.5 + 0.5 * sqrt(radius) * cos(angle)
    return parent * (1.0 - left if index & 1 else left)


def gamma_sum(seed: int, stream: str, count: int, limit: int) -> float:
    """Sum of the first `count` of `limit` independent gamma variates of mean 1."""
    top = limit.bit_length()
    return fsum(
        _node(seed, stream, top, level, (count >> level) - 1)
        for level in range(top + 1)
        if count >> level & 1
    )


def _outliers(timing: StepTiming, step: int) -> float:
    """Seconds lost to outliers up to a step, less their mean: one in each cell of steps."""
    cells = timing.steps // timing.outlier_every + 1
    cell, within = divmod(step, timing.outlier_every)
    happened = gamma_sum(timing.seed, "hiccup size", cell, cells)
    place = noise.integer(timing.seed, "hiccup place", 1, timing.outlier_every, cell)
    if within >= place:
        happened += _node(timing.seed, "hiccup size", cells.bit_length(), 0, cell)
    return timing.outlier * (happened - step / timing.outlier_every)


def _levels(timing: StepTiming, step: int) -> float:
    """Seconds by which the levels of the steps so far lie above or below the mean."""
    blocks = timing.steps // LEVEL + 1
    block, within = divmod(step, LEVEL)
    shares = gamma_sum(timing.seed, "step level", block, blocks)
    shares += within / LEVEL * _node(timing.seed, "step level", blocks.bit_length(), 0, block)
    return timing.mean * timing.level / _SPREAD * LEVEL * (shares - step / LEVEL)


def _drift(timing: StepTiming, step: int) -> float:
    """Integral of the diurnal drift and of the cold GPUs' head start, in seconds."""
    nominal = step * timing.mean
    turn = timing.phase + 2.0 * pi * nominal / _DAY
    drift = timing.diurnal_drift * _DAY / (2.0 * pi) * (cos(timing.phase) - cos(turn))
    return drift - _WARMING * _WARM * (1.0 - exp(-nominal / _WARM))


def _overlap(slowdown: Slowdown, step: int) -> int:
    return min(max(step - slowdown.first + 1, 0), slowdown.steps)


def elapsed(timing: StepTiming, step: int) -> float:
    """Seconds from the start of training to the end of a step; 0 for step 0. In microseconds."""
    if step <= 0:
        return 0.0
    shares = gamma_sum(timing.seed, "step time", step, timing.steps)
    return round(
        fsum((
            timing.first_extra,
            step * timing.mean,
            timing.mean * timing.sigma / _SPREAD * (shares - step),
            _levels(timing, step) if timing.level else 0.0,
            _outliers(timing, step),
            timing.gc * (step // timing.gc_every - step / timing.gc_every),
            _drift(timing, step),
            *(slowdown.seconds * _overlap(slowdown, step) for slowdown in timing.slowdowns),
        )),
        6,
    )  # fmt: skip


def begun(timing: StepTiming, first: int, last: int) -> Slowdown | None:
    """The costliest slowdown that begins in steps first..last, both included."""
    found = [slowdown for slowdown in timing.slowdowns if first <= slowdown.first <= last]
    return max(found, key=lambda slowdown: slowdown.seconds * slowdown.steps, default=None)


def ended(timing: StepTiming, first: int, last: int) -> Slowdown | None:
    """The costliest slowdown of more than one step whose last step is one of first..last."""
    found = [
        slowdown
        for slowdown in timing.slowdowns
        if slowdown.steps > 1 and first <= slowdown.first + slowdown.steps - 1 <= last
    ]
    return max(found, key=lambda slowdown: slowdown.seconds * slowdown.steps, default=None)


def slowdowns(seed: int, steps: int, mean: float, gpus: int, nodes: int) -> tuple[Slowdown, ...]:
    """The run's slowdowns: none in a very short run, one to four in others.

    A straggler costs 2-6 % in some dozens of steps (BLOOM: 105.2 -> 111.1 s until the node was
    excluded), a data stall up to 2.3 times the step, a network retry some seconds.
    """
    if steps < 12:
        return ()
    count = 1 + noise.integer(seed, "episodes", 0, 1 if steps < 100 else 3)
    return tuple(_slowdown(seed, steps, mean, gpus, nodes, i) for i in range(count))


# The delay of a step: parts of a mean step, or seconds of a network retry.
_SIZES: dict[Kind, tuple[float, float]] = {
    "straggler": (0.02, 0.06),
    "data stall": (0.15, 1.3),
    "network retry": (0.8, 4.0),
}


def _slowdown(seed: int, steps: int, mean: float, gpus: int, nodes: int, i: int) -> Slowdown:
    kinds: Sequence[Kind] = ("straggler", "data stall", "data stall", "network retry")
    if gpus == 1:  # no other rank to wait for
        kinds = ("data stall",)
    kind = noise.pick(seed, "episode kind", kinds if nodes > 1 else kinds[:3], i)
    first = noise.integer(seed, "episode step", 3, steps, i)
    rank = noise.integer(seed, "episode rank", 0, gpus - 1, i)
    size = noise.between(seed, "episode size", *_SIZES[kind], i)
    if kind == "straggler":
        length = noise.integer(seed, "episode length", 3, min(60, steps // 4), i)
        return Slowdown(kind, mean * size, rank, first, length)
    if kind == "data stall":
        return Slowdown(kind, mean * size + 0.1, rank, first, 1)
    return Slowdown(kind, mean * 0.05 + size, rank, first, 1)
