"""Memory against torchtitan's logs and the ZeRO arithmetic: docs/physics.md section 5."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.catalog.gpus import reserved_mib
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Engine, Sharding
from llmsim.job.records import Job
from llmsim.model.architecture import parameter_count
from llmsim.model.gpt2 import gpt2_config
from llmsim.physics.hardware import allocator, memory
from tests.physics import jobs
from tests.physics.jobs import H100, layout

GIB = 2**30


@pytest.mark.parametrize(
    ("micro_batch", "compiled", "fused_loss", "measured"),
    [
        pytest.param(1, True, True, 30.9, id="bs1 compile (2025)"),
        pytest.param(1, False, False, 49.6, id="bs1 eager"),
        pytest.param(2, False, False, 82.4, id="bs2 eager (2024)"),
        pytest.param(2, True, False, 77.0, id="bs2 compile (2024)"),
    ],
)
def test_llama_3_8b_on_8_gpus(
    micro_batch: int, compiled: bool, fused_loss: bool, measured: float
) -> None:
    """torchtitan's peak reserved GiB, FSDP over 8 GPUs, selective recompute, 8,192 tokens."""
    engine = Engine(compiled=compiled, fused_loss=fused_loss)
    spread = layout(micro_batch=micro_batch)._replace(engine=engine)
    found = memory.estimate(jobs.LLAMA_8B, spread, 8192)
    reserved = (memory.total(found) - found.context) / GIB
    assert reserved == pytest.approx(measured, rel=0.10)


def test_after_build_fsdp2_holds_a_fp32_shard() -> None:
    """`CUDA memory usage for model` of Llama-3-8B on 8 GPUs: 4 P / N = 3.7 GiB."""
    assert allocator.after_build(jobs.job()) / GIB == pytest.approx(3.74, abs=0.01)


@pytest.mark.parametrize(
    ("sharding", "per_parameter"),
    [
        ("ddp", 16),
        ("zero1", 4 + 12 / 8),
        ("zero2", 2 + 14 / 8),
        ("zero3", 16 / 8),
        ("fsdp2", 16 / 8),
    ],
)
def test_states_follow_zero(sharding: Sharding, per_parameter: float) -> None:
    found = memory.estimate(jobs.LLAMA_8B, layout(sharding=sharding), 8192)
    states = found.weights + found.gradients + found.optimizer
    assert states / parameter_count(jobs.LLAMA_8B) == pytest.approx(per_parameter, rel=1e-6)


def test_tensor_and_pipeline_ranks_divide_the_states() -> None:
    whole = memory.estimate(jobs.LLAMA_405B, layout(1024), 8192)
    split = memory.estimate(jobs.LLAMA_405B, layout(1024, tp=8, pp=16, accumulation=16), 8192)
    states = [m.weights + m.gradients + m.optimizer for m in (whole, split)]
    # 126 layers on 16 stages: the fullest has 8, or 8 / 7.875 of its share, and an embedding.
    assert states[1] / states[0] == pytest.approx(8 / 7.875, rel=0.10)
    assert split.activations < whole.activations


def test_mixtures_hold_all_their_experts() -> None:
    """46.7B parameters, though a token visits 12.9B."""
    found = memory.estimate(jobs.MIXTRAL, layout(sharding="ddp"), 8192)
    assert found.weights == pytest.approx(2 * 46.7e9, rel=0.002)


def test_the_first_stage_keeps_a_micro_batch_per_stage() -> None:
    """1F1B: four stages of eight layers, four micro-batches in flight on the first."""
    spread = layout(32, pp=4, accumulation=8)
    first, last = (memory.stage(jobs.LLAMA_8B, spread, 8192, index) for index in (0, 3))
    assert first.activations == 4 * last.activations
    assert first.logits == 0 < last.logits


def test_recomputing_saves_activations() -> None:
    none, selective, full = (
        memory.estimate(jobs.LLAMA_8B, layout(recompute=recompute), 8192).activations
        for recompute in ("none", "selective", "full")
    )
    assert none > 1.4 * selective > 5 * full


def test_full_recomputation_keeps_the_inputs_and_one_block_or_the_logits() -> None:
    """Twice as many layers keep exactly as many inputs more, in eager mode, too; and a vocabulary
    counts where its logits are more than the block that is computed again after them.
    """
    eager = layout(micro_batch=2, recompute="full")._replace(engine=Engine(compiled=False))

    def kept(layers: int, vocabulary: int) -> int:
        config = jobs.LLAMA_8B._replace(layers=layers, vocabulary=vocabulary)
        found = memory.estimate(config, eager, 8192)
        return found.activations + found.logits

    assert kept(64, 1024) - kept(32, 1024) == 32 * 4096 * 2 * 8192 * 2
    assert kept(32, 2048) == kept(32, 1024)
    assert kept(32, 512_000) - kept(32, 256_000) == 256_000 * 2 * 8192 * 2


def test_activations_are_near_korthikanti() -> None:
    """Korthikanti et al. 2022, flash attention: 34 s b h bytes a layer for GPT-3's block.

    Llama-3-8B's feed-forward is 3.5 widths with a gate, not 4 without: eager mode keeps more.
    """
    spread = layout(recompute="none")._replace(engine=Engine(compiled=False))
    found = memory.estimate(jobs.LLAMA_8B, spread, 8192).activations
    assert 1.0 < found / (32 * 34 * 8192 * 4096) < 1.5


@pytest.mark.parametrize(
    ("gpu", "torch_gib"),
    [
        (H100, (79.1, 79.6)),
        (jobs.H200, (139.7, 139.9)),
        (jobs.B200, (178.3, 178.5)),
        (jobs.A100, (79.1, 79.6)),
        (jobs.RTX_4090, (23.6, 23.7)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_capacity_is_what_torch_reports(gpu: Gpu, torch_gib: tuple[float, float]) -> None:
    """docs/physics.md section 2; A100 logs show 79.15, RTX 4090 logs 23.65 GiB."""
    low, high = torch_gib
    assert low <= memory.capacity(gpu) / GIB <= high


@settings(max_examples=100, deadline=None)
@given(jobs.jobs(), st.integers(2, 100_000))
def test_reserved_and_allocated_stay_within_the_gpu(job: Job, step: int) -> None:
    found = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    assert min(found) >= 0
    steady = allocator.reserved(job, step)
    assert steady == allocator.reserved(job, 2)
    assert 0 <= allocator.allocated(job, step) <= steady <= memory.capacity(job.gpu)
    for stage in {0, job.layout.pp // 2, job.layout.pp - 1}:
        assert allocator.reserved(job, step, stage) <= steady
    assume(steady > 50 * 2**20)
    # 5 to 25 % below, up to a whole page of 2 MiB
    assert 0.75 * steady <= allocator.reserved(job, 1) <= 0.95 * steady + 2 * 2**20
    assert allocator.allocated(job, 1) <= allocator.reserved(job, 1)


def test_131072_gpus_hold_no_more_than_8() -> None:
    small = memory.estimate(jobs.LLAMA_8B, layout(8), 8192)
    large = memory.estimate(jobs.LLAMA_8B, layout(131_072), 8192)
    assert memory.total(large) < memory.total(small)


@pytest.mark.parametrize(
    ("parameters", "micro_batch", "mib"),
    [
        pytest.param(1_557_686_400, 16, 40_409, id="1558M, as its author posted it"),
        # 16 widths of 12 layers 18,432, logits 6,288, scratch 672, sums of norms and heads 48.
        pytest.param(124_475_904, 64, 25_440, id="124M, buffer by buffer"),
    ],
)
def test_gpt2_needs_what_llm_c_allocates(parameters: int, micro_batch: int, mib: int) -> None:
    """`allocating ... MiB for activations`, its logits among them (train_gpt2.cu, -r 0)."""
    config = gpt2_config(parameters, biases=True)
    spread = layout(sharding="ddp", micro_batch=micro_batch, recompute="none")
    found = memory.estimate(config, spread, 1024)
    assert (found.activations + found.logits) // 2**20 == mib
    assert found.weights == 2 * parameters


def test_a_loss_in_fp32_has_another_copy_of_the_logits() -> None:
    """s b V (2 + 4) bytes: Korthikanti et al. 2022."""
    config = gpt2_config(124_000_000, biases=False)
    spread = layout(sharding="ddp", micro_batch=64)._replace(fp32_logits=True)
    assert memory.estimate(config, spread, 1024).logits == 64 * 1024 * 50_304 * 6


@pytest.mark.parametrize("gpu", records.gpus(), ids=lambda gpu: gpu.name)
def test_a_full_gpu_has_in_use_what_nvidia_smi_can_show(gpu: Gpu) -> None:
    """The log and the board showed 97,370 MiB of a GH200 beside smi's 97,357: the driver has the
    rest of 97,871 MiB.
    """
    job = jobs.job(gpu=gpu, spread=layout(8))
    full = job._replace(schedule=job.schedule._replace(sequence=1 << 20))
    (used,) = allocator.used_mib(full, range(1), "training")
    room = gpu.memory_mib - reserved_mib(gpu)
    assert room - 64 <= used <= room
