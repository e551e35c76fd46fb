"""The formats of numbers: sizes, counts, times. Nothing else is computed here."""

from functools import lru_cache
from math import exp

from llmsim.typed import datetime, timedelta

GIB = 2**30

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")
_LARGE = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))


def scaled(number: float, divisor: float = 1000) -> str:
    """A number with three digits and an SI prefix: 1.23k, 12.3M, 123G."""
    for prefix in _PREFIXES:
        size = abs(number)
        if size < 999.5:
            digits = f"{number:1.2f}" if size < 9.995 else f"{number:2.1f}"
            return (digits if size < 99.95 else f"{number:3.0f}") + prefix
        number /= divisor
    return f"{number:3.1f}Y"


def gib(size: float) -> str:
    """Memory as torch prints it: 61.21GiB."""
    return f"{size / GIB:.2f}GiB"


def gigabytes(size: float) -> str:
    """Size on disk or wire, decimal: 16.1 GB, 4.87 TB, 512 MB."""
    number = scaled(size).strip()
    return f"{number[:-1]} {number[-1]}B" if number[-1:].isalpha() else f"{size:.0f} B"


def short(count: float) -> str:
    """A count of weights or tokens in three digits: 8.03B, 627B, 1.57M."""
    for factor, unit in _LARGE:
        if count >= 0.9995 * factor:
            return _three_digits(count / factor) + unit
    return f"{count:.0f}"


def seconds(value: float) -> str:
    """A short time: 0.87 s, 41.2 s, 7 min 12 s."""
    if value < 99.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def hours(value: float) -> str:
    """A long time in at most eight characters: 2:31:12, and from 100 hours on 20d 07h."""
    total = round(value)
    if total >= 360_000:
        return f"{total // 86_400}d {total // 3600 % 24:02d}h"
    return "%d:%02d:%02d" % (total // 3600, total // 60 % 60, total % 60)  # noqa: UP031  # see asctime


def at_most_five(value: float) -> str:
    """A number below 100,000 in five characters: 0.412, 18.91, 190.1,  2417."""
    if value < 9.9995:
        return f"{value:.3f}"
    if value < 99.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 999.95 else f"{value:5.0f}"


def microseconds(value: float) -> str:
    """The time of a collective in three digits: 461 us, 16.7 ms, 28.0 ms, 1.28 s."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if value < 0.9995 * limit:
            return f"{_three_digits(value * factor)} {unit}"
    return f"{_three_digits(value)} s"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def counted(count: int, noun: str) -> str:
    """A count and its noun: 1 node, 4 nodes, 16,384 nodes."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def perplexity(shown_loss: float) -> str:
    """exp of a loss as it is shown, so that a reader's calculator agrees."""
    value = exp(shown_loss)
    if value >= 999.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 99.995 else f"{value:.2f}"


def stamp(start: datetime, at: float) -> datetime:
    """The time of day of a moment of the run."""
    return start + timedelta(0, at)  # days, seconds


def asctime(start: datetime, at: float) -> str:
    """A moment of the run as Python's logging writes it (formatTime): 2026-01-30 12:00:09,483."""
    into = 60_000 * start.minute + 1000 * start.second
    moment = into + (start.microsecond + round(at * 1e6)) // 1000  # ms since the start's hour
    hour, rest = divmod(moment, 3_600_000)
    # % takes two thirds of an f-string's time for numbers with zeros before them.
    parts = _hour(start, hour), rest // 60_000, rest // 1000 % 60, rest % 1000
    return "%s%02d:%02d,%03d" % parts  # noqa: UP031


@lru_cache(maxsize=16)
def _hour(start: datetime, number: int) -> str:
    """What the moments of an hour have alike; hours count from that of the start."""
    return (start + timedelta(0, 3600 * number)).isoformat(" ", "hours") + ":"


def single(value: float) -> float:
    """The float32 nearest to a value, which Python then prints in full."""
    from struct import pack, unpack

    (rounded,) = unpack("f", pack("f", value))
    return float(rounded)
