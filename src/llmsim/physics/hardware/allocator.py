"""The bytes that torch's allocator holds while a job runs, as training logs show them.

    tensors  = states + workspace + u (activations + logits + gathered weights)
    reserved = states + workspace + u (activations + logits + gathered weights) / p

The estimate of memory.py counts what a model needs. Beside it lie cuBLAS's workspace and the
temporaries of kernels, so that u is 0.98 to 1.03 (judged: of published peaks half lie within 9 % of
the estimate). What stays from step to step does not fragment. Of the pages for what comes and goes
tensors fill p, 92 to 98 %.
"""

from collections.abc import Iterable
from itertools import repeat

from llmsim.catalog.gpus import generation, is_a, reserved_mib, vendor
from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware import memory
from llmsim.physics.hardware.memory import Memory
from llmsim.typed import NamedTuple

# Bytes of cuBLAS's workspace: of Hopper and later GPUs, and of earlier ones (torch's notes on CUDA,
# CUBLAS_WORKSPACE_CONFIG: :4096:8, and :4096:2:16:8).
_WORKSPACE, _EARLIER = 32 * memory.MIB, 8 * memory.MIB + 128 * memory.MIB // 1024
_PAGE = 2 * memory.MIB  # bytes that the allocator asks of the driver at once, at least


class _Held(NamedTuple):
    """Bytes on one GPU in a steady step."""

    states: int  # in tensors between two steps
    tensors: int  # in tensors at the peak
    reserved: int
    built: int  # reserved after the build


def after_build(job: Job) -> int:
    """Bytes allocated once the model is built and sharded: the weights.

    FSDP2: 4 P / N, 3.7 GiB for Llama-3-8B on 8 GPUs.
    """
    return memory.estimate(job.architecture, job.layout, job.schedule.sequence).weights


def reserved(job: Job, step: int, stage_index: int | None = None) -> int:
    """Peak bytes that torch's allocator holds in a step, in its pages of 2 MiB.

    On the most loaded GPU, or on one of a given pipeline stage. Constant from step 2 on; step
    1 is 5-25 % lower (27.3 -> 31.0, 87.9 -> 116.2, 26.7 -> 33.1 GiB), since the optimizer's
    state appears only at its end. Step 0: after the build.
    """
    held = _held(job, stage_index)
    if step > 1:
        return held.reserved
    return _pages(int(held.reserved * _first(job))) if step == 1 else held.built


def allocated(job: Job, step: int, stage_index: int | None = None) -> int:
    """Peak bytes in tensors in a step, on the GPU that `reserved` means."""
    held = _held(job, stage_index)
    return reserved(job, step, stage_index) * held.tensors // held.reserved // 512 * 512


def between_steps(job: Job, stage_index: int) -> int:
    """Bytes in tensors between two steps, on a GPU of a stage: states and the workspace."""
    return _held(job, stage_index).states


@remembered(16)
def process_mib(job: Job, step: int | None, stage_index: int) -> int:
    """MiB that a process of a pipeline stage uses in a step: torch's pages and the CUDA context;
    without a step the context alone.
    """
    torch = 0 if step is None else reserved(job, step, stage_index)
    context = memory.estimate(job.architecture, job.layout, job.schedule.sequence).context
    return (torch + context) // memory.MIB


@remembered()
def _unused_mib(job: Job) -> int:
    """MiB that count as used without a process: 0 from the driver's branch 570 on, 1 at 550, and 4
    before, as tables of nvidia-smi in public issues show.
    """
    branch = int(job.software.driver.partition(".")[0] or 0)
    return 0 if branch >= 570 else 1 if branch >= 550 else 4


def used_mib(job: Job, ranks: range, activity: str) -> Iterable[int]:
    """MiB in use on some GPUs in an activity of telemetry.py: first nothing, then the CUDA context,
    then also torch's pages, which differ from stage to stage.
    """
    if activity == "idle":
        return repeat(_unused_mib(job), len(ranks))
    step = None if activity == "starting" else 0 if activity == "loading" else 2
    size = job.layout.gpus // job.layout.pp
    stages = range(ranks[0] // size, ranks[-1] // size + 1)
    used = [process_mib(job, step, stage) for stage in stages]
    if len(stages) == 1:
        return used * len(ranks)
    return [used[index // size - stages.start] for index in ranks]


def workspace(job: Job) -> int:
    """Bytes of the workspace of the library that multiplies matrices; 0 where torch has none."""
    if not is_a(job.gpu, "GPU"):
        return 0
    early = vendor(job.gpu) == "NVIDIA" and generation(job.gpu) in ("Volta", "Ampere", "Ada")
    return _EARLIER if early else _WORKSPACE


@remembered()
def _first(job: Job) -> float:
    """The reserved bytes of step 1 as a share of a later step's."""
    return 0.75 + 0.20 * noise.uniform(job.seed, "memory first step")


@remembered(256)
def _held(job: Job, stage_index: int | None) -> _Held:
    config, layout, sequence = job.architecture, job.layout, job.schedule.sequence
    if stage_index is None:
        ends = {0, min(1, layout.pp - 1), layout.pp - 1}
        stages = [memory.stage(config, layout, sequence, end) for end in sorted(ends)]
        return max([_of(job, each) for each in stages], key=lambda held: held.reserved)
    return _of(job, memory.stage(config, layout, sequence, stage_index))


def _of(job: Job, estimate: Memory) -> _Held:
    """What is held where this is needed."""
    states = estimate.weights + estimate.gradients + estimate.optimizer + workspace(job)
    moving = estimate.activations + estimate.logits + estimate.gathered
    used = moving * noise.between(job.seed, "memory temporaries", 0.98, 1.03)
    pages = used / (0.92 + 0.06 * noise.uniform(job.seed, "memory allocated"))
    limit = max(_PAGE, (_room(job) - estimate.context) // _PAGE * _PAGE)
    held = min(_pages(states + int(pages)), limit)
    tensors = min(held, states + int(used))
    return _Held(
        min(tensors, states) // 512 * 512, tensors, held, min(_pages(estimate.weights), limit)
    )


def _room(job: Job) -> int:
    """Bytes that processes can have on a GPU: what torch can use, and what nvidia-smi's table has
    beside the driver's own memory.
    """
    shown = job.gpu.memory_mib - reserved_mib(job.gpu)
    return min(memory.capacity(job.gpu), shown * memory.MIB)


def _pages(size: int) -> int:
    return -(-max(0, size) // _PAGE) * _PAGE
