"""What the values of a job file may be.

Each function gives what takes a TOML value, and the words for what is right. What is taken raises
ValueError or OptionError for what cannot be.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import ceil, isfinite

from llmsim.catalog.lists import parse_size, plain_name, quoted
from llmsim.errors import CatalogError, OptionError
from llmsim.options.parsing import parse_duration
from llmsim.options.table import OPTIONS
from llmsim.text.wording import either

Take = Callable[[object], object]
Kind = tuple[Take, str]  # and what it takes: completes "give ..."
LARGEST = 10**9
LONGEST_TEXT = 4096
_SIZES = ("batch", "tokens")  # options whose values may have a letter: 20B
VERSIONS = (
    "python", "torch", "platform", "platform_version", "collectives", "collectives_version",
    "driver", "transformers",
)  # fmt: skip


def whole(low: int = 1, high: int = LARGEST) -> Kind:
    """Whole numbers from low to high."""

    def take(value: object) -> object:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return take, f"a whole number from {low:,} to {high:,}"


def size() -> Kind:
    """Counts, as numbers or as 15T."""

    def take(value: object) -> object:
        try:
            count = parse_size(value) if isinstance(value, str) else value
        except CatalogError:
            raise ValueError from None
        return whole(1, 10**18)[0](count)

    return take, "a count such as 15T or 1000000"


def number(low: float, high: float) -> Kind:
    """Numbers from low to high."""

    def take(value: object) -> object:
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right or not isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator]  # a number
            raise ValueError
        return float(value)  # type: ignore[arg-type]  # a number

    return take, f"a number from {low:g} to {high:g}"


def time_limit() -> Kind:
    """Times of a queue, as sbatch takes them or as durations, in whole seconds."""

    def take(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004  # what takes a value raises one kind of error
        days, dash, clock = value.rpartition("-")
        parts = clock.split(":")
        if len(parts) == _CLOCK and all(each.isdecimal() and each.isascii() for each in parts):
            hours, minutes, rest = map(int, parts)
            seconds = 3600.0 * hours + 60.0 * minutes + rest
            seconds += 86_400.0 * int(days) if dash else 0.0
        else:
            seconds = parse_duration(value)
        return whole(1, 366 * 86_400)[0](ceil(seconds))

    return take, "a time such as 24:00:00, 2-00:00:00 or 90m"


_CLOCK = 3  # parts of hours, minutes and seconds


def switch() -> Kind:
    """TOML's true and false."""

    def take(value: object) -> object:
        if not isinstance(value, bool):
            raise ValueError  # noqa: TRY004  # what takes a value raises one kind of error
        return value

    return take, "true or false"


def one_of(*names: str) -> Kind:
    """One of the names."""

    def take(value: object) -> object:
        if value not in names:
            raise ValueError
        return value

    return take, either(names)


def text() -> Kind:
    """Printable texts."""

    def take(value: object) -> object:
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError
        if not 0 < len(value) <= LONGEST_TEXT:
            raise ValueError
        return value

    return take, "a text"


def name() -> Kind:
    """Names that need no quoting anywhere."""

    def take(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError  # noqa: TRY004  # what takes a value raises one kind of error
        try:
            return plain_name(value)
        except CatalogError:
            raise ValueError from None

    return take, "a name of letters, digits and . _ + -"


def ramp() -> Kind:
    """Pairs of a first step and the sequences from it on."""

    def take(value: object) -> object:
        if not isinstance(value, list) or len(value) > 100:
            raise ValueError
        one, stages = whole()[0], []
        for stage in value:
            if not isinstance(stage, list) or len(stage) != 2:
                raise ValueError
            stages.append((one(stage[0]), one(stage[1])))
        return tuple(stages)

    return take, "pairs such as [[1, 128], [501, 256]]: 128 sequences from step 1, 256 from 501"


def versions() -> Kind:
    """Versions of software, by its name."""

    plain = text()[0]

    def take(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError  # noqa: TRY004  # the caller says what is wrong
        for name, told in value.items():
            if name not in VERSIONS:
                raise OptionError(f"has {cut(str(name))}: give any of {either(VERSIONS)}.")
            if not isinstance(told, str) or not _is_version(name, told):
                raise OptionError(f"has {name} = {shown(told)}: give a text such as '2.7.1'.")
        return tuple((name, str(plain(value[name]))) for name in VERSIONS if name in value)

    return take, f"a table with any of {either(VERSIONS)}"


def _is_version(name: str, told: str) -> bool:
    """Whether a text is a version: it begins with a digit. Two rows are names, such as CUDA."""
    return name in ("platform", "collectives") or not told or told[0] in "0123456789"


def as_option(name: str) -> Kind:
    """What the option of this name takes, from a TOML value. A whole number has no quotes."""
    (option,) = (option for option in OPTIONS if option.name == name)

    def take(value: object) -> object:
        if isinstance(value, datetime):
            return option.parse(value.isoformat())
        if isinstance(value, bool) != (not option.metavar) or isinstance(value, dict | list):
            raise ValueError
        if isinstance(value, int) and value.bit_length() > 256:
            raise ValueError
        text = "yes" if value is True else "no" if value is False else str(value)
        parsed = option.parse(text)
        if isinstance(value, str) and type(parsed) is int and name not in _SIZES:
            raise ValueError
        return parsed

    return take, option.expected if option.metavar else "true or false"


def each_as_option(label: str) -> Kind:
    """A list of texts, each of which the option of this name takes."""
    one, expected = as_option(label)

    def take(value: object) -> object:
        if not isinstance(value, list) or len(value) > 100:
            raise ValueError
        return tuple(one(each) for each in value)

    return take, f"a list of {expected}"


def shown(value: object) -> str:
    """A value in a sentence that refuses it."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list):
        return "a table" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of many digits"
    return cut(str(value))


def cut(text: str) -> str:
    """A text of fair length, control characters escaped, without quotes."""
    return quoted(text)[1:-1]
