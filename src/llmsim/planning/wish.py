"""The values that options give for a layout."""

from llmsim.job.layout import Engine, Layout, Precision, Recompute, Sharding
from llmsim.typed import NamedTuple


class Wish(NamedTuple):
    """The values that a layout must have. 0 and None leave the value to the planner."""

    dp: int = 0  # data-parallel ranks
    tp: int = 0  # tensor-parallel ranks
    pp: int = 0  # pipeline stages
    cp: int = 0  # context-parallel ranks
    ep: int = 0  # expert-parallel ranks
    sharding: Sharding | None = None
    hybrid: bool = False  # weights are sharded within replicas alone (HSDP)
    replicas: int = 0  # of HSDP
    recompute: Recompute | None = None
    sequence_parallel: bool | None = None
    interleave: int = 0  # pieces of the model on a pipeline stage
    micro_batch: int = 0  # sequences
    batch: int = 0  # sequences of the global batch, exactly
    accumulation: int = 0  # micro-batches of a step
    per_node: int = 0  # GPUs of a node
    precision: Precision | None = None
    bf16_states: bool | None = None
    four_bit_base: bool | None = None
    compiled: bool | None = None
    fused_loss: bool | None = None
    flash: bool | None = None


FREE = Wish()


def unit(wish: Wish) -> int:
    """The fewest GPUs of a wish: any other number is a multiple of it."""
    return (wish.dp or 1) * (wish.tp or 1) * (wish.pp or 1) * (wish.cp or 1)


def switched(engine: Engine, wish: Wish) -> Engine:
    """The engine with the switches as they are asked for."""
    fused = wish.fused_loss
    if engine.compiles_loss and wish.compiled is False and fused is None:
        fused = False
    if wish.compiled and not engine.compiled and engine.compiled_kernels:
        engine = engine._replace(kernels=engine.compiled_kernels)
    asked = {"compiled": wish.compiled, "fused_loss": fused, "flash": wish.flash}
    return engine._replace(**{name: on for name, on in asked.items() if on is not None})


def as_wished(layout: Layout, wish: Wish) -> Layout:
    """The layout with the ranks, precisions and switches of a wish.

    Without sequence parallelism nothing changes where no tensor is split.
    """
    shares = wish.sequence_parallel is not False or layout.tp == 1
    return layout._replace(
        ep=wish.ep or 1,
        sequence_parallel=shares,
        precision=wish.precision or "bf16",
        bf16_states=bool(wish.bf16_states),
        four_bit_base=bool(wish.four_bit_base),
        engine=switched(layout.engine, wish),
    )
