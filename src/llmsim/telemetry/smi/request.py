"""What a command line asks nvidia-smi for."""

from collections.abc import Iterable, Iterator, Sequence

from llmsim.errors import NvidiaSmiError
from llmsim.telemetry.smi.query import Format
from llmsim.telemetry.smi.report import DISPLAYS
from llmsim.typed import Literal, NamedTuple

Kind = Literal[
    "table", "list", "report", "query-gpu", "query-compute-apps", "dmon", "pmon", "topo", "nvlink",
    "version", "help", "help-query-gpu", "help-query-compute-apps",
]  # fmt: skip

HELP = "Please run 'nvidia-smi -h' for help."

# Flags with a value and flags without one; the long form of each.
VALUES = {
    "-i": "--id", "-f": "--filename", "-l": "--loop", "-lms": "--loop-ms", "-d": "--display",
    "-c": "--count", "-s": "--select", "-o": "--options",
}  # fmt: skip
VALUED = (*VALUES.values(), "--query-gpu", "--query-compute-apps", "--format")
SWITCHES = {
    "-L": "--list-gpus", "-q": "--query", "-x": "--xml-format", "-h": "--help", "-m": "--matrix",
}  # fmt: skip
SWITCHED = (*SWITCHES.values(), "--version", "--help-query-gpu", "--help-query-compute-apps",
            "--status")  # fmt: skip
COMMANDS: tuple[Kind, ...] = ("dmon", "pmon", "topo", "nvlink")
FLAGS = frozenset((*VALUES, *VALUED, *SWITCHES, *SWITCHED))


class Request(NamedTuple):
    """What is asked for."""

    kind: Kind = "table"
    names: tuple[str, ...] = ()  # of a query
    format: Format = Format()
    ids: tuple[str, ...] = ()  # of GPUs; () is all
    every: float = 0.0  # seconds between two answers; 0 is one answer
    times: int = 0  # answers; 0 is no limit
    filename: str = ""
    xml: bool = False
    displays: tuple[str, ...] = ()
    metrics: str = "puc"
    stamps: str = ""  # dmon -o: D a date, T a time before each row


def request_of(words: Sequence[str]) -> Request:
    """The request of a command line. Raises NvidiaSmiError in nvidia-smi's own words."""
    command = next((word for word in words if word in COMMANDS), None)
    given = dict(_flags([word for word in words if word != command]))
    if command in ("dmon", "pmon"):
        return _monitor(command, given)
    asked = Request(
        kind=_kind(command, given),
        ids=_list(given.get("--id", "")),
        every=_seconds(given),
        filename=given.get("--filename", ""),
        xml="--xml-format" in given,
        displays=_displays(given.get("--display", "")),
    )
    if asked.kind not in ("query-gpu", "query-compute-apps"):
        return asked
    names = _list(given[f"--{asked.kind}"])
    return asked._replace(names=names, format=_format(given.get("--format")))


def _flags(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The flags with their values, by their long names."""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        name = VALUES.get(name, SWITCHES.get(name, name))
        if name in VALUED:
            value = value if equals else next(rest, "")
            if not value:
                raise NvidiaSmiError(f"Missing value for option {word}. {HELP}")
            yield name, value
        elif name in SWITCHED and not equals:
            yield name, ""
        else:
            raise NvidiaSmiError(f"Invalid combination of input arguments. {HELP}")


def _kind(command: Kind | None, given: dict[str, str]) -> Kind:
    if command:
        return command
    asked: tuple[tuple[str, Kind], ...] = (
        ("--help", "help"), ("--version", "version"), ("--help-query-gpu", "help-query-gpu"),
        ("--help-query-compute-apps", "help-query-compute-apps"), ("--list-gpus", "list"),
        ("--query-gpu", "query-gpu"), ("--query-compute-apps", "query-compute-apps"),
        ("--query", "report"),
    )  # fmt: skip
    return next((kind for flag, kind in asked if flag in given), "table")


def _monitor(command: Kind, given: dict[str, str]) -> Request:
    """dmon and pmon: -d is their interval, -s their columns."""
    every = _positive(given.get("--display", "1"), "-d")
    return Request(
        kind=command,
        ids=_list(given.get("--id", "")),
        every=every,
        times=int(_positive(given["--count"], "-c")) if "--count" in given else 0,
        filename=given.get("--filename", ""),
        metrics=given.get("--select", "puc"),
        stamps=given.get("--options", ""),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _seconds(given: dict[str, str]) -> float:
    if "--loop-ms" in given:
        return _positive(given["--loop-ms"], "--loop-ms") / 1000
    return _positive(given["--loop"], "--loop") if "--loop" in given else 0.0


def _positive(text: str, flag: str) -> float:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise NvidiaSmiError(f"Invalid value for option {flag}: {_printable(text)}. {HELP}")
    return float(text)


def _displays(text: str) -> tuple[str, ...]:
    names = tuple(name.upper() for name in _list(text))
    for name in names:
        if name not in DISPLAYS:
            raise NvidiaSmiError(f"Display type {_printable(name)} is not known. {HELP}")
    return names


def _format(text: str | None) -> Format:
    parts = _list(text or "")
    if "csv" not in parts or not {*parts} <= {"csv", "noheader", "nounits"}:
        raise NvidiaSmiError(f'"--format=" switch is missing or wrong: give csv. {HELP}')
    return Format("noheader" not in parts, "nounits" not in parts)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
