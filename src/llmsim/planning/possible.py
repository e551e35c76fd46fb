"""What cannot be, whatever the memory: each is refused in one sentence with its arithmetic."""

from collections.abc import Iterator

from llmsim.catalog.gpus import first_precision, multiplies, slice_domain
from llmsim.catalog.records import Gpu
from llmsim.errors import PlanError, Setting
from llmsim.job.framework import Framework
from llmsim.job.layout import Parallelism, Precision
from llmsim.model.architecture import Architecture
from llmsim.options.wanted import Wanted
from llmsim.physics.hardware.stages import too_many_pieces
from llmsim.planning.parallelism import (
    expert_ranks,
    has_replicas,
    node_size,
    shardings,
    shares_heads,
)
from llmsim.planning.wish import Wish, switched, unit
from llmsim.text.wording import either

Sentence = tuple[str | Setting, ...]
HYBRID = "hsdp"  # sharded within replicas: FSDP on each, whose gradients are added up


def wish_of(wanted: Wanted) -> Wish:
    """What is asked of the layout."""
    return Wish(
        dp=wanted.dp or 0,
        tp=wanted.tp or 0,
        pp=wanted.pp or 0,
        cp=wanted.cp or 0,
        ep=wanted.ep or 0,
        sharding="fsdp2" if wanted.sharding == HYBRID else wanted.sharding,
        hybrid=wanted.sharding == HYBRID,
        replicas=wanted.replicas or 0,
        recompute=wanted.recompute,
        sequence_parallel=wanted.sequence_parallel,
        interleave=wanted.interleave or 0,
        micro_batch=wanted.micro_batch or 0,
        batch=wanted.batch or 0,
        accumulation=wanted.accumulation or 0,
        per_node=wanted.gpus_per_node or 0,
        precision=wanted.precision,
        bf16_states=None if wanted.states is None else wanted.states == "bf16",
        four_bit_base=None if wanted.base is None else wanted.base == "nf4",
        compiled=wanted.compiled,
        fused_loss=wanted.fused_loss,
        flash=None if wanted.attention is None else wanted.attention == "flash",
    )


def can_do(framework: Framework, wish: Wish, mixture: bool = False) -> bool:
    """Whether the framework can spread a model as it is asked to."""
    return not any((*_beyond(framework, wish, mixture), *_unable(framework, wish)))


def is_certain(framework: Framework, gpu: Gpu | None, gpus: int | None, wish: Wish) -> bool:
    """Whether no draw of what is left open can make a job of a wish.

    `gpu` and `gpus` are the given ones, None if they are left open.
    """
    if gpus and any(_multiples(gpus, wish)):
        return True
    old = gpu is not None and any(_too_old(gpu, wish))
    return old or not can_do(framework, wish)


def refuse_impossible(
    config: Architecture, gpu: Gpu, gpus: int, wish: Wish, able: Parallelism
) -> None:
    """Raises PlanError for the first thing that cannot be, on this number of GPUs."""
    for sentence in (
        *_multiples(gpus, wish),
        *_undivided(config, gpus, wish),
        *_ranks(gpu, gpus, wish),
        *_shares(gpu, gpus, wish, able),
    ):
        raise PlanError(*sentence)


def refuse_beyond(framework: Framework, config: Architecture, wish: Wish) -> None:
    """Raises PlanError for the first thing that the framework cannot do."""
    beyond = (
        *_unable(framework, wish),
        *_beyond(framework, wish, config.experts > 1),
        *_unbuilt(framework, config),
        *_uneven(framework, config, wish),
        *_pointless(config, wish),
    )
    for sentence in beyond:
        raise PlanError(*sentence)


def refuse_uneven(config: Architecture, sequence: int, gpu: Gpu, wish: Wish) -> None:
    """Raises PlanError for what cannot be on any number of GPUs: of sequence, experts, layers and
    precision.
    """
    for sentence in (*_pieces(config, sequence, wish), *_too_old(gpu, wish)):
        raise PlanError(*sentence)


def refuse_positions(config: Architecture, sequence: int) -> None:
    """Raises PlanError for a sequence that is longer than the positions that a model learns."""
    if config.family == "gpt2" and sequence > config.context:
        known = f"is more than the {config.context:,} positions that GPT-2 learns."
        raise PlanError(*_about("sequence", sequence, known))


def _about(name: str, value: int | str, text: str) -> Sentence:
    """A sentence that begins with an option."""
    return Setting(name, str(value)), f" {text}"


def _beyond(framework: Framework, wish: Wish, mixture: bool) -> Iterator[Sentence]:
    """What the framework cannot do."""
    able, speaker = framework.parallelism, Setting("dialect", framework.name)
    tp, pp = max(1, wish.tp), max(1, wish.pp)
    split = tp * pp > 1
    asked = Setting("tp", str(tp)) if tp > 1 else Setting("pp", str(pp))
    if split and not able.split:
        yield speaker, " splits no model: leave out ", asked, "."
    elif split and mixture and not able.mixtures:
        yield speaker, " splits no mixture of experts: leave out ", asked, "."
    elif wish.pp == 1 and tp > 1 and not able.tensors_alone:
        yield speaker, " splits tensors only together with stages: give ", Setting("pp", "2"), "."
    known = shardings(able, split)
    for name, kind, kinds in (
        ("sharding", wish.sharding, known),
        ("recompute", wish.recompute, able.recomputes),
    ):
        if kind and kind not in kinds:
            yield speaker, " does not do ", Setting(name, kind), f": give {either(kinds)}."


def _unable(framework: Framework, wish: Wish) -> Iterator[Sentence]:
    """What the framework cannot do of ranks, precisions and switches."""
    able, speaker = framework.parallelism, Setting("dialect", framework.name)
    scaler = framework.loss_scaler
    if wish.precision == "fp16" and scaler and wish.ep > 1 and not scaler.shares_experts:
        yield (
            speaker,
            " shares no experts between ranks in fp16: leave out ",
            Setting("ep", str(wish.ep)),
            ".",
        )
    if wish.precision == "fp16" and not scaler:
        known = tuple(each for each in able.precisions if each != "fp16")
        skips = f"cannot be: its loss scale skips steps, which no log of {framework.name} shows yet"
        yield *_about("precision", "fp16", skips), f": give {either(known)}."
    if wish.cp > 1 and not able.context:
        yield (
            speaker,
            " shares no sequence between ranks: leave out ",
            Setting("cp", str(wish.cp)),
            ".",
        )
    if wish.ep > 1 and not able.experts:
        yield (
            speaker,
            " shares no experts between ranks: leave out ",
            Setting("ep", str(wish.ep)),
            ".",
        )
    if (wish.hybrid or wish.replicas > 1) and not able.replicas:
        yield speaker, " has no replicas of sharded weights: leave out sharding = hsdp."
    if wish.precision and wish.precision not in able.precisions:
        asked = Setting("precision", wish.precision)
        yield speaker, " does not train in ", asked, f": give {either(able.precisions)}."
    if wish.bf16_states and not able.bf16_states:
        yield speaker, " keeps its optimizer's weights in fp32: leave out states = bf16."
    if wish.four_bit_base and not able.four_bit_base:
        yield speaker, " has no weights in 4 bits: leave out base = nf4."
    yield from _fixed(speaker, able, wish)


def _fixed(speaker: Setting, able: Parallelism, wish: Wish) -> Iterator[Sentence]:
    """What of its engine the framework lets nobody choose."""
    engine, without = able.engine, wish._replace(fused_loss=None)
    fixed = {
        "compiled": (wish.compiled, engine.compiled, "true", "false"),
        "fused_loss": (wish.fused_loss, switched(engine, without).fused_loss, "true", "false"),
        "attention": (wish.flash, engine.flash, "flash", "eager"),
        "sequence_parallel": (wish.sequence_parallel, True, "true", "false"),
    }
    for name, (asked, own, on, off) in fixed.items():
        if asked not in (None, own) and name not in able.switches:
            yield speaker, f" has {name} = {on if own else off} alone: leave it out."
    if wish.interleave > 1 and "interleave" not in able.switches:
        yield speaker, f" has one piece of the model a stage, not interleave = {wish.interleave}."


def _unbuilt(framework: Framework, config: Architecture) -> Iterator[Sentence]:
    """Models that the framework does not build."""
    special = config.latent_width or config.shared_experts or config.dense_layers
    if special and not framework.parallelism.latent_attention:
        kinds = "latent attention, shared experts or dense first layers"
        yield Setting("dialect", framework.name), f" is not simulated with {kinds}."


def _uneven(framework: Framework, config: Architecture, wish: Wish) -> Iterator[Sentence]:
    """Layers that do not come out even where the framework needs it."""
    pp, pieces = max(1, wish.pp), max(1, wish.interleave)
    if config.layers % (pp * pieces) and not framework.parallelism.uneven:
        asked = f"pp {pp} x interleave {pieces} = {pp * pieces}" if pieces > 1 else f"pp {pp}"
        why = "in this release each piece of a stage has equally many"
        yield (f"{asked} does not divide the model's {config.layers} layers: {why}.",)


def _pointless(config: Architecture, wish: Wish) -> Iterator[Sentence]:
    """What is asked for without the thing that it is of."""
    if wish.ep > 1 and config.experts == 1:
        yield _about("ep", wish.ep, "shares experts, and the model is dense.")
    if wish.four_bit_base and not config.adapter_rank:
        lora = Setting("recipe", "lora")
        yield "base = nf4 is of frozen weights, and all of these train: give ", lora, "."
    if wish.four_bit_base and wish.precision in ("fp8", "mxfp8"):
        yield (f"base = nf4 is multiplied in bf16, not in {wish.precision}.",)
    if wish.replicas > 1 and not wish.hybrid:
        yield (f"replicas = {wish.replicas} are of sharding = hsdp: give both.",)
    if wish.interleave > 1 and wish.pp == 1:
        yield (f"interleave = {wish.interleave} is of a pipeline, and pp is 1.",)


def _pieces(config: Architecture, sequence: int, wish: Wish) -> Iterator[Sentence]:
    """What does not come out even of sequences, experts and layers."""
    cp, ep = wish.cp or 1, wish.ep or 1
    if cp > 1 and sequence % (2 * cp):
        halves = f"2 x {cp} = {2 * cp}: each rank takes two pieces of a sequence."
        yield _about("cp", cp, f"does not go with {sequence:,} tokens, no multiple of {halves}")
    if config.experts % ep:
        yield _about("ep", ep, f"does not divide the model's {config.experts} experts.")
    asked = wish.pp * wish.interleave
    if wish.interleave > 1 and too_many_pieces(config, asked):
        pieces = f"pp {wish.pp} x interleave {wish.interleave} = {asked:,}"
        yield (f"{pieces} are more pieces than the model's {config.layers} layers.",)


def _shares(gpu: Gpu, gpus: int, wish: Wish, able: Parallelism) -> Iterator[Sentence]:
    """What does not come out even of the data and context ranks: experts and replicas."""
    ep, cp = wish.ep or 1, wish.cp or 1
    dp = wish.dp or gpus // ((wish.tp or 1) * (wish.pp or 1) * cp) or 1
    ranks, tp = dp * cp, wish.tp or 1
    known = bool(wish.dp or (wish.tp and wish.pp))
    nodes = gpus // node_size(gpus, wish.per_node or gpu.per_node)
    most = expert_ranks(ranks, tp, able)
    if (known or most < ep) and most % ep:
        yield _about("ep", ep, f"does not divide the {ranks:,} data and context ranks.")
    replicas = wish.replicas or nodes
    if wish.hybrid and replicas == 1:
        yield ("sharding = hsdp has a replica on each node, and there is one: give replicas.",)
    elif wish.hybrid and known and not has_replicas(dp, cp, replicas):
        shared = f"replicas = {replicas:,} of sharding = hsdp do not divide dp {dp:,}"
        yield (f"{shared} into parts of two ranks or more.",)


def _too_old(gpu: Gpu, wish: Wish) -> Iterator[Sentence]:
    """A precision that the GPU does not multiply in."""
    asked: Precision = wish.precision or "bf16"
    if not multiplies(gpu, asked):
        yield _about(
            "precision", asked, f"needs another GPU than {gpu.name}: {first_precision(asked)}."
        )


def _undivided(config: Architecture, gpus: int, wish: Wish) -> Iterator[Sentence]:
    """What does not come out even: heads, layers, batch."""
    tp, pp = wish.tp or 1, wish.pp or 1
    if config.heads % tp:
        yield _about("tp", tp, f"does not divide the model's {config.heads} heads.")
    if not shares_heads(config.kv_heads, tp):
        heads = f"does not go with the model's {config.kv_heads} heads of keys and values."
        yield _about("tp", tp, heads)
    if pp > config.layers:
        stages = f"are more stages than the model's {config.layers} layers."
        yield _about("pp", pp, stages)
    dp, micro = wish.dp or gpus // (tp * pp * (wish.cp or 1)) or 1, wish.micro_batch or 1
    if (wish.dp or (wish.tp and wish.pp)) and wish.batch % (dp * micro):
        ranks = f"{dp:,} data ranks x {micro} sequences of a micro-batch = {dp * micro:,}"
        yield _about("batch", wish.batch, f"is no multiple of {ranks}.")
    passes = micro * wish.accumulation
    if wish.batch and passes and wish.batch % passes:
        accumulated = f"micro {micro} x accumulation {wish.accumulation} = {passes:,}"
        yield _about("batch", wish.batch, f"is no multiple of {accumulated}.")
    if wish.batch and wish.micro_batch and wish.batch % wish.micro_batch:
        micro_batch = Setting("micro-batch", str(wish.micro_batch))
        yield Setting("batch", str(wish.batch)), " is no multiple of ", micro_batch, "."


def _multiples(gpus: int, wish: Wish) -> Iterator[Sentence]:
    """Where ranks and GPUs do not agree."""
    whole = unit(wish)
    parts = {"dp": wish.dp, "tp": wish.tp, "pp": wish.pp} | ({"cp": wish.cp} if wish.cp else {})
    product = " x ".join(f"{name} {ranks}" for name, ranks in parts.items() if ranks)
    if gpus % whole or (all(parts.values()) and gpus != whole):
        total = f"{product} = {whole:,}" if " x " in product else product
        known = "not" if all(parts.values()) else "no multiple of"
        yield _about("gpus", gpus, f"is {known} {total}.")


def _ranks(gpu: Gpu, gpus: int, wish: Wish) -> Iterator[Sentence]:
    """Where ranks and nodes do not agree."""
    tp, per_node = wish.tp or 1, wish.per_node or gpu.per_node
    if per_node > gpu.per_node:
        yield (f"gpus_per_node = {per_node}, but a node of {gpu.name} has {gpu.per_node}.",)
    if wish.per_node and gpus > per_node and gpus % per_node:
        yield _about("gpus", gpus, f"is no multiple of gpus_per_node = {per_node}.")
    size = node_size(gpus, per_node)
    if size % tp and (tp % size or slice_domain(gpu) % tp):
        slices = f"does not divide the {size} GPUs of a node: slices stay inside a node."
        yield _about("tp", tp, slices)
