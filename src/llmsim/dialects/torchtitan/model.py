"""What torchtitan would call this model and its GPU: model arguments and peak FLOP/s."""

from llmsim.catalog.records import Gpu
from llmsim.dialects.torchtitan.log_lines import shown_rank
from llmsim.job.records import Job
from llmsim.model.architecture import (
    Architecture,
    active_parameter_count,
    embedding_parameters,
    expert_parameters,
    parameter_count,
    visited_experts,
)
from llmsim.physics.hardware import stages

# tools/utils.py:139-259 of v0.2.0, in its order; what is not among them counts as an A100.
_PEAKS = (
    (("A100",), 312e12), (("H100", "NVL"), 835e12), (("H100", "PCIe"), 756e12),
    (("H100",), 989e12), (("H200",), 989e12), (("B200",), 2250e12), (("MI355X",), 2500e12),
    (("MI300X",), 1300e12), (("MI325X",), 1300e12), (("MI250X",), 191.5e12),
)  # fmt: skip
_A100 = 312e12

_ENFORCED = "_enforced='This field is used to enforce all fields have defaults.'"
_ROPE = (
    "RoPEScalingArgs(scaling_factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, "
    "original_max_position_embeddings=8192)"
)


def known_peak(gpu: Gpu) -> float | None:
    """The FLOP/s that torchtitan knows of a GPU; None where it will take an A100's."""
    for words, peak in _PEAKS:
        if all(word in gpu.name for word in words):
            return peak
    return None


def peak_flops(gpu: Gpu) -> float:
    """The FLOP/s that MFU is a share of."""
    return known_peak(gpu) or _A100


def spec(job: Job) -> str:
    """The name of the model's kind: llama3, or qwen3 where weights are tied or experts many.

    Latent attention is DeepSeek's.
    """
    config = job.architecture
    if config.latent_width:
        return "deepseek_v3"
    return "qwen3" if config.tied or config.experts > 1 else "llama3"


def flavor(job: Job) -> str:
    """The flavor of the kind: of a model that is named after both, as llama3-8B, the rest."""
    return job.model.name.removeprefix(f"{spec(job).replace('_', '-')}-")


def arguments(job: Job) -> str:
    """The model's arguments as their dataclass prints itself (models/{llama3,qwen3})."""
    config, sequence = job.architecture, job.schedule.sequence
    if config.latent_width:
        return _latent(job)
    shared = (
        f"{_ENFORCED}, dim={config.hidden_size}, n_layers={config.layers}, n_heads={config.heads}, "
        f"n_kv_heads={config.kv_heads}, vocab_size={config.vocabulary}, "
    )
    if spec(job) == "qwen3":
        return (
            f"Qwen3ModelArgs({shared}head_dim={config.head_dim}, "
            f"hidden_dim={config.feed_forward}, norm_eps=1e-06, rope_theta=1000000, "
            f"qk_norm=False, max_seq_len={sequence}, depth_init=True, use_flex_attn=False, "
            f"attn_mask_type='causal', eos_id={config.vocabulary - 1}, "
            f"enable_weight_tying={config.tied}, moe_enabled={config.experts > 1}, "
            f"moe_inter_dim={config.feed_forward}, moe_args={_experts(config)})"
        )
    multiple, factor = feed_forward(config)
    return (
        f"TransformerModelArgs({shared}multiple_of={multiple}, ffn_dim_multiplier={factor}, "
        f"norm_eps=1e-05, rope_theta=500000, rope_scaling_args={_ROPE}, max_seq_len={sequence}, "
        "depth_init=True, use_flex_attn=False, attn_mask_type='causal', eos_id=0)"
    )


def _latent(job: Job) -> str:
    """DeepSeekV3ModelArgs (models/deepseek_v3/model/args.py)."""
    config = job.architecture
    visited = config.active_experts + config.shared_experts
    inner = visited * config.feed_forward
    return (
        f"DeepSeekV3ModelArgs(max_batch_size=8, max_seq_len={job.schedule.sequence}, "
        f"vocab_size={config.vocabulary}, dim={config.hidden_size}, inter_dim={inner}, "
        f"moe_inter_dim={config.feed_forward}, n_layers={config.layers}, "
        f"n_dense_layers={config.dense_layers}, n_heads={config.heads}, norm_eps=1e-05, "
        f"moe_args={_experts(config)}, n_expert_groups=1, n_limited_groups=1, "
        f"q_lora_rank={config.query_latent_width}, kv_lora_rank={config.latent_width}, "
        f"qk_nope_head_dim={config.head_dim}, qk_rope_head_dim={config.rope_width}, "
        f"v_head_dim={config.head_dim}, use_flex_attn=False, attn_mask_type='causal', "
        "original_seq_len=4096, rope_theta=10000.0, rope_factor=40, beta_fast=32, beta_slow=1, "
        "mscale=1.0)"
    )


def _experts(config: Architecture) -> str:
    return (
        f"MoEArgs(num_experts={config.experts}, num_shared_experts={config.shared_experts}, "
        f"score_func='{'sigmoid' if config.latent_width else 'softmax'}', "
        "route_norm=True, route_scale=1.0, score_before_experts=False, "
        f"top_k={config.active_experts}, use_grouped_mm=True, load_balance_coeff=0.001)"
    )


def feed_forward(config: Architecture) -> tuple[int, float]:
    """multiple_of and ffn_dim_multiplier that make Llama's rule give the inner width.

    The rule: int(factor * int(8/3 dim)), rounded up to the multiple. 8B: 1024 and 1.3.
    """
    base, wanted = int(8 * config.hidden_size / 3), config.feed_forward
    multiple = next(size for size in (1024, 512, 256, 128, 64, 32, 1) if wanted % size == 0)
    for digits in range(1, 8):
        factor = wanted * 10**digits // base / 10**digits
        if -(-int(factor * base) // multiple) * multiple == wanted:
            return multiple, factor
    return multiple, wanted / base


def counts(config: Architecture) -> tuple[int, int, int]:
    """Dense, sparse and active weights; a tied embedding is counted twice (models/utils.py)."""
    sparse = active = 0
    if config.experts > 1:
        layers = config.layers - config.dense_layers
        router = layers * config.hidden_size * config.experts
        each = layers * expert_parameters(config)
        sparse = router + (config.experts + config.shared_experts) * each
        active = router + visited_experts(config) * each
    dense = active_parameter_count(config) - active
    assert dense + sparse == parameter_count(config)
    dense += embedding_parameters(config) * config.tied
    return dense, sparse, dense + active


def shown_stage(job: Job) -> int:
    """The pipeline stage of the rank whose log is kept."""
    return shown_rank(job) * job.layout.pp // job.layout.gpus


def stage_modules(job: Job, rank: int) -> list[tuple[int, list[str]]]:
    """What the stages of a pipeline's rank consist of, with their numbers.

    Interleaved, a rank has every pp-th of them.
    """
    config, layout = job.architecture, job.layout
    count = layout.pp * max(1, layout.interleave)
    counts = [stages.stage_layers(config, layout, each) for each in range(layout.pp)]
    cuts = [sum(counts[:each]) for each in range(layout.pp + 1)]
    if count > layout.pp:
        cuts = [config.layers * each // count for each in range(count + 1)]
    made = []
    for stage in range(rank, count, layout.pp):
        names = [f"layers.{layer}" for layer in range(cuts[stage], cuts[stage + 1])]
        ends = ["norm", "output"] if stage == count - 1 else []
        made.append((stage, [*(["tok_embeddings"] if stage == 0 else []), *names, *ends]))
    return made
