"""Versions that go together: CUDA, NCCL and driver follow from the PyTorch build."""

from collections.abc import Callable

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


def drawn_software(seed: int, gpu: Gpu) -> Software:
    """The software of a cluster of these GPUs. Raises CatalogError for a broken list."""

    def drawn(name: str, suits: Callable[[str], bool] = lambda _version: True) -> str:
        versions = [f.version for f in catalog.frameworks() if f.name == name and suits(f.version)]
        return noise.pick(seed, f"plan/{name}", versions)

    python, transformers = drawn("python"), drawn("transformers")
    if gpu.name.startswith("AMD"):
        torch, rocm, rccl, driver = ROCM_CDNA_4 if "MI35" in gpu.name else ROCM
        return Software(python, torch, "ROCm", rocm, "RCCL", rccl, driver, transformers)
    blackwell = any(name in gpu.name for name in BLACKWELL)
    torch = drawn("torch", lambda version: not blackwell or _cuda(version) >= BLACKWELL_CUDA)
    cuda, release = _cuda(torch), ".".join(torch.split(".")[:2])
    oldest = max(OLDEST_DRIVER[cuda], BLACKWELL_ULTRA_DRIVER * (BLACKWELL_ULTRA in gpu.name))
    nccl = drawn("nccl", lambda version: version.startswith(SHIPPED_NCCL[release]))
    driver = drawn("driver", lambda version: int(version.partition(".")[0]) >= oldest)
    return Software(python, torch, "CUDA", cuda, "NCCL", nccl, driver, transformers)


def _cuda(torch: str) -> str:
    """ "12.8" from "2.9.1+cu128"."""
    digits = torch.partition("+cu")[2]
    return f"{digits[:2]}.{digits[2:]}"
