"""The bytes that torch's allocator holds while a job runs, as training logs show them."""

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware import memory


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
    built, first, steady = _reserved(job, stage_index)
    return steady if step > 1 else first if step == 1 else built


@remembered(256)
def _reserved(job: Job, stage_index: int | None) -> tuple[int, int, int]:
    """Bytes reserved after the build, in step 1, and from step 2 on."""
    config, layout, sequence = job.architecture, job.layout, job.schedule.sequence
    if stage_index is None:
        estimate = memory.estimate(config, layout, sequence)
    else:
        estimate = memory.stage(config, layout, sequence, stage_index)
    limit = _pages(max(0, memory.capacity(job.gpu) - estimate.context))
    steady = min(_pages(memory.total(estimate) - estimate.context), limit)
    first = steady * (0.75 + 0.20 * noise.uniform(job.seed, "memory first step"))
    return min(_pages(estimate.weights), limit), _pages(int(first)), steady


@remembered(16)
def process_mib(job: Job, step: int | None, stage_index: int) -> int:
    """MiB that a process of a pipeline stage uses in a step: torch's pages and the CUDA context;
    without a step the context alone.
    """
    torch = 0 if step is None else reserved(job, step, stage_index)
    context = memory.estimate(job.architecture, job.layout, job.schedule.sequence).context
    return (torch + context) // memory.MIB


def _pages(size: int) -> int:
    return -(-size // (2 * memory.MIB)) * (2 * memory.MIB)


def allocated(job: Job, step: int) -> int:
    """Peak bytes in tensors in a step: 92-98 % of the reserved bytes, the rest is fragments."""
    return int(reserved(job, step) * _share(job)) // 512 * 512


@remembered()
def _share(job: Job) -> float:
    """The share of the reserved bytes that tensors take."""
    return 0.92 + 0.06 * noise.uniform(job.seed, "memory allocated")
