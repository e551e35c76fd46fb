"""Files with one mistake each, and files without any, for the judge."""

import json
from typing import NamedTuple


class Planted(NamedTuple):
    """A mistake: the expression, what it should be found as, and a word of the sentence."""

    expression: str
    code: str
    said: str
    seconds: str = "5m"  # `for`
    version: str = "4.8.2"
    counters: str = "any"
    panel: bool = False


X = "DCGM_FI_DEV_XID_ERRORS"
IB = "node_infiniband_port_data_transmitted_bytes_total"
MISTAKES = (
    # An old label, or one of another exporter.
    Planted('DCGM_FI_DEV_GPU_TEMP{Hostname="a"} > 85', "no-such-label", "it is hostname",
            version="next"),
    Planted("avg by (hostname) (DCGM_FI_DEV_GPU_UTIL) < 5", "no-such-label", "it is Hostname"),
    Planted(f'{X}{{xid="79"}} > 0', "no-such-label", "it is err_code"),
    Planted("max by (uuid) (DCGM_FI_DEV_GPU_TEMP) > 90", "no-such-label", "it is UUID"),
    Planted('DCGM_FI_DEV_FB_USED{pod_name="x"} > 70000', "no-such-label", "it is pod"),
    Planted(f'{X}{{err_code="79"}} > 0', "no-such-label", "none", version="3.4.1"),
    Planted('nvidia_smi_temperature_gpu{UUID="x"} > 85', "no-such-label", "it is uuid"),
    # A name that does not exist, or is called otherwise today.
    Planted("dcgm_gpu_temp > 85", "old-name", "DCGM_FI_DEV_GPU_TEMP"),
    Planted("DCGM_FI_DEV_GPU_TMP > 85", "no-such-metric", "DCGM_FI_DEV_GPU_TEMP"),
    Planted("DCGM_FI_DEV_GMEM_USED > 70000", "no-such-metric", "DCGM_FI_DEV_FB_USED"),
    Planted("DCGM_FI_DEV_ECC_DBE_VOL > 0", "no-such-metric", "ECC_DBE_VOL_TOTAL", "0s"),
    Planted("DCGM_FI_DEV_SM_ACTIVE < 0.5", "no-such-metric", "DCGM_FI_PROF_SM_ACTIVE"),
    Planted("nvidia_smi_temperature_gpus > 85", "no-such-metric", "nvidia_smi_temperature_gpu"),
    Planted("increase(node_infiniband_link_down_total[10m]) > 0", "no-such-metric",
            "node_infiniband_link_downed_total", "0s"),
    Planted("DCGM_FI_DEV_GPU_UTIL_RATIO > 0.9", "old-name", "DCGM_FI_DEV_GPU_UTIL"),
    # What cannot fire.
    Planted(f"increase({X}[5m]) > 0", "never-fires", "first error", "0s"),
    Planted("DCGM_FI_DEV_GPU_TEMP > 200", "never-fires", "0 to 110"),
    Planted("DCGM_FI_DEV_GPU_TEMP > 85 and DCGM_FI_DEV_GPU_TEMP < 80", "never-fires", "at once"),
    Planted(f"DCGM_FI_DEV_GPU_UTIL > 50 and rate({IB}[5m]) > 0", "never-fires", "never meet"),
    Planted("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS and 128 != bool 0", "syntax", "not PromQL"),
    Planted("DCGM_FI_DEV_GPU_UTIL * on (Hostname) DCGM_FI_DEV_GPU_TEMP > 50", "fails",
            "many-to-many"),
    # A code that another follows at once (dcgm-exporter #239: the gauge shows the last).
    Planted(f"{X} == 94", "overwritten", "45 follows 94", "0s"),
    Planted(f'{X}{{err_code=~"48|94"}} > 0', "overwritten", "DCGM_EXP_XID_ERRORS_COUNT", "0s"),
    # What pages on health.
    Planted("DCGM_FI_DEV_POWER_USAGE > 250", "fires-on-health", "healthy run"),
    Planted("DCGM_FI_DEV_FB_USED > 95", "fires-on-health", "healthy run"),
    Planted("increase(DCGM_FI_DEV_POWER_VIOLATION[5m]) / 300000000 > 0.20", "fires-on-health",
            "healthy run", "15m"),
    Planted("DCGM_FI_DEV_GPU_TEMP > bool 85", "always-fires", "bool"),
    # A missing `for`.
    Planted("DCGM_FI_DEV_GPU_TEMP > 85", "missing-for", "a `for`", "0s"),
    Planted("avg by (Hostname) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE) < 0.05", "missing-for", "a `for`",
            "0s"),
    # A unit a thousand times off, and its like.
    Planted("DCGM_FI_DEV_POWER_USAGE > 700000", "unit", "a thousand times"),
    Planted("rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[5m]) > 900", "fires-on-health", "healthy"),
    Planted("DCGM_FI_PROF_SM_ACTIVE > 80", "unit", "per cent"),
    Planted("DCGM_FI_DEV_FB_USED > 80000000000", "unit", "in bytes"),
    Planted("DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE) > 95", "unit",
            "per cent"),
    Planted("rate(DCGM_FI_DEV_POWER_USAGE[5m]) > 100", "rate-of-gauge", "counters"),
    # Panels.
    Planted("avg(DCGM_FI_PROF_SM_ACTIVE)", "not-collected", "exporter's list", counters="default",
            panel=True),
    Planted('DCGM_FI_DEV_GPU_UTIL{hostname=~"$host"}', "no-such-label", "Hostname", panel=True),
    Planted("sum by (err_msg) (rate(DCGM_FI_DEV_POWER_USAGE))", "syntax", "not PromQL", panel=True),
    Planted(f"DCGM_FI_DEV_GPU_UTIL + {IB}", "empty", "stays empty", panel=True),
)  # fmt: skip


def text_of(planted: Planted, name: str = "Planted") -> str:
    """A file with the mistake."""
    if planted.panel:
        return board([(name, planted.expression)])
    return rules([(name, planted.expression, planted.seconds)])


def rules(rows: list[tuple[str, str, str]]) -> str:
    """A rule file; JSON is YAML."""
    made = [{"alert": name, "expr": text, "for": wait} for name, text, wait in rows]
    return "groups:\n- " + json.dumps({"name": "gpus", "rules": made}) + "\n"


def board(rows: list[tuple[str, str]]) -> str:
    """A dashboard."""
    return json.dumps({"panels": [{"title": t, "targets": [{"expr": e}]} for t, e in rows]})


SELECTED = '{instance=~"$instance", gpu=~"$gpu"}'
HOST = '{instance="$hostname:9400"}'
SOUND = {
    "xid.yml": rules([
        ("Xid", f"{X} > 0", "0s"),
        ("XidFatal", f'{X}{{err_code=~"48|62|64|79|95|119|120"}} > 0', "0s"),
        ("XidStale", f"({X} > 0) and (changes({X}[1h]) == 0)", "15m"),
    ]),
    "memory.yml": rules([
        ("Ecc", "increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL[5m]) > 0", "0s"),
        ("Remap", "DCGM_FI_DEV_ROW_REMAP_PENDING > 0", "0s"),
        ("RemapFailed", "DCGM_FI_DEV_ROW_REMAP_FAILURE > 0", "0s"),
    ]),
    "heat.yml": rules([
        ("Hot", "avg_over_time(DCGM_FI_DEV_GPU_TEMP[5m]) > 85", "0s"),
        ("Throttle", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS % 128 >= 64", "5m"),
        ("Near", "(DCGM_FI_DEV_GPU_TEMP / DCGM_FI_DEV_SLOWDOWN_TEMP) > 0.98", "15m"),
    ]),
    "chart.yml": rules([
        ("Recovery", "nvidia_smi_gpu_recovery_action > 0", "0s"),
        ("Critical", 'time() - nvidia_smi_xid_last_timestamp_seconds{xid=~"48|79|95"} < 600', "0s"),
        ("Thermal", ("nvidia_smi_clocks_event_reasons_hw_thermal_slowdown == 1 or "
         "nvidia_smi_clocks_throttle_reasons_hw_thermal_slowdown == 1"), "5m"),
        ("Failing", "nvidia_smi_last_collect_success == 0", "10m"),
    ]),
    "network.yml": rules([
        ("LinkDowned", "increase(node_infiniband_link_downed_total[10m]) > 0", "0s"),
        ("Port", "node_infiniband_state_id != 4", "5m"),
    ]),
    "trainer.yml": rules([
        ("Stall", "time() - trainer_last_step_timestamp_seconds > 600", "0s"),
        ("Hang", "DCGM_FI_DEV_GPU_UTIL > 90 and DCGM_FI_PROF_PIPE_TENSOR_ACTIVE < 0.01", "10m"),
    ]),
    "nodes.yml": rules([
        ("Down", "up == 0", "5m"), ("Gone", "count by (Hostname) (DCGM_FI_DEV_GPU_TEMP) < 8", "5m"),
        ("Memory", "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < .10", "2m"),
        ("Watchdog", "vector(1)", "0s"), ("Pods", "kube_pod_status_phase > 0", "0s"),
    ]),
    # NVIDIA's dashboard, Grafana 12239.
    "12239.json": board([
        ("Temperature", f"DCGM_FI_DEV_GPU_TEMP{SELECTED}"),
        ("Average", f"avg(DCGM_FI_DEV_GPU_TEMP{SELECTED})"),
        ("Power", f"sum(DCGM_FI_DEV_POWER_USAGE{SELECTED})"),
        ("Clock", f"DCGM_FI_DEV_SM_CLOCK{SELECTED} * 1000000"),
        ("Tensor", f"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{SELECTED}"),
    ]),
    # NVIDIA/deepops: src/dashboards/gpu-dashboard.json.
    "deepops.json": board([
        ("NVLink", f"1e6*sum(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL{HOST})"),
        ("Memory", (f"DCGM_FI_DEV_FB_USED{HOST}/(DCGM_FI_DEV_FB_USED{HOST}"
         f"+DCGM_FI_DEV_FB_FREE{HOST})")),
        ("InfiniBand", f'sum(rate({IB}{{instance="$hostname:9100"}}[$__interval]))'),
    ]),
    # GoogleCloudPlatform/monitoring-dashboard-samples: nvidia-dcgm-prometheus.json.
    "gcp.json": board([
        ("Tensor", ("avg by (cluster, location, modelName) "
         "(avg_over_time(DCGM_FI_PROF_PIPE_TENSOR_ACTIVE[${__interval}]) * 100)")),
        ("Energy", ("sum by (cluster, location, modelName) "
         "(rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[${__interval}])) / 1000")),
    ]),
}  # fmt: skip
