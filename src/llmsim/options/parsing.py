"""Parsers of option values: durations, numbers, dates, switches and names.

Each parser takes a text and returns its value. It raises OptionError with the part of the sentence
after the option's name, or ValueError if the table's `expected` is explanation enough.
"""

from collections.abc import Callable, Iterable, Sequence
from math import fsum, inf, isfinite

from llmsim.catalog.lists import quoted
from llmsim.catalog.records import Dataset, Gpu, Model
from llmsim.errors import CatalogError, OptionError
from llmsim.text.wording import one_of
from llmsim.typed import Literal, NamedTuple, datetime

TYPE_CHECKING = False  # the name that type checkers know; typing itself is slow to import
if TYPE_CHECKING:
    from llmsim.telemetry.kinds import Export

SECONDS = {"d": 86_400, "h": 3600, "min": 60, "m": 60, "s": 1}
REAL_TIME = inf  # the value of --duration real


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


# A failure and the outage after it are there only in runs that break.
PHASES = ("launch", "training", "validation", "checkpoint", "export", "failure", "outage")


StartingKind = Literal["share", "step", "time", "phase"]


class StartingPoint(NamedTuple):
    """What a value of --from names: a share 0 .. 1, a step, simulated seconds or a phase."""

    kind: StartingKind
    value: float | int | str


def starting_point(text: str) -> StartingPoint:
    """The moment in "40%", "step=1200", "1h20m" or "validation".

    Raises ValueError when the text is none of these.
    """
    if text in PHASES:
        return StartingPoint("phase", text)
    if text.endswith("%"):
        share = float(text[:-1]) if text[:1].isascii() and text[:1].isdigit() else -1.0
        if not 0.0 <= share <= 100.0:
            raise ValueError
        return StartingPoint("share", share / 100.0)
    name, equals, number = text.partition("=")
    if equals:
        if name != "step":
            raise ValueError
        return StartingPoint("step", whole_number(1, 10**12)(number))
    return StartingPoint("time", parse_duration(text))


def parse_starting_point(text: str) -> str:
    """A moment of a run as it was typed: which second it is depends on the run."""
    starting_point(text)
    return text


def parse_show_duration(text: str) -> float:
    """A duration, or "real": as long as the job itself takes."""
    return REAL_TIME if text == "real" else parse_duration(text)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """The parser of whole numbers from low to high, both included."""

    def parse(text: str) -> int:
        digits = text[1:] if text[:1] in "+-" else text
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 25:
            raise ValueError
        if not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return parse


def parse_speed(text: str) -> float:
    """A finite factor above zero, or infinity for "max"."""
    if text == "max":
        return inf
    speed = float(text)
    if not (isfinite(speed) and speed > 0):
        raise ValueError
    return speed


def parse_start(text: str) -> datetime:
    """An ISO date, with a time or without, of the years 1970 to 9000, without a time zone.

    Raises OptionError for a zone, ValueError for another year and for what is no date.
    """
    start = datetime.fromisoformat(text)
    if start.tzinfo is not None:
        raise OptionError(
            f"cannot be {quoted(text)}: logs show local time, so leave the time zone out."
        )
    if not 1970 <= start.year <= 9000:
        raise ValueError
    return start


def parse_switch(text: str) -> bool:
    """True for yes and for a flag without a value, False for no."""
    if text.lower() in ("", "1", "yes", "true", "on"):
        return True
    if text.lower() in ("0", "no", "false", "off"):
        return False
    raise ValueError


def choice(*names: str, old: Sequence[str] = ()) -> Callable[[str], str]:
    """The parser that takes one of the names and suggests the nearest for others.

    Old names are taken, too, but not suggested.
    """

    def parse(text: str) -> str:
        if text in names or text in old:
            return text
        raise OptionError(f"cannot be {quoted(text)}: {one_of(names, text)}")

    return parse


def listed(find: Callable[[str], Model | Dataset | Gpu], kind: str) -> Callable[[str], str]:
    """The parser that takes "auto" or a name of the catalogue, and returns the catalogue's
    spelling.
    """

    def parse(text: str) -> str:
        try:
            return text if text == "auto" else find(text).name
        except CatalogError as error:
            if str(error).startswith(kind):  # else it is the list that is wrong
                raise OptionError(str(error).removeprefix(kind)) from None
            raise

    return parse


def parse_dialect(text: str) -> str:
    """A dialect of ours or of another package, or "any", for which "auto" stands as well."""
    from llmsim.dialects.registry import DRAWN, NAMES, plugin

    if text not in (*DRAWN, *NAMES):
        plugin(text)  # raises OptionError if there is no dialect of this name
    return text


def parse_recipe(text: str) -> str:
    """A recipe, or "auto"."""
    from llmsim.job.recipes import NAMES

    return choice("auto", *NAMES)(text)


INCIDENTS = (
    "KIND@WHEN (a kind from --list incidents), for instance gpu-lost@40%, disk-full@checkpoint, "
    "cuda-oom@step=500, preempt@2h:rank=3 or loss-spike@60%:shape=slow"
)


def parse_scene(text: str) -> str:
    """A scene's name as the list has it. Raises OptionError when the list has none like it."""
    from llmsim.options.scenes import listed_scene  # only a scene needs the list

    return listed_scene(text)


def with_scenes(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The (name, text) pairs; if they ask for a scene, its own pairs come first."""
    pairs = list(given)
    asked = [text for name, text in pairs if name == "scene"]
    if not asked:
        return pairs
    from llmsim.options.scenes import with_scene

    return with_scene(pairs, asked[-1])


def parse_incidents(text: str) -> str:
    """The text, if each incident in it is of the right form. Raises OptionError or ValueError."""
    from llmsim.options.incidents import asked  # only what is asked for needs the kinds

    asked((text,))
    return text


def is_path(text: str) -> bool:
    """Whether each character of a file's name can be printed.

    In the C locale a name of UTF-8 has lone surrogates for its bytes (PEP 383): these are decoded.
    """
    try:
        plain = text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return False
    return bool(plain) and plain.isprintable()


def parse_export(text: str) -> "Export":
    """A kind of export and its destination: "jsonl=run.jsonl"."""
    from llmsim.telemetry.kinds import NAMES, Export

    kind, equals, destination = text.partition("=")
    if kind not in NAMES:
        return Export(choice(*NAMES)(kind), "")
    if not (equals and destination):
        raise OptionError(f"{kind} needs a place to write to: give {kind}=PATH.")
    if not is_path(destination):
        raise OptionError(
            f"{kind}={destination!a} has a character that cannot be printed: give another name."
        )
    return Export(kind, destination)
