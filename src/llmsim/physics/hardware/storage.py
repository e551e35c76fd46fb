"""Checkpoints and exported weights: their bytes, and the seconds to write or read them.

    checkpoint  12 bytes per trained parameter (torch DCP: fp32 weights, Adam's m and v), or 14
                where ZeRO keeps bf16 weights beside the optimizer's (BLOOM: 2.3 TB of 176B)
    export       2 bytes per parameter (bf16 safetensors in files of at most 5e9 bytes; the
                 Trainer of transformers 5 fills them up to 50e9: modeling_utils.py:3316)

8B: 96 GB and 16.1 GB; 70B: 847 GB and 141 GB (docs/physics.md section 5). A save is as fast
as the file system or as all nodes together, 2-6 GB/s each, whichever is less. GB = 1e9 bytes.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import exp, log2, prod

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.model.architecture import (
    Architecture,
    padded_vocabulary,
    trained_parameter_count,
    visited_experts,
)
from llmsim.physics import noise
from llmsim.typed import NamedTuple

GB = 10**9
Tensor = tuple[str, tuple[int, ...]]  # its name, and its sides in elements
SHARD_LIMIT = 5 * GB
_FULL_STATE, _BESIDE_BF16 = 12, 14  # bytes per parameter


class Shard(NamedTuple):
    """One exported file."""

    name: str
    size: int  # bytes


def checkpoint_bytes(job: Job, step: int = 0) -> int:
    """Bytes of the checkpoint of a step, all experts included: 12 per trained parameter, or 14
    where bf16 weights lie beside the optimizer's, as in ZeRO and in Megatron; the last one of some
    frameworks has the weights alone.
    """
    usual, last = _sizes(job)
    return last if step == job.schedule.steps else usual


@remembered()
def _sizes(job: Job) -> tuple[int, int]:
    """The bytes of a checkpoint, and of the last one."""
    trained = trained_parameter_count(job.architecture)
    beside = job.layout.sharding in ("zero1", "zero2", "zero3") or job.layout.fp32_gradients
    usual = (_BESIDE_BF16 if beside else _FULL_STATE) * trained
    return usual, job.framework.last_save_bytes * trained or usual


def _spread(job: Job, stream: str, index: int) -> float:
    """A factor around 1: the storage is shared with other jobs, so its speed varies by 7 %."""
    return exp(0.07 * max(-2.5, min(3.0, noise.normal(job.seed, stream, index))))


def _slowdown(job: Job, stream: str, index: int) -> float:
    """A factor of at least 1: other jobs slow the storage down, and nothing makes it faster."""
    return exp(0.1 * min(3.0, abs(noise.normal(job.seed, stream, index))))


@remembered()
def _bandwidth(job: Job) -> float:
    """Bytes per second that the job writes: all nodes write, up to the file system's bandwidth."""
    per_node = noise.between(job.seed, "storage node", 2.5, 6.0)
    return min(job.storage_gb_s, job.layout.nodes * per_node) * GB


@remembered()
def _barrier_seconds(job: Job) -> float:
    """Seconds of planning, metadata and the barrier at the end of a save; they grow with the
    ranks.
    """
    return noise.between(job.seed, "storage barrier", 0.8, 1.8) + 0.15 * log2(job.layout.gpus)


def save_seconds(job: Job, step: int) -> float:
    """Seconds until a checkpoint is durable. BLOOM: 2.3 TB in 40 s at 57 GB/s."""
    barrier, *writing = _writing(job)
    plain = writing[step == job.schedule.steps] * _slowdown(job, "storage save", step)
    return to_the_microsecond(barrier + plain + (held_up(job, step) if job.slow_saves else 0.0))


@remembered()
def _writing(job: Job) -> tuple[float, float, float]:
    """Seconds of the barrier, and to write a checkpoint, and the last one, undisturbed."""
    usual, last = (size / _bandwidth(job) for size in _sizes(job))
    return _barrier_seconds(job), usual, last


def held_up(job: Job, step: int) -> float:
    """Seconds that an incident of the file system adds to the save after a step."""
    return _delays(job).get(step, 0.0) if job.slow_saves else 0.0


@remembered()
def _delays(job: Job) -> dict[int, float]:
    """The same by step, of the saves that are held up."""
    return dict(job.slow_saves)


LONGEST_DELETE = 0.5  # seconds


def delete_seconds(job: Job, step: int) -> float:
    """Seconds to delete the old checkpoint that the one of a step replaces: about 0.4, and less
    than LONGEST_DELETE.
    """
    return to_the_microsecond(0.4 * _spread(job, "storage delete", step))


def staging_seconds(job: Job, step: int) -> float:
    """Seconds that an asynchronous save keeps the GPUs waiting: the copy to host memory.

    12 GB/s per GPU over PCIe, typically 0.5-5 s in all.
    """
    copying = _copying(job)[step == job.schedule.steps]
    plain = 0.3 + copying * _spread(job, "storage staging", step)
    return to_the_microsecond(plain + (held_up(job, step) if job.slow_saves else 0.0))


@remembered()
def _copying(job: Job) -> tuple[float, float]:
    """Seconds to copy a checkpoint, and the last one, to host memory, undisturbed."""
    usual, last = (size / job.layout.gpus / (12 * GB) for size in _sizes(job))
    return usual, last


def released_shards(job: Job) -> tuple[Shard, ...]:
    """The files of the released bf16 weights from which a run may start."""
    return _shards(job.architecture._replace(adapter_rank=0), SHARD_LIMIT)


def released_bytes(job: Job) -> int:
    """Bytes of the released weights."""
    return sum(shard.size for shard in released_shards(job))


def load_seconds(job: Job) -> float:
    """Seconds to read the released weights; reading is 1.4 times as fast as writing."""
    reading = released_bytes(job) / (1.4 * _bandwidth(job)) * _spread(job, "storage load", 0)
    return to_the_microsecond(_barrier_seconds(job) + reading)


def restore_seconds(job: Job, step: int) -> float:
    """Seconds to read a checkpoint into all ranks; reading is 1.4 times as fast as writing."""
    reading = checkpoint_bytes(job) / (1.4 * _bandwidth(job)) * _spread(job, "restore", step)
    return to_the_microsecond(_barrier_seconds(job) + reading)


def _layer_tensors(config: Architecture, index: int = 0) -> Iterator[Tensor]:
    """Names and shapes of one layer's tensors, in the order of Hugging Face's modules."""
    yield from _latent_tensors(config) if config.latent_width else _attention_tensors(config)
    up, down = (config.feed_forward, config.hidden_size), (config.hidden_size, config.feed_forward)
    if config.experts > 1 and index >= config.dense_layers:
        yield "block_sparse_moe.gate", (config.experts, config.hidden_size)
        for expert in range(config.experts):
            yield f"block_sparse_moe.experts.{expert}.w1", up
            yield f"block_sparse_moe.experts.{expert}.w2", down
            yield f"block_sparse_moe.experts.{expert}.w3", up
        if config.shared_experts:
            yield from _block_tensors("mlp.shared_experts", config, config.shared_experts)
    else:
        yield from _block_tensors("mlp", config, visited_experts(config))
    yield "input_layernorm", (config.hidden_size,)
    yield "post_attention_layernorm", (config.hidden_size,)


def _attention_tensors(config: Architecture) -> Iterator[Tensor]:
    query, key_value = config.heads * config.head_dim, config.kv_heads * config.head_dim
    yield "self_attn.q_proj", (query, config.hidden_size)
    yield "self_attn.k_proj", (key_value, config.hidden_size)
    yield "self_attn.v_proj", (key_value, config.hidden_size)
    yield "self_attn.o_proj", (config.hidden_size, query)


def _latent_tensors(config: Architecture) -> Iterator[Tensor]:
    """The tensors of latent attention, as DeepseekV3Attention names them."""
    hidden, latent, queries = config.hidden_size, config.latent_width, config.query_latent_width
    query = config.heads * (config.head_dim + config.rope_width)
    if queries:
        yield "self_attn.q_a_proj", (queries, hidden)
        yield "self_attn.q_a_layernorm", (queries,)
        yield "self_attn.q_b_proj", (query, queries)
    else:
        yield "self_attn.q_proj", (query, hidden)
    yield "self_attn.kv_a_proj_with_mqa", (latent + config.rope_width, hidden)
    yield "self_attn.kv_a_layernorm", (latent,)
    yield "self_attn.kv_b_proj", (2 * config.heads * config.head_dim, latent)
    yield "self_attn.o_proj", (hidden, config.heads * config.head_dim)


def _block_tensors(name: str, config: Architecture, experts: int) -> Iterator[Tensor]:
    """The tensors of a feed-forward block that is as wide as some experts."""
    up = (experts * config.feed_forward, config.hidden_size)
    yield f"{name}.gate_proj", up
    yield f"{name}.up_proj", up
    yield f"{name}.down_proj", up[::-1]


def _gpt2_tensors(config: Architecture) -> Iterator[Tensor]:
    """Names and shapes of GPT-2's tensors, in the order of Hugging Face's modules."""
    hidden, inner = config.hidden_size, config.feed_forward
    yield "transformer.wte.weight", (padded_vocabulary(config), hidden)
    yield "transformer.wpe.weight", (config.context, hidden)
    block = {
        "ln_1": (hidden,),
        "attn.c_attn": (hidden, 3 * hidden),
        "attn.c_proj": (hidden, hidden),
        "ln_2": (hidden,),
        "mlp.c_fc": (hidden, inner),
        "mlp.c_proj": (inner, hidden),
    }
    modules = {
        f"h.{i}.{name}": sides for i in range(config.layers) for name, sides in block.items()
    }
    for name, sides in (modules | {"ln_f": (hidden,)}).items():
        yield f"transformer.{name}.weight", sides
        if config.biases:
            yield f"transformer.{name}.bias", sides[-1:]


def _tensors(config: Architecture) -> Iterator[Tensor]:
    if config.family == "gpt2":
        yield from _gpt2_tensors(config)
        return
    yield "model.embed_tokens.weight", (config.vocabulary, config.hidden_size)
    usual = tuple(_layer_tensors(config, config.dense_layers))
    dense = tuple(_layer_tensors(config)) if config.dense_layers else ()
    for index in range(config.layers):
        for name, sides in dense if index < config.dense_layers else usual:
            yield f"model.layers.{index}.{name}.weight", sides
    yield "model.norm.weight", (config.hidden_size,)
    if not config.tied:
        yield "lm_head.weight", (config.vocabulary, config.hidden_size)


def _header_bytes(tensors: list[tuple[str, tuple[int, ...]]]) -> int:
    """Bytes of a safetensors header: its length (8), then JSON padded to a multiple of 8."""
    size = len('{"__metadata__":{"format":"pt"}}')
    offset = 0
    for name, sides in sorted(tensors):
        end = offset + 2 * prod(sides)
        listed = f"{sides[0]},{sides[1]}" if len(sides) == 2 else f"{sides[0]}"
        size += len(
            f',"{name}":{{"dtype":"BF16","shape":[{listed}],"data_offsets":[{offset},{end}]}}'
        )
        offset = end
    return 8 + -(-size // 8) * 8


@lru_cache(maxsize=16)
def _shards(config: Architecture, limit: int) -> tuple[Shard, ...]:
    files: list[list[tuple[str, tuple[int, ...]]]] = [[]]
    filled = 0
    for name, sides in _tensors(config):
        size = 2 * prod(sides)
        if files[-1] and filled + size > limit:
            files.append([])
            filled = 0
        files[-1].append((name, sides))
        filled += size
    count = len(files)
    return tuple(
        Shard(
            f"model-{index:05d}-of-{count:05d}.safetensors" if count > 1 else "model.safetensors",
            _header_bytes(tensors) + sum(2 * prod(sides) for _, sides in tensors),
        )
        for index, tensors in enumerate(files, 1)
    )


def export_shards(job: Job) -> tuple[Shard, ...]:
    """The safetensors files of the model in bf16, filled tensor by tensor up to the limit.

    As transformers' save_pretrained does it: Llama-3-8B gives the four files of its
    repository, byte for byte. LoRA exports its adapters alone, as PEFT does.
    """
    config = job.architecture
    if config.adapter_rank:
        # A header entry takes about 120 bytes, and each adapter is a pair of matrices.
        tensors = 2 * config.layers * (4 if config.experts > 1 else 7)
        size = 2 * trained_parameter_count(config) + 120 * tensors
        return (Shard("adapter_model.safetensors", size),)
    return _shards(config, job.framework.max_shard_gb * GB)


def consolidate_seconds(job: Job) -> float:
    """Seconds to gather all shards of the weights on one node and cast them to bf16.

    One process takes 4-7 GB/s of bf16; Llama-3-8B some 4 s.
    """
    weights = 2 * trained_parameter_count(job.architecture)
    rate = noise.between(job.seed, "storage consolidate", 4.0, 7.0) * GB
    return to_the_microsecond(0.8 + weights / rate)


def write_seconds(job: Job, size: int, index: int = 0) -> float:
    """Seconds to write one exported file of `size` bytes: 1-2 GB/s for one process."""
    rate = min(job.storage_gb_s, noise.between(job.seed, "storage export", 1.15, 1.75)) * GB
    return to_the_microsecond(0.02 + size / rate * _spread(job, "storage export file", index))
