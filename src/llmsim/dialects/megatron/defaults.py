"""Default values of Megatron's arguments, and usual values for GPTs of today.

Names and defaults: megatron/training/arguments.py of core 0.12.
"""

FALSE = """
account_for_embedding_in_pipeline_split account_for_loss_in_pipeline_split add_bias_linear
add_qkv_bias adlr_autoresume align_param_gather apply_layernorm_1p apply_query_key_layer_scaling
apply_residual_connection_post_layernorm attention_softmax_in_fp32 auto_detect_ckpt_format
biencoder_shared_query_context_model calculate_per_token_loss check_for_large_grads
check_for_spiky_loss ckpt_assume_constant_structure ckpt_fully_parallel_load
cross_entropy_loss_fusion data_parallel_random_init ddp_average_in_collective
ddp_pad_buckets_for_high_nccl_busbw decrease_batch_size_if_needed defer_embedding_wgrad_compute
deterministic_mode dino_norm_last_layer disable_straggler_on_startup distribute_saved_activations
enable_cuda_graph enable_ft_package enable_one_logger eod_mask_loss exit_on_missing_checkpoint
exit_signal_handler external_cuda_graph first_last_layers_bf16 flash_decode fp16
fp16_lm_cross_entropy fp32_residual_connection fp8_param_gather grad_reduce_in_bf16
inference_dynamic_batching inference_rng_tracker init_method_xavier_uniform
init_model_with_meta_device is_hybrid_model keep_fp8_transpose_cache_when_using_custom_fsdp
log_memory_to_tensorboard log_num_zeros_in_grad log_params_norm log_progress log_straggler
log_timers_to_tensorboard log_validation_ppl_to_tensorboard log_world_size_to_tensorboard
manual_gc mock_data moe_enable_deepep moe_extended_tp moe_layer_recompute
moe_pad_expert_input_to_capacity moe_per_layer_logging moe_permute_fusion
moe_router_enable_expert_bias moe_router_pre_softmax moe_shared_expert_overlap
moe_use_legacy_grouped_gemm moe_use_upcycling multi_latent_attention no_persist_layer_norm
one_logger_async openai_gelu optimizer_cpu_offload output_bert_embeddings
overlap_cpu_optimizer_d2h_h2d overlap_grad_reduce overlap_p2p_comm overlap_param_gather
overlap_param_gather_with_optimizer_step override_opt_param_scheduler profile qk_layernorm
record_memory_history replication reset_attention_mask reset_position_ids retriever_score_scaling
retro_add_retriever rotary_interleaved skip_train squared_relu te_rng_tracker test_mode
tp_comm_overlap tp_comm_overlap_rs_dgrad use_checkpoint_args use_checkpoint_opt_param_scheduler
use_custom_fsdp use_dist_ckpt_deprecated use_flash_attn use_legacy_models
use_mp_args_from_checkpoint_args use_one_sent_docs use_persistent_ckpt_worker
use_precision_aware_optimizer use_pytorch_profiler use_ring_exchange_p2p use_rope_scaling
use_torch_fsdp2 use_torch_optimizer_for_cpu_offload use_tp_pp_dp_mapping variable_seq_lengths
vision_pretraining
"""

TRUE = """
accumulate_allreduce_grads_in_fp32 add_position_embedding align_grad_reduce apply_rope_fusion
async_tensor_model_parallel_allreduce barrier_with_L1_time bert_binary_head bf16
bias_dropout_fusion bias_gelu_fusion bias_swiglu_fusion check_for_nan_in_loss_and_grad
ckpt_fully_parallel_save create_attention_mask_in_dataloader data_sharding
enable_gloo_process_groups fp8_wgrad gradient_accumulation_fusion gradient_reduce_div_fusion
log_loss_scale_to_tensorboard log_throughput manual_gc_eval masked_softmax_fusion mmap_bin_files
perform_initialization pin_cpu_grads pin_cpu_params retro_verify_neighbor_count
scatter_gather_tensors_in_pipeline swiglu tp_comm_bulk_dgrad tp_comm_bulk_wgrad tp_comm_overlap_ag
tp_comm_overlap_rs tp_comm_split_ag tp_comm_split_rs use_dist_ckpt use_rotary_position_embeddings
use_tokenizer_model_from_checkpoint_args
"""

NONE = """
bert_load block_data_path check_weight_hash_across_dp_replicas_interval ckpt_convert_format
ckpt_convert_save ckpt_step data_args_path data_cache_path ddp_bucket_size ddp_num_buckets
decoder_num_layers decoder_seq_length decoupled_lr decoupled_min_lr embedding_path
evidence_data_path exit_duration_in_mins exit_interval fp8
heterogeneous_layers_config_encoded_json heterogeneous_layers_config_path
hierarchical_context_parallel_sizes hybrid_override_pattern ict_head_size ict_load
inference_dynamic_batching_buffer_overflow_factor inference_dynamic_batching_max_requests_override
inference_dynamic_batching_max_tokens_override lazy_mpu_init logging_level loss_scale
lr_decay_iters lr_decay_samples lr_warmup_fraction lr_wsd_decay_samples mamba_num_heads merge_file
moe_expert_capacity_factor moe_input_jitter_eps moe_router_dtype moe_router_group_topk
moe_router_num_groups moe_router_topk_scaling_factor moe_shared_expert_intermediate_size
moe_z_loss_coeff mrope_section mtp_num_layers nccl_communicator_config_path no_load_optim
no_load_rng no_save_optim no_save_rng non_persistent_ckpt_type non_persistent_save_interval
num_layers_per_virtual_pipeline_stage num_virtual_stages_per_pipeline_rank one_logger_run_name
onnx_safe per_split_data_args_path pipeline_model_parallel_comm_backend pretrained_checkpoint
q_lora_rank rampup_batch_size recompute_modules replication_jump result_rejected_tracker_filename
retro_cyclic_train_iters retro_project_dir rope_scaling_factor rotary_seq_len_interpolation_factor
spec suggested_communication_unit_size symmetric_ar_type tensorboard_dir test_data_path
tiktoken_pattern tiktoken_special_tokens titles_data_path tp_comm_overlap_cfg train_data_path
train_samples train_sync_interval use_cpu_initialization valid_data_path
virtual_pipeline_model_parallel_size vocab_file yaml_cfg
"""

OTHERS: dict[str, object] = {
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
    "bert_embedder_type": "megatron",
    "biencoder_projection_dim": 0,
    "classes_fraction": 1.0,
    "config_logger_dir": "",
    "data_parallel_sharding_strategy": "no_shard",
    "data_per_class_fraction": 1.0,
    "dino_bottleneck_size": 256,
    "dino_freeze_last_layer": 1,
    "dino_head_hidden_size": 2048,
    "dino_local_crops_number": 10,
    "dino_local_img_size": 96,
    "dino_teacher_temp": 0.07,
    "dino_warmup_teacher_temp": 0.04,
    "dino_warmup_teacher_temp_epochs": 30,
    "encoder_pipeline_model_parallel_size": 0,
    "encoder_tensor_model_parallel_size": 0,
    "exp_avg_dtype": "torch.float32",
    "exp_avg_sq_dtype": "torch.float32",
    "expert_tensor_parallel_size": None,
    "fp8_amax_compute_algo": "most_recent",
    "fp8_interval": 1,
    "fp8_margin": 0,
    "hybrid_attention_ratio": 0.0,
    "hybrid_mlp_ratio": 0.0,
    "img_h": 224,
    "img_w": 224,
    "indexer_batch_size": 128,
    "indexer_log_interval": 1000,
    "inference_batch_times_seqlen_threshold": -1,
    "inference_dynamic_batching_buffer_guaranteed_fraction": 0.2,
    "inference_dynamic_batching_buffer_size_gb": 40.0,
    "inference_dynamic_batching_chunk_size": 256,
    "inference_max_batch_size": 8,
    "inference_max_seq_length": 2560,
    "iter_per_epoch": 1250,
    "iterations_to_skip": [],
    "kv_lora_rank": 32,
    "main_grads_dtype": "torch.float32",
    "main_params_dtype": "torch.float32",
    "mamba_head_dim": 64,
    "mamba_num_groups": 8,
    "mamba_state_dim": 128,
    "mask_factor": 1.0,
    "mask_prob": 0.15,
    "mask_type": "random",
    "max_tokens_to_oom": 12_000,
    "memory_snapshot_path": "snapshot.pickle",
    "moe_router_bias_update_rate": 0.001,
    "mtp_loss_scaling_factor": 0.1,
    "num_channels": 3,
    "num_classes": 1000,
    "num_layers_at_end_in_bf16": 1,
    "num_layers_at_start_in_bf16": 1,
    "optimizer_offload_fraction": 1.0,
    "patch_dim": 16,
    "profile_ranks": [0],
    "profile_step_end": 12,
    "profile_step_start": 10,
    "qk_head_dim": 128,
    "qk_pos_emb_head_dim": 64,
    "query_in_block_prob": 0.1,
    "relative_attention_max_distance": 128,
    "relative_attention_num_buckets": 32,
    "replication_factor": 2,
    "retriever_report_topk_accuracies": [],
    "retriever_seq_length": 256,
    "retro_attention_gate": 1,
    "retro_encoder_attention_dropout": 0.1,
    "retro_encoder_hidden_dropout": 0.1,
    "retro_encoder_layers": 2,
    "retro_num_neighbors": 2,
    "retro_num_retrieved_chunks": 2,
    "sample_rate": 1.0,
    "short_seq_prob": 0.1,
    "swin_backbone_type": "tiny",
    "tiktoken_num_special_tokens": 1000,
    "tp_comm_bootstrap_backend": "nccl",
    "v_head_dim": 128,
    "vision_backbone_type": "vit",
    "vision_pretraining_type": "classify",
    "wandb_exp_name": "",
    "wandb_project": "",
    "wandb_save_dir": "",
}
