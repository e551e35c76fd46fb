"""What NVML's functions answer about a GPU, by the functions' names.

Each fills the ctypes objects that nvidia-ml-py hands over and returns NVML's code. Return codes,
sensors, clocks and field ids have the numbers of nvml.h.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llmsim.catalog import gpus as catalog
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.dcgm import energy_millijoules
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.properties import (
    ECC_GAUGES,
    SUPPORTED_REASONS,
    fan,
    generation,
    video_mhz,
)
from llmsim.telemetry.smi.readings import bar1_mib
from llmsim.typed import NamedTuple

SUCCESS, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 0, 2, 3, 6
INSUFFICIENT_SIZE, GPU_IS_LOST = 7, 15
MIB = 1 << 20

Answer = Callable[..., Any]


class Device(NamedTuple):
    """A GPU of the node at the present moment."""

    node: Node
    gauges: Gauges


def into(argument: Any) -> Any:
    """What an argument points to: byref(x) stands for x."""
    return getattr(argument, "_obj", argument)


def number_of(argument: Any) -> int:
    """The number in an argument, which may be a ctypes object."""
    return int(getattr(argument, "value", argument))


def _fill(structure: Any, values: dict[str, object]) -> int:
    """Sets the fields of a structure that it has: its versions differ."""
    target = into(structure)
    for name, value in values.items():
        if hasattr(target, name):
            setattr(target, name, value)
    return SUCCESS


# --- what has one number -----------------------------------------------------------------

NUMBERS: dict[str, Callable[[Device], int]] = {
    "nvmlDeviceGetPowerUsage": lambda device: round(1000 * device.gauges.power_watts),
    "nvmlDeviceGetTotalEnergyConsumption": lambda d: energy_millijoules(d.node.job, d.gauges),
    "nvmlDeviceGetPowerManagementLimit": lambda device: 1000 * device.node.job.gpu.tdp_watts,
    "nvmlDeviceGetEnforcedPowerLimit": lambda device: 1000 * device.node.job.gpu.tdp_watts,
    "nvmlDeviceGetPowerManagementDefaultLimit": lambda d: 1000 * of.board_of(d.node).usual_watts,
    "nvmlDeviceGetPowerManagementMode": lambda _device: 1,
    "nvmlDeviceGetPerformanceState": lambda device: device.gauges.performance_state,
    "nvmlDeviceGetPowerState": lambda device: device.gauges.performance_state,
    "nvmlDeviceGetIndex": lambda device: of.local(device.node, device.gauges),
    "nvmlDeviceGetMinorNumber": lambda device: of.local(device.node, device.gauges),
    "nvmlDeviceGetPersistenceMode": lambda _device: 1,
    "nvmlDeviceGetDisplayMode": lambda _device: 0,
    "nvmlDeviceGetDisplayActive": lambda _device: 0,
    "nvmlDeviceGetComputeMode": lambda _device: 0,
    "nvmlDeviceGetCurrPcieLinkGeneration": lambda device: generation(device.node),
    "nvmlDeviceGetMaxPcieLinkGeneration": lambda device: generation(device.node),
    "nvmlDeviceGetGpuMaxPcieLinkGeneration": lambda device: generation(device.node),
    "nvmlDeviceGetCurrPcieLinkWidth": lambda _device: 16,
    "nvmlDeviceGetMaxPcieLinkWidth": lambda _device: 16,
    "nvmlDeviceGetPcieReplayCounter": lambda device: device.gauges.pcie_replays,
    "nvmlDeviceGetCurrentClocksEventReasons": lambda d: d.gauges.clock_event_reasons,
    "nvmlDeviceGetCurrentClocksThrottleReasons": lambda d: d.gauges.clock_event_reasons,
    "nvmlDeviceGetSupportedClocksEventReasons": lambda _device: SUPPORTED_REASONS,
    "nvmlDeviceGetSupportedClocksThrottleReasons": lambda _device: SUPPORTED_REASONS,
    "nvmlDeviceIsMigDeviceHandle": lambda _device: 0,
    "nvmlDeviceGetMaxMigDeviceCount": lambda d: 7 if catalog.has_mig(d.node.job.gpu) else 0,
    "nvmlDeviceGetMultiGpuBoard": lambda _device: 0,
    "nvmlDeviceGetNumFans": lambda device: int(fan(device.node, device.gauges) is not None),
}
TEXTS: dict[str, Callable[[Device], str]] = {
    "nvmlDeviceGetName": lambda device: device.node.job.gpu.name,
    "nvmlDeviceGetUUID": lambda device: of.uuid(device.node, device.gauges),
    "nvmlDeviceGetVbiosVersion": lambda device: of.board_of(device.node).vbios,
    "nvmlDeviceGetBoardPartNumber": lambda device: of.board_of(device.node).part,
    "nvmlDeviceGetInforomImageVersion": lambda device: of.board_of(device.node).image,
}


# --- what has a structure, or is asked for with a number -----------------------------------


def _memory(device: Device, memory: Any) -> int:
    gauges = device.gauges
    target = into(memory)
    reserved = gauges.reserved_mib if hasattr(target, "reserved") else 0
    # The first version of the structure counts what is reserved as used.
    used = gauges.used_mib + (0 if hasattr(target, "reserved") else gauges.reserved_mib)
    sizes = {"total": gauges.total_mib, "used": used, "free": gauges.free_mib,
             "reserved": reserved}  # fmt: skip
    return _fill(target, {name: mib * MIB for name, mib in sizes.items()})


def _bar1(device: Device, memory: Any) -> int:
    total = bar1_mib(device.gauges.total_mib)
    used = device.gauges.used_mib + 1
    return _fill(memory, {
        "bar1Total": total * MIB, "bar1Used": used * MIB, "bar1Free": (total - used) * MIB,
    })  # fmt: skip


def _utilization(device: Device, rates: Any) -> int:
    gauges = device.gauges
    return _fill(rates, {"gpu": gauges.utilization_percent,
                         "memory": gauges.memory_utilization_percent})  # fmt: skip


def _engine(_device: Device, share: Any, period: Any) -> int:
    into(share).value, into(period).value = 0, 1_000_000
    return SUCCESS


def _temperature(device: Device, _sensor: Any, celsius: Any) -> int:
    into(celsius).value = device.gauges.temperature_c
    return SUCCESS


def _temperature_v(device: Device, structure: Any) -> int:
    return _fill(structure, {"temperature": device.gauges.temperature_c})


def _threshold(_device: Device, which: Any, celsius: Any) -> int:
    marks = {0: catalog.SHUTDOWN_C, 1: catalog.SLOWDOWN_C, 3: catalog.MAX_OPERATING_C}
    if number_of(which) not in marks:
        return NOT_SUPPORTED
    into(celsius).value = marks[number_of(which)]
    return SUCCESS


def _limits(device: Device, least: Any, most: Any) -> int:
    board = of.board_of(device.node)
    into(least).value, into(most).value = 1000 * board.least_watts, 1000 * board.usual_watts
    return SUCCESS


def _clock(device: Device, which: Any, clock: Any) -> int:
    """Clocks by their number: graphics, multiprocessors, memory, video."""
    gauges = device.gauges
    shown = (gauges.sm_clock_mhz, gauges.sm_clock_mhz, gauges.memory_clock_mhz,
             video_mhz(device.node, gauges))  # fmt: skip
    return _chosen(shown, which, clock)


def _top_clock(device: Device, which: Any, clock: Any) -> int:
    top, memory, *_ = of.clocks_of(device.node)
    shown = (top, top, memory, of.board_of(device.node).video_mhz)
    return _chosen(shown, which, clock)


def _chosen(values: Sequence[int], which: Any, target: Any) -> int:
    if not 0 <= number_of(which) < len(values):
        return INVALID_ARGUMENT
    into(target).value = values[number_of(which)]
    return SUCCESS


def _pcie(device: Device, which: Any, rate: Any) -> int:
    """KB/s that the GPU sends (0) or receives (1)."""
    gauges = device.gauges
    rates = (gauges.pcie_sent_bytes_per_second, gauges.pcie_received_bytes_per_second)
    return _chosen([each // 1000 for each in rates], which, rate)


def _fan(device: Device, speed: Any) -> int:
    turning = fan(device.node, device.gauges)
    if turning is None:
        return NOT_SUPPORTED
    into(speed).value = turning
    return SUCCESS


def _serial(device: Device, text: Any, *_length: Any) -> int:
    """A board's serial number; consumer cards have none."""
    if not catalog.has_serial(device.node.job.gpu):
        return NOT_SUPPORTED
    into(text).value = of.serial(device.node, device.gauges).encode()
    return SUCCESS


# nvmlMemoryErrorType_t and nvmlEccCounterType_t count from 0 in this order.
_ECC_KINDS, _ECC_SPANS = ("corrected", "uncorrected"), ("volatile", "aggregate")


def _ecc_errors(device: Device, kind: Any, counter: Any, count: Any) -> int:
    """How many errors of a kind a counter has."""
    if not catalog.counts_errors(device.node.job.gpu):
        return NOT_SUPPORTED
    place = number_of(kind), number_of(counter)
    if not {*place} <= {0, 1}:
        return INVALID_ARGUMENT
    name = ECC_GAUGES[_ECC_KINDS[place[0]], _ECC_SPANS[place[1]]]
    into(count).value = getattr(device.gauges, name)
    return SUCCESS


def _ecc_mode(device: Device, now: Any, later: Any) -> int:
    shown = catalog.ecc(device.node.job.gpu)
    if shown == "N/A":
        return NOT_SUPPORTED
    into(now).value = into(later).value = int(shown == "0")
    return SUCCESS


def _mig(device: Device, now: Any, later: Any) -> int:
    if not catalog.has_mig(device.node.job.gpu):
        return NOT_SUPPORTED
    into(now).value = into(later).value = 0
    return SUCCESS


def _remapped(device: Device, corrected: Any, broken: Any, pending: Any, failed: Any) -> int:
    if not catalog.remaps_rows(device.node.job.gpu):
        return NOT_SUPPORTED
    into(corrected).value = into(failed).value = 0
    into(broken).value = device.gauges.remapped_rows
    into(pending).value = device.gauges.remap_pending
    return SUCCESS


def _capability(device: Device, major: Any, minor: Any) -> int:
    into(major).value, into(minor).value = of.board_of(device.node).capability
    return SUCCESS


def _pci(device: Device, info: Any) -> int:
    bus, board = of.bus_id(device.node, device.gauges), of.board_of(device.node)
    return _fill(info, {
        "busIdLegacy": bus[4:].encode(), "busId": bus.encode(), "domain": int(bus[:8], 16),
        "bus": int(bus[9:11], 16), "device": int(bus[12:14], 16),
        "pciDeviceId": int(f"{board.device}10DE", 16),
        "pciSubSystemId": int(f"{board.subsystem}10DE", 16),
    })  # fmt: skip


def _running(device: Device, count: Any, processes: Any) -> int:
    """The processes on a GPU: their number first, then the list that has room for them."""
    number = of.local(device.node, device.gauges)
    found = [each for each in of.processes(device.node) if each.gpu == number]
    room = into(count).value
    into(count).value = len(found)
    if room < len(found):
        return INSUFFICIENT_SIZE
    for place, each in enumerate(found):
        none = 0xFFFFFFFF  # no instance of a GPU that is cut in parts
        _fill(into(processes)[place], {
            "pid": each.pid, "usedGpuMemory": each.mib * MIB,
            "gpuInstanceId": none, "computeInstanceId": none,
        })  # fmt: skip
    return SUCCESS


def _none_running(_device: Device, count: Any, _processes: Any) -> int:
    into(count).value = 0
    return SUCCESS


def _busy(device: Device, samples: Any, count: Any, _since: Any) -> int:
    """How busy each process has kept the GPU."""
    number = of.local(device.node, device.gauges)
    found = [each for each in of.processes(device.node) if each.gpu == number]
    room = into(count).value
    into(count).value = len(found)
    if not samples or room < len(found):
        return INSUFFICIENT_SIZE if found else NOT_FOUND
    for place, each in enumerate(found):
        _fill(into(samples)[place], {
            "pid": each.pid, "timeStamp": round(1e6 * device.node.at),
            "smUtil": device.gauges.utilization_percent,
            "memUtil": device.gauges.memory_utilization_percent, "encUtil": 0, "decUtil": 0,
        })  # fmt: skip
    return SUCCESS


# Field ids: links of NVLink, and what they have carried (KiB), data sent and received.
_LINK_COUNT, _LINK_SENT, _LINK_RECEIVED, _MEMORY_TEMPERATURE, _POWER = 91, 138, 139, 82, 186
_UNSIGNED_INT, _UNSIGNED_LONG_LONG = 1, 3


def _fields(device: Device, count: Any, values: Any) -> int:
    for field in into(values)[: number_of(count)]:
        _field(device, field)
    return SUCCESS


def _field(device: Device, field: Any) -> None:
    gauges, board = device.gauges, of.board_of(device.node)
    # What has gone over the links since the run began at the present rate, a link's share.
    seconds = device.node.at / (1024 * max(1, board.links))
    known: dict[int, int] = {
        _MEMORY_TEMPERATURE: gauges.memory_temperature_c,
        _POWER: round(1000 * gauges.power_watts),
    }
    if board.links:
        known[_LINK_COUNT] = board.links
        known[_LINK_SENT] = int(gauges.nvlink_sent_bytes_per_second * seconds)
        known[_LINK_RECEIVED] = int(gauges.nvlink_received_bytes_per_second * seconds)
    if field.fieldId not in known or field.scopeId >= max(1, board.links):
        field.nvmlReturn = NOT_SUPPORTED
        return
    field.nvmlReturn, field.timestamp = SUCCESS, round(1e6 * device.node.at)
    wide = field.fieldId in (_LINK_SENT, _LINK_RECEIVED)
    field.valueType = _UNSIGNED_LONG_LONG if wide else _UNSIGNED_INT
    if wide:
        field.value.ullVal = known[field.fieldId]
    else:
        field.value.uiVal = known[field.fieldId]


OTHERS: dict[str, Answer] = {
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetMemoryInfo_v2": _memory,
    "nvmlDeviceGetBAR1MemoryInfo": _bar1,
    "nvmlDeviceGetUtilizationRates": _utilization,
    "nvmlDeviceGetEncoderUtilization": _engine,
    "nvmlDeviceGetDecoderUtilization": _engine,
    "nvmlDeviceGetJpgUtilization": _engine,
    "nvmlDeviceGetOfaUtilization": _engine,
    "nvmlDeviceGetTemperature": _temperature,
    "nvmlDeviceGetTemperatureV": _temperature_v,
    "nvmlDeviceGetTemperatureThreshold": _threshold,
    "nvmlDeviceGetPowerManagementLimitConstraints": _limits,
    "nvmlDeviceGetClockInfo": _clock,
    "nvmlDeviceGetMaxClockInfo": _top_clock,
    "nvmlDeviceGetPcieThroughput": _pcie,
    "nvmlDeviceGetFanSpeed": _fan,
    "nvmlDeviceGetSerial": _serial,
    "nvmlDeviceGetTotalEccErrors": _ecc_errors,
    "nvmlDeviceGetEccMode": _ecc_mode,
    "nvmlDeviceGetMigMode": _mig,
    "nvmlDeviceGetRemappedRows": _remapped,
    "nvmlDeviceGetCudaComputeCapability": _capability,
    "nvmlDeviceGetPciInfo": _pci,
    "nvmlDeviceGetPciInfo_v2": _pci,
    "nvmlDeviceGetPciInfo_v3": _pci,
    "nvmlDeviceGetComputeRunningProcesses": _running,
    "nvmlDeviceGetComputeRunningProcesses_v2": _running,
    "nvmlDeviceGetComputeRunningProcesses_v3": _running,
    "nvmlDeviceGetGraphicsRunningProcesses": _none_running,
    "nvmlDeviceGetGraphicsRunningProcesses_v2": _none_running,
    "nvmlDeviceGetGraphicsRunningProcesses_v3": _none_running,
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": _none_running,
    "nvmlDeviceGetProcessUtilization": _busy,
    "nvmlDeviceGetFieldValues": _fields,
}
