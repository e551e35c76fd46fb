"""What a command line asks nvidia-smi for."""

from collections.abc import Iterable, Iterator, Sequence

from llmsim.errors import NvidiaSmiError
from llmsim.telemetry.smi import changes
from llmsim.telemetry.smi.changes import Change
from llmsim.telemetry.smi.query import Format
from llmsim.telemetry.smi.report import DISPLAYS
from llmsim.typed import Literal, NamedTuple

Kind = Literal[
    "table", "list", "report", "query-gpu", "query-compute-apps", "query-accounted-apps", "dmon",
    "pmon", "topo", "topo-p2p", "nvlink", "version", "help", "help-query-gpu",
    "help-query-compute-apps", "help-query-accounted-apps", "change", "query-remapped-rows",
    "query-retired-pages", "query-supported-clocks", "help-query-remapped-rows",
    "help-query-retired-pages", "help-query-supported-clocks",
]  # fmt: skip

HELP = "Please run 'nvidia-smi -h' for help."


class _Flags(NamedTuple):
    """Flags with a value and flags without one: the long form of each short one."""

    values: dict[str, str]
    switches: dict[str, str]


_QUERIES: tuple[Kind, ...] = (
    "query-gpu", "query-compute-apps", "query-accounted-apps", "query-remapped-rows",
    "query-retired-pages", "query-supported-clocks",
)  # fmt: skip
_HELPS: tuple[Kind, ...] = (
    "help-query-gpu", "help-query-compute-apps", "help-query-accounted-apps",
    "help-query-remapped-rows", "help-query-retired-pages", "help-query-supported-clocks",
)  # fmt: skip
# What nvidia-smi takes without a command. changes.py has the flags that change a GPU.
_PLAIN = _Flags(
    {
        "-i": "--id", "-f": "--filename", "-l": "--loop", "-lms": "--loop-ms",
        "-d": "--display", "--format": "--format",
        **{f"--{name}": f"--{name}" for name in _QUERIES}, **changes.VALUES,
    },
    {
        "-L": "--list-gpus", "-q": "--query", "-x": "--xml-format", "-h": "--help",
        **{f"--{name}": f"--{name}" for name in _HELPS}, "--version": "--version",
        **changes.SWITCHES,
    },
)  # fmt: skip
# dmon and pmon, which alone have a count: -c is the compute mode elsewhere.
_MONITOR = _Flags(
    {
        "-i": "--id", "-f": "--filename", "-d": "--delay", "-c": "--count", "-s": "--select",
        "-o": "--options",
    },
    {"-h": "--help"},
)  # fmt: skip
_OF_COMMANDS: dict[Kind, _Flags] = {
    "dmon": _MONITOR,
    "pmon": _MONITOR,
    "topo": _Flags({"-i": "--id", "-p2p": "--p2pstatus"}, {"-m": "--matrix", "-h": "--help"}),
    "nvlink": _Flags({"-i": "--id"}, {"-s": "--status", "-h": "--help"}),
}
# Other long flags of nvidia-smi's man page. Here nvidia-smi refuses them, and not the run.
_REFUSED = (
    "--list-excluded-gpus", "--unit", "--debug", "--dtd", "--ecc-config", "--reset-ecc-errors",
    "--driver-model", "--force-driver-model", "--gom", "--accounting-mode",
    "--clear-accounted-apps", "--auto-boost-default", "--auto-boost-permission", "--cuda-clocks",
    "--gpu-target-temp", "--lock-memory-clocks-deferred", "--reset-memory-clocks-deferred",
)  # fmt: skip
FLAGS = frozenset(_REFUSED) | frozenset(
    name
    for known in (_PLAIN, *_OF_COMMANDS.values())
    for table in known
    for name in (*table, *table.values())
)


_NONE = Change()


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
    metrics: str = "puc"  # of dmon; of topo -p2p the letter
    stamps: str = ""  # dmon -o: D a date, T a time before each row
    change: Change = _NONE


def request_of(words: Sequence[str]) -> Request:
    """The request of a command line. Raises NvidiaSmiError in nvidia-smi's own words."""
    command = next((word for word in _OF_COMMANDS if word in words), None)
    known = _OF_COMMANDS[command] if command else _PLAIN
    given = dict(_flags([word for word in words if word != command], known))
    if command in ("dmon", "pmon"):
        return _monitor(command, given)
    asked = Request(
        kind=_kind(command, given),
        ids=_list(given.get("--id", "")),
        every=_seconds(given),
        filename=given.get("--filename", ""),
        xml="--xml-format" in given,
        displays=_displays(given.get("--display", "")),
        metrics=given.get("--p2pstatus", "puc"),
        change=next((Change(*each) for each in given.items() if each[0] in changes.FLAGS), _NONE),
    )
    if asked.kind in _QUERIES:
        names = _list(given[f"--{asked.kind}"])
        return asked._replace(names=names, format=_format(given.get("--format")))
    if "--format" in given:
        raise NvidiaSmiError(f"Invalid combination of input arguments. {HELP}")
    return asked


def _flags(words: Iterable[str], known: _Flags) -> Iterator[tuple[str, str]]:
    """The flags with their values, by their long names."""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        name = known.values.get(name, known.switches.get(name, name))
        if name in known.values.values():
            value = value if equals else next(rest, "")
            if not value:
                raise NvidiaSmiError(f"Missing value for option {word}. {HELP}")
            yield name, value
        elif name in known.switches.values() and not equals:
            yield name, ""
        else:
            raise NvidiaSmiError(f"ERROR: Option {_printable(word)} is not recognized. {HELP}")


def _kind(command: Kind | None, given: dict[str, str]) -> Kind:
    if command:
        command = "topo-p2p" if "--p2pstatus" in given else command
        return "help" if "--help" in given else command
    if not changes.FLAGS.isdisjoint(given):
        return "change"
    asked: tuple[tuple[str, Kind], ...] = (
        ("--help", "help"), ("--version", "version"),
        *((f"--{name}", name) for name in _HELPS), ("--list-gpus", "list"),
        *((f"--{name}", name) for name in _QUERIES), ("--query", "report"),
    )  # fmt: skip
    return next((kind for flag, kind in asked if flag in given), "table")


def _monitor(command: Kind, given: dict[str, str]) -> Request:
    """dmon and pmon: -d is their interval, -s their columns."""
    every = _positive(given.get("--delay", "1"), "-d")
    stamps = given.get("--options", "")
    if not {*stamps} <= {"D", "T"}:
        raise NvidiaSmiError(f"Invalid value for option -o: {_printable(stamps)}. {HELP}")
    return Request(
        kind=command,
        ids=_list(given.get("--id", "")),
        every=every,
        times=int(_positive(given["--count"], "-c")) if "--count" in given else 0,
        filename=given.get("--filename", ""),
        metrics=given.get("--select", "puc"),
        stamps=stamps,
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
    if text is None:
        raise NvidiaSmiError(f'"--format=" switch is missing. {HELP}')
    parts = _list(text)
    if "csv" not in parts or not {*parts} <= {"csv", "noheader", "nounits"}:
        raise NvidiaSmiError(f'"--format=" switch is wrong: give csv. {HELP}')
    return Format("noheader" not in parts, "nounits" not in parts)


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
