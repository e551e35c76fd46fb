"""How fast the cluster trains in the steady state: FLOPs and model FLOPs utilization.

    FLOPs/token  = 6 (N - input embedding) + 12 L H Q T     N active parameters, L layers,
                                                            H heads of width Q, T tokens
    step seconds = batch tokens * FLOPs/token / (GPUs * peak * MFU)

torchtitan, models/utils.py:436-459; the causal half of attention is not discounted. MFU is
what published runs reached (docs/physics.md section 4) by GPU, model and cluster size,
lowered where the network cannot keep up. FLOP/s, seconds and tokens throughout; peaks are
dense bf16.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import fsum

from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout, state_ranks
from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.model.architecture import (
    Architecture,
    active_parameter_count,
    attention_width,
    embedding_parameters,
    position_parameters,
    trained_parameter_count,
)
from llmsim.physics.hardware.stages import pieces
from llmsim.physics.speed.collectives import exposed_seconds, flows
from llmsim.physics.speed.compute import micro_seconds

# Bytes that Adam moves for each weight of a GPU: the states in fp32, or all of them in bf16.
OPTIMIZER, BF16_OPTIMIZER = 31.0, 16.0

# What a block waits for in each micro-batch: while a pipeline fills and drains, too.
_EACH_MICRO_BATCH = ("hidden states", "keys and values")


def passes(config: Architecture, layout: Layout) -> float:
    """Passes of a token through the model, a forward pass counting 1 and a backward pass 2.

    3 in plain training. LoRA needs no gradients of the frozen weights, which is half of the
    backward pass; a reference model adds a forward pass.
    """
    return (2.0 if config.adapter_rank else 3.0) + layout.reference


@lru_cache(maxsize=1024)
def flops_per_token(config: Architecture, sequence: int) -> float:
    """FLOPs of forward and backward for one token. Llama-3-8B at 8,192: 57.914e9.

    A tied embedding is also the output projection, so it counts; learned positions do not.
    """
    weights = active_parameter_count(config) - position_parameters(config)
    if not config.tied:
        weights -= embedding_parameters(config)
    attention = 12 * config.layers * config.heads * attention_width(config) * sequence
    return float(6 * weights + attention)


def _bubble(config: Architecture, layout: Layout) -> float:
    """How many times longer a step is for the filling and draining of its pipeline.

    1 + (p - 1) / (v m) with v interleaved pieces of the model on a stage; v = 1 in plain 1F1B.
    """
    return 1.0 + (layout.pp - 1) / (pieces(config, layout) * layout.accumulation)


def _once(config: Architecture, gpu: Gpu, layout: Layout) -> float:
    """Seconds a step that no micro-batch has: the optimizer and the framework's own."""
    own = trained_parameter_count(config) / (layout.tp * layout.pp)
    if layout.sharding != "ddp":
        own /= state_ranks(layout)
    moved = (BF16_OPTIMIZER if layout.bf16_states else OPTIMIZER) * own
    return layout.engine.step_seconds + moved / (gpu.hbm_tb_s * 1e12)


@lru_cache(maxsize=1024)
def layout_seconds(
    config: Architecture, gpu: Gpu, layout: Layout, sequence: int
) -> tuple[float, float]:
    """Seconds of a step with an ideal network, and with this one."""
    micro = micro_seconds(config, gpu, layout, sequence)
    bubble = _bubble(config, layout)
    compute = layout.accumulation * fsum(micro) * bubble
    waiting = 0.0
    for flow in flows(config, gpu, layout, sequence):
        seconds = exposed_seconds(flow, compute)
        waiting += seconds * bubble if flow.purpose in _EACH_MICRO_BATCH else seconds
    once = _once(config, gpu, layout)
    return compute + once, compute + once + waiting


def expected_mfu(
    config: Architecture, gpu: Gpu, layout: Layout, sequence: int | None = None
) -> float:
    """Model FLOPs utilization in the steady state, 0..1; at the model's context by default."""
    sequence = sequence or config.context
    tokens = layout.micro_batch * layout.accumulation * sequence
    tokens_per_second = tokens / layout_seconds(config, gpu, layout, sequence)[1]
    peak = gpu.tflops * 1e12 * layout.tp * layout.pp * layout.cp
    flops = flops_per_token(config, sequence) * passes(config, layout) / 3.0
    return tokens_per_second * flops / peak


@remembered()
def job_flops_per_token(job: Job) -> float:
    """FLOPs that the job's kind of training spends on one token; see `passes`."""
    flops = flops_per_token(job.architecture, job.schedule.sequence)
    return flops * passes(job.architecture, job.layout) / 3.0


def mfu(job: Job, tokens_per_second: float) -> float:
    """Model FLOPs utilization, 0..1, from the whole cluster's tokens per second."""
    return mfus(job, (tokens_per_second,))[0]


def mfus(job: Job, rates: Iterable[float]) -> list[float]:
    """Model FLOPs utilization, 0..1, at rates of the whole cluster, in tokens per second."""
    flops, peak = job_flops_per_token(job), job.layout.gpus * job.gpu.tflops * 1e12
    return [tokens_per_second * flops / peak for tokens_per_second in rates]


def compute_seconds(job: Job, step: int) -> float:
    """Mean seconds of an executed step if no communication stood in the way."""
    from llmsim.physics.speed import batch_ramp  # a plan does without

    layout = batch_ramp.layout_at(job, step)
    return layout_seconds(job.architecture, job.gpu, layout, job.schedule.sequence)[0]
