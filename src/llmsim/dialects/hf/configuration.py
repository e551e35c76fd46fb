"""Hugging Face's config.json and TrainingArguments as JSON, in one file or merged of two.

The names are as in transformers: LlamaConfig, MixtralConfig, Qwen3MoeConfig, TrainingArguments.
"""

import json
import re
from math import isfinite

from llmsim.dialects.configurations import Configuration, Given, sorted_into
from llmsim.typed import Any

_MODEL = {
    "num_hidden_layers": ("model", "layers"),
    "hidden_size": ("model", "hidden_size"),
    "num_attention_heads": ("model", "heads"),
    "num_key_value_heads": ("model", "kv_heads"),
    "head_dim": ("model", "head_dim"),
    "intermediate_size": ("model", "ffn"),
    "moe_intermediate_size": ("model", "ffn"),
    "vocab_size": ("model", "vocabulary"),
    "max_position_embeddings": ("model", "context"),
    "tie_word_embeddings": ("model", "tied"),
    "num_local_experts": ("model", "experts"),
    "num_experts": ("model", "experts"),
    "num_experts_per_tok": ("model", "active_experts"),
    "n_routed_experts": ("model", "experts"),
    "n_shared_experts": ("model", "shared_experts"),
    "first_k_dense_replace": ("model", "dense_layers"),
    "kv_lora_rank": ("model", "kv_latent"),
    "q_lora_rank": ("model", "query_latent"),
    "qk_nope_head_dim": ("model", "head_dim"),
    "qk_rope_head_dim": ("model", "rope_dim"),
}
_TRAINING = {
    "per_device_train_batch_size": ("batch", "micro"),
    "gradient_accumulation_steps": ("batch", "accumulation"),
    "max_length": ("batch", "sequence"),
    "max_seq_length": ("batch", "sequence"),
    "learning_rate": ("schedule", "peak_lr"),
    "logging_steps": ("schedule", "log_every"),
    "save_steps": ("schedule", "save_every"),
    "eval_steps": ("schedule", "validate_every"),
    "torch_compile": ("precision", "compiled"),
    "use_liger_kernel": ("precision", "fused_loss"),
}
_TUNING = ("max_length", "max_seq_length")  # arguments of TRL's trainers alone
_ADAPTERS = {"r": ("recipe", "rank")}  # PEFT's adapter_config.json
_USED = (
    "_name_or_path", "model_type", "architectures", "max_steps", "num_train_epochs",
    "warmup_steps", "warmup_ratio", "lr_scheduler_type", "gradient_checkpointing", "fsdp", "bf16",
    "fp16", "quantization_config", "load_in_4bit", "attn_implementation", "parallelism_config",
    "peft_type", "v_head_dim", "qk_head_dim", "resume_from_checkpoint", "save_strategy",
)  # fmt: skip
# The defaults of TrainingArguments.
_DEFAULTS = {
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "learning_rate": 5e-5,
    "logging_steps": 500,
    "save_steps": 500,
    "num_train_epochs": 3,
    "warmup_steps": 0,
    "lr_scheduler_type": "linear",
}
# Model types whose configuration has tie_word_embeddings=False by default. All others have the
# default of PretrainedConfig, True: gemma, gpt2, smollm3
# (huggingface/transformers, src/transformers/models/*/configuration_*.py).
_UNTIED = frozenset((
    "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "deepseek_v2",
    "deepseek_v3", "olmo", "olmo2", "olmoe", "phi3", "gpt_oss", "glm4_moe", "gpt_neox", "granite",
))  # fmt: skip
_DECAYS = ("linear", "cosine")
_DIGITS = 100  # of a number; no key has as many


def read_json(text: str) -> Configuration:
    """The job of one or two JSON objects. Raises ValueError for a text that is no JSON."""
    given = _objects(text)
    if any(name in given for name in (*_TRAINING, "num_train_epochs", "max_steps")):
        given = _DEFAULTS | given
    if "model_type" in given and "num_hidden_layers" in given:
        given = {"tie_word_embeddings": given["model_type"] not in _UNTIED} | given
    tuned = given.get("peft_type") == "LORA"
    read = sorted_into(given, _MODEL | _TRAINING | (_ADAPTERS if tuned else {}), _USED)
    job, unused = read.tables, [*read.unused]
    job["framework"] = {"dialect": "hf"}
    if tuned:
        job.setdefault("recipe", {})["name"] = "lora"
    _precision(given, job)
    if "learning_rate" in given and not any(name in given for name in _TUNING):
        job.setdefault("recipe", {}).setdefault("name", "pretrain")
    path = given.get("_name_or_path")
    if isinstance(path, str) and path.strip("/"):
        job.setdefault("model", {})["name"] = path.rstrip("/").rpartition("/")[2]
    if "learning_rate" in given:
        job.setdefault("schedule", {}).update(_schedule(given, unused))
        recompute = "full" if given.get("gradient_checkpointing") else "none"
        job["parallel"] = _parallel(given, unused) | {"recompute": recompute}
    return Configuration(job, tuple(unused))


def _precision(given: Given, job: dict[str, dict[str, Any]]) -> None:
    """Weights in 4 bits, which are LoRA's (QLoRA), fp16, and the kernel of the attention."""
    quantized = given.get("quantization_config", given)
    if isinstance(quantized, dict) and quantized.get("load_in_4bit") is True:
        job.setdefault("precision", {})["base"] = "nf4"
        job.setdefault("recipe", {})["name"] = "lora"
    if given.get("fp16") is True:
        job.setdefault("precision", {})["compute"] = "fp16"
    if given.get("attn_implementation") == "eager":
        job.setdefault("precision", {})["attention"] = "eager"


_CHECKPOINT = re.compile(r"checkpoint-(\d{1,7})/?$")  # the Trainer's folder of a step

# Sizes of Accelerate's ParallelismConfig.
_SIZES = ("dp_replicate_size", "dp_shard_size", "cp_size")


def _parallel(given: Given, unused: list[str]) -> dict[str, Any]:
    """What data ranks share, by `fsdp` and by the sizes of Accelerate's ParallelismConfig."""
    told: dict[str, Any] = {"sharding": "fsdp2" if given.get("fsdp") else "ddp"}
    if "hybrid_shard" in str(given.get("fsdp")):
        told["sharding"] = "hsdp"
    sizes = given.get("parallelism_config", {})
    if not isinstance(sizes, dict):
        raise ValueError("its parallelism_config is no object")  # noqa: TRY004  # readers raise one kind
    copies, shards, cp = (sizes.get(name, 1) for name in _SIZES)
    if not all(isinstance(size, int) and size > 0 for size in (copies, shards, cp)):
        raise ValueError("its parallelism_config has sizes that are no whole numbers")
    if cp > 1:
        told |= {"cp": cp, "sharding": "fsdp2"}
    if shards > 1:
        told |= {"sharding": "hsdp", "replicas": copies} if copies > 1 else {"sharding": "fsdp2"}
        told["dp"] = copies * shards
    unused += [f"parallelism_config.{name}" for name in sizes if name not in _SIZES]
    return told


def _whole(text: str) -> int:
    """A whole number of JSON. Raises ValueError where Python would refuse its length."""
    if len(text) > _DIGITS:
        raise ValueError(f"a number in it has {len(text):,} digits")
    return int(text)


def _objects(text: str) -> dict[str, Any]:
    """The keys of all objects that stand one after the other."""
    given: dict[str, Any] = {}
    decoder, rest = json.JSONDecoder(parse_int=_whole), text.strip()
    try:
        while rest:
            each, end = decoder.raw_decode(rest)
            if not isinstance(each, dict):
                raise ValueError("it has something else than objects")  # noqa: TRY004  # readers raise one kind
            given |= each
            rest = rest[end:].strip()
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("it is not JSON") from None
    return {name: value for name, value in given.items() if value is not None}


def _schedule(given: Given, unused: list[str]) -> dict[str, Any]:
    steps = given.get("max_steps", -1)
    told: dict[str, Any] = {}
    if isinstance(steps, int) and steps > 0:
        told["steps"] = steps
    else:
        told["epochs"] = max(1, round(_number(given, "num_train_epochs")))
    if found := _CHECKPOINT.search(str(given.get("resume_from_checkpoint", ""))):
        told["first_step"] = int(found[1]) + 1
    if (saves := given.get("save_strategy", "steps")) == "no":
        told["saves"] = False
    elif saves != "steps":
        unused.append("save_strategy")
    decay = given["lr_scheduler_type"]
    if decay in _DECAYS:
        told |= {"decay": decay, "final_lr": 0.0}
    else:
        unused.append("lr_scheduler_type")
    warmup = _number(given, "warmup_steps")  # below 1 it is a share of the steps
    told["warmup"] = int(warmup * told.get("steps", 0)) if warmup < 1 else int(warmup)
    if "warmup_ratio" in given and "steps" in told and not given["warmup_steps"]:
        told["warmup"] = int(_number(given, "warmup_ratio") * told["steps"])
    elif given.get("warmup_ratio"):
        unused.append("warmup_ratio")
    return told


def _number(given: Given, name: str) -> float:
    if not isinstance(given[name], int | float) or not isfinite(given[name]):
        raise ValueError(f"its {name} is no number")  # a reader raises one kind
    return float(given[name])
