"""How fast the cluster trains in the steady state: FLOPs and model FLOPs utilization.

    FLOPs/token  = 6 (N - input embedding) + 12 L H Q T     N active parameters, L layers,
                                                            H heads of width Q, T tokens
    step seconds = batch tokens * FLOPs/token / (GPUs * peak * MFU)

torchtitan, models/utils.py:436-459; the causal half of attention is not discounted. MFU is
what published runs reached (docs/physics.md section 4) by GPU, model and cluster size,
lowered where the network cannot keep up. FLOP/s, seconds and tokens throughout; peaks are
dense bf16.
"""

from functools import lru_cache
from math import exp, log, log2

from llmsim.catalog.gpus import typical_mfu
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout
from llmsim.job.records import Job
from llmsim.model.architecture import (
    Architecture,
    active_parameter_count,
    embedding_parameters,
    position_parameters,
)
from llmsim.physics.speed import batch_ramp
from llmsim.physics.speed.collectives import flows, total_excess

# MFU against that without recompute
RECOMPUTE = {"none": 1.0, "selective": 0.97, "full": 0.75}  # 8 N D instead of 6 N D
_FULL = 2048 * 8192  # elements of a micro-batch's hidden state from which on kernels are busy
_MIXTURE = 0.58  # Mixtral 24 % where a dense model has 42 %


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
    attention = 12 * config.layers * config.heads * config.head_width * sequence
    return float(6 * weights + attention)


def _by_size(config: Architecture, gpu: Gpu) -> float:
    """Small models leave a fast GPU waiting for launches, wide ones fill it.

    A100: 125M 44-53 %, 1B 57-61 %, 1T 56 %. H100: 760M 36-40 %, 7B 42-44 %.
    """
    parameters = active_parameter_count(config)
    launches = 80e6 * gpu.tflops / 989.0
    wide = exp(0.02 * log(parameters / 7e9))
    dense = wide * parameters / (parameters + launches)
    return dense * (_MIXTURE if config.experts > 1 else 1.0)


def _by_layout(config: Architecture, layout: Layout, sequence: int) -> float:
    """Recompute, cluster size, tensor slices, pipeline bubble, size of a micro-batch.

    Cluster: torchtitan 8B -2.7 % from 8 to 128 GPUs, MosaicML 13B -2.5 % from 128 to 512.
    Bubble: (p - 1) / (v m) with v interleaved stages of at least one layer, at most 8.
    """
    doublings = log2(layout.nodes)
    cluster = 1.0 - 0.005 * doublings - 0.0002 * doublings**2
    slices = 1.0 - min(0.3, 60.0 * (layout.tp - 1) / config.hidden_size)
    interleaved = min(8, -(-config.layers // layout.pp))
    bubble = 1.0 + (layout.pp - 1) / (interleaved * layout.accumulation)
    elements = layout.micro_batch * sequence * config.hidden_size
    short = 1.0 - min(0.4, 0.05 * max(0.0, log2(_FULL / elements)))
    return RECOMPUTE[layout.recompute] * cluster * slices / bubble * short


@lru_cache(maxsize=1024)
def layout_seconds(
    config: Architecture, gpu: Gpu, layout: Layout, sequence: int
) -> tuple[float, float]:
    """Seconds of a step with an ideal network, and with this one."""
    share = typical_mfu(gpu) * _by_size(config, gpu) * _by_layout(config, layout, sequence)
    ranks = layout.tp * layout.pp
    tokens = layout.micro_batch * layout.accumulation * sequence / ranks  # per GPU
    flops = flops_per_token(config, sequence) * passes(config, layout) / 3.0
    compute = tokens * flops / (gpu.tflops * 1e12 * share)
    excess = total_excess(flows(config, gpu, layout, sequence), compute)
    return compute, compute + excess


def expected_mfu(
    config: Architecture, gpu: Gpu, layout: Layout, sequence: int | None = None
) -> float:
    """Model FLOPs utilization in the steady state, 0..1; at the model's context by default."""
    sequence = sequence or config.context
    tokens = layout.micro_batch * layout.accumulation * sequence
    tokens_per_second = tokens / layout_seconds(config, gpu, layout, sequence)[1]
    peak = gpu.tflops * 1e12 * layout.tp * layout.pp
    flops = flops_per_token(config, sequence) * passes(config, layout) / 3.0
    return tokens_per_second * flops / peak


def job_flops_per_token(job: Job) -> float:
    """FLOPs that the job's kind of training spends on one token; see `passes`."""
    flops = flops_per_token(job.architecture, job.schedule.sequence)
    return flops * passes(job.architecture, job.layout) / 3.0


def mfu(job: Job, tokens_per_second: float) -> float:
    """Model FLOPs utilization, 0..1, from the whole cluster's tokens per second."""
    return tokens_per_second * job_flops_per_token(job) / (job.layout.gpus * job.gpu.tflops * 1e12)


def compute_seconds(job: Job, step: int) -> float:
    """Mean seconds of an executed step if no communication stood in the way."""
    layout = batch_ramp.layout_at(job, step)
    return layout_seconds(job.architecture, job.gpu, layout, job.schedule.sequence)[0]
