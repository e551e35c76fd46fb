"""Smooth noise over time, such as the air of a hall."""

from llmsim.physics import noise


def _knot(seed: int, stream: str, knot: int) -> float:
    return 2.0 * noise.uniform(seed, stream, knot) - 1.0


def ripple(seed: int, stream: str, at: float, period: float) -> float:
    """Noise between -1 and 1: random knots every `period` seconds, straight lines between."""
    knot = int(at // period)
    share = at / period - knot
    here, there = _knot(seed, stream, knot), _knot(seed, stream, knot + 1)
    return here + (there - here) * share
