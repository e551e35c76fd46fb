"""Counter-based random numbers: value = f(seed, stream, index).

A stream is a name such as "loss"; an index is a step, a second, a rank. Any
value can be asked for directly and in any order, and a new stream shifts no
other. The generator is splitmix64 (Steele, Lea, Flood 2014, "Fast splittable
pseudorandom number generators"): its i-th output is mix(key + i * GOLDEN), so
it is a counter-based generator as it stands. A stream's key is the FNV-1a hash
of its name, mixed with the seed.
"""

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from math import cos, erf, exp, log, pi, sqrt

from llmsim.typed import Any, Literal, TypeVar

T = TypeVar("T")
F = TypeVar("F")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3


_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


_KEPT: list[Any] = []


def kept(most: int) -> Callable[[F], F]:
    """A decorator for a function (seed, ...): its latest `most` values are kept until `let_go`."""

    def keeping(function: F) -> F:
        cached: Any = lru_cache(maxsize=most)(function)  # type: ignore[arg-type]  # a function
        _KEPT.append(cached)
        return cached  # type: ignore[no-any-return]

    return keeping


def let_go() -> None:
    """Empties the caches of `kept` when a process is done with a run: the next has another seed.

    A full cache forgets as well. Until it is full each run makes a process larger, and slower,
    since the memory that it works with lies farther apart.
    """
    for cached in _KEPT:
        cached.cache_clear()


@lru_cache(maxsize=1024)
def _name(stream: str) -> int:
    """The FNV-1a hash of a name, which all seeds share."""
    name = _FNV_OFFSET
    for byte in stream.encode():
        name = ((name ^ byte) * _FNV_PRIME) & _MASK
    return name


@kept(4096)
def _key(seed: int, stream: str) -> int:
    return _mix(_mix(seed & _MASK) ^ _name(stream))


def key(seed: int, stream: str) -> int:
    """The counter of a stream's index 0, for who draws many indices at once: see `bits`."""
    return _key(seed, stream)


def bits(seed: int, stream: str, index: int = 0) -> int:
    """Sixty-four random bits, as an integer in [0, 2**64)."""
    return _mix((_key(seed, stream) + index * _GOLDEN) & _MASK)


# Many counters can be mixed at once as one large integer: each has a lane of 128 bits, in whose
# lower half it stands and whose upper half takes what a multiplication by 64 bits adds.
_LANE = 128
_EVERY_OTHER = 0x0000_FFFF_0000_FFFF  # of a counter's four numbers of 16 bits


@lru_cache(maxsize=64)
def _lanes(count: int, blocks: int = 1, apart: int = 0) -> tuple[int, int]:
    """A one in each lane, and the counters of the indexes 0, 1, 2 ..., one in each lane; then of
    as many from `apart` on, and so on for each block.
    """
    indexes = [block * apart + each for block in range(blocks) for each in range(count)]
    ones = sum(1 << _LANE * lane for lane in range(len(indexes)))
    ahead = sum((index * _GOLDEN & _MASK) << _LANE * lane for lane, index in enumerate(indexes))
    return ones, ahead


# The numbers of a lane are read in the machine's order of bytes; the lower halves are every other
# number, from the beginning or from the end.
Order = Literal["little", "big"]
_ORDER: Order = "little" if memoryview(b"\1" + bytes(7)).cast("Q")[0] == 1 else "big"
_LOWER = slice(None, None, 2 if _ORDER == "little" else -2)
_ONE_BY_ONE = slice(None, None, 1 if _ORDER == "little" else -1)


# The next four write out how the values are made: a call more is a tenth of a short draw's time.


def words(
    seed: int, stream: str, first: int, count: int, blocks: int = 1, apart: int = 0
) -> list[int]:
    """The values of `bits` at `count` indices from `first` on, in a quarter of the time; then at
    `count` from first + apart on, and so on for each block.
    """
    ones, ahead = _lanes(count, blocks, apart)
    made = _mix_lanes((_key(seed, stream) + first * _GOLDEN & _MASK) * ones + ahead, ones)
    return _bytes(made, ones).cast("Q")[_LOWER].tolist()


def packed(seed: int, stream: str, first: int, count: int) -> bytes:
    """The values of `bits` at `count` indices from `first` on, as bytes: eight of each value, the
    lowest byte first.
    """
    ones, ahead = _lanes(count)
    made = _mix_lanes((_key(seed, stream) + first * _GOLDEN & _MASK) * ones + ahead, ones)
    return memoryview(made.to_bytes(_LANE // 8 * count, "little")).cast("Q")[::2].tobytes()


def sums_of_two(
    seed: int, stream: str, first: int, count: int, blocks: int = 1, apart: int = 0
) -> list[int]:
    """Two sums of two 16-bit numbers, 0..131,070, from each value of `bits` at `count` indices from
    `first` on: of its lower half, and of its upper half; then at `count` from first + apart on, and
    so on for each block.
    """
    ones, ahead = _lanes(count, blocks, apart)
    made = _mix_lanes((_key(seed, stream) + first * _GOLDEN & _MASK) * ones + ahead, ones)
    every_other = ones * _EVERY_OTHER
    both = (made & every_other) + (made >> 16 & every_other)
    sums = memoryview(_bytes(both, ones).cast("Q")[_LOWER].tobytes()).cast("I").tolist()
    if _ORDER == "big":  # of each value the upper half came first
        sums[::2], sums[1::2] = sums[1::2], sums[::2]
    return sums


def quarters(seed: int, stream: str, first: int, count: int) -> tuple[list[int], ...]:
    """The values of `bits` at `count` indices from `first` on, in four lists of 16 bits of each:
    the lowest, and so on to the highest.
    """
    ones, ahead = _lanes(count)
    made = _mix_lanes((_key(seed, stream) + first * _GOLDEN & _MASK) * ones + ahead, ones)
    parts = _bytes(made, ones).cast("H")[_ONE_BY_ONE].tolist()
    return parts[::8], parts[1::8], parts[2::8], parts[3::8]


# A stream and an index.
Place = tuple[str, int]


def together(seed: int, places: tuple[Place, ...], ahead: int) -> list[float]:
    """The values of `uniform` of several streams, each `ahead` of its own index, in less time."""
    ones, _ = _lanes(len(places))
    made = _mix_lanes((ahead * _GOLDEN & _MASK) * ones + _counters(seed, places), ones)
    return [((word >> 12) + 0.5) * 2.0**-52 for word in _bytes(made, ones).cast("Q")[_LOWER]]


@kept(64)
def _counters(seed: int, places: tuple[Place, ...]) -> int:
    """The counters of streams at indices, one in each lane."""
    made = 0
    for lane, (stream, index) in enumerate(places):
        made |= (_key(seed, stream) + index * _GOLDEN & _MASK) << _LANE * lane
    return made


def _mix_lanes(made: int, ones: int) -> int:
    """The mixed counters of all lanes, in the lower halves of lanes."""
    whole = ones * _MASK
    made &= whole
    made = ((made ^ (made >> 30)) & whole) * _FIRST & whole
    made = ((made ^ (made >> 27)) & whole) * _SECOND & whole
    return (made ^ (made >> 31)) & whole


def _bytes(made: int, ones: int) -> memoryview:
    """The bytes of all lanes, in the machine's order."""
    lanes = (ones.bit_length() + _LANE - 1) // _LANE
    return memoryview(made.to_bytes(_LANE // 8 * lanes, _ORDER))


def uniform(seed: int, stream: str, index: int = 0) -> float:
    """A number drawn uniformly from the open interval (0, 1).

    The upper 52 bits and half a unit, which keeps 0 and 1 out: the 53 bits of a double hold
    the sum exactly, and log(u) is always finite.
    """
    return _unit(_key(seed, stream) + index * _GOLDEN)


def uniforms(
    seed: int, stream: str, first: int, count: int, blocks: int = 1, apart: int = 0
) -> list[float]:
    """The values of `uniform` at the indices of `words`, in less time."""
    if count * blocks == 1:
        return [uniform(seed, stream, first)]
    drawn = words(seed, stream, first, count, blocks, apart)
    return [((word >> 12) + 0.5) * 2.0**-52 for word in drawn]


def normals(
    seed: int, stream: str, first: int, count: int, blocks: int = 1, apart: int = 0
) -> list[float]:
    """The values of `normal` at the indices of `words`, in less time."""
    if count * blocks == 1:
        return [normal(seed, stream, first)]
    drawn = uniforms(seed, stream, 2 * first, 2 * count, blocks, 2 * apart)
    return [
        sqrt(-2.0 * log(u)) * cos(2.0 * pi * v) for u, v in zip(*[iter(drawn)] * 2, strict=True)
    ]


def pair(seed: int, stream: str, index: int) -> tuple[float, float]:
    """uniform() at 2 `index` and at 2 `index` + 1."""
    counter = _key(seed, stream) + 2 * index * _GOLDEN
    return _unit(counter), _unit(counter + _GOLDEN)


def between(seed: int, stream: str, low: float, high: float, index: int = 0) -> float:
    """A number drawn uniformly from the open interval (low, high)."""
    return low + (high - low) * uniform(seed, stream, index)


def _unit(counter: int) -> float:
    """A counter as a number in (0, 1): _mix, written out since a line asks for dozens."""
    value = counter & _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return (((value ^ (value >> 31)) >> 12) + 0.5) * 2.0**-52


def normal(seed: int, stream: str, index: int = 0) -> float:
    """A standard normal number (Box-Muller transform), |value| < 8.7."""
    # Both numbers of `pair`, written out: a line asks for some of these.
    first = (_key(seed, stream) + 2 * index * _GOLDEN) & _MASK
    second = (first + _GOLDEN) & _MASK
    first = ((first ^ (first >> 30)) * _FIRST) & _MASK
    first = ((first ^ (first >> 27)) * _SECOND) & _MASK
    second = ((second ^ (second >> 30)) * _FIRST) & _MASK
    second = ((second ^ (second >> 27)) * _SECOND) & _MASK
    u = (((first ^ (first >> 31)) >> 12) + 0.5) * 2.0**-52
    v = (((second ^ (second >> 31)) >> 12) + 0.5) * 2.0**-52
    return sqrt(-2.0 * log(u)) * cos(2.0 * pi * v)


def normal_share(z: float) -> float:
    """The standard normal distribution's share below z, 0..1."""
    return 0.5 * (1.0 + erf(z / sqrt(2.0)))


def normal_quantile(share: float) -> float:
    """The z below which this share of the standard normal distribution lies; within +-8.5.

    Hastings' approximation (Abramowitz and Stegun 1964, 26.2.23), which is right to 4.5e-4, and two
    of Newton's steps, whose slope is the density.
    """
    t = sqrt(-2.0 * log(max(1e-17, min(share, 1.0 - share))))
    z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
        1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    )
    z = -z if share < 0.5 else z
    for _ in range(2):
        z -= (normal_share(z) - share) * sqrt(2.0 * pi) * exp(0.5 * z * z)
    return z


def part(seed: int, stream: str, share: float, count: int, index: int = 0) -> float:
    """The observed share in `count` draws whose probability is `share`: binomial, k / count."""
    luck = sqrt(share * (1.0 - share) / count) * normal(seed, stream, index)
    return round(min(1.0, max(0.0, share + luck)) * count) / count


def integer(seed: int, stream: str, low: int, high: int, index: int = 0) -> int:
    """A whole number drawn uniformly from low..high, both included."""
    return low + bits(seed, stream, index) % (high - low + 1)


def choose(
    seed: int,
    stream: str,
    names: Collection[str],
    weights: Sequence[float] | None = None,
    index: int = 0,
) -> str:
    """One of the names, with a probability proportional to its weight; equally likely without.

    Rendezvous hashing: each name draws a number u of its own, and the largest log(u) / weight
    wins (Efraimidis and Spirakis 2006). A new name therefore changes only the draws that it wins,
    a removed name only the draws that it had won, and the order has no meaning.
    Raises IndexError if there is no name. Weights are above 0.
    """
    if not names:
        raise IndexError(f"nothing to choose from in stream {stream!r}")
    key, ahead = _key(seed, stream), index * _GOLDEN
    draws = [_unit(_mix(key ^ _name(name)) + ahead) for name in names]
    if weights is None:
        return max(zip(draws, names, strict=True))[1]
    scores = [log(u) / weight for u, weight in zip(draws, weights, strict=True)]
    return max(zip(scores, names, strict=True))[1]


def pick(seed: int, stream: str, items: Sequence[T], index: int = 0) -> T:
    """One of the items, each equally likely. Raises IndexError if there is none."""
    if not items:
        raise IndexError(f"nothing to pick from in stream {stream!r}")
    return items[bits(seed, stream, index) % len(items)]
