"""The memory that one GPU needs, in bytes.

States, per parameter (P of them on the GPU's pipeline stage and tensor slice, N data ranks;
Rajbhandari et al. 2020, "ZeRO"; FSDP2 keeps its one copy of the weights in fp32):

            weights   gradients   optimizer
    ddp      2 P        2 P        12 P       bf16, bf16, fp32 master + m + v
    zero1    2 P        2 P        12 P / N
    zero2    2 P        2 P / N    12 P / N
    zero3    2 P / N    2 P / N    12 P / N
    fsdp2    4 P / N    4 P / N     8 P / N   fp32, fp32, fp32 m + v

Megatron-LM and nanotron add bf16 gradients up in fp32: 4 P instead of 2 P in ddp and zero1
(Megatron's theoretical_memory_usage.py: 18 bytes, or 6 + 12 / N).

Transformer Engine keeps a copy of the weights in fp8 and its transpose: 2 P more. torchao casts
weights as it needs them (torchtitan's published 8B: 77.0 GiB without, 76.8 with fp8).
With all states in bf16: 2 + 2 + 4 P, divided as above.

LoRA keeps the weights frozen, in bf16 or, but for embeddings, in NF4 (0.516 P), and pays 16
bytes for each weight of its adapters; a reference model (DPO, GRPO) is one more copy of the
weights in bf16.

Activations are counted tensor by tensor for a Llama block with flash attention and divided by
the tensor ranks (sequence parallelism; Korthikanti et al. 2022 count 34 s b h for GPT-3's
block in the same way). "selective" keeps what torchtitan's per-operator checkpointing keeps:
the block's input, the attention's output and every second matrix product. "full" keeps the
block's input alone and recomputes one block at a time, after the logits have been freed.
Stage 0 of a 1F1B pipeline keeps as many micro-batches as there are stages.

GPT-2's blocks are counted as llm.c allocates them, buffer by buffer (train_gpt2.cu,
fill_in_activation_sizes): 16 widths, or 10 where GELU and the norms are recomputed. nanoGPT,
which is compiled, keeps about as much, and a copy of its logits in fp32.

Calibrated on torchtitan's peak reserved memory, Llama-3-8B at 8,192 tokens on 8 GPUs.
"""

from functools import lru_cache

from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout, Recompute, Sharding, state_ranks
from llmsim.model.architecture import (
    Architecture,
    block_parameters,
    embedding_parameters,
    padded_vocabulary,
    trained_parameter_count,
    visited_experts,
)
from llmsim.physics.hardware.stages import stage_layers, stage_parameters
from llmsim.typed import NamedTuple

# The part of a GPU's memory that a job may plan to use; 5 % stay free for fragmentation and peaks.
USABLE = 0.95

GB = 10**9
MIB = 2**20
GIB = 2**30

# Bytes per parameter of weights, gradients and optimizer ...
_STATES: dict[Sharding, tuple[int, int, int]] = {
    "ddp": (2, 2, 12),
    "zero1": (2, 2, 12),
    "zero2": (2, 2, 12),
    "zero3": (2, 2, 12),
    "fsdp2": (4, 4, 8),
}
# ... and whether each is divided among the data ranks.
_SHARDED: dict[Sharding, tuple[bool, bool, bool]] = {
    "ddp": (False, False, False),
    "zero1": (False, False, True),
    "zero2": (False, True, True),
    "zero3": (True, True, True),
    "fsdp2": (True, True, True),
}

# Eager mode keeps fp32 copies in norms and rotary embeddings and fragments more.
_EAGER_ACTIVATIONS = 1.24
# Bytes per logit: a fused loss writes the gradient over the bf16 logits; otherwise there are
# bf16 logits, an fp32 copy, its log-softmax, that one's gradient and a bf16 gradient.
# With what it gathers that is 18 bytes (fitted, with the factor above, to tests/truth).
# Compiled with the model, the loss keeps the bf16 logits and their fp32 copy.
_FUSED_LOGIT, _EAGER_LOGIT, _FP32_LOGIT = 2, 2 + 4 + 4 + 4 + 2 + 2, 2 + 4
# Bytes that a score keeps for the backward pass where attention writes its scores to memory: an
# fp32 softmax and its bf16 copy (Hugging Face's eager path).
_SCORE = 6
# Inputs of blocks that are on the device while the others wait in the host's memory: the one that
# is computed again, and the next one on its way.
_ON_DEVICE = 2
# Bytes of a weight in NF4 with its doubly quantized scales (QLoRA, Dettmers et al. 2023).
NF4 = 0.516


class Memory(NamedTuple):
    """Bytes on the most loaded GPU, by purpose."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    gathered: int  # weights that FSDP or ZeRO-3 has gathered and not yet freed
    context: int  # CUDA context and NCCL buffers, which torch does not count


def total(memory: Memory) -> int:
    """The sum of all purposes, in bytes."""
    return sum(memory)


def capacity(gpu: Gpu) -> int:
    """Bytes of a GPU that torch can use: nvidia-smi's total less the driver's share.

    The driver takes about 0.25 GiB and 0.25 %: 81,559 MiB of an H100 are 79.2 GiB to torch
    (logs: 79.1-79.6), 143,771 MiB of an H200 are 139.8 (139.81), 183,359 MiB of a B200 are
    178.4 (178.4), 24,564 MiB of an RTX 4090 are 23.7.
    """
    return max(0, gpu.memory_mib * MIB * 9975 // 10_000 - GIB // 4)


def _saved_elements(config: Architecture, layout: Layout, recompute: Recompute) -> float:
    """bf16 elements that one block keeps per token and tensor rank for the backward pass."""
    tp = layout.tp
    outer = 1 if layout.sequence_parallel else tp  # ranks that hold what tensor ranks may share
    hidden, query, key_value = _widths(config)
    if config.family == "gpt2" and layout.engine.compiled and recompute != "full":
        # Query, key and value; the attention's output; two residuals; up projection. Without
        # recompute also two norms and GELU. In fp32: two means and deviations, a sum a head.
        kept = (10 if recompute == "selective" else 16) * hidden
        shared = (2 if recompute == "selective" else 4) * hidden  # residuals and norms
        return (kept + shared * (outer - 1) + 2 * (4 + config.heads)) / tp
    inner = visited_experts(config) * config.feed_forward
    if config.family == "gpt2":
        inner //= 2  # no gate
    if recompute == "full":
        return hidden * outer / tp
    if recompute == "selective":
        down = visited_experts(config) * hidden
        products = query + key_value + hidden + 2 * inner + down
        return (hidden * outer + query + products / 2) / tp
    # Block input, query, key, value, attention output, residual, gate and up projection.
    # Without a compiler also both norms' outputs, the activated gate and its product with up.
    between, split = 2 * hidden, 2 * query + key_value + 2 * inner
    if not layout.engine.compiled:
        between += 2 * hidden
        split += 2 * inner
    return (between * outer + split) / tp


def _widths(config: Architecture) -> tuple[int, int, int]:
    """Elements of a token's hidden state, of its queries, and of its keys and values together.

    Latent attention multiplies its latents out to keys and values for every head, and keeps both.
    """
    query, key_value = config.heads * config.head_dim, 2 * config.kv_heads * config.head_dim
    if config.latent_width:
        query += config.heads * config.rope_width // 2  # not in the output of the attention
        key_value = config.heads * (2 * config.head_dim + config.rope_width)
        key_value += config.latent_width + config.query_latent_width
    return config.hidden_size, query, key_value


def _score_bytes(config: Architecture, layout: Layout, sequence: int) -> int:
    """Bytes of scores that a block keeps per token, where attention writes them to memory."""
    return 0 if layout.engine.flash else _SCORE * config.heads * sequence // layout.tp


def _activations(
    config: Architecture, layout: Layout, stage: int, tokens: int, sequence: int
) -> int:
    """Bytes that a stage keeps from its forward passes."""
    layers = stage_layers(config, layout, stage)
    in_flight = min(layout.pp - stage, layout.accumulation)
    blocks = min(_ON_DEVICE, layers * in_flight) if layout.offloaded else layers * in_flight
    elements = blocks * _saved_elements(config, layout, layout.recompute)
    if config.family == "gpt2":
        elements += _once(config, layout.recompute) / layout.tp
    size = 2 * elements * tokens
    if layout.recompute == "full":  # inputs alone, of which there are no copies
        return int(size)
    # Selective recomputation computes the scores again (Korthikanti et al. 2022, section 5).
    kept = layers * in_flight if layout.recompute == "none" else 1
    return kept * _score_bytes(config, layout, sequence) * tokens + _copied(size, layout)


def _copied(size: float, layout: Layout) -> int:
    """Bytes of activations with what eager mode adds."""
    return int(size) if layout.engine.compiled else int(int(size) * _EAGER_ACTIVATIONS)


def _computed_again(config: Architecture, layout: Layout, tokens: int, sequence: int) -> int:
    """Bytes of the one block that the backward pass has computed again."""
    if layout.recompute != "full":
        return 0
    scores = _score_bytes(config, layout, sequence) * tokens
    return scores + _copied(2 * _saved_elements(config, layout, "none") * tokens, layout)


def offloaded_bytes(config: Architecture, layout: Layout, sequence: int) -> int:
    """Bytes of blocks' inputs of one device that wait in the host's memory (the first stage's)."""
    if not layout.offloaded:
        return 0
    kept = stage_layers(config, layout, 0) * min(layout.pp, layout.accumulation) - _ON_DEVICE
    each = _saved_elements(config, layout, layout.recompute)
    return max(0, int(2 * kept * each * (layout.micro_batch * sequence // layout.cp)))


def _once(config: Architecture, recompute: Recompute) -> int:
    """bf16 elements per token that GPT-2 keeps outside of its blocks.

    The embedding, the last norm and scratch of five widths; one GELU, if it is recomputed. In
    fp32: that norm's mean and deviation, and the loss.
    """
    return (11 if recompute == "selective" else 7) * config.hidden_size + 2 * 3


def _gathered(config: Architecture, layout: Layout, parameters: int) -> int:
    """bf16: one block in use and one prefetched (or the output head).

    A pipeline runs many micro-batches through the same weights, so it gathers all of its
    stage once and reduces whole gradients once (Llama 3 paper, section 3.3.2).
    """
    if not _SHARDED[layout.sharding][0] or state_ranks(layout) == 1:
        return 0
    if layout.pp > 1:
        return 2 * 2 * parameters
    block = block_parameters(config, -(-config.experts // layout.ep))
    return 2 * (block + max(block, embedding_parameters(config))) // layout.tp


def _context(layout: Layout) -> int:
    """CUDA context and cuBLAS workspace 0.6 GiB; NCCL 0.9 GiB, more per mesh dimension.

    Public messages of a full memory: 0.49 and 0.59 GiB on one GPU, 1.43 and 1.49 on several
    (docs/physics.md section 5). On TPUs the catalogue's memory is what JAX may use, without the
    runtime's own part.
    """
    if not layout.engine.device_context:
        return 0
    if layout.gpus == 1:
        return 6 * GIB // 10
    sizes = (layout.dp, layout.tp, layout.pp, layout.cp, layout.ep, layout.replicas)
    dimensions = len(sizes) - sizes.count(1)
    return (120 + 30 * dimensions + 4 * layout.nodes.bit_length()) * GIB // 100


def _states(
    config: Architecture, layout: Layout, index: int, parameters: int
) -> tuple[int, int, int]:
    """Bytes of weights, gradients and optimizer of a GPU of a stage with this many parameters.

    With states in bf16 these take 2 + 2 + 4 bytes a parameter.
    """
    trained = every = parameters
    if layout.ep > 1:  # shares of the states are of all experts all the same
        every = stage_parameters(config, layout._replace(ep=1), index)
    if config.adapter_rank:
        trained = every = -(-trained_parameter_count(config) // (layout.tp * layout.pp))
    sizes: tuple[int, int, int] = (2, 2, 4) if layout.bf16_states else _STATES[layout.sharding]
    ranks, sharding = state_ranks(layout), _SHARDED[layout.sharding]
    weights, gradients, optimizer = [
        -(-size * every // ranks) if sharded else size * trained
        for size, sharded in zip(sizes, sharding, strict=True)
    ]
    if layout.fp32_gradients and not layout.bf16_states:
        gradients *= 2
    shards = ranks if sharding[0] else 1
    frozen = 2.0 * layout.reference * parameters  # bytes of copies that do not train
    if config.adapter_rank:
        frozen += _base(config, layout, index, parameters)
    kept = -(-int(frozen) // shards)
    if layout.precision in ("fp8", "mxfp8"):
        kept += int(layout.engine.fp8_copies * parameters)
    return weights + kept, gradients, optimizer


def _base(config: Architecture, layout: Layout, index: int, parameters: int) -> float:
    """Bytes of LoRA's frozen weights: in bf16, or the blocks' in NF4 (embeddings stay in bf16)."""
    if not layout.four_bit_base:
        return 2.0 * parameters
    block = block_parameters(config, -(-config.experts // layout.ep))
    blocks = stage_layers(config, layout, index) * block // layout.tp
    return NF4 * blocks + 2.0 * (parameters - blocks)


@lru_cache(maxsize=1024)
def stage(
    config: Architecture,
    layout: Layout,
    sequence: int,
    index: int,
) -> Memory:
    """Bytes on one GPU of pipeline stage `index`, counted from 0. Source: module docstring."""
    parameters = stage_parameters(config, layout, index)
    weights, gradients, optimizer = _states(config, layout, index, parameters)
    tokens = layout.micro_batch * sequence // layout.cp
    logits = 0
    if index == layout.pp - 1:
        fused = _FP32_LOGIT if layout.fp32_logits else _FUSED_LOGIT
        per_logit = fused if layout.engine.fused_loss else _EAGER_LOGIT
        parts = 1 if layout.engine.gathers_logits else layout.tp
        logits = per_logit * tokens * padded_vocabulary(config) // parts
    # The logits are gone when the backward pass computes the first block again.
    block = max(0, _computed_again(config, layout, tokens, sequence) - logits)
    return Memory(
        weights,
        gradients,
        optimizer,
        _activations(config, layout, index, tokens, sequence) + block,
        logits,
        _gathered(config, layout, parameters),
        _context(layout),
    )


@lru_cache(maxsize=1024)
def estimate(
    config: Architecture,
    layout: Layout,
    sequence: int,
) -> Memory:
    """Bytes on the most loaded GPU: the first pipeline stage, the second or the last.

    The framework's switches (layout.engine) say whether the blocks are compiled, and whether
    the loss is (docs/physics.md section 5).
    """
    if layout.pp == 1:
        return stage(config, layout, sequence, 0)
    ends = (0, 1, layout.pp - 1) if layout.pp > 2 else (0, 1)
    return max([stage(config, layout, sequence, end) for end in ends], key=total)


def parts_gib(needed: Memory) -> dict[str, float]:
    """GiB by purpose, rounded to hundredths as they are shown, so that a reader's sum is exact."""
    parts = {
        "states": needed.weights + needed.gradients + needed.optimizer,
        "activations": needed.activations + needed.logits,
        "gathered": needed.gathered,
        "context": needed.context,
    }
    return {name: round(size / 2**30, 2) for name, size in parts.items() if size}
