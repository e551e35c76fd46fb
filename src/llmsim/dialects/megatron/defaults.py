"""Megatron's arguments with their default values, and what scripts for GPTs usually set.

Names and defaults: megatron/training/arguments.py of core 0.12.0, its 455 arguments but the five
that validate_args deletes, and the eleven that it adds.
"""

FALSE = """
account_for_embedding_in_pipeline_split account_for_loss_in_pipeline_split
accumulate_allreduce_grads_in_fp32 add_qkv_bias adlr_autoresume apply_layernorm_1p
apply_query_key_layer_scaling apply_residual_connection_post_layernorm attention_softmax_in_fp32
auto_detect_ckpt_format bf16 biencoder_shared_query_context_model calc_ft_timeouts
calculate_per_token_loss check_for_large_grads check_for_spiky_loss ckpt_assume_constant_structure
ckpt_convert_update_legacy_dist_opt_format ckpt_fully_parallel_load
ckpt_fully_parallel_save_deprecated cross_entropy_loss_fusion data_parallel_random_init
ddp_average_in_collective ddp_pad_buckets_for_high_nccl_busbw decrease_batch_size_if_needed
defer_embedding_wgrad_compute deprecated_use_mcore_models deterministic_mode dino_norm_last_layer
disable_bf16_reduced_precision_matmul disable_straggler_on_startup distribute_saved_activations
enable_cuda_graph enable_ft_package eod_mask_loss exit_on_missing_checkpoint exit_signal_handler
external_cuda_graph finetune first_last_layers_bf16 flash_decode fp16 fp16_lm_cross_entropy
fp32_residual_connection fp8_param_gather grad_reduce_in_bf16 group_query_attention
inference_dynamic_batching inference_rng_tracker init_method_xavier_uniform
init_model_with_meta_device is_hybrid_model keep_fp8_transpose_cache_when_using_custom_fsdp
log_memory_to_tensorboard log_num_zeros_in_grad log_params_norm log_progress log_straggler
log_throughput log_timers_to_tensorboard log_validation_ppl_to_tensorboard
log_world_size_to_tensorboard manual_gc mock_data moe_enable_deepep moe_extended_tp
moe_grouped_gemm moe_layer_recompute moe_pad_expert_input_to_capacity moe_per_layer_logging
moe_permute_fusion moe_router_enable_expert_bias moe_router_pre_softmax moe_shared_expert_overlap
moe_use_legacy_grouped_gemm moe_use_upcycling multi_latent_attention no_persist_layer_norm
one_logger_async openai_gelu optimizer_cpu_offload output_bert_embeddings
overlap_cpu_optimizer_d2h_h2d overlap_grad_reduce overlap_p2p_comm_warmup_flush
overlap_param_gather overlap_param_gather_with_optimizer_step override_opt_param_scheduler profile
qk_layernorm record_memory_history replication reset_attention_mask reset_position_ids
retriever_score_scaling retro_add_retriever rotary_interleaved run_workload_inspector_server
sequence_parallel skip_train squared_relu swiglu te_rng_tracker test_mode tp_comm_overlap
tp_comm_overlap_rs_dgrad untie_embeddings_and_output_weights use_checkpoint_args
use_checkpoint_opt_param_scheduler use_custom_fsdp use_dist_ckpt_deprecated
use_distributed_optimizer use_flash_attn use_legacy_models use_mp_args_from_checkpoint_args
use_one_sent_docs use_persistent_ckpt_worker use_precision_aware_optimizer use_pytorch_profiler
use_ring_exchange_p2p use_rope_scaling use_rotary_position_embeddings use_torch_fsdp2
use_torch_optimizer_for_cpu_offload use_tp_pp_dp_mapping variable_seq_lengths vision_pretraining
"""

TRUE = """
add_bias_linear add_position_embedding align_grad_reduce align_param_gather apply_rope_fusion
async_tensor_model_parallel_allreduce barrier_with_L1_time bert_binary_head bias_dropout_fusion
bias_gelu_fusion bias_swiglu_fusion check_for_nan_in_loss_and_grad ckpt_fully_parallel_save
clone_scatter_output_in_embedding create_attention_mask_in_dataloader data_sharding
enable_gloo_process_groups enable_one_logger fp8_wgrad gradient_accumulation_fusion
gradient_reduce_div_fusion log_loss_scale_to_tensorboard manual_gc_eval masked_softmax_fusion
mmap_bin_files overlap_p2p_comm perform_initialization pin_cpu_grads pin_cpu_params
retro_verify_neighbor_count scatter_gather_tensors_in_pipeline tp_comm_bulk_dgrad
tp_comm_bulk_wgrad tp_comm_overlap_ag tp_comm_overlap_rs tp_comm_split_ag tp_comm_split_rs
use_dist_ckpt use_tokenizer_model_from_checkpoint_args
"""

NONE = """
app_tag_run_name async_save bert_load block_data_path
check_weight_hash_across_dp_replicas_interval ckpt_convert_format ckpt_convert_save ckpt_step
data_args_path data_cache_path data_path dataloader_type ddp_bucket_size ddp_num_buckets
decoder_first_pipeline_num_layers decoder_last_pipeline_num_layers decoder_num_layers
decoder_seq_length decoupled_lr decoupled_min_lr dist_ckpt_format_deprecated embedding_path
encoder_num_layers encoder_seq_length end_weight_decay evidence_data_path exit_duration_in_mins
exit_interval expert_tensor_parallel_size ffn_hidden_size fp8 global_batch_size
heterogeneous_layers_config_encoded_json heterogeneous_layers_config_path hidden_size
hierarchical_context_parallel_sizes hybrid_override_pattern ict_head_size ict_load
inference_dynamic_batching_buffer_overflow_factor inference_dynamic_batching_max_requests_override
inference_dynamic_batching_max_tokens_override kv_channels lazy_mpu_init load logging_level
loss_scale lr lr_decay_iters lr_decay_samples lr_warmup_fraction lr_wsd_decay_iters
lr_wsd_decay_samples max_position_embeddings merge_file micro_batch_size
microbatch_group_size_per_vp_stage moe_expert_capacity_factor moe_ffn_hidden_size
moe_input_jitter_eps moe_router_dtype moe_router_group_topk moe_router_num_groups
moe_router_topk_scaling_factor moe_shared_expert_intermediate_size moe_z_loss_coeff mrope_section
mtp_num_layers nccl_communicator_config_path no_load_optim no_load_rng no_save_optim no_save_rng
non_persistent_ckpt_type non_persistent_global_ckpt_dir non_persistent_local_ckpt_dir
non_persistent_save_interval num_attention_heads num_experts num_layers
num_layers_per_virtual_pipeline_stage num_virtual_stages_per_pipeline_rank one_logger_run_name
onnx_safe per_split_data_args_path pipeline_model_parallel_comm_backend
pipeline_model_parallel_split_rank pretrained_checkpoint q_lora_rank rampup_batch_size
recompute_granularity recompute_method recompute_modules recompute_num_layers replication_jump
result_rejected_tracker_filename retro_cyclic_train_iters retro_project_dir
rotary_seq_len_interpolation_factor s3_cache_path save save_interval seq_length spec split
start_weight_decay suggested_communication_unit_size tensorboard_dir test_data_path
tiktoken_pattern tiktoken_special_tokens titles_data_path tokenizer_model tokenizer_type
tp_comm_overlap_cfg train_data_path train_iters train_samples train_sync_interval
use_cpu_initialization valid_data_path virtual_pipeline_model_parallel_size vocab_file vocab_size
yaml_cfg
"""

OTHERS: dict[str, object] = {
    "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_eps": 1e-08, "adlr_autoresume_interval": 1000,
    "app_tag_run_version": "0.0.0", "attention_backend": "AttnBackend.auto",
    "attention_dropout": 0.1, "bert_embedder_type": "megatron", "biencoder_projection_dim": 0,
    "ckpt_format": "torch_dist", "classes_fraction": 1.0, "clip_grad": 1.0,
    "config_logger_dir": "", "consumed_train_samples": 0, "consumed_valid_samples": 0,
    "context_parallel_size": 1, "cp_comm_type": ["p2p"], "cross_entropy_fusion_impl": "native",
    "cuda_graph_scope": "full", "cuda_graph_warmup_steps": 3,
    "data_parallel_sharding_strategy": "no_shard", "data_parallel_size": 1,
    "data_per_class_fraction": 1.0, "dino_bottleneck_size": 256, "dino_freeze_last_layer": 1,
    "dino_head_hidden_size": 2048, "dino_local_crops_number": 10, "dino_local_img_size": 96,
    "dino_teacher_temp": 0.07, "dino_warmup_teacher_temp": 0.04,
    "dino_warmup_teacher_temp_epochs": 30, "dist_ckpt_strictness": "assume_ok_unexpected",
    "distributed_backend": "nccl", "distributed_timeout_minutes": 10,
    "empty_unused_memory_level": 0, "encoder_pipeline_model_parallel_size": 0,
    "encoder_tensor_model_parallel_size": 0, "error_injection_rate": 0,
    "error_injection_type": "transient_error", "eval_interval": 1000, "eval_iters": 100,
    "exp_avg_dtype": "torch.float32", "exp_avg_sq_dtype": "torch.float32",
    "expert_model_parallel_size": 1, "fp8_amax_compute_algo": "most_recent",
    "fp8_amax_history_len": 1, "fp8_interval": 1, "fp8_margin": 0, "fp8_recipe": "delayed",
    "head_lr_mult": 1.0, "hidden_dropout": 0.1, "hybrid_attention_ratio": 0.0,
    "hybrid_mlp_ratio": 0.0, "hysteresis": 2, "img_h": 224, "img_w": 224,
    "indexer_batch_size": 128, "indexer_log_interval": 1000,
    "inference_batch_times_seqlen_threshold": -1,
    "inference_dynamic_batching_buffer_guaranteed_fraction": 0.2,
    "inference_dynamic_batching_buffer_size_gb": 40.0, "inference_max_batch_size": 8,
    "inference_max_seq_length": 2560, "init_method_std": 0.02, "initial_loss_scale": 4294967296,
    "iter_per_epoch": 1250, "iterations_to_skip": [], "kv_lora_rank": 32, "local_rank": 0,
    "log_interval": 100, "loss_scale_window": 1000, "lr_decay_style": "linear",
    "lr_warmup_init": 0.0, "lr_warmup_iters": 0, "lr_warmup_samples": 0,
    "lr_wsd_decay_style": "exponential", "main_grads_dtype": "torch.float32",
    "main_params_dtype": "torch.float32", "make_vocab_size_divisible_by": 128,
    "mamba_head_dim": 64, "mamba_num_groups": 8, "mamba_state_dim": 128, "manual_gc_interval": 0,
    "mask_factor": 1.0, "mask_prob": 0.15, "mask_type": "random", "max_tokens_to_oom": 12000,
    "memory_snapshot_path": "snapshot.pickle", "min_loss_scale": 1.0, "min_lr": 0.0,
    "moe_aux_loss_coeff": 0.0, "moe_layer_freq": 1, "moe_router_bias_update_rate": 0.001,
    "moe_router_load_balancing_type": "aux_loss", "moe_router_score_function": "softmax",
    "moe_router_topk": 2, "moe_token_dispatcher_type": "allgather",
    "moe_token_drop_policy": "probs", "mscale": 1.0, "mscale_all_dim": 1.0,
    "mtp_loss_scaling_factor": 0.1, "non_persistent_local_ckpt_algo": "fully_parallel",
    "norm_epsilon": 1e-05, "normalization": "LayerNorm", "num_channels": 3, "num_classes": 1000,
    "num_dataset_builder_threads": 1, "num_distributed_optimizer_instances": 1,
    "num_layers_at_end_in_bf16": 1, "num_layers_at_start_in_bf16": 1, "num_query_groups": 1,
    "num_workers": 2, "one_logger_project": "megatron-lm", "optimizer": "adam",
    "optimizer_offload_fraction": 1.0, "params_dtype": "torch.bfloat16", "patch_dim": 16,
    "pipeline_model_parallel_size": 1, "position_embedding_type": "learned_absolute",
    "profile_ranks": [0], "profile_step_end": 12, "profile_step_start": 10, "qk_head_dim": 128,
    "qk_pos_emb_head_dim": 64, "query_in_block_prob": 0.1, "rank": 0,
    "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32,
    "replication_factor": 2, "rerun_mode": "disabled", "retriever_report_topk_accuracies": [],
    "retriever_seq_length": 256, "retro_attention_gate": 1,
    "retro_encoder_attention_dropout": 0.1, "retro_encoder_hidden_dropout": 0.1,
    "retro_encoder_layers": 2, "retro_num_neighbors": 2, "retro_num_retrieved_chunks": 2,
    "rope_scaling_factor": 8.0, "rotary_base": 10000, "rotary_percent": 1.0,
    "rotary_scaling_factor": 1.0, "sample_rate": 1.0, "seed": 1234, "sgd_momentum": 0.9,
    "short_seq_prob": 0.1, "skipped_train_samples": 0, "straggler_ctrlr_port": 65535,
    "straggler_minmax_count": 1, "swin_backbone_type": "tiny", "tensor_model_parallel_size": 1,
    "tensorboard_log_interval": 1, "tensorboard_queue_size": 1000,
    "tiktoken_num_special_tokens": 1000, "timing_log_level": 0, "timing_log_option": "minmax",
    "tp_comm_bootstrap_backend": "nccl", "transformer_impl": "transformer_engine",
    "transformer_pipeline_model_parallel_size": 1, "v_head_dim": 128,
    "vision_backbone_type": "vit", "vision_pretraining_type": "classify", "vocab_extra_ids": 0,
    "wandb_exp_name": "", "wandb_project": "", "wandb_save_dir": "", "weight_decay": 0.01,
    "weight_decay_incr_style": "constant", "wgrad_deferral_limit": 0, "world_size": 1,
}  # fmt: skip

# What scripts for GPTs of today set, and what validate_args makes of it.
USUAL: dict[str, object] = {
    "accumulate_allreduce_grads_in_fp32": True,
    "adam_beta2": 0.95,
    "add_bias_linear": False,
    "align_param_gather": False,
    "attention_dropout": 0.0,
    "bf16": True,
    "bias_gelu_fusion": False,
    "dataloader_type": "single",
    "end_weight_decay": 0.1,
    "hidden_dropout": 0.0,
    "log_throughput": True,
    "make_vocab_size_divisible_by": 1,
    "normalization": "RMSNorm",
    "overlap_p2p_comm": False,
    "position_embedding_type": "rope",
    "split": "949,50,1",
    "start_weight_decay": 0.1,
    "swiglu": True,
    "tokenizer_type": "HuggingFaceTokenizer",
    "use_rotary_position_embeddings": True,
    "weight_decay": 0.1,
}
