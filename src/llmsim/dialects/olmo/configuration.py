"""OLMo's configuration, which it prints first: all fields of TrainConfig (olmo/config.py)."""

from collections.abc import Iterator

from llmsim.dialects.olmo.log_lines import CHECKPOINTS
from llmsim.job import milestones
from llmsim.job.layout import shards_weights
from llmsim.job.records import Job
from llmsim.job.schedule import whole_run
from llmsim.typed import NamedTuple

WIDTH = 180  # of Rich's console (util.py:198)


class Shown(NamedTuple):
    """A value by what repr gives."""

    text: str


class Record(NamedTuple):
    """A dataclass: its name and fields, in their order."""

    name: str
    fields: dict[str, object]


def strategy(job: Job) -> str:
    """How the model is wrapped; DDP serves one GPU, too."""
    return "fsdp" if shards_weights(job.layout) else "ddp"


def flat(value: object) -> str:
    """A value as repr shows it."""
    if isinstance(value, Record):
        inner = ", ".join(f"{name}={flat(part)}" for name, part in value.fields.items())
        return f"{value.name}({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(flat, value))}]"
    return value.text if isinstance(value, Shown) else repr(value)


def pretty(value: object, name: str = "", indent: int = 0, end: str = "") -> Iterator[str]:
    """A value's lines as Rich shows it: what is too wide stands one part a line."""
    whole = " " * indent + name + flat(value) + end
    if len(whole) <= WIDTH or not isinstance(value, (Record, list)):
        yield whole
        return
    record = isinstance(value, Record)
    parts: list[tuple[str, object]]
    if isinstance(value, Record):
        parts = [(f"{key}=", part) for key, part in value.fields.items()]
    else:
        parts = [("", part) for part in value]
    yield f"{' ' * indent}{name}{value.name + '(' if isinstance(value, Record) else '['}"
    for at, (key, part) in enumerate(parts, 1):
        yield from pretty(part, key, indent + 4, "," if at < len(parts) else "")
    yield f"{' ' * indent}{')' if record else ']'}{end}"


def validation_label(job: Job) -> str:
    """The name of the evaluator."""
    return f"{job.dataset.name}-validation"


def _data(job: Job, paths: list[str], *, drops: bool) -> Record:
    return Record("DataConfig", {
        "paths": paths, "memmap_dtype": "uint16" if job.architecture.vocabulary <= 65_536 else
        "uint32", "datasets": None, "label_mask_paths": None, "pad_direction": "right",
        "generate_attention_mask": False, "generate_doc_lengths": False, "num_workers": 16,
        "drop_last": drops, "pin_memory": True, "prefetch_factor": 8, "persistent_workers": True,
        "timeout": 0, "seed": None, "instance_filter": None,
    })  # fmt: skip


def _model(job: Job) -> Record:
    config = job.architecture
    return Record("ModelConfig", {
        "d_model": config.hidden_size, "n_heads": config.heads, "n_kv_heads": config.kv_heads,
        "clip_qkv": None, "n_layers": config.layers, "mlp_ratio": 4,
        "mlp_hidden_size": 2 * config.feed_forward, "activation_type": "swiglu",
        "block_type": "sequential", "block_group_size": 1, "alibi": False, "alibi_bias_max": 8.0,
        "rope": True, "rope_full_precision": True, "rope_theta": 10_000 if config.tied else
        500_000, "flash_attention": job.layout.engine.flash, "attention_dropout": 0.0,
        "multi_query_attention": None, "attention_layer_norm": False, "residual_dropout": 0.0,
        "embedding_dropout": 0.0, "embedding_layer_norm": False, "layer_norm_type": "rms",
        "layer_norm_with_affine": True, "layer_norm_eps": 1e-05,
        "attention_layer_norm_with_affine": True, "max_sequence_length": job.schedule.sequence,
        "include_bias": False, "bias_for_layer_norm": False, "scale_logits": False,
        "vocab_size": config.vocabulary, "embedding_size": config.vocabulary,
        "weight_tying": config.tied, "eos_token_id": config.vocabulary - 1,
        "pad_token_id": config.vocabulary - 1,
        "init_device": "meta" if strategy(job) == "fsdp" else "cuda", "init_fn": "normal",
        "init_std": 0.02, "init_cutoff_factor": 3.0, "precision": "amp_bf16",
        "scale_emb_init": False, "emb_init_std": None, "norm_after": False,
    })  # fmt: skip


def _optimizer(job: Job) -> Record:
    return Record("OptimizerConfig", {
        "name": "adamw", "learning_rate": job.schedule.peak_lr, "weight_decay": 0.1,
        "betas": (0.9, 0.95), "eps": 1e-08, "no_decay_norm_and_bias": None,
        "selective_updates": False, "decay_norm_and_bias": True, "decay_embeddings": False,
        "metrics_log_interval": None, "record_update_metrics": False,
    })  # fmt: skip


def _scheduler(job: Job) -> Record:
    schedule = job.schedule
    return Record("SchedulerConfig", {
        "name": f"{schedule.decay}_with_warmup", "units": "steps", "t_warmup": schedule.warmup,
        "t_max": whole_run(schedule), "alpha_f": round(schedule.final_lr / schedule.peak_lr, 6),
        "grad_clip_warmup_steps": None, "grad_clip_warmup_factor": None, "warmup_min_lr": 0.0,
    })  # fmt: skip


_RECOMPUTE = {"none": None, "selective": "fine_grained", "full": "whole_layer"}


def configuration(job: Job) -> Record:
    """TrainConfig after main has filled its fields (scripts/train.py:72)."""
    schedule, layout, sharded = job.schedule, job.layout, strategy(job) == "fsdp"
    kept = milestones.KEPT_SAVES
    paths = [f"/data/{job.dataset.name}/part-{n:02d}.npy" for n in range(4)]
    evaluator = Record("EvaluatorConfig", {
        "label": validation_label(job), "type": "lm",
        "data": _data(job, [f"/data/{job.dataset.name}/validation.npy"], drops=True),
        "device_eval_batch_size": None, "subset_num_batches": None,
    })  # fmt: skip
    compiler = Record("CompilerConfig", {
        "mode": None, "fullgraph": False, "backend": "inductor", "dynamic": None,
    })  # fmt: skip
    fsdp = Record("FSDPConfig", {
        "use_orig_params": True, "sharding_strategy": Shown("<ShardingStrategy.FULL_SHARD: 1>"),
        "wrapping_strategy": "by_block", "precision": "mixed",
        "hybrid_sharding_num_model_replicas": None,
    })  # fmt: skip
    ddp = Record("DDPConfig", {"grad_sync_mode": "batch", "find_unused_params": False})
    each = schedule.global_batch // layout.gpus
    return Record("TrainConfig", {
        "run_name": job.run_name, "seed": job.seed, "epoch": None, "dry_run": False,
        "model": _model(job), "optimizer": _optimizer(job), "scheduler": _scheduler(job),
        "data": _data(job, paths, drops=True), "restore_dataloader": True,
        "fast_forward_batches": None, "evaluators": [evaluator],
        "eval_interval": schedule.validate_every,
        "tokenizer": Record("TokenizerConfig", {
            "identifier": f"tokenizers/{job.model.name}.json", "truncate_direction": "right",
        }),
        "save_folder": f"{CHECKPOINTS}/{job.run_name}", "remote_save_folder": None,
        "canceled_check_interval": 50, "save_interval": schedule.save_every,
        "save_interval_unsharded": None if sharded else schedule.save_every,
        "save_interval_ephemeral": None, "save_num_checkpoints_to_keep": kept if sharded else 0,
        "save_num_unsharded_checkpoints_to_keep": kept, "save_overwrite": True,
        "force_save_unsharded": False, "no_pre_train_checkpoint": False,
        "load_path": f"models/{job.model.name}" if job.recipe.released else None,
        "load_path_sharded_checkpointer": None, "try_load_latest_save": True,
        "reset_optimizer_state": False, "reset_trainer_state": job.recipe.released,
        "sharded_checkpointer": "torch_legacy", "new_style_checkpoints": None,
        "max_duration": whole_run(schedule), "global_train_batch_size": schedule.global_batch,
        "device_train_batch_size": each, "device_train_microbatch_size": layout.micro_batch,
        "device_eval_batch_size": layout.micro_batch,
        "eval_subset_num_batches": schedule.validation_batches, "eval_on_load": False,
        "device_train_grad_accum": each // layout.micro_batch, "max_grad_norm": 1.0,
        "max_grad_norm_ratio": None, "precision": "amp_bf16", "wandb": None,
        "speed_monitor": Record("SpeedMonitorConfig", {
            "window_size": schedule.log_every, "gpu_flops_available": None,
        }),
        "console_log_interval": schedule.log_every, "gen1_gc_interval": 1,
        "compile": compiler if layout.engine.compiled else None,
        "distributed_strategy": strategy(job), "fsdp": fsdp if sharded else None,
        "ddp": None if sharded else ddp, "softmax_auxiliary_loss": False,
        "auxiliary_loss_multiplier": 0.0001, "time_limit": None, "extra_steps_after_cancel": 10,
        "early_stopping_factor": None, "save_data_indices": True, "python_profiling": False,
        "torch_profiling": False, "stop_at": schedule.steps, "stop_after": None,
        "activation_checkpointing": _RECOMPUTE[layout.recompute],
        "fused_loss": layout.engine.fused_loss or None, "hf_datasets_cache_dir": None,
        "module_outputs_save_steps": None,
    })  # fmt: skip
