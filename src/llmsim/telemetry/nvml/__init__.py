"""NVML, NVIDIA's management library, as far as Python's monitors ask it."""
