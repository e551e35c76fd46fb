"""--query-gpu, --query-compute-apps and --query-accounted-apps as CSV."""

from collections.abc import Callable, Container, Sequence

from llmsim.errors import NvidiaSmiError
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node, Process
from llmsim.telemetry.smi.properties import property_named
from llmsim.typed import NamedTuple


class Format(NamedTuple):
    """What --format asks for."""

    header: bool = True
    units: bool = True


_AppValue = Callable[[Node, Gauges, Process], object]
APP_PROPERTIES: dict[str, tuple[str, _AppValue, str]] = {
    "timestamp": ("timestamp", lambda node, _gauges, _process: of.ticks(node), ""),
    "gpu_name": ("gpu_name", lambda node, _gauges, _process: node.job.gpu.name, ""),
    "gpu_bus_id": ("gpu_bus_id", lambda node, gauges, _process: of.bus_id(node, gauges), ""),
    "gpu_serial": ("gpu_serial", lambda node, gauges, _process: of.serial(node, gauges), ""),
    "gpu_uuid": ("gpu_uuid", lambda node, gauges, _process: of.uuid(node, gauges), ""),
    "pid": ("pid", lambda _node, _gauges, process: process.pid, ""),
    "process_name": ("process_name", lambda _node, _gauges, process: process.name, ""),
    "name": ("process_name", lambda _node, _gauges, process: process.name, ""),
    "used_gpu_memory": ("used_gpu_memory", lambda _node, _gauges, process: process.mib, "MiB"),
    "used_memory": ("used_gpu_memory", lambda _node, _gauges, process: process.mib, "MiB"),
}
# What --query-accounted-apps knows: the name in the header, and the unit.
ACCOUNTED_PROPERTIES = {
    **{name: (name, "") for name in ("timestamp", "gpu_name", "gpu_bus_id", "gpu_serial",
                                     "gpu_uuid", "vgpu_instance", "pid")},
    "gpu_utilization": ("gpu_utilization", "%"), "gpu_util": ("gpu_utilization", "%"),
    "mem_utilization": ("mem_utilization", "%"), "mem_util": ("mem_utilization", "%"),
    "max_memory_usage": ("max_memory_usage", "MiB"), "time": ("time", "ms"),
}  # fmt: skip


def query_gpu(node: Node, names: Sequence[str], form: Format, chosen: Sequence[Gauges]) -> str:
    """The chosen GPUs of a node, a row each, with these properties."""
    asked = [property_named(name) for name in names]
    rows = [row([each.value(node, gauges) for each in asked], [each.unit for each in asked], form)
            for gauges in chosen]  # fmt: skip
    return head([each.name for each in asked], [each.unit for each in asked], form) + "".join(rows)


def query_apps(node: Node, names: Sequence[str], form: Format, chosen: Sequence[Gauges]) -> str:
    """The processes on the chosen GPUs of a node, a row each, with these properties."""
    check(names, APP_PROPERTIES)
    asked = [APP_PROPERTIES[name] for name in names]
    units = [unit for _, _, unit in asked]
    by_number = {of.local(node, gauges): gauges for gauges in chosen}
    rows = [
        row([value(node, by_number[each.gpu], each) for _, value, _ in asked], units, form)
        for each in of.processes(node)
        if each.gpu in by_number
    ]
    return head([name for name, _, _ in asked], units, form) + "".join(rows)


def query_accounted(names: Sequence[str], form: Format) -> str:
    """The header alone: accounting mode is disabled, as it is until root enables it."""
    check(names, ACCOUNTED_PROPERTIES)
    asked = [ACCOUNTED_PROPERTIES[name] for name in names]
    return head([name for name, _ in asked], [unit for _, unit in asked], form)


def check(names: Sequence[str], known: Container[str]) -> None:
    """Raises NvidiaSmiError for a name that is not known, in nvidia-smi's own words."""
    for name in names:
        if name not in known:
            raise NvidiaSmiError(f'Field "{name}" is not a valid field to query.')


def head(names: Sequence[str], units: Sequence[str], form: Format) -> str:
    """The first line, or nothing where no header is asked for."""
    if not form.header:
        return ""
    shown = (f"{name} [{unit}]" if unit and form.units else name
             for name, unit in zip(names, units, strict=True))  # fmt: skip
    return ", ".join(shown) + "\n"


def row(values: Sequence[object], units: Sequence[str], form: Format) -> str:
    """A line of values, each with its unit where units are asked for."""
    cells = (
        f"{value} {unit}" if unit and form.units and not str(value).startswith("[") else str(value)
        for value, unit in zip(values, units, strict=True)
    )
    return ", ".join(cells) + "\n"
