"""Software versions that fit together: CUDA, NCCL and driver follow from the PyTorch build."""

from collections.abc import Callable

from llmsim.catalog import gpus, records
from llmsim.catalog.records import Gpu, Release
from llmsim.errors import CatalogError
from llmsim.job.records import Software
from llmsim.physics import noise
from llmsim.typed import datetime

# ROCm with the torch, RCCL and kernel driver of its time (AMD's compatibility matrix).
ROCM = {
    (6, 4): ("2.9.1+rocm6.4", "6.4", "2.22.3", "6.12.12"),
    (7, 0): ("2.10.0+rocm7.0", "7.0", "2.26.6", "6.14.14"),
}


def drawn_software(seed: int, gpu: Gpu, start: datetime) -> Software:
    """The software versions of a cluster of these GPUs at this time.

    Raises CatalogError if the list lacks a version that another one needs.
    """
    today = f"{start.year:04}-{start.month:02}"

    def drawn(name: str, needed: str, suits: Callable[[Release], bool] = bool) -> Release:
        listed = [each for each in records.releases() if each.name == name and suits(each)]
        if not listed:
            raise CatalogError(
                f"data/llm_frameworks.txt has no {name} for {needed}: add a line "
                f"{name} | with a version that suits it."
            )
        out = [each for each in listed if each.released < today]
        by_version = {each.version: each for each in out or listed[:1]}
        return by_version[noise.choose(seed, f"plan/{name}", by_version)]

    python = drawn("python", "any run").version
    transformers = drawn("transformers", "any run").version
    if gpus.runs_rocm(gpu):
        known = (stack for release, stack in ROCM.items() if release >= gpus.first_rocm(gpu))
        torch, rocm, rccl, kernel = next(known)
        return Software(python, torch, "ROCm", rocm, "RCCL", rccl, kernel, transformers)
    first_cuda = gpus.first_cuda(gpu)
    build = drawn("torch", gpu.name, lambda each: _cuda(each) >= first_cuda)
    oldest = max(build.driver, gpus.first_driver(gpu))
    needed = f"torch {build.version}"
    nccl = drawn("nccl", f"{needed} (nccl={build.nccl})",
                 lambda each: _release(each.version) == build.nccl)  # fmt: skip
    driver = drawn("driver", f"{needed} (driver={oldest})",
                   lambda each: _branch(each.version) >= oldest)  # fmt: skip
    cuda = ".".join(map(str, _cuda(build)))
    versions = (build.version, "CUDA", cuda, "NCCL", nccl.version, driver.version)
    return Software(python, *versions, transformers)


def _release(nccl: str) -> str:
    """ "2.27.5" from "2.27.5+cuda12.9"."""
    return nccl.partition("+")[0]


def _branch(driver: str) -> int:
    """570 from "570.195.03"."""
    return int(driver.partition(".")[0])


def _cuda(torch: Release) -> tuple[int, int]:
    """(12, 8) from "2.9.1+cu128"."""
    digits = torch.version.partition("+cu")[2]
    return int(digits[:-1]), int(digits[-1])
