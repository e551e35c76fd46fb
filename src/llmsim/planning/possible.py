"""What cannot be, whatever the memory: each is refused in one sentence with its arithmetic."""

from collections.abc import Iterator

from llmsim.catalog.records import Gpu
from llmsim.errors import PlanError, Setting
from llmsim.job.framework import Framework
from llmsim.model.architecture import GPT2_POSITIONS, Architecture
from llmsim.options.wanted import Wanted
from llmsim.planning.parallelism import node_size, shardings, shares_heads
from llmsim.planning.wish import Wish, unit
from llmsim.text.wording import either

Sentence = tuple[str | Setting, ...]


def wish_of(wanted: Wanted) -> Wish:
    """What is asked of the layout."""
    return Wish(
        dp=wanted.dp or 0,
        tp=wanted.tp or 0,
        pp=wanted.pp or 0,
        sharding=wanted.sharding,
        recompute=wanted.recompute,
        micro_batch=wanted.micro_batch or 0,
        batch=wanted.batch or 0,
        accumulation=wanted.accumulation or 0,
        per_node=wanted.gpus_per_node or 0,
    )


def can_do(framework: Framework, wish: Wish, mixture: bool = False) -> bool:
    """Whether the framework can spread a model as it is asked to."""
    return not any(_beyond(framework, wish, mixture))


def refuse_impossible(config: Architecture, gpu: Gpu, gpus: int, wish: Wish) -> None:
    """Raises PlanError for the first thing that cannot be, on this number of GPUs."""
    for sentence in (*_undivided(config, gpus, wish), *_ranks(gpu, gpus, wish)):
        raise PlanError(*sentence)


def refuse_beyond(framework: Framework, config: Architecture, wish: Wish) -> None:
    """Raises PlanError for the first thing that the framework cannot do."""
    for sentence in _beyond(framework, wish, config.experts > 1):
        raise PlanError(*sentence)


def refuse_positions(config: Architecture, sequence: int) -> None:
    """Raises PlanError for a sequence that is longer than the positions that a model learns."""
    if config.family == "gpt2" and sequence > GPT2_POSITIONS:
        known = f"is more than the {GPT2_POSITIONS:,} positions that GPT-2 learns."
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
    dp, micro = wish.dp or gpus // (tp * pp) or 1, wish.micro_batch or 1
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


def _ranks(gpu: Gpu, gpus: int, wish: Wish) -> Iterator[Sentence]:
    """Where ranks, GPUs and nodes do not agree."""
    tp, whole, per_node = wish.tp or 1, unit(wish), wish.per_node or gpu.per_node
    parts = {"dp": wish.dp, "tp": wish.tp, "pp": wish.pp}
    product = " x ".join(f"{name} {ranks}" for name, ranks in parts.items() if ranks)
    if gpus % whole or (all(parts.values()) and gpus != whole):
        multiple = "" if all(parts.values()) else ", or a multiple of it"
        yield _about("gpus", gpus, f"is not {product} = {whole:,}{multiple}.")
    if per_node > gpu.per_node:
        yield (f"gpus_per_node = {per_node}, but a node of {gpu.name} has {gpu.per_node}.",)
    if wish.per_node and gpus > per_node and gpus % per_node:
        yield _about("gpus", gpus, f"is no multiple of gpus_per_node = {per_node}.")
    size = node_size(gpus, per_node)
    if size % tp:
        slices = f"does not divide the {size} GPUs of a node: slices stay inside a node."
        yield _about("tp", tp, slices)
