"""Random numbers by numpy: physics/noise.py and physics/hardware/ripples.py for whole arrays."""

from math import pi, sqrt

import numpy as np

from llmsim.physics import noise
from llmsim.physics.hardware import ripples, telemetry
from llmsim.typed import Any

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
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


def flicker(seed: int, stream: str, at: Array, ranks: Array) -> Array:
    """White noise about -1..1 of every moment and GPU; each level is drawn once."""
    knot = np.floor_divide(at, telemetry.PERIOD).astype(np.int64)
    earlier = knot - ripples._LEVELS_APART  # noqa: SLF001  # as above
    knots, places = np.unique(np.concatenate([knot, earlier]), return_inverse=True)
    drawn = uniforms(seed, stream, knots[:, None] + ranks[None, :] * PLACES)
    drawn *= 2.0
    drawn -= 1.0
    made = drawn[places[: len(at)]]
    made -= drawn[places[len(at) :]]
    made *= 1.0 / sqrt(2.0)
    return made


def ripple(seed: int, stream: str, at: Array, period: float) -> Array:
    """Smooth noise about -1..1 of every moment."""
    knot = np.floor_divide(at, period).astype(np.int64)
    apart = ripples._KNOTS_APART  # noqa: SLF001  # as above
    scale = 1.0 / sqrt(2.0)

    def drawn(index: Array) -> Array:
        return 2.0 * uniforms(seed, stream, index) - 1.0

    here = (drawn(knot) - drawn(knot - apart)) * scale
    there = (drawn(knot + 1) - drawn(knot + 1 - apart)) * scale
    return here + (there - here) * (at / period - knot)
