"""Expressions of public dashboards over GPU metrics, re-typed as facts with their source."""

NVIDIA = "NVIDIA/dcgm-exporter: grafana/dcgm-exporter-dashboard.json (Grafana 12239)"
AWS = "aws-samples/awsome-distributed-training: dashboards/DCGM_exporter_dashboard.json"
DEEPOPS = "NVIDIA/deepops: src/dashboards/gpu-dashboard.json"
GCP = "GoogleCloudPlatform/monitoring-dashboard-samples: nvidia-dcgm-prometheus.json"
NEBIUS = "nebius/soperator: helm/soperator-monitoring-dashboards"
OPENSHIFT = "rh-ecosystem-edge/console-plugin-nvidia-gpu: src"
OPERATOR = "NVIDIA/gpu-operator: 1000_prometheus_rule_openshift.yaml"
TIRIYON = "Tiriyon/dcgm-grafonnet: output"
IBM = "IBM/autopilot: grafana/autopilot-dashboard.json"
CEEMS = "ceems-dev/ceems: rules"

S = '{instance=~"$instance", gpu=~"$gpu"}'
A = '{Hostname=~"${Hostname}"}'
H = '{instance="$hostname:9400"}'
W = '{Hostname=~"$node", exported_pod=~"$worker"}'
USED, FREE = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
BY = "avg by (cluster, location, modelName)"
I = "[${__interval}]"  # noqa: E741
PANELS = (
    (NVIDIA, f"DCGM_FI_DEV_GPU_TEMP{S}"), (NVIDIA, f"avg(DCGM_FI_DEV_GPU_TEMP{S})"),
    (NVIDIA, f"DCGM_FI_DEV_POWER_USAGE{S}"), (NVIDIA, f"sum(DCGM_FI_DEV_POWER_USAGE{S})"),
    (NVIDIA, f"DCGM_FI_DEV_SM_CLOCK{S} * 1000000"), (NVIDIA, f"DCGM_FI_DEV_GPU_UTIL{S}"),
    (NVIDIA, f"{USED}{S}"), (NVIDIA, f"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{S}"),
    (AWS, f"DCGM_FI_DEV_GPU_TEMP{A}"), (AWS, f"avg(DCGM_FI_DEV_GPU_TEMP{A})"),
    (AWS, ("DCGM_FI_DEV_GPU_UTIL unless (DCGM_FI_DEV_XID_ERRORS > 0 or "
     "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL > 0)")),
    (DEEPOPS, f"1e6*sum(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL{H})"),
    (DEEPOPS, f"sum(DCGM_FI_PROF_PCIE_TX_BYTES{H})"),
    (DEEPOPS, f"{USED}{H}/({USED}{H}+{FREE}{H})"),
    (DEEPOPS, f"avg(DCGM_FI_DEV_MEM_CLOCK{H}*1000000)"),
    (DEEPOPS, ('sum(rate(node_infiniband_port_data_transmitted_bytes_total'
     '{instance="$hostname:9100"}[$__interval]))')),
    (DEEPOPS, ('label_replace(DCGM_FI_DEV_POWER_USAGE{instance=~".*:9400"}, "instance", "$1", '
     '"instance", "(.*):9400.*")')),
    (GCP, f"{BY} (avg_over_time(DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{I}) * 100)"),
    (GCP, f"{BY} (avg_over_time({USED}{I}) * 100 / avg_over_time(DCGM_FI_DEV_FB_TOTAL{I}))"),
    (GCP, (f"{BY} (avg_over_time(DCGM_FI_PROF_DRAM_ACTIVE{I}) OR "
     f"avg_over_time(DCGM_FI_DEV_MEM_COPY_UTIL{I})) * 100")),
    (GCP, ("sum by (cluster, location, Hostname, modelName, gpu) "
     f"(avg_over_time(DCGM_FI_PROF_NVLINK_TX_BYTES{I}))")),
    (GCP, ("sum by (cluster, location, modelName) "
     f"(rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{I})) / 1000")),
    (NEBIUS, "count(count by (Hostname) (DCGM_FI_DEV_POWER_USAGE{}))"),
    (NEBIUS, "quantile(0.95, DCGM_FI_PROF_SM_ACTIVE{}) * 100"),
    (NEBIUS, f"avg_over_time((count({USED}{{}} > 100))[$__range:])"),
    (NEBIUS, "sum(avg_over_time(DCGM_FI_DEV_POWER_USAGE{}[$__range])) / 1000"),
    (NEBIUS, "max by (Hostname) (max_over_time(DCGM_FI_DEV_GPU_TEMP{}[$__range]))"),
    (NEBIUS, ("sum_over_time( count( DCGM_FI_DEV_GPU_UTIL{ } >= 10 )[1d:10m]) / "
     "sum_over_time( count( DCGM_FI_DEV_GPU_UTIL{ } )[1d:10m]) * 100")),
    (NEBIUS, ("avg( DCGM_FI_DEV_POWER_USAGE{ } and on(exported_pod,gpu) "
     "count( DCGM_FI_DEV_GPU_UTIL{ } >= 10 ) by(exported_pod,gpu) )")),
    (NEBIUS, f"sum by(gpu) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{W} * 989.7)"),
    (NEBIUS, f"1e6*sum(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL{W})"),
    (OPENSHIFT, ('count(count by (UUID,GPU_I_ID) (DCGM_FI_PROF_GR_ENGINE_ACTIVE'
     '{exported_pod=~".+"})) or vector(0)')),
    (OPENSHIFT, "sum(max by (UUID) (DCGM_FI_DEV_POWER_USAGE))"),
    (OPENSHIFT, 'DCGM_FI_DEV_POWER_MGMT_LIMIT_MAX{UUID="$uuid"}'),
    (OPENSHIFT, ('sum (DCGM_FI_PROF_GR_ENGINE_ACTIVE{exported_pod=~".+"}) by '
     '(exported_namespace, exported_pod, UUID)')),
    (OPERATOR, "DCGM_FI_DEV_GPU_UTIL"), (OPERATOR, "DCGM_FI_DEV_MEM_COPY_UTIL"),
    (OPERATOR, "DCGM_FI_DEV_FB_TOTAL"), (OPERATOR, "DCGM_FI_DEV_GPU_TEMP"),
    (TIRIYON, (f"count((avg by (gpu, GPU_I_ID, UUID) ({USED}) > 0) unless "
     "(avg by (gpu, GPU_I_ID, UUID) (DCGM_FI_PROF_GR_ENGINE_ACTIVE * 100) > 5)) or vector(0)")),
    (TIRIYON, (f'avg by (gpu, Hostname, modelName, UUID) ({USED}{{GPU_I_ID="", '
     f'Hostname=~"$hostname"}} / ({USED} + {FREE}))')),
    (IBM, ('count(label_replace(DCGM_FI_DEV_GPU_UTIL{exported_namespace=~""}==0, "node", "$1", '
     '"Hostname", "(.+)")) by (node) == 8')),
    (CEEMS, f'{USED}{{job="J"}} * 100 / ({USED}{{job="J"}} + {FREE}{{job="J"}})'),
    (CEEMS, "DCGM_FI_PROF_SM_ACTIVE * 100"), (CEEMS, "DCGM_FI_PROF_SM_OCCUPANCY * 100"),
)  # fmt: skip
# Empty on a healthy run, and why that is right.
EMPTY = {IBM: "it lists nodes whose GPUs are all idle"}
# Not PromQL: VictoriaMetrics' own language.
METRICSQL = (
    (NEBIUS, 'sum by (err_msg, exported_pod) (rate(DCGM_FI_DEV_XID_ERRORS{exported_pod=~"$w"}))'),
)  # fmt: skip
