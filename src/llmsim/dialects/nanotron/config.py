"""The configuration that nanotron prints, as it prints it."""

from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate
from llmsim.run import cluster
from llmsim.typed import NamedTuple

STAGE = "Stable Training Stage"

_DECAYS = {"cosine": "cosine", "linear": "linear", "wsd": "1-sqrt"}


class Record(NamedTuple):
    """A dataclass: its name and fields, some of which are records themselves."""

    name: str
    fields: dict[str, object]


def pretty(record: Record) -> list[str]:
    """A record's lines as pprint shows a dataclass: one field a line, below the first."""
    lines: list[str] = []
    for name, value in record.fields.items():
        first, *more = pretty(value) if isinstance(value, Record) else [str(value)]
        lines += [f"{name}={first}", *(" " * (len(name) + 1) + line for line in more)]
        lines[-1] += ","
    lines[-1] = lines[-1][:-1] + (")]" if record.name.startswith("[") else ")")
    indent = " " * (len(record.name) + 1)
    return [f"{record.name}({lines[0]}", *(indent + line for line in lines[1:])]


# How slices of a tensor share what lies between split matrices: not at all, or in parts.
_SHARING = (
    "<TensorParallelLinearMode.ALL_REDUCE: 1>", "<TensorParallelLinearMode.REDUCE_SCATTER: 2>",
)  # fmt: skip


def config(job: Job) -> Record:
    """Config (src/nanotron/config/config.py), most of which a person writes as YAML."""
    layout, schedule = job.layout, job.schedule
    engine = "nanotron.parallel.pipeline_parallel.engine.OneForwardOneBackwardPipelineEngine"
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
            "context_parallel_size": layout.cp, "expert_parallel_size": layout.ep,
        }),
        "model": Record("ModelArgs", {
            "model_config": model_config(job), "init_method": "RandomInit(std=0.02)",
            "dtype": "torch.bfloat16", "make_vocab_size_divisible_by": 1, "ddp_bucket_cap_mb": 25,
        }),
        "tokenizer": Record("TokenizerArgs", {
            "tokenizer_name_or_path": f"'models/{job.model.name}'", "tokenizer_revision": None,
            "tokenizer_max_length": None,
        }),
        "checkpoints": Record("CheckpointsArgs", {
            "checkpoints_path": "PosixPath('checkpoints')",
            "checkpoint_interval": schedule.save_every, "save_initial_state": False,
            "save_final_state": True, "resume_checkpoint_path": None,
            "checkpoints_path_is_shared_file_system": True,
        }),
        "logging": Record("LoggingArgs", {
            "log_level": "'info'", "log_level_replica": "'info'",
            "iteration_step_info_interval": schedule.log_every,
        }),
        "tokens": Record("TokensArgs", {
            "sequence_length": schedule.sequence, "train_steps": schedule.steps,
            "micro_batch_size": layout.micro_batch,
            "batch_accumulation_per_replica": layout.accumulation, "val_check_interval": -1,
            "limit_val_batches": 0, "limit_test_batches": 0,
        }),
        "optimizer": _optimizer(job),
        "data_stages": Record("[DatasetStageArgs", {
            "name": f"'{STAGE}'", "start_training_step": 1,
            "data": f"DataArgs(dataset='{job.dataset.name}', seed={job.seed})",
        }),
        "profiler": None,
        "lighteval": None,
    }  # fmt: skip
    return Record("Config", parts)


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
        "learning_rate_scheduler": rates,
    })  # fmt: skip


def model_config(job: Job) -> Record:
    """LlamaConfig (src/nanotron/config/models_config.py)."""
    model = job.architecture
    experts: dict[str, object] = (
        {
            "moe_num_experts": model.experts,
            "num_experts_per_tok": model.active_experts,
        }
        if model.experts > 1
        else {}
    )
    return Record("LlamaConfig", {
        "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "'silu'",
        "hidden_size": model.hidden_size,
        "initializer_range": 0.02, "intermediate_size": model.feed_forward,
        "is_llama_config": True, "max_position_embeddings": job.schedule.sequence, **experts,
        "num_attention_heads": model.heads, "num_hidden_layers": model.layers,
        "num_key_value_heads": model.kv_heads, "pad_token_id": None, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0,
        "tie_word_embeddings": model.tied, "use_cache": True, "vocab_size": model.vocabulary,
    })  # fmt: skip
