"""What exporters of GPU clusters show: names, units, bounds and labels; what old names are today.

A name with a prefix of ours (DCGM_, dcgm_, nvidia_smi_, node_infiniband_, trainer_) has to be one
that its exporter has; any other name is somebody else's, and nothing is said of it.
"""

from functools import cache
from math import inf

from llmsim.catalog.records import text_of
from llmsim.telemetry import dcgm, dcgm_counters, gpu_exporter_page
from llmsim.telemetry.dcgm_counters import names
from llmsim.telemetry.dcgm_versions import Version
from llmsim.text.wording import nearest
from llmsim.typed import NamedTuple

PREFIXES = ("DCGM_", "dcgm_", "nvidia_smi_", "node_infiniband_", "trainer_")


class Metric(NamedTuple):
    """What a metric can be."""

    name: str
    counter: bool
    low: float
    high: float  # of a counter: the most that it rises in a second
    unit: str = ""
    wavers: bool = False  # a healthy run makes it jump from one scrape to the next


# By DCGM's field id: bounds, unit, and whether it wavers. Bounds are wide: no board passes them.
_GAUGES: dict[int, tuple[float, float, str, bool]] = {
    100: (0, 4_000, "MHz", True), 101: (0, 20_000, "MHz", False),
    112: (0, 511, "a bit mask", True), 113: (0, 4_000, "MHz", False),
    114: (0, 20_000, "MHz", False), 140: (0, 115, "degrees C", True),
    150: (0, 110, "degrees C", True), 151: (60, 115, "degrees C", False),
    152: (60, 110, "degrees C", False), 155: (0, 2_500, "W", True), 157: (0, 2_500, "W", True),
    158: (70, 110, "degrees C", False), 159: (75, 115, "degrees C", False),
    160: (0, 2_500, "W", False), 161: (0, 2_500, "W", False), 162: (0, 2_500, "W", False),
    163: (0, 2_500, "W", False), 164: (0, 2_500, "W", False), 190: (0, 32, "", False),
    191: (0, 100, "%", True), 203: (0, 100, "%", True), 204: (0, 100, "%", True),
    206: (0, 100, "%", True), 207: (0, 100, "%", True), 230: (0, 200, "an error's code", False),
    250: (0, 1_000_000, "MiB", False), 251: (0, 1_000_000, "MiB", False),
    252: (0, 1_000_000, "MiB", False), 253: (0, 100_000, "MiB", False),
    254: (0, 1, "a ratio from 0 to 1", False), 395: (0, 1, "", False), 396: (0, 1, "", False),
    449: (0, 4_000_000, "MB/s", True), 526: (0, 2, "", False),
    1009: (0, 3e11, "bytes per second", True), 1010: (0, 3e11, "bytes per second", True),
    1011: (0, 4e12, "bytes per second", True), 1012: (0, 4e12, "bytes per second", True),
    **dict.fromkeys(range(1001, 1009), (0, 1, "a ratio from 0 to 1", True)),
    dcgm_counters.OWN[dcgm_counters.HEALTH]: (0, 20, "0, 10 or 20", False),
    dcgm_counters.OWN[dcgm_counters.XID_COUNT]: (0, inf, "", False),
    dcgm_counters.OWN[dcgm_counters.CLOCK_EVENTS]: (0, inf, "", False),
}  # fmt: skip
# The most that a counter rises in a second.
_COUNTERS: dict[int, tuple[float, str]] = {
    156: (2.5e6, "mJ"), 202: (1e4, ""), **dict.fromkeys(range(240, 246), (1e9, "ns")),
    **dict.fromkeys(range(310, 314), (1e5, "")), **dict.fromkeys(range(390, 393), (10, "")),
    393: (10, ""), 394: (10, ""), 409: (1e9, ""), 419: (1e9, ""), 429: (1e6, ""), 439: (1e6, ""),
}  # fmt: skip

_SHARE, _CELSIUS, _FLAG = (0, 1, "a ratio from 0 to 1"), (0, 110, "degrees C"), (0, 1, "0 or 1")
# nvidia_gpu_exporter's metrics by how their names end, the longest first.
_ENDINGS: tuple[tuple[str, tuple[float, float, str]], ...] = (
    ("_timestamp_seconds", (0, inf, "Unix seconds")), ("_reasons_active", (0, 511, "a bit mask")),
    ("_slowdown_seconds", (0, inf, "seconds")), ("_slowdown", _FLAG), ("_boost", _FLAG),
    ("_power_cap", _FLAG), ("_gpu_idle", _FLAG), ("_setting", _FLAG), ("_pending", _FLAG),
    ("rows_failure", _FLAG), ("collect_success", _FLAG), ("_ratio", _SHARE),
    ("_clock_hz", (0, 2e10, "Hz")), ("memory_used_bytes", (0, 1e12, "bytes")),
    ("_bytes", (0, 1e12, "bytes")), ("_watts", (0, 2_500, "W")), ("temperature_gpu", _CELSIUS),
    ("temperature_memory", (0, 115, "degrees C")), ("recovery_action", (0, 4, "0 to 4")),
    ("pstate", (0, 15, "0 to 15")), ("fabric_state", (0, 3, "0 to 3")),
)  # fmt: skip
_TRAINER: dict[str, tuple[float, float, str, bool]] = {
    "step": (0, inf, "", False), "attempt": (1, inf, "", False), "loss": (0, inf, "", True),
    "grad_norm": (0, inf, "", True), "learning_rate": (0, inf, "", False),
    "throughput_tokens_per_sec": (0, inf, "tokens per second", True),
    "mfu_percent": (0, 100, "%", True), "peak_memory_gib": (0, 1_000, "GiB", False),
    "step_time_seconds": (0, inf, "seconds", True),
    "last_step_timestamp_seconds": (0, inf, "Unix seconds", False),
    "run_step": (0, inf, "", False), "entropy": (-inf, inf, "", True),
    "mismatch_kl": (-inf, inf, "", True), "tokens_total": (0, inf, "", False),
}  # fmt: skip
# Every metric of collector/infiniband_linux.go.
_INFINIBAND = (
    *(f"legacy_{kind}_packets_{way}_total" for kind in ("multicast", "unicast")
      for way in ("received", "transmitted")),
    *(f"{kind}_packets_{way}_total" for kind in ("multicast", "unicast", "port", "legacy")
      for way in ("received", "transmitted")),
    *(f"{kind}_{way}_bytes_total" for kind in ("port_data", "legacy_data")
      for way in ("received", "transmitted")),
    *(f"port_{kind}_{way}_total" for kind in ("constraint_errors", "discards")
      for way in ("received", "transmitted")),
    "link_downed_total", "link_error_recovery_total", "port_errors_received_total",
    "port_transmit_wait_total", "state_id", "physical_state_id", "rate_bytes_per_second",
    "excessive_buffer_overrun_errors_total", "local_link_integrity_errors_total",
    "symbol_error_total", "vl15_dropped_total", "port_receive_remote_physical_errors_total",
    "port_receive_switch_relay_errors_total", "info",
)  # fmt: skip
# Names that circulate and are of no release, with what is meant.
MEANT = {
    "DCGM_FI_DEV_GMEM_USED": "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_MEM_USED": "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_ECC_DBE_VOL": "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_UNCORRECTED_SBE_ERRORS": "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_SM_ACTIVE": "DCGM_FI_PROF_SM_ACTIVE",
    "DCGM_FI_DEV_TENSOR_ACTIVE": "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_DEV_TEMP": "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_EXP_CLOCK_THROTTLE_REASONS_COUNT": "DCGM_EXP_CLOCK_EVENTS_COUNT",
}


def is_ours(name: str) -> bool:
    """Whether a name has the prefix of an exporter that is known here in full."""
    return name.startswith(PREFIXES)


@cache
def metric_named(name: str) -> Metric | None:
    """What a metric can be; None where there is none of that name."""
    if name.startswith(("DCGM_", "dcgm_")):
        return _dcgm(name)
    if name.startswith("nvidia_smi_"):
        return _gpu_exporter(name)
    if name.startswith("trainer_"):
        row = _TRAINER.get(name.removeprefix("trainer_"))
        return Metric(name, name.endswith("_total"), *row) if row else None
    if name.startswith("node_infiniband_"):
        if name.removeprefix("node_infiniband_") not in _INFINIBAND:
            return None
        counter = name.endswith("_total")
        return Metric(name, counter, 0, 1e12 if counter else 2e11)
    return None


def _dcgm(name: str) -> Metric | None:
    number = names().get(name)
    if number is None:
        return None
    if number in _COUNTERS:
        most, unit = _COUNTERS[number]
        return Metric(name, True, 0, most, unit)
    low, high, unit, wavers = _GAUGES.get(number, (-inf, inf, "", False))
    return Metric(name, False, low, high, unit, wavers)


@cache
def _gpu_exporters_names() -> tuple[str, ...]:
    rows = text_of("nvidia_gpu_exporter_metrics.csv").splitlines()
    return tuple(f"nvidia_smi_{row}" for row in rows if row and not row.startswith("#"))


def _gpu_exporter(name: str) -> Metric | None:
    if name not in (*_gpu_exporters_names(), *gpu_exporter_page.NAMES):
        return None
    if name in ("nvidia_smi_energy_joules_total", "nvidia_smi_xid_errors_total",
                "nvidia_smi_failed_scrapes_total"):  # fmt: skip
        return Metric(name, True, 0, 2_500, "")
    wavers = ("temperature", "power_draw", "utilization", "clocks_current", "_reasons_", "pcie_thr")
    for ending, (low, high, unit) in _ENDINGS:
        if name.endswith(ending):
            return Metric(name, False, low, high, unit, any(part in name for part in wavers))
    return Metric(name, False, -inf, inf)


def todays_name(name: str, version: Version) -> str:
    """What a metric that does not exist is called today; empty where nothing is near."""
    if name in MEANT:
        return MEANT[name]
    prefix = next(each for each in PREFIXES if name.startswith(each))
    known = {
        "DCGM_": [each for each in names() if each.startswith("DCGM_")],
        "dcgm_": [each for each in names() if each.startswith("dcgm_")],
        "nvidia_smi_": list(_gpu_exporters_names()),
        "node_infiniband_": [f"node_infiniband_{each}" for each in _INFINIBAND],
        "trainer_": [f"trainer_{each}" for each in _TRAINER],
    }[prefix]
    simulated = [dcgm.metric(field) for field in dcgm.FIELDS]
    near = nearest(name, simulated if prefix == "DCGM_" else known) or nearest(name, known)
    return listed_name(near, version) if near.startswith(("DCGM_", "dcgm_")) else near


def listed_name(name: str, version: Version) -> str:
    """The name that a release's own list has for a field of this name."""
    number = names().get(name)
    for field in dcgm.FIELDS:
        if field.id == number:
            old = next((each for each in dcgm_counters.names_of(field.id)
                        if each.startswith("dcgm_")), "")  # fmt: skip
            return old if version.old_names and old else dcgm.metric(field)
    return name


# --- labels --------------------------------------------------------------------------------------

# A label that an exporter does not have, and the one that is meant, by exporter.
_WRONG_LABELS: dict[str, dict[str, str]] = {
    "DCGM_": {
        "uuid": "UUID", "gpu_uuid": "UUID", "model_name": "modelName", "modelname": "modelName",
        "ModelName": "modelName", "gpu_id": "gpu", "GPU": "gpu", "minor_number": "gpu",
        "pod_name": "pod", "pod_namespace": "namespace", "container_name": "container",
        "gpu_model": "modelName", "host": "", "driver_version": "DCGM_FI_DRIVER_VERSION",
    },
    "nvidia_smi_": {"UUID": "uuid", "gpu": "uuid", "Hostname": "instance", "modelName": "",
                    "err_code": "xid", "gpu_uuid": "uuid"},
    "node_infiniband_": {"Hostname": "instance", "hostname": "instance", "interface": "device"},
}  # fmt: skip


def right_label(metric: str, label: str, version: Version) -> str | None:
    """What a label of a metric should be called; None if it may be right.

    A relabelling can add any label, so only a label is refused that stands for one of the
    exporter's own under another name.
    """
    prefix = next((each for each in PREFIXES if metric.startswith(each)), "")
    if prefix == "DCGM_":
        if label in ("Hostname", "hostname"):
            return None if label == version.host else version.host
        if label in ("err_code", "err_msg") and "XID_ERRORS_COUNT" in metric:
            return "xid"
        if label == "xid" and metric.endswith("XID_ERRORS"):
            return "err_code"
        if label in ("err_code", "err_msg") and not version.codes:
            return ""
        if label == "pci_bus_id" and not version.bus:
            return ""
    wrong = _WRONG_LABELS.get(prefix, {})
    if label in wrong:
        return wrong[label] or None
    return None


def is_meaningful(metric: str, label: str, version: Version) -> bool:
    """Whether a matcher on a label of a metric can be judged.

    It can where the label's values are the exporter's own, and where no series of the exporter
    has the label: a matcher that asks for a value then selects nothing.
    """
    return right_label(metric, label, version) is not None or label in (
        "err_code", "xid", "clock_event", "health_watch", "health_error_code", "gpu", "mode",
        "port", "window_size_in_ms",
    )  # fmt: skip
