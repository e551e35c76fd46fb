"""Frameworks' configurations say ranks, precisions and where a run goes on.

The names are those of torchtitan's JobConfig (v0.2), of Megatron-LM's arguments.py (core 0.12), of
transformers' configuration classes and TrainingArguments, and of PEFT's adapter_config.json.
"""

import json
from pathlib import Path
from typing import Any

from llmsim.job.records import Job
from llmsim.model.architecture import PUBLISHED_LATENT
from tests.cli import test_foreign_jobs
from tests.cli.test_foreign_jobs import ARGUMENTS, CONFIG, MEGATRON, TORCHTITAN

# deepseek-ai/DeepSeek-V3, config.json.
DEEPSEEK = {
    "architectures": ["DeepseekV3ForCausalLM"], "first_k_dense_replace": 3, "hidden_size": 7168,
    "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 4096,
    "model_type": "deepseek_v3", "moe_intermediate_size": 2048, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_attention_heads": 128, "num_experts_per_tok": 8,
    "num_hidden_layers": 61, "num_key_value_heads": 128, "q_lora_rank": 1536,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "tie_word_embeddings": False,
    "v_head_dim": 128, "vocab_size": 129280, "_name_or_path": "deepseek-ai/DeepSeek-V3",
}  # fmt: skip


def played_from(folder: Path, *texts: str, **options: Any) -> tuple[Job, str]:
    """The job of a framework's files on H200s, and the remark about what has no effect."""
    return test_foreign_jobs.played_from(folder, *texts, **({"gpu": "NVIDIA H200"} | options))


def test_torchtitan_says_ranks_and_float8(tmp_path: Path) -> None:
    text = TORCHTITAN.replace("data_parallel_shard_degree = -1", (
        "data_parallel_shard_degree = 4\ndata_parallel_replicate_degree = 2\n"
        "context_parallel_degree = 2"
    )).replace("compile = false", "compile = true").replace(
        'flavor = "8B"', 'flavor = "8B"\nconverters = ["quantize.linear.float8"]'
    ).replace("interval = 500", "interval = 500\nload_step = 400")  # fmt: skip
    job, remark = played_from(tmp_path, text, gpus=16)
    layout = job.layout
    assert (layout.dp, layout.cp, layout.tp, layout.replicas) == (8, 2, 1, 2)
    assert (layout.precision, layout.engine.compiled) == ("fp8", True)
    assert (job.schedule.first_step, job.schedule.steps) == (401, 1000)
    assert "converters" not in remark
    assert "degree" not in remark


def test_torchtitan_interleaves_where_its_schedule_does(tmp_path: Path) -> None:
    text = TORCHTITAN.replace("pipeline_parallel_degree = 1", (
        'pipeline_parallel_degree = 4\npipeline_parallel_schedule = "Interleaved1F1B"\n'
        "pipeline_parallel_layers_per_stage = 4"
    )).replace("batch_size = 1", "batch_size = 8")  # fmt: skip
    job, _ = played_from(tmp_path, text, gpus=16)
    assert (job.layout.pp, job.layout.interleave, job.layout.accumulation) == (4, 2, 8)


def test_megatron_says_ranks_experts_and_fp8(tmp_path: Path) -> None:
    text = MEGATRON.replace("NUM_NODES=2", "NUM_NODES=8").replace("    --sequence-parallel\n", (
        "    --sequence-parallel\n    --context-parallel-size 2\n"
        "    --pipeline-model-parallel-size 2\n    --num-layers-per-virtual-pipeline-stage 4\n"
        "    --num-experts 8\n    --moe-router-topk 2\n    --expert-model-parallel-size 4\n"
        "    --fp8-format hybrid\n    --ckpt-step 700\n"
    ))  # fmt: skip
    job, remark = played_from(tmp_path, text)
    layout = job.layout
    assert (layout.gpus, layout.dp, layout.cp, layout.tp, layout.pp) == (64, 8, 2, 2, 2)
    assert (layout.ep, layout.interleave, layout.precision) == (4, 4, "fp8")
    assert (job.architecture.experts, job.architecture.active_experts) == (8, 2)
    assert job.schedule.first_step == 701
    assert layout.sequence_parallel
    assert remark.endswith("llmsim ignores --mock-data.")
    job, _ = played_from(tmp_path, MEGATRON.replace("    --sequence-parallel\n", ""))
    assert not job.layout.sequence_parallel
    assert played_from(tmp_path, MEGATRON)[0].layout.interleave == 1  # nobody asks for pieces


def test_megatron_says_latent_attention(tmp_path: Path) -> None:
    text = (
        "--num-layers 61 --hidden-size 7168 --num-attention-heads 128 --ffn-hidden-size 18432 "
        "--multi-latent-attention --kv-lora-rank 512 --q-lora-rank 1536 --qk-head-dim 128 "
        "--qk-pos-emb-head-dim 64 --v-head-dim 128 --num-experts 256 --moe-router-topk 8 "
        "--moe-ffn-hidden-size 2048 --moe-shared-expert-intermediate-size 2048 "
        "--moe-layer-freq ([0]*3+[1]*58) --vocab-size 129280 --swiglu "
        "--untie-embeddings-and-output-weights --seq-length 4096 --max-position-embeddings 4096 "
        "--micro-batch-size 1 --global-batch-size 2048 --train-iters 500 --lr 2e-4 "
        "--pipeline-model-parallel-size 16 --expert-model-parallel-size 64 "
        "--use-distributed-optimizer --fp8-format e4m3 --fp8-recipe mxfp8"
    )
    job, _ = played_from(tmp_path, text, gpus=1024, gpu="NVIDIA B200")
    assert job.architecture == PUBLISHED_LATENT[0]
    assert (job.layout.ep, job.layout.pp, job.layout.precision) == (64, 16, "mxfp8")


def test_hugging_face_says_latent_attention(tmp_path: Path) -> None:
    sharded = ARGUMENTS | {"fsdp": "full_shard", "per_device_train_batch_size": 1}
    job, remark = played_from(tmp_path, json.dumps(DEEPSEEK), json.dumps(sharded), gpus=512)
    assert job.architecture == PUBLISHED_LATENT[0]
    assert remark.endswith("llmsim ignores output_dir, seed.")


def test_hugging_face_says_qlora(tmp_path: Path) -> None:
    quantized = CONFIG | {"quantization_config": {
        "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "quant_method": "bitsandbytes",
    }}  # fmt: skip
    adapters = {"peft_type": "LORA", "r": 64}
    arguments = ARGUMENTS | {"torch_compile": True, "resume_from_checkpoint": "out/checkpoint-800"}
    texts = map(json.dumps, (quantized, adapters, arguments))
    job, remark = played_from(tmp_path, *texts, gpus=1)
    assert (job.recipe.name, job.architecture.adapter_rank) == ("lora", 64)
    assert job.layout.four_bit_base
    assert job.layout.engine.compiled
    assert job.schedule.first_step == 801
    assert remark.endswith("llmsim ignores rms_norm_eps, output_dir, seed.")


def test_hugging_face_says_parallelism(tmp_path: Path) -> None:
    arguments = ARGUMENTS | {
        "parallelism_config": {"dp_shard_size": 4, "cp_size": 2, "dp_replicate_size": 2},
        "max_length": 2048, "use_liger_kernel": True,
    }  # fmt: skip
    job, _ = played_from(tmp_path, json.dumps(CONFIG), json.dumps(arguments), gpus=16)
    assert (job.layout.dp, job.layout.cp, job.layout.replicas) == (8, 2, 2)
    assert job.layout.engine.fused_loss
