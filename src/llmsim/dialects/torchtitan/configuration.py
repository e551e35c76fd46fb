"""torchtitan's TOML: torchtitan/config/job_config.py has the names and defaults (v0.1 and v0.2)."""

from llmsim.dialects.configurations import Configuration, Given, flat, sorted_into
from llmsim.typed import Any

# What a file does not say is as in torchtitan's JobConfig.
_DEFAULTS = {
    "metrics.log_freq": 10,
    "optimizer.lr": 8e-4,
    "lr_scheduler.warmup_steps": 200,
    "lr_scheduler.decay_type": "linear",
    "lr_scheduler.min_lr_factor": 0.0,
    "training.local_batch_size": 8,
    "training.seq_len": 2048,
    "training.steps": 10_000,
    "parallelism.tensor_parallel_degree": 1,
    "parallelism.pipeline_parallel_degree": 1,
    "parallelism.pipeline_parallel_microbatch_size": 1,
    "parallelism.pipeline_parallel_schedule": "1F1B",
    "parallelism.context_parallel_degree": 1,
    "parallelism.expert_parallel_degree": 1,
    "training.dtype": "float32",
    "compile.enable": False,
    "checkpoint.interval": 500,
    "activation_checkpoint.mode": "selective",
}
_OLD_NAMES = {
    "training.batch_size": "training.local_batch_size",
    "lr_scheduler.lr_min": "lr_scheduler.min_lr_factor",
    "checkpoint.enable_checkpoint": "checkpoint.enable",
    "training.compile": "compile.enable",
    "validation.enabled": "validation.enable",
}
_PLACES = {
    "metrics.log_freq": ("schedule", "log_every"),
    "optimizer.lr": ("schedule", "peak_lr"),
    "lr_scheduler.warmup_steps": ("schedule", "warmup"),
    "training.seq_len": ("batch", "sequence"),
    "training.steps": ("schedule", "steps"),
    "parallelism.tensor_parallel_degree": ("parallel", "tp"),
    "parallelism.pipeline_parallel_degree": ("parallel", "pp"),
    "parallelism.context_parallel_degree": ("parallel", "cp"),
    "parallelism.expert_parallel_degree": ("parallel", "ep"),
    "activation_checkpoint.mode": ("parallel", "recompute"),
}
_USED = (
    "model.name", "model.flavor", "lr_scheduler.decay_type", "lr_scheduler.decay_ratio",
    "lr_scheduler.min_lr_factor", "training.local_batch_size", "training.global_batch_size",
    "training.dataset", "parallelism.data_parallel_replicate_degree",
    "parallelism.data_parallel_shard_degree", "parallelism.pipeline_parallel_microbatch_size",
    "checkpoint.interval", "checkpoint.enable", "checkpoint.async_mode", "checkpoint.load_step",
    "validation.enable", "validation.freq", "compile.enable", "model.converters", "training.dtype",
    "parallelism.pipeline_parallel_schedule", "parallelism.pipeline_parallel_layers_per_stage",
)  # fmt: skip
# Of the names of model converters: what they multiply matrices in (float8, quantize.linear.mx ...).
_CONVERTERS = {"float8": "fp8", "mx": "mxfp8"}
_DTYPES = {"float32": "fp32", "bfloat16": "bf16"}
# torchtitan/models/llama3/__init__.py: layers, hidden size, heads, heads of keys, feed-forward.
_LLAMA_3 = {
    "1B": (16, 2048, 32, 8, 8192),
    "3B": (28, 3072, 24, 8, 8192),
    "8B": (32, 4096, 32, 8, 14_336),
    "70B": (80, 8192, 64, 8, 28_672),
    "405B": (126, 16_384, 128, 8, 53_248),
}
# torchtitan/models/qwen3/__init__.py: the same, and whether the embeddings are one; heads of 128.
_QWEN_3 = {
    "0.6B": (28, 1024, 16, 8, 3072, True),
    "1.7B": (28, 2048, 16, 8, 6144, True),
    "4B": (36, 2560, 32, 8, 9728, True),
    "8B": (36, 4096, 32, 8, 12_288, False),
    "14B": (40, 5120, 40, 8, 17_408, False),
    "32B": (64, 5120, 64, 8, 25_600, False),
}
# torchtitan/models/deepseek_v3/__init__.py: layers, hidden size, heads, width of an expert,
# experts, visited and shared ones, dense layers, latent of queries, tokens of the vocabulary.
_DEEPSEEK_V3 = {
    "16B": (27, 2048, 16, 1408, 64, 6, 2, 1, 0, 102_400),
    "236B": (60, 5120, 128, 1536, 160, 6, 2, 1, 1536, 102_400),
    "671B": (61, 7168, 128, 2048, 256, 8, 1, 3, 1536, 129_280),
}
_DEEPSEEK_KEYS = (
    "layers", "hidden_size", "heads", "ffn", "experts", "active_experts", "shared_experts",
    "dense_layers", "query_latent", "vocabulary",
)  # fmt: skip
_DATASETS = {"c4": "C4", "c4_test": "C4"}


def read_tables(tables: Given) -> Configuration:
    """The job of a torchtitan file. Raises ValueError for what torchtitan would not take."""
    given = _DEFAULTS | {_OLD_NAMES.get(name, name): value for name, value in flat(tables).items()}
    read = sorted_into(given, _PLACES, _USED)
    job, unused = read.tables, [*read.unused]
    job["framework"] = {"dialect": "torchtitan"}
    job["recipe"] = {"name": "pretrain"}
    job["model"] = _model(given)
    job["parallel"] |= _data_parallel(given) | _pieces(given, job["model"], unused)
    job["precision"] = _precision(given, unused)
    job["batch"] |= _batch(given)
    job["schedule"] |= _rates(given, unused) | _pauses(given)
    if (dataset := given.get("training.dataset")) in _DATASETS:
        job["data"] = {"name": _DATASETS[dataset]}
    elif dataset is not None:
        unused.append("training.dataset")
    return Configuration(job, tuple(unused))


def _model(given: Given) -> dict[str, Any]:
    name, flavor = given.get("model.name"), given.get("model.flavor")
    if not isinstance(name, str) or not isinstance(flavor, str):
        return {}
    keys = ("layers", "hidden_size", "heads", "kv_heads", "ffn")
    if name == "llama3" and flavor in _LLAMA_3:
        sizes = dict(zip(keys, _LLAMA_3[flavor], strict=True))
        return {"name": f"{name}-{flavor}", **sizes, "vocabulary": 128_256, "tied": False}
    told: dict[str, Any] = {"name": f"{name}-{flavor}".replace("_", "-")}
    if name == "qwen3" and flavor in _QWEN_3:
        told |= dict(zip((*keys, "tied"), _QWEN_3[flavor], strict=True))
        told |= {"head_dim": 128, "vocabulary": 151_936}
    elif name == "deepseek_v3" and flavor in _DEEPSEEK_V3:
        told |= dict(zip(_DEEPSEEK_KEYS, _DEEPSEEK_V3[flavor], strict=True))
        told |= {"kv_heads": told["heads"], "head_dim": 128, "kv_latent": 512, "rope_dim": 64}
        told["tied"] = False
    return told


def _data_parallel(given: Given) -> dict[str, Any]:
    """Data ranks, where they are said, and whether they share the weights, all or in replicas."""
    copies = given.get("parallelism.data_parallel_replicate_degree", 1)
    shards = given.get("parallelism.data_parallel_shard_degree", -1)
    if not isinstance(copies, int) or not isinstance(shards, int):
        raise ValueError("its data-parallel degrees are no whole numbers")  # noqa: TRY004  # readers raise one kind
    if copies > 1 and shards != 1:
        hybrid: dict[str, Any] = {"sharding": "hsdp", "replicas": copies}
        return hybrid | ({"dp": copies * shards} if shards > 0 else {})
    told: dict[str, Any] = {"sharding": "ddp" if copies > 1 else "fsdp2"}
    return told | ({"dp": copies * shards} if shards > 0 else {})


def _pieces(given: Given, model: Given, unused: list[str]) -> dict[str, Any]:
    """Pieces of the model on a stage of a pipeline: one in 1F1B, two or as said in a loop."""
    name = "parallelism.pipeline_parallel_schedule"
    stages, schedule = given["parallelism.pipeline_parallel_degree"], given[name]
    if stages == 1:
        return {}
    if schedule not in ("1F1B", "Interleaved1F1B"):
        unused.append(name)
    if schedule != "Interleaved1F1B":
        return {"interleave": 1}
    each, layers = given.get("parallelism.pipeline_parallel_layers_per_stage"), model.get("layers")
    if not isinstance(each, int) or not isinstance(layers, int) or not isinstance(stages, int):
        return {"interleave": 2}
    return {"interleave": max(1, round(layers / max(1, each) / max(1, stages)))}


def _precision(given: Given, unused: list[str]) -> dict[str, Any]:
    """What converters multiply matrices in, and what the states are in."""
    converters = given.get("model.converters", [])
    if not isinstance(converters, list):
        raise ValueError("its model converters are no list")  # noqa: TRY004  # readers raise one kind
    told: dict[str, Any] = {"compute": "bf16", "compiled": bool(given["compile.enable"])}
    for converter in converters:
        kind = str(converter).rpartition(".")[2]
        if kind in _CONVERTERS:
            told["compute"] = _CONVERTERS[kind]
        else:
            unused.append("model.converters")
    if given["training.dtype"] in _DTYPES:
        told["states"] = _DTYPES[given["training.dtype"]]
    else:
        unused.append("training.dtype")
    return told


def _batch(given: Given) -> dict[str, Any]:
    """A rank's batch is one micro-batch, or is cut into small ones for the stages of a pipeline."""
    local, whole = given["training.local_batch_size"], given.get("training.global_batch_size", -1)
    micro = local
    if given["parallelism.pipeline_parallel_degree"] != 1:
        micro = given["parallelism.pipeline_parallel_microbatch_size"]
    if not all(isinstance(size, int) for size in (local, whole, micro)) or micro < 1:
        raise ValueError("its batch sizes are no whole numbers")
    if whole > 0:
        return {"micro": micro, "global": whole}
    return {"micro": micro, "accumulation": max(1, local // micro)}


def _rates(given: Given, unused: list[str]) -> dict[str, Any]:
    """How the rate falls. `decay_ratio` keeps it up to the last part: warmup, stable, decay."""
    kind, least = given["lr_scheduler.decay_type"], given["lr_scheduler.min_lr_factor"]
    peak = given["optimizer.lr"]
    if not isinstance(least, int | float) or not isinstance(peak, int | float):
        raise ValueError("its learning rates are no numbers")  # noqa: TRY004  # readers raise one kind
    if given.get("lr_scheduler.decay_ratio") is not None:
        decay = "wsd"
    elif kind in ("linear", "cosine"):
        decay = kind
    else:
        decay = "linear"
        unused.append("lr_scheduler.decay_type")
    return {"decay": decay, "final_lr": float(f"{peak * least:.6g}")}


def _pauses(given: Given) -> dict[str, Any]:
    steps = given["training.steps"]
    saves, validates = given.get("checkpoint.enable"), given.get("validation.enable")
    loaded = given.get("checkpoint.load_step", -1)
    resumed = {"first_step": loaded + 1} if isinstance(loaded, int) and loaded > 0 else {}
    return resumed | {
        "saves": bool(saves or resumed),
        "save_every": given["checkpoint.interval"] if saves else steps,
        "background_saves": given.get("checkpoint.async_mode", "disabled") != "disabled",
        "validates": bool(validates),
        "validate_every": given.get("validation.freq", 10) if validates else steps,
    }
