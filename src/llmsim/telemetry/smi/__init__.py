"""What nvidia-smi and NVML say of a node at a moment of a run.

Formats are taken from public captures of driver 590 (utkuozdemir/nvidia_gpu_exporter,
internal/captures; influxdata/telegraf, plugins/inputs/nvidia_smi/testdata for XML).
"""
