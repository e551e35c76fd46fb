"""Noise with a memory: an autoregressive series of order 1 that can be asked for at any index.

    x(i) = p x(i-1) + sqrt(1 - p**2) e(i)        mean 0, variance 1, correlation p**k at lag k

A block of 64 values is made from its own shocks and the 48 before it, of which p**48 is left: less
than 0.1 % up to p = 0.86. The shocks are uniform, and x is nearly normal.
"""

from math import fsum, sqrt
from struct import unpack

from llmsim.physics import noise

_BLOCK, _BEFORE = 64, 48
_SHOCK = sqrt(12.0)


@noise.kept(1024)
def _block(seed: int, stream: str, number: int, persistence: float) -> tuple[float, ...]:
    """The values of a block."""
    scale = _SHOCK * sqrt(1.0 - persistence**2)
    value, values = 0.0, []
    first = number * _BLOCK - _BEFORE
    drawn = noise.packed(seed, stream, first // 4, (_BLOCK + _BEFORE) // 4)
    for lane in unpack(f"<{_BLOCK + _BEFORE}H", drawn):
        value = persistence * value + scale * (lane / 65_536.0 - 0.5)
        values.append(value)
    return tuple(values[_BEFORE:])


def value(seed: int, stream: str, index: int, persistence: float) -> float:
    """The value at an index; `persistence` is the correlation with the next, 0..0.9."""
    number, within = divmod(index, _BLOCK)
    return _block(seed, stream, number, persistence)[within]


def mean(seed: int, stream: str, first: int, last: int, persistence: float) -> float:
    """The mean of the values first..last, both included."""
    if first == last:
        return value(seed, stream, last, persistence)
    made = [value(seed, stream, index, persistence) for index in range(first, last + 1)]
    return fsum(made) / len(made)
