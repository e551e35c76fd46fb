"""The architecture of GPT-2 in any size, for nanoGPT and llm.c, which are written for it.

Learned positions, LayerNorm, as many keys and values as queries, GELU between two matrices,
tied embeddings. How they are counted is in model/architecture.py.
"""

from functools import lru_cache
from math import log2

from llmsim.model.architecture import GPT2_POSITIONS, Architecture, parameter_count

# Layers and hidden size: 30M, then GPT-2's four, 124M, 355M, 774M, 1558M. Heads have 64 elements.
# (train_gpt2.cu, gpt2_build_from_random; model.py, from_pretrained.)
SIZES = ((6, 384), (12, 768), (24, 1024), (36, 1280), (48, 1600))
# Hidden size / layers up to a size: GPT-2's, then GPT-3's (Brown et al. 2020, table 2.1).
_PROPORTIONS = ((2e8, 64), (5.5e8, 43), (1.1e9, 36), (2e9, 33), (5e9, 80))
_LARGEST_PROPORTION = 128
_HIDDEN_SIZES = (*range(128, 4096, 64), *range(4096, 2**17, 256))


@lru_cache(maxsize=256)
def gpt2_config(parameters: int, *, biases: bool) -> Architecture:
    """The GPT-2 of this nominal size in weights, with biases (llm.c) or without (nanoGPT).

    It is a published configuration if one lies within 5 %, so that 1.5B is the largest of them;
    otherwise it has their proportions.
    """
    for layers, hidden_size in SIZES:
        config = _config(layers, hidden_size, biases)
        if abs(parameter_count(config) / parameters - 1) <= 0.05:
            return config
    usual = next((per for limit, per in _PROPORTIONS if parameters <= limit), _LARGEST_PROPORTION)

    def oddness(config: Architecture) -> float:
        """A penalty in which 1 % of the size counts as much as a third of an octave of the
        proportion.
        """
        missed = abs(parameter_count(config) / parameters - 1)
        return 30 * missed + log2(config.hidden_size / config.layers / usual) ** 2

    return min(
        (_filled(parameters, hidden_size, biases) for hidden_size in _HIDDEN_SIZES), key=oddness
    )


def _filled(size: int, hidden_size: int, biases: bool) -> Architecture:
    """The GPT-2 of this hidden size with the number of layers that comes nearest to the size."""
    outside = parameter_count(_config(0, hidden_size, biases))
    per_layer = parameter_count(_config(1, hidden_size, biases)) - outside
    return _config(max(2, round((size - outside) / per_layer)), hidden_size, biases)


def _config(layers: int, hidden_size: int, biases: bool) -> Architecture:
    return Architecture(
        layers=layers,
        hidden_size=hidden_size,
        heads=hidden_size // 64,
        kv_heads=hidden_size // 64,
        head_dim=64,
        feed_forward=4 * hidden_size,
        vocabulary=50_257,
        context=GPT2_POSITIONS,
        tied=True,
        family="gpt2",
        biases=biases,
    )
