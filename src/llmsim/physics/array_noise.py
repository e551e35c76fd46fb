"""Random numbers by numpy: physics/noise.py, balanced.py and ripples.py for whole arrays."""

from math import cos, log, pi

import numpy as np

from llmsim.physics import balanced, noise
from llmsim.typed import Any, NamedTuple

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_QUARTER, _16, _32, _48 = (np.uint64(each) for each in (0xFFFF, 16, 32, 48))
PLACES = 1_000_003  # indices of two GPUs do not meet

Array = Any  # numpy's, whose types are not worth their words here


def _mix(value: Array) -> Array:
    """splitmix64's output function, in place."""
    value ^= value >> np.uint64(30)
    value *= _FIRST
    value ^= value >> np.uint64(27)
    value *= _SECOND
    value ^= value >> np.uint64(31)
    return value


def _unit(counter: Array) -> Array:
    """Uniform numbers in (0, 1) of these counters, which are used up."""
    made = (_mix(counter) >> np.uint64(12)).astype(np.float64)
    made += 0.5
    made *= 2.0**-52
    return made


def _counters(seed: int, stream: str, index: Array, times: int = 1) -> Array:
    with np.errstate(over="ignore"):
        return index.astype(np.uint64) * (_GOLDEN * np.uint64(times)) + np.uint64(
            noise.key(seed, stream)
        )


def uniforms(seed: int, stream: str, index: Array) -> Array:
    """Uniform numbers in (0, 1) of many indices of a stream: noise.uniform for arrays."""
    with np.errstate(over="ignore"):
        return _unit(_counters(seed, stream, index))


def quarters(seed: int, stream: str, first: int, count: int) -> tuple[Array, ...]:
    """noise.quarters: 16 bits of each value, from the lowest to the highest."""
    with np.errstate(over="ignore"):
        words = _mix(_counters(seed, stream, np.arange(first, first + count)))
    return tuple(
        ((words >> np.uint64(16 * lane)) & np.uint64(0xFFFF)).astype(np.int64) for lane in range(4)
    )


def quarter(seed: int, stream: str, index: Array) -> Array:
    """The lowest 16 bits of each index: the first of noise.quarters."""
    with np.errstate(over="ignore"):
        words = _mix(_counters(seed, stream, index))
    return (words & np.uint64(0xFFFF)).astype(np.int64)


def exact_normals(seed: int, stream: str, first: int, count: int) -> Array:
    """noise.normals bit for bit: numpy's logarithm and cosine may differ in their last bits."""
    drawn = uniforms(seed, stream, np.arange(2 * first, 2 * (first + count)))
    logs = np.fromiter(map(log, drawn[0::2].tolist()), np.float64, count)
    turns = np.fromiter(map(cos, ((2.0 * pi) * drawn[1::2]).tolist()), np.float64, count)
    made: Array = np.sqrt(-2.0 * logs) * turns
    return made


class Levels(NamedTuple):
    """A group of levels of series that follow one another, as the whole numbers that balanced.py
    draws.
    """

    group: int
    drawn: Array  # series x 32
    whole: Array  # sums of a series' numbers


def drawn_levels(seed: int, stream: str, group: int, series: range) -> Levels:
    """The group of this number."""
    half = balanced.GROUP // 2
    begins: Array = (group + np.arange(series.start, series.stop) * balanced.APART) * half
    with np.errstate(over="ignore"):
        words = (
            _counters(seed, stream, begins)[:, None] + np.arange(half).astype(np.uint64) * _GOLDEN
        )
        words = _mix(words)
    drawn: Array = np.empty((len(series), balanced.GROUP), dtype=np.int32)
    drawn[:, 0::2] = (words & _QUARTER) + (words >> _16 & _QUARTER)
    drawn[:, 1::2] = (words >> _32 & _QUARTER) + (words >> _48)
    return Levels(group, drawn, drawn.sum(axis=1))


def level_of(levels: Levels, index: int) -> Array:
    """balanced.levels bit for bit, of an index of the group."""
    mean = levels.whole / balanced.GROUP
    made: Array = (levels.drawn[:, index - levels.group * balanced.GROUP] - mean) * balanced.SCALE
    return made


def total_of(levels: Levels, position: float) -> Array:
    """balanced.totals bit for bit, of a position in the group."""
    whole = int(position // 1.0)
    within, part, drawn = whole - levels.group * balanced.GROUP, position - whole, levels.drawn
    here = drawn[:, :within].sum(axis=1)
    done = (within + part) / balanced.GROUP
    made: Array = (here + drawn[:, within] * part - levels.whole * done) * balanced.SCALE
    return made


def normals(seed: int, stream: str, index: Array) -> Array:
    """Box-Muller, as noise.normal has it."""
    with np.errstate(over="ignore"):
        counter = _counters(seed, stream, index, 2)
        other = _unit(counter + _GOLDEN)
        radius = np.log(_unit(counter))
    radius *= -2.0
    np.sqrt(radius, out=radius)
    other *= 2.0 * pi
    radius *= np.cos(other, out=other)
    return radius


def levels(seed: int, stream: str, index: Array, series: Array, lean: float = 0.0) -> Array:
    """balanced.level of many indices and series: indices x series."""
    group, within = np.divmod(index, balanced.GROUP)
    groups, places = np.unique(group, return_inverse=True)
    half = balanced.GROUP // 2
    first = (groups[:, None] + series[None, :] * balanced.APART) * half
    with np.errstate(over="ignore"):
        words = _mix(_counters(seed, stream, first[..., None] + np.arange(half)))
    parts = [
        ((words >> np.uint64(16 * lane)) & np.uint64(0xFFFF)).astype(np.int64) for lane in range(4)
    ]
    drawn: Array = np.empty((*first.shape, balanced.GROUP))
    drawn[..., 0::2] = (parts[0] + parts[1] - 65_535) * balanced.SCALE
    drawn[..., 1::2] = (parts[2] + parts[3] - 65_535) * balanced.SCALE
    if lean:
        side = 1.0 if lean < 0.0 else -1.0
        drawn = side * np.exp(abs(lean) * drawn) / balanced.spread_of(lean)
    drawn -= drawn.mean(axis=-1, keepdims=True)
    made: Array = drawn[places, :, within]
    return made


def ripple(seed: int, stream: str, at: Array, period: float) -> Array:
    """Smooth noise between -1 and 1 of every moment."""
    knot = np.floor_divide(at, period).astype(np.int64)
    here = 2.0 * uniforms(seed, stream, knot) - 1.0
    there = 2.0 * uniforms(seed, stream, knot + 1) - 1.0
    return here + (there - here) * (at / period - knot)
