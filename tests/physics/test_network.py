"""Collectives against nccl-tests tables: docs/physics.md section 10."""

from math import fsum
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.catalog.records import Gpu
from llmsim.job.layout import Engine, Layout
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.physics.speed import step_time, throughput, traffic
from llmsim.physics.speed.collectives import Operation
from tests.physics import jobs
from tests.physics.jobs import A100, B200, H100, H800, layout

MIB = 2**20
# MiB: microseconds (a range where two runs are given)
H100_TWO_NODES: dict[int, tuple[float, float]] = {
    4: (106, 106), 8: (150, 150), 16: (208, 304), 32: (277, 277), 64: (461, 461),
    128: (742, 742), 256: (1275, 1275), 512: (2327, 2327), 1024: (4389, 4389),
    4096: (16_715, 16_715), 16_384: (66_327, 66_327),
}  # fmt: skip
B200_TWO_NODES: dict[int, tuple[float, float]] = {
    8: (157, 157), 16: (196, 196), 32: (258, 258), 64: (369, 369), 128: (638, 638),
    256: (940, 940), 512: (1695, 1695), 1024: (3230, 3230), 4096: (11_952, 11_952),
    8192: (23_563, 23_563),
}  # fmt: skip
H800_ONE_NODE: dict[int, tuple[float, float]] = {
    1: (43, 43), 4: (45, 45), 8: (69.5, 69.5), 16: (123, 123), 32: (226, 226), 64: (431, 431),
    128: (838, 838), 256: (1650, 1650), 512: (3274, 3274), 1024: (6520, 6520),
}  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "operation", "ranks", "size", "measured"),
    [
        pytest.param(gpu, operation, ranks, size, measured, id=f"{gpu.name} {size} MiB")
        for gpu, operation, ranks, table in (
            (H100, "all-reduce", 16, H100_TWO_NODES),
            (B200, "all-reduce", 16, B200_TWO_NODES),
            (H800, "broadcast", 8, H800_ONE_NODE),
        )
        for size, measured in table.items()
    ],
)
def test_collectives_take_as_long_as_measured(
    gpu: Gpu, operation: Operation, ranks: int, size: int, measured: tuple[float, float]
) -> None:
    low, high = measured
    found = traffic.collective(gpu, operation, size * MIB, ranks, 8).seconds * 1e6
    assert 0.8 * low <= found <= 1.2 * high


@pytest.mark.parametrize(
    ("gpu", "ranks", "size", "bus"),
    [
        (H100, 16, 8 * 1024, 467),  # Nebius, two nodes
        (H100, 16, 512, 414),
        (jobs.H200, 8, 8 * 1024, 482),  # NVSwitch adds up on the way
        (A100, 8, 8 * 1024, 235),
    ],
)
def test_large_all_reduces_reach_the_known_bus_bandwidth(
    gpu: Gpu, ranks: int, size: int, bus: float
) -> None:
    found = traffic.collective(gpu, "all-reduce", size * MIB, ranks, 8)
    assert found.bus_gb_s == pytest.approx(bus, rel=0.1)


def test_gradients_of_8b_all_reduce_in_62_to_67_ms() -> None:
    """Section 10: 16 GB of bf16 over InfiniBand."""
    size = 2 * parameter_count(jobs.LLAMA_8B)
    found = traffic.collective(H100, "all-reduce", size, 16, 8).seconds
    assert 0.060 < found < 0.068


@given(
    st.sampled_from(jobs.GPUS),
    st.sampled_from(("all-reduce", "reduce-scatter", "all-gather", "broadcast", "send/recv")),
    st.integers(1, 2**40),
    st.integers(2, 131_072),
)
def test_collectives_agree_with_their_bandwidth(
    gpu: Gpu, operation: Operation, size: int, ranks: int
) -> None:
    found = traffic.collective(gpu, operation, size, ranks, gpu.per_node)
    factor = {"all-reduce": 2 * (ranks - 1) / ranks, "broadcast": 1.0, "send/recv": 1.0}
    payload = size * factor.get(operation, (ranks - 1) / ranks)
    assert found.bus_gb_s == pytest.approx(payload / found.seconds / 1e9)
    assert found.seconds >= 25e-6
    more = traffic.collective(gpu, operation, 2 * size, ranks, gpu.per_node)
    assert more.seconds > found.seconds


def test_time_grows_gently_with_nodes() -> None:
    times = [
        traffic.collective(H100, "all-reduce", 2**30, 8 * 2**k, 8).seconds for k in range(1, 15)
    ]
    assert times == sorted(times)
    assert times[-1] < 2 * times[0]


def test_one_gpu_sends_nothing() -> None:
    job = jobs.job(jobs.GPT_124M, spread=layout(1, sharding="ddp"))
    assert traffic.step_transfers(job, 1) == ()
    assert traffic.startup_broadcast(job).seconds == 0.0


def idle(gpus: int = 8, accumulation: int = 1) -> Layout:
    """A layout whose framework reaches what nccl-tests reach, and can hide all of it."""
    spread = layout(gpus, accumulation=accumulation)
    return spread._replace(engine=Engine(overlap=1.0, wire=1.0))


def test_fsdp_gathers_twice_and_scatters_once() -> None:
    """Section 10: FSDP moves 3 x 2 P bytes a step."""
    moved = traffic.step_transfers(jobs.job(spread=idle()), 5)
    assert [t.operation for t in moved] == ["all-gather", "all-gather", "reduce-scatter"]
    for transfer in moved:
        size = transfer.calls * transfer.size
        assert size == pytest.approx(2 * parameter_count(jobs.LLAMA_8B), rel=1e-6)
        assert 0.005 < transfer.exposed / transfer.seconds < 0.1
    forward, backward, gradients = moved
    assert 1.05 < gradients.seconds / forward.seconds < 1.15
    assert backward.exposed < forward.exposed


def test_waits_vary_from_flow_to_flow_and_step_to_step() -> None:
    """About 1.5 of 33 blocks are gathered in the open, give or take a fifth."""
    job = jobs.job(spread=idle(8, accumulation=4))
    shares = [
        transfer.exposed / transfer.seconds
        for step in range(1, 301)
        for transfer in traffic.step_transfers(job, step)[:1]
    ]
    assert fmean(shares) == pytest.approx(1.5 / 33, rel=0.1)
    assert 0.15 < stdev(shares) / fmean(shares) < 0.25


@pytest.mark.parametrize("gpu", [jobs.A100, jobs.H100, jobs.H800, jobs.B200, jobs.RTX_4090])
@pytest.mark.parametrize("operation", ["all-gather", "reduce-scatter"])
def test_rings_between_nodes_stay_below_the_cards(gpu: Gpu, operation: Operation) -> None:
    """Two nodes of 8 with 50 GB/s a card: 400 GB/s at most. Only trees add up on the way."""
    for nodes in (2, 4, 64):
        found = traffic.collective(gpu, operation, 2**33, 8 * nodes, 8)
        assert found.bus_gb_s < 8 * gpu.nic_gb_s


def test_no_bandwidth_exceeds_the_idle_network() -> None:
    job = jobs.job(spread=idle(16))
    for index, operation in enumerate(("all-gather", "all-gather", "reduce-scatter")):
        seen = [traffic.step_transfers(job, step)[index] for step in range(1, 200)]
        best = traffic.collective(H100, operation, seen[0].size, 16, 8).bus_gb_s
        assert 0.97 * best < max(transfer.bus_gb_s for transfer in seen) <= best + 0.01


def test_nvlink_tops() -> None:
    """Blackwell's all-reduce stays below the 900 GB/s of its wire."""
    assert 800 < traffic.collective(B200, "all-reduce", 2**33, 8, 8).bus_gb_s < 850


def test_a_rack_of_gb200_is_one_nvlink_domain() -> None:
    """NVL72: 18 trays of 4."""
    rack = traffic.collective(jobs.GB200, "all-gather", 2**33, 72, 4)
    assert rack.bus_gb_s > 700
    two = traffic.collective(jobs.GB200, "all-gather", 2**33, 576, 4)
    one_a_tray = traffic.collective(jobs.GB200, "all-gather", 2**33, 144, 1)
    assert two.bus_gb_s < rack.bus_gb_s
    assert one_a_tray.bus_gb_s < 18 * jobs.GB200.nic_gb_s


def test_ddp_reduces_its_gradients_in_buckets() -> None:
    job = jobs.job(jobs.GPT_124M, spread=layout(8, sharding="ddp", micro_batch=16))
    (transfer,) = traffic.step_transfers(job, 5)
    assert transfer.operation == "all-reduce"
    assert transfer.size == pytest.approx(25 * MIB, rel=0.1)
    size = transfer.calls * transfer.size
    assert size == pytest.approx(2 * parameter_count(jobs.GPT_124M), rel=1e-3)


def test_tensor_and_pipeline_traffic() -> None:
    spread = layout(1024, tp=8, pp=16, accumulation=32)
    moved = traffic.step_transfers(jobs.job(jobs.LLAMA_405B, spread=spread), 5)
    by_purpose = {transfer.purpose: transfer for transfer in moved}
    assert by_purpose["hidden states"].calls == 4 * 8 * 32  # 8 layers, 32 micro-batches
    assert by_purpose["hidden states"].size == 2 * 8192 * 16_384
    assert by_purpose["stage boundary"].calls == 2 * 32


def test_pytorch_gathers_keys_for_each_query_head() -> None:
    """torchtitan copies keys before attention (models/llama3/model/model.py, repeat_kv), and
    PyTorch's ring waits for all of them after its first block; Megatron-LM sends them once.
    """
    spread = layout(64, tp=8, accumulation=8)._replace(dp=1, cp=8)
    ring = Engine(ring=True)
    jobs_of_both = [
        jobs.job(jobs.LLAMA_405B, gpu=H100, spread=spread._replace(engine=engine))
        for engine in (Engine(), ring)
    ]
    once, copied = (
        next(each for each in traffic.step_transfers(job, 5) if each.purpose == "keys and values")
        for job in jobs_of_both
    )
    groups = jobs.LLAMA_405B.heads // jobs.LLAMA_405B.kv_heads
    assert groups == 16
    assert copied.size == groups * once.size
    assert copied.exposed > groups * once.exposed


def test_context_ranks_wait_while_a_pipeline_fills() -> None:
    """A stage that has to wait for keys makes all other stages wait, in each micro-batch."""
    few, many = (
        layout(1024, tp=8, pp=16, accumulation=count)._replace(
            dp=1, cp=8, interleave=1, engine=Engine(ring=True, interleaves=False)
        )
        for count in (16, 160)
    )
    waits = []
    for spread in (few, many):
        shape = jobs.LLAMA_405B, H100, spread
        ideal, real = throughput.layout_seconds(*shape, 131_072)
        short = throughput.layout_seconds(*shape[:2], spread._replace(cp=1, dp=8), 16_384)
        waits.append((real - ideal - (short[1] - short[0])) / spread.accumulation)
    assert waits[0] > 1.4 * waits[1]


@settings(max_examples=150, deadline=None)
@given(jobs.jobs(), st.integers(1, 100_000))
@pytest.mark.long
def test_exposed_time_is_part_of_the_step(job: Job, step: int) -> None:
    moved = traffic.step_transfers(job, step)
    for transfer in moved:
        assert 0 <= transfer.exposed <= transfer.seconds
        assert transfer.bus_gb_s > 0
    exposed = fsum(transfer.exposed for transfer in moved)
    assert exposed < 0.95 * step_time.step_seconds(job) + 1e-5
    assert moved == traffic.step_transfers(job, step)


def test_transfers_vary_by_some_per_cent() -> None:
    job = jobs.job()
    times = {traffic.step_transfers(job, step)[0].seconds for step in range(200)}
    assert len(times) > 150
    assert max(times) / min(times) < 1.2
