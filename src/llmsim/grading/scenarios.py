"""What monitoring sees of runs: a healthy one, and one for each kind of incident, as series.

    healthy(seed)  ->  Scenario        two nodes of H100 from the command to the end
    struck(kind)   ->  Scenario        the same cluster around an incident of this kind

A series is a text with its labels, and a value for each scrape. Of all metrics only the ones that
somebody asks for are computed.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from llmsim.catalog.gpus import has_fast_link, is_nvidia
from llmsim.catalog.records import Gpu, gpus
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.physics.hardware.troubles import CALM
from llmsim.planning.plan import plan
from llmsim.run.events import Incident
from llmsim.run.incident_kinds import KINDS, kind_named
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, owner, run_ended
from llmsim.telemetry import (
    dcgm,
    discovery,
    gpu_exporter_page,
    node_page,
    trainer_page,
)
from llmsim.telemetry.dcgm_counters import OWN, Counter, names
from llmsim.telemetry.dcgm_page import Exporter, Labels, page
from llmsim.telemetry.dcgm_versions import Version
from llmsim.telemetry.exposition import Family, number
from llmsim.telemetry.samples import tick_of
from llmsim.typed import NamedTuple

SCRAPE = 30.0  # seconds
BEFORE, AFTER = 1200.0, 2700.0  # seconds of a scenario around its incident
START = datetime(2026, 1, 30, 12)
SEED = 4
NODES = 2
# The run that is watched: an 8B model of 256 x 4,096 tokens a step. On 16 H100 at about 10,000
# tokens a second and GPU a step takes 1,048,576 / 160,000 = 6.5 s, and 1,800 steps three hours.
MODEL, SEQUENCE, BATCH, STEPS = "Basalt-8B", 4096, 256, 1800
CORES = 8  # of a node that are looked at
_FIELDS = {field.id: field for field in dcgm.FIELDS}


class Scenario(NamedTuple):
    """A stretch of a run that is scraped, and what happens in it."""

    name: str  # healthy, or the kind of the incident
    run: Run
    began: float  # the simulated second of the first scrape
    ended: float
    struck: float = 0.0  # when the incident strikes
    over: float = 0.0
    every: float = SCRAPE  # seconds from one scrape to the next

    @property
    def scrapes(self) -> int:
        """How many scrapes there are."""
        return int((self.ended - self.began) // self.every) + 1

    def clock(self, at: float) -> float:
        """What promtool's clock shows at a simulated second: the first scrape is at 0."""
        return at - self.began


# What node_exporter's page of ours has of InfiniBand.
INFINIBAND = (
    "port_data_received_bytes_total", "port_data_transmitted_bytes_total",
    "port_packets_received_total", "port_packets_transmitted_total", "link_downed_total",
    "link_error_recovery_total", "port_errors_received_total", "port_discards_received_total",
    "port_discards_transmitted_total", "port_transmit_wait_total", "state_id",
    "physical_state_id", "rate_bytes_per_second",
)  # fmt: skip


def kinds() -> tuple[str, ...]:
    """The incidents that a cluster of H100 can have."""
    return tuple(kind.name for kind in KINDS if kind.needs != "fp16")


def card() -> Gpu:
    """The cluster's: the first listed GPU of NVIDIA's with NVLink and a limit of 700 W."""
    return next(
        gpu for gpu in gpus() if is_nvidia(gpu) and has_fast_link(gpu) and gpu.tdp_watts == 700
    )


def _run(seed: int, incident: tuple[str, ...] = (), steps: int = STEPS) -> Run:
    return run_of(plan(Options(
        seed=seed, start=START, gpu=card().name, gpus=8 * NODES, recipe="pretrain",
        incidents="none", incident=incident,
        model=MODEL, sequence=SEQUENCE, batch=BATCH, steps=steps,
    )))  # fmt: skip


def healthy(seed: int = SEED, steps: int = STEPS) -> Scenario:
    """A run in which nothing breaks, from its command to its end."""
    run = _run(seed, steps=steps)
    return Scenario("healthy", run, 0.0, run_ended(run))


def struck(kind: str, seed: int = SEED) -> Scenario | None:
    """A run with an incident, and the time around it; None where it cannot have that one."""
    asked = f"{kind}@45%" + ":rank=5" * kind_named(kind).node_fault
    run = _run(seed, (asked,))
    for segment in run.timeline:
        for event in segment.events:
            if isinstance(event, Incident) and event.kind == kind:
                began = max(0.0, event.at // SCRAPE * SCRAPE - BEFORE)
                return Scenario(kind, run, began, event.at + AFTER, event.at, event.over)
    return None


# --- series --------------------------------------------------------------------------------------

Series = dict[str, list[str]]


def series(
    scenario: Scenario, wanted: Iterable[str], version: Version, labels: Labels = "none"
) -> Series:
    """The values of metrics at each scrape, by series; "_" where a scrape has no sample."""
    asked = frozenset(wanted)
    exporter = Exporter(version, _counters(asked), labels, scenario.every)
    count, found = scenario.scrapes, Series()
    for scrape in range(count):
        at = scenario.began + scrape * scenario.every
        for name, value in _samples(scenario, at, asked, exporter):
            known = found.get(name)
            if known is None:
                known = found[name] = []
            if len(known) < scrape:
                known += gone(known, scrape)
            known.append(value)
    for values in found.values():
        values.extend(gone(values, count))
    return found


def gone(values: list[str], count: int) -> list[str]:
    """What is missing up to this number of scrapes: a series that ends is marked as stale."""
    missing = count - len(values)
    first = ["stale"] if values and missing else ["_"] * min(1, missing)
    return first + ["_"] * (missing - 1)


def _counters(asked: frozenset[str]) -> tuple[Counter, ...]:
    """A list with the fields that are asked for, under the names that they are asked by."""
    made = []
    for name in asked:
        identity = names().get(name)
        if identity in _FIELDS:
            field = _FIELDS[identity]
            made.append(Counter(name, field.kind, field.help, identity, field))
        elif name in OWN:
            made.append(Counter(name, "counter", "", OWN[name]))
    label = Counter("DCGM_FI_DRIVER_VERSION", "label", "Driver Version", 1)
    return (*sorted(made, key=lambda each: (each.id, each.name)), label)


def _samples(
    scenario: Scenario, at: float, asked: frozenset[str], exporter: Exporter
) -> Iterator[tuple[str, str]]:
    """The samples of a scrape of every page: the series with its target's labels, and the value."""
    run, job = scenario.run, owner(scenario.run, at)
    for node in range(job.layout.nodes):
        if len(exporter.counters) > 1:
            target = _target(job, node, 0)
            for line in page(run, node, at, exporter).splitlines():
                if not line.startswith("#"):
                    name, _, value = line.rpartition("} ")
                    yield f"{name},{target}}}", value
        if any(name.startswith("node_") for name in asked):
            seen = node_page.families(run, node, at, asked, scenario.clock)
            yield from _plain(map(_few_cores, seen), asked, _target(job, node, 1))
        if any(name.startswith("nvidia_smi_") for name in asked):
            made = gpu_exporter_page.families(run, node, at, scenario.clock, only=asked)
            yield from _plain(made, asked, _target(job, node, 2))
        if "up" in asked:
            dead = tick_of(run, at).troubles.get(node, CALM).silent
            for kind in range(3):
                yield f"up{{{_target(job, node, kind)}}}", str(int(not dead))
    if any(name.startswith("trainer_") for name in asked):
        yield from _plain(trainer_page.families(run, at, scenario.clock), asked, _target(job, 0, 3))


def _few_cores(family: Family) -> Family:
    """The samples of the first cores alone: promtool loads 10,000 samples for a query at most."""
    few = tuple(each for each in family.samples if int(dict(each[0]).get("cpu", 0)) < CORES)
    return family._replace(samples=few)


def _target(job: Job, node: int, kind: int) -> str:
    host = dcgm.target(job, 8 * node).partition('"')[2].partition(":")[0]
    exporter = discovery.KINDS[kind]
    return f'instance="{host}:{exporter.port}",job="{exporter.job}"'


def _plain(
    families: Iterable[Family], asked: frozenset[str], target: str
) -> Iterator[tuple[str, str]]:
    for family in families:
        if family.name in asked:
            for labels, value in family.samples:
                own = "".join(f'{name}="{each}",' for name, each in sorted(labels))
                yield f"{family.name}{{{own}{target}}}", number(value)
