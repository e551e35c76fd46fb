"""Sizes become architectures whose weights, counted matrix by matrix, are the published numbers."""

from collections.abc import Iterator
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.model.architecture import (
    PUBLISHED,
    Architecture,
    active_parameter_count,
    config_for,
    parameter_count,
    position_parameters,
    trained_parameter_count,
)
from llmsim.model.gpt2 import gpt2_config

# Exact counts from the model cards' safetensors indices.
DENSE = {
    "TinyLlama-1.1B": 1_100_048_384,
    "Llama-3.2-1B": 1_235_814_400,
    "Llama-3.2-3B": 3_212_749_824,
    "Llama-2-7B": 6_738_415_616,
    "Llama-3-8B": 8_030_261_248,
    "Llama-2-13B": 13_015_864_320,
    "Llama-3-70B": 70_553_706_496,
    "Llama-3.1-405B": 405_853_388_800,
}
MIXTRAL, MIXTRAL_ACTIVE = 46_702_792_704, 12_879_925_248

# llm.c's depths (124M and 1558M as it prints them), with biases and 50,304 tokens:
# layers, heads, width, parameters. nanoGPT's 124M without biases is 123.59M and 786,432 positions.
GPT2 = (
    (12, 12, 768, 124_475_904),
    (24, 16, 1024, 354_871_296),
    (36, 20, 1280, 774_090_240),
    (48, 25, 1600, 1_557_686_400),
)

dense_sizes = st.floats(7.302, 12.301).map(lambda digits: int(10**digits))  # 20M to 2T
mixtures = [model for model in records.models() if model.experts > 1]


def matrices(config: Architecture, experts: int) -> Iterator[tuple[int, ...]]:
    """The sides of every weight tensor of a decoder with so many experts in a layer."""
    yield config.vocabulary, config.hidden_size
    if not config.tied:
        yield config.hidden_size, config.vocabulary
    yield (config.hidden_size,)  # the last norm
    for _ in range(config.layers):
        yield from [(config.hidden_size,)] * 2
        yield config.hidden_size, config.heads * config.head_dim  # query
        yield config.hidden_size, config.kv_heads * config.head_dim  # key
        yield config.hidden_size, config.kv_heads * config.head_dim  # value
        yield config.heads * config.head_dim, config.hidden_size  # output
        if config.experts > 1:
            yield config.hidden_size, config.experts  # router
        for _ in range(experts):
            yield from [(config.hidden_size, config.feed_forward)] * 3  # up, gate, down


@pytest.mark.parametrize(("exact"), DENSE.values(), ids=DENSE)
def test_published_models_have_their_exact_counts(exact: int) -> None:
    assert parameter_count(config_for(exact)) == exact


def test_mixtral_counts_all_experts_and_the_visited_ones() -> None:
    config = config_for(46_700_000_000, 12_900_000_000, experts=8)
    assert (parameter_count(config), active_parameter_count(config)) == (MIXTRAL, MIXTRAL_ACTIVE)


@pytest.mark.parametrize("config", PUBLISHED, ids=lambda config: f"{parameter_count(config):.2e}")
def test_the_count_is_that_of_all_matrices(config: Architecture) -> None:
    assert parameter_count(config) == sum(map(prod, matrices(config, config.experts)))
    assert active_parameter_count(config) == sum(map(prod, matrices(config, config.active_experts)))


@given(dense_sizes)
def test_any_size_is_met_within_three_per_cent(size: int) -> None:
    config = config_for(size)
    assert abs(parameter_count(config) / size - 1) <= 0.03
    assert parameter_count(config) == sum(map(prod, matrices(config, 1)))


@given(dense_sizes)
def test_sides_divide_and_keep_the_proportions_of_real_models(size: int) -> None:
    config = config_for(size)
    assert config.heads * config.head_dim == config.hidden_size
    assert config.heads % config.kv_heads == 0
    assert config.hidden_size % 64 == 0
    assert config.feed_forward % 64 == 0
    assert 2.2 <= config.feed_forward / config.hidden_size <= 6
    assert config.layers >= 2
    if size > 100e6:
        assert 40 <= config.hidden_size / config.layers <= 180


@pytest.mark.parametrize("model", mixtures, ids=lambda model: model.name)
def test_listed_mixtures_meet_both_of_their_sizes_and_look_like_real_ones(
    model: records.Model,
) -> None:
    config = config_for(model.parameters, model.active_parameters, model.experts)
    assert abs(parameter_count(config) / model.parameters - 1) <= 0.03
    assert abs(active_parameter_count(config) / model.active_parameters - 1) <= 0.05
    assert config.experts == model.experts > config.active_experts >= 1
    assert 30 <= config.hidden_size / config.layers <= 160
    assert 2 <= config.active_experts * config.feed_forward / config.hidden_size <= 8


@given(dense_sizes, st.integers(2, 512), st.floats(0.02, 1))
@pytest.mark.long
def test_any_mixture_has_an_architecture(size: int, experts: int, share: float) -> None:
    config = config_for(size, int(size * share), experts)
    assert 1 <= config.active_experts <= config.experts == experts
    assert config.heads % config.kv_heads == 0
    if size > 1e9 * experts:  # smaller experts than that come in steps too coarse
        assert abs(parameter_count(config) / size - 1) <= 0.03


def gpt2_tensors(config: Architecture) -> Iterator[tuple[int, ...]]:
    """The sides of GPT-2's tensors: model.py, and fill_in_parameter_sizes in train_gpt2.cu."""
    hidden = config.hidden_size
    yield from ((50_304, hidden), (1024, hidden))
    norms, linears = 1, 0
    for _ in range(config.layers):
        yield from (
            (hidden, 3 * hidden),
            (hidden, hidden),
            (hidden, 4 * hidden),
            (4 * hidden, hidden),
        )
        norms, linears = norms + 2, linears + 9 * hidden
    yield (norms * hidden,)
    if config.biases:
        yield from ((norms * hidden,), (linears,))


@pytest.mark.parametrize(("layers", "heads", "hidden", "exact"), GPT2)
def test_gpt2s_sizes_are_built_as_published(
    layers: int, heads: int, hidden: int, exact: int
) -> None:
    config = gpt2_config(exact, biases=True)
    assert (config.layers, config.heads, config.hidden_size) == (layers, heads, hidden)
    assert parameter_count(config) == exact


def test_gpt2_without_biases_is_nanogpts() -> None:
    config = gpt2_config(124_000_000, biases=False)
    assert parameter_count(config) == 124_354_560 + 19_200
    assert f"{(parameter_count(config) - position_parameters(config)) / 1e6:.2f}M" == "123.59M"


def test_gpt2_of_1_5b_is_its_largest() -> None:
    config = gpt2_config(1_500_000_000, biases=True)
    assert (config.layers, config.heads, config.hidden_size) == (48, 25, 1600)


@given(dense_sizes, st.booleans())
@pytest.mark.long
def test_any_gpt2_is_of_its_family(size: int, biases: bool) -> None:
    config = gpt2_config(size, biases=biases)
    assert parameter_count(config) == sum(map(prod, gpt2_tensors(config)))
    assert abs(parameter_count(config) / size - 1) <= 0.05
    assert config.heads == config.kv_heads
    assert config.heads * config.head_dim == config.hidden_size
    assert config.feed_forward == 4 * config.hidden_size
    assert (config.vocabulary, config.context, config.tied) == (50_257, 1024, True)
    if size > 100e6:
        assert 25 <= config.hidden_size / config.layers <= 160


def test_adapters_have_the_weights_that_peft_counts() -> None:
    # print_trainable_parameters() of PEFT, rank 16 on all seven projections.
    for size, trainable in ((6_738_415_616, 39_976_960), (8_030_261_248, 41_943_040)):
        config = config_for(size)._replace(adapter_rank=16)
        assert trained_parameter_count(config) == trainable
        assert trained_parameter_count(config._replace(adapter_rank=0)) == size
