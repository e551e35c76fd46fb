"""dcgm-exporter's page of one node, byte by byte, as a pure function of the run and a moment.

    page(run, node, at, exporter)  ->  "# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency ..."

Families stand in the order of their field ids, a family's samples in the order of the GPUs.
Labels: the card's, the node's, the list's label fields in alphabetical order, then attributes in
alphabetical order (pods, error codes, Slurm's job). Whole numbers as %d, others as %f; a field
without a value is left out. Source: NVIDIA/dcgm-exporter, internal/pkg/rendermetrics.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from math import inf

from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.physics.hardware.gauges import Columns, Gauges, in_rows
from llmsim.run import cluster, hardware_ids
from llmsim.run.complaints import faults
from llmsim.run.timeline import Run, owner, segment_at
from llmsim.telemetry import dcgm, dcgm_counters
from llmsim.telemetry.dcgm import Field
from llmsim.telemetry.dcgm_counters import Counter
from llmsim.telemetry.dcgm_own import Pairs, gave_up, latest_errors, own_rows
from llmsim.telemetry.dcgm_versions import Version
from llmsim.telemetry.samples import ended_by, node_columns, tick_of
from llmsim.typed import Literal, NamedTuple

Labels = Literal["none", "k8s", "exported", "slurm"]
LABELS: tuple[Labels, ...] = ("none", "k8s", "exported", "slurm")
ENERGY = 156  # the field that needs the integral of power
NAMESPACE, CONTAINER = "train", "trainer"


class Exporter(NamedTuple):
    """How an exporter is set up; `collect` is the interval of its own readings, in seconds."""

    version: Version
    counters: tuple[Counter, ...]
    labels: Labels = "none"
    collect: float = 30.0

    def __hash__(self) -> int:
        """The hash of the object, which is quick: lists of counters are long."""
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object."""
        return self is other


def page(run: Run, node: int, at: float, exporter: Exporter) -> str:
    """The page of a node, counted from 0, at a simulated second.

    Between two of its readings an exporter shows the last one, so that two scrapes within its
    interval get the same bytes.
    """
    every, now = exporter.collect, at
    at = max(0.0, at // every * every if every else at)
    ranks = ranks_on(run.job, node)
    energy = any(each.id == ENERGY for each in exporter.counters)
    seen = node_columns(run, tick_of(run, at), node, energy=energy)
    cards = _cards(run, exporter, node, at)
    given_up = gave_up(run, now).get(node, inf) if exporter.version.gives_up else inf
    if given_up <= at:
        seen = {name: [] for name in seen}
    heads = [cards[gpu - ranks.start] for gpu in seen["gpu"]]
    latest = latest_errors(run, ranks, at, now, given_up) if now > at else {}
    told = _Told(ranks, cards, seen, latest, given_up)
    tail = attributes(run, node, at, exporter)
    closing = "".join(f',{name}="{value}"' for name, value in tail)
    opened = [f"{head}{closing}}} " for head in heads]
    job, parts = owner(run, at), []
    for part in _parts(run, exporter, len(heads)):
        if isinstance(part, Counter):
            parts += _special(run, part, exporter, at, told, tail)
        elif heads:
            parts.append(_filled(job, part, opened, seen))
    return "".join(parts)


class _Stretch(NamedTuple):
    """Families in a row whose samples have the same labels: a form, and what goes into it.

    The form takes a sample's labels and its value in turns; a value is a gauge, by its name, or
    what a field makes of the gauges, or 0.
    """

    form: str
    values: tuple[str | Field, ...]  # one a family


def _parts(run: Run, exporter: Exporter, count: int) -> tuple[_Stretch | Counter, ...]:
    """The page of this many GPUs: stretches, and between them families with labels of their own."""
    known: dict[tuple[Exporter, int], tuple[_Stretch | Counter, ...]]
    known = run.memo.setdefault("dcgm parts", {})
    if (exporter, count) not in known:
        made: list[_Stretch | Counter] = []
        version = exporter.version
        there = [
            each for each in exporter.counters if not each.field or each.field.has(run.job.gpu)
        ]
        for own, same in groupby(there, key=lambda each: _kind(each, version)):
            if own == "own":
                made += same
            elif own == "shared":
                made.append(_stretch([*same], count))
        known[exporter, count] = tuple(made)
    return known[exporter, count]


def _kind(counter: Counter, version: Version) -> str:
    """Whether a family's samples have labels of their "own" or the "shared" ones; or "none", since
    a label is no family.
    """
    if counter.kind == "label" or not (counter.field or counter.name in dcgm_counters.OWN):
        return "none"
    coded = counter.field and counter.field.coded and (version.codes or version.clean)
    return "own" if coded or not counter.field else "shared"


def _stretch(counters: list[Counter], count: int) -> _Stretch:
    lines, values = [], list[str | Field]()
    for counter in counters:
        field = counter.field
        assert field is not None, counter.name
        gauge = dcgm.plain(field)
        sign = "%f" if gauge and Gauges.__annotations__[gauge] is float else "%s"
        values.append(gauge or field)
        lines += [_opening(counter).replace("%", "%%"), f"{counter.name}%s{sign}\n" * count]
    return _Stretch("".join(lines), tuple(values))


def _filled(job: Job, stretch: _Stretch, labels: list[str], seen: Columns) -> str:
    """The lines of a stretch."""
    found: list[Iterable[object]] = []
    for value in stretch.values:
        if isinstance(value, str):
            found.append(seen[value])
        elif value.is_zero:
            found.append("0" * len(labels))
        else:
            found.append(map(dcgm.number, dcgm.column(job, value, seen)))
    filling: list[object] = [*labels, *labels] * len(found)
    filling[::2] = labels * len(found)
    filling[1::2] = chain.from_iterable(found)
    return stretch.form % tuple(filling)


def _opening(counter: Counter) -> str:
    return f"# HELP {counter.name} {counter.help}\n# TYPE {counter.name} {counter.kind}\n"


class _Told(NamedTuple):
    """What is known of a node's GPUs: of the ones that are lost nothing stands in the columns."""

    ranks: range
    heads: list[str]  # the first labels of each GPU
    seen: Columns
    latest: dict[int, int]  # the codes of the errors since the reading, by rank
    given_up: float  # when DCGM has given up calling the driver; infinity: not yet


class _Card(NamedTuple):
    """A GPU whose errors are told; `gauges` is None of one that is lost."""

    gpu: int
    head: str  # the first labels
    gauges: Gauges | None
    error: int | None  # the last one's code; 0: none so far; None: the field has no value


def _cards_told(run: Run, version: Version, at: float, told: _Told) -> Iterator[_Card]:
    """The GPUs of a node in order, with their last errors at a moment, which an event tells as it
    comes; all other fields wait for the exporter's next reading.

    A lost GPU has no value in any field from that reading on, and no error either (see
    `Version.forgets`); its counts of errors go on.
    """
    known, blank = {each.gpu: each for each in in_rows(told.seen)}, told.given_up <= at
    if not (known or told.latest or blank):
        return  # nobody answers for a node that is dead
    kept = {} if version.forgets or blank or len(known) == len(told.ranks) else faults(run, at)
    for gpu, head in zip(told.ranks, told.heads, strict=True):
        gauges, error = known.get(gpu), told.latest.get(gpu)
        if error is None and gauges:
            error = gauges.xid
        elif error is None and gpu in kept:
            error = kept[gpu].xid
        yield _Card(gpu, head, gauges, error)


def _special(
    run: Run, counter: Counter, exporter: Exporter, at: float, told: _Told,
    tail: tuple[tuple[str, str], ...],
) -> list[str]:  # fmt: skip
    """The lines of a family whose samples have labels of their own; none without a sample."""
    lines, version = [], exporter.version
    if counter.field and not version.clean and not told.latest and not any(told.seen["xid"]):
        return []  # releases that show no error of a clean GPU show none of a lost one
    for card in _cards_told(run, version, at, told):
        if counter.field:
            rows = _error(card.error, exporter.version)
        else:
            rows = own_rows(run, counter.name, card.gpu, card.gauges, at, told.given_up)
        for labels, more, value in rows:
            pairs = (*labels, *sorted((*tail, *more)))
            text = "".join(f',{name}="{each}"' for name, each in pairs)
            lines.append(f"{counter.name}{card.head}{text}}} {value}\n")
    return [_opening(counter), *lines] if lines else []


def _error(code: int | None, version: Version) -> Iterator[tuple[Pairs, Pairs, int]]:
    """The last error of a GPU, with its text; of a clean GPU only where the release shows it."""
    if code or (code == 0 and version.clean):
        text = dcgm.XID_TEXTS.get(code, "Unknown Error")
        codes = (("err_code", str(code)), ("err_msg", text))
        yield (), codes if version.codes else (), code


# --- labels --------------------------------------------------------------------------------------


def _cards(run: Run, exporter: Exporter, node: int, at: float) -> list[str]:
    """The labels of each GPU of a node's machine at a moment, without the closing brace."""
    known: dict[tuple[Exporter, int], list[str]] = run.memo.setdefault("dcgm cards", {})
    job = owner(run, at)
    place = exporter, cluster.machine(job, node)
    if place not in known:
        size = gpus_per_node(job)
        known[place] = [
            "{" + card_labels(job, node * size + local, exporter) for local in range(size)
        ]
    return known[place]


def card_labels(job: Job, gpu: int, exporter: Exporter) -> str:
    """The labels of a GPU, its node and the list's label fields."""
    version = exporter.version
    node, local = divmod(gpu, gpus_per_node(job))
    bus = f'pci_bus_id="{cluster.bus_address(job, local)}",' if version.bus else ""
    made = (
        f'gpu="{local}",{version.uuid}="{hardware_ids.gpu_uuid(job, gpu)}",{bus}'
        f'device="nvidia{local}",modelName="{job.gpu.name}",'
        f'{version.host}="{cluster.hostname(job, node)}"'
    )
    texts = {
        dcgm_counters.DRIVER: job.software.driver,
        dcgm_counters.NVML: f"{cluster.driver_cuda(job.software.driver)}.{job.software.driver}",
        dcgm_counters.SERIAL: hardware_ids.gpu_serial(job, gpu),
        dcgm_counters.BRAND: "NVIDIA",
    }
    # A text that the driver does not have is no label: a GeForce has no serial number.
    fields = sorted((each.name, texts[each.id]) for each in exporter.counters
                    if each.kind == "label" and texts.get(each.id))  # fmt: skip
    return made + "".join(f',{name}="{value}"' for name, value in fields)


def attributes(run: Run, node: int, at: float, exporter: Exporter) -> Pairs:
    """The labels that say whose GPU it is, in alphabetical order; none while no job has it."""
    if exporter.labels == "none" or segment_at(run, at).kind == "outage" or ended_by(run, at):
        return ()
    job, version = run.job, exporter.version
    if exporter.labels == "slurm":
        return (("hpc_job", str(hardware_ids.slurm_job(job))),) if version.codes else ()
    pod = f"{job.run_name}-worker-{node}"
    if exporter.labels == "exported":
        return (
            ("exported_container", CONTAINER), ("exported_namespace", NAMESPACE),
            ("exported_pod", pod),
        )  # fmt: skip
    if version.old_names:
        return ("container_name", CONTAINER), ("pod_name", pod), ("pod_namespace", NAMESPACE)
    uid = (("pod_uid", ""),) if version.pod_uid else ()
    return ("container", CONTAINER), ("namespace", NAMESPACE), ("pod", pod), *uid
