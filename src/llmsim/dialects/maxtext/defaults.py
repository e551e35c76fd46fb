"""Every key of MaxText's base.yml at v0.1.0 with its default value, and its sharding rules.

Names and values: src/MaxText/configs/base.yml. What MaxText derives from them is in
configuration.py.
"""

FALSE = """
activations_in_float32 allow_split_physical_axes attention_bias attention_sink
checkpoint_is_quantized collect_stack_trace colocated_python_data_input dump_hlo
dump_hlo_upload_all enable_checkpoint_cloud_logger enable_emergency_checkpoint
enable_goodput_recording enable_jax_profiler enable_llm_inference_pool enable_model_warmup
enable_multi_tier_checkpointing enable_nnx enable_orbax_v1 enable_pathways_goodput
enable_prefix_caching enable_single_controller enable_single_replica_ckpt_restoring float32_logits
float32_qk_product force_unroll fused_mlp fused_qkv gcs_metrics inference_benchmark_test
load_from_prefill_dir logits_dot_in_fp32 logits_via_embedding max_checkify mlp_bias
model_fsdp_ag_once moe_fsdp_use_two_stage_all_gather monitor_goodput multi_sampling norm_topk_prob
optimize_mesh_for_tpu_v6e optimizer_memory_host_offload override_model_config
parameter_memory_host_offload pipeline_delay_activation_forwarding pipeline_fsdp_ag_once
quantize_kvcache replicate_quant_scale report_heartbeat_metric_for_gcp_monitoring
report_performance_metric_for_gcp_monitoring reshape_q return_log_prob rope_attention_scaling
routed_bias sa_use_fused_bwd_kernel save_config_to_gcs scan_layers_per_stage
set_remat_policy_on_layers_per_stage sft_train_on_completion_only skip_jax_distributed_system
stack_prefill_result_cache stack_trace_to_cloud temperature_tuning upload_all_profiler_results
use_chat_template use_chunked_prefill use_dpo use_iota_embed use_multimodal use_post_attn_norm
use_post_ffw_norm use_qk_norm use_qwix_quantization use_ragged_attention use_random_routing
use_ring_of_experts use_sft use_untrainable_positional_embedding use_vertex_tensorboard
"""

TRUE = """
add_bos add_eos async_checkpointing cast_logits_to_fp32 checkpoint_storage_use_ocdbt
checkpoint_storage_use_zarr3 context_parallel_load_balance dump_hlo_delete_local_after
enable_checkpointing enable_data_shuffling enable_dropout enable_gcp_goodput_metrics
enable_gcp_step_deviation_metrics enable_padding_causal_mask enable_tensorboard
freeze_vision_encoder_params log_config megablox mla_naive_kvcache monitor_step_time_deviation
normalize_embedding_logits packing profile_cleanly rope_interleave rope_truncate rope_use_scale
save_checkpoint_on_completion scan_layers scan_pipeline_iterations
set_remat_policy_on_pipeline_iterations shardy sparse_matmul tokenize_eval_data
tokenize_train_data use_custom_sort_vjp
"""

EMPTY = """
autoregressive_decode_assert base_output_directory compile_topology compiled_trainstep_file
constant_bound_config custom_mesh dataset_path dump_hlo_gcs_dir dump_hlo_xla_flags
grain_eval_files grain_train_files hf_data_dir hf_eval_files hf_eval_split hf_path hf_train_files
image_path inference_metadata_file inference_microbenchmark_log_file_path jax_debug_log_modules
load_full_state_path load_parameters_path local_checkpoint_directory lora_input_adapters_path
metrics_file model_call_mode mu_dtype prefill_cache_dir profiler quant_cfg_path quantization
routed_score_func run_name save_quantized_params_path subslice_shape vertex_tensorboard_project
vertex_tensorboard_region
"""

OTHERS: dict[str, object] = {
    "adam_b1": 0.9, "adam_b2": 0.95, "adam_eps": 1e-08, "adam_eps_root": 0.0,
    "adam_weight_decay": 0.1, "ar_cache_axis_order": "1,2,0,3", "attention": "autoselected",
    "attention_type": "global", "attn_logits_soft_cap": 0.0, "base_emb_dim": 2048,
    "base_mlp_dim": 7168, "base_moe_mlp_dim": 7168, "base_num_decoder_layers": 16,
    "base_num_kv_heads": 16, "base_num_query_heads": 16, "beta_fast": 32, "beta_slow": 1,
    "capacity_factor": -1.0, "checkpoint_conversion_fn": "None", "checkpoint_period": 10000,
    "checkpoint_storage_concurrent_gb": 96,
    "checkpoint_storage_target_data_file_size_bytes": 2147483648, "chunk_attn_window_size": 0,
    "compile_topology_num_slices": -1, "compute_axis_order": "0,1,2,3", "context": "remat",
    "conv_stride_for_vit": 14, "cosine_learning_rate_final_fraction": 0.1, "data_shuffle_seed": 0,
    "dataset_name": "c4/en:3.0.1", "dataset_type": "tfds", "dcn_autoregressive_parallelism": 1,
    "dcn_context_autoregressive_parallelism": 1, "dcn_context_parallelism": 1,
    "dcn_data_parallelism": -1, "dcn_expert_parallelism": 1, "dcn_fsdp_parallelism": 1,
    "dcn_fsdp_transpose_parallelism": 1, "dcn_pipeline_parallelism": 1,
    "dcn_sequence_parallelism": 1, "dcn_tensor_parallelism": 1,
    "dcn_tensor_sequence_parallelism": 1, "dcn_tensor_transpose_parallelism": 1,
    "decode_sampling_nucleus_p": -1, "decode_sampling_strategy": "greedy",
    "decode_sampling_temperature": 1.0, "decode_sampling_top_k": 0, "decoder_block": "llama2",
    "decoder_layer_input": "device", "dpo_beta": 0.1, "dpo_label_smoothing": 0.0,
    "dropout_rate": 0.0, "dtype": "bfloat16", "dtype_mm": "float32",
    "dump_hlo_local_dir": "/tmp/xla_dump/", "dump_hlo_local_module_name": "jit_train_step",
    "dump_hlo_module_name": "jit_train_step", "dump_step": -1, "eval_data_columns": ["text"],
    "eval_dataset_name": "c4/en:3.0.1", "eval_image_column": "image", "eval_interval": -1,
    "eval_per_device_batch_size": 0.0, "eval_split": "validation", "eval_steps": -1,
    "expansion_factor_real_data": -1, "expert_shard_attention_option": "fsdp",
    "final_logits_soft_cap": 0.0, "first_num_dense_layers": 0, "generate_slice": "v5e-16",
    "global_parameter_scale": 1, "goodput_upload_interval_seconds": 30,
    "gradient_accumulation_steps": 1, "gradient_clipping_threshold": 1.0,
    "grain_file_type": "arrayrecord", "grain_worker_count": 1, "grain_worker_count_eval": 1,
    "hardware": "tpu", "head_dim": 128, "heartbeat_reporting_interval_in_seconds": 5,
    "hidden_size_for_vit": 1408, "ici_autoregressive_parallelism": 1,
    "ici_context_autoregressive_parallelism": 1, "ici_context_parallelism": 1,
    "ici_data_parallelism": 1, "ici_expert_parallelism": 1, "ici_fsdp_parallelism": -1,
    "ici_fsdp_transpose_parallelism": 1, "ici_pipeline_parallelism": 1,
    "ici_sequence_parallelism": 1, "ici_tensor_parallelism": 1,
    "ici_tensor_sequence_parallelism": 1, "ici_tensor_transpose_parallelism": 1,
    "image_placeholder": "<|image|>", "image_size_for_vit": 896,
    "inference_microbenchmark_loop_iters": 10,
    "inference_microbenchmark_num_samples": [1, 2, 3, 4, 5],
    "inference_microbenchmark_prefill_lengths": "64,128,256,512,1024",
    "inference_microbenchmark_stages": "prefill,generate",
    "inference_server": "MaxtextInterleavedServer", "inhomogeneous_layer_cycle_interval": 1,
    "init_weights_seed": 0,
    "input_data_sharding_logical_axes": [
        "activation_embed_and_logits_batch", "activation_norm_length",
    ],
    "interleave_moe_layer_step": 1, "intermediate_size_for_vit": 5632,
    "jax_cache_dir": "~/jax_cache", "jax_distributed_initialization_timeout": 300,
    "jax_profiler_port": 9999, "key_proj": "remat", "kv_lora_rank": 512,
    "kv_quant_axis": "heads_and_dkv", "kv_quant_dtype": "int8", "learning_rate": 3e-05,
    "learning_rate_schedule_steps": -1, "load_balance_loss_weight": 0.01,
    "local_checkpoint_period": 0, "local_rope_max_timescale": -1, "log_period": 100,
    "matmul_precision": "default", "max_corpus_chars": 10000000,
    "max_position_embeddings": 163840, "max_prefill_predict_length": 64,
    "max_target_length": 2048,
    "mlp_activations": ["silu", "linear"], "mlp_activations_limit": -1.0, "mlpwi": "remat",
    "mlpwi_0": "remat", "mlpwi_1": "remat", "mlpwo": "remat", "model_name": "default",
    "mscale": 1.0, "mtp_eval_target_module": 0, "mtp_loss_scaling_factor": 0.1,
    "mtp_num_layers": 0, "multi_tier_checkpointing_backup_interval_minutes": 0,
    "n_routing_groups": -1, "nope_layer_interval": -1, "normalization_layer_epsilon": 1e-05,
    "num_attention_heads_for_vit": 16, "num_channels_for_vit": 3, "num_epoch": 1,
    "num_experts": 1, "num_experts_per_tok": 1, "num_hidden_layers_for_vit": 34,
    "num_layers_per_pipeline_stage": 1, "num_pipeline_microbatches": -1,
    "num_pipeline_repeats": -1, "num_slices": -1, "opt_type": "adamw",
    "original_max_position_embeddings": 4096, "out_proj": "remat",
    "pagedattn_head_dim_alignment": 128, "pagedattn_max_pages_per_group": -1,
    "pagedattn_num_pages": 64, "pagedattn_pages_per_compute_block": 4,
    "pagedattn_tokens_per_page": 32, "param_scan_axis": 1, "patch_size_for_vit": 14,
    "per_device_batch_size": 12.0, "pipeline_parallel_layers": -1,
    "pixel_shuffle_ratio_for_vit": 0.5, "posemb_type_for_vit": "learn",
    "prefill_cache_axis_order": "1,2,0,3", "prefill_chunk_size": 256, "prefill_slice": "v5e-16",
    "prefix_caching_dram_byte": 100000000000, "prefix_caching_hbm_byte": 10000000000,
    "profile_periodically_period": -1, "profiler_steps": 5, "projector_dropout_for_vit": 0.0,
    "projector_input_dim_for_vit": 4096, "projector_output_dim_for_vit": 4096,
    "prometheus_port": 0, "prompt": "I love to", "q_lora_rank": 0, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "qkv_proj": "remat", "quantization_calibration_method": "absmax",
    "quantization_local_shard_count": -1, "query_proj": "remat", "ragged_block_size": 256,
    "record_internal_nn_metrics": 0, "remat_policy": "full", "remat_policy_for_vit": "minimal",
    "reuse_example_batch": 0, "rope_factor": 40, "rope_linear_scaling_factor": 1.0,
    "rope_max_timescale": 10000, "rope_min_timescale": 1, "rope_theta_for_vit": 10000,
    "rope_type": "default", "routed_scaling_factor": 1.0, "sa_block_kv": 512,
    "sa_block_kv_compute": 512, "sa_block_kv_dkv": 512, "sa_block_kv_dkv_compute": 512,
    "sa_block_kv_dq": 512, "sa_block_q": 512, "sa_block_q_dkv": 512, "sa_block_q_dq": 512,
    "sa_k_layout": "HEAD_DIM_MINOR", "sa_q_layout": "HEAD_DIM_MINOR",
    "sa_v_layout": "HEAD_DIM_MINOR", "sharding_tolerance": 0.02, "shared_experts": 1,
    "skip_first_n_steps_for_profiler": 1, "sliding_window_size": 0,
    "source_checkpoint_layout": "orbax", "stack_trace_interval_seconds": 600,
    "step_deviation_interval_seconds": 30, "steps": 150001, "target_eval_loss": 0.0,
    "tile_activation_dim": 1024, "tile_batch_seq": 512, "tile_size_for_vit": 336,
    "tile_weight_dim": 1024, "tokenizer_path": "src/MaxText/assets/tokenizer.llama2",
    "tokenizer_type": "sentencepiece", "topk_routing_group": -1, "train_data_columns": ["text"],
    "train_image_column": "image", "train_split": "train", "trainable_position_size": -1,
    "v_head_dim": 128, "value_proj": "remat", "vision_output_dim_for_vit": 4096,
    "vocab_size": 32000, "warmup_steps_fraction": 0.1, "weight_dtype": "float32",
}  # fmt: skip

# A logical axis and the axes of the mesh that it is cut along; = where that is one name alone.
RULES = """
activation_batch data fsdp fsdp_transpose expert
activation_batch_no_exp data fsdp fsdp_transpose
activation_embed_and_logits_batch data stage fsdp fsdp_transpose expert
activation_heads tensor tensor_transpose sequence tensor_sequence autoregressive
activation_kv_heads tensor tensor_transpose sequence tensor_sequence
activation_length sequence context expert
activation_length context expert
activation_length_no_exp sequence context
activation_length_no_exp context
activation_norm_length tensor_sequence context sequence
activation_q_length context expert
activation_q_length_no_exp context
prefill_activation_length sequence context
prefill_activation_norm_length tensor_sequence context sequence
activation_kv_length
activation_embed tensor tensor_transpose
activation_mlp tensor tensor_transpose tensor_sequence
activation_kv tensor tensor_transpose tensor_sequence
activation_prefill_kv_batch data fsdp fsdp_transpose expert
activation_kv_batch data fsdp fsdp_transpose expert
activation_kv_batch_no_exp data fsdp fsdp_transpose
activation_kv_head_dim tensor tensor_transpose tensor_sequence
activation_vocab tensor tensor_transpose sequence tensor_sequence
activation_vocab tensor tensor_transpose
activation_vocab =tensor_sequence
activation_vocab sequence context
activation_stage =stage
activation_exp expert
decode_batch data fsdp fsdp_transpose expert
decode_length sequence
mlp fsdp_transpose tensor tensor_sequence autoregressive
mlp_no_fsdp tensor tensor_sequence autoregressive
vocab tensor tensor_transpose tensor_sequence autoregressive
heads tensor tensor_transpose tensor_sequence autoregressive
q_heads tensor tensor_transpose tensor_sequence autoregressive
kv_heads tensor tensor_transpose tensor_sequence autoregressive
embed fsdp fsdp_transpose sequence tensor_transpose context expert
embed fsdp sequence tensor_transpose context expert
embed fsdp fsdp_transpose sequence context expert
embed fsdp sequence context expert
embed_no_exp fsdp fsdp_transpose sequence tensor_transpose context
embed_no_exp fsdp sequence tensor_transpose context
embed_no_exp fsdp fsdp_transpose sequence context
embed_no_exp fsdp sequence context
embed_tensor_transpose tensor_transpose
q_lora fsdp fsdp_transpose sequence context tensor_transpose expert
q_lora fsdp sequence context tensor_transpose expert
q_lora fsdp fsdp_transpose sequence context expert
q_lora fsdp sequence context expert
kv_lora fsdp fsdp_transpose sequence context tensor_transpose expert
kv_lora fsdp sequence context tensor_transpose expert
kv_lora fsdp fsdp_transpose sequence context expert
kv_lora fsdp sequence context expert
norm tensor tensor_transpose
layers =stage
kv
kv_head_dim
cache_batch_prefill
cache_batch
cache_heads_none
cache_heads autoregressive tensor tensor_transpose tensor_sequence
cache_heads autoregressive tensor tensor_sequence
cache_kv
cache_sequence
exp =expert
paged_kv_heads tensor
num_pages
tokens_per_page
paged_kv_head_dim_size
"""
