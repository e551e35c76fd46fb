"""From a model's size to its architecture, and from the architecture to the exact count.

Most models have the architecture that decoder-only models share since Llama: rotary
positions, RMSNorm, grouped-query attention, a gated (SwiGLU) feed-forward block, no
biases. nanoGPT and llm.c, which are written for GPT-2, have GPT-2's, and Megatron-LM has it
without --swiglu: learned positions, LayerNorm, as many keys and values as queries, a GELU
feed-forward block that is four times as wide as the model, tied embeddings, with or without
biases. A published configuration is used as it is; a size between two of them gets the same
proportions.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import log2

from llmsim.typed import Literal, NamedTuple

Family = Literal["llama", "gpt2"]
FAMILIES: tuple[Family, ...] = ("llama", "gpt2")


class Architecture(NamedTuple):
    """The sizes of a decoder-only transformer. Widths are in elements, the context in tokens."""

    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int  # inner width of one expert (or of the dense block)
    vocabulary: int
    context: int
    experts: int = 1  # feed-forward experts per layer; 1 is a dense model
    active_experts: int = 1  # experts that a token visits
    tied: bool = False  # input and output embedding share their weights
    adapter_rank: int = 0  # LoRA: only adapters of this rank train; 0 trains every weight
    family: Family = "llama"
    biases: bool = False  # GPT-2 has biases beside each matrix and in each norm
    shared_experts: int = 0  # experts of a layer that every token visits, beside the active ones
    dense_layers: int = 0  # first layers of a mixture, which are as wide as the visited experts
    latent_width: int = 0  # of keys and values together: latent attention (MLA); 0 has none
    query_latent_width: int = 0  # of queries in latent attention; 0: queries are not compressed
    rope_width: int = 0  # of the part of a head that carries positions in latent attention
    padding: int = 128  # GPT-2's embedding has a multiple of it as rows


# GPT-2 learns a vector for each of 1,024 positions, GPT-3 for 2,048: its context. Users pad the
# 50,257 tokens to a multiple of 128, which matrix products like: 50,304 (train_gpt2.cu, nanoGPT's
# train.py). Megatron-LM pads to 128 for each tensor rank: 51,200 with 8 (tokenizer.py).
GPT2_POSITIONS = 1024


def attention_width(config: Architecture) -> float:
    """Elements of a head that a score and its value take, on average: 128 in Llama.

    In latent attention a query has 128 + 64 elements, and a value 128 (DeepSeek-V3): 160.
    """
    return config.head_dim + config.rope_width / 2


def attention_parameters(config: Architecture) -> int:
    """Weights of one attention block: query, key, value and output projections."""
    if config.latent_width:
        return _latent_attention_parameters(config)
    query = config.heads * config.head_dim
    key_value = config.kv_heads * config.head_dim
    biases = query + 2 * key_value + config.hidden_size if config.biases else 0
    return config.hidden_size * (2 * query + 2 * key_value) + biases


def _latent_attention_parameters(config: Architecture) -> int:
    """Weights of one block of multi-head latent attention, with the norms of its latents.

    DeepSeek-V3 (arXiv 2412.19437, section 2.1.1): 187,107,328 in each of its 61 layers.
    """
    hidden, latent, queries = config.hidden_size, config.latent_width, config.query_latent_width
    query = config.heads * (config.head_dim + config.rope_width)
    down = hidden * (latent + config.rope_width) + latent
    up = latent * config.heads * 2 * config.head_dim
    asking = hidden * queries + queries + queries * query if queries else hidden * query
    return asking + down + up + config.heads * config.head_dim * hidden


def visited_experts(config: Architecture) -> int:
    """Experts of a layer that a token visits: the chosen ones and the shared ones."""
    return config.active_experts + config.shared_experts


def expert_parameters(config: Architecture) -> int:
    """Weights of one feed-forward expert: up, gate and down projections; GPT-2's has no gate."""
    matrices = 2 if config.family == "gpt2" else 3
    biases = config.feed_forward + config.hidden_size if config.biases else 0
    return matrices * config.hidden_size * config.feed_forward + biases


def norm_parameters(config: Architecture) -> int:
    """Weights of one norm: a gain for each element of the hidden size, and GPT-2's biases."""
    return config.hidden_size * (2 if config.biases else 1)


def block_parameters(config: Architecture, experts: int) -> int:
    """Weights of one layer with this number of routed experts: all of them, or the active ones.

    The shared experts come on top.
    """
    router = config.hidden_size * config.experts if config.experts > 1 else 0
    inner = (experts + config.shared_experts) * expert_parameters(config)
    return attention_parameters(config) + inner + router + 2 * norm_parameters(config)


def dense_saving(config: Architecture, experts: int) -> int:
    """By how many weights the dense layers of a mixture are smaller than as many others.

    `experts` is the number of routed experts of the others. DeepSeek-V3's first three layers have
    one feed-forward block of 18,432, which is as wide as 8 + 1 experts of 2,048.
    """
    router = config.hidden_size * config.experts
    fewer = (experts - config.active_experts) * expert_parameters(config) + router
    return config.dense_layers * fewer


def padded_vocabulary(config: Architecture) -> int:
    """Rows of the embedding, and so logits of a token: GPT-2's 50,257 tokens are 50,304."""
    if config.family == "llama":
        return config.vocabulary
    return -(-config.vocabulary // config.padding) * config.padding


def embedding_parameters(config: Architecture) -> int:
    """Weights of the input embedding: (padded) vocabulary x width."""
    return padded_vocabulary(config) * config.hidden_size


def position_parameters(config: Architecture) -> int:
    """Weights of learned positions; 0 where positions are rotary."""
    return config.context * config.hidden_size if config.family == "gpt2" else 0


def _count(config: Architecture, experts: int) -> int:
    embeddings = embedding_parameters(config) * (1 if config.tied else 2)
    embeddings += position_parameters(config)
    blocks = config.layers * block_parameters(config, experts) - dense_saving(config, experts)
    return embeddings + blocks + norm_parameters(config)


def parameter_count(config: Architecture) -> int:
    """Every trainable weight, exactly. Llama-3-8B: 8,030,261,248; llm.c's d12: 124,475,904."""
    return _count(config, config.experts)


def active_parameter_count(config: Architecture) -> int:
    """The weights that one token passes through; all of them in a dense model."""
    return _count(config, config.active_experts)


def trained_parameter_count(config: Architecture) -> int:
    """The weights that the optimizer changes: all of them, or with LoRA the adapters' weights.

    An adapter on a projection from m to n has r (m + n) weights; all seven projections of a
    block have one. In a mixture only the four of the attention do, as PEFT users choose.
    """
    if not config.adapter_rank:
        return parameter_count(config)
    query, key_value = config.heads * config.head_dim, config.kv_heads * config.head_dim
    sides = 2 * (config.hidden_size + query) + 2 * (config.hidden_size + key_value)
    if config.latent_width:
        sides = _latent_sides(config)
    if config.experts == 1:
        sides += 3 * (config.hidden_size + config.feed_forward)
    return config.layers * config.adapter_rank * sides


def _latent_sides(config: Architecture) -> int:
    """Widths of both sides of every projection of latent attention, added up."""
    hidden, latent, queries = config.hidden_size, config.latent_width, config.query_latent_width
    query = config.heads * (config.head_dim + config.rope_width)
    asking = hidden + 2 * queries + query if queries else hidden + query
    down, up = hidden + latent + config.rope_width, latent + 2 * config.heads * config.head_dim
    return asking + down + up + config.heads * config.head_dim + hidden


# Published configurations, used as they are when a size is within 3 % of their exact count.
# Sources: GPT-2/GPT-3 Table 2.1 widths with a gated feed-forward of equal cost, TinyLlama,
# Llama 2, Llama 3.x and Qwen2.5 model cards (config.json).
PUBLISHED = (
    Architecture(12, 768, 12, 12, 64, 2048, 50_257, 1024, tied=True),  # 124M
    Architecture(24, 1024, 16, 16, 64, 2752, 50_257, 1024, tied=True),  # 355M
    Architecture(24, 1536, 16, 16, 96, 4096, 50_257, 2048, tied=True),  # 757M
    Architecture(22, 2048, 32, 4, 64, 5632, 32_000, 2048),  # 1.1B, TinyLlama
    Architecture(16, 2048, 32, 8, 64, 8192, 128_256, 4096, tied=True),  # 1.24B, Llama 3.2
    Architecture(28, 3072, 24, 8, 128, 8192, 128_256, 4096, tied=True),  # 3.2B, Llama 3.2
    Architecture(32, 4096, 32, 32, 128, 11_008, 32_000, 4096),  # 6.7B, Llama 2
    Architecture(32, 4096, 32, 8, 128, 14_336, 128_256, 8192),  # 8.03B, Llama 3
    Architecture(40, 5120, 40, 40, 128, 13_824, 32_000, 4096),  # 13.0B, Llama 2
    Architecture(48, 5120, 40, 8, 128, 13_824, 152_064, 8192),  # 14.8B, Qwen2.5
    Architecture(64, 5120, 40, 8, 128, 27_648, 152_064, 8192),  # 32.8B, Qwen2.5
    Architecture(80, 8192, 64, 8, 128, 28_672, 128_256, 8192),  # 70.6B, Llama 3
    Architecture(126, 16_384, 128, 8, 128, 53_248, 128_256, 8192),  # 405.9B, Llama 3
    Architecture(32, 4096, 32, 8, 128, 14_336, 32_000, 8192, 8, 2),  # 46.7B-A12.9B, Mixtral
    Architecture(48, 2048, 32, 4, 128, 768, 151_936, 8192, 128, 8),  # 30.5B-A3.3B, Qwen3
)

# Published configurations with latent attention, for frameworks that build it: DeepSeek-V3 and
# Kimi K2 (their config.json).
PUBLISHED_LATENT = (
    Architecture(
        61, 7168, 128, 128, 128, 2048, 129_280, 4096, 256, 8, shared_experts=1, dense_layers=3,
        latent_width=512, query_latent_width=1536, rope_width=64,
    ),  # 671B-A37B
    Architecture(
        61, 7168, 64, 64, 128, 2048, 163_840, 4096, 384, 8, shared_experts=1, dense_layers=1,
        latent_width=512, query_latent_width=1536, rope_width=64,
    ),  # 1,026B-A33B
)  # fmt: skip

_CONTEXTS = ((0.5e9, 1024), (1.5e9, 2048), (6e9, 4096))  # up to this size, this many tokens
_LONGEST_CONTEXT = 8192
_SMALL = 1_500_000_000  # below this, GPT-2's proportions; from here on, Llama's
# Experts that a token visits: up to 12 in published mixtures, more where the name asks for it.
_VISITED = (1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128)


@lru_cache(maxsize=256)
def config_for(parameters: int, active: int | None = None, experts: int = 1) -> Architecture:
    """The architecture of a model of this nominal size.

    `parameters` and `active` (the weights that one token uses, for mixture-of-experts
    models) are counts of weights. A published configuration within 3 % is taken as it is;
    otherwise the exact count of the answer lies within a few per cent of the size.
    """
    active = active or parameters
    for config in PUBLISHED:
        if config.experts == experts and _close(parameter_count(config), parameters):
            return config
    if experts > 1:
        return _mixture_config(parameters, active, experts)
    return _dense_config(parameters)


def latent_config(parameters: int, active: int, experts: int) -> Architecture | None:
    """The published architecture with latent attention of this nominal size; None if none is."""
    for config in PUBLISHED_LATENT:
        near = _close(parameter_count(config), parameters)
        part = active_parameter_count(config) / active
        if near and config.experts == experts and 0.95 < part < 1.05:
            return config
    return None


def _close(exact: int, nominal: int) -> bool:
    return abs(exact - nominal) <= 0.03 * nominal


def _skeleton(hidden_size: int, size: int) -> Architecture:
    """An architecture of this hidden size in Llama's proportions: hidden size about 100 x layers.

    It has few key and value heads. Below 1.5B it follows GPT-2: heads have 64 elements and each
    its own keys and values, the hidden size is 64 x layers, and the vocabulary is GPT-2's.
    """
    small = size < _SMALL
    head_dim = 64 if small else 128
    heads = hidden_size // head_dim
    return Architecture(
        layers=max(2, 2 * round(hidden_size / _hidden_size_per_layer(size) / 2)),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=heads if small else 8 if heads % 8 == 0 else 4,
        head_dim=head_dim,
        feed_forward=_rounded(3.5 * hidden_size, 128),
        vocabulary=50_257 if small else 128_256,
        context=next((c for limit, c in _CONTEXTS if size <= limit), _LONGEST_CONTEXT),
        tied=size < 4_000_000_000,
    )


def _hidden_size_per_layer(size: int) -> int:
    return 64 if size < _SMALL else 96 if size < 4_000_000_000 else 128


def _rounded(value: float, multiple: int) -> int:
    return max(multiple, round(value / multiple) * multiple)


def _hidden_sizes(size: int) -> tuple[int, ...]:
    """Hidden sizes to try; heads stay divisible by 2 or 4, for tensor parallelism."""
    if size < _SMALL:
        return (*range(128, 2048, 128),)
    return (*range(1024, 6144, 512), *range(6144, 65_536, 1024))


def _dense_config(size: int) -> Architecture:
    """The architecture whose hidden size for each layer is nearest to the usual one, as a ratio.

    The wider the layers, the fewer they are: the nearest are the last one below the usual ratio and
    the first one that is not, which are found by halves.
    """
    sizes, usual = _hidden_sizes(size), _hidden_size_per_layer(size)
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        made = _with_layers_for(size, _skeleton(sizes[middle], size))
        enough = made.hidden_size >= usual * made.layers
        low, high = (low, middle) if enough else (middle + 1, high)
    nearest = sizes[max(0, low - 1) : low + 1]
    config = min(
        (_with_layers_for(size, _skeleton(each, size)) for each in nearest),
        key=lambda s: max(s.hidden_size / s.layers, usual**2 * s.layers / s.hidden_size),
    )
    # The feed-forward width takes up what is still missing, or gives up what is too much.
    missing = size - parameter_count(config)
    step = 3 * config.layers * config.hidden_size  # weights per unit of feed-forward width
    return config._replace(feed_forward=_rounded(config.feed_forward + missing / step, 128))


def _with_layers_for(size: int, config: Architecture) -> Architecture:
    """The same architecture with the even number of layers that comes nearest to the size."""
    per_layer = block_parameters(config, 1)
    missing = size - parameter_count(config)
    return config._replace(layers=max(2, config.layers + 2 * round(missing / per_layer / 2)))


def _mixture_config(size: int, active: int, experts: int) -> Architecture:
    """The most usual of many mixtures, each with as many expert weights as the size asks for.

    With A weights outside of the experts, size = A + experts; a token that visits k of E
    experts passes through A + experts * k / E, which gives k.
    """
    configs = (_with_experts(skeleton, size, active, experts) for skeleton in _skeletons(size))
    return min(configs, key=lambda config: _oddness(config, size, active))


def _skeletons(size: int) -> Iterator[Architecture]:
    """Mixtures without experts: hidden sizes of 40 to 130 x layers, a large vocabulary or a small
    one.

    The heads divide by 8, for tensor parallelism.
    """
    small = size < _SMALL
    head_dim = 32 if small else 128
    for hidden_size in range(256, 1024, 256) if small else range(1024, 16_385, 1024):
        for layers in range(max(4, hidden_size // 130 // 4 * 4), hidden_size // 40 + 4, 4):
            for vocabulary in (128_256, 32_000):
                yield Architecture(
                    layers=layers,
                    hidden_size=hidden_size,
                    heads=hidden_size // head_dim,
                    kv_heads=8,
                    head_dim=head_dim,
                    feed_forward=0,
                    vocabulary=vocabulary,
                    context=_LONGEST_CONTEXT,
                    tied=small,
                )


def _with_experts(skeleton: Architecture, size: int, active: int, experts: int) -> Architecture:
    outside = _count(skeleton, 0)
    wanted = (active - outside) * experts / max(1, size - outside)
    inner = (size - outside) / (3 * skeleton.layers * skeleton.hidden_size * experts)
    return skeleton._replace(
        feed_forward=_rounded(inner, 64 if inner > 2048 else 32),
        experts=experts,
        active_experts=min((k for k in _VISITED if k <= experts), key=lambda k: abs(k - wanted)),
    )


def _oddness(config: Architecture, size: int, active: int) -> float:
    """A penalty: how far a mixture is from its sizes and from the proportions of published ones.

    They have hidden sizes of 40 to 128 x layers (80 in the middle), and the experts that a token
    visits are 2.5 to 7 times as wide as the model (4). 1 % of the size weighs as much as a
    fifth of an octave of these.
    """
    missed = abs(parameter_count(config) / size - 1)
    missed += abs(active_parameter_count(config) / active - 1)
    inner = log2(config.active_experts * config.feed_forward / config.hidden_size / 4)
    depth = log2(config.hidden_size / config.layers / 80)
    return 20 * missed + inner**2 + depth**2 + (0.2 if config.vocabulary == 32_000 else 0)
