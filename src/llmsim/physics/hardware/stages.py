"""The layers and parameters of a model on each stage of a pipeline."""

from llmsim.job.layout import Layout, expert_slices
from llmsim.model.architecture import (
    Architecture,
    block_parameters,
    dense_saving,
    embedding_parameters,
    expert_parameters,
    norm_parameters,
    position_parameters,
)


def stage_layers(config: Architecture, layout: Layout, stage: int) -> int:
    """Transformer blocks on a pipeline stage: equally many on each, if that is possible.

    Otherwise the first and the last, which hold the embeddings, have fewer than the others
    (Megatron's decoder_first_pipeline_num_layers; Llama 3 405B, section 3.3.2).
    """
    stages = layout.pp
    each, rest = divmod(config.layers, stages)
    ends = config.layers - (each + 1) * (stages - 2)
    if not rest:
        return each
    if ends < 2:  # the first and last stage would have less than one block each
        return each + (stage < rest)
    if 0 < stage < stages - 1:
        return each + 1
    return ends // 2 if stage else ends - ends // 2


def stage_parameters(config: Architecture, layout: Layout, stage: int) -> int:
    """Parameters on one GPU of a pipeline stage, before data-parallel sharding."""
    experts = -(-config.experts // layout.ep)
    parameters = stage_layers(config, layout, stage) * block_parameters(config, experts)
    if stage == 0:
        parameters = max(0, parameters - dense_saving(config, experts))
    first, last = stage == 0, stage == layout.pp - 1
    if first:
        parameters += embedding_parameters(config) + position_parameters(config)
    if last:
        parameters += norm_parameters(config)
        if not (config.tied and first):
            parameters += embedding_parameters(config)
    whole = 0
    if expert_slices(layout) < layout.tp:  # experts that no tensor rank cuts
        sparse = stage_layers(config, layout, stage) - config.dense_layers * first
        whole = max(0, sparse) * experts * expert_parameters(config)
    return whole - -(parameters - whole) // layout.tp


MOST_PIECES = 8


def too_many_pieces(config: Architecture, number: int) -> bool:
    """Whether a model cannot be cut into this number of pieces.

    The embedding and the loss may be a piece each: Megatron-Bridge's recipe of the 405B on GB200
    has 16 stages of 8 pieces for 126 layers.
    """
    return number > config.layers and number != config.layers + 2


def pieces(config: Architecture, layout: Layout) -> int:
    """Pieces of the model that a pipeline stage has: 1 in plain 1F1B.

    Interleaving needs pieces of equally many layers, where the embedding and the loss may count
    as a layer each (Megatron's account_for_embedding_in_pipeline_split).
    """
    if layout.pp > 1 and layout.interleave:
        return layout.interleave
    if layout.pp == 1 or not layout.engine.interleaves:
        return 1
    most = min(MOST_PIECES, config.layers // layout.pp)
    fitting = (
        number
        for number in range(most, 0, -1)
        if any(layers % (layout.pp * number) == 0 for layers in (config.layers, config.layers + 2))
    )
    return next(fitting, 1)
