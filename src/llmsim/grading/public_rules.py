"""Alert rules that people have published, re-typed as facts, with the incidents they are made for.

`wrong` says of a rule why it pages on healthy hardware as well: it is kept as it is.
Sources are repositories and the file in them, or a public code search. "based on" stands before a
published threshold that we have put into PromQL; the few rules that are ours say so.
"""

from llmsim.typed import NamedTuple

OCI = "oracle-quickstart/oci-hpc: roles/grafana/files/alert-rules.yaml"
OCI_RECORDS = "oracle-quickstart/oci-hpc: roles/prometheus/files/recording_rules.yml"
CANONICAL = "canonical/hardware-observer-operator: src/prometheus_alert_rules/dcgm.yaml"
CHART = "utkuozdemir/nvidia_gpu_exporter: charts/nvidia-gpu-exporter/templates/prometheusrule.yaml"
WILD, OURS = "public code search", "ours"
AWS = "aws-samples/awsome-distributed-training: README-grafana-alerts"
AZURE = "based on Azure/cyclecloud-healthagent: defaults.yaml"
GCM = "based on facebookresearch/gcm: health checks"
DCGM = "based on NVIDIA/DCGM: modules/health/DcgmHealthWatch.cpp"
SAMBER = "samber/awesome-prometheus-alerts: _data/rules.yml"
MINUTE = 60.0


class Rule(NamedTuple):
    """A public rule."""

    name: str
    expression: str
    seconds: float  # `for`
    source: str
    kinds: tuple[str, ...]  # incidents in which it has to fire
    wrong: str = ""  # why it fires on a healthy run, too
    looks: float = 0.0  # seconds that the expression itself looks back, or waits for


_X = "DCGM_FI_DEV_XID_ERRORS"
_FATAL = "46|48|62|64|79|95|109|110|119|120|136|140|143|151|155|156|158|159"
_RESET = "46|62|64|79|95|109|110|119|120|136|140|143"
_CHART_CODES = "48|62|64|74|79|95|119|120"
_REASONS = "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"
_TELLING = ("nvlink", "gsp", "illegal-memory", "device-assert", "hbm-ecc")
# Of these the gauge has no sample of 119 at a scrape each 30 s: DCGM then reads nothing any more.
_SHOWN = ("nvlink", "illegal-memory", "device-assert", "hbm-ecc")
_DEATHS = ("hbm-ecc", "nvlink", "illegal-memory", "segfault")
_HW_THERMAL = (
    "nvidia_smi_clocks_event_reasons_hw_thermal_slowdown == 1 "
    "or nvidia_smi_clocks_throttle_reasons_hw_thermal_slowdown == 1"
)
_MISSING = (
    "(count by (job, instance) (nvidia_smi_gpu_info) or 0 * sum by (job, instance) "
    "(nvidia_smi_last_collect_success)) < max_over_time((count by (job, instance) "
    "(nvidia_smi_gpu_info))[6h:5m]) and on (job, instance) nvidia_smi_last_collect_success == 1"
)
_IB = "node_infiniband"

RULES: tuple[Rule, ...] = (
    # The driver's error codes. The gauge shows the last one alone: 119 is followed by 154, 48 by 94
    # and 45, and 79 by the end of the samples, so that lists of codes may see none of theirs.
    Rule("XidAny", f"{_X} > 0", 0, WILD, _SHOWN),
    Rule("XidCritical", f'{_X}{{err_code=~"{_FATAL}"}} > 0', 0, OCI_RECORDS, ()),
    Rule("XidResetReboot", f'{_X}{{err_code=~"{_RESET}"}} > 0', 0, OCI_RECORDS, ()),
    Rule("XidPersistent", f"({_X} > 0) and (changes({_X}[1h]) == 0)", 0, OCI_RECORDS, _SHOWN),
    Rule("GpusWithErrors",
         f"count(DCGM_FI_DEV_GPU_UTIL unless ({_X} > 0 or DCGM_FI_DEV_ECC_DBE_VOL_TOTAL > 0)) "
         "< count(DCGM_FI_DEV_GPU_UTIL)", 0, f"based on {AWS}",
         ("hbm-ecc",)),  # not the XIDs: `unless` compares err_code, which utilization has not
    Rule("XidCount", "sum by (Hostname, gpu) (DCGM_EXP_XID_ERRORS_COUNT) > 0", 0,
         "based on NVIDIA/dcgm-exporter#239", _TELLING),
    Rule("ChartXidCritical",
         f'time() - nvidia_smi_xid_last_timestamp_seconds{{xid=~"{_CHART_CODES}"}} < 600', 0,
         CHART, ("gpu-lost", "hbm-ecc", "nvlink", "gsp")),
    Rule("ChartXidWarning", 'time() - nvidia_smi_xid_last_timestamp_seconds{xid=~"94"} < 600', 0,
         CHART, ("hbm-ecc",)),
    Rule("ChartRecoveryAction", "nvidia_smi_gpu_recovery_action > 0", 0, CHART, ("nvlink", "gsp")),
    Rule("HealthAll",
         'min by (Hostname) (DCGM_EXP_GPU_HEALTH_STATUS{health_watch="ALL"} == bool 0) == 0', 0,
         OURS, ("hbm-ecc", "nvlink", "gsp")),
    Rule("HealthMemory",
         'min by (Hostname) (DCGM_EXP_GPU_HEALTH_STATUS{health_watch="MEM"} == bool 0) == 0', 0,
         OCI_RECORDS, ("hbm-ecc", "illegal-memory")),
    Rule("ChartDocsXid",
         f'time() - nvidia_smi_xid_last_timestamp_seconds{{xid=~"{_CHART_CODES}"}} < 300', 0,
         "utkuozdemir/nvidia_gpu_exporter: its page on metrics",
         ("gpu-lost", "hbm-ecc", "nvlink", "gsp")),
    # Memory.
    Rule("SingleBitRate", "rate(DCGM_FI_DEV_ECC_SBE_VOL_TOTAL[1h]) > 10/3600", 0, WILD,
         ("hbm-ecc",)),
    Rule("DoubleBit", "increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL[5m]) > 0 "
         "or increase(DCGM_FI_DEV_ECC_DBE_AGG_TOTAL[5m]) > 0", 0, OCI_RECORDS, ("hbm-ecc",)),
    Rule("DoubleBitLevel", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL > 0", 0, AWS, ("hbm-ecc",)),
    Rule("RemapPending", "DCGM_FI_DEV_ROW_REMAP_PENDING > 0", 0, OCI_RECORDS, ("hbm-ecc",)),
    Rule("RemappedRows", "increase(DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS[24h]) > 0", 0,
         OCI_RECORDS, ("hbm-ecc",)),
    Rule("ChartEcc", "nvidia_smi_ecc_errors_uncorrected_volatile_total > 0", 0, CHART,
         ("hbm-ecc",)),
    Rule("ChartRemapPending", "nvidia_smi_remapped_rows_pending == 1", 0, CHART, ("hbm-ecc",)),
    # GPUs that vanish.
    Rule("GpuGone", "count by (Hostname) (DCGM_FI_DEV_GPU_TEMP) < 8", 0, OURS, ("gpu-lost",)),
    Rule("ChartGpuMissing", _MISSING, 10 * MINUTE, CHART, ("gpu-lost",)),
    Rule("TargetDown", "up == 0", 5 * MINUTE, SAMBER, ("node-fail",)),
    Rule("PcieReplays", "increase(DCGM_FI_DEV_PCIE_REPLAY_COUNTER[2m]) > 16", 0, DCGM,
         ("gpu-lost",)),
    # NVLink and InfiniBand.
    Rule("NvlinkCrcRate", "rate(DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL[2m]) >= 100", 0,
         DCGM, ()),
    Rule("NvlinkCrc", "increase(DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL[10m]) > 0", 0, WILD,
         ("nvlink",)),
    Rule("NvlinkReplay", "increase(DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL[10m]) > 0", 0,
         GCM, ("nvlink",)),
    Rule("NvlinkRecovery", "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL > 0", 0,
         GCM, ("nvlink",)),
    Rule("LinkDowned", f"increase({_IB}_link_downed_total[10m]) > 0", 0, WILD,
         ("link-flap", "link-down")),
    Rule("PortState", f"{_IB}_state_id != 4", 0, AZURE, ("link-down",)),
    Rule("PortPhysicalState", f"{_IB}_physical_state_id != 5", 0, AZURE, ("link-down",)),
    Rule("NoRdmaTraffic", f"rate({_IB}_port_data_transmitted_bytes_total[5m]) == 0", 10 * MINUTE,
         "based on ByteRobust (arXiv 2509.16293): no RDMA traffic for ten minutes is a hang",
         ("nccl-timeout", "gsp"), looks=300),
    # Heat and power.
    Rule("ThermalViolation", "increase(DCGM_FI_DEV_THERMAL_VIOLATION[5m]) / 300000000 > 0.20",
         15 * MINUTE, OCI, ("thermal",)),
    Rule("ThermalViolationShare",
         "avg by (Hostname) (increase(DCGM_FI_DEV_THERMAL_VIOLATION[5m]) / 300000000) * 100 > 50",
         0, OCI_RECORDS, ("thermal",)),
    Rule("ThermalReason", f"{_REASONS} % 128 >= 64", 5 * MINUTE, CANONICAL, ("thermal",)),
    Rule("SlowdownReason", f"{_REASONS} % 16 >= 8", 5 * MINUTE, CANONICAL, ("thermal",)),
    Rule("ThermalClockEvents",
         'sum by (Hostname, gpu) (DCGM_EXP_CLOCK_EVENTS_COUNT{clock_event=~"hw_thermal|sw_thermal|'
         'hw_power_brake"}) > 0', 0, WILD, ("thermal",)),
    Rule("LlmkubeHot", "DCGM_FI_DEV_GPU_TEMP > 85", 5 * MINUTE, "defilantech/LLMKube#1356",
         ("thermal",)),
    Rule("GcmHot", "DCGM_FI_DEV_GPU_TEMP >= 85", MINUTE, GCM, ("thermal",)),
    Rule("SwThermalReason", f"{_REASONS} % 64 >= 32", 5 * MINUTE, CANONICAL, ("thermal",)),
    Rule("ChartThermal", _HW_THERMAL, 5 * MINUTE, CHART, ("thermal",)),
    Rule("ChartHot", "nvidia_smi_temperature_gpu > 85", 10 * MINUTE, CHART, ("thermal",)),
    Rule("Hot", "avg_over_time(DCGM_FI_DEV_GPU_TEMP[5m]) > 85", 0, WILD, ("thermal",),
         looks=300),
    Rule("NearSlowdown", "(DCGM_FI_DEV_GPU_TEMP / DCGM_FI_DEV_SLOWDOWN_TEMP) > 0.98", 5 * MINUTE,
         OCI, ("thermal",)),
    Rule("AzureThrottle", f"{_REASONS} > 7", MINUTE,
         "based on Azure/azurehpc-health-checks: throttling", ("thermal",)),
    # Hangs, and nodes that do nothing.
    Rule("TrainerStall", "time() - trainer_last_step_timestamp_seconds > 600", 0,
         "PrimeIntellect-ai/prime-rl#1547", ("nccl-timeout", "gsp"), looks=600),
    Rule("HeldAndIdle",
         "(avg by (gpu, UUID) (DCGM_FI_DEV_FB_USED) > 1024) unless "
         "(avg by (gpu, UUID) (DCGM_FI_PROF_GR_ENGINE_ACTIVE * 100) > 5)", 0,
         "based on Tiriyon/dcgm-grafonnet: gpu-util-intelligence", (),
         "a launch holds memory before it computes"),
    Rule("BusyWithoutTensor",
         "DCGM_FI_DEV_GPU_UTIL > 90 and DCGM_FI_PROF_PIPE_TENSOR_ACTIVE < 0.01", 5 * MINUTE,
         OURS, ("nccl-timeout", "gsp")),
    Rule("IdleNode",
         'count(label_replace(DCGM_FI_DEV_GPU_UTIL == 0, "node", "$1", "Hostname", "(.+)")) '
         "by (node) == 8", 5 * MINUTE, "IBM/autopilot: grafana/autopilot-dashboard.json", _DEATHS),
    # Hosts.
    Rule("HostOutOfMemory", "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < .10",
         2 * MINUTE, SAMBER, ("data-killed",)),
    Rule("HostOutOfDiskSpace",
         "(node_filesystem_avail_bytes * 100) / node_filesystem_size_bytes < 10", 2 * MINUTE,
         SAMBER, ("disk-full",)),
    Rule("BlockedTasks", "node_procs_blocked > 0", MINUTE,
         "based on kubernetes/node-problem-detector: config/kernel-monitor.json", ("slow-fs",)),
    # Rules that page on healthy hardware, too.
    Rule("PowerViolation", "increase(DCGM_FI_DEV_POWER_VIOLATION[5m]) / 300000000 > 0.20",
         15 * MINUTE, OCI, (), "the counter is in ns: 0.02 % of the time at the power limit"),
    Rule("PowerCap", f"{_REASONS} % 8 >= 4", 5 * MINUTE, CANONICAL, (),
         "a healthy GPU at full load is at its power limit"),
    Rule("BusyGpu", "DCGM_FI_DEV_GPU_UTIL > 90", 10 * MINUTE, "defilantech/LLMKube#1356", (),
         "training keeps GPUs busy"),
    Rule("HighPower", "DCGM_FI_DEV_POWER_USAGE > 250", 5 * MINUTE, "defilantech/LLMKube#1356", (),
         "a GPU of 700 W draws 600 W in training"),
    Rule("LowClock", "DCGM_FI_DEV_GPU_TEMP > 85 or DCGM_FI_DEV_SM_CLOCK < 1600", 5 * MINUTE, WILD,
         ("thermal",), "at its power limit a healthy GPU clocks lower"),
    Rule("FullMemory", "(DCGM_FI_DEV_FB_USED / DCGM_FI_DEV_FB_TOTAL) * 100 > 90", 5 * MINUTE,
         "defilantech/LLMKube#1356", (), "torch's allocator keeps what it has had"),
    Rule("UsedAsPercent", "DCGM_FI_DEV_FB_USED > 95", 5 * MINUTE, WILD, (),
         "the metric is in MiB, not in per cent"),
)  # fmt: skip


def rules_for(kind: str) -> tuple[Rule, ...]:
    """The public rules that notice an incident of this kind and are silent on a healthy run."""
    return tuple(rule for rule in RULES if kind in rule.kinds and not rule.wrong)
