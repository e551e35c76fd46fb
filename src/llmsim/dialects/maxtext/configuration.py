"""MaxText's configuration: base.yml, the model's file, the command line, and what follows.

src/MaxText/pyconfig.py of v0.1.0 puts them together, and prints every key but a token.
"""

from llmsim.dialects.maxtext.defaults import EMPTY, FALSE, OTHERS, RULES, TRUE
from llmsim.job.layout import Layout, shards_weights
from llmsim.job.records import Job
from llmsim.model.architecture import Architecture, visited_experts

# The mesh, outermost first; what a job does not split has size 1.
AXES = (
    "data", "stage", "fsdp", "fsdp_transpose", "sequence", "context", "context_autoregressive",
    "tensor", "tensor_transpose", "tensor_sequence", "expert", "autoregressive",
)  # fmt: skip
_KEY = {"stage": "pipeline"}  # the axis whose keys have another name

_REMAT = {"none": "minimal", "selective": "save_qkv_proj", "full": "full"}
LOG_PERIOD = 100  # steps between two reminders of TensorBoard
_BATCH = "activation_embed_and_logits_batch"


def output(job: Job) -> str:
    """Where the run's files go."""
    return f"gs://{job.cluster}-maxtext/{job.run_name}"


def axes(job: Job) -> dict[str, int]:
    """The sizes of the mesh's axes; a pipeline's stages come first."""
    layout = job.layout
    data = "fsdp" if shards_weights(layout) else "data"
    split = {"stage": layout.pp, "context": layout.cp, "expert": layout.ep, "tensor": layout.tp}
    split[data] = layout.dp // layout.replicas // layout.ep or 1
    if layout.replicas > 1:
        split["data"] = layout.replicas
    names = AXES if layout.pp == 1 else ("stage", *(name for name in AXES if name != "stage"))
    return {name: split.get(name, 1) for name in names}


def _parallelism(axis: str) -> str:
    return f"ici_{_KEY.get(axis, axis)}_parallelism"


def _chosen(layout: Layout) -> dict[str, object]:
    """The keys of precisions and of the attention that differ from base.yml's."""
    keys: dict[str, tuple[object, bool]] = {
        "weight_dtype": ("bfloat16", layout.bf16_states),
        "quantization": ("fp8", layout.precision == "fp8"),
        "attention": ("dot_product", not layout.engine.flash),
    }
    return {name: value for name, (value, chosen) in keys.items() if chosen}


def _remat(layout: Layout) -> dict[str, object]:
    """What is kept for the backward pass, and where: recipes for TPUs offload blocks' inputs
    (github.com/AI-Hypercomputer/tpu-recipes, training).
    """
    if layout.offloaded:
        return {"remat_policy": "custom", "decoder_layer_input": "offload"}
    return {"remat_policy": _REMAT[layout.recompute]}


def typed(job: Job) -> dict[str, object]:
    """What the command line sets, in the order of base.yml, as pyconfig lists it."""
    schedule, layout = job.schedule, job.layout
    each = layout.micro_batch * layout.dp / layout.gpus
    sizes = axes(job)
    order = (
        "data",
        "fsdp",
        "context",
        "tensor",
        "expert",
        "stage",
    )  # of the keys in base.yml; fsdp is -1 there
    return {
        "run_name": job.run_name,
        "model_name": job.model.name.lower(),
        "async_checkpointing": job.background_saves,
        "checkpoint_period": schedule.save_every,
        **_chosen(layout),
        **_remat(layout),
        "base_output_directory": output(job).rpartition("/")[0],
        **{_parallelism(axis): sizes[axis] for axis in order if sizes[axis] > 1 or axis == "fsdp"},
        "per_device_batch_size": each,
        "eval_per_device_batch_size": each * layout.accumulation,
        "dataset_path": f"gs://{job.cluster}-datasets",
        "dataset_name": job.dataset.name,
        "eval_dataset_name": job.dataset.name,
        "steps": schedule.steps,
        "learning_rate": schedule.peak_lr,
        "cosine_learning_rate_final_fraction": schedule.final_lr / schedule.peak_lr,
        "warmup_steps_fraction": schedule.warmup / schedule.steps,
        "max_target_length": schedule.sequence,
        "data_shuffle_seed": job.seed,
        "init_weights_seed": job.seed,
        "gradient_accumulation_steps": layout.accumulation,
        "eval_interval": schedule.validate_every,
        "eval_steps": schedule.validation_batches,
    }


def model(job: Job) -> dict[str, object]:
    """What the model's own file sets (src/MaxText/configs/models)."""
    config = job.architecture
    if config.family == "gpt2":
        return _gpt(config)
    sparse = {
        "base_moe_mlp_dim": config.feed_forward,
        "num_experts": config.experts,
        "num_experts_per_tok": config.active_experts,
    }
    return {
        "base_emb_dim": config.hidden_size,
        "base_num_query_heads": config.heads,
        "base_num_kv_heads": config.kv_heads,
        "base_num_decoder_layers": config.layers,
        "base_mlp_dim": config.feed_forward,
        "head_dim": config.head_dim,
        "mlp_activations": ["silu", "linear"],
        "vocab_size": config.vocabulary,
        "enable_dropout": False,
        "logits_via_embedding": config.tied,
        "normalization_layer_epsilon": 1e-05,
        **(sparse if config.experts > 1 else {}),
        **_latent(config),
        "rope_max_timescale": 500_000,
        "decoder_block": _decoder(config),
    }


def _gpt(config: Architecture) -> dict[str, object]:
    """What the file of a GPT sets (gpt3-175b.yml)."""
    return {
        "base_emb_dim": config.hidden_size,
        "base_num_query_heads": config.heads,
        "base_num_kv_heads": config.kv_heads,
        "base_mlp_dim": config.feed_forward,
        "base_num_decoder_layers": config.layers,
        "head_dim": config.head_dim,
        "trainable_position_size": config.context,
        "mlp_activations": ["gelu"],
        "vocab_size": config.vocabulary,
        "enable_dropout": False,
        "logits_via_embedding": config.tied,
        "normalize_embedding_logits": False,
        "logits_dot_in_fp32": False,
        "normalization_layer_epsilon": 1e-05,
        "use_iota_embed": True,
        "fused_qkv": True,
        "decoder_block": _decoder(config),
    }


def _decoder(config: Architecture) -> str:
    """MaxText's kind of block."""
    if config.family == "gpt2":
        return "gpt3"
    if config.latent_width:
        return "deepseek"
    return "mixtral" if config.experts > 1 else "llama2"


def _latent(config: Architecture) -> dict[str, object]:
    """The keys of latent attention, shared experts and dense first layers (deepseek3-671b.yml)."""
    if not config.latent_width:
        return {}
    return {
        "attention_type": "mla",
        "q_lora_rank": config.query_latent_width,
        "kv_lora_rank": config.latent_width,
        "qk_nope_head_dim": config.head_dim,
        "qk_rope_head_dim": config.rope_width,
        "v_head_dim": config.head_dim,
        "first_num_dense_layers": config.dense_layers,
        "shared_experts": config.shared_experts,
        "base_mlp_dim": visited_experts(config) * config.feed_forward,
    }


def _rules(job: Job) -> tuple[object, ...]:
    """The rules of base.yml as tuples; a pipeline's micro-batches are cut by stages first."""
    rules: list[object] = []
    for line in RULES.split("\n")[1:-1]:
        name, *names = line.split(" ")
        if names and names[0].startswith("="):
            rules.append((name, names[0][1:]))
        elif name == _BATCH and job.layout.pp > 1:
            rules.append((name, ("stage", *(each for each in names if each != "stage"))))
        else:
            rules.append((name, tuple(names)))
    return tuple(rules)


def config(job: Job) -> dict[str, object]:
    """The consolidated configuration, sorted as MaxText prints it."""
    values: dict[str, object] = {
        **dict.fromkeys(FALSE.split(), False),
        **dict.fromkeys(TRUE.split(), True),
        **dict.fromkeys(EMPTY.split(), ""),
        **OTHERS,
        "logical_axis_rules": _rules(job),
        **typed(job),
        **model(job),
        **_derived(job),
    }
    return dict(sorted(values.items()))


def _derived(job: Job) -> dict[str, object]:
    """What user_init makes of the keys."""
    schedule, layout, architecture = job.schedule, job.layout, job.architecture
    sizes, place = axes(job), output(job)
    batch, micro = schedule.global_batch, schedule.global_batch // layout.accumulation
    derived: dict[str, object] = {
        "attn_logits_soft_cap": None,
        "checkpoint_dir": f"{place}/checkpoints/",
        "constant_bound_config": [],
        "context_parallel_size": layout.cp,
        "data_sharding": (tuple(sizes),),
        "dcn_parallelism": [-1 if name == "data" else 1 for name in sizes],
        "decoder_block": f"DecoderBlockType.{_decoder(architecture).upper()}",
        "emb_dim": architecture.hidden_size,
        "final_logits_soft_cap": None,
        "global_batch_size_to_eval_on": batch,
        "global_batch_size_to_load": batch,
        "global_batch_size_to_load_eval": batch,
        "global_batch_size_to_train_on": batch,
        "ici_parallelism": [*sizes.values()],
        "learning_rate_schedule_steps": schedule.steps,
        "mesh_axes": [*sizes],
        "metrics_dir": f"{place}/metrics/",
        "micro_batch_size_to_eval_on": batch,
        "micro_batch_size_to_train_on": micro,
        "mlp_dim": architecture.feed_forward,
        "moe_mlp_dim": architecture.feed_forward
        if architecture.experts > 1
        else OTHERS["base_moe_mlp_dim"],
        "mu_dtype": "float32",
        "num_decoder_layers": architecture.layers,
        "num_kv_heads": architecture.kv_heads,
        "num_query_heads": architecture.heads,
        "num_slices": 1,
        "pagedattn_max_pages_per_group": (schedule.sequence + 31) // 32,
        "quantization_local_shard_count": 1,
        "tensorboard_dir": f"{place}/tensorboard/",
        "using_pipeline_parallelism": layout.pp > 1,
    }
    if layout.pp > 1:
        derived["pipeline_parallel_layers"] = architecture.layers
        pieces = max(1, layout.interleave)
        derived["num_layers_per_pipeline_stage"] = architecture.layers // layout.pp // pieces
        derived["num_pipeline_repeats"] = pieces
        derived["num_pipeline_microbatches"] = layout.pp
    return derived
