"""Why no two steps take the same time, as a cumulative time that can be asked at any step.

    elapsed(k) = first + k s + s sigma (G(k) - k) + hiccups + gc + drift + warming + disturbances

s mean seconds of a step. G is a gamma process: each step's own share has a sharp left edge
and a tail to the right. Hiccups, one in every few dozen steps, make the tail heavy: with
sigma = 0.97 % the 97th percentile is at +6 % and the 99th at +12 %, as measured on a 15B
Megatron run; sigma itself lies between 0.25 % (torchtitan, nanoGPT) and 4 % (MoE). Drift is
the day's 1-2 % swing with the temperature of the hall (Llama 3 paper, section 3.3.4), warming
the 0.7 % that a cold GPU is faster in its first minute. Source: docs/physics.md section 9.

Because the process is cumulative, intervals add up exactly, in whatever way they are cut.
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

_SHAPE = 1.5  # of a step's gamma share: skewness 2 / sqrt(1.5) = 1.6
_SPREAD = 1.0 / sqrt(_SHAPE)  # standard deviation of a share of mean 1
_DAY = 86_400.0
_WARMING, _WARM = 0.007, 60.0


class Episode(NamedTuple):
    """A disturbance worth a line in the log: `extra` seconds in each of its steps."""

    kind: Kind
    first: int
    length: int
    extra: float
    rank: int


class Rhythm(NamedTuple):
    """The constants of one run's timing."""

    seed: int
    steps: int
    mean: float  # seconds of a steady step
    sigma: float  # relative spread of ordinary steps
    first_extra: float  # seconds that step 1 takes longer
    hiccup_every: int
    hiccup: float  # mean seconds of a hiccup
    gc_every: int
    gc: float  # seconds of a garbage collection
    swing: float  # amplitude of the daily drift, relative
    phase: float  # of the day at the run's start, radians; 0 is when the hall warms fastest
    episodes: tuple[Episode, ...]


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


def _hiccups(rhythm: Rhythm, step: int) -> float:
    """Seconds lost to hiccups up to a step, less their mean: one in each cell of steps."""
    cells = rhythm.steps // rhythm.hiccup_every + 1
    cell, within = divmod(step, rhythm.hiccup_every)
    happened = gamma_sum(rhythm.seed, "hiccup size", cell, cells)
    place = noise.integer(rhythm.seed, "hiccup place", 1, rhythm.hiccup_every, cell)
    if within >= place:
        happened += _node(rhythm.seed, "hiccup size", cells.bit_length(), 0, cell)
    return rhythm.hiccup * (happened - step / rhythm.hiccup_every)


def _drift(rhythm: Rhythm, step: int) -> float:
    """Integral of the daily swing and of the cold GPUs' head start, in seconds."""
    nominal = step * rhythm.mean
    turn = rhythm.phase + 2.0 * pi * nominal / _DAY
    swing = rhythm.swing * _DAY / (2.0 * pi) * (cos(rhythm.phase) - cos(turn))
    return swing - _WARMING * _WARM * (1.0 - exp(-nominal / _WARM))


def _overlap(episode: Episode, step: int) -> int:
    return min(max(step - episode.first + 1, 0), episode.length)


def elapsed(rhythm: Rhythm, step: int) -> float:
    """Seconds from the start of training to the end of a step; 0 for step 0. In microseconds."""
    if step <= 0:
        return 0.0
    shares = gamma_sum(rhythm.seed, "step time", step, rhythm.steps)
    return round(
        fsum((
            rhythm.first_extra,
            step * rhythm.mean,
            rhythm.mean * rhythm.sigma / _SPREAD * (shares - step),
            _hiccups(rhythm, step),
            rhythm.gc * (step // rhythm.gc_every - step / rhythm.gc_every),
            _drift(rhythm, step),
            *(episode.extra * _overlap(episode, step) for episode in rhythm.episodes),
        )),
        6,
    )  # fmt: skip


def begun(rhythm: Rhythm, first: int, last: int) -> Episode | None:
    """The costliest episode that begins in steps first..last, both included."""
    found = [episode for episode in rhythm.episodes if first <= episode.first <= last]
    return max(found, key=lambda episode: episode.extra * episode.length, default=None)


def ended(rhythm: Rhythm, first: int, last: int) -> Episode | None:
    """The costliest episode of more than one step whose last step is one of first..last."""
    found = [
        episode
        for episode in rhythm.episodes
        if episode.length > 1 and first <= episode.first + episode.length - 1 <= last
    ]
    return max(found, key=lambda episode: episode.extra * episode.length, default=None)


def episodes(seed: int, steps: int, mean: float, gpus: int, nodes: int) -> tuple[Episode, ...]:
    """The run's disturbances: none in a very short run, one to four in others.

    A straggler costs 2-6 % in some dozens of steps (BLOOM: 105.2 -> 111.1 s until the node was
    excluded), a data stall up to 2.3 times the step, a network retry some seconds.
    """
    if steps < 12:
        return ()
    count = 1 + noise.integer(seed, "episodes", 0, 1 if steps < 100 else 3)
    return tuple(_episode(seed, steps, mean, gpus, nodes, i) for i in range(count))


# How much longer it makes a step: parts of a mean step, or seconds of a network retry.
_SIZES: dict[Kind, tuple[float, float]] = {
    "straggler": (0.02, 0.06),
    "data stall": (0.15, 1.3),
    "network retry": (0.8, 4.0),
}


def _episode(seed: int, steps: int, mean: float, gpus: int, nodes: int, i: int) -> Episode:
    kinds: Sequence[Kind] = ("straggler", "data stall", "data stall", "network retry")
    if gpus == 1:  # nobody to wait for
        kinds = ("data stall",)
    kind = noise.pick(seed, "episode kind", kinds if nodes > 1 else kinds[:3], i)
    first = noise.integer(seed, "episode step", 3, steps, i)
    rank = noise.integer(seed, "episode rank", 0, gpus - 1, i)
    size = noise.between(seed, "episode size", *_SIZES[kind], i)
    if kind == "straggler":
        length = noise.integer(seed, "episode length", 3, min(60, steps // 4), i)
        return Episode(kind, first, length, mean * size, rank)
    if kind == "data stall":
        return Episode(kind, first, 1, mean * size + 0.1, rank)
    return Episode(kind, first, 1, mean * 0.05 + size, rank)
