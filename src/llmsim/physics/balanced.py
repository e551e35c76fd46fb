"""White noise in levels, of mean 0 and variance 1, whose sum up to any moment is known.

Levels come in groups of 32, and each group has its mean taken off: whole groups sum to 0, so that
a sum over a long run costs one group. Two levels of a group then correlate at -1/31, which no
spectrum shows. A level is the sum of two uniform numbers: its 5th and 95th percentile lie at -1.6
and +1.6, as a normal number's do. Beyond -3.2 .. 3.2 lies about one in 10^9.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from math import exp, fsum, sqrt

from llmsim.physics import noise

GROUP = 32  # levels
SCALE = sqrt(6.0 * GROUP / (GROUP - 1)) / 65_536.0
APART = 1 << 40  # groups between two series of a stream
FARTHEST = 3.2  # standard deviations from the mean, which next to no level is beyond


@noise.kept(4096)
def group_sums(seed: int, stream: str, group: int, lean: float) -> tuple[float, ...]:
    """The sums of a group's first 0..32 levels; the last is 0."""
    half = GROUP // 2
    sums = noise.sums_of_two(seed, stream, group * half, half)
    if lean:
        steep, unit = abs(lean), spread_of(lean) if lean < 0.0 else -spread_of(lean)
        drawn = [exp(steep * ((two - 65_535) * SCALE)) / unit for two in sums]
    else:
        drawn = [(two - 65_535) * SCALE for two in sums]
    mean = fsum(drawn) / GROUP
    return (*accumulate([each - mean for each in drawn[:-1]], initial=0.0), 0.0)


@lru_cache(maxsize=16)
def spread_of(lean: float) -> float:
    """The standard deviation of exp(lean * z), z a standard normal number."""
    return exp(lean * lean / 2.0) * sqrt(exp(lean * lean) - 1.0)


def level(seed: int, stream: str, index: int, series: int = 0, lean: float = 0.0) -> float:
    """The level of this index. Each series of a stream is independent of the others.

    With a `lean` the noise leans to below, as a log-normal number with this spread does to above,
    which is where it leans if `lean` is negative.
    """
    group, within = divmod(index, GROUP)
    sums = group_sums(seed, stream, group + series * APART, lean)
    return sums[within + 1] - sums[within]


def total(seed: int, stream: str, position: float, series: int = 0, lean: float = 0.0) -> float:
    """The sum of the levels before a position; of the level around it, the part before it."""
    whole = int(position // 1.0)
    group, within = divmod(whole, GROUP)
    sums = group_sums(seed, stream, group + series * APART, lean)
    here, part = sums[within], position - whole
    return here + (sums[within + 1] - here) * part if part else here


@noise.kept(1024)
def _drawn(seed: int, stream: str, group: int, series: range) -> tuple[int, ...]:
    """The running sum of whole numbers, which are levels but for their mean and SCALE: a group of
    a series, then the same group of the next one, and so on: all in little more time than one.
    """
    half = GROUP // 2
    first = (group + series.start * APART) * half
    return (0, *accumulate(
        noise.sums_of_two(seed, stream, first, half, len(series), APART * half)
    ))  # fmt: skip


def levels(seed: int, stream: str, index: int, series: range) -> list[float]:
    """The levels of this index of series that follow one another, in less time than one by one."""
    group, within = divmod(index, GROUP)
    return [
        (after - here - (end - begin) / GROUP) * SCALE
        for begin, here, after, end in _around(_drawn(seed, stream, group, series), within)
    ]


def totals(seed: int, stream: str, position: float, series: range) -> list[float]:
    """`total` of series that follow one another."""
    whole = int(position // 1.0)
    group, within = divmod(whole, GROUP)
    part = position - whole
    done = (within + part) / GROUP
    return [
        (here - begin + (after - here) * part - (end - begin) * done) * SCALE
        for begin, here, after, end in _around(_drawn(seed, stream, group, series), within)
    ]


def _around(sums: tuple[int, ...], within: int) -> Iterator[tuple[int, int, int, int]]:
    """The running sums of each series at its group's begin, around a level, and at the end."""
    begins, ends = sums[:-1:GROUP], sums[GROUP::GROUP]
    return zip(begins, sums[within:-1:GROUP], sums[within + 1 :: GROUP], ends, strict=True)
