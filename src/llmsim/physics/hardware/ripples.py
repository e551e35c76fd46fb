"""Noise over time whose integral is known: smooth (a hall's air) or white (a GPU's power)."""

from functools import lru_cache
from math import fsum, sqrt

from llmsim.physics import noise

_SCALE = 1.0 / sqrt(2.0)  # gives the difference of two draws the spread of one draw

# A knot of a ripple is the difference of two draws that lie this many knots apart. The sum of all
# knots telescopes, so that the integral of a ripple costs two dozen draws in any run.
_KNOTS_APART = 6


def _draw(seed: int, stream: str, knot: int, gpu: int) -> float:
    index = gpu * 1_000_003 + knot  # knots of two GPUs do not meet in 1e6 periods
    return 2.0 * noise.uniform(seed, stream, index) - 1.0


def _knot(seed: int, stream: str, knot: int, gpu: int) -> float:
    earlier = _draw(seed, stream, knot - _KNOTS_APART, gpu)
    return (_draw(seed, stream, knot, gpu) - earlier) * _SCALE


def ripple(seed: int, stream: str, at: float, period: float, gpu: int = 0) -> float:
    """Smooth noise, about -1..1: random knots every `period` seconds, straight lines between."""
    knot = int(at // period)
    share = at / period - knot
    here, there = _knot(seed, stream, knot, gpu), _knot(seed, stream, knot + 1, gpu)
    return here + (there - here) * share


@lru_cache(maxsize=4096)  # 64 GPUs ask for the same beginnings again and again
def integral(seed: int, stream: str, at: float, period: float, gpu: int = 0) -> float:
    """The integral of a ripple from 0 to `at`, in seconds.

    Whole periods are trapezoids: sum (r_k + r_k+1) / 2 = R(n) + (r_n - r_0) / 2, where R(n), the
    sum of the first n knots, is the sum of the last draws less that of the first.
    """
    knot = int(at // period)
    share = at / period - knot
    summed = fsum(
        _draw(seed, stream, knot - back, gpu) - _draw(seed, stream, -back, gpu)
        for back in range(1, _KNOTS_APART + 1)
    )
    first, here = _knot(seed, stream, 0, gpu), _knot(seed, stream, knot, gpu)
    there = _knot(seed, stream, knot + 1, gpu)
    whole = summed * _SCALE + (here - first) / 2.0
    return period * (whole + here * share + (there - here) * share * share / 2.0)


# The same for noise that keeps its value for a period; the draws lie farther apart, so that
# nobody finds the negative correlation that they leave.
_LEVELS_APART = 30


def flicker(seed: int, stream: str, at: float, period: float, gpu: int = 0) -> float:
    """White noise, about -1..1: a new level every `period` seconds, without memory."""
    knot = int(at // period)
    earlier = _draw(seed, stream, knot - _LEVELS_APART, gpu)
    return (_draw(seed, stream, knot, gpu) - earlier) * _SCALE


@lru_cache(maxsize=20_000)  # a page of each of 2,048 nodes asks for them every 15 seconds
def _first_draws(seed: int, stream: str, gpu: int) -> tuple[float, ...]:
    """The draws before the run began, the latest first: they are the same at any moment."""
    return tuple(_draw(seed, stream, -back, gpu) for back in range(1, _LEVELS_APART + 1))


@lru_cache(maxsize=4096)
def flicker_integral(seed: int, stream: str, at: float, period: float, gpu: int = 0) -> float:
    """The integral of flicker from 0 to `at`, in seconds: the levels' sum telescopes."""
    knot = int(at // period)
    summed = fsum(
        _draw(seed, stream, knot - back, gpu) - first
        for back, first in enumerate(_first_draws(seed, stream, gpu), 1)
    )
    share = at / period - knot
    return period * (summed * _SCALE + share * flicker(seed, stream, at, period, gpu))
