"""The one table of options: flags, URL parameters and the README's table follow from it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from math import fsum, inf, isfinite

from llmsim.catalog import (
    Dataset,
    Gpu,
    Model,
    dataset_named,
    gpu_named,
    model_named,
)
from llmsim.lists import CatalogError
from llmsim.typed import NamedTuple

SECONDS = {"d": 86_400, "h": 3600, "min": 60, "m": 60, "s": 1}
_PLAIN_MARKS = {ord(mark): "x" for mark in "@%+=:,./-_"}
LARGEST_SEED = 2**64 - 1
MOST_GPUS = 131_072
REAL_TIME = inf  # the value of --duration real


class OptionError(ValueError):
    """A wrong use of the options, in one sentence; from `parse`, what follows the option's name."""


class Options(NamedTuple):
    """What a run is asked to be. "auto" and None leave the choice to the seed or the host."""

    dialect: str = "auto"
    recipe: str = "auto"
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
    tidy: bool = False
    view: str = "auto"
    color: str = "auto"
    list: str | None = None


class Option(NamedTuple):
    """A row of the table; without a metavar it is a switch.

    `parse` raises OptionError, or a plain ValueError where `expected` says all.
    """

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

    number = r"([0-9]+(?:\.[0-9]+)?)"
    part = number + "(d|h|min|m|s)"
    if re.fullmatch(number, text):
        seconds = float(text)
    elif re.fullmatch(f"({part})+", text):
        seconds = fsum(float(count) * SECONDS[unit] for count, unit in re.findall(part, text))
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


def _switch(text: str) -> bool:
    if text.lower() in ("", "1", "yes", "true", "on"):
        return True
    if text.lower() in ("0", "no", "false", "off"):
        return False
    raise ValueError


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in names:
            return text
        near = _nearest(text, names)
        hint = f" (did you mean {near}?)" if near else ""
        raise OptionError(f"cannot be {_quoted(text)}: give {_either(names)}{hint}.")

    return parse


def _listed(find: Callable[[str], Model | Dataset | Gpu], kind: str) -> Callable[[str], str]:
    """Takes "auto" and what the catalogue finds; gives the name as the catalogue spells it."""

    def parse(text: str) -> str:
        try:
            return text if text == "auto" else find(text).name
        except CatalogError as error:
            if str(error).startswith(kind):  # else it is the list that is wrong
                raise OptionError(str(error).removeprefix(kind)) from None
            raise

    return parse


def _dialect(text: str) -> str:
    from llmsim.voices import NAMES, plugin

    if text in ("auto", *NAMES) or plugin(text):
        return text
    return _choice("auto", *NAMES)(text)


def _recipe(text: str) -> str:
    from llmsim.recipes import NAMES

    return _choice("auto", *NAMES)(text)


def _either(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]


LISTS = ("dialects", "recipes", "models", "datasets", "gpus", "frameworks")
COLORS = ("auto", "always", "never")
VIEWS = ("auto", "board", "log")

OPTIONS = (
    Option(
        "dialect", _dialect, "a name from --list dialects",
        "whose log to speak", "auto", "NAME", "d",
    ),
    Option(
        "recipe", _recipe, "a name from --list recipes",
        "what to train for: pretrain, continue, sft, lora, dpo or grpo", "auto", "NAME",
    ),
    Option(
        "model", _listed(model_named, "model "),
        "a name from --list models, or any name ending in a size",
        "a listed name, or any name ending in a size (ButtGPT-420B)", "auto", "NAME", "m",
    ),
    Option(
        "dataset", _listed(dataset_named, "data set "), "a name from --list datasets",
        "what to train on, from --list datasets", "auto", "NAME",
    ),
    Option(
        "gpu", _listed(gpu_named, "GPU "), "a name from --list gpus",
        "what to train with, from --list gpus", "auto", "NAME",
    ),
    Option(
        "gpus", _whole(1, MOST_GPUS), f"a whole number from 1 to {MOST_GPUS}",
        f"number of GPUs, up to {MOST_GPUS}", "what the model needs", "N",
    ),
    Option(
        "seed", _whole(0, LARGEST_SEED), "a whole number from 0 to 2^64 - 1",
        "names the run: same seed and start, same run", "fresh, and shown", "N",
    ),
    Option(
        "start", _start, "an ISO date and time such as 2026-01-30T12:00:00",
        "ISO date and time of the first line", "now", "TIME",
    ),
    Option(
        "duration", _show_duration, "a time such as 3m or 2h10min, or real",
        "how long a run takes to watch at speed 1, or real", "3m", "TIME",
    ),
    Option(
        "speed-factor", _speed, "a number above 0, or max",
        "how fast to play: a number above 0, or max", "1", "X", "s",
    ),
    Option(
        "instant-print-lines", _whole(0, 10**9), "a whole number from 0",
        "print this many lines at once first", "0", "N", "i",
    ),
    Option(
        "runs", _whole(0, 10**9), "a whole number, 0 for ever",
        "runs to play, each with the next seed; 0 for ever", "1; in the page 0", "N",
    ),
    Option(
        "exit-after-time", parse_duration, "a time such as 90s or 2h10min",
        "stop after this long", "never", "TIME",
    ),
    Option(
        "tidy", _switch, "yes or no", "no interleaved or torn lines, which real launches have",
        "no", "",
    ),
    Option(
        "view", _choice(*VIEWS), _either(VIEWS),
        "board (the log with a live region below), log, or auto: board on a terminal",
        "auto", "VIEW",
    ),
    Option(
        "color", _choice(*COLORS), _either(COLORS),
        _either(COLORS), "auto", "WHEN", in_url=False,
    ),
    Option(
        "list", _choice(*LISTS), _either(LISTS),
        "show " + _either(LISTS), "", "WHAT", in_url=False,
    ),
)  # fmt: skip


def _nearest(text: str, names: Sequence[str]) -> str:
    """The name that was probably meant, or nothing when none is near."""
    from difflib import get_close_matches  # only for what is wrong

    begun = [name for name in names if name.startswith(text)]
    near = begun if len(begun) == 1 else get_close_matches(text[:60], names, n=1)
    return near[0] if near else ""


def _quoted(text: str) -> str:
    """The text as a sentence can hold it: of fair length, control characters escaped."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def unknown(name: str, prefix: str) -> str:
    """The sentence that refuses an option which is not in the table."""
    near = _nearest(name, [prefix + option.name for option in _offered(prefix)])
    hint = f": did you mean {near}?" if near else ": see --help." if prefix else "."
    return f"there is no option {_quoted(name)}{hint}"


def _offered(prefix: str) -> Iterator[Option]:
    return (option for option in OPTIONS if prefix or option.in_url)


def _refusal(shown: str, option: Option, text: str, error: ValueError) -> str:
    """The sentence that refuses a value: names the option and it, and says what would be right."""
    if isinstance(error, OptionError):
        return f"{shown} {error}"
    if isinstance(error, CatalogError):
        return str(error)
    return f"{shown} cannot be {_quoted(text)}: give {option.expected}."


def parse_options(
    given: Iterable[tuple[str, str]], prefix: str, base: Options | None = None
) -> tuple[Options, list[str]]:
    """Options from (name, text) pairs, and one sentence for each that is wrong.

    A wrong value leaves the default; of a repeated name the last counts. `prefix` is what
    the user types before a name, "--" or nothing.
    """
    table = {option.name: option for option in _offered(prefix)}
    options, complaints = base or Options(), []
    for name, text in given:
        option = table.get(name)
        if option is None:
            complaints.append(unknown(prefix + name, prefix))
            continue
        field = name.replace("-", "_")
        try:
            options = options._replace(**{field: option.parse(text)})  # type: ignore[arg-type]  # the table's parse functions give the fields' types
        except ValueError as error:
            complaints.append(_refusal(prefix + name, option, text, error))
    return options, complaints


def from_query(pairs: Iterable[tuple[str, str]]) -> tuple[Options, list[str]]:
    """The options of a URL's query, runs for ever unless told otherwise; see parse_options."""
    return parse_options(pairs, prefix="", base=Options(runs=0))


def quoted_word(word: str) -> str:
    """The word as a POSIX shell takes it: quoted unless all of it is plain (as shlex.quote has it).

    shlex itself imports re, which is slow, and every job knows its command.
    """
    plain = word.isascii() and word.translate(_PLAIN_MARKS).isalnum()
    return word if plain else "'" + word.replace("'", "'\"'\"'") + "'"


def identity(options: Options) -> Iterator[tuple[str, str]]:
    """What names the job, not how it is shown: (name, text) pairs, "yes" for a switch."""
    for name in ("dialect", "recipe", "model", "dataset", "gpu", "gpus", "tidy", "seed", "start"):
        value = getattr(options, name)
        if value is True:
            yield name, "yes"
        elif value is not False and value not in ("auto", None):
            yield name, value.isoformat() if isinstance(value, datetime) else str(value)


def command(options: Options) -> str:
    """The command that plays this very run again."""
    switches = {option.name for option in OPTIONS if not option.metavar}
    words = ["llmsim"]
    for name, text in identity(options):
        words += [f"--{name}"] if name in switches else [f"--{name}", text]
    return " ".join(map(quoted_word, words))
