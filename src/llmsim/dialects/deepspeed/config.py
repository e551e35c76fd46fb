"""The configuration that a job's ds_config.json would hold, and how DeepSpeed prints it."""

from collections.abc import Iterator, Mapping

from llmsim.dialects.deepspeed.log_lines import zero_stage
from llmsim.job.records import Job
from llmsim.run import cluster

WIDTH = 29  # a name and its dots
BUCKET, PREFETCH, PERSISTENT, LIVE, SUB_GROUP = 500_000_000, 30_000_000, 10_000, 30_000_000, 10**9

# The engine's settings that no job changes, with the defaults of 0.16.
_DEFAULTS = """
activation_checkpointing_config  {}
amp_enabled False
amp_params False
checkpoint_parallel_write_pipeline False
checkpoint_tag_validation_enabled True
checkpoint_tag_validation_fail False
communication_data_type None
curriculum_enabled_legacy False
curriculum_params_legacy False
data_efficiency_enabled False
dataloader_drop_last False
disable_allgather False
dump_state False
dynamic_loss_scale_args None
eigenvalue_enabled False
eigenvalue_gas_boundary_resolution 1
eigenvalue_layer_name bert.encoder.layer
eigenvalue_layer_num 0
eigenvalue_max_iter 100
eigenvalue_stability 1e-06
eigenvalue_tol 0.01
eigenvalue_verbose False
elasticity_enabled False
fp16_auto_cast None
fp16_enabled False
fp16_master_weights_and_gradients False
global_rank 0
grad_accum_dtype None
gradient_clipping 1.0
gradient_predivide_factor 1.0
graph_harvesting False
initial_dynamic_scale 1
load_universal_checkpoint False
loss_scale 1.0
memory_breakdown False
mics_hierarchial_params_gather False
mics_shard_size -1
optimizer_legacy_fusion False
optimizer_name None
optimizer_params None
pld_enabled False
pld_params False
prescale_gradients False
scheduler_name None
scheduler_params None
seq_parallel_communication_data_type torch.float32
sparse_attention None
sparse_gradients_enabled False
timers_config enabled=True synchronized=True
use_data_before_expert_parallel_ False
use_node_local_storage False
wall_clock_breakdown False
weight_quantization_config None
zero_allow_untested_optimizer False
zero_force_ds_cpu_optimizer True
"""
_ACTIVATIONS = {
    "partition_activations": False, "contiguous_memory_optimization": False,
    "cpu_checkpointing": False, "number_checkpoints": None,
    "synchronize_checkpoint_boundary": False, "profile": False,
}  # fmt: skip
_AIO = {
    "block_size": 1048576, "queue_depth": 8, "intra_op_parallelism": 1, "single_submit": False,
    "overlap_events": True, "use_gds": False,
}  # fmt: skip
_PIPELINE = {
    "stages": "auto", "partition": "best", "seed_layers": False,
    "activation_checkpoint_interval": 0, "pipe_partitioned": True, "grad_partitioned": True,
}  # fmt: skip
_FLOPS = {
    "enabled": False, "recompute_fwd_factor": 0.0, "profile_step": 1, "module_depth": -1,
    "top_modules": 1, "detailed": True, "output_file": None,
}  # fmt: skip
_NEBULA = {
    "enabled": False, "persistent_storage_path": None, "persistent_time_interval": 100,
    "num_of_version_in_retention": 2, "enable_nebula_load": True, "load_path": None,
}  # fmt: skip
_AUTOTUNING = {
    "enabled": False, "start_step": None, "end_step": None, "metric_path": None,
    "arg_mappings": None, "metric": "throughput", "model_info": None,
    "results_dir": "autotuning_results", "exps_dir": "autotuning_exps", "overwrite": True,
    "fast": True, "start_profile_step": 3, "end_profile_step": 5, "tuner_type": "gridsearch",
    "tuner_early_stopping": 5, "tuner_num_trials": 50, "model_info_path": None, "mp_size": 1,
    "max_train_batch_size": None, "min_train_batch_size": 1,
    "max_train_micro_batch_size_per_gpu": 1024, "min_train_micro_batch_size_per_gpu": 1,
    "num_tuning_micro_batch_sizes": 3,
}  # fmt: skip
_TENSOR_PARALLEL = (
    "dtype=torch.float16 autotp_size=0 tensor_parallel=TPConfig(tp_size=1, tp_grain_size=1, "
    "mpu=None, tp_group=None) injection_policy_tuple=None keep_module_on_host=False "
    "replace_with_kernel_inject=False"
)
_MONITOR = (
    "tensorboard=TensorBoardConfig(enabled=False, output_path='', job_name='DeepSpeedJobName') "
    "comet=CometConfig(enabled=False, samples_log_interval=100, project=None, workspace=None, "
    "api_key=None, experiment_name=None, experiment_key=None, online=None, mode=None) "
    "wandb=WandbConfig(enabled=False, group=None, team=None, project='deepspeed') "
    "csv_monitor=CSVConfig(enabled=False, output_path='', job_name='DeepSpeedJobName')"
)
_DATA_EFFICIENCY = {
    "enabled": False,
    "seed": 1234,
    "data_sampling": {
        "enabled": False, "num_epochs": 1000, "num_workers": 0, "pin_memory": False,
        "curriculum_learning": {"enabled": False},
        "dynamic_batching": {
            "enabled": False, "lr_scaling_method": "linear", "min_batch_size": 1,
            "max_batch_size": None, "sequence_picking_order": "dataloader", "verbose": False,
        },
    },
    "data_routing": {
        "enabled": False,
        "random_ltd": {"enabled": False, "layer_token_lr_schedule": {"enabled": False}},
    },
}  # fmt: skip


def _pruned(method: str) -> dict[str, object]:
    shared = {"enabled": False, "method": method, "schedule_offset": 1000}
    return {"shared_parameters": shared, "different_groups": {}}


_WEIGHTS = {
    "enabled": False, "quantizer_kernel": False, "schedule_offset": 0, "quantize_groups": 1,
    "quantize_verbose": False, "quantization_type": "symmetric",
    "quantize_weight_in_forward": False, "rounding": "nearest", "fp16_mixed_quantize": False,
    "quantize_change_ratio": 0.001,
}  # fmt: skip
_ACTIVATION = {
    "enabled": False, "quantization_type": "symmetric", "range_calibration": "dynamic",
    "schedule_offset": 1000,
}  # fmt: skip
_COMPRESSION = {
    "weight_quantization": {"shared_parameters": _WEIGHTS, "different_groups": {}},
    "activation_quantization": {"shared_parameters": _ACTIVATION, "different_groups": {}},
    "sparse_pruning": _pruned("l1"),
    "row_pruning": _pruned("l1"),
    "head_pruning": _pruned("topk"),
    "channel_pruning": _pruned("l1"),
    "layer_reduction": {"enabled": False},
}
_HYBRID = (
    "enabled=False max_out_tokens=512 inference_tp_size=1 release_inference_cache=False "
    "pin_parameters=True tp_gather_partition_size=8"
)


def user_config(job: Job) -> dict[str, object]:
    """The content of the job's ds_config.json."""
    schedule, layout, stage = job.schedule, job.layout, zero_stage(job)
    zero: dict[str, object] = {"stage": stage}
    if stage:
        overlaps = layout.pp == 1  # a pipeline does not support it
        zero |= {"overlap_comm": True} if overlaps else {}
        zero |= {"contiguous_gradients": True, "reduce_bucket_size": BUCKET}
    if stage in (1, 2):
        zero["allgather_bucket_size"] = BUCKET
    if stage == 3:
        zero |= {
            "stage3_prefetch_bucket_size": PREFETCH,
            "stage3_param_persistence_threshold": PERSISTENT,
            "stage3_max_live_parameters": LIVE,
            "sub_group_size": SUB_GROUP,
        }
    return {
        "train_batch_size": schedule.global_batch,
        "train_micro_batch_size_per_gpu": layout.micro_batch,
        "gradient_accumulation_steps": layout.accumulation,
        "steps_per_print": schedule.log_every,
        "zero_optimization": zero,
        **_precision(job),
        "gradient_clipping": 1.0,
        "prescale_gradients": False,
        "wall_clock_breakdown": False,
    }


# What the documentation's fp16 settings say: www.deepspeed.ai/docs/config-json.
_FP16 = {
    "enabled": True,
    "loss_scale": 0,
    "initial_scale_power": 16,
    "loss_scale_window": 1000,
    "hysteresis": 2,
    "min_loss_scale": 1,
}


def _precision(job: Job) -> dict[str, object]:
    """What the matrices are multiplied in."""
    return {"fp16": _FP16} if job.layout.precision == "fp16" else {"bf16": {"enabled": True}}


def _scaling(job: Job) -> dict[str, str]:
    """The settings of fp16 and of bf16 (runtime/config.py:160 to 241)."""
    if job.layout.precision != "fp16":
        return {"bfloat16_enabled": "True"}
    scaler = {
        "init_scale": 2**16, "scale_window": 1000, "delayed_shift": 2,
        "consecutive_hysteresis": False, "min_scale": 1,
    }  # fmt: skip
    return {
        "bfloat16_enabled": "False",
        "dynamic_loss_scale_args": str(scaler),
        "fp16_auto_cast": "False",
        "fp16_enabled": "True",
        "initial_dynamic_scale": str(2**16),
        "loss_scale": "0",
    }


def json(value: object, level: int = 0) -> str:
    """JSON as config_utils.ScientificNotationEncoder writes it: numbers above 1000 in %e."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:e}" if value > 1e3 else f"{value}"
    if isinstance(value, Mapping):
        inner = "    " * (level + 1)
        items = [f'\n{inner}"{key}": {json(each, level + 1)}' for key, each in value.items()]
        return "{" + ", ".join(items) + "\n" + "    " * level + "}"
    return f'"{value}"'


def settings(job: Job) -> Iterator[tuple[str, str]]:
    """The engine's settings by name, sorted."""
    values = dict(line.split(" ", 1) for line in _DEFAULTS.strip().splitlines())
    schedule, layout, stage = job.schedule, job.layout, zero_stage(job)
    config = "deepspeed.comm.config.DeepSpeedCommsConfig"
    values |= {
        "activation_checkpointing_config": json(_ACTIVATIONS),
        "aio_config": str(_AIO),
        "autotuning_config": json(_AUTOTUNING),
        "compression_config": str(_COMPRESSION),
        "data_efficiency_config": str(_DATA_EFFICIENCY),
        "flops_profiler_config": json(_FLOPS),
        "monitor_config": _MONITOR,
        "nebula_config": json(_NEBULA),
        "tensor_parallel_config": _TENSOR_PARALLEL,
        **_scaling(job),
        "bfloat16_immediate_grad_update": "False",
        "comms_config": f"<{config} object at {cluster.pointer(job, 'comms config')}>",
        "gradient_accumulation_steps": str(layout.accumulation),
        "hybrid_engine": _HYBRID,
        "pipeline": str(_PIPELINE),
        "steps_per_print": str(schedule.log_every),
        "train_batch_size": str(schedule.global_batch),
        "train_micro_batch_size_per_gpu": str(layout.micro_batch),
        "world_size": str(layout.dp),
        "zero_config": _zero_config(stage, stage > 0 and layout.pp == 1),
        "zero_enabled": str(stage > 0),
        "zero_optimization_stage": str(stage),
    }
    yield from sorted(values.items())


def _zero_config(stage: int, overlaps: bool) -> str:
    """The settings of ZeRO as pydantic shows them."""
    third = stage == 3
    return (
        f"stage={stage} contiguous_gradients=True reduce_scatter=True "
        f"reduce_bucket_size={BUCKET} use_multi_rank_bucket_allreduce=True "
        f"allgather_partitions=True allgather_bucket_size={BUCKET} "
        f"overlap_comm={overlaps} load_from_fp32_weights=True elastic_checkpoint=False "
        f"offload_param=None offload_optimizer=None sub_group_size={SUB_GROUP} "
        "cpu_offload_param=None cpu_offload_use_pin_memory=None cpu_offload=None "
        f"prefetch_bucket_size={PREFETCH if third else 50_000_000} "
        f"param_persistence_threshold={PERSISTENT if third else 100_000} "
        "model_persistence_threshold=9223372036854775807 "
        f"max_live_parameters={LIVE if third else 10**9} max_reuse_distance=1000000000 "
        "gather_16bit_weights_on_model_save=False module_granularity_threshold=0 "
        "use_all_reduce_for_fetch_params=False "
        "stage3_gather_fp16_weights_on_model_save=False ignore_unused_parameters=True "
        "legacy_stage1=False round_robin_gradients=False zero_hpz_partition_size=1 "
        "zero_quantized_weights=False zero_quantized_nontrainable_weights=False "
        "zero_quantized_gradients=False zeropp_loco_param=None mics_shard_size=-1 "
        "mics_hierarchical_params_gather=False memory_efficient_linear=True "
        "pipeline_loading_checkpoint=False override_module_apply=True "
        "log_trace_cache_warnings=False"
    )


def setting(name: str, value: str) -> str:
    """A setting with its dots, as DeepSpeedConfig.print shows it."""
    return f"  {name} {'.' * (WIDTH - len(name))} {value}"
