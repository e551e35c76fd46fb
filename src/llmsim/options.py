"""The one table of options: flags, URL parameters and the README's table follow from it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf, isfinite
from typing import NamedTuple

SECONDS = {"d": 86_400, "h": 3600, "min": 60, "m": 60, "s": 1}
LARGEST_SEED = 2**64 - 1
MOST_GPUS = 131_072
REAL_TIME = inf  # the value of --duration real


class OptionError(ValueError):
    """A wrong value of an option, told in one sentence that names it."""


class Options(NamedTuple):
    """What a run is asked to be. "auto" and None leave the choice to the seed or the host."""

    dialect: str = "auto"
    model: str = "auto"
    dataset: str = "auto"
    gpu: str = "auto"
    gpus: int | None = None
    seed: int | None = None
    start: datetime | None = None
    duration: float = 180.0  # show seconds at speed 1
    speed_factor: float = 1.0
    instant_print_lines: int = 0
    runs: int = 1
    exit_after_time: float | None = None  # show seconds
    color: str = "auto"
    list: str | None = None


class Option(NamedTuple):
    """A row of the table. `parse` raises ValueError, with a sentence of its own or none."""

    name: str
    parse: Callable[[str], object]
    expected: str  # what a right value is: completes "give ..."
    meaning: str
    default: str
    metavar: str
    short: str | None = None
    in_url: bool = True


def parse_duration(text: str) -> float:
    """Seconds in "3m", "2h10min", "90s", "1d" or a bare number of seconds.

    Raises ValueError when the text is none of these or not above zero.
    """
    import re  # only here: a bare run needs no regular expressions

    bare = re.fullmatch(r"\d+(\.\d+)?", text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(d|h|min|m|s)", text)
    if bare:
        seconds = float(text)
    elif parts and "".join(number + unit for number, unit in parts) == text:
        seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    else:
        raise ValueError
    if not 0 < seconds < 1e9:
        raise ValueError
    return seconds


def _show_duration(text: str) -> float:
    return REAL_TIME if text == "real" else parse_duration(text)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        digits = text[1:] if text[:1] in "+-" else text
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 25:
            raise ValueError
        if not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return parse


def _speed(text: str) -> float:
    if text == "max":
        return inf
    speed = float(text)
    if not (isfinite(speed) and speed > 0):
        raise ValueError
    return speed


def _start(text: str) -> datetime:
    start = datetime.fromisoformat(text).replace(tzinfo=None)
    if not 1970 <= start.year <= 9000:
        raise ValueError
    return start


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise OptionError(_nearest(text, names))
        return text

    return parse


def _model(text: str) -> str:
    from llmsim.catalog import model_named

    return text if text == "auto" else model_named(text).name


def _dataset(text: str) -> str:
    from llmsim.catalog import dataset_named

    return text if text == "auto" else dataset_named(text).name


def _gpu(text: str) -> str:
    from llmsim.catalog import gpu_named

    return text if text == "auto" else gpu_named(text).name


def _dialect(text: str) -> str:
    from llmsim.dialects import NAMES

    return _choice("auto", *NAMES)(text)


LISTS = ("dialects", "models", "datasets", "gpus", "frameworks")

OPTIONS = (
    Option(
        "dialect",
        _dialect,
        "a name from --list dialects",
        "whose log to speak",
        "auto",
        "NAME",
        "d",
    ),
    Option(
        "model",
        _model,
        "a name from --list models, or any name ending in a size",
        "a listed name, or any name ending in a size (ButtGPT-420B)",
        "auto",
        "NAME",
        "m",
    ),
    Option(
        "dataset",
        _dataset,
        "a name from --list datasets",
        "what to train on, from --list datasets",
        "auto",
        "NAME",
    ),
    Option(
        "gpu",
        _gpu,
        "a name from --list gpus",
        "what to train on top of, from --list gpus",
        "auto",
        "NAME",
    ),
    Option(
        "gpus",
        _whole(1, MOST_GPUS),
        f"a whole number from 1 to {MOST_GPUS}",
        f"number of GPUs, up to {MOST_GPUS:,}",
        "what the model needs",
        "N",
    ),
    Option(
        "seed",
        _whole(0, LARGEST_SEED),
        "a whole number from 0 to 2^64 - 1",
        "a whole number that names the run: same seed and start, same run",
        "fresh, and shown",
        "N",
    ),
    Option(
        "start",
        _start,
        "an ISO date and time such as 2026-01-30T12:00:00",
        "ISO date and time of the first line",
        "now",
        "TIME",
    ),
    Option(
        "duration",
        _show_duration,
        "a time such as 3m or 2h10min, or real",
        "how long one run takes to watch at speed 1, or real",
        "3m",
        "TIME",
    ),
    Option(
        "speed-factor",
        _speed,
        "a number above 0, or max",
        "how fast to play: a number above 0, or max",
        "1",
        "X",
        "s",
    ),
    Option(
        "instant-print-lines",
        _whole(0, 10**9),
        "a whole number from 0",
        "print this many lines at once first",
        "0",
        "N",
        "i",
    ),
    Option(
        "runs",
        _whole(0, 10**9),
        "a whole number, 0 for ever",
        "how many runs to play, each with the next seed; 0 for ever",
        "1 (page: 0)",
        "N",
    ),
    Option(
        "exit-after-time",
        parse_duration,
        "a time such as 90s or 2h10min",
        "stop after this long",
        "never",
        "TIME",
    ),
    Option(
        "color",
        _choice("auto", "always", "never"),
        "auto, always or never",
        "auto, always or never",
        "auto",
        "WHEN",
        in_url=False,
    ),
    Option(
        "list",
        _choice(*LISTS),
        ", ".join(LISTS[:-1]) + " or " + LISTS[-1],
        ", ".join(LISTS[:-1]) + " or " + LISTS[-1] + ": show the names and exit",
        "",
        "WHAT",
        in_url=False,
    ),
)


def _nearest(text: str, names: Iterable[str]) -> str:
    """ "did you mean max?", or nothing when no name is near."""
    from difflib import get_close_matches  # only for a wrong value

    near = get_close_matches(text, list(names), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _field(option: Option) -> str:
    return option.name.replace("-", "_")


def _sentence(shown: str, option: Option, text: str, error: ValueError) -> str:
    """The refusal of a value: names the option and the value, says what would be right."""
    if isinstance(error, OptionError) or type(error).__name__ == "CatalogError":
        detail = str(error)
    else:
        detail = ""
    if type(error).__name__ == "CatalogError":
        return f"{shown}: {detail}"
    value = ascii(text if len(text) <= 60 else text[:57] + "...")
    hint = f" ({detail})" if detail else ""
    return f"{shown} cannot be {value}: give {option.expected}{hint}."


def parse_options(
    given: Iterable[tuple[str, str]], prefix: str, base: Options | None = None
) -> tuple[Options, list[str]]:
    """Options from (name, text) pairs, and one sentence for each that is wrong.

    A wrong value leaves the default; of a repeated name the last counts. `prefix` is what
    the user types before a name, "--" or nothing.
    """
    table = {option.name: option for option in OPTIONS if prefix or option.in_url}
    options, complaints = base or Options(), []
    for name, text in given:
        option = table.get(name)
        if option is None:
            value = ascii(prefix + name[:60])
            hint = _nearest(name, table)
            complaints.append(f"there is no option {value}{': ' + hint if hint else '.'}")
            continue
        try:
            options = options._replace(**{_field(option): option.parse(text)})  # type: ignore[arg-type]  # the table's parse functions give the fields' types
        except ValueError as error:
            complaints.append(_sentence(prefix + name, option, text, error))
    return options, complaints


def command(options: Options) -> str:
    """The command that plays this very run again: what names the job, not how it is shown."""
    words = ["llmsim"]
    for name in ("dialect", "model", "dataset", "gpu", "gpus", "seed", "start"):
        value = getattr(options, name)
        if value in ("auto", None):
            continue
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        words.append(f"--{name} '{text}'" if " " in text else f"--{name} {text}")
    return " ".join(words)


def from_query(pairs: Iterable[tuple[str, str]]) -> tuple[Options, list[str]]:
    """The options of a URL's query, runs for ever unless told otherwise; see parse_options."""
    return parse_options(pairs, prefix="", base=Options(runs=0))
