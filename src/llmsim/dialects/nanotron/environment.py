"""What torch.utils.collect_env prints, which nanotron calls: rank 0's node and its libraries."""

from collections.abc import Iterator

from llmsim.catalog.gpus import is_on_grace
from llmsim.job.records import Job, gpus_per_node

_LIBC = "glibc-2.39"


def environment(job: Job) -> Iterator[str]:
    """The report in torch/utils/collect_env.py's order, but for what lscpu tells of the CPU."""
    software = job.software
    cuda = software.platform == "CUDA"
    version, none = software.platform_version, "N/A"
    machine = "aarch64" if is_on_grace(job.gpu) else "x86_64"
    short = ".".join(version.split(".")[:2])
    yield "Collecting environment information..."
    yield f"PyTorch version: {software.torch}"
    yield "Is debug build: False"
    yield f"CUDA used to build PyTorch: {short if cuda else none}"
    yield f"ROCM used to build PyTorch: {none if cuda else version}"
    yield ""
    yield f"OS: Ubuntu 24.04.2 LTS ({machine})"
    yield "GCC version: (Ubuntu 13.3.0-6ubuntu2~24.04) 13.3.0"
    yield "Clang version: Could not collect"
    yield "CMake version: version 3.31.6"
    yield f"Libc version: {_LIBC}"
    yield ""
    python = software.python
    yield f"Python version: {python} (main, Feb  4 2025, 14:48:35) [GCC 13.3.0] (64-bit runtime)"
    yield f"Python platform: Linux-6.8.0-60-generic-{machine}-with-{_LIBC.replace('-', '')}"
    yield "Is CUDA available: True"
    yield f"CUDA runtime version: {'Could not collect' if cuda else none}"
    yield f"CUDA_MODULE_LOADING set to: {'LAZY' if cuda else none}"
    yield "GPU models and configuration: "
    for number in range(gpus_per_node(job)):
        yield f"GPU {number}: {job.gpu.name}"
    yield ""
    yield f"Nvidia driver version: {software.driver if cuda else 'Could not collect'}"
    yield "cuDNN version: Could not collect"
    yield f"HIP runtime version: {none if cuda else version}"
    yield "MIOpen runtime version: N/A"
    yield "Is XNNPACK available: True"
    yield ""
    yield "Versions of relevant libraries:"
    yield "[pip3] numpy==1.26.4"
    yield f"[pip3] torch=={software.torch}"
    yield "[conda] Could not collect"
