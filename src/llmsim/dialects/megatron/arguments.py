"""Megatron's arguments, as it prints them before anything else: every one that matters to a GPT.

Names and defaults: megatron/training/arguments.py of core 0.12. What a job sets is in `of`.
"""

from collections.abc import Iterator

from llmsim import machine
from llmsim.job import Job
from llmsim.physics import schedule
from llmsim.physics.ramp import consumed

WIDTH = 48  # a name and its dots

DATA, SAVED = "/workspace/data", "/workspace/checkpoints"

_FALSE = """
add_bias_linear add_qkv_bias adlr_autoresume
align_param_gather apply_layernorm_1p apply_query_key_layer_scaling
apply_residual_connection_post_layernorm attention_softmax_in_fp32 auto_detect_ckpt_format
calculate_per_token_loss check_for_large_grads check_for_spiky_loss
ckpt_assume_constant_structure ckpt_fully_parallel_load cross_entropy_loss_fusion
data_parallel_random_init ddp_average_in_collective ddp_pad_buckets_for_high_nccl_busbw
decrease_batch_size_if_needed defer_embedding_wgrad_compute deterministic_mode
disable_straggler_on_startup distribute_saved_activations enable_cuda_graph enable_ft_package
enable_one_logger eod_mask_loss exit_on_missing_checkpoint exit_signal_handler
first_last_layers_bf16
flash_decode fp16 fp16_lm_cross_entropy fp32_residual_connection fp8_param_gather
grad_reduce_in_bf16 inference_dynamic_batching init_method_xavier_uniform
init_model_with_meta_device is_hybrid_model log_memory_to_tensorboard log_num_zeros_in_grad
log_params_norm log_progress log_straggler log_timers_to_tensorboard
log_validation_ppl_to_tensorboard log_world_size_to_tensorboard manual_gc mock_data
moe_enable_deepep moe_layer_recompute moe_pad_expert_input_to_capacity moe_per_layer_logging
moe_permute_fusion moe_router_pre_softmax moe_shared_expert_overlap moe_use_upcycling
multi_latent_attention no_persist_layer_norm one_logger_async openai_gelu
optimizer_cpu_offload overlap_grad_reduce overlap_p2p_comm overlap_param_gather
overlap_param_gather_with_optimizer_step override_opt_param_scheduler profile qk_layernorm
record_memory_history reset_attention_mask reset_position_ids rotary_interleaved skip_train
squared_relu te_rng_tracker tp_comm_overlap use_checkpoint_args
use_checkpoint_opt_param_scheduler use_legacy_models use_persistent_ckpt_worker
use_precision_aware_optimizer use_pytorch_profiler use_ring_exchange_p2p use_rope_scaling
use_torch_fsdp2 use_tp_pp_dp_mapping variable_seq_lengths
"""

_TRUE = """
accumulate_allreduce_grads_in_fp32 align_grad_reduce
async_tensor_model_parallel_allreduce barrier_with_L1_time bf16
bias_dropout_fusion bias_gelu_fusion bias_swiglu_fusion check_for_nan_in_loss_and_grad
ckpt_fully_parallel_save create_attention_mask_in_dataloader data_sharding
enable_gloo_process_groups fp8_wgrad gradient_accumulation_fusion
gradient_reduce_div_fusion log_loss_scale_to_tensorboard log_throughput manual_gc_eval
masked_softmax_fusion mmap_bin_files perform_initialization pin_cpu_grads pin_cpu_params
scatter_gather_tensors_in_pipeline swiglu tp_comm_bulk_dgrad tp_comm_bulk_wgrad
tp_comm_overlap_ag tp_comm_overlap_rs tp_comm_split_ag tp_comm_split_rs use_dist_ckpt
use_rotary_position_embeddings
"""

_NONE = """
check_weight_hash_across_dp_replicas_interval ckpt_convert_format ckpt_convert_save ckpt_step
data_args_path data_cache_path ddp_bucket_size ddp_num_buckets decoupled_lr decoupled_min_lr
exit_duration_in_mins exit_interval fp8 hierarchical_context_parallel_sizes hybrid_override_pattern
logging_level loss_scale lr_decay_iters lr_decay_samples lr_warmup_fraction lr_wsd_decay_samples
merge_file moe_expert_capacity_factor moe_input_jitter_eps moe_router_dtype moe_z_loss_coeff
nccl_communicator_config_path no_load_optim no_load_rng no_save_optim no_save_rng
non_persistent_ckpt_type non_persistent_save_interval num_layers_per_virtual_pipeline_stage
num_virtual_stages_per_pipeline_rank per_split_data_args_path
pipeline_model_parallel_comm_backend pretrained_checkpoint rampup_batch_size recompute_modules
rope_scaling_factor rotary_seq_len_interpolation_factor spec tensorboard_dir test_data_path
tp_comm_overlap_cfg train_data_path train_samples train_sync_interval
use_cpu_initialization valid_data_path virtual_pipeline_model_parallel_size vocab_file yaml_cfg
"""

_OTHERS: dict[str, object] = {
    "adam_beta1": 0.9,
    "adam_beta2": 0.95,
    "adam_eps": 1e-08,
    "adlr_autoresume_interval": 1000,
    "attention_backend": "AttnBackend.auto",
    "attention_dropout": 0.0,
    "ckpt_format": "torch_dist",
    "clip_grad": 1.0,
    "consumed_train_samples": 0,
    "consumed_valid_samples": 0,
    "context_parallel_size": 1,
    "cp_comm_type": ["p2p"],
    "cross_entropy_fusion_impl": "native",
    "dataloader_type": "single",
    "dist_ckpt_strictness": "assume_ok_unexpected",
    "distributed_backend": "nccl",
    "distributed_timeout_minutes": 10,
    "empty_unused_memory_level": 0,
    "error_injection_rate": 0,
    "expert_model_parallel_size": 1,
    "fp8_amax_history_len": 1,
    "fp8_recipe": "delayed",
    "hidden_dropout": 0.0,
    "hysteresis": 2,
    "init_method_std": 0.02,
    "initial_loss_scale": 4294967296,
    "local_rank": 0,
    "loss_scale_window": 1000,
    "lr_warmup_init": 0.0,
    "lr_warmup_samples": 0,
    "make_vocab_size_divisible_by": 1,
    "manual_gc_interval": 0,
    "min_loss_scale": 1.0,
    "moe_aux_loss_coeff": 0.0,
    "moe_layer_freq": 1,
    "moe_router_load_balancing_type": "none",
    "moe_router_score_function": "softmax",
    "moe_token_dispatcher_type": "allgather",
    "norm_epsilon": 1e-05,
    "normalization": "RMSNorm",
    "num_dataset_builder_threads": 1,
    "num_distributed_optimizer_instances": 1,
    "num_workers": 2,
    "one_logger_project": "megatron-lm",
    "optimizer": "adam",
    "params_dtype": "torch.bfloat16",
    "position_embedding_type": "rope",
    "rank": 0,
    "rerun_mode": "disabled",
    "rotary_percent": 1.0,
    "sgd_momentum": 0.9,
    "start_weight_decay": 0.1,
    "end_weight_decay": 0.1,
    "split": "949,50,1",
    "straggler_ctrlr_port": 65535,
    "tensorboard_log_interval": 1,
    "tensorboard_queue_size": 1000,
    "timing_log_level": 0,
    "timing_log_option": "minmax",
    "tokenizer_type": "HuggingFaceTokenizer",
    "transformer_impl": "transformer_engine",
    "vocab_extra_ids": 0,
    "weight_decay": 0.1,
    "weight_decay_incr_style": "constant",
}

_DECAYS = {"cosine": "cosine", "linear": "linear", "wsd": "WSD"}


def distributed_optimizer(job: Job) -> bool:
    """Whether the optimizer's states are."""
    return job.layout.sharding != "ddp" and job.layout.data > 1


def data_path(job: Job) -> str:
    """The prefix of the tokenized data's two files."""
    return f"{DATA}/{job.dataset.name}_text_document"


def checkpoint_path(job: Job) -> str:
    """Where checkpoints go."""
    return f"{SAVED}/{job.run_name}"


def ramp(job: Job) -> tuple[int, int, int]:
    """--rampup-batch-size: the first batch, what it grows by, over how many samples."""
    first, second, *_ = job.schedule.ramp
    return first.batch, second.batch - first.batch, job.schedule.ramp[-1].before


def _lengths(job: Job) -> dict[str, object]:
    """How long the run, its warmup and its decay are: by samples where the batch grows."""
    plan = job.schedule
    stable = plan.decay == "wsd"
    if not plan.ramp:
        decaying = round((1 - schedule.STABLE) * (plan.steps - plan.warmup))
        return {
            "lr_warmup_iters": plan.warmup,
            "lr_wsd_decay_iters": decaying if stable else None,
            "train_iters": plan.steps,
        }
    samples, warmup = consumed(plan, plan.steps), plan.warmup * plan.global_batch
    return {
        "lr_warmup_iters": 0,
        "lr_warmup_samples": warmup,
        "lr_wsd_decay_iters": None,
        "lr_wsd_decay_samples": round((1 - schedule.STABLE) * (samples - warmup))
        if stable
        else None,
        "rampup_batch_size": [str(number) for number in ramp(job)],
        "train_iters": None,
        "train_samples": samples,
    }


def of(job: Job) -> dict[str, object]:
    """The arguments that a job sets."""
    shape, layout, plan = job.architecture, job.layout, job.schedule
    full = layout.recompute == "full"
    stable = plan.decay == "wsd"
    experts = shape.experts if shape.experts > 1 else None
    return {
        "async_save": True if job.background_saves else None,
        "data_parallel_sharding_strategy": "no_shard",
        "data_parallel_size": layout.data,
        "data_path": [data_path(job)],
        "encoder_num_layers": shape.layers,
        "encoder_seq_length": plan.sequence,
        "eval_interval": plan.validate_every,
        "eval_iters": plan.validation_batches,
        "ffn_hidden_size": shape.feed_forward,
        "finetune": job.recipe != "pretrain",
        "global_batch_size": plan.global_batch,
        "group_query_attention": shape.kv_heads < shape.heads,
        "hidden_size": shape.width,
        "kv_channels": shape.head_width,
        "load": checkpoint_path(job) if job.recipe == "pretrain" else released(job),
        "log_interval": plan.log_every,
        "lr": plan.peak_lr,
        "lr_decay_style": _DECAYS[plan.decay],
        "lr_wsd_decay_style": "minus_sqrt" if stable else "exponential",
        "max_position_embeddings": plan.sequence,
        "micro_batch_size": layout.micro_batch,
        "min_lr": plan.final_lr,
        "moe_ffn_hidden_size": shape.feed_forward if experts else None,
        "moe_grouped_gemm": experts is not None,
        "moe_router_topk": shape.active_experts if experts else 2,
        "num_attention_heads": shape.heads,
        "num_experts": experts,
        "num_layers": shape.layers,
        "num_query_groups": shape.kv_heads if shape.kv_heads < shape.heads else 1,
        "pipeline_model_parallel_size": layout.pipeline,
        "recompute_granularity": None if layout.recompute == "none" else layout.recompute,
        "recompute_method": "uniform" if full else None,
        "recompute_num_layers": 1 if full else None,
        "rotary_base": 10_000 if shape.tied else 500_000,
        "save": checkpoint_path(job),
        "save_interval": plan.save_every,
        "seed": job.seed,
        "seq_length": plan.sequence,
        "sequence_parallel": layout.tensor > 1,
        "tensor_model_parallel_size": layout.tensor,
        "tokenizer_model": f"{SAVED}/tokenizer",
        "untie_embeddings_and_output_weights": not shape.tied,
        "use_custom_fsdp": False,
        "use_distributed_optimizer": distributed_optimizer(job),
        "vocab_size": shape.vocabulary,
        "wandb_exp_name": job.run_name,
        "world_size": layout.gpus,
        **_lengths(job),
    }


def released(job: Job) -> str:
    """Where the weights are that the run starts from."""
    return f"/workspace/models/{job.model.name}"


def dump(job: Job) -> Iterator[str]:
    """The lines between the rules, sorted without regard to case (global_vars, _print_args)."""
    values: dict[str, object] = {
        **dict.fromkeys(_FALSE.split(), False),
        **dict.fromkeys(_TRUE.split(), True),
        **dict.fromkeys(_NONE.split()),
        **_OTHERS,
        **of(job),
    }
    lines = [f"  {name} {'.' * (WIDTH - len(name))} {value}" for name, value in values.items()]
    yield "------------------------ arguments ------------------------"
    yield from sorted(lines, key=str.lower)
    yield "-------------------- end of arguments ---------------------"


def optimizer_config(job: Job) -> str:
    """OptimizerConfig as its dataclass prints itself."""
    plan = job.schedule
    return (
        f"OptimizerConfig(optimizer='adam', lr={plan.peak_lr}, min_lr={plan.final_lr}, "
        "decoupled_lr=None, decoupled_min_lr=None, weight_decay=0.1, fp16=False, bf16=True, "
        "params_dtype=torch.bfloat16, use_precision_aware_optimizer=False, "
        "main_grads_dtype=torch.float32, main_params_dtype=torch.float32, "
        "exp_avg_dtype=torch.float32, exp_avg_sq_dtype=torch.float32, loss_scale=None, "
        "initial_loss_scale=4294967296, min_loss_scale=1.0, loss_scale_window=1000, "
        "hysteresis=2, adam_beta1=0.9, adam_beta2=0.95, adam_eps=1e-08, sgd_momentum=0.9, "
        f"use_distributed_optimizer={distributed_optimizer(job)}, "
        "overlap_param_gather_with_optimizer_step=False, optimizer_cpu_offload=False, "
        "optimizer_offload_fraction=1.0, use_torch_optimizer_for_cpu_offload=False, "
        "overlap_cpu_optimizer_d2h_h2d=False, pin_cpu_grads=True, pin_cpu_params=True, "
        "clip_grad=1.0, log_num_zeros_in_grad=False, barrier_with_L1_time=True, "
        f"timers=<megatron.core.timers.Timers object at {machine.pointer(job, 'timers')}>, "
        "config_logger_dir='')"
    )


def ddp_config(job: Job) -> str:
    """DistributedDataParallelConfig likewise."""
    return (
        "DistributedDataParallelConfig(grad_reduce_in_fp32=True, overlap_grad_reduce=False, "
        "overlap_param_gather=False, align_param_gather=False, "
        f"use_distributed_optimizer={distributed_optimizer(job)}, "
        "num_distributed_optimizer_instances=1, check_for_nan_in_grad=True, "
        "check_for_large_grads=False, bucket_size=None, pad_buckets_for_high_nccl_busbw=False, "
        "average_in_collective=False, fp8_param_gather=False, use_custom_fsdp=False, "
        "data_parallel_sharding_strategy='no_shard', gradient_reduce_div_fusion=True, "
        "suggested_communication_unit_size=None, preserve_fp32_weights=True, "
        "keep_fp8_transpose_cache_when_using_custom_fsdp=False)"
    )
