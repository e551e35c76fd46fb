"""A layout divides the cluster evenly and fits the memory; if there is none, none would fit."""

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.catalog.records import Gpu, gpu_named
from llmsim.job.layout import Layout
from llmsim.model.architecture import config_for
from llmsim.physics.hardware import memory
from llmsim.physics.speed import throughput
from llmsim.planning.parallelism import GROWTH, fitting_layout, leanest_layout, node_size

H100 = gpu_named("NVIDIA H100 80GB HBM3")

sizes = st.sampled_from((50e6, 124e6, 1.1e9, 8e9, 30e9, 70e9, 405e9, 2e12)).map(int)
gpus_kinds = st.sampled_from(records.gpus())
PRIMES = (2, 3, 5, 7, 11, 13, 127, 509, 8191, 131_071)
counts = st.one_of(
    st.integers(1, 131_072), st.sampled_from(PRIMES), st.integers(0, 17).map(lambda n: 2**n)
)
batches = st.sampled_from((1, 8, 100, 512, 2048))


@given(st.integers(1, 131_072), st.integers(1, 16))
def test_all_nodes_run_equally_many_processes(gpus: int, per_node: int) -> None:
    size = node_size(gpus, per_node)
    assert gpus % size == 0
    assert size <= per_node
    assert not any(gpus % more == 0 for more in range(size + 1, min(gpus, per_node) + 1))


@given(sizes, gpus_kinds, counts, batches, st.booleans())
def test_a_layout_divides_evenly_and_fits(
    size: int, gpu: Gpu, gpus: int, sequences: int, reference: bool
) -> None:
    config = config_for(size)
    layout = fitting_layout(config, gpu, gpus, sequences, reference=reference)
    assume(layout)
    assert layout is not None
    assert layout.gpus == gpus == layout.dp * layout.tp * layout.pp
    per_node, rest = divmod(gpus, layout.nodes)
    assert rest == 0
    assert per_node <= gpu.per_node
    assert per_node % layout.tp == 0  # tensor parallelism stays inside a node
    assert config.heads % layout.tp == config.kv_heads % layout.tp == 0
    assert layout.pp <= config.layers
    assert layout.accumulation >= layout.pp  # each stage has a micro-batch to work on
    used = memory.total(memory.estimate(config, layout, config.context))
    assert used <= memory.USABLE * memory.capacity(gpu)


@given(sizes, gpus_kinds, counts, batches)
@pytest.mark.long
def test_what_is_refused_does_not_fit_in_any_layout(
    size: int, gpu: Gpu, gpus: int, sequences: int
) -> None:
    config = config_for(size)
    assume(fitting_layout(config, gpu, gpus, sequences) is None)
    leanest = memory.total(
        memory.estimate(config, leanest_layout(config, gpu, gpus), config.context)
    )
    assert leanest > memory.USABLE * memory.capacity(gpu)
    nodes = gpus // node_size(gpus, gpu.per_node)
    for tp, pp in product((1, 2, 4, 8), (1, 2, 4, 8, 16, 32)):
        dp, rest = divmod(gpus, tp * pp)
        if rest or node_size(gpus, gpu.per_node) % tp or pp > config.layers // 2:
            continue
        if pp > 1 and tp == 1:
            continue
        layout = Layout(gpus, nodes, dp, tp, pp, "fsdp2", "full", accumulation=pp)
        assert memory.total(memory.estimate(config, layout, config.context)) >= leanest


@pytest.mark.parametrize(
    ("size", "gpus", "sequences", "expected"),
    [
        (124e6, 8, 512, ("ddp", 1, 1)),  # one small model on each GPU
        (8e9, 8, 256, ("fsdp2", 1, 1)),  # torchtitan's Llama-3-8B on a node
        (8e9, 128, 512, ("fsdp2", 1, 1)),
        (8e9, 1024, 256, ("fsdp2", 1, 1)),  # the batch grows, rather than a small model is split
    ],
)
def test_layouts_are_the_simplest_that_people_use(
    size: float, gpus: int, sequences: int, expected: tuple[str, int, int]
) -> None:
    layout = fitting_layout(config_for(int(size)), H100, gpus, sequences)
    assert layout is not None
    assert (layout.sharding, layout.tp) == expected[:2]
    assert layout.dp <= GROWTH * sequences


def test_the_largest_models_are_split_and_as_fast_as_published() -> None:
    """Llama 3, table 4: 405B at 41 % on 16,384 H100, with 8-way tensor parallelism."""
    config = config_for(405_000_000_000)
    layout = fitting_layout(config, H100, 16_384, 2048)
    assert layout is not None
    assert layout.tp > 1
    assert throughput.expected_mfu(config, H100, layout) == pytest.approx(0.41, abs=0.03)


def test_the_batch_comes_near_to_the_one_that_is_wanted() -> None:
    for gpus, sequences in product((8, 24, 64, 96), (64, 250, 512, 1000)):
        layout = fitting_layout(config_for(1_100_000_000), H100, gpus, sequences)
        assert layout is not None
        batch = layout.dp * layout.micro_batch * layout.accumulation
        assert 0.66 <= batch / sequences <= 1.5, (gpus, sequences)
