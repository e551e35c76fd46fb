"""TrainingArguments as run_clm.py prints them: all 114 fields of transformers 5.23.0, sorted, or
all 131 that 4.57.1 shows.

A field that nobody sets has the default of its dataclass, or what __post_init__ makes of it.
"""

from collections.abc import Iterator

from llmsim.dialects.parts.transformers.releases import is_fourth
from llmsim.dialects.parts.transformers.values import epochs
from llmsim.job.layout import shards_weights
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job
from llmsim.physics.learning.learning_rate import STABLE
from llmsim.run.cluster import hostname
from llmsim.text import units

_NONE = """
activation_checkpointing_kwargs data_seed dataloader_multiprocessing_context
dataloader_prefetch_factor ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb
ddp_find_unused_parameters ddp_static_graph deepspeed eval_accumulation_steps fsdp fsdp_config
gradient_checkpointing_kwargs greater_is_better hub_model_id hub_private_repo hub_revision
label_names liger_kernel_config lr_scheduler_kwargs metric_for_best_model neftune_noise_alpha
optim_args optim_target_modules parallelism_config resume_from_checkpoint run_name tf32
torch_compile_backend torch_compile_mode torch_empty_cache_steps trackio_bucket_id
trackio_space_id trackio_static_space_id
"""
_FALSE = """
auto_find_batch_size batch_eval_metrics bf16_full_eval dataloader_drop_last
dataloader_persistent_workers disable_tqdm do_predict enable_jit_checkpoint eval_on_start
eval_use_gather_object fp16 fp16_full_eval full_determinism hub_always_push ignore_data_skip
load_best_model_at_end prediction_loss_only push_to_hub restore_callback_states_from_checkpoint
save_on_each_node save_only_model torch_compile use_cache use_cpu use_liger_kernel
"""
_TRUE = """
average_tokens_across_devices bf16 dataloader_in_order dataloader_pin_memory do_eval do_train
eval_do_concat_batches log_on_each_node logging_first_step logging_nan_inf_filter
remove_unused_columns skip_memory_metrics
"""
_EMPTY = "debug include_for_metrics"
_ACCELERATOR = {
    "split_batches": False,
    "dispatch_batches": None,
    "even_batches": True,
    "use_seedable_sampler": True,
    "non_blocking": False,
    "gradient_accumulation_kwargs": None,
    "use_configured_state": False,
}
_SHARDED = {
    "min_num_params": 0,
    "xla": False,
    "xla_fsdp_v2": False,
    "xla_fsdp_grad_ckpt": False,
}
_OTHERS: dict[str, object] = {
    "accelerator_config": _ACCELERATOR,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-08,
    "dataloader_num_workers": 0,
    "ddp_timeout": 1800,
    "eval_delay": 0,
    "hub_token": "<HUB_TOKEN>",
    "include_num_input_tokens_seen": "no",
    "label_smoothing_factor": 0.0,
    "length_column_name": "length",
    "local_rank": -1,
    "log_level": "passive",
    "log_level_replica": "warning",
    "max_grad_norm": 1.0,
    "max_steps": -1,
    "num_train_epochs": 3.0,
    "project": "huggingface",
    "report_to": ["wandb"],
    "save_total_limit": 2,
    "train_sampling_strategy": "random",
    "weight_decay": 0.1,
}
# Enumerations, by their class and the name of the value.
_ENUMERATIONS = {
    "eval_strategy": "IntervalStrategy.STEPS",
    "hub_strategy": "HubStrategy.EVERY_SAVE",
    "logging_strategy": "IntervalStrategy.STEPS",
    "save_strategy": "SaveStrategy.STEPS",
}
# The fields of version 4 (4.57.1, training_args.py:216) that version 5 has not, or sets otherwise.
_FOURTH_FALSE = """
adafactor group_by_length include_inputs_for_metrics include_tokens_per_second jit_mode_eval
no_cuda overwrite_output_dir tpu_metrics_debug use_legacy_prediction_loop use_mps_device
"""
_FOURTH_NONE = """
fsdp_transformer_layer_cls_to_wrap push_to_hub_model_id push_to_hub_organization torchdynamo
tpu_num_cores
"""
_FOURTH: dict[str, object] = {
    **dict.fromkeys(_FOURTH_FALSE.split(), False),
    **dict.fromkeys(_FOURTH_NONE.split()),
    "_n_gpu": 1,
    "fp16_backend": "auto",
    "fp16_opt_level": "O1",
    "fsdp": [],
    "fsdp_config": _SHARDED,
    "fsdp_min_num_params": 0,
    "half_precision_backend": "auto",
    "local_rank": 0,
    "mp_parameters": "",
    "past_index": -1,
    "push_to_hub_token": "<PUSH_TO_HUB_TOKEN>",
    "ray_scope": "last",
    "save_safetensors": True,
    "trackio_space_id": "trackio",
    "warmup_ratio": 0.0,
}
_FIFTH = """
activation_checkpointing activation_checkpointing_kwargs dataloader_in_order
dataloader_multiprocessing_context ddp_static_graph enable_jit_checkpoint trackio_bucket_id
trackio_static_space_id train_sampling_strategy use_cache
"""
_SCHEDULERS = {
    ("cosine", True): "SchedulerType.COSINE_WITH_MIN_LR",
    ("cosine", False): "SchedulerType.COSINE",
    ("linear", False): "SchedulerType.LINEAR",
    ("wsd", True): "SchedulerType.WARMUP_STABLE_DECAY",
    ("wsd", False): "SchedulerType.WARMUP_STABLE_DECAY",
}


def printed(job: Job, at: float) -> Iterator[str]:
    """TrainingArguments.__str__ at a moment: a line a field, from the class to the bracket."""
    yield "TrainingArguments("
    for name, value in sorted(fields(job, at).items()):
        yield f"{name}={value},"
    yield ")"


def fields(job: Job, at: float = 0.0) -> dict[str, object]:
    """All fields with their values; an enumeration prints its value before Python 3.11."""
    shared: dict[str, object] = dict.fromkeys(_NONE.split())
    shared |= dict.fromkeys(_FALSE.split(), False) | dict.fromkeys(_TRUE.split(), True)
    shared |= dict.fromkeys(_EMPTY.split(), "[]") | _OTHERS
    told = shared | _set(job)
    if is_fourth(job):
        told |= _FOURTH | _set_in_fourth(job, told, at)
        for name in _FIFTH.split():
            del told[name]
    fused = not job.software.torch.startswith(("2.6.", "2.7."))  # the default from torch 2.8 on
    enumerations = _ENUMERATIONS | {
        "lr_scheduler_type": _scheduler(job),
        "optim": f"OptimizerNames.ADAMW_TORCH{'_FUSED' * fused}",
    }
    if job.software.python.startswith("3.10."):
        told |= {name: text.partition(".")[2].lower() for name, text in enumerations.items()}
        return told
    return told | enumerations


def _scheduler(job: Job) -> str:
    schedule = job.schedule
    return _SCHEDULERS.get((schedule.decay, schedule.final_lr > 0), "SchedulerType.LINEAR")


def _set(job: Job) -> dict[str, object]:
    """The fields that the command sets."""
    schedule, layout = job.schedule, job.layout
    recomputes = layout.recompute != "none"
    told: dict[str, object] = {
        "activation_checkpointing": recomputes,
        "gradient_checkpointing": recomputes,
        "eval_steps": schedule.validate_every,
        "gradient_accumulation_steps": layout.accumulation,
        "learning_rate": schedule.peak_lr,
        "logging_steps": schedule.log_every,
        "output_dir": f"checkpoints/{job.run_name}",
        "per_device_eval_batch_size": layout.micro_batch,
        "per_device_train_batch_size": layout.micro_batch,
        "save_steps": schedule.save_every,
        **({} if schedule.saves else {"save_strategy": "SaveStrategy.NO"}),
        "seed": job.seed,
        "warmup_steps": float(schedule.warmup),
    }
    if found := steps_found(job):
        told["resume_from_checkpoint"] = f"checkpoints/{job.run_name}/checkpoint-{found}"
    if job.dataset.rows:
        told["max_steps"] = schedule.steps
    else:
        told["num_train_epochs"] = float(epochs(job))
    if shards_weights(layout):
        told |= {"fsdp": True, "fsdp_config": _SHARDED}
    if schedule.decay == "wsd":
        told["lr_scheduler_kwargs"] = {
            "num_decay_steps": round((1 - STABLE) * (schedule.steps - schedule.warmup)),
            "decay_type": "1-sqrt",
            "min_lr_ratio": schedule.final_lr / schedule.peak_lr,
        }
    elif schedule.final_lr:
        told["lr_scheduler_kwargs"] = {"min_lr": schedule.final_lr}
    return told


def _set_in_fourth(job: Job, told: dict[str, object], at: float) -> dict[str, object]:
    """The fields that version 4 sets otherwise: its folder for TensorBoard has a stamp."""
    stamp = f"{units.stamp(job.start, at):%b%d_%H-%M-%S}_{hostname(job, 0)}"
    made: dict[str, object] = {
        "logging_dir": f"checkpoints/{job.run_name}/runs/{stamp}",
        "lr_scheduler_kwargs": told["lr_scheduler_kwargs"] or {},
        "warmup_steps": job.schedule.warmup,
    }
    if shards_weights(job.layout):
        made["fsdp"] = (
            "[<FSDPOption.FULL_SHARD: 'full_shard'>, <FSDPOption.AUTO_WRAP: 'auto_wrap'>]"
        )
    return made
