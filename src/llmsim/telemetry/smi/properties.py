"""The properties of a GPU that --query-gpu knows, with their aliases and units."""

from collections.abc import Callable
from functools import partial

from llmsim.catalog import gpus as catalog
from llmsim.errors import NvidiaSmiError
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import NOT_AVAILABLE, Node
from llmsim.typed import NamedTuple

DEPRECATED = "[Requested functionality has been deprecated]"

# NVML's mask of all reasons that a GPU can name, and the bits that are properties of their own.
SUPPORTED_REASONS = 0x1FF
REASONS = {
    "gpu_idle": 0x1, "applications_clocks_setting": 0x2, "sw_power_cap": 0x4, "hw_slowdown": 0x8,
    "sync_boost": 0x10, "sw_thermal_slowdown": 0x20, "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
}  # fmt: skip

Value = Callable[[Node, Gauges], object]


class Property(NamedTuple):
    """A property of a GPU."""

    name: str
    value: Value
    unit: str = ""  # stands in the header and behind each number
    aliases: tuple[str, ...] = ()


def _same(value: object) -> Value:
    return lambda _node, _gauges: value


def _gauge(name: str) -> Value:
    return lambda _node, gauges: getattr(gauges, name)


def _board(name: str) -> Value:
    return lambda node, _gauges: getattr(of.board_of(node), name)


def _active(bit: int, _node: Node, gauges: Gauges) -> str:
    return "Active" if gauges.clock_event_reasons & bit else "Not Active"


def _reason(name: str, bit: int) -> Property:
    aliases = (f"clocks_throttle_reasons.{name}",)
    return Property(f"clocks_event_reasons.{name}", partial(_active, bit), aliases=aliases)


def _watts(value: Value) -> Value:
    return lambda node, gauges: f"{value(node, gauges):.2f}"


def _tdp(node: Node, _gauges: Gauges) -> object:
    return float(node.job.gpu.tdp_watts)


def _usual(node: Node, _gauges: Gauges) -> object:
    return float(of.board_of(node).usual_watts)


def _least(node: Node, _gauges: Gauges) -> object:
    return float(of.board_of(node).least_watts)


def _ecc(node: Node) -> str:
    """ECC of the node's memory: Enabled, Disabled or, where there is none, not available."""
    shown = catalog.ecc(node.job.gpu)
    return {"0": "Enabled", "Off": "Disabled"}.get(shown, NOT_AVAILABLE)


def _counted(value: Value) -> Value:
    """A count of ECC errors, or not available where ECC is off."""
    return lambda node, gauges: value(node, gauges) if _ecc(node) == "Enabled" else NOT_AVAILABLE


# The gauge of each kind of ECC errors: since the driver was loaded, and in the board's life.
ECC_GAUGES = {
    ("corrected", "volatile"): "correctable_errors",
    ("corrected", "aggregate"): "aggregate_correctable_errors",
    ("uncorrected", "volatile"): "uncorrectable_errors",
    ("uncorrected", "aggregate"): "aggregate_errors",
}


def _ecc_counts(kind: str, span: str) -> list[Property]:
    """The counts of one kind of errors since the last reset or in the board's life."""
    dram = _gauge(ECC_GAUGES[kind, span])
    places: dict[str, Value] = {
        "device_memory": dram, "dram": dram, "register_file": _same(NOT_AVAILABLE),
        "l1_cache": _same(NOT_AVAILABLE), "l2_cache": _same(NOT_AVAILABLE),
        "texture_memory": _same(NOT_AVAILABLE), "cbu": _same(NOT_AVAILABLE), "sram": _same(0),
        "total": dram,
    }  # fmt: skip
    return [
        Property(f"ecc.errors.{kind}.{span}.{place}", _counted(value))
        for place, value in places.items()
    ]


def _mig(node: Node, _gauges: Gauges) -> object:
    return "Disabled" if catalog.has_mig(node.job.gpu) else NOT_AVAILABLE


def _fabric(joined: str, apart: str = NOT_AVAILABLE) -> Value:
    return lambda node, _gauges: joined if of.board_of(node).links else apart


def fan(node: Node, gauges: Gauges) -> int | None:
    """Per cent at which a GPU's own fan turns; None without one."""
    return catalog.fan(node.job.gpu, gauges.temperature_c, gauges.performance_state)


def _fan(node: Node, gauges: Gauges) -> object:
    turning = fan(node, gauges)
    return NOT_AVAILABLE if turning is None else turning


def _capability(node: Node, _gauges: Gauges) -> object:
    major, minor = of.board_of(node).capability
    return f"{major}.{minor}"


def _part(start: int, stop: int) -> Value:
    return lambda node, gauges: "0x" + of.bus_id(node, gauges)[start:stop]


def _memory_celsius(_node: Node, gauges: Gauges) -> object:
    return gauges.memory_temperature_c or "N/A"


def _microseconds(name: str) -> Value:
    return lambda _node, gauges: int(1e6 * getattr(gauges, name))


def _row_value(value: Value) -> Value:
    """A value of the rows that spare ones stand in for, or not available where there are none."""
    return lambda node, gauges: (
        value(node, gauges) if catalog.remaps_rows(node.job.gpu) else NOT_AVAILABLE
    )


def _remaps(node: Node, gauges: Gauges) -> object:
    return of.board_of(node).banks - gauges.remapped_rows


def _recovery(_node: Node, gauges: Gauges) -> object:
    return "GPU Reset" if gauges.remap_pending or gauges.xid in (48, 95, 119, 140) else "None"


def _count(node: Node, _gauges: Gauges) -> object:
    return len(node.gauges)


_CLOCK_NAMES = (("graphics", "gr"), ("memory", "mem"))
_SM = _gauge("sm_clock_mhz")
_MEMORY_CLOCK = _gauge("memory_clock_mhz")


def _top(node: Node, _gauges: Gauges) -> object:
    return of.clocks_of(node).top


def _top_memory(node: Node, _gauges: Gauges) -> object:
    return of.clocks_of(node).memory


def video_mhz(node: Node, gauges: Gauges) -> int:
    """The video engines' clock: it follows that of the multiprocessors."""
    return min(of.board_of(node).video_mhz, round(0.78 * gauges.sm_clock_mhz))


PROPERTIES: tuple[Property, ...] = (
    Property("timestamp", lambda node, _gauges: of.ticks(node)),
    Property("driver_version", lambda node, _gauges: of.driver(node)),
    Property("count", _count),
    Property("name", lambda node, _gauges: node.job.gpu.name, aliases=("gpu_name",)),
    Property("serial", of.serial, aliases=("gpu_serial",)),
    Property("uuid", of.uuid, aliases=("gpu_uuid",)),
    Property("pci.bus_id", of.bus_id, aliases=("gpu_bus_id",)),
    Property("pci.domain", _part(4, 8)),
    Property("pci.bus", _part(9, 11)),
    Property("pci.device", _part(12, 14)),
    Property("pci.baseClass", _same("0x3")),
    Property("pci.subClass", _same("0x2")),
    Property("pci.device_id", lambda node, _gauges: f"0x{of.board_of(node).device}10DE"),
    Property("pci.sub_device_id", lambda node, _gauges: f"0x{of.board_of(node).subsystem}10DE"),
    *(
        Property(f"pcie.link.gen.{name}", lambda node, _gauges: generation(node))
        for name in ("current", "gpucurrent", "max", "gpumax")
    ),
    Property("pcie.link.gen.hostmax", lambda node, _gauges: generation(node)),
    Property("pcie.link.width.current", _same(16)),
    Property("pcie.link.width.max", _same(16)),
    Property("index", of.local),
    Property("display_mode", _same(DEPRECATED)),
    Property("display_attached", _same("No")),
    Property("display_active", _same("Disabled")),
    Property("persistence_mode", _same("Enabled")),
    Property("addressing_mode", _same("None")),
    Property("accounting.mode", _same("Disabled")),
    Property("accounting.buffer_size", _same(4000)),
    Property("driver_model.current", _same(NOT_AVAILABLE)),
    Property("driver_model.pending", _same(NOT_AVAILABLE)),
    Property("vbios_version", _board("vbios")),
    Property("inforom.img", _board("image"), aliases=("inforom.image",)),
    Property("inforom.oem", _same("2.1")),
    Property("inforom.ecc", _board("ecc_object")),
    Property("inforom.pwr", _same(NOT_AVAILABLE), aliases=("inforom.power",)),
    Property("inforom.checksum_validation", _same("valid")),
    Property("gpu_recovery_action", _recovery),
    Property("gom.current", _same(NOT_AVAILABLE), aliases=("gpu_operation_mode.current",)),
    Property("gom.pending", _same(NOT_AVAILABLE), aliases=("gpu_operation_mode.pending",)),
    Property("fan.speed", _fan, "%"),
    Property("pstate", lambda _node, gauges: f"P{gauges.performance_state}"),
    Property("clocks_event_reasons.supported", _same(f"0x{SUPPORTED_REASONS:016X}"),
             aliases=("clocks_throttle_reasons.supported",)),
    Property("clocks_event_reasons.active",
             lambda _node, gauges: f"0x{gauges.clock_event_reasons:016X}",
             aliases=("clocks_throttle_reasons.active",)),
    *(_reason(name, bit) for name, bit in REASONS.items()),
    Property("clocks_event_reasons_counters.sw_power_cap",
             _microseconds("power_capped_seconds"), "us"),
    Property("clocks_event_reasons_counters.sync_boost", _same(0), "us"),
    Property("clocks_event_reasons_counters.sw_thermal_slowdown",
             _microseconds("thermal_slowdown_seconds"), "us"),
    Property("clocks_event_reasons_counters.hw_thermal_slowdown",
             _microseconds("hardware_thermal_slowdown_seconds"), "us"),
    Property("clocks_event_reasons_counters.hw_power_brake_slowdown",
             _microseconds("power_brake_slowdown_seconds"), "us"),
    Property("memory.total", _gauge("total_mib"), "MiB"),
    Property("memory.reserved", _gauge("reserved_mib"), "MiB"),
    Property("memory.used", _gauge("used_mib"), "MiB"),
    Property("memory.free", _gauge("free_mib"), "MiB"),
    Property("compute_mode", _same("Default")),
    Property("compute_cap", _capability),
    Property("utilization.gpu", _gauge("utilization_percent"), "%"),
    Property("utilization.memory", _gauge("memory_utilization_percent"), "%"),
    *(Property(f"utilization.{engine}", _same(0), "%")
      for engine in ("encoder", "decoder", "jpeg", "ofa")),
    *(Property(f"encoder.stats.{name}", _same(0))
      for name in ("sessionCount", "averageFps", "averageLatency")),
    Property("ecc.mode.current", lambda node, _gauges: _ecc(node)),
    Property("ecc.mode.pending", lambda node, _gauges: _ecc(node)),
    *_ecc_counts("corrected", "volatile"),
    *_ecc_counts("corrected", "aggregate"),
    *_ecc_counts("uncorrected", "volatile"),
    *_ecc_counts("uncorrected", "aggregate"),
    Property("retired_pages.single_bit_ecc.count", _same(NOT_AVAILABLE),
             aliases=("retired_pages.sbe",)),
    Property("retired_pages.double_bit.count", _same(NOT_AVAILABLE),
             aliases=("retired_pages.dbe",)),
    Property("retired_pages.pending", _same(NOT_AVAILABLE)),
    Property("remapped_rows.correctable", _row_value(_same(0)), aliases=("remapped_rows.sbe",)),
    Property("remapped_rows.uncorrectable", _row_value(_gauge("remapped_rows")),
             aliases=("remapped_rows.dbe",)),
    Property("remapped_rows.pending",
             _row_value(lambda _node, gauges: "Yes" if gauges.remap_pending else "No")),
    Property("remapped_rows.failure", _row_value(_same("No"))),
    Property("remapped_rows.histogram.max", _row_value(_remaps)),
    Property("remapped_rows.histogram.high", _row_value(_gauge("remapped_rows"))),
    *(Property(f"remapped_rows.histogram.{level}", _row_value(_same(0)))
      for level in ("partial", "low", "none")),
    Property("temperature.gpu", _gauge("temperature_c")),
    # The margin to the temperature at which clocks begin to fall.
    Property("temperature.gpu.tlimit",
             lambda _node, gauges: catalog.MAX_OPERATING_C - gauges.temperature_c),
    Property("temperature.memory", _memory_celsius),
    Property("power.management", _same(DEPRECATED)),
    Property("power.draw", _watts(_gauge("power_watts")), "W"),
    Property("power.draw.average", _watts(_gauge("power_watts")), "W",
             ("gpu.power.draw.average",)),
    Property("power.draw.instant", _watts(_gauge("power_watts")), "W",
             ("gpu.power.draw.instant",)),
    Property("power.limit", _watts(_tdp), "W", ("gpu.power.requested_limit",)),
    Property("enforced.power.limit", _watts(_tdp), "W", ("gpu.power.current_limit",)),
    Property("power.default_limit", _watts(_usual), "W", ("gpu.power.default_limit",)),
    Property("power.min_limit", _watts(_least), "W", ("gpu.power.min_limit",)),
    Property("power.max_limit", _watts(_usual), "W", ("gpu.power.max_limit",)),
    Property("clocks.current.graphics", _SM, "MHz", ("clocks.gr",)),
    Property("clocks.current.sm", _SM, "MHz", ("clocks.sm",)),
    Property("clocks.current.memory", _MEMORY_CLOCK, "MHz", ("clocks.mem",)),
    Property("clocks.current.video", video_mhz, "MHz", ("clocks.video",)),
    *(Property(f"clocks.{which}.{name}", _same(DEPRECATED), "MHz", (f"clocks.{which}.{short}",))
      for which in ("applications", "default_applications") for name, short in _CLOCK_NAMES),
    Property("clocks.max.graphics", _top, "MHz", ("clocks.max.gr",)),
    Property("clocks.max.sm", _top, "MHz"),
    Property("clocks.max.memory", _top_memory, "MHz", ("clocks.max.mem",)),
    Property("mig.mode.current", _mig),
    Property("mig.mode.pending", _mig),
    Property("gsp.mode.current", _same("Enabled")),
    Property("gsp.mode.default", _same("Enabled")),
    Property("c2c.mode", _same("Disabled")),
    *(Property(f"protected_memory.{part}", _same(0), "MiB") for part in ("total", "used", "free")),
    Property("fabric.state", _fabric("Completed")),
    Property("fabric.status", _fabric("Success")),
    Property("fabric.cliqueId", _fabric("0")),
    Property("fabric.clusterUuid", _fabric("00000000-0000-0000-0000-000000000000")),
    Property("fabric.health.summary", _same("N/A")),
    Property("hostname", _same(NOT_AVAILABLE)),
)  # fmt: skip


_BY_NAME = {name: each for each in PROPERTIES for name in (each.name, *each.aliases)}


def generation(node: Node) -> int:
    """The PCIe generation of a node's GPUs: 4 of Ampere and Ada, 5 of Hopper, 6 of Blackwell
    Ultra.
    """
    generations = {"Ampere": 4, "Ada": 4, "Hopper": 5, "Blackwell": 5, "Blackwell Ultra": 6}
    return generations[catalog.generation(node.job.gpu)]


def property_named(name: str) -> Property:
    """The property of a name or an alias. Raises NvidiaSmiError in nvidia-smi's own words."""
    if name not in _BY_NAME:
        raise NvidiaSmiError(f'Field "{name}" is not a valid field to query.')
    return _BY_NAME[name]
