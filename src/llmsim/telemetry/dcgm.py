"""The fields of dcgm-exporter: names, types and help texts as its page has them, from our gauges.

Source: NVIDIA/dcgm-exporter, etc/default-counters.csv and its commented part (d5e5f51), field ids
of NVIDIA/DCGM, dcgm_fields.h. Labels as in releases 3.3.6 to 4.5.3: pci_bus_id, Hostname.
Counters do not end in _total, NVLINK_BANDWIDTH_TOTAL is a rate in MB/s whatever its type says, and
a release of DCGM before 4.5 shows XID 0 on a GPU without an error.
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter

from llmsim.catalog import gpus as catalog
from llmsim.catalog.boards import Clocks, clocks, has_profiling
from llmsim.catalog.records import Gpu
from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware.gauges import Columns, Gauges, in_rows
from llmsim.physics.hardware.sites import MOST_CHIPS
from llmsim.physics.hardware.telemetry import doing
from llmsim.run import cluster, hardware_ids
from llmsim.typed import NamedTuple

PORT = 9400
# Texts of the exporter for the errors that runs have (internal/pkg/collector/xid_errors.go).
XID_TEXTS = {
    0: "No Error",
    13: "Graphics Engine Exception",
    31: "GPU memory page fault",
    43: "GPU stopped processing",
    45: "Preemptive cleanup, due to previous errors -- "
    "Most likely to see when running multiple cuda",
    48: "Double Bit ECC Error",
    63: "ECC page retirement or row remapping recording event",
    64: "ECC page retirement or row remapper recording failure",
    74: "NVLINK Error",
    79: "GPU has fallen off the bus",
    94: "Contained ECC error",
    95: "Uncontained ECC error",
    119: "GSP RPC Timeout",
    145: "NVLINK: RLW Error",
    149: "NVLINK: NETIR Error",
    154: "GPU Recovery Action Changed",
}


def _every(_gpu: Gpu) -> bool:
    return True


class Field(NamedTuple):
    """One field of the exporter."""

    name: str  # without DCGM_FI_
    kind: str  # gauge or counter
    help: str
    id: int
    value: Callable[[Job, Gauges], float]  # whole numbers are ints
    default: bool = True  # it is in the exporter's default list
    coded: bool = False  # its value is an error's code, which is a label, too
    # Whether a GPU has it: DCGM's value of what NVML does not support is blank, and no sample.
    has: Callable[[Gpu], bool] = _every

    @property
    def is_zero(self) -> bool:
        """Whether no run of ours has it."""
        return self.value is _zero


def _of(name: str, _job: Job, gauges: Gauges) -> float:
    value: float = getattr(gauges, name)
    return value


def _zero(_job: Job, _gauges: Gauges) -> int:
    return 0


def energy_millijoules(job: Job, gauges: Gauges) -> int:
    """mJ since the node booted: until the run it was idle. `job` has the machines of the moment."""
    return int(1e3 * (gauges.energy_joules + _joules_since_boot(job, gauges.gpu)))


@remembered(MOST_CHIPS)
def _joules_since_boot(job: Job, gpu: int) -> float:
    """Joules from the boot of a GPU's node until the run's command; 0 if it booted after that."""
    if any(gpu // gpus_per_node(job) == node for node, _ in job.boots):
        return 0.0
    idle = doing(job, gpu, "idle").share * job.gpu.tdp_watts
    return idle * hardware_ids.boot_seconds(job, gpu // gpus_per_node(job))


def _nanoseconds(name: str, _job: Job, gauges: Gauges) -> int:
    seconds: float = getattr(gauges, name)
    return int(seconds * 1e9)


def _nvlink(_job: Job, gauges: Gauges) -> int:
    """MB/s of both directions: DCGM adds them up."""
    both = gauges.nvlink_sent_bytes_per_second + gauges.nvlink_received_bytes_per_second
    return both // 1_000_000


def _used_share(_job: Job, gauges: Gauges) -> float:
    return gauges.used_mib / (gauges.total_mib - gauges.reserved_mib)


def _constant(value: float, _job: Job, _gauges: Gauges) -> float:
    return value


def _fan(job: Job, gauges: Gauges) -> int:
    return catalog.fan(job.gpu, gauges.temperature_c, gauges.performance_state) or 0


def _limit(job: Job, _gauges: Gauges) -> float:
    return float(job.gpu.tdp_watts)


@remembered()
def clocks_of(job: Job) -> Clocks:
    """The highest and the idle clocks of a job's GPUs: every reading of every GPU asks for them."""
    return clocks(job.gpu)


def _top_clock(job: Job, _gauges: Gauges) -> int:
    return clocks_of(job).top


def _gauge(name: str, number: int, text: str, field: str, *, default: bool = True) -> Field:
    return Field(name, "gauge", text, number, partial(_of, field), default)


def _none(
    name: str, number: int, text: str, *, default: bool = False, kind: str = "counter",
    has: Callable[[Gpu], bool] = _every,
) -> Field:  # fmt: skip
    return Field(name, kind, text, number, _zero, default, has=has)


def _violation(name: str, number: int, reason: str, field: str = "") -> Field:
    text = f"Throttling duration due to {reason} (in ns)."
    value = partial(_nanoseconds, field) if field else _zero
    return Field(f"DEV_{name}_VIOLATION", "counter", text, number, value, default=False)


_PCIE = (
    "The rate of data {} over the PCIe bus - including both protocol headers and data payloads "
    "- in bytes per second."
)
_ECC = "Total number of {}-bit {} ECC errors."

_PROFILING = (
    _gauge("PROF_GR_ENGINE_ACTIVE", 1001, "Ratio of time the graphics engine is active.",
           "gr_engine_active"),
    _gauge("PROF_SM_ACTIVE", 1002, "The ratio of cycles an SM has at least 1 warp assigned.",
           "sm_active", default=False),
    _gauge("PROF_SM_OCCUPANCY", 1003, "The ratio of number of warps resident on an SM.",
           "sm_occupancy", default=False),
    _gauge("PROF_PIPE_TENSOR_ACTIVE", 1004,
           "Ratio of cycles the tensor (HMMA) pipe is active.", "tensor_active"),
    _gauge("PROF_DRAM_ACTIVE", 1005,
           "Ratio of cycles the device memory interface is active sending or receiving data.",
           "dram_active"),
    Field("PROF_PIPE_FP64_ACTIVE", "gauge", "Ratio of cycles the fp64 pipes are active.", 1006,
          partial(_constant, 0.0), default=False),
    _gauge("PROF_PIPE_FP32_ACTIVE", 1007, "Ratio of cycles the fp32 pipes are active.",
           "fp32_active", default=False),
    Field("PROF_PIPE_FP16_ACTIVE", "gauge", "Ratio of cycles the fp16 pipes are active.", 1008,
          partial(_constant, 0.0), default=False),
    _gauge("PROF_PCIE_TX_BYTES", 1009, _PCIE.format("transmitted"),
           "pcie_sent_bytes_per_second"),
    _gauge("PROF_PCIE_RX_BYTES", 1010, _PCIE.format("received"),
           "pcie_received_bytes_per_second"),
    _gauge("PROF_NVLINK_TX_BYTES", 1011, "The rate of data transmitted over NVLink.",
           "nvlink_sent_bytes_per_second", default=False),
    _gauge("PROF_NVLINK_RX_BYTES", 1012, "The rate of data received over NVLink.",
           "nvlink_received_bytes_per_second", default=False),
)  # fmt: skip
# In the order of the page: by field id.
FIELDS = (
    _gauge("DEV_SM_CLOCK", 100, "SM clock frequency (in MHz).", "sm_clock_mhz"),
    _gauge("DEV_MEM_CLOCK", 101, "Memory clock frequency (in MHz).", "memory_clock_mhz"),
    Field("DEV_CLOCK_THROTTLE_REASONS", "gauge", "Current clock throttle reasons.", 112,
          partial(_of, "clock_event_reasons"), default=False),
    Field("DEV_MAX_SM_CLOCK", "gauge", "Maximum supported SM clock.", 113, _top_clock,
          default=False),
    _gauge("DEV_MEMORY_TEMP", 140, "Memory temperature (in C).", "memory_temperature_c"),
    _gauge("DEV_GPU_TEMP", 150, "GPU temperature (in C).", "temperature_c"),
    _gauge("DEV_POWER_USAGE", 155, "Power draw (in W).", "power_watts"),
    Field("DEV_TOTAL_ENERGY_CONSUMPTION", "counter",
          "Total energy consumption since boot (in mJ).", 156, energy_millijoules),
    Field("DEV_SLOWDOWN_TEMP", "gauge", "Slowdown temperature for the device.", 158,
          partial(_constant, catalog.SLOWDOWN_C), default=False),
    Field("DEV_SHUTDOWN_TEMP", "gauge", "Shutdown temperature for the device.", 159,
          partial(_constant, catalog.SHUTDOWN_C), default=False),
    Field("DEV_POWER_MGMT_LIMIT", "gauge", "Current power limit (in W).", 160, _limit,
          default=False),
    Field("DEV_POWER_MGMT_LIMIT_MAX", "gauge", "Maximum power limit (in W).", 162, _limit,
          default=False),
    Field("DEV_ENFORCED_POWER_LIMIT", "gauge", "Effective power limit (in W).", 164, _limit,
          default=False),
    Field("DEV_PSTATE", "gauge", "Performance state.", 190, partial(_of, "performance_state"),
          default=False),
    Field("DEV_FAN_SPEED", "gauge", "Fan speed for the device in percent 0-100.", 191, _fan,
          default=False, has=catalog.has_fan),
    Field("DEV_PCIE_REPLAY_COUNTER", "counter", "Total number of PCIe retries.", 202,
          partial(_of, "pcie_replays")),
    _gauge("DEV_GPU_UTIL", 203, "GPU utilization (in %).", "utilization_percent"),
    _gauge("DEV_MEM_COPY_UTIL", 204, "Memory utilization (in %).", "memory_utilization_percent"),
    _none("DEV_ENC_UTIL", 206, "Encoder utilization (in %).", default=True, kind="gauge"),
    _none("DEV_DEC_UTIL", 207, "Decoder utilization (in %).", default=True, kind="gauge"),
    Field("DEV_XID_ERRORS", "gauge", "Value of the last XID error encountered.", 230,
          partial(_of, "xid"), coded=True),
    _violation("POWER", 240, "power constraints", "power_capped_seconds"),
    _violation("THERMAL", 241, "thermal constraints", "thermal_slowdown_seconds"),
    _violation("SYNC_BOOST", 242, "sync-boost constraints"),
    _violation("BOARD_LIMIT", 243, "board limit constraints"),
    _violation("LOW_UTIL", 244, "low utilization"),
    _violation("RELIABILITY", 245, "reliability constraints"),
    _gauge("DEV_FB_TOTAL", 250, "Total framebuffer memory (in MiB).", "total_mib", default=False),
    _gauge("DEV_FB_FREE", 251, "Framebuffer memory free (in MiB).", "free_mib"),
    _gauge("DEV_FB_USED", 252, "Framebuffer memory used (in MiB).", "used_mib"),
    _gauge("DEV_FB_RESERVED", 253, "Framebuffer memory reserved (in MiB).", "reserved_mib"),
    Field("DEV_FB_USED_PERCENT", "gauge", "Share of the framebuffer that is used.", 254,
          _used_share, default=False),
    Field("DEV_ECC_SBE_VOL_TOTAL", "counter", _ECC.format("single", "volatile"), 310,
          partial(_of, "correctable_errors"), default=False, has=catalog.counts_errors),
    Field("DEV_ECC_DBE_VOL_TOTAL", "counter", _ECC.format("double", "volatile"), 311,
          partial(_of, "uncorrectable_errors"), default=False, has=catalog.counts_errors),
    Field("DEV_ECC_SBE_AGG_TOTAL", "counter", _ECC.format("single", "persistent"), 312,
          partial(_of, "aggregate_correctable_errors"), default=False, has=catalog.counts_errors),
    Field("DEV_ECC_DBE_AGG_TOTAL", "counter", _ECC.format("double", "persistent"), 313,
          partial(_of, "aggregate_errors"), default=False, has=catalog.counts_errors),
    _none("DEV_RETIRED_SBE", 390, "Total number of retired pages due to single-bit errors."),
    _none("DEV_RETIRED_DBE", 391, "Total number of retired pages due to double-bit errors."),
    _none("DEV_RETIRED_PENDING", 392, "Total number of pages pending retirement."),
    Field("DEV_UNCORRECTABLE_REMAPPED_ROWS", "counter",
          "Number of remapped rows for uncorrectable errors", 393, partial(_of, "remapped_rows"),
          has=catalog.remaps_rows),
    _none("DEV_CORRECTABLE_REMAPPED_ROWS", 394,
          "Number of remapped rows for correctable errors", default=True,
          has=catalog.remaps_rows),
    _none("DEV_ROW_REMAP_FAILURE", 395, "Whether remapping of rows has failed", default=True,
          kind="gauge", has=catalog.remaps_rows),
    Field("DEV_ROW_REMAP_PENDING", "gauge", "Whether remapping of rows is pending", 396,
          partial(_of, "remap_pending"), default=False, has=catalog.remaps_rows),
    Field("DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "counter",
          "Total number of NVLink flow-control CRC errors.", 409,
          partial(_of, "link_crc_errors"), default=False),
    _none("DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", 419,
          "Total number of NVLink data CRC errors."),
    Field("DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "counter",
          "Total number of NVLink retries.", 429,
          partial(_of, "link_replays"), default=False),
    Field("DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "counter",
          "Total number of NVLink recovery errors.", 439,
          partial(_of, "link_recoveries"), default=False),
    Field("DEV_NVLINK_BANDWIDTH_TOTAL", "counter",
          "Total number of NVLink bandwidth counters for all lanes.", 449, _nvlink),
    _none("DEV_VGPU_LICENSE_STATUS", 526, "vGPU License status", default=True, kind="gauge"),
    *(field._replace(has=has_profiling) for field in _PROFILING),
)  # fmt: skip


def fields_of(gpu: Gpu) -> tuple[Field, ...]:
    """The fields that a GPU has."""
    return tuple(field for field in FIELDS if field.has(gpu))


def metric(field: Field) -> str:
    """The metric's name on the page."""
    return f"DCGM_FI_{field.name}"


def plain(field: Field) -> str:
    """The gauge whose value a field shows as it is; empty where the value is reckoned."""
    value = field.value
    return str(value.args[0]) if isinstance(value, partial) and value.func is _of else ""


def column(job: Job, field: Field, seen: Columns) -> list[float]:
    """What a field that is no plain gauge makes of the gauges of a node's GPUs."""
    quick = _COLUMNS.get(field.value)
    return quick(job, seen) if quick else [field.value(job, each) for each in in_rows(seen)]


def _energies(job: Job, seen: Columns) -> list[float]:
    before = _boot_joules(job, tuple(seen["gpu"]))
    return [
        int(1e3 * (taken + already))
        for taken, already in zip(seen["energy_joules"], before, strict=True)
    ]


def _nvlinks(_job: Job, seen: Columns) -> list[float]:
    both = zip(
        seen["nvlink_sent_bytes_per_second"], seen["nvlink_received_bytes_per_second"], strict=True
    )
    return [(sent + received) // 1_000_000 for sent, received in both]


# The same of the fields that stand on every page, without making rows of the gauges.
_COLUMNS: dict[Callable[[Job, Gauges], float], Callable[[Job, Columns], list[float]]] = {
    energy_millijoules: _energies,
    _nvlink: _nvlinks,
}


@remembered(MOST_CHIPS // 8)
def _boot_joules(job: Job, gpus: tuple[int, ...]) -> list[float]:
    return [_joules_since_boot(job, gpu) for gpu in gpus]


def number(value: float) -> str:
    """A value as the exporter prints it: whole numbers as they are, others in six decimals."""
    return str(value) if isinstance(value, int) else f"{value:f}"


def numbers(job: Job, field: Field, seen: Sequence[Gauges]) -> list[str]:
    """The values of a field on several GPUs as the exporter prints them."""
    if field.is_zero:
        return ["0"] * len(seen)
    if name := plain(field):
        values = map(attrgetter(name), seen)
        return [str(each) if type(each) is int else f"{each:f}" for each in values]
    return [number(field.value(job, each)) for each in seen]


def labels(job: Job, gpu: int, extra: str = "") -> str:
    """The labels of a GPU's samples, without the braces, in the exporter's order."""
    node, local = divmod(gpu, gpus_per_node(job))
    made = (
        f'gpu="{local}",UUID="{hardware_ids.gpu_uuid(job, gpu)}",'
        f'pci_bus_id="{cluster.bus_address(job, local)}",device="nvidia{local}",'
        f'modelName="{job.gpu.name}",Hostname="{cluster.hostname(job, node)}",'
        f'DCGM_FI_DRIVER_VERSION="{job.software.driver}"'
    )
    return f"{made},{extra}" if extra else made


def error(code: str) -> str:
    """The labels of an error's code."""
    return f'err_code="{code}",err_msg="{XID_TEXTS.get(int(code), "Unknown Error")}"'


def target(job: Job, gpu: int) -> str:
    """The labels that a scrape adds: the instance and the job."""
    host = cluster.hostname(job, gpu // gpus_per_node(job))
    return f'instance="{host}:{PORT}",job="dcgm-exporter"'
