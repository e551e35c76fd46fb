"""Prometheus' text format as Go's client library writes it: families and labels sorted by name.

Pages of node_exporter, nvidia_gpu_exporter and of a trainer are made with it; dcgm-exporter's
page has a form of its own (dcgm_page.py).
"""

from collections.abc import Iterable
from math import isfinite

from llmsim.typed import NamedTuple

Labels = tuple[tuple[str, str], ...]


class Family(NamedTuple):
    """A metric with its samples: the labels and the value of each."""

    name: str
    kind: str  # counter or gauge
    help: str
    samples: tuple[tuple[Labels, float], ...]


def number(value: float) -> str:
    """A value as Go's strconv writes it, format 'g' with the fewest digits: 1.98e+09, 0.11, 345.

    An exponent stands below 1e-4 and from 1e6 on, and has two digits at least.
    """
    if value == 0.0 or not isfinite(value):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(str(value), "0")
    sign, digits, exponent = _decimal(value)
    place = exponent + len(digits) - 1  # of the first digit
    if -4 <= place < 6:
        return sign + _plain(digits, exponent)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'-' if place < 0 else '+'}{abs(place):02d}"


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, the fewest digits that are this number, and the exponent of the last of them."""
    mantissa, _, power = f"{value!r}".lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits, exponent = whole + fraction, int(power or 0) - len(fraction)
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    return sign, stripped.lstrip("0"), exponent


def _plain(digits: str, exponent: int) -> str:
    if exponent >= 0:
        return digits + "0" * exponent
    if len(digits) > -exponent:
        return f"{digits[:exponent]}.{digits[exponent:]}"
    return "0." + "0" * (-exponent - len(digits)) + digits


def text(families: Iterable[Family]) -> str:
    """The page of these families."""
    parts = []
    for family in sorted(families, key=lambda each: each.name):
        if not family.samples:
            continue
        parts.append(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n")
        for labels, value in family.samples:
            named = ",".join(f'{name}="{escaped(each)}"' for name, each in sorted(labels))
            parts.append(f"{family.name}{'{' + named + '}' if named else ''} {number(value)}\n")
    return "".join(parts)


def escaped(value: str) -> str:
    """A label's value between its quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
