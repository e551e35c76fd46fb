"""The exceptions that end a training process: CUDA errors, full memory, lost data, full disks.

Texts by release of torch, from the strings of its wheels 2.3 to 2.13 and public issues. A Python
traceback gets "[rank3]: " before each line from torch's excepthook where several ranks run.
"""

from collections.abc import Iterator, Sequence

from llmsim.catalog import gpus
from llmsim.dialects.parts import packages
from llmsim.dialects.parts.oom_killer import loader_process
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import allocator, memory
from llmsim.run import cluster, hardware_ids
from llmsim.run.events.incidents import Symptom
from llmsim.run.hangs import torch_release
from llmsim.typed import NamedTuple

GIB, MIB = 2**30, 2**20


class Place(NamedTuple):
    """A frame of a traceback: where a framework's code stands when an error comes up."""

    file: str
    line: int
    function: str
    source: str


# What CUDA calls the error that each kind of incident ends in, and its symbol in the manual.
CUDA_ERRORS = {
    "hbm-ecc": ("uncorrectable ECC error encountered", "cudaErrorECCUncorrectable"),
    "gpu-lost": ("unspecified launch failure", "cudaErrorLaunchFailure"),
    "nvlink": (
        "uncorrectable NVLink error detected during the execution",
        "cudaErrorNvlinkUncorrectable",
    ),
    "gsp": ("unknown error", "cudaErrorUnknown"),
    "illegal-memory": (
        "an illegal memory access was encountered", "cudaErrorIllegalAddress",
    ),
    "init-fail": (
        "CUDA-capable device(s) is/are busy or unavailable", "cudaErrorDevicesUnavailable",
    ),
    "device-assert": ("device-side assert triggered", "cudaErrorAssert"),
}  # fmt: skip


def cuda_error(job: Job, kind: str) -> list[str]:
    """The message of a CUDA error, with the advice that is never a cause."""
    text, symbol = CUDA_ERRORS[kind]
    manual = (
        f"Search for `{symbol}' in https://docs.nvidia.com/cuda/cuda-runtime-api/"
        "group__CUDART__TYPES.html for more information."
    )
    return [
        f"CUDA error: {text}",
        *([manual] if torch_release(job) >= (2, 9) else []),
        (
            "CUDA kernel errors might be asynchronously reported at some other API call, so the "
            "stacktrace below might be incorrect."
        ),
        "For debugging consider passing CUDA_LAUNCH_BLOCKING=1",
        "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
        "",
    ]


def cuda_exception(job: Job, kind: str) -> list[str]:
    """The lines of CUDA's error as Python raises it; the class of the exception is new in 2.8."""
    name = "torch.AcceleratorError" if torch_release(job) >= (2, 8) else "RuntimeError"
    first, *others = cuda_error(job, kind)
    return [f"{name}: {first}", *others]


def assertions(job: Job, symptom: Symptom) -> Iterator[str]:
    """Lines that a kernel prints when its assertion fails, one for each thread."""
    block = int(hardware_ids.register(job, "block", symptom.rank, 2), 16)
    for thread in range(64, 96):
        yield (
            "/pytorch/aten/src/ATen/native/cuda/Indexing.cu:1553: indexSelectLargeIndex: block: "
            f"[{block},0,0], thread: [{thread},0,0] Assertion `srcIndex < srcSelectDimSize` failed."
        )


def _size(size: float) -> str:
    return f"{size / GIB:.2f} GiB" if size >= GIB else f"{size / MIB:.2f} MiB"


def out_of_memory(job: Job, symptom: Symptom) -> str:
    """CUDA's memory is full, in one line; its numbers add up.

    total - free = what this process has; that is allocated + reserved by torch and not allocated
    + the context of CUDA and NCCL's buffers. Asked for is more than what is free.
    """
    rank = symptom.rank
    local = rank % gpus_per_node(job)
    total = memory.capacity(job.gpu)
    context = memory.estimate(job.architecture, job.layout, job.schedule.sequence).context
    free = MIB * (150 + 2 * int(hardware_ids.register(job, "free", rank, 2), 16))
    used = total - free
    torch = used - max(context, 400 * MIB)
    asked = max(2 * free, 2 * MIB * (int(hardware_ids.register(job, "asked", rank, 2), 16) + 420))
    # What torch keeps in reserve: the share of a healthy step, and never enough for the request.
    spare = torch * (1.0 - allocator.allocated(job, 2) / allocator.reserved(job, 2))
    spare = min(spare, 0.9 * asked)
    exception = "torch.OutOfMemoryError"
    if torch_release(job) <= (2, 4):
        exception = "torch.cuda.OutOfMemoryError"
    return (
        f"{exception}: CUDA out of memory. Tried to allocate {_size(asked)}. GPU {local} has a "
        f"total capacity of {_size(total)} of which {_size(free)} is free. Including non-PyTorch "
        f"memory, this process has {_size(used)} memory in use. Of the allocated memory "
        f"{_size(torch - spare)} is allocated by PyTorch, and {_size(spare)} is reserved by "
        "PyTorch but unallocated. If reserved but unallocated memory is large try setting "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See "
        "documentation for Memory Management  (https://pytorch.org/docs/stable/notes/cuda.html"
        "#environment-variables)"
    )


def loader_killed(job: Job, symptom: Symptom) -> list[str]:
    """A worker of the data loader was killed: the message, and the one that follows from it."""
    process = loader_process(job, symptom.rank)
    return [
        f"RuntimeError: DataLoader worker (pid {process}) is killed by signal: Killed. ",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        (
            f'  File "{packages.folder(job.software)}/torch/utils/data/dataloader.py", '
            "line 1275, in _try_get_data"
        ),
        "    raise RuntimeError(",
        f"RuntimeError: DataLoader worker (pid(s) {process}) exited unexpectedly",
    ]


def scale_gone(symptom: Symptom) -> list[str]:
    """Gradients overflow at the smallest loss scale of fp16; all ranks end."""
    overflown = "RuntimeError: gradients overflow at every loss scale down to 1"
    return [f"{overflown}, last at step {symptom.step + 1:,}: exiting."]


def no_space(job: Job, symptom: Symptom) -> list[str]:
    """The disk is full in the middle of a save: the file's error, and the archive's after it, which
    cannot be closed.
    """
    written = int(hardware_ids.register(job, "written", symptom.rank, 7), 16)
    file = f"{packages.folder(job.software)}/torch/serialization.py"
    return [
        "OSError: [Errno 28] No space left on device",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        f'  File "{file}", line 976, in save',
        "    with _open_zipfile_writer(f) as opened_zipfile:",
        f'  File "{file}", line 828, in __exit__',
        "    self.file_like.write_end_of_file()",
        (
            f"RuntimeError: [enforce fail at inline_container.cc:664] . unexpected pos {written} "
            f"vs {written - 108}"
        ),
    ]


def init_failed(job: Job, symptom: Symptom) -> list[str]:
    """The port is taken on which the first process listens, or another one does not reach it; a
    single process looks for nobody, and its GPU is another's or is not there.
    """
    if job.layout.gpus == 1:
        if gpus.is_nvidia(job.gpu):
            return cuda_exception(job, symptom.kind)
        return ["RuntimeError: No HIP GPUs are available"]
    error = "torch.distributed.DistNetworkError: The"
    if symptom.rank:
        wait = round(1000.0 * job.framework.start_timeout)
        where = f"({cluster.hostname(job, 0)}, {cluster.PORT})"
        reached = f"timed out after {wait}ms while trying to connect to {where}."
        return [f"{error} client socket has {reached}"]
    return [
        (
            f"{error} server socket has failed to listen on any local network address. port: "
            f"{cluster.PORT}, useIpv6: false, code: -98, name: EADDRINUSE, message: address "
            "already in use"
        ),
    ]


# The lines of torch/cuda/__init__.py in set_device and _lazy_init, by release, as public logs have
# them; one that is not listed is taken as 2.9.
_SET_DEVICE = {(2, 6): (478, 319), (2, 7): (529, 372), (2, 9): (567, 410)}


def device_places(job: Job, place: Place) -> Iterator[Place]:
    """A process asks for its GPU, and torch's own frames below that."""
    yield place
    file = f"{packages.PACKAGES}/torch/cuda/__init__.py"
    asked, begun = _SET_DEVICE.get(torch_release(job), _SET_DEVICE[2, 9])
    if "set_device" in place.source:
        yield Place(file, asked, "set_device", "torch._C._cuda_setDevice(device)")
    if not gpus.is_nvidia(job.gpu):
        yield Place(file, begun, "_lazy_init", "torch._C._cuda_init()")


def traceback(job: Job, places: Sequence[Place], message: Sequence[str]) -> Iterator[str]:
    """A Python traceback through these places, the outermost first."""
    yield "Traceback (most recent call last):"
    for place in places:
        file = packages.placed(job.software, place.file)
        yield f'  File "{file}", line {place.line}, in {place.function}'
        yield f"    {place.source}"
    yield from message


def of_rank(job: Job, rank: int, lines: Iterator[str]) -> Iterator[str]:
    """The lines as torch's excepthook prints them: with the rank, where there are several."""
    if job.layout.gpus == 1:
        yield from lines
    else:
        yield from (f"[rank{rank}]: {line}" for line in lines)
