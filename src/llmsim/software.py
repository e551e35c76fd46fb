"""Versions that go together: CUDA, NCCL and driver follow from the PyTorch build."""

from collections.abc import Callable
from datetime import datetime

from llmsim import catalog
from llmsim.catalog import Gpu
from llmsim.job import Software
from llmsim.physics import noise

# What a PyTorch build brings along (its wheel's metadata).
SHIPPED_NCCL = {
    "2.6": "2.21.5", "2.7": "2.26.2", "2.8": "2.27.3", "2.9": "2.27.5",
    "2.10": "2.27.5", "2.11": "2.28.9", "2.13": "2.29.7",
}  # fmt: skip
# The oldest driver branch for a CUDA version (CUDA release notes, table 2) and for a GPU.
OLDEST_DRIVER = {"12.4": 550, "12.6": 560, "12.8": 570, "13.0": 580}
BLACKWELL_ULTRA, BLACKWELL_ULTRA_DRIVER = "B300", 580
# The first CUDA that knows Blackwell.
BLACKWELL, BLACKWELL_CUDA = ("B200", "B300", "5090", "Blackwell"), "12.8"

# torch, ROCm, RCCL and kernel driver; CDNA 4 came with ROCm 7 (AMD's compatibility matrix).
ROCM = ("2.9.1+rocm6.4", "6.4", "2.22.3", "6.12.12")
ROCM_CDNA_4 = ("2.10.0+rocm7.0", "7.0", "2.26.6", "6.14.14")


# When they came out (PyPI), year and month; what is not here is older.
RELEASED = {
    "torch": {"2.9": (2025, 10), "2.10": (2026, 1), "2.11": (2026, 3), "2.13": (2026, 7)},
    "transformers": {"4.57": (2025, 10), "5.8": (2026, 5), "5.23": (2026, 11)},
}


def drawn_software(seed: int, gpu: Gpu, start: datetime) -> Software:
    """The software of a cluster of these GPUs at that time; CatalogError for a broken list."""

    def drawn(name: str, suits: Callable[[str], bool] = lambda _version: True) -> str:
        listed = [f.version for f in catalog.frameworks() if f.name == name and suits(f.version)]
        dates = RELEASED.get(name, {})
        out = [v for v in listed if dates.get(_release(v), (0, 0)) < (start.year, start.month)]
        return noise.pick(seed, f"plan/{name}", out or listed[:1])

    python, transformers = drawn("python"), drawn("transformers")
    if gpu.name.startswith("AMD"):
        torch, rocm, rccl, driver = ROCM_CDNA_4 if "MI35" in gpu.name else ROCM
        return Software(python, torch, "ROCm", rocm, "RCCL", rccl, driver, transformers)
    blackwell = any(name in gpu.name for name in BLACKWELL)
    torch = drawn("torch", lambda version: not blackwell or _cuda(version) >= BLACKWELL_CUDA)
    cuda, release = _cuda(torch), _release(torch)
    oldest = max(OLDEST_DRIVER[cuda], BLACKWELL_ULTRA_DRIVER * (BLACKWELL_ULTRA in gpu.name))
    nccl = drawn("nccl", lambda version: version.startswith(SHIPPED_NCCL[release]))
    driver = drawn("driver", lambda version: int(version.partition(".")[0]) >= oldest)
    return Software(python, torch, "CUDA", cuda, "NCCL", nccl, driver, transformers)


def _release(version: str) -> str:
    """ "2.9" from "2.9.1+cu128"."""
    return ".".join(version.split(".")[:2])


def _cuda(torch: str) -> str:
    """ "12.8" from "2.9.1+cu128"."""
    digits = torch.partition("+cu")[2]
    return f"{digits[:2]}.{digits[2:]}"
