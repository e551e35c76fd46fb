"""The values that options give for a layout."""

from llmsim.job.layout import Recompute, Sharding
from llmsim.typed import NamedTuple


class Wish(NamedTuple):
    """The values that a layout must have. 0 and None leave the value to the planner."""

    dp: int = 0  # data-parallel ranks
    tp: int = 0  # tensor-parallel ranks
    pp: int = 0  # pipeline stages
    sharding: Sharding | None = None
    recompute: Recompute | None = None
    micro_batch: int = 0  # sequences
    batch: int = 0  # sequences of the global batch, exactly
    accumulation: int = 0  # micro-batches of a step
    per_node: int = 0  # GPUs of a node


FREE = Wish()


def unit(wish: Wish) -> int:
    """The fewest GPUs of a wish: any other number is a multiple of it."""
    return (wish.dp or 1) * (wish.tp or 1) * (wish.pp or 1)
