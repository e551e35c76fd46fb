"""How torch finds the optimizer's compiled kernel (torch/utils/cpp_extension.py), by its release.

Up to 2.7 torch prints each stage. From 2.8 on it logs them at INFO, which nobody sees: what is
left is ninja's own line, DeepSpeed's time, and the warning about architectures. The places of
that warning come from public logs: 2059 in 2.6, 2356 in 2.7, 2425 since 2.8.
"""

from collections.abc import Iterator

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.parts import packages
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster
from llmsim.run.hangs import torch_release
from llmsim.text import units

NAME = "fused_adam"
QUIET_SINCE = (2, 8)
_WARNING_LINES = {(2, 6): 2059, (2, 7): 2356}
_LOGGED_LINE = 2425
_UNSET = (
    "TORCH_CUDA_ARCH_LIST is not set, all archs for visible cards are included for compilation. "
)
_ADVICE = "If this is not desired, please set os.environ['TORCH_CUDA_ARCH_LIST']"


def speaks(job: Job) -> bool:
    """Whether the job's torch prints the stages of a build."""
    return torch_release(job) < QUIET_SINCE


def on_cuda(job: Job) -> bool:
    """Whether the build is for CUDA, and asks for its architectures."""
    return job.software.platform == "CUDA"


def found(job: Job, at: float) -> Iterator[tuple[str, int]]:
    """The texts with the ranks that print them: torch finds the kernel of an earlier run. Of each
    node one process builds, and the others wait; then each loads it.
    """
    kept, size, loud = ranks_kept(job), gpus_per_node(job), speaks(job)
    if loud:
        yield from ((f"Using {_root(job)} as PyTorch extensions root...", rank) for rank in kept)
    for first in range(kept[0], kept[-1] + 1, size):
        texts = _loud_build(job) if loud else _quiet_build(job, at, first)
        yield from ((text, first) for text in texts)
    if loud:
        yield from ((f"Loading extension module {NAME}...", rank) for rank in kept)
    for rank in kept:
        yield f"Time to load {NAME} op: {cluster.setup_seconds(job, NAME, rank)} seconds", rank


def _root(job: Job) -> str:
    software = job.software
    python = "".join(software.python.split(".")[:2])
    device = f"cu{software.platform_version.replace('.', '')}" if on_cuda(job) else "cpu"
    return f"/root/.cache/torch_extensions/py{python}_{device}"


def _loud_build(job: Job) -> Iterator[str]:
    yield "Detected CUDA files, patching ldflags"
    yield f"Emitting ninja build file {_root(job)}/{NAME}/build.ninja..."
    if on_cuda(job):
        file = f"{packages.folder(job.software)}/torch/utils/cpp_extension.py"
        yield f"{file}:{_WARNING_LINES[torch_release(job)]}: UserWarning: {_UNSET}"
        yield f"{_ADVICE}."
        yield "  warnings.warn("
    yield f"Building extension module {NAME}..."
    yield (
        "Allowing ninja to set a default number of workers... (overridable by setting the "
        "environment variable MAX_JOBS=N)"
    )
    yield "ninja: no work to do."


def _quiet_build(job: Job, at: float, rank: int) -> Iterator[str]:
    if on_cuda(job):
        now = units.stamp(job.start, at)
        stamp = f"W{now:%m%d %H:%M:%S}.{now.microsecond // 1000:03d}000 {cluster.worker(job, rank)}"
        start = f"[rank{rank}]:{stamp} torch/utils/cpp_extension.py:{_LOGGED_LINE}]"
        yield f"{start} {_UNSET}"
        yield f"{start} {_ADVICE} to specific architectures."
    yield "ninja: no work to do."
