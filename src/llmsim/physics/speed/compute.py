"""What the kernels of one micro-batch take on one GPU, without any communication.

    forward  = products / (peak MFU lift kernels config) + attention / (peak MFU lift' attention)
             + bytes of element-wise operations and of the logits / memory bandwidth
    backward = 2 forward            recomputed = 1 forward, or a part of it

A roofline: matrix products run at a share of the peak that the GPU's row (its MFU) and the
framework (Engine.kernels) set, less where matrices are small; norms, activations and the loss
run at the speed of the memory. Where launches take longer than the kernels, they set the pace.
The pipeline is as fast as its slowest stage, which often is the last, with the output projection.

The constants without a source are fitted to tests/truth/throughput.csv (`make truth`).
Seconds, FLOPs, bytes.
"""

from functools import lru_cache

from llmsim.catalog.gpus import is_a, typical_mfu
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout
from llmsim.model.architecture import (
    Architecture,
    attention_parameters,
    attention_width,
    embedding_parameters,
    expert_parameters,
    padded_vocabulary,
    visited_experts,
)
from llmsim.physics.hardware.stages import stage_layers
from llmsim.typed import NamedTuple

# Matrix products against the MFU of a whole 7B training, which other kernels slow down.
LIFT = 1.40
# The largest share of the peak that a matrix product sustains on a GPU (stas00/ml-engineering,
# MAMF: A100 87 %, H100 80 %). TPUs sustain more: MaxText's 405B reaches 68.5 % of a v5p, and
# computes its blocks again, so its products run at more than 80 %.
BEST_PRODUCT = 0.78
EXPONENTIALS = 0.5  # of attention's products, in time, on an H100 at heads of 128
ATTENTION_LIFT = 0.79  # flash attention against the same, of the causal half alone
# Widths of a slice and tokens at which products reach half of their best, on a GPU of 989 TFLOP/s.
SLICE, TOKENS = 160.0, 336.0
# bf16 elements that a block's element-wise kernels read and write per token in the forward pass,
# in widths of the model and of the feed-forward part; the backward pass moves twice as much.
WIDTHS, INNERS = 21.3, 1.9
EAGER = 1.65  # times as much where nothing joins them
LOGITS, EAGER_LOGITS = 9.4, 12.8  # bytes that the loss moves per logit
MEMORY_SHARE = 0.8  # of the memory's bandwidth
LAUNCH, EAGER_LAUNCH = 0.2e-3, 1.8e-3  # seconds of the host per block, forward
# Parts of the forward pass that are run again, as a share of its time.
AGAIN = {"none": 0.0, "selective": 0.13, "full": 0.856}
# Speed of the products in mxfp8 against fp8: blocks of 32 elements have scales of their own
# (Megatron-Bridge's tables of B200 have both).
MXFP8 = 0.97
# Part of the gain of fp8 that a mixture has: each expert's few tokens are quantized on their own
# (fitted to Megatron-Bridge's mixtures, of which fp8 and bf16 are nearly as fast).
EXPERTS_GAIN = 0.5
# Bytes that a score moves in each forward pass where attention writes its scores to memory: bf16
# products, an fp32 softmax and its bf16 copy, each written and read (Hugging Face's eager path).
SCORE = 18.0
# Bytes that a frozen weight in NF4 moves in each pass: half a byte read, its bf16 copy written
# and read (QLoRA, Dettmers et al. 2023, section 3).
DEQUANTIZED = 4.5


class Micro(NamedTuple):
    """Seconds of one micro-batch on one GPU of the slowest stage."""

    forward: float
    backward: float
    again: float  # of the recomputed part of the forward pass


def slowest_stage(config: Architecture, layout: Layout) -> tuple[int, bool]:
    """Layers of the stage that has most to do, and whether the output projection is there."""
    last = stage_layers(config, layout, layout.pp - 1)
    most = max(stage_layers(config, layout, stage) for stage in range(min(2, layout.pp)))
    block = attention_parameters(config) + visited_experts(config) * expert_parameters(config)
    return (last, True) if last * block + embedding_parameters(config) >= most * block else (
        most, False,
    )  # fmt: skip


def _rate(config: Architecture, gpu: Gpu, layout: Layout, tokens: float) -> float:
    """FLOP/s of the matrix products."""
    engine = layout.engine
    best = typical_mfu(gpu) * LIFT * engine.kernels
    if is_a(gpu, "GPU"):
        best = min(BEST_PRODUCT, best)
    peak = gpu.tflops * 1e12 * best
    size = gpu.tflops / 989.0
    part = config.feed_forward / layout.tp
    share = part / (part + SLICE * size) * tokens / (tokens + TOKENS * size)
    if config.experts > 1:
        share *= engine.mixtures
    return peak * share * _precision_speed(config, layout)


def _precision_speed(config: Architecture, layout: Layout) -> float:
    """Speed of matrix products against bf16."""
    if layout.precision not in ("fp8", "mxfp8"):
        return 1.0
    gain = layout.engine.fp8 - 1.0
    if config.experts > 1:
        gain *= EXPERTS_GAIN
    return (1.0 + gain) * (MXFP8 if layout.precision == "mxfp8" else 1.0)


def _exponentials(config: Architecture, gpu: Gpu) -> float:
    """How much longer attention takes for each FLOP where heads are not 128 wide.

    A score costs an exponential however wide its head is. At a width of 128 exponentials take half
    as long as the products on an H100 (FlashAttention-3, arXiv 2407.08608, section 3.1), and as
    long on a B200, whose units for them have not grown with its peak.
    """
    share = EXPONENTIALS * gpu.tflops / 989.0
    wide = attention_width(config) / 128.0
    return (wide + share) / (1.0 + share) / wide


def _scores(config: Architecture, layout: Layout, sequence: int) -> float:
    """Bytes of scores that a block moves per token in the forward pass; 0 with flash attention."""
    if layout.engine.flash:
        return 0.0
    return SCORE * config.heads * sequence / layout.tp


def _dequantized(config: Architecture, layout: Layout, weights: float) -> float:
    """Bytes that frozen 4-bit weights move in one pass."""
    if not (layout.four_bit_base and config.adapter_rank):
        return 0.0
    return DEQUANTIZED * weights * (1.0 if layout.engine.compiled else EAGER)


def _elements(config: Architecture, layout: Layout) -> float:
    """Bytes that the element-wise operations of a block move per token in the forward pass."""
    outer = WIDTHS * config.hidden_size
    if not layout.sequence_parallel:
        outer *= layout.tp
    inner = INNERS * visited_experts(config) * config.feed_forward
    size = 2.0 * (outer + inner) / layout.tp * layout.engine.elements
    return size if layout.engine.compiled else size * EAGER


@lru_cache(maxsize=1024)
def micro_seconds(config: Architecture, gpu: Gpu, layout: Layout, sequence: int) -> Micro:
    """Seconds of a micro-batch's forward and backward pass on the slowest stage."""
    engine = layout.engine
    tokens = layout.micro_batch * sequence / layout.cp
    layers, head = slowest_stage(config, layout)
    block = attention_parameters(config) + visited_experts(config) * expert_parameters(config)
    weights = (layers * block + head * embedding_parameters(config)) / layout.tp
    products = 2.0 * weights * tokens / _rate(config, gpu, layout, tokens)
    heads = layers * config.heads * attention_width(config) / layout.tp
    flash = gpu.tflops * 1e12 * typical_mfu(gpu) * ATTENTION_LIFT * engine.attention
    attention = 2.0 * heads * sequence * tokens / flash * _exponentials(config, gpu)
    moved = layers * (_elements(config, layout) + _scores(config, layout, sequence))
    per_logit = LOGITS if engine.fused_loss else EAGER_LOGITS
    logits = head * per_logit / 3.0 * padded_vocabulary(config) / layout.tp
    bandwidth = gpu.hbm_tb_s * 1e12 * MEMORY_SHARE
    unpacked = _dequantized(config, layout, weights) / bandwidth
    forward = products + attention + tokens * moved / bandwidth + unpacked
    launch = layers * (LAUNCH if engine.compiled else EAGER_LAUNCH)
    forward = max(forward, launch) + tokens * logits / bandwidth
    if config.experts > 1:
        held = -(-config.experts // layout.ep)
        forward += layers * held * engine.expert_seconds
    trained = 1.0 if config.adapter_rank else 2.0
    again = AGAIN[layout.recompute] * engine.again * forward
    return Micro(forward * (1 + layout.reference), trained * forward + 0.5 * attention, again)
