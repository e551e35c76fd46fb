"""What the ranks that share the experts of a mixture exchange, and how fast mixtures train."""

from math import fsum

import pytest

from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout
from llmsim.model.architecture import Architecture, parameter_count
from llmsim.physics.speed import throughput
from llmsim.physics.speed.collectives import Flow, flows
from tests.physics import jobs
from tests.physics.jobs import B200, GB200, H100, MIXTRAL, layout

# GPT-OSS-120B (its config.json), without its biases: each expert has three matrices of 2880 x 2880.
GPT_OSS = Architecture(36, 2880, 64, 8, 64, 2880, 201_088, 4096, 128, 4)
EXPERT = 3 * 2880 * 2880


def spread(gpus: int, per_node: int, ep: int, dialect: str = "nemo") -> Layout:
    """Data ranks alone, which share the experts."""
    made = layout(
        gpus, per_node, sharding="zero1", recompute="none", micro_batch=4, accumulation=5,
        framework=dialect,
    )  # fmt: skip
    return made._replace(ep=ep)


def of_experts(gpu: Gpu, how: Layout) -> dict[str, Flow]:
    """The flows that move weights of experts, by what they are for."""
    found = flows(GPT_OSS, gpu, how, 4096)
    return {each.purpose: each for each in found if each.purpose.endswith(", experts")}


def test_copies_of_an_expert_add_up_its_gradients() -> None:
    """64 GPUs with 8 expert ranks have 8 copies of each expert, one on each node."""
    found = of_experts(B200, spread(64, 8, ep=8))
    assert {*found} == {"gradients, experts", "weights, experts"}
    for flow in found.values():
        assert (flow.ranks, flow.ranks_per_node) == (8, 1)
        held = 36 * 128 // 8 * EXPERT  # 14.3 billion
        assert flow.size * flow.calls == pytest.approx(2 * held, rel=1e-6)
        # A GPU sends 7/8 of its bytes to other nodes, and its card sends 50 GB/s at most.
        assert flow.seconds > 2 * held * 7 / 8 / 50e9


def test_experts_without_a_copy_are_exchanged_by_nobody() -> None:
    """With 64 expert ranks on 64 GPUs each expert is there once; the other weights 64 times."""
    assert not of_experts(B200, spread(64, 8, ep=64))
    (gradients,) = (f for f in flows(GPT_OSS, B200, spread(64, 8, ep=64), 4096)
                    if f.purpose == "gradients")  # fmt: skip
    rest = parameter_count(GPT_OSS) - 36 * 128 * EXPERT
    assert gradients.ranks == 64
    assert gradients.size * gradients.calls == pytest.approx(2 * rest, rel=1e-4)


def test_copies_in_a_rack_use_its_links() -> None:
    """An NVL72 rack has 64 of GB200's GPUs: NVLink joins 8 copies of each expert."""
    near, far = (
        fsum(flow.seconds for flow in of_experts(gpu, spread(64, gpu.per_node, ep=8)).values())
        for gpu in (GB200, B200)
    )
    assert far / near > 0.5 * GB200.link_gb_s / B200.nic_gb_s
    # With 64 expert ranks the rack has each expert once. Copies are in other racks.
    (other,) = {flow.seconds / flow.calls / flow.size
                for purpose, flow in of_experts(GB200, spread(128, 4, ep=64)).items()
                if purpose.startswith("gradients")}  # fmt: skip
    assert other > 0.5 / GB200.nic_gb_s / 1e9  # half of the bytes go to the one other copy


def test_adapters_leave_experts_alone() -> None:
    """LoRA trains no expert in a mixture, so no copy has gradients of it."""
    config = GPT_OSS._replace(adapter_rank=16)
    found = flows(config, B200, spread(64, 8, ep=8), 4096)
    assert "gradients, experts" not in [flow.purpose for flow in found]


def test_mixtral_in_megatron() -> None:
    """The page on mixtures of Megatron-LM core_v0.12.0: 468 TFLOP/s in bf16 on 64 H100.

    It stands in core/transformer/moe. Its reference mapping is EP8 PP4 VP8, with sequences of
    4,096, micro-batches of 1 and batches of 256; release 0.8 reached 438. Nothing is fitted to it.
    """
    how = layout(
        64, pp=4, sharding="zero1", recompute="none", accumulation=16, framework="megatron"
    )._replace(ep=8, interleave=8, fp32_gradients=True)
    reached = H100.tflops * throughput.expected_mfu(MIXTRAL, H100, how, 4096)
    assert reached == pytest.approx(468, rel=0.1)


def test_small_micro_batches_cost_mixtures_much() -> None:
    """Each expert of a rank has kernels of its own, however few tokens come to it.

    Megatron-Bridge, performance summary: Qwen3-30B-A3B in mxfp8 on 8 B200 and 8 expert ranks.
    Release 26.02 has 9,691 tokens/s with micro-batches of 1, 26.02.01 has 26,695 with 4.
    """
    one = spread(8, 8, ep=8)._replace(precision="mxfp8", micro_batch=1, accumulation=64)
    four = one._replace(micro_batch=4, accumulation=16)
    slow, fast = (
        throughput.expected_mfu(jobs.QWEN_30B_A3B, B200, how, 4096) for how in (one, four)
    )
    assert 1.5 < fast / slow < 26_695 / 9691 * 1.1
