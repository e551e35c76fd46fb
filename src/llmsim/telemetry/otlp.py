"""OTLP as JSON lines: each line a whole request, as the collector's file exporter writes it.

GPUs are told by the semantic conventions for hardware (1.44.0, hw.gpu.*, hw.power, hw.energy,
hw.temperature). They have nothing for training, so its metrics are ours: llm.training.*.
64-bit integers are texts, enums are numbers (OTLP/JSON).
"""

from llmsim import __version__
from llmsim.catalog import gpus as catalog
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import cluster, events, hardware_ids
from llmsim.run.events import Event
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.clock import nanoseconds
from llmsim.telemetry.jsonl import line
from llmsim.telemetry.samples import MOST_GPUS, sample
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer
from llmsim.typed import Any

CUMULATIVE = 2  # AggregationTemporality
MIB = 2**20

Json = dict[str, Any]


def attribute(key: str, value: str | int | bool) -> Json:
    """A name with its value."""
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    return {"key": key, "value": {"stringValue": value}}


def request(job: Job, host: str, metrics: list[Json]) -> Json:
    """A request with the metrics of one host."""
    resource = [
        attribute("host.name", host),
        attribute("service.name", job.run_name),
        attribute("simulated", True),
    ]
    scope = {"name": "llmsim", "version": __version__}
    scoped = [{"scope": scope, "metrics": metrics}]
    return {"resourceMetrics": [{"resource": {"attributes": resource}, "scopeMetrics": scoped}]}


def gauge(name: str, unit: str, points: list[Json]) -> Json:
    """A metric whose value counts as it is."""
    return {"name": name, "unit": unit, "gauge": {"dataPoints": points}}


def total(name: str, unit: str, points: list[Json], *, monotonic: bool) -> Json:
    """A metric whose value is a sum since the beginning."""
    data = {
        "dataPoints": points,
        "aggregationTemporality": CUMULATIVE,
        "isMonotonic": monotonic,
    }
    return {"name": name, "unit": unit, "sum": data}


def _point(
    job: Job, at: float, value: float, attributes: list[Json], since: float = 0.0
) -> Json:  # fmt: skip
    number = {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
    time = {"startTimeUnixNano": str(nanoseconds(job, since)),
            "timeUnixNano": str(nanoseconds(job, at))}  # fmt: skip
    return {**time, **number, "attributes": attributes}


def _identity(job: Job, gpu: int) -> list[Json]:
    local, serial = gpu % gpus_per_node(job), hardware_ids.gpu_serial(job, gpu)
    return [
        attribute("hw.id", hardware_ids.gpu_uuid(job, gpu)),
        attribute("hw.type", "gpu"),
        attribute("hw.name", f"gpu{local}"),
        attribute("hw.model", job.gpu.name),
        attribute("hw.vendor", catalog.vendor(job.gpu)),
        *([attribute("hw.serial_number", serial)] if serial else []),
        attribute("hw.driver_version", job.software.driver),
    ]


def hardware(job: Job, at: float, seen: tuple[Gauges, ...]) -> list[Json]:
    """The metrics of some GPUs at a moment. The job has the machines that it has then: a node that
    has booted counts since its boot.
    """
    booted, size = dict(job.boots), gpus_per_node(job)
    since = [booted.get(each.gpu // size, 0.0) for each in seen]
    whose = [_identity(job, each.gpu) for each in seen]
    general = attribute("hw.gpu.task", "general")

    def points(values: list[float], *more: Json) -> list[Json]:
        return [
            _point(job, at, value, [*identity, *more], begun)
            for value, identity, begun in zip(values, whose, since, strict=True)
        ]

    usable = [each.total_mib - each.reserved_mib for each in seen]
    return [
        gauge("hw.gpu.utilization", "1",
              points([each.utilization_percent / 100 for each in seen], general)),
        gauge("hw.gpu.memory.utilization", "1",
              points([each.used_mib / size for each, size in zip(seen, usable, strict=True)])),
        total("hw.gpu.memory.usage", "By", points([each.used_mib * MIB for each in seen]),
              monotonic=False),
        total("hw.gpu.memory.limit", "By", points([each.total_mib * MIB for each in seen]),
              monotonic=False),
        gauge("hw.temperature", "Cel", points([float(each.temperature_c) for each in seen])),
        gauge("hw.power", "W", points([each.power_watts for each in seen])),
        total("hw.energy", "J", points([each.energy_joules for each in seen]), monotonic=True),
    ]  # fmt: skip


def training(job: Job, event: events.Step) -> list[Json]:
    """The metrics of a logged step."""
    values: dict[str, tuple[str, float]] = {
        "llm.training.loss": ("1", event.loss),
        "llm.training.gradient_norm": ("1", event.gradient_norm),
        "llm.training.learning_rate": ("1", event.learning_rate),
        "llm.training.step.duration": ("s", event.step_seconds),
        "llm.training.throughput": ("{token}/s", event.tokens_per_second),
        "llm.training.mfu": ("1", event.mfu),
    }
    step = [attribute("llm.training.step", event.step)]
    made = [
        gauge(name, unit, [_point(job, event.at, value, step)])
        for name, (unit, value) in values.items()
    ]
    tokens = [_point(job, event.at, event.tokens, [])]
    return [*made, total("llm.training.tokens", "{token}", tokens, monotonic=True)]


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of a request for each logged step, and for each node at each sample."""
    job = run.job

    def told(event: Event) -> Pieces:
        if isinstance(event, events.Step):
            host = cluster.hostname(owner(run, event.at), 0)
            yield Piece(line(request(job, host, training(job, event))))

    def taken(at: float) -> Pieces:
        seen, size = sample(run, at).gpus, gpus_per_node(job)
        for node in range(-(-min(job.layout.gpus, MOST_GPUS) // size)):
            these = tuple(each for each in seen if each.gpu // size == node)
            now = owner(run, at)
            yield Piece(line(request(now, cluster.hostname(now, node), hardware(now, at, these))))

    return Writer(event=told, sample=taken)
