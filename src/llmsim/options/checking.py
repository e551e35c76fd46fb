"""Checks Options that a program has made: wrong values get the sentences of the flags."""

from collections.abc import Mapping
from math import isinf

from llmsim.catalog.lists import LONGEST_NAME, quoted
from llmsim.errors import CatalogError, OptionError, Setting, kind_of
from llmsim.job.records import Job, expect_job
from llmsim.options.option import Option
from llmsim.options.parsing import parse_dialect
from llmsim.options.table import OPTIONS, Options, field_of
from llmsim.options.wanted import Wanted, lifted
from llmsim.typed import Any, datetime

LONGEST_NUMBER = 4096  # bits; Python refuses to write much longer numbers
_TYPES = {
    str: "a str",
    int: "an int",
    float: "a number",
    bool: "True or False",
    datetime: "a datetime",
}
_DEFAULTS = Options()


def checked(options: Options) -> Options:
    """The options as flags would give them: names in the catalogue's spelling, times without a
    zone.

    Raises OptionError or CatalogError with the sentence of the flag for a wrong value.
    """
    if not isinstance(options, Options):
        raise OptionError(f"the options are {kind_of(options)}: give llmsim.Options(...).")
    changed: dict[str, Any] = {}
    for option in OPTIONS:
        field = field_of(option)
        value, default = getattr(options, field), getattr(_DEFAULTS, field)
        if field == "job":
            value = _job(value)
            changed |= {field: value} if value else {}
        elif value is not default and (value := _checked(option, value)) != default:
            changed[field] = value
    return lifted(_DEFAULTS._replace(**changed))


def _job(value: object) -> Wanted | None:
    """A job as a file has it, from its sections: {"parallel": {"tp": 8}}."""
    if value is None or isinstance(value, Wanted):
        return value
    if not isinstance(value, Mapping):
        sentence = f" cannot be {_cut(ascii(value))}, which is {kind_of(value)}: "
        raise OptionError(Setting("job"), sentence, "give a dictionary of sections.")
    from llmsim.options.job_keys import wanted_of  # imported only if there is a job

    return wanted_of(value)


def checked_job(job: Job) -> Job:
    """The job, if it can be played. Raises OptionError for anything else."""
    expect_job(job)
    try:
        parse_dialect(job.framework.name)
    except OptionError as error:
        raise OptionError(Setting("dialect"), " ", *error.args) from None
    return job


def _checked(option: Option, value: object) -> object:
    """A value as the flag would give it: its text is parsed by the flag's parser."""
    annotation = Options.__annotations__[field_of(option)]
    right = getattr(annotation, "__args__", (annotation,))[0]  # of `int | None` it is int
    if isinstance(right, str):  # a type that nothing imports until there is a value of it
        from llmsim.telemetry import kinds

        right = kinds.Export
    if option.repeats and isinstance(value, tuple):
        return tuple(_checked_one(option, each, right) for each in value)
    return _checked_one(option, value, right)


def _checked_one(option: Option, value: object, right: type) -> object:
    is_right = isinstance(value, int | float if right is float else right)
    if not is_right or isinstance(value, bool) != (right is bool):
        sentence = f" cannot be {_cut(ascii(value))}, which is {kind_of(value)}: "
        kind = _TYPES.get(right, f"a tuple of {right.__name__}")
        raise OptionError(Setting(option.name), sentence, f"give {kind}.")
    text = _typed(option, value)
    try:
        parsed = option.parse(text)
    except OptionError as error:
        raise OptionError(Setting(option.name), " ", *error.args) from None
    except CatalogError:
        raise
    except ValueError:
        sentence = f" cannot be {quoted(text)}: give {option.expected}."
        raise OptionError(Setting(option.name), sentence) from None
    # A number is kept as it is, since its text may be rounded.
    return float(value) if isinstance(value, int | float) and right is float else parsed


def _typed(option: Option, value: object) -> str:
    """The text that a person would type for a value."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        infinite = isinf(value) and value > 0 and option.infinite
        text = f"{value:.9f}".rstrip("0").rstrip(".")
        return infinite or (text if float(text) or not value else repr(value))
    if isinstance(value, int) and value.bit_length() >= LONGEST_NUMBER:
        return hex(value)
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."
