"""Statistics of a series, as they were taken of public logs."""

from collections.abc import Sequence
from statistics import fmean, median, pstdev
from typing import NamedTuple


class Statistic(NamedTuple):
    """One statistic of many seeds, and what public logs show of it."""

    name: str
    low: float  # quartiles of public logs, or their range
    high: float
    ours: list[float]  # a value for each seed


def lagged(values: Sequence[float], lag: int = 1) -> float:
    """Autocorrelation."""
    mean, spread = fmean(values), pstdev(values)
    pairs = zip(values, values[lag:], strict=False)
    return fmean((a - mean) * (b - mean) for a, b in pairs) / spread**2


def together(one: Sequence[float], other: Sequence[float]) -> float:
    """Correlation; 0 where one of the two does not move."""
    means, spreads = (fmean(one), fmean(other)), (pstdev(one), pstdev(other))
    if not all(spreads):
        return 0.0
    products = [(a - means[0]) * (b - means[1]) for a, b in zip(one, other, strict=True)]
    return fmean(products) / spreads[0] / spreads[1]


def robust(values: Sequence[float]) -> float:
    """A standard deviation that tails do not move: 1.4826 x the median absolute deviation."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


def scaled(values: Sequence[float]) -> list[float]:
    """In robust standard deviations from the median."""
    middle, spread = median(values), robust(values)
    return [(value - middle) / spread for value in values]


def skewness(values: Sequence[float]) -> float:
    """The third standardized moment."""
    mean, spread = fmean(values), pstdev(values)
    return fmean(((value - mean) / spread) ** 3 for value in values)


def share(values: Sequence[float], above: float) -> float:
    """Per cent of the values above a limit."""
    return 100.0 * fmean(value > above for value in values)


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of the values lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def local(values: Sequence[float], window: int = 101) -> list[float]:
    """Each value relative to the median of the values around it."""
    half = window // 2
    return [
        value / median(values[max(0, at - half) : at + half + 1]) for at, value in enumerate(values)
    ]
