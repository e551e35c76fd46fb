"""The random time of steps, as a cumulative time that can be computed directly at any step.

    elapsed(k) = first + k s + s sigma W(k) + bursts + hours + outliers + gc + drift + slowdowns

s mean seconds of a step. W sums white noise whose core is near normal, as real steps' is (5th and
95th percentile at -1.6 and +1.6 sigma). Bursts keep a level for some dozen steps, so that in runs
over many nodes neighbouring steps correlate at 0.2 to 0.75; hours keep one for hours, and shift
by some per cent. Outliers are of two kinds: one step in some hundreds takes a fifth longer, one in
some thousands several times as long (Megatron's logs: up to 4 to 10 times).
sigma itself lies between 0.25 % (torchtitan, nanoGPT) and 4 % (MoE). Drift is
the day's 1-2 % with the temperature of the hall (Llama 3 paper, section 3.3.4), warming
the 0.7 % that a cold GPU is faster in its first minute. Source: docs/physics.md section 9.

Because the process is cumulative, the times of intervals add up exactly. White noise and levels
are balanced.py's. The sizes of outliers are a gamma process: a node of a binary tree holds the
sum over 2**level outliers, and the share of its left half is a symmetric beta variate, which is
what conditioning a gamma process on its total gives.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import cos, exp, fsum, pi, sqrt

from llmsim.job.microseconds import to_the_microsecond
from llmsim.physics import balanced, noise
from llmsim.typed import Literal, NamedTuple

Kind = Literal["straggler", "data stall", "network retry"]

_SHAPE = 0.8  # of the sizes of outliers: many are small, one in twenty is three times the mean
# Outliers whose places are drawn in one stretch of steps, each for itself: the spread of the gaps
# is 0.9 of their mean, where chance alone has 1. One outlier in each stretch has gaps alike.
TOGETHER = 8
LEAN = -0.14  # of ordinary steps: skewness .3, as MLPerf's 8B has
_DAY = 86_400.0
_WARMING, _WARM = 0.007, 60.0


class Slowdown(NamedTuple):
    """A stretch of slow steps that has a line in the log, and its cause."""

    kind: Kind
    seconds: float  # lost in each of its steps; interval_seconds already contains them
    rank: int  # the rank that causes it
    first: int  # its first executed step
    steps: int  # the number of slow steps


class Outliers(NamedTuple):
    """Single slow steps of one kind."""

    stream: str
    every: int  # steps, in which one of them happens
    seconds: float  # mean that it takes longer


class StepTiming(NamedTuple):
    """The constants of one run's timing."""

    seed: int
    steps: int
    mean: float  # seconds of a steady step
    sigma: float  # relative spread of ordinary steps
    first_extra: float  # seconds that step 1 takes longer
    burst: float  # relative spread of the levels that last for some dozen steps
    burst_steps: int
    hour: float  # relative spread of the levels that last for hours
    hour_steps: int
    outliers: tuple["Outliers", ...]
    gc_every: int
    gc: float  # seconds of a garbage collection
    diurnal_drift: float  # its relative amplitude
    phase: float  # of the day at the run's start, radians; 0 is when the hall warms fastest
    slowdowns: tuple[Slowdown, ...]


Tree = dict[int, float]  # sums of shares by heap number: the root, of all shares, has 1

MOST_NODES = 512  # of a tree that are kept
_EXPONENTS = tuple(2.0 / (2.0 * _SHAPE * (1 << level) - 1.0) for level in range(64))


@noise.kept(256)
def _tree(seed: int, stream: str, top: int) -> Tree:
    """The nodes that are known of a tree of 2**top shares of mean 1; its sum is its expectation."""
    del seed, stream  # they name the tree
    return {1: float(1 << top)}


def _node(seed: int, stream: str, top: int, number: int) -> float:
    """The sum below the node with a heap number: of 2**level shares."""
    tree = _tree(seed, stream, top)
    if number in tree:
        return tree[number]
    if len(tree) > MOST_NODES:
        tree.clear()
        tree[1] = float(1 << top)
    return _split(tree, seed, stream, top, number)


def _split(tree: Tree, seed: int, stream: str, top: int, number: int) -> float:
    """The same of a node that is not known yet: its parent is split, and both halves are kept."""
    above = number >> 1
    parent = tree.get(above) or _split(tree, seed, stream, top, above)
    # Symmetric beta(a, a) in closed form (Ulrich 1984; Devroye 1986, chapter IX.4), where a is
    # _SHAPE times the shares of a half.
    first, second = noise.pair(seed, stream, above)
    radius = 1.0 - first ** _EXPONENTS[top - number.bit_length() + 1]
    left = 0.5 + 0.5 * sqrt(radius) * cos(2.0 * pi * second)
    tree[2 * above], tree[2 * above + 1] = parent * left, parent * (1.0 - left)
    return tree[number]


def _share(seed: int, stream: str, limit: int, index: int) -> float:
    """A single share, counted from 0."""
    top = limit.bit_length()
    return _node(seed, stream, top, (1 << top) + index)


def gamma_sum(seed: int, stream: str, count: int, limit: int) -> float:
    """Sum of the first `count` of `limit` independent gamma variates of mean 1."""
    top = limit.bit_length()
    tree, leaf, parts = _tree(seed, stream, top), (1 << top) + count, []
    while leaf > 1:
        if leaf & 1:  # a whole left half lies before it
            part = tree.get(leaf - 1)
            parts.append(_node(seed, stream, top, leaf - 1) if part is None else part)
        leaf >>= 1
    return fsum(parts)


@noise.kept(1024)
def _cell(
    seed: int, stream: str, every: int, cells: int, cell: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The places of a cell's outliers, and the sizes of all outliers before each and at the end."""
    first = cell * TOGETHER
    found = sorted(
        (noise.integer(seed, f"{stream} place", 1, every * TOGETHER, number), number)
        for number in range(first, first + TOGETHER)
    )
    before = gamma_sum(seed, stream, first, cells * TOGETHER)
    sizes = (_share(seed, stream, cells * TOGETHER, number) for _, number in found)
    return tuple(place for place, _ in found), tuple(accumulate(sizes, initial=before))


def _lost(timing: StepTiming, kind: Outliers) -> Callable[[int], float]:
    """Seconds lost to outliers up to a step, less their mean: some in each cell of steps."""
    seed, (stream, every, seconds) = timing.seed, kind
    wide = every * TOGETHER
    cells = timing.steps // wide + 1

    def lost(step: int) -> float:
        cell, within = divmod(step, wide)
        places, sums = _cell(seed, stream, every, cells, cell)
        return seconds * (sums[bisect_right(places, within)] - step / every)

    return lost


@noise.kept(1024)
def _whites(seed: int, group: int) -> tuple[float, float, tuple[float, ...]]:
    """White noise of a group of steps, whose own sums are white noise again: its sum before the
    group, what each step of the group adds to that in the mean, and the sums of the rest.

    The groups of balanced.py sum to 0. With them alone, means of a hundred steps would vary less
    than the means of a hundred independent steps do.
    """
    before, after = (
        sqrt(balanced.GROUP) * balanced.total(seed, "step time group", each)
        for each in (group, group + 1)
    )
    each = (after - before) / balanced.GROUP
    return before, each, balanced.group_sums(seed, "step time", group, LEAN)


def elapsed(timing: StepTiming, step: int) -> float:
    """Seconds from the start of training to the end of a step; 0 for step 0. In microseconds."""
    return clock(timing)(step)


def clock(timing: StepTiming) -> Callable[[int], float]:
    """`elapsed` as a function of the step alone."""
    seed, mean, phase, first_extra = timing.seed, timing.mean, timing.phase, timing.first_extra
    gc, gc_every, slowdowns = timing.gc, timing.gc_every, timing.slowdowns
    losses = [_lost(timing, kind) for kind in timing.outliers]
    hour_steps, burst_steps = timing.hour_steps, timing.burst_steps
    size = balanced.GROUP
    # Seconds of one standard deviation.
    white, hour = mean * timing.sigma, mean * timing.hour * hour_steps
    burst = mean * timing.burst * burst_steps
    day, morning = timing.diurnal_drift * _DAY / (2.0 * pi), cos(phase)

    def elapsed(step: int) -> float:
        if step <= 0:
            return 0.0
        nominal, within = step * mean, step % size
        before, each, sums = _whites(seed, step // size)
        parts = [
            first_extra,
            nominal,
            white * (before + each * within + sums[within]),
            hour * balanced.total(seed, "step hours", step / hour_steps),
            # The integrals of the diurnal drift and of the cold GPUs' head start.
            day * (morning - cos(phase + 2.0 * pi * nominal / _DAY))
            - _WARMING * _WARM * (1.0 - exp(-nominal / _WARM)),
        ]
        if burst:
            parts.append(burst * balanced.total(seed, "step burst", step / burst_steps))
        if gc:
            parts.append(gc * (step // gc_every - step / gc_every))
        for lost in losses:  # two: a comprehension takes as long as they do
            parts.append(lost(step))  # noqa: PERF401
        for slow in slowdowns:
            if step >= slow.first:
                parts.append(slow.seconds * min(step - slow.first + 1, slow.steps))  # noqa: PERF401
        return to_the_microsecond(fsum(parts))

    return elapsed


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


def slowdowns(
    seed: int, steps: int, mean: float, gpus: int, nodes: int, begins: int = 1
) -> tuple[Slowdown, ...]:
    """The slowdowns of a run that begins with a step: none in a very short run, one to four in
    others.

    A straggler costs 2-6 % in some dozens of steps (BLOOM: 105.2 -> 111.1 s until the node was
    excluded), a data stall up to 2.3 times the step, a network retry some seconds.
    """
    many = steps - begins + 1
    if many < 12:
        return ()
    count = 1 + noise.integer(seed, "episodes", 0, 1 if many < 100 else 3)
    made = (_slowdown(seed, many, mean, gpus, nodes, i) for i in range(count))
    return tuple(each._replace(first=each.first + begins - 1) for each in made)


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
