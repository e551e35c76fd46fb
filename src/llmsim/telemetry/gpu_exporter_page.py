"""The page of nvidia_gpu_exporter (its NVML back end) for one node, from the same gauges.

Names, units and help texts as utkuozdemir/nvidia_gpu_exporter prints them for an H100 of driver
590 (internal/integration/testdata): SI units, ratios 0 to 1, one label `uuid` without "GPU-".
Every family is a gauge but the few that end in _total by the exporter's own name.
"""

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial

from llmsim.catalog import gpus as catalog
from llmsim.catalog.power_limits import unlimited
from llmsim.catalog.records import Gpu
from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import cluster, hardware_ids
from llmsim.run.timeline import Run, owner
from llmsim.telemetry import dcgm
from llmsim.telemetry.clock import Clock, unix
from llmsim.telemetry.dcgm_own import attempt_symptoms, told_errors
from llmsim.telemetry.exposition import Family, text
from llmsim.telemetry.samples import gauges_of, tick_of

PORT = 9835
MIB = 2**20
# What the driver recommends after an error: its words in Xid 154, and NVML's number for it.
RECOVERY = {"reset": 1, "reboot": 2, "drain": 4}
_REASONS = {
    "gpu_idle": 0x1, "applications_clocks_setting": 0x2, "sw_power_cap": 0x4, "hw_slowdown": 0x8,
    "sync_boost": 0x10, "sw_thermal_slowdown": 0x20, "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
}  # fmt: skip
_COUNTED = {
    "hw_power_brake_slowdown": "power_brake_slowdown_seconds",
    "hw_thermal_slowdown": "hardware_thermal_slowdown_seconds", "sync_boost": "",
    "sw_power_cap": "power_capped_seconds", "sw_thermal_slowdown": "thermal_slowdown_seconds",
}  # fmt: skip

Value = Callable[[Job, Gauges], float]


def _bytes(name: str) -> Value:
    return lambda _job, gauges: MIB * int(getattr(gauges, name))


def _hertz(name: str) -> Value:
    return lambda _job, gauges: 1e6 * int(getattr(gauges, name))


def _share(name: str) -> Value:
    return lambda _job, gauges: int(getattr(gauges, name)) / 100


def _as_it_is(name: str) -> Value:
    return lambda _job, gauges: float(getattr(gauges, name))


def _limit(job: Job, _gauges: Gauges) -> float:
    return float(job.gpu.tdp_watts)


def _usual_limit(job: Job, _gauges: Gauges) -> float:
    return float(unlimited(job.gpu).tdp_watts)


def _top_clock(job: Job, _gauges: Gauges) -> float:
    return 1e6 * dcgm.clocks_of(job).top


def _top_memory_clock(job: Job, _gauges: Gauges) -> float:
    return 1e6 * dcgm.clocks_of(job).memory


def _fan(job: Job, gauges: Gauges) -> float:
    return (catalog.fan(job.gpu, gauges.temperature_c, gauges.performance_state) or 0) / 100


def _counts_errors(job: Job, _gauges: Gauges) -> float:
    return int(catalog.counts_errors(job.gpu))


def _constant(value: float) -> Value:
    return lambda _job, _gauges: value


def _bit(mask: int) -> Value:
    return lambda _job, gauges: int(gauges.clock_event_reasons & mask != 0)


def _watts(_job: Job, gauges: Gauges) -> float:
    return round(gauges.power_watts, 2)


# Metric, nvidia-smi's field with its unit, and the value.
_FIELDS: tuple[tuple[str, str, Value], ...] = (
    ("clocks_current_graphics_clock_hz", "clocks.current.graphics [MHz]", _hertz("sm_clock_mhz")),
    ("clocks_current_memory_clock_hz", "clocks.current.memory [MHz]", _hertz("memory_clock_mhz")),
    ("clocks_current_sm_clock_hz", "clocks.current.sm [MHz]", _hertz("sm_clock_mhz")),
    ("clocks_event_reasons_active", "clocks_event_reasons.active",
     _as_it_is("clock_event_reasons")),
    ("clocks_event_reasons_supported", "clocks_event_reasons.supported", _constant(511)),
    *((f"clocks_event_reasons_{name}", f"clocks_event_reasons.{name}", _bit(mask))
      for name, mask in _REASONS.items()),
    *((f"clocks_event_reasons_counters_{name}_seconds",
       f"clocks_event_reasons_counters.{name} [us]",
       _as_it_is(gauge) if gauge else _constant(0)) for name, gauge in _COUNTED.items()),
    ("clocks_max_memory_clock_hz", "clocks.max.memory [MHz]", _top_memory_clock),
    ("clocks_max_sm_clock_hz", "clocks.max.sm [MHz]", _top_clock),
    ("ecc_errors_corrected_aggregate_total", "ecc.errors.corrected.aggregate.total",
     _as_it_is("aggregate_correctable_errors")),
    ("ecc_errors_corrected_volatile_total", "ecc.errors.corrected.volatile.total",
     _as_it_is("correctable_errors")),
    ("ecc_errors_uncorrected_aggregate_total", "ecc.errors.uncorrected.aggregate.total",
     _as_it_is("aggregate_errors")),
    ("ecc_errors_uncorrected_volatile_total", "ecc.errors.uncorrected.volatile.total",
     _as_it_is("uncorrectable_errors")),
    ("ecc_mode_current", "ecc.mode.current", _counts_errors),
    ("enforced_power_limit_watts", "enforced.power.limit [W]", _limit),
    ("fan_speed_ratio", "fan.speed [%]", _fan),
    ("memory_free_bytes", "memory.free [MiB]", _bytes("free_mib")),
    ("memory_reserved_bytes", "memory.reserved [MiB]", _bytes("reserved_mib")),
    ("memory_total_bytes", "memory.total [MiB]", _bytes("total_mib")),
    ("memory_used_bytes", "memory.used [MiB]", _bytes("used_mib")),
    ("persistence_mode", "persistence_mode", _constant(1)),
    ("power_default_limit_watts", "power.default_limit [W]", _usual_limit),
    ("power_draw_average_watts", "power.draw.average [W]", _watts),
    ("power_draw_instant_watts", "power.draw.instant [W]", _watts),
    ("power_draw_watts", "power.draw [W]", _watts),
    ("power_limit_watts", "power.limit [W]", _limit),
    ("power_max_limit_watts", "power.max_limit [W]", _usual_limit),
    ("pstate", "pstate", _as_it_is("performance_state")),
    ("remapped_rows_correctable", "remapped_rows.correctable", _constant(0)),
    ("remapped_rows_failure", "remapped_rows.failure", _constant(0)),
    ("remapped_rows_pending", "remapped_rows.pending", _as_it_is("remap_pending")),
    ("remapped_rows_uncorrectable", "remapped_rows.uncorrectable", _as_it_is("remapped_rows")),
    ("temperature_gpu", "temperature.gpu", _as_it_is("temperature_c")),
    ("temperature_memory", "temperature.memory", _as_it_is("memory_temperature_c")),
    ("utilization_decoder_ratio", "utilization.decoder [%]", _constant(0)),
    ("utilization_encoder_ratio", "utilization.encoder [%]", _constant(0)),
    ("utilization_gpu_ratio", "utilization.gpu [%]", _share("utilization_percent")),
    ("utilization_memory_ratio", "utilization.memory [%]", _share("memory_utilization_percent")),
    ("pcie_throughput_rx_bytes_per_second",
     "PCIe traffic received by the GPU, sampled by the driver over a dedicated 20ms window.",
     _as_it_is("pcie_received_bytes_per_second")),
    ("pcie_throughput_tx_bytes_per_second",
     "PCIe traffic transmitted by the GPU, sampled by the driver over a dedicated 20ms window.",
     _as_it_is("pcie_sent_bytes_per_second")),
)  # fmt: skip
# Which GPUs have a metric, by how its name begins: there is none where nvidia-smi says N/A.
_SOME: dict[str, Callable[[Gpu], bool]] = {
    "ecc_errors": catalog.counts_errors, "ecc_mode": catalog.remaps_rows,
    "fan_speed": catalog.has_fan, "remapped_rows": catalog.remaps_rows,
    "temperature_memory": catalog.has_hbm,
}  # fmt: skip
NAMES = (
    *(f"nvidia_smi_{name}" for name, _, _ in _FIELDS),
    *(f"nvidia_smi_{name}" for name in (
        "gpu_info", "gpu_recovery_action", "energy_joules_total", "xid_errors_total",
        "xid_last_timestamp_seconds", "last_collect_success", "failed_scrapes_total",
        "last_collect_success_timestamp_seconds", "last_collect_duration_seconds",
        "nvml_return_code",
    )),
)  # fmt: skip


def has(gpu: Gpu, name: str) -> bool:
    """Whether this exporter has a metric of a GPU; all GPUs have most metrics."""
    beginnings = (each for each in _SOME if name.startswith(f"nvidia_smi_{each}"))
    return all(_SOME[each](gpu) for each in beginnings)


def page(run: Run, node: int, at: float, clock: Clock | None = None) -> str:
    """The page of a node at a simulated second; `clock` as in trainer_page."""
    return text(families(run, node, at, clock))


def families(
    run: Run,
    node: int,
    at: float,
    clock: Clock | None = None,
    only: Collection[str] = NAMES,
) -> list[Family]:
    """The families of a node at a simulated second, or the ones that are named."""
    at, energy = max(0.0, at), "nvidia_smi_energy_joules_total" in only
    job = owner(run, at)
    seen = gauges_of(run, tick_of(run, at), ranks_on(job, node), energy=energy)
    cards = [((("uuid", uuid(job, each.gpu)),), each) for each in seen]
    clock = clock or partial(unix, job)
    found = [
        Family(f"nvidia_smi_{name}", "gauge", meaning,
               tuple((card, value(job, each)) for card, each in cards))
        for name, meaning, value in _FIELDS
        if f"nvidia_smi_{name}" in only and has(job.gpu, f"nvidia_smi_{name}")
    ]  # fmt: skip
    found.append(
        Family("nvidia_smi_energy_joules_total", "counter",
               "Total energy consumed by the GPU in joules since the driver was last loaded. "
               "Resets on a driver reload; absent on GPUs that cannot report it.",
               tuple((card, round(dcgm.energy_millijoules(job, each) / 1e3, 3))
                     for card, each in cards))
    )  # fmt: skip
    found.append(
        Family("nvidia_smi_gpu_recovery_action", "gauge", "gpu_recovery_action",
               tuple((card, _recovery(run, each.gpu, at)) for card, each in cards))
    )  # fmt: skip
    found.append(_info(job, node, [each.gpu for each in seen]))
    found += [*_errors(run, node, at, clock), *_own(clock(at))]
    return [family for family in found if family.name in only]


def _own(now: float) -> list[Family]:
    """What the exporter says of itself."""
    return [
        Family("nvidia_smi_last_collect_success", "gauge",
               "Whether the most recent collection succeeded (1) or not (0)", (((), 1),)),
        Family("nvidia_smi_last_collect_success_timestamp_seconds", "gauge",
               "Unix time of the most recent successful collection", (((), round(now, 3)),)),
        Family("nvidia_smi_last_collect_duration_seconds", "gauge",
               "Duration of the most recent collection", (((), 0.021),)),
        Family("nvidia_smi_failed_scrapes_total", "counter", "Number of failed collections",
               (((), 0),)),
        Family("nvidia_smi_nvml_return_code", "gauge",
               "NVML return code of the most recent collection (0 = success)", (((), 0),)),
    ]  # fmt: skip


def uuid(job: Job, gpu: int) -> str:
    """A card's UUID as this exporter writes it."""
    return hardware_ids.gpu_uuid(job, gpu).removeprefix("GPU-")


def _recovery(run: Run, gpu: int, at: float) -> int:
    """The action that the driver has recommended for a GPU in this attempt; 0 is none."""
    action = 0
    for event in attempt_symptoms(run, gpu, at):
        if event.name.startswith("xid 154 "):
            action = RECOVERY.get(event.name.rpartition(" ")[2], action)
    return action


def _info(job: Job, node: int, gpus: list[int]) -> Family:
    driver, size = job.software.driver, gpus_per_node(job)
    rows = []
    for gpu in gpus:
        labels = (
            ("cuda_version", cluster.driver_cuda(driver)), ("driver_model_current", "[N/A]"),
            ("driver_model_pending", "[N/A]"), ("driver_version", driver),
            ("index", str(gpu - node * size)), ("name", job.gpu.name),
            ("pci_bus_id", cluster.bus_address(job, gpu - node * size)),
            ("serial", hardware_ids.gpu_serial(job, gpu) or "[N/A]"), ("uuid", uuid(job, gpu)),
        )  # fmt: skip
        rows.append((labels, 1.0))
    return Family(
        "nvidia_smi_gpu_info",
        "gauge",
        "A metric with a constant '1' value labeled by gpu identity and driver information.",
        tuple(rows),
    )


def _errors(run: Run, node: int, at: float, clock: Clock) -> list[Family]:
    """How often each code came, and when last; a lost GPU's codes stay."""
    counts, latest = [], []
    for gpu in ranks_on(run.job, node):
        told = told_errors(run, gpu, at)
        for code, count in sorted(Counter(code for _, code in told).items()):
            labels = (("uuid", uuid(owner(run, at), gpu)), ("xid", str(code)))
            counts.append((labels, float(count)))
            when = max(each for each, number in told if number == code)
            latest.append((labels, round(clock(when), 3)))
    return [
        Family("nvidia_smi_xid_errors_total", "counter",
               "Number of XID errors observed on the GPU since the exporter started. A series "
               "appears when its first event arrives; earlier history cannot be replayed.",
               tuple(counts)),
        Family("nvidia_smi_xid_last_timestamp_seconds", "gauge",
               "Unix time of the most recent XID error observed on the GPU.", tuple(latest)),
    ]  # fmt: skip
