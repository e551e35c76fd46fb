"""The configurations of optimizer and wrapper, as their dataclasses print themselves.

core/optimizer/optimizer_config.py and core/distributed/distributed_data_parallel_config.py of
core 0.12.0 and 0.8.0.
"""

from llmsim.dialects.megatron.arguments import distributed_optimizer, weights_type
from llmsim.job.records import Job, is_older
from llmsim.run import cluster


def optimizer_config(job: Job) -> str:
    """OptimizerConfig as its dataclass prints itself."""
    schedule = job.schedule
    if is_older(job):
        return _older_optimizer_config(job)
    return (
        f"OptimizerConfig(optimizer='adam', lr={schedule.peak_lr}, min_lr={schedule.final_lr}, "
        "decoupled_lr=None, decoupled_min_lr=None, weight_decay=0.1, "
        f"{_precision(job)}, use_precision_aware_optimizer=False, "
        "main_grads_dtype=torch.float32, main_params_dtype=torch.float32, "
        "exp_avg_dtype=torch.float32, exp_avg_sq_dtype=torch.float32, loss_scale=None, "
        "initial_loss_scale=4294967296, min_loss_scale=1.0, loss_scale_window=1000, "
        "hysteresis=2, adam_beta1=0.9, adam_beta2=0.95, adam_eps=1e-08, sgd_momentum=0.9, "
        f"use_distributed_optimizer={distributed_optimizer(job)}, "
        "overlap_param_gather_with_optimizer_step=False, optimizer_cpu_offload=False, "
        "optimizer_offload_fraction=1.0, use_torch_optimizer_for_cpu_offload=False, "
        "overlap_cpu_optimizer_d2h_h2d=False, pin_cpu_grads=True, pin_cpu_params=True, "
        "clip_grad=1.0, log_num_zeros_in_grad=False, barrier_with_L1_time=True, "
        f"timers=<megatron.core.timers.Timers object at {cluster.pointer(job, 'timers')}>, "
        "config_logger_dir='')"
    )


def _precision(job: Job) -> str:
    scaled = job.layout.precision == "fp16"
    return f"fp16={scaled}, bf16={not scaled}, params_dtype={weights_type(job)}"


def _older_optimizer_config(job: Job) -> str:
    schedule = job.schedule
    return (
        f"OptimizerConfig(optimizer='adam', lr={schedule.peak_lr}, min_lr={schedule.final_lr}, "
        "decoupled_lr=None, decoupled_min_lr=None, weight_decay=0.1, "
        f"{_precision(job)}, loss_scale=None, initial_loss_scale=4294967296, "
        "min_loss_scale=1.0, loss_scale_window=1000, hysteresis=2, adam_beta1=0.9, "
        "adam_beta2=0.95, adam_eps=1e-08, sgd_momentum=0.9, "
        f"use_distributed_optimizer={distributed_optimizer(job)}, overlap_grad_reduce=False, "
        "overlap_param_gather=False, clip_grad=1.0, log_num_zeros_in_grad=False, "
        "barrier_with_L1_time=True, "
        f"timers=<megatron.core.timers.Timers object at {cluster.pointer(job, 'timers')}>)"
    )


def ddp_config(job: Job) -> str:
    """DistributedDataParallelConfig as its dataclass prints itself."""
    checks = job.layout.precision != "fp16"
    if is_older(job):
        return (
            "DistributedDataParallelConfig(grad_reduce_in_fp32=True, overlap_grad_reduce=False, "
            f"use_distributed_optimizer={distributed_optimizer(job)}, "
            f"check_for_nan_in_grad={checks}, bucket_size=None, average_in_collective=False)"
        )
    return (
        "DistributedDataParallelConfig(grad_reduce_in_fp32=True, overlap_grad_reduce=False, "
        "overlap_param_gather=False, align_param_gather=False, "
        f"use_distributed_optimizer={distributed_optimizer(job)}, "
        f"num_distributed_optimizer_instances=1, check_for_nan_in_grad={checks}, "
        "check_for_large_grads=False, bucket_size=None, pad_buckets_for_high_nccl_busbw=False, "
        "average_in_collective=False, fp8_param_gather=False, use_custom_fsdp=False, "
        "data_parallel_sharding_strategy='no_shard', gradient_reduce_div_fusion=True, "
        "suggested_communication_unit_size=None, preserve_fp32_weights=True, "
        "keep_fp8_transpose_cache_when_using_custom_fsdp=False)"
    )
