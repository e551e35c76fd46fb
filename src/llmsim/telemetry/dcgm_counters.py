"""Which fields dcgm-exporter's page has: NVIDIA's own lists, and files in their format.

    DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature (in C).

Three fields a line, blanks trimmed, # begins a comment; the type `label` makes a label of a field
instead of a family. An unknown field ends the exporter at its start, and so it does here; a field
that DCGM knows and that our GPUs do not report is left out, as on a board without it.
Source: NVIDIA/dcgm-exporter, internal/pkg/counters/counter_config.go.
"""

from csv import Error as CsvError
from csv import reader
from functools import cache

from llmsim.catalog.records import text_of
from llmsim.errors import OptionError
from llmsim.telemetry import dcgm
from llmsim.telemetry.dcgm_versions import Version
from llmsim.typed import NamedTuple

# Families of the exporter's own, which have several samples a GPU, and their numbers there.
XID_COUNT, CLOCK_EVENTS = "DCGM_EXP_XID_ERRORS_COUNT", "DCGM_EXP_CLOCK_EVENTS_COUNT"
HEALTH, PEERS = "DCGM_EXP_GPU_HEALTH_STATUS", "DCGM_EXP_P2P_STATUS"
OWN = {XID_COUNT: 9001, CLOCK_EVENTS: 9002, HEALTH: 9003, PEERS: 9004}

# Ids of fields that are labels: texts, which no family shows.
DRIVER, NVML, BRAND, SERIAL, VBIOS = 1, 2, 51, 53, 85
TYPES = ("gauge", "counter", "histogram", "summary", "label")
_FIELDS = {field.id: field for field in dcgm.FIELDS}


class Counter(NamedTuple):
    """One line of a list."""

    name: str  # as the page writes it
    kind: str
    help: str
    id: int
    field: dcgm.Field | None = None  # where the value comes from; None: a label, or none of ours


@cache
def names() -> dict[str, int]:
    """The id of every field name that the exporter knows, old and new."""
    rows = (row.split(",") for row in text_of("dcgm_fields.csv").splitlines())
    known = {name: int(row[0]) for row in rows if row[0].isdigit() for name in row[1:]}
    return known | OWN


@cache
def names_of(number: int) -> tuple[str, ...]:
    """Every name of a field, by its id."""
    return tuple(name for name, each in names().items() if each == number)


def parsed(text: str, shown: str = "the list") -> tuple[Counter, ...]:
    """The counters of a list in NVIDIA's format, in the order of the page.

    Raises OptionError, the part of the sentence after the option's name.
    """
    found: dict[str, Counter] = {}
    rows = [row for row in text.splitlines() if row.strip() and not row.startswith("#")]
    try:
        cells = [*reader(rows, strict=True)]
    except CsvError as error:
        raise OptionError(f"cannot be read: {shown} is not CSV ({error}).") from None
    if '""' not in text and any('"' in cell for row in cells for cell in row):
        raise OptionError('cannot be read: a " stands inside a field, or after a blank.')
    for row in cells:
        counter = _counter([cell.strip(" ") for cell in row], shown)
        if counter.name in found and counter.kind != "label":
            # The page would have two HELP lines for one name, and no scrape could read it.
            raise OptionError(f"has {counter.name} twice: give each field one line.")
        found[counter.name] = counter
    if not found:
        raise OptionError(f"names no field: give lines such as {EXAMPLE}")
    return tuple(sorted(found.values(), key=lambda each: (each.id, each.name)))


EXAMPLE = "DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature (in C)."


def _counter(cells: list[str], shown: str) -> Counter:
    if len(cells) != 3:
        raise OptionError(
            f"has a line of {len(cells)} fields, '{', '.join(cells)[:60]}': give three, "
            f"such as {EXAMPLE}"
        )
    name, kind, text = cells
    if name not in names():
        raise OptionError(f"names a field that DCGM does not have: {name} in {shown}.")
    if kind not in TYPES:
        raise OptionError(f"has the type '{kind}' for {name}: give gauge, counter or label.")
    number = names()[name]
    field = None if kind == "label" else _FIELDS.get(number)
    return Counter(name, kind, text, number, field)


def counters(which: str, version: Version) -> tuple[Counter, ...]:
    """The counters of `default` or `full` in a release, in the order of the page."""
    made = [_listed(field, version) for field in dcgm.FIELDS if _has(field, which, version)]
    if which == "full" and not version.old_names:
        made += [
            Counter(XID_COUNT, "counter", "reported XIDs during last window", OWN[XID_COUNT]),
            Counter(CLOCK_EVENTS, "counter", "reported clock events", OWN[CLOCK_EVENTS]),
        ]
        if version.health:  # a counter in etc/default-counters.csv, though its value falls again
            made.append(Counter(HEALTH, "counter", "DCGM reported health status", OWN[HEALTH]))
    label = Counter("DCGM_FI_DRIVER_VERSION", "label", "Driver Version", DRIVER)
    made += [] if version.old_names else [label]
    return tuple(sorted((each for each in made if each.name), key=lambda each: each.id))


def _has(field: dcgm.Field, which: str, version: Version) -> bool:
    if field.id == 253 and not version.reserved:  # FB_RESERVED
        return which == "full" and not version.old_names
    return field.default or which == "full"


def _listed(field: dcgm.Field, version: Version) -> Counter:
    name, text = dcgm.metric(field), field.help
    if version.old_names:
        name = next((each for each in names_of(field.id) if each.startswith("dcgm_")), "")
    if not version.nanoseconds:
        text = text.replace("(in ns)", "(in us)")
    if version.percent and text.startswith("Ratio of") and field.default:
        text = f"{text.removesuffix('.')} (in %)."
    return Counter(name, field.kind, text, field.id, field)
