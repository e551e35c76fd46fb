"""How fast the cluster trains.

    FLOPs/token  = 6 (N - input embedding) + 12 L H Q T     N active parameters, L layers,
                                                            H heads of width Q, T tokens
    step seconds = batch tokens * FLOPs/token / (GPUs * peak * MFU)

torchtitan, models/utils.py:436-459; the causal half of attention is not discounted. MFU is
what published runs reached (docs/physics.md section 4) by GPU, model and cluster size,
lowered where the network cannot keep up. FLOP/s, seconds and tokens throughout; peaks are
dense bf16.
"""

from functools import lru_cache
from math import exp, log, log2, pi

from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import (
    Architecture,
    active_parameter_count,
    embedding_parameters,
    position_parameters,
)
from llmsim.physics import noise
from llmsim.physics.learning import reinforcement
from llmsim.physics.speed import batch_ramp, jitter
from llmsim.physics.speed.collectives import flows, total_excess

# MFU of a dense 7B model on one node, by GPU; first match wins. Measured: A100 52-58 %, H100
# 42-44 % (MosaicML llm-foundry), H200 41.5 % (torchtitan). Blackwell and Instinct: the largest
# matrix product they sustain (stas00/ml-engineering, MAMF) times H100's 0.43 / 0.80; A100 PCIe
# likewise from A100's 0.57 / 0.87. TPU: PaLM 46 % on v4, MaxText's recipes: 405B 68.5 % on v5p,
# Mixtral 33 % on v6e. The rest is judged by power limit and memory bandwidth.
_PUBLISHED = (
    ("A100-PC", 0.53), ("A100 80GB PC", 0.53), ("A100", 0.57), ("A800", 0.57), ("V100", 0.38),
    ("H100 PCIe", 0.37), ("NVL", 0.40), ("H100", 0.43), ("H200", 0.43), ("H800", 0.43),
    ("H20", 0.60), ("GB200", 0.39), ("GB300", 0.39), ("B200", 0.42), ("B300", 0.42),
    ("L40S", 0.34), ("6000 Ada", 0.34), ("4090", 0.46), ("5090", 0.48), ("3090", 0.46),
    ("MI300", 0.28), ("MI325", 0.32), ("MI35", 0.34), ("MI250", 0.35),
    ("TPU v4", 0.50), ("TPU v5p", 0.62), ("TPU v6e", 0.55), ("TPU", 0.55),
)  # fmt: skip
_OTHERWISE = 0.40
_RECOMPUTE = {"none": 1.0, "selective": 0.97, "full": 0.75}  # full: 8 N D instead of 6 N D
_FULL = 2048 * 8192  # elements of a micro-batch's hidden state from which on kernels are busy
_MIXTURE = 0.58  # Mixtral 24 % where a dense model has 42 %


# Of a GRPO step, generation takes most: 60 to 80 % in reports of RLHF systems (HybridFlow, 2024).
ROLLOUT_SHARE = 0.7


def passes(shape: Architecture, layout: Layout) -> float:
    """Passes of a token through the model, a forward pass counting 1 and a backward pass 2.

    3 in plain training. LoRA needs no gradients of the frozen weights, which is half of the
    backward pass; a reference model adds a forward pass.
    """
    return (2.0 if shape.adapter_rank else 3.0) + layout.reference


@lru_cache(maxsize=1024)
def flops_per_token(shape: Architecture, sequence: int) -> float:
    """FLOPs of forward and backward for one token. Llama-3-8B at 8,192: 57.914e9.

    A tied embedding is also the output projection, so it counts; learned positions do not.
    """
    weights = active_parameter_count(shape) - position_parameters(shape)
    if not shape.tied:
        weights -= embedding_parameters(shape)
    attention = 12 * shape.layers * shape.heads * shape.head_width * sequence
    return float(6 * weights + attention)


def typical_mfu(gpu: Gpu) -> float:
    """MFU of a dense 7B model on one node of this GPU, 0..1."""
    return next((share for name, share in _PUBLISHED if name in gpu.name), _OTHERWISE)


def _by_size(shape: Architecture, gpu: Gpu) -> float:
    """Small models leave a fast GPU waiting for launches, wide ones fill it.

    A100: 125M 44-53 %, 1B 57-61 %, 1T 56 %. H100: 760M 36-40 %, 7B 42-44 %.
    """
    parameters = active_parameter_count(shape)
    launches = 80e6 * gpu.tflops / 989.0
    wide = exp(0.02 * log(parameters / 7e9))
    dense = wide * parameters / (parameters + launches)
    return dense * (_MIXTURE if shape.experts > 1 else 1.0)


def _by_layout(shape: Architecture, layout: Layout, sequence: int) -> float:
    """Recompute, cluster size, tensor slices, pipeline bubble, size of a micro-batch.

    Cluster: torchtitan 8B -2.7 % from 8 to 128 GPUs, MosaicML 13B -2.5 % from 128 to 512.
    Bubble: (p - 1) / (v m) with v interleaved stages of at least one layer, at most 8.
    """
    doublings = log2(layout.nodes)
    cluster = 1.0 - 0.005 * doublings - 0.0002 * doublings**2
    slices = 1.0 - min(0.3, 60.0 * (layout.tensor - 1) / shape.width)
    interleaved = min(8, -(-shape.layers // layout.pipeline))
    bubble = 1.0 + (layout.pipeline - 1) / (interleaved * layout.accumulation)
    elements = layout.micro_batch * sequence * shape.width
    short = 1.0 - min(0.4, 0.05 * max(0.0, log2(_FULL / elements)))
    return _RECOMPUTE[layout.recompute] * cluster * slices / bubble * short


@lru_cache(maxsize=1024)
def _throughput(
    shape: Architecture, gpu: Gpu, layout: Layout, sequence: int
) -> tuple[float, float]:
    """Seconds of a step with an ideal network, and with this one."""
    share = typical_mfu(gpu) * _by_size(shape, gpu) * _by_layout(shape, layout, sequence)
    ranks = layout.tensor * layout.pipeline
    tokens = layout.micro_batch * layout.accumulation * sequence / ranks  # per GPU
    flops = flops_per_token(shape, sequence) * passes(shape, layout) / 3.0
    compute = tokens * flops / (gpu.tflops * 1e12 * share)
    excess = total_excess(flows(shape, gpu, layout, sequence), compute)
    return compute, compute + excess


def expected_mfu(
    shape: Architecture, gpu: Gpu, layout: Layout, sequence: int | None = None
) -> float:
    """Model FLOPs utilization in the steady state, 0..1; at the model's context by default."""
    sequence = sequence or shape.context
    tokens = layout.micro_batch * layout.accumulation * sequence
    tokens_per_second = tokens / _throughput(shape, gpu, layout, sequence)[1]
    peak = gpu.tflops * 1e12 * layout.tensor * layout.pipeline
    flops = flops_per_token(shape, sequence) * passes(shape, layout) / 3.0
    return tokens_per_second * flops / peak


def job_flops_per_token(job: Job) -> float:
    """FLOPs that the job's kind of training spends on one token; see `passes`."""
    flops = flops_per_token(job.architecture, job.schedule.sequence)
    return flops * passes(job.architecture, job.layout) / 3.0


def mfu(job: Job, tokens_per_second: float) -> float:
    """Model FLOPs utilization, 0..1, from the whole cluster's tokens per second."""
    return tokens_per_second * job_flops_per_token(job) / (job.layout.gpus * job.gpu.tflops * 1e12)


def compute_seconds(job: Job, step: int) -> float:
    """Mean seconds of such a step if no communication stood in the way."""
    layout = batch_ramp.layout_at(job, step)
    return _throughput(job.architecture, job.gpu, layout, job.schedule.sequence)[0]


def tokens(job: Job, first: int, last: int) -> int:
    """Tokens that the steps first..last train on, both included; padding does not count."""
    if job.recipe != "grpo":
        return batch_ramp.tokens(job, first, last)
    seen = reinforcement.tokens_seen(job)
    return seen[last] - seen[first - 1]


def _filled(job: Job, first: int, last: int) -> float:
    """Which part of so many full batches the tokens of these steps are; 1 but in GRPO."""
    if job.recipe != "grpo":
        return 1.0
    return tokens(job, first, last) / ((last - first + 1) * batch_tokens(job))


def step_seconds(job: Job, step: int | None = None) -> float:
    """Steady mean of one optimizer step, in seconds: of this one, or of one with a full batch."""
    plan = job.schedule
    layout, batch = job.layout, plan.global_batch
    if step is not None and plan.ramp:
        layout, batch = batch_ramp.layout_at(job, step), batch_ramp.batch(plan, step)
    seconds = _throughput(job.architecture, job.gpu, layout, plan.sequence)[1]
    micro_batches = batch / (layout.data * layout.micro_batch)
    training = seconds * micro_batches / layout.accumulation
    if step is not None:
        training *= _filled(job, step, step)
    return training / (1.0 - ROLLOUT_SHARE) if job.recipe == "grpo" else training


def rollout_seconds(job: Job) -> float:
    """The part of a GRPO step in which completions are generated; 0 in other recipes."""
    return step_seconds(job) * ROLLOUT_SHARE if job.recipe == "grpo" else 0.0


@lru_cache(maxsize=64)
def rhythm(job: Job, number: int = 0) -> jitter.Rhythm:
    """The constants of this run's timing, in one stage of its ramp; see _elapsed."""
    seed, layout = job.seed, job.layout
    first, begun = 1, 0.0
    if number:
        first = job.schedule.ramp[number].first
        begun = _elapsed(job, first - 1)
    if job.recipe == "grpo":
        mean = step_seconds(job) * _filled(job, 1, job.schedule.steps)
    else:
        mean = step_seconds(job, first)

    doublings = log2(layout.nodes)
    sigma = noise.between(seed, "step sigma", 0.0025, 0.008)
    sigma = sigma * (1.0 + 0.1 * doublings) + 0.0008 / mean
    if job.architecture.experts > 1:  # tokens reach experts unevenly: Mixtral 3.2, Qwen3 2.5 %
        sigma += 0.018
    sigma = min(sigma, 0.04)
    clock = job.start.hour * 3600.0 + job.start.minute * 60 + job.start.second
    collected = job.framework.gc_every
    clock += begun - (first - 1) * mean  # as if all steps before had been such
    return jitter.Rhythm(
        seed=seed,
        steps=job.schedule.steps,
        mean=mean,
        sigma=sigma,
        first_extra=_first_extra(job, mean) * noise.between(seed, "compile", 0.85, 1.15),
        hiccup_every=noise.integer(seed, "hiccup every", 20, 50),
        hiccup=4.0 * sigma * mean,
        gc_every=collected or 1,
        gc=min(noise.between(seed, "gc", 0.03, 0.12), 0.15 * mean) if collected else 0.0,
        swing=noise.between(seed, "swing", 0.005, 0.01),
        phase=2.0 * pi * (clock / 86_400.0 - 9.0 / 24.0),  # slowest 6 h after 9:00
        episodes=jitter.episodes(seed, job.schedule.steps, mean, layout.gpus, layout.nodes),
    )


def _first_extra(job: Job, mean: float) -> float:
    """Seconds that step 1 takes longer: compilation block by block, NCCL's lazy connections.

    A first tps of 2-21 % of the steady rate is 3.8 to 49 steps more (give or take 15 %), but at
    least 5 s and at most 60 s. Mixtral: 92.4 s for a step of 9.0 s.
    """
    layers = job.architecture.layers / job.layout.pipeline
    compiling = 8.0 + 0.4 * layers + 0.5 * log2(job.layout.nodes)
    return min(50.0, max(5.8, 4.5 * mean, min(compiling, 42.0 * mean)))


@lru_cache(maxsize=64)  # an interval begins where the one before ended
def _elapsed(job: Job, step: int) -> float:
    """Seconds until the end of a step. Each stage of a ramp goes on where the one before ended.

    A stage is a stretch of a run that has its batch, and so its pace, from the first step on.
    In GRPO time goes by tokens: the longer the answers, the slower a step.
    """
    number = batch_ramp.stage_number(job.schedule, step)
    if job.recipe == "grpo" and step > 0:
        steps = job.schedule.steps
        ahead = steps * tokens(job, 1, step) / tokens(job, 1, steps) - step
        own = rhythm(job)
        return round(jitter.elapsed(own, step) + own.mean * ahead, 6)
    return jitter.elapsed(rhythm(job, number), step) + (_shift(job, number) if number else 0.0)


@lru_cache(maxsize=64)
def _shift(job: Job, number: int) -> float:
    """Seconds by which a stage begins later than in a run that has its batch throughout."""
    last = job.schedule.ramp[number].first - 1
    return round(_elapsed(job, last) - jitter.elapsed(rhythm(job, number), last), 6)


def interval_seconds(job: Job, first: int, last: int) -> float:
    """Seconds that steps first..last took together, both included, counted from 1.

    Validation, checkpoints and logging are not in it. Intervals add up: 1..10 is 1..4 and
    5..10. Rounded to microseconds.
    """
    return round(_elapsed(job, last) - _elapsed(job, first - 1), 6)


def compile_seconds(job: Job) -> float:
    """The part of step 1 in which the host compiles; its devices wait."""
    return round(rhythm(job).first_extra, 6)


def dispatch_seconds(job: Job, step: int) -> float:
    """Seconds in which a host hands a compiled step to its devices, which it need not wait for.

    JAX on TPUs: 0.319 and 0.323 s (public MaxText logs of v5p); less where steps are short.
    """
    usual = 0.25 + 0.15 * noise.uniform(job.seed, "dispatch")
    spread = 0.95 + 0.1 * noise.uniform(job.seed, "dispatch of a step", step)
    return round(min(usual, 0.1 * step_seconds(job)) * spread, 6)


def training_seconds(job: Job) -> float:
    """Seconds of all optimizer steps together; what the intervals add up to."""
    return interval_seconds(job, 1, job.schedule.steps)


def validation_seconds(job: Job, step: int, part: str = "validation") -> float:
    """Seconds of one validation, on a part of the held-out data.

    It is forward only, a third of the FLOPs, and some overhead.
    Forward is as fast with recompute as without, so its time is a third of the step without.
    """
    batches = job.schedule.validation_batches
    filled = _filled(job, step, step)
    forward = step_seconds(job) * filled * _RECOMPUTE[job.layout.recompute] / 3.0
    spread = 1.0 + 0.015 * noise.normal(job.seed, f"{part} time", step)
    overhead = 0.4 + 0.8 * noise.uniform(job.seed, f"{part} overhead", step)
    return round(batches * forward * max(0.9, spread) + overhead, 6)
