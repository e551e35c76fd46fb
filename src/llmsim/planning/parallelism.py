"""Chooses the parallel layout of a model on a cluster: the simplest one whose memory fits."""

from collections.abc import Iterator
from functools import lru_cache

from llmsim.catalog.gpus import slice_domain
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout, Parallelism, Recompute, Sharding, state_ranks
from llmsim.model.architecture import Architecture, parameter_count
from llmsim.physics.hardware import memory
from llmsim.physics.hardware.stages import pieces, too_many_pieces
from llmsim.physics.speed import throughput
from llmsim.planning.wish import FREE, Wish, as_wished
from llmsim.typed import NamedTuple

# Tensor x pipeline splits, simplest first: none, then within a node, then across nodes.
TENSORS, PIPELINES = (1, 2, 4, 8), (1, 2, 4, 8, 16, 32)
# Ranks that share each sequence, from this length on; a shorter one stays whole.
CONTEXTS, LONG_CONTEXT = (1, 2, 4, 8, 16), 32_768

# The batch may grow by this factor before the model is split to keep the batch small.
GROWTH = 4

# PyTorch's own: plain data parallelism, ZeRO-1 or FSDP2, with tensors and stages split.
PYTORCH = Parallelism()

MICRO_BATCHES = (64, 32, 16, 8, 4, 2, 1)


def node_size(gpus: int, per_node: int) -> int:
    """GPUs used of each node: torchrun starts equally many processes on every node."""
    return next(size for size in range(min(gpus, per_node), 0, -1) if gpus % size == 0)


class Split(NamedTuple):
    """Into how many parts tensors, layers and sequences are cut."""

    tp: int
    pp: int
    cp: int

    @property
    def ranks(self) -> int:
        """GPUs that hold one copy of the model and of a micro-batch."""
        return self.tp * self.pp * self.cp


def _splits(
    config: Architecture, gpus: int, per_node: int, domain: int, able: Parallelism, wish: Wish
) -> Iterator[Split]:
    """The splits that divide the cluster, the node, the heads, the layers and the sequence.

    Slices that span several nodes of a domain come where they are asked for.
    """
    splits = able.split and (able.mixtures or config.experts == 1)
    for cp in _contexts(config, able, wish):
        for tp, pp in _candidates(wish) if splits else ((1, 1),):
            split = Split(tp, pp, cp)
            if (
                (able.tensors_alone or pp > 1 or tp == 1)
                and gpus % split.ranks == 0
                and (per_node % tp == 0 or (wish.tp and tp % per_node == 0 and domain % tp == 0))
                and _slices(config, tp, wish)
                and pp <= (config.layers if wish.pp else config.layers // 2)
                and wish.dp in (0, gpus // split.ranks)
                and wish.tp in (0, tp)
                and wish.pp in (0, pp)
                and (
                    wish.interleave <= 1
                    or (pp > 1 and not too_many_pieces(config, pp * wish.interleave))
                )
            ):
                yield split


def _contexts(config: Architecture, able: Parallelism, wish: Wish) -> tuple[int, ...]:
    """Context-parallel ranks to try: long sequences may be shared, others only if that is asked."""
    if wish.cp or not able.context or config.context < LONG_CONTEXT:
        return (wish.cp or 1,)
    return tuple(cp for cp in CONTEXTS if config.context % (2 * cp) == 0)


def _candidates(wish: Wish) -> Iterator[tuple[int, int]]:
    """Tensor x pipeline splits, simplest first; stages go with slices unless they are asked for."""
    for pp in (wish.pp,) if wish.pp else PIPELINES:
        for tp in (wish.tp,) if wish.tp else TENSORS:
            if pp == 1 or tp > 1 or wish.tp or wish.pp:
                yield tp, pp


def _slices(config: Architecture, tp: int, wish: Wish) -> bool:
    """Whether the heads can be cut; ranks may share a pair of key and value if that is asked."""
    if wish.tp:
        return config.heads % tp == 0 and shares_heads(config.kv_heads, tp)
    return config.kv_heads % tp == 0


def shares_heads(kv_heads: int, tp: int) -> bool:
    """Whether each rank has equally many heads of keys and values, or equally many have one."""
    return kv_heads % tp == 0 or tp % kv_heads == 0


def _shardings(
    config: Architecture, gpus: int, split: bool, able: Parallelism, wish: Wish
) -> tuple[Sharding, ...]:
    """Shardings to try: for small models plain data parallelism first, then ZeRO-1, then FSDP."""
    if wish.sharding:
        return (wish.sharding,) if wish.sharding in shardings(able, split) else ()
    if gpus == 1:  # nothing is shared, whatever it is called
        return able.whole[:1]
    if split and able.split:
        return (able.split,)
    return able.whole if parameter_count(config) < 1_000_000_000 else able.whole[-1:]


def shardings(able: Parallelism, split: bool) -> tuple[Sharding, ...]:
    """The shardings that a framework has over data ranks, for a split or an undivided model.

    Where a split model has ZeRO-1, it has no more of ZeRO: gradients of a pipeline's micro-batches
    add up on each rank (DeepSpeed's PipelineEngine asserts it).
    """
    with_split = (able.split,) if split and able.split else ()
    kinds = tuple(dict.fromkeys((*able.whole, *with_split)))
    if with_split == ("zero1",):
        return tuple(kind for kind in kinds if kind in ("ddp", "zero1"))
    return kinds


def _bases(
    config: Architecture, gpu: Gpu, gpus: int, reference: bool, able: Parallelism, wish: Wish
) -> Iterator[Layout]:
    """Every split of the cluster with every sharding that suits it, simplest first."""
    size = node_size(gpus, wish.per_node or gpu.per_node)
    for split in _splits(config, gpus, size, slice_domain(gpu), able, wish):
        dp, (tp, pp, cp) = gpus // split.ranks, split
        for sharding in _shardings(config, gpus, tp * pp > 1, able, wish):
            base = Layout(
                gpus=gpus,
                nodes=gpus // size,
                dp=dp,
                tp=tp,
                pp=pp,
                sharding=sharding,
                accumulation=pp,
                reference=reference,
                fp32_gradients=able.fp32_gradients,
                fp32_logits=able.fp32_logits,
                cp=cp,
                replicas=(wish.replicas or gpus // size) if wish.hybrid else 1,
                engine=able.engine,
            )
            base = as_wished(base, wish)
            if _comes_out_even(config, base, able, wish):
                yield from _pieced(config, base, able, wish)


def _pieced(config: Architecture, base: Layout, able: Parallelism, wish: Wish) -> Iterator[Layout]:
    """The layout with the pieces of its stages, where the framework can cut the layers so."""
    made = base._replace(interleave=wish.interleave or pieces(config, base))
    if not able.uneven and config.layers % (made.pp * made.interleave):
        if wish.interleave or config.layers % made.pp:
            return
        made = made._replace(interleave=1)
    yield made


def expert_ranks(ranks: int, tp: int, able: Parallelism) -> int:
    """The ranks that are to be whole groups of ranks that share experts: the ones that share
    states; some frameworks let these groups reach over tensor ranks.
    """
    return ranks * tp if able.whole_experts else ranks


def has_replicas(dp: int, cp: int, replicas: int) -> bool:
    """Whether the data ranks divide into replicas of HSDP, each of two ranks or more."""
    return dp % replicas == 0 and dp * cp > replicas


def _comes_out_even(config: Architecture, layout: Layout, able: Parallelism, wish: Wish) -> bool:
    """Whether data and context ranks can be divided into replicas and shares of the experts."""
    several = layout.replicas > 1 and has_replicas(layout.dp, layout.cp, layout.replicas)
    return (
        (several or not wish.hybrid)
        and expert_ranks(state_ranks(layout), layout.tp, able) % layout.ep == 0
        and config.experts % layout.ep == 0
    )


def _interleaved(layout: Layout, wish: Wish) -> Layout:
    """The layout with one piece a stage, where its micro-batches do not fill whole rounds."""
    rounds = layout.accumulation % layout.pp == 0
    return layout if wish.interleave or rounds else layout._replace(interleave=1)


def _leaves_a_rest(sequences: int, dp: int, micro_batch: int) -> bool:
    """Whether the data ranks divide the batch, but not with micro-batches of this size."""
    return sequences % dp == 0 and sequences % (dp * micro_batch) != 0


def _fitting(
    config: Architecture, gpu: Gpu, gpus: int, sequences: int, reference: bool, able: Parallelism,
    wish: Wish,
) -> Iterator[Layout]:  # fmt: skip
    """Every layout that fits, the simplest first.

    What is asked for may fit only with gradients in bf16, or with inputs in the host's memory.
    """
    limit = memory.USABLE * memory.capacity(gpu)
    bases = [*_bases(config, gpu, gpus, reference, able, wish)]
    found = False
    for base in bases:
        if layout := _with_micro_batch(base, config, limit, sequences, able.recomputes, wish):
            found = True
            yield layout
    if found:
        return
    for lean in _leaner(bases, able, wish):
        recomputes: tuple[Recompute, ...] = ("full",) if lean.offloaded else able.recomputes
        if layout := _with_micro_batch(lean, config, limit, sequences, recomputes, wish):
            yield layout


def _leaner(bases: list[Layout], able: Parallelism, wish: Wish) -> Iterator[Layout]:
    """The layouts with what a framework's users do where a job that they want does not fit."""
    if able.bf16_gradients and wish.tp and wish.pp:
        yield from (base._replace(fp32_gradients=False) for base in bases)
    if able.offloads and wish.micro_batch and wish.recompute in (None, "full"):
        yield from (base._replace(offloaded=True) for base in bases)


def fits(
    config: Architecture,
    gpu: Gpu,
    gpus: int,
    sequences: int,
    sequence: int,
    reference: bool = False,
    able: Parallelism = PYTORCH,
    wish: Wish = FREE,
) -> bool:
    """Whether a layout fits; this is faster than finding the best one."""
    config = config._replace(context=sequence)
    return any(True for _ in _fitting(config, gpu, gpus, sequences, reference, able, wish))


@lru_cache(maxsize=1024)
def fitting_layout(
    config: Architecture,
    gpu: Gpu,
    gpus: int,
    sequences: int,
    sequence: int | None = None,
    reference: bool = False,
    able: Parallelism = PYTORCH,
    wish: Wish = FREE,
) -> Layout | None:
    """The fastest layout that fits the GPU's memory, for a global batch of about `sequences`.

    `sequence` is their length in tokens, by default the model's context; with `reference` a
    frozen copy of the model has to fit too; `able` is what the framework can do, and `wish` which
    values the layout must have. The batch may
    grow to GROWTH times its size where there are many data-parallel ranks, and further where
    nothing else fits. Of layouts that are about as fast the simplest is taken. None if nothing
    fits.
    """
    config = config._replace(context=sequence or config.context)
    fitting = [*_fitting(config, gpu, gpus, sequences, reference, able, wish)]
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
    wish: Wish = FREE,
) -> Layout | None:
    """The layout that needs least memory, whether it fits or not: what a refusal reckons with.

    None where no layout is as it was asked for.
    """
    config = config._replace(context=sequence or config.context)
    bases = _bases(config, gpu, gpus, reference, able, wish)
    recompute, micro_batch = wish.recompute or able.recomputes[-1], wish.micro_batch or 1
    offloaded = able.offloads and recompute == "full" and bool(wish.micro_batch)
    layouts = (
        base._replace(recompute=recompute, micro_batch=micro_batch, offloaded=offloaded)
        for base in bases
    )
    tokens = config.context
    needed = {layout: memory.total(memory.estimate(config, layout, tokens)) for layout in layouts}
    return min(needed, key=lambda layout: needed[layout], default=None)


def _with_micro_batch(
    base: Layout,
    config: Architecture,
    limit: float,
    sequences: int,
    recomputes: tuple[Recompute, ...],
    wish: Wish,
) -> Layout | None:
    """The layout with the largest micro-batch that fits, and with as little recomputation as
    fits.
    """
    estimate = memory.estimate(config, base, config.context)
    if memory.total(estimate) - estimate.activations - estimate.logits > limit:
        return None  # however small the batch
    largest = max(1, sequences // (base.dp * base.pp))
    for recompute in (wish.recompute,) if wish.recompute else recomputes:
        for micro_batch in (wish.micro_batch,) if wish.micro_batch else MICRO_BATCHES:
            if micro_batch > largest and not wish.micro_batch:
                continue
            if _leaves_a_rest(sequences, base.dp, micro_batch) and not wish.micro_batch:
                continue
            if wish.batch % (base.dp * micro_batch):
                continue
            # Each pipeline stage wants a micro-batch to work on.
            accumulation = max(base.pp, round(sequences / (base.dp * micro_batch)))
            if wish.batch:
                accumulation = wish.batch // (base.dp * micro_batch)
            if wish.accumulation and wish.batch and wish.accumulation != accumulation:
                continue
            accumulation = wish.accumulation or accumulation
            layout = base._replace(
                recompute=recompute, micro_batch=micro_batch, accumulation=accumulation
            )
            layout = _interleaved(layout, wish)
            if memory.total(memory.estimate(config, layout, config.context)) <= limit:
                return layout
    return None
