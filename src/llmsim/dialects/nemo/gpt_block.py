"""A layer of NeMo's GPTConfig: its weights on a rank, and how many modules it has.

The GPTs of 126M to 175B have Transformer Engine's own layer (use_transformer_engine_full_layer_spec
in collections/llm/gpt/model/base.py), whose matrices have biases always. Without biases a GPT has
Megatron's layer. In both of them LayerNorm has a bias.
"""

from llmsim.model.architecture import Architecture


def weights(config: Architecture, tensor_ranks: int) -> list[tuple[str, int]]:
    """Names and sizes of a layer's weights on a rank, from the last to the first.

    Tensor ranks split the matrices. Where they split the columns, they split the biases, too.
    """
    width = config.hidden_size
    inner = config.feed_forward // tensor_ranks
    columns = (config.heads + 2 * config.kv_heads) * config.head_dim // tensor_ranks
    rows = config.heads * config.head_dim // tensor_ranks
    if config.biases:
        first, second = "transformer_layer.layernorm_mlp", "transformer_layer.self_attention"
        return [
            (f"{first}.fc2_bias", width),
            (f"{first}.fc2_weight", inner * width),
            (f"{first}.fc1_bias", inner),
            (f"{first}.fc1_weight", inner * width),
            *_norm(first, width),
            (f"{second}.proj.bias", width),
            (f"{second}.proj.weight", rows * width),
            (f"{second}.layernorm_qkv.bias", columns),
            (f"{second}.layernorm_qkv.weight", columns * width),
            *_norm(f"{second}.layernorm_qkv", width),
        ]
    return [
        ("mlp.linear_fc2.weight", inner * width),
        ("mlp.linear_fc1.weight", inner * width),
        *_norm("mlp.linear_fc1", width),
        ("self_attention.linear_qkv.weight", columns * width),
        *_norm("self_attention.linear_qkv", width),
        ("self_attention.linear_proj.weight", rows * width),
    ]


def _norm(module: str, width: int) -> list[tuple[str, int]]:
    """The two weights of a LayerNorm that is part of a module."""
    return [(f"{module}.layer_norm_bias", width), (f"{module}.layer_norm_weight", width)]


def modules(config: Architecture) -> int:
    """Modules of a layer.

    Transformer Engine's: the wrapper and the layer, the attention with its two matrices and the six
    of its core, and the feed-forward part. Megatron's has 20, as a Llama's.
    """
    return 12 if config.biases else 20
