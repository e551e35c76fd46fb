"""Megatron-LM's arguments, in a shell script or any text: megatron/training/arguments.py."""

import re
from collections.abc import Mapping
from math import ceil

from llmsim.dialects.configurations import Configuration, Given, sorted_into
from llmsim.dialects.megatron.batch import asked_of_slurm, cluster_of, time_of
from llmsim.dialects.megatron.shell import Script, is_unknown, read_script
from llmsim.text.wording import either
from llmsim.typed import Any

_PLACES = {
    "num-layers": ("model", "layers"),
    "hidden-size": ("model", "hidden_size"),
    "num-attention-heads": ("model", "heads"),
    "num-query-groups": ("model", "kv_heads"),
    "kv-channels": ("model", "head_dim"),
    "ffn-hidden-size": ("model", "ffn"),
    "vocab-size": ("model", "vocabulary"),
    "max-position-embeddings": ("model", "context"),
    "num-experts": ("model", "experts"),
    "moe-router-topk": ("model", "active_experts"),
    "moe-ffn-hidden-size": ("model", "ffn"),
    "kv-lora-rank": ("model", "kv_latent"),
    "q-lora-rank": ("model", "query_latent"),
    "qk-head-dim": ("model", "head_dim"),
    "qk-pos-emb-head-dim": ("model", "rope_dim"),
    "seq-length": ("batch", "sequence"),
    "micro-batch-size": ("batch", "micro"),
    "global-batch-size": ("batch", "global"),
    "train-iters": ("schedule", "steps"),
    "lr": ("schedule", "peak_lr"),
    "min-lr": ("schedule", "final_lr"),
    "lr-warmup-iters": ("schedule", "warmup"),
    "log-interval": ("schedule", "log_every"),
    "eval-interval": ("schedule", "validate_every"),
    "eval-iters": ("schedule", "validation_batches"),
    "save-interval": ("schedule", "save_every"),
    "tensor-model-parallel-size": ("parallel", "tp"),
    "pipeline-model-parallel-size": ("parallel", "pp"),
    "context-parallel-size": ("parallel", "cp"),
    "expert-model-parallel-size": ("parallel", "ep"),
    "nproc-per-node": ("cluster", "gpus_per_node"),
}
_USED = (
    "nnodes", "train-samples", "lr-warmup-samples", "lr-warmup-fraction", "lr-decay-style",
    "use-distributed-optimizer", "recompute-granularity", "recompute-activations",
    "group-query-attention", "untie-embeddings-and-output-weights", "swiglu", "bf16",
    "disable-bias-linear",
    "sequence-parallel", "fp8-format", "fp8-recipe", "fp16", "attention-backend",
    "num-layers-per-virtual-pipeline-stage", "num-virtual-stages-per-pipeline-rank",
    "multi-latent-attention", "v-head-dim", "moe-shared-expert-intermediate-size",
    "moe-layer-freq", "ckpt-step", "exit-interval", "exit-duration-in-mins",
    "account-for-embedding-in-pipeline-split", "account-for-loss-in-pipeline-split", "save",
)  # fmt: skip
# What Megatron-LM's own parser gives where a script says nothing (arguments.py).
_UNSAID = {"log_every": 100, "validate_every": 1000, "validation_batches": 100, "final_lr": 0.0}
_LATENT = ("kv_latent", "query_latent", "rope_dim")
_MOST = 1e18  # of samples and steps, more than any run has
_DENSE = re.compile(r"\[0\]\*(\d+)")  # in --moe-layer-freq ([0]*3+[1]*58): the dense layers
# The words that an argument takes, by core_v0.12.0's argparse and later releases' (arguments.py).
_WORDS = {
    "fp8-format": ("e4m3", "hybrid"),
    "fp8-recipe": ("tensorwise", "delayed", "mxfp8", "blockwise", "custom"),
    "lr-decay-style": ("constant", "linear", "cosine", "inverse-square-root", "WSD"),
    "recompute-granularity": ("full", "selective"),
}
_PIECES = ("num-layers-per-virtual-pipeline-stage", "num-virtual-stages-per-pipeline-rank")
_COUNTED = ("account-for-embedding-in-pipeline-split", "account-for-loss-in-pipeline-split")
_DECAYS = {"cosine": "cosine", "linear": "linear", "WSD": "wsd"}


def read_arguments(text: str) -> Configuration:
    """The job of an argument list. Raises ValueError for a number that is none."""
    script = read_script(text)
    given = _arguments(script)
    saves = "save" in given  # a path, which has no effect here
    unknown = [*_without_unknown(given), *script.unknown]
    _refuse(given)
    read = sorted_into(given, _PLACES, _USED)
    job, unused = read.tables, [*read.unused]
    for section in ("model", "batch", "schedule", "parallel", "cluster"):
        job.setdefault(section, {})
    job["framework"] = {"dialect": "megatron"}
    job["recipe"] = {"name": "pretrain"}
    job["model"] |= _model(given, job["model"])
    job["schedule"] |= _schedule(given, job, unused) | ({} if saves else {"saves": False})
    job["parallel"] |= _parallel(given, job)
    job["precision"] = _precision(given)
    nodes, each = given.get("nnodes"), job["cluster"].get("gpus_per_node")
    if isinstance(nodes, int) and isinstance(each, int):
        job["cluster"]["gpus"] = nodes * each
    asked = asked_of_slurm(text)
    if nodes is None and each is None:
        job["cluster"] |= cluster_of(asked)
    if limit := time_of(asked):
        job["schedule"]["time_limit"] = limit
    return Configuration(job, (*unknown, *(f"--{name}" for name in unused)))


def _arguments(script: Script) -> dict[str, Any]:
    """The arguments by their names, with - for _; True where one has no value."""
    given: dict[str, Any] = {}
    name = ""
    for each in script.words:
        word = each if is_unknown(each) else each.strip("\"'()\\,")
        if word.startswith("--") and len(word) > 2:
            name, _, value = word[2:].partition("=")
            name = name.replace("_", "-")
            given[name] = _value(value) if value else True
        elif name and word and given[name] is True:
            given[name] = _value(word)
    return given


def _without_unknown(given: dict[str, Any]) -> list[str]:
    """Takes away the arguments whose values only a running shell knows, and gives them.

    Raises ValueError for one without which the plan would be another.
    """
    unknown = [name for name, value in given.items() if is_unknown(str(value))]
    said = []
    for name in unknown:
        if name in _PLACES and name != "nproc-per-node":
            raise ValueError(
                f"--{name} is {given[name]}, which nothing in it sets: write its value"
            )
        if name in _PLACES or name in _USED:
            said.append(f"--{name} {given.pop(name)}")
    return said


def _refuse(given: Given) -> None:
    """Raises ValueError for what Megatron-LM's own parser and validate_args refuse."""
    if given.get("bf16") and given.get("fp16"):
        raise ValueError("--bf16 and --fp16 are both given: Megatron-LM takes one of them")
    layers, stages = _PIECES
    if layers in given and stages in given:
        raise ValueError(f"--{layers} and --{stages} are both given: Megatron-LM takes one of them")
    for name, words in _WORDS.items():
        if name in given and given[name] not in words:
            raise ValueError(f"--{name} cannot be {given[name]}: give {either(words)}")


def _value(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _mixture(given: Given, sizes: dict[str, Any], each: object) -> dict[str, Any]:
    """Shared experts, in experts of `each` width, and dense layers; the sizes of latent attention
    count where it is chosen.
    """
    told: dict[str, Any] = {}
    if "multi-latent-attention" not in given:
        for name in _LATENT:
            sizes.pop(name, None)
    shared = given.get("moe-shared-expert-intermediate-size")
    if isinstance(shared, int) and isinstance(each, int) and each > 0:
        told["shared_experts"] = round(shared / each)
    if found := _DENSE.match(str(given.get("moe-layer-freq", ""))):
        told["dense_layers"] = int(found[1])
    return told


def _model(given: Given, sizes: dict[str, Any]) -> dict[str, Any]:
    """What Megatron derives: tied embeddings, 4 times the width, 8/3 of it with SwiGLU.

    Without SwiGLU the model is a GPT: two matrices a block, with biases unless they are disabled.
    """
    told: dict[str, Any] = {"tied": "untie-embeddings-and-output-weights" not in given}
    if "swiglu" not in given:
        told |= {"family": "gpt2", "biases": "disable-bias-linear" not in given}
    width = sizes.get("hidden_size")
    if "ffn" not in sizes and isinstance(width, int):
        told["ffn"] = int(4 * width * 2 / 3 / 64) * 64 if "swiglu" in given else 4 * width
    if "kv_heads" not in sizes or "group-query-attention" not in given:
        told["kv_heads"] = sizes.get("heads")
    if "num-experts" in given:
        told |= _mixture(given, sizes, sizes.get("ffn", told.get("ffn")))
    return {key: value for key, value in told.items() if value is not None}


def _schedule(given: Given, job: dict[str, dict[str, Any]], unused: list[str]) -> dict[str, Any]:
    """Steps and warmup from samples and shares, and how the rate falls (linear by default)."""
    told: dict[str, Any] = {"decay": _DECAYS.get(given.get("lr-decay-style", "linear"))}
    if told["decay"] is None:
        del told["decay"]
        unused.append("lr-decay-style")
    steps, batch = job["schedule"].get("steps"), None
    if "global-batch-size" in given:
        batch = _number(given, "global-batch-size")
    if batch is None and ("train-samples" in given or "lr-warmup-samples" in given):
        raise ValueError("it counts samples, and says no --global-batch-size")
    if "train-samples" in given and steps is None:
        steps = told["steps"] = ceil(_number(given, "train-samples") / (batch or 1))
    if "lr-warmup-samples" in given:
        told["warmup"] = ceil(_number(given, "lr-warmup-samples") / (batch or 1))
    elif "lr-warmup-fraction" in given and isinstance(steps, int):
        over = _number(given, "lr-decay-iters") if "lr-decay-iters" in given else steps
        told["warmup"] = int(_number(given, "lr-warmup-fraction") * over)
    elif "lr-warmup-iters" not in given:
        told["warmup"] = 0
    if job["schedule"].get("validation_batches") == 0:  # Megatron's log here always validates
        del job["schedule"]["validation_batches"]
        unused.append("eval-iters 0")
        if isinstance(steps, int):
            told["validate_every"] = steps
    said = job["schedule"] | told
    told |= {key: value for key, value in _UNSAID.items() if key not in said}
    return told | _exits(given, steps)


def _exits(given: Given, steps: object) -> dict[str, Any]:
    """From which checkpoint on a job goes, and where it exits before its last step."""
    told: dict[str, Any] = {}
    if "ckpt-step" in given:
        told["first_step"] = int(_number(given, "ckpt-step")) + 1
    if "exit-interval" in given and isinstance(steps, int):  # the job ends, its schedule goes on
        every, first = int(_number(given, "exit-interval")), told.get("first_step", 1)
        stop = -(-first // every) * every if every > 0 else steps
        told |= {"steps": stop, "horizon": steps} if stop < steps else {}
    if "exit-duration-in-mins" in given:
        told["exit_after"] = f"{max(1, int(_number(given, 'exit-duration-in-mins')))}m"
    return told


def _number(given: Given, name: str) -> float:
    number = given[name]
    if number is True:
        raise ValueError(f"--{name} has no number")
    if not isinstance(number, int | float) or not abs(number) < _MOST:
        raise ValueError(f"--{name} cannot be {number}: give a number")
    return float(number)


def _precision(given: Given) -> dict[str, Any]:
    """What matrices are multiplied in, and the kernel of the attention."""
    told: dict[str, Any] = {"compute": "fp16" if "fp16" in given else "bf16"}
    if "fp8-format" in given:
        told["compute"] = "mxfp8" if given.get("fp8-recipe") == "mxfp8" else "fp8"
    if given.get("attention-backend") == "unfused":
        told["attention"] = "eager"
    return told


def _pieces(given: Given, job: Mapping[str, Given]) -> int:
    """Pieces of the model on a stage of the pipeline: one without virtual stages.

    Raises ValueError for layers that validate_args finds uneven.
    """
    if _PIECES[0] not in given:
        return int(_number(given, _PIECES[1])) if _PIECES[1] in given else 1
    each = int(_number(given, _PIECES[0]))
    layers, stages = job["model"].get("layers"), job["parallel"].get("pp", 1)
    if not (isinstance(layers, int) and isinstance(stages, int)):
        return 1
    layers += sum(name in given for name in _COUNTED)  # an embedding, and a loss, like a layer
    if each < 1 or stages < 1 or layers % (stages * each):
        raise ValueError(f"--{_PIECES[0]} {each} x {stages} stages do not divide {layers} layers")
    return layers // stages // each


def _parallel(given: Given, job: Mapping[str, Given]) -> dict[str, Any]:
    recompute = given.get("recompute-granularity", "none")
    if "recompute-activations" in given:
        recompute = "selective"
    shares = "use-distributed-optimizer" in given
    told: dict[str, Any] = {"sharding": "zero1" if shares else "ddp", "recompute": recompute}
    told |= {"sequence_parallel": "sequence-parallel" in given, "interleave": _pieces(given, job)}
    defaults = {"tp": "tensor-model-parallel-size", "pp": "pipeline-model-parallel-size"}
    return told | {key: 1 for key, name in defaults.items() if name not in given}
