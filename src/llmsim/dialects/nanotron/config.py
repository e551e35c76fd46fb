"""The configuration that nanotron prints, as it prints it."""

from llmsim.job import milestones
from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate
from llmsim.run import cluster
from llmsim.typed import NamedTuple

STAGE = "Stable Training Stage"
WIDTH = 80  # of pprint's lines

_DECAYS = {"cosine": "cosine", "linear": "linear", "wsd": "1-sqrt"}


class Record(NamedTuple):
    """A dataclass: its name and fields, some of which are records or lists of records."""

    name: str
    fields: dict[str, object]


def _flat(value: object) -> str:
    """What repr gives; a text stands for itself."""
    if isinstance(value, Record):
        inner = ", ".join(f"{name}={_flat(part)}" for name, part in value.fields.items())
        return f"{value.name}({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(_flat, value))}]"
    return str(value)


def pretty(value: object, indent: int = 0, room: int = 0) -> str:
    """A value as pprint shows it: on one line if that fits, or one field a line."""
    flat = _flat(value)
    if len(flat) <= WIDTH - indent - room or not isinstance(value, (Record, list)):
        return flat
    parts: list[str] = []
    if isinstance(value, list):
        for number, item in enumerate(value, 1):
            parts.append(pretty(item, indent + 1, room + 1 if number == len(value) else 1))
        between = ",\n" + " " * (indent + 1)
        return f"[{between.join(parts)}]"
    indent += len(value.name) + 1
    for number, (name, part) in enumerate(value.fields.items(), 1):
        last = number == len(value.fields)
        parts.append(f"{name}={pretty(part, indent + len(name) + 1, room if last else 1)}")
    between = ",\n" + " " * indent
    return f"{value.name}({between.join(parts)})"


# How slices of a tensor share what lies between split matrices: not at all, or in parts.
_SHARING = (
    "<TensorParallelLinearMode.ALL_REDUCE: 1>", "<TensorParallelLinearMode.REDUCE_SCATTER: 2>",
)  # fmt: skip


def data_folder(job: Job) -> str:
    """The folder of the tokenized data, as datatrove writes it."""
    return f"/workspace/data/{job.dataset.name}"


def tokenizer(job: Job) -> str:
    """The folder of the tokenizer."""
    return f"models/{job.model.name}"


def _resumed(job: Job) -> str | None:
    """The folder that a run which goes on loads from: the checkpoints' own, for the latest."""
    return None if milestones.is_fresh(job) else "PosixPath('checkpoints')"


def config(job: Job) -> Record:
    """Config (src/nanotron/config/config.py), most of which a person writes as YAML."""
    layout, schedule = job.layout, job.schedule
    engine = "nanotron.parallel.pipeline_parallel.engine.OneForwardOneBackwardPipelineEngine"
    due = milestones.save_is_due(job, schedule.steps)
    parts: dict[str, object] = {
        "general": Record("GeneralArgs", {
            "project": "'llmsim'", "run": f"'{job.run_name}'", "seed": job.seed, "step": None,
            "consumed_train_samples": None, "benchmark_csv_path": None,
            "ignore_sanity_checks": True,
        }),
        "parallelism": Record("ParallelismArgs", {
            "dp": layout.dp, "pp": layout.pp, "tp": layout.tp,
            "pp_engine": f"<{engine} object at {cluster.pointer(job, 'engine')}>",
            "tp_mode": _SHARING[layout.sequence_parallel],
            "tp_linear_async_communication": layout.tp > 1,
            "recompute_layer": layout.recompute == "full", "tp_recompute_allgather": True,
            "expert_parallel_size": 1, "context_parallel_size": 1,
        }),
        "model": Record("ModelArgs", {
            "model_config": model_config(job), "init_method": _initial(job),
            "dtype": "torch.bfloat16", "make_vocab_size_divisible_by": 1, "ddp_bucket_cap_mb": 25,
        }),
        "tokenizer": Record("TokenizerArgs", {
            "tokenizer_name_or_path": f"'{tokenizer(job)}'", "tokenizer_revision": None,
            "tokenizer_max_length": None,
        }),
        "checkpoints": Record("CheckpointsArgs", {
            "checkpoints_path": "PosixPath('checkpoints')",
            "checkpoint_interval": schedule.save_every, "save_initial_state": False,
            "save_final_state": not due, "resume_checkpoint_path": _resumed(job),
            "load_lr_scheduler": True, "load_optimizer": True,
            "checkpoints_path_is_shared_file_system": True,
        }),
        "logging": Record("LoggingArgs", {
            "log_level": "'info'", "log_level_replica": "'info'",
            "iteration_step_info_interval": schedule.log_every,
        }),
        "metrics_logging": None,
        "tokens": Record("TokensArgs", {
            "sequence_length": schedule.sequence, "train_steps": schedule.steps,
            "micro_batch_size": layout.micro_batch,
            "batch_accumulation_per_replica": layout.accumulation, "val_check_interval": -1,
            "limit_val_batches": 0, "limit_test_batches": 0,
        }),
        "optimizer": _optimizer(job),
        "data_stages": [Record("DatasetStageArgs", {
            "name": f"'{STAGE}'", "start_training_step": 1, "data": _data(job),
            "sequence_length": schedule.sequence,
        })],
        "profiler": None,
        "lighteval": None,
        "s3_upload": None,
    }  # fmt: skip
    return Record("Config", parts)


def _initial(job: Job) -> Record:
    """Where the weights come from."""
    if job.recipe.released:
        return Record("ExistingCheckpointInit", {"path": f"PosixPath('models/{job.model.name}')"})
    scaling = "<InitScalingMethod.NUM_LAYERS: 2>"
    return Record("RandomInit", {"std": 0.02, "scaling_method": scaling})


def _data(job: Job) -> Record:
    small = job.architecture.vocabulary <= 1 << 16
    dataset = Record("NanosetDatasetsArgs", {
        "dataset_folder": [f"'{data_folder(job)}'"], "dataset_weights": [1],
        "dataset_read_path": None, "tokenizer_name": f"'{tokenizer(job)}'",
        "vocab_size": job.architecture.vocabulary, "token_size_in_bytes": 2 if small else 4,
        "return_positions": True, "skip_in_stream": False,
        "pad_samples_to_global_batch_size": False, "dataset_max_tokens": None,
        "shuffle_files": False, "use_old_brrr_dataloader": False,
    })  # fmt: skip
    return Record("DataArgs", {"dataset": dataset, "seed": job.seed, "num_loading_workers": 1})


def _optimizer(job: Job) -> Record:
    schedule = job.schedule
    stable = learning_rate.STABLE if schedule.decay == "wsd" else 0.0  # of what follows the warmup
    begins = schedule.warmup + round(stable * (schedule.steps - schedule.warmup))
    adam = Record("AdamWOptimizerArgs", {
        "adam_eps": 1e-08, "adam_beta1": 0.9, "adam_beta2": 0.95, "torch_adam_is_fused": True,
        "name": "'adamW'",
    })  # fmt: skip
    rates = Record("LRSchedulerArgs", {
        "learning_rate": schedule.peak_lr, "lr_warmup_steps": schedule.warmup,
        "lr_warmup_style": "'linear'", "lr_decay_style": f"'{_DECAYS[schedule.decay]}'",
        "lr_decay_steps": schedule.steps - begins,
        "lr_decay_starting_step": begins if stable else None,
        "min_decay_lr": schedule.final_lr,
    })  # fmt: skip
    return Record("OptimizerArgs", {
        "optimizer_factory": adam, "zero_stage": int(job.layout.sharding != "ddp"),
        "weight_decay": 0.1, "clip_grad": 1.0, "accumulate_grad_in_fp32": True,
        "learning_rate_scheduler": rates, "weight_decay_exclude_named_params": [],
    })  # fmt: skip


def is_qwen(job: Job) -> bool:
    """Whether the model is of nanotron's class with experts, which Llama's has not."""
    return job.architecture.experts > 1


def model_config(job: Job) -> Record:
    """LlamaConfig, or Qwen2Config with experts (src/nanotron/config/models_config.py)."""
    model = job.architecture
    qwen = is_qwen(job)
    theta = 10_000.0 if model.tied else 500_000.0
    first: dict[str, object] = {
        "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "'silu'",
        "hidden_size": model.hidden_size, "initializer_range": 0.02,
        "intermediate_size": model.feed_forward,
        f"is_{'qwen2' if qwen else 'llama'}_config": True,
        "max_position_embeddings": job.schedule.sequence,
        "num_attention_heads": model.heads, "num_hidden_layers": model.layers,
    }  # fmt: skip
    heads: dict[str, object] = {
        "num_key_value_heads": model.kv_heads, "pad_token_id": None, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": theta,
        "rope_interleaved": False,
    }  # fmt: skip
    embeddings: dict[str, object] = {
        "tie_word_embeddings": model.tied,
        "use_cache": True,
        "vocab_size": model.vocabulary,
        "_attn_implementation": "'flash_attention_2'",
    }
    z_loss: dict[str, object] = {"z_loss_enabled": False, "z_loss_coefficient": 0.0001}
    if not qwen:
        fields = {**first, "attention_bias": False, **heads, **embeddings, **z_loss}
        return Record("LlamaConfig", fields)
    mixture = Record("MoEConfig", {
        "num_experts": model.experts, "top_k": model.active_experts,
        "moe_intermediate_size": model.feed_forward,
        "shared_expert_intermediate_size": model.feed_forward,
        "router_aux_loss_coef": 0.01, "layers": [*range(model.layers)],
        "enable_shared_expert": False, "token_dispatcher_type": "'alltoall'",
    })  # fmt: skip
    return Record("Qwen2Config", {
        **first, **heads, "rope_seq_len_interpolation_factor": None, **embeddings,
        "flex_attention_mask": None, "attention_bias": False, "sliding_window_size": None,
        **z_loss, "no_rope_layer": None, "_fused_rotary_emb": True, "_fused_rms_norm": True,
        "_use_qkv_packed": True, "_use_doc_masking": False, "log_attn_probs": True,
        "ring_attn_heads_k_stride": None, "moe_config": mixture,
    })  # fmt: skip
