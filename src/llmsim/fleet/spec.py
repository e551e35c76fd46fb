"""A SPEC: the TOML file that says which runs a fleet has and what is written of them.

Every mistake is one sentence with the line it stands on.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from zoneinfo import ZoneInfo

from llmsim import __version__
from llmsim.catalog.lists import quoted
from llmsim.catalog.records import gpu_named
from llmsim.cli.reading import content_of, printable, toml_of
from llmsim.errors import FLAG, CatalogError, LlmsimError, OptionError
from llmsim.fleet.cluster.pool import Pool
from llmsim.fleet.mix import Share, ShareError, share_of
from llmsim.fleet.spec_lines import Place, lines_of
from llmsim.options.parsing import parse_duration
from llmsim.options.table import LARGEST_SEED, LEVELS
from llmsim.telemetry import kinds
from llmsim.text.wording import nearest
from llmsim.typed import Any, NamedTuple

LAYOUT = 2  # the version of a data set's folders and tables: another one is another fleet
MOST_RUNS = 10**8
DAY = 86_400.0
SHORTEST_PERIOD = 0.1  # seconds between two samples
STREAMS = ("log", "kernel", "slurm")
# A recording of the show needs a screen and time: a fleet has neither.
KINDS = tuple(kind for kind in kinds.NAMES if kind != "cast")


class Spec(NamedTuple):
    """What a SPEC says, with the defaults of what it does not say."""

    runs: int
    seed: int = 1
    start: datetime = datetime(2026, 1, 1)  # the local time at which the span begins
    zone: str = "UTC"  # of all local times
    span: float = 30 * DAY  # seconds over which the runs start
    sample: float = 60.0  # simulated seconds between two samples of the GPUs
    incidents: str = "typical"
    streams: tuple[str, ...] = STREAMS
    kinds: tuple[str, ...] = ("parquet",)
    splits: tuple[tuple[str, float], ...] = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
    mix: tuple[Share, ...] = ()
    runs_a_part: int = 0  # 0 leaves it to the size of the fleet
    name: str = "llmsim-fleet"
    cluster: Pool | None = None  # whose days are a part of the data set


class _Key(NamedTuple):
    """How the value of a key is read, and what it should be, for the sentence that refuses it."""

    read: Callable[[Any], object]
    expected: str


def _whole(low: int, high: int, value: object) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError
    return value


def _seconds(value: object) -> float:
    return parse_duration(f"{value}")


def _period(value: object) -> float:
    """Seconds between two samples. Gauges change by the second: ten looks within one are plenty."""
    seconds = _seconds(value)
    if seconds < SHORTEST_PERIOD:
        raise ValueError
    return seconds


def _moment(value: object) -> datetime:
    made = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(made, datetime) or made.tzinfo is not None:
        raise ValueError
    if not 1970 <= made.year < 9000:  # a run, and what is reckoned from it, ends before 10000
        raise ValueError
    return made.replace(microsecond=0)


def _zone(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    try:
        ZoneInfo(value)
    except (KeyError, OSError):  # a name that nobody has, or the name of a folder
        raise ValueError from None
    return value


def _one_of(names: tuple[str, ...], value: object) -> str:
    if value not in names:
        raise ValueError
    return str(value)


def _some_of(names: tuple[str, ...], value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    asked = [_one_of(names, each) for each in value]
    return tuple(name for name in names if name in asked)


def _title(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 80 or not value.isprintable():
        raise ValueError
    return value


_TOP = {
    "runs": _Key(partial(_whole, 1, MOST_RUNS), f"a whole number from 1 to {MOST_RUNS}"),
    "seed": _Key(partial(_whole, 0, LARGEST_SEED), "a whole number from 0 to 2^64 - 1"),
    "start": _Key(_moment, "an ISO date and time without a zone, such as 2026-01-30T12:00:00"),
    "zone": _Key(_zone, "a zone's name such as Europe/Berlin"),
    "span": _Key(_seconds, 'a time such as "30d"'),
    "sample": _Key(_period, 'a time from 0.1s on, such as "60s"'),
    "incidents": _Key(partial(_one_of, LEVELS), f"one of {', '.join(LEVELS)}"),
    "streams": _Key(partial(_some_of, STREAMS), f"a list of {', '.join(STREAMS)}"),
    "name": _Key(_title, "a text of at most 80 characters"),
    "runs_a_part": _Key(partial(_whole, 1, 100_000), "a whole number from 1 to 100000"),
}
_EXPORT = {"kinds": _Key(partial(_some_of, KINDS), f"a list of {', '.join(KINDS)}")}
_TABLES = ("cluster", "export", "splits", "mix")
MOST_NODES = 16_384


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004  # the caller says what is wrong
    return value


def _number(low: float, high: float, value: object) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not low <= value <= high:  # type: ignore[operator]  # good
        raise ValueError
    return float(value)  # type: ignore[arg-type]  # it is a number


def _gpu(value: object) -> str:
    try:
        return gpu_named(str(value)).name
    except CatalogError:
        raise ValueError from None


def _host(value: object) -> str:
    name = _title(value)
    if not (name.isascii() and name.replace("-", "").isalnum()):
        raise ValueError
    return name


_CLUSTER = {
    "nodes": _Key(partial(_whole, 2, MOST_NODES), f"a whole number from 2 to {MOST_NODES}"),
    "gpus_per_node": _Key(partial(_whole, 1, 16), "a whole number from 1 to 16"),
    "gpu": _Key(_gpu, "a name from --list gpus"),
    "days": _Key(partial(_number, 0.01, 3660.0), "a number of days from 0.01 to 3660"),
    "jobs_a_gpu_day": _Key(partial(_number, 0.001, 100.0), "a number from 0.001 to 100"),
    "sample": _Key(_period, 'a time from 0.1s on, such as "1h"'),
    "gauges": _Key(_switch, "true or false"),
    "steps": _Key(_switch, "true or false"),
    "name": _Key(_host, "a name of letters, digits and dashes, such as node"),
}


class _Reader:
    """A SPEC's values, and how its mistakes are said."""

    def __init__(self, content: bytes, shown: str) -> None:
        """Reads the TOML. Raises OptionError where it is none."""
        self.shown = shown
        self.values = toml_of(content, shown, "runs = 24")
        self._lines = lines_of(content.decode("utf-8-sig"))

    def wrong(self, place: Place, sentence: str) -> OptionError:
        """The error of a key, with its line."""
        # A table of the wrong kind has its name in its heading.
        table, number, key = place
        places = (place, (f"{table}.{key}", 0, ""), (table, number, ""), (key, 0, ""))
        line = next((self._lines[each] for each in places if each in self._lines), 0)
        return OptionError(f"{self.shown}{f' line {line}' if line else ''}: {sentence}")

    def table(self, name: str) -> Mapping[str, object]:
        """A table of the SPEC, empty if there is none."""
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise self.wrong(("", 0, name), f"{name} is a table: write [{name}].")
        return value

    def read(self, name: str, keys: Mapping[str, _Key], also: tuple[str, ...] = ()) -> Any:
        """The values of a table's keys, each read."""
        made = {}
        for key, value in (self.table(name) if name else self.values).items():
            if key in also:
                continue
            place = (name, 0, key)
            if key not in keys:
                raise self.wrong(place, unknown(key, name, (*keys, *also)))
            try:
                made[key] = keys[key].read(value)
            except (ValueError, TypeError):
                sentence = f"{key} cannot be {said(value)}: give {keys[key].expected}."
                raise self.wrong(place, sentence) from None
        return made


def unknown(key: str, table: str, keys: tuple[str, ...]) -> str:
    """The sentence that refuses a key which no table has."""
    where = f" in [{table}]" if table else ""
    near = nearest(key, keys)
    return f"there is no key {quoted(key)}{where}: " + (
        f"did you mean {near}?" if near else f"give {', '.join(keys)}."
    )


def said(value: object) -> str:
    """A value of TOML in a sentence."""
    text = json.dumps(value, default=str, ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "..."


def _splits(reader: _Reader) -> tuple[tuple[str, float], ...]:
    """The shares of the splits; they are made to add up to one."""
    shares = []
    for name, value in reader.table("splits").items():
        place = ("splits", 0, name)
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
        if not 0 <= number <= 1e6:
            raise reader.wrong(place, f"{name} cannot be {said(value)}: give a share such as 0.8.")
        if not name.isidentifier():
            raise reader.wrong(place, f"a split cannot be called {quoted(name)}.")
        shares.append((name, float(number)))
    total = sum(round(share * 1e9) for _, share in shares) / 1e9
    if shares and not total:
        raise reader.wrong(("splits", 0, ""), "all splits are empty: give one of them a share.")
    return tuple((name, share / total) for name, share in shares)


def _mix(reader: _Reader) -> Iterator[Share]:
    tables = reader.values.get("mix", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise reader.wrong(("", 0, "mix"), "mix is a list of tables: write [[mix]].")
    for index, table in enumerate(tables):
        try:
            yield share_of(table, index, _TOP)
        except ShareError as error:
            raise reader.wrong(("mix", index, error.key), error.reason) from None
    if tables and not any(table.get("weight", 1) for table in tables):
        raise reader.wrong(("mix", 0, "weight"), "every weight is 0: give one of them more.")


def spec_of(path: str) -> Spec:
    """The SPEC in a file. Raises OptionError, one sentence with the line that is wrong."""
    shown = printable(path)
    return parsed(content_of(path, shown, "a SPEC is read from a file", must_be=True), shown)


def parsed(content: bytes, shown: str) -> Spec:
    """The SPEC in a text of TOML; `shown` names it in sentences. Raises OptionError."""
    reader = _Reader(content, shown)
    fields = reader.read("", _TOP, also=_TABLES) | reader.read("export", _EXPORT)
    if "runs" not in fields and "cluster" not in reader.values:
        raise OptionError(f"{shown} does not say how many runs there are: give runs = 24.")
    fields = {"runs": 0} | fields
    mix = tuple(_mix(reader))
    spec = Spec(**fields, mix=mix)
    spec = spec._replace(cluster=_cluster(reader, spec))
    splits = _splits(reader)
    spec = spec._replace(splits=splits) if splits else spec
    _possible(reader, spec)
    return spec


def _cluster(reader: _Reader, spec: Spec) -> Pool | None:
    """The cluster whose days are a part of the data set, if there is one."""
    if "cluster" not in reader.values:
        return None
    fields: dict[str, Any] = reader.read("cluster", _CLUSTER)
    if "nodes" not in fields:
        sentence = "[cluster] does not say how many nodes there are: give nodes = 64."
        raise reader.wrong(("cluster", 0, ""), sentence)
    if not fields.pop("gauges", True):
        fields["sample"] = 0.0
    weekday, hour = spec.start.weekday(), spec.start.hour
    return Pool(**fields, seed=spec.seed, weekday=weekday, first_hour=hour)


def _possible(reader: _Reader, spec: Spec) -> None:
    """Raises OptionError for a part of the mix of which no run can be planned."""
    from llmsim.fleet.mix import planned

    for share in spec.mix:
        try:
            planned(spec, share)
        except LlmsimError as error:
            sentence = error.sentence(FLAG)
            raise reader.wrong(("mix", share.number, ""), sentence) from None


def digest(spec: Spec) -> str:
    """The hash that a data set keeps of its SPEC, of this version and of its layout."""
    told = json.dumps([LAYOUT, __version__, spec], default=str, separators=(",", ":"))
    return sha256(told.encode()).hexdigest()
