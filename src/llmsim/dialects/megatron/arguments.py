"""Megatron's arguments, which it prints first: all that concern a GPT.

Names: megatron/training/arguments.py of core 0.12. `of` has the arguments that a job sets, and
defaults.py the others.
"""

from collections.abc import Iterator

from llmsim.dialects.megatron.defaults import FALSE, NONE, OTHERS, TRUE, USUAL
from llmsim.dialects.megatron.older_defaults import ALONE, NEWER
from llmsim.job.layout import expert_slices
from llmsim.job.milestones import exits_loop
from llmsim.job.records import Job, is_older
from llmsim.job.schedule import whole_run
from llmsim.model.architecture import padded_vocabulary, visited_experts
from llmsim.physics.hardware.stages import stage_layers
from llmsim.physics.speed.batch_ramp import consumed

WIDTH = 48  # a name and its dots

DATA, SAVED = "/workspace/data", "/workspace/checkpoints"


def distributed_optimizer(job: Job) -> bool:
    """Whether the optimizer's states are sharded over the data ranks
    (--use-distributed-optimizer).
    """
    return job.layout.sharding != "ddp" and job.layout.dp > 1


def virtual_stages(job: Job) -> int | None:
    """Pieces of the model on a pipeline stage with interleaving; None in plain 1F1B."""
    return job.layout.interleave if job.layout.interleave > 1 else None


def _interleaving(job: Job) -> dict[str, object]:
    """The arguments of a pipeline's stages and their pieces.

    Pieces have equally many layers, if need be with the embedding and the loss as one each.
    """
    config, layout, pieces = job.architecture, job.layout, virtual_stages(job)
    uneven = config.layers % (layout.pp * (pieces or 1)) > 0
    last = layout.pp - 1
    told: dict[str, object] = {
        "virtual_pipeline_model_parallel_size": pieces,
        "overlap_p2p_comm": pieces is not None,
    }
    if pieces and uneven:
        told |= dict.fromkeys(_ACCOUNTS, True)
        told["num_virtual_stages_per_pipeline_rank"] = pieces
    elif pieces:
        told["num_layers_per_virtual_pipeline_stage"] = config.layers // layout.pp // pieces
    elif uneven:
        told["decoder_first_pipeline_num_layers"] = stage_layers(config, layout, 0)
        told["decoder_last_pipeline_num_layers"] = stage_layers(config, layout, last)
    return told


_ACCOUNTS = ("account_for_embedding_in_pipeline_split", "account_for_loss_in_pipeline_split")


def padded_tokens(job: Job) -> int:
    """Rows of the embedding: GPT-2's are padded for each rank, Llama's to equally many a rank."""
    config = job.architecture
    if config.family == "gpt2":
        return padded_vocabulary(config)
    return config.vocabulary + -config.vocabulary % job.layout.tp


def _gpt(job: Job) -> dict[str, object]:
    """The arguments of a GPT, as the scripts of examples/gpt3 leave them: Megatron's defaults."""
    config = job.architecture
    if config.family != "gpt2":
        return {}
    return {
        "add_bias_linear": config.biases,
        "attention_dropout": 0.1,
        "bias_gelu_fusion": config.biases,
        "hidden_dropout": 0.1,
        "make_vocab_size_divisible_by": 128,
        "max_position_embeddings": config.context,
        "normalization": "LayerNorm",
        "position_embedding_type": "learned_absolute",
        "rotary_base": 10_000,
        "swiglu": False,
        "use_rotary_position_embeddings": False,
    }


def _mixture(job: Job) -> dict[str, object]:
    """The arguments of experts and of latent attention."""
    config = job.architecture
    told: dict[str, object] = {"expert_model_parallel_size": job.layout.ep}
    if job.layout.ep > 1:
        told["moe_token_dispatcher_type"] = "alltoall"
    if config.shared_experts:
        width = config.shared_experts * config.feed_forward
        told["moe_shared_expert_intermediate_size"] = width
    if config.dense_layers:
        sparse = config.layers - config.dense_layers
        told["moe_layer_freq"] = [0] * config.dense_layers + [1] * sparse
        told["ffn_hidden_size"] = visited_experts(config) * config.feed_forward
    if config.latent_width:
        told |= {
            "multi_latent_attention": True,
            "kv_lora_rank": config.latent_width,
            "q_lora_rank": config.query_latent_width or None,
            "qk_head_dim": config.head_dim,
            "qk_pos_emb_head_dim": config.rope_width,
            "v_head_dim": config.head_dim,
        }
    return told


def weights_type(job: Job) -> str:
    """What the model's weights are in."""
    return "torch.float16" if job.layout.precision == "fp16" else "torch.bfloat16"


def _precision(job: Job) -> dict[str, object]:
    """The arguments of fp16, which has a loss scale in the place of checks; and of fp8:
    Transformer Engine's formats, scaled by tensor or by blocks.
    """
    if job.layout.precision == "bf16":
        return {}
    if job.layout.precision == "fp16":
        return {
            "bf16": False,
            "check_for_nan_in_loss_and_grad": False,
            "fp16": True,
            "params_dtype": weights_type(job),
        }
    recipe = "mxfp8" if job.layout.precision == "mxfp8" else "delayed"
    told = {"fp8": "hybrid" if recipe == "delayed" else "e4m3", "fp8_recipe": recipe}
    return told | ({"fp8_amax_history_len": 1024} if recipe == "delayed" else {})


def data_path(job: Job) -> str:
    """The prefix of the tokenized data's two files."""
    return f"{DATA}/{job.dataset.name}_text_document"


def checkpoint_path(job: Job) -> str:
    """The folder of the checkpoints."""
    return f"{SAVED}/{job.run_name}"


def ramp(job: Job) -> tuple[int, int, int]:
    """The values of --rampup-batch-size: first batch, increment, and the samples of the ramp."""
    first, second, *_ = job.schedule.ramp
    return first.batch, second.batch - first.batch, job.schedule.ramp[-1].before


def _lengths(job: Job) -> dict[str, object]:
    """The arguments for the lengths of run, warmup and decay: in samples if the batch grows."""
    schedule = job.schedule
    if not schedule.ramp:
        return {"lr_warmup_iters": schedule.warmup, "train_iters": whole_run(schedule)}
    samples = consumed(schedule, whole_run(schedule))
    warmup = schedule.warmup * schedule.global_batch
    return {
        "lr_warmup_iters": 0,
        "lr_warmup_samples": warmup,
        "rampup_batch_size": [str(number) for number in ramp(job)],
        "train_iters": None,
        "train_samples": samples,
    }


def of(job: Job) -> dict[str, object]:
    """The arguments that a job sets."""
    config, layout, schedule = job.architecture, job.layout, job.schedule
    full = layout.recompute == "full"
    experts = config.experts if config.experts > 1 else None
    return {
        "attention_backend": "AttnBackend.auto" if layout.engine.flash else "AttnBackend.unfused",
        "async_save": True if job.background_saves else None,
        "data_parallel_size": layout.dp,
        "data_path": [data_path(job)],
        "context_parallel_size": layout.cp,
        "decoder_first_pipeline_num_layers": None,
        "decoder_last_pipeline_num_layers": None,
        "encoder_num_layers": config.layers,
        "encoder_seq_length": schedule.sequence,
        "eval_interval": schedule.validate_every,
        "eval_iters": schedule.validation_batches,
        "exit_duration_in_mins": schedule.exit_after // 60 or None,
        "exit_interval": schedule.steps if exits_loop(job) else None,
        "ffn_hidden_size": config.feed_forward,
        "finetune": job.recipe.released,
        "global_batch_size": schedule.global_batch,
        "group_query_attention": config.kv_heads < config.heads,
        "hidden_size": config.hidden_size,
        "kv_channels": config.head_dim,
        "load": released(job) if job.recipe.released else checkpoint_path(job),
        "log_interval": schedule.log_every,
        "lr": schedule.peak_lr,
        "lr_decay_style": schedule.decay,
        "max_position_embeddings": schedule.sequence,
        "micro_batch_size": layout.micro_batch,
        "min_lr": schedule.final_lr,
        "expert_tensor_parallel_size": expert_slices(layout),
        "moe_ffn_hidden_size": config.feed_forward,
        "moe_grouped_gemm": experts is not None,
        "moe_router_load_balancing_type": "none" if experts else "aux_loss",
        "moe_router_topk": config.active_experts if experts else 2,
        "num_attention_heads": config.heads,
        "num_experts": experts,
        "num_layers": config.layers,
        "num_query_groups": config.kv_heads if config.kv_heads < config.heads else 1,
        "pipeline_model_parallel_size": layout.pp,
        "recompute_granularity": None if layout.recompute == "none" else layout.recompute,
        "recompute_method": "uniform" if full else None,
        "recompute_num_layers": 1 if full else None,
        "rotary_base": 10_000 if config.tied else 500_000,
        "save": checkpoint_path(job) if schedule.saves else None,
        "save_interval": schedule.save_every if schedule.saves else None,
        "seed": job.seed,
        "seq_length": schedule.sequence,
        "sequence_parallel": layout.tp > 1 and layout.sequence_parallel,
        "tensor_model_parallel_size": layout.tp,
        "transformer_pipeline_model_parallel_size": layout.pp,
        "tokenizer_model": f"{SAVED}/tokenizer",
        "untie_embeddings_and_output_weights": not config.tied,
        "use_distributed_optimizer": distributed_optimizer(job),
        "vocab_size": config.vocabulary,
        "world_size": layout.gpus,
        **_gpt(job),
        **_lengths(job),
        **_interleaving(job),
        **_mixture(job),
        **_precision(job),
    }


def released(job: Job) -> str:
    """The folder of the released weights from which the run starts."""
    return f"/workspace/models/{job.model.name}"


def dump(job: Job) -> Iterator[str]:
    """The lines between the rules, sorted without regard to case (global_vars, _print_args)."""
    values: dict[str, object] = {
        **dict.fromkeys(FALSE.split(), False),
        **dict.fromkeys(TRUE.split(), True),
        **dict.fromkeys(NONE.split()),
        **OTHERS,
        **USUAL,
        **of(job),
    }
    if is_older(job):
        newer = set(NEWER.split())
        values = {name: value for name, value in values.items() if name not in newer} | ALONE
    lines = [f"  {name} {'.' * (WIDTH - len(name))} {value}" for name, value in values.items()]
    yield "------------------------ arguments ------------------------"
    yield from sorted(lines, key=str.lower)
    yield "-------------------- end of arguments ---------------------"
