"""Which parallel layout puts a model on a cluster: the simplest one whose memory fits."""

from collections.abc import Iterator
from functools import lru_cache

from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout, Parallelism, Recompute, Sharding
from llmsim.model.architecture import Architecture, parameter_count
from llmsim.physics.hardware import memory
from llmsim.physics.speed import throughput

# Tensor x pipeline splits, simplest first: none, then within a node, then across nodes.
SPLITS = tuple((t, p) for p in (1, 2, 4, 8, 16, 32) for t in (1, 2, 4, 8) if p == 1 or t > 1)

# A batch may become this many times as large, before a model is split to keep it small.
GROWTH = 4

# PyTorch's own: plain data parallelism, ZeRO-1 or FSDP2, with tensors and stages split.
PYTORCH = Parallelism()

MICRO_BATCHES = (64, 32, 16, 8, 4, 2, 1)


def node_size(gpus: int, per_node: int) -> int:
    """GPUs used of each node: torchrun starts equally many processes on every node."""
    return next(size for size in range(min(gpus, per_node), 0, -1) if gpus % size == 0)


def _splits(
    config: Architecture, gpus: int, per_node: int, able: Parallelism
) -> Iterator[tuple[int, int]]:
    """The tensor x pipeline splits that divide the cluster, the node, the heads and the layers."""
    splits = able.split and (able.mixtures or config.experts == 1)
    for tp, pp in SPLITS if splits else SPLITS[:1]:
        if (
            (able.tensors_alone or pp > 1 or tp == 1)
            and gpus % (tp * pp) == 0
            and per_node % tp == 0
            and config.kv_heads % tp == 0
            and pp <= config.layers // 2
        ):
            yield tp, pp


def _shardings(
    config: Architecture, gpus: int, split: bool, able: Parallelism
) -> tuple[Sharding, ...]:
    """Plain data parallelism for what is small, then ZeRO-1, then fully sharded."""
    if gpus == 1:
        return ("ddp",)
    if split and able.split:
        return (able.split,)
    return able.whole if parameter_count(config) < 1_000_000_000 else able.whole[-1:]


def _bases(
    config: Architecture, gpu: Gpu, gpus: int, reference: bool, able: Parallelism
) -> Iterator[Layout]:
    """Every split of the cluster with every sharding that suits it, simplest first."""
    size = node_size(gpus, gpu.per_node)
    for tp, pp in _splits(config, gpus, size, able):
        for sharding in _shardings(config, gpus, tp * pp > 1, able):
            yield Layout(
                gpus=gpus,
                nodes=gpus // size,
                dp=gpus // (tp * pp),
                tp=tp,
                pp=pp,
                sharding=sharding,
                accumulation=pp,
                reference=reference,
                fp32_gradients=able.fp32_gradients,
                fp32_logits=able.fp32_logits,
                engine=able.engine,
            )


def _leaves_a_rest(sequences: int, dp: int, micro_batch: int) -> bool:
    """Whether the batch could be had exactly, but not with micro-batches of this size."""
    return sequences % dp == 0 and sequences % (dp * micro_batch) != 0


def _fitting(
    config: Architecture, gpu: Gpu, gpus: int, sequences: int, reference: bool, able: Parallelism
) -> Iterator[Layout]:
    """Every layout that fits, the simplest first."""
    limit = memory.USABLE * memory.capacity(gpu)
    for base in _bases(config, gpu, gpus, reference, able):
        if layout := _with_micro_batch(base, config, limit, sequences, able.recomputes):
            yield layout


def fits(
    config: Architecture,
    gpu: Gpu,
    gpus: int,
    sequences: int,
    sequence: int,
    reference: bool = False,
    able: Parallelism = PYTORCH,
) -> bool:
    """Whether there is a fitting layout; quicker than to ask for it."""
    config = config._replace(context=sequence)
    return any(True for _ in _fitting(config, gpu, gpus, sequences, reference, able))


@lru_cache(maxsize=1024)
def fitting_layout(
    config: Architecture,
    gpu: Gpu,
    gpus: int,
    sequences: int,
    sequence: int | None = None,
    reference: bool = False,
    able: Parallelism = PYTORCH,
) -> Layout | None:
    """The fastest layout that fits the GPU's memory, for a global batch of about `sequences`.

    `sequence` is their length in tokens, by default the model's context; with `reference` a
    frozen copy of the model has to fit too; `able` is what the framework can do. The batch may
    grow to GROWTH times its size where there are many data-parallel ranks, and further where
    nothing else fits. Of layouts that are about as fast the simplest is taken. None if nothing
    fits.
    """
    config = config._replace(context=sequence or config.context)
    fitting = [*_fitting(config, gpu, gpus, sequences, reference, able)]
    if not fitting:
        return None
    usual = [layout for layout in fitting if layout.dp <= GROWTH * sequences]
    if not usual:
        return min(fitting, key=lambda layout: layout.dp)
    speeds = [throughput.expected_mfu(config, gpu, layout) for layout in usual]
    fastest = max(speeds)
    return next(la for la, speed in zip(usual, speeds, strict=True) if speed >= 0.97 * fastest)


def leanest_layout(
    config: Architecture,
    gpu: Gpu,
    gpus: int,
    sequence: int | None = None,
    reference: bool = False,
    able: Parallelism = PYTORCH,
) -> Layout:
    """The layout that needs least memory, whether it fits or not: what a refusal reckons with."""
    bases = _bases(config, gpu, gpus, reference, able)
    layouts = (base._replace(recompute=able.recomputes[-1]) for base in bases)
    tokens = sequence or config.context
    return min(layouts, key=lambda layout: memory.total(memory.estimate(config, layout, tokens)))


def _with_micro_batch(
    base: Layout,
    config: Architecture,
    limit: float,
    sequences: int,
    recomputes: tuple[Recompute, ...],
) -> Layout | None:
    """The layout with the largest micro-batch that fits; recomputation only where it must be."""
    estimate = memory.estimate(config, base, config.context)
    if memory.total(estimate) - estimate.activations - estimate.logits > limit:
        return None  # however small the batch
    largest = max(1, sequences // (base.dp * base.pp))
    for recompute in recomputes:
        for micro_batch in MICRO_BATCHES:
            if micro_batch > largest or _leaves_a_rest(sequences, base.dp, micro_batch):
                continue
            # Each pipeline stage wants a micro-batch to work on.
            accumulation = max(base.pp, round(sequences / (base.dp * micro_batch)))
            layout = base._replace(
                recompute=recompute, micro_batch=micro_batch, accumulation=accumulation
            )
            if memory.total(memory.estimate(config, layout, config.context)) <= limit:
                return layout
    return None
