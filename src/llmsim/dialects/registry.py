"""The frameworks whose logs a run can have, by name, and which of them suit a job."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from llmsim.catalog.gpus import is_a
from llmsim.catalog.records import Gpu, Model
from llmsim.dialects.line import Tell
from llmsim.job.framework import DATA_PARALLEL, MEGATRON, PRETRAINING, Framework
from llmsim.job.layout import Parallelism
from llmsim.job.recipes import AUTO, RECIPES

DEFAULT = "pytorch"  # the dialect that tells all
FRAMEWORKS = {
    DEFAULT: Framework(
        DEFAULT,
        "a good lab's own train.py under torchrun: tells all, fits any width",
        tuple(RECIPES),
        ramps_batch=True,
        evaluates=True,
        gc_every=50,
        weight=14,
    ),
    "torchtitan": Framework(
        "torchtitan",
        "torchtitan v0.2, PyTorch's own trainer, in its 24-bit colours",
        PRETRAINING,
        validates_first_step=True,
        gc_every=50,
    ),
    "megatron": Framework(
        "megatron",
        "Megatron-LM: NCCL's INFO lines, all arguments, timers, E+00 losses",
        PRETRAINING,
        ramps_batch=True,
        parallelism=MEGATRON,
    ),
    "nanotron": Framework(
        "nanotron",
        "nanotron, three digits and a letter, every iteration",
        PRETRAINING,
        logs_every_step=True,
        blocking_checkpoints=True,
        validates=False,
        parallelism=MEGATRON._replace(whole=("zero1",), recomputes=("none", "full")),
    ),
    "olmo": Framework(
        "olmo",
        "OLMo, a block of name=value lines a step",
        PRETRAINING,
        parallelism=Parallelism(split=None),
    ),
    "deepspeed": Framework(
        "deepspeed",
        "DeepSpeed under its launcher: ZeRO's memory, unrounded samples/s",
        (*PRETRAINING, "sft"),
        blocking_checkpoints=True,
        parallelism=Parallelism(
            ("zero1", "zero2", "zero3"), "zero1", False, False, ("none", "full")
        ),
    ),
    "maxtext": Framework(
        "maxtext",
        "MaxText on TPUs: a line of seconds, TFLOP/s and loss each step",
        ("pretrain",),
        device="TPU",
        logs_every_step=True,
        saves_first_step=True,
    ),
    "mlperf": Framework(
        "mlperf", "MLPerf's :::MLLOG lines, which its compliance checker reads", ("pretrain",)
    ),
    "hf": Framework(
        "hf",
        "Hugging Face's Trainer (transformers 5): dicts above one bar",
        (*PRETRAINING, "sft", "lora"),
        lr_lag_steps=1,
        max_shard_gb=50,  # transformers 5, modeling_utils.py: max_shard_size
        blocking_checkpoints=True,
        parallelism=DATA_PARALLEL,
    ),
    "trl": Framework(
        "trl",
        "TRL's trainers (1.16): rewards, entropies and tokens in dicts",
        ("sft", "lora", "dpo", "grpo"),
        lr_lag_steps=1,
        single_process_map=True,
        max_shard_gb=50,
        blocking_checkpoints=True,
        parallelism=DATA_PARALLEL,
    ),
    "nanogpt": Framework(
        "nanogpt",
        "nanoGPT's train.py: a loss, a time and a running MFU",
        ("pretrain",),
        blocking_checkpoints=True,
        saves_with_validation=True,
        dense_only=True,
        model_family="gpt2",
        max_parameters=1_000_000_000,
        parallelism=Parallelism(("ddp",), None, recomputes=("none",), fp32_logits=True),
    ),
    "llmc": Framework(
        "llmc",
        "llm.c: a table of the configuration, then z-scores at every step",
        ("pretrain",),
        logs_every_step=True,
        blocking_checkpoints=True,
        dense_only=True,
        model_family="gpt2",
        has_biases=True,
        max_parameters=1_000_000_000,
        known_gpus=(
            "NVIDIA A100-PCIE-40GB",
            "NVIDIA A100-SXM4-40GB",
            "NVIDIA A100-SXM4-80GB",
            "NVIDIA RTX A6000",
            "NVIDIA GeForce RTX 3090",
            "NVIDIA GeForce RTX 4090",
            "NVIDIA H100 PCIe",
            "NVIDIA H100 80GB HBM3",
        ),  # llmc/mfu.h
        parallelism=Parallelism(("ddp", "zero1"), None, recomputes=("none", "selective")),
    ),
    "lightning": Framework(
        "lightning",
        "PyTorch Lightning: a table of the model, then one tqdm bar an epoch",
        (*PRETRAINING, "sft"),
        blocking_checkpoints=True,
        parallelism=DATA_PARALLEL,
    ),
    "nemo": Framework(
        "nemo",
        "NeMo 2: keys and values of every iteration, four digits each",
        (*PRETRAINING, "sft"),
        device="NVIDIA GPU",
        parallelism=MEGATRON,
    ),
}
NAMES = tuple(FRAMEWORKS)

# A package of somebody else adds a dialect by an entry point of this group: a name, and a
# module that has FRAMEWORK, a Framework, and LINES, as lines.py of a folder in dialects/ has.
PLUGINS = "llmsim.dialects"


def plugin(name: str) -> ModuleType | None:
    """The module of a dialect that another package brings along; None if there is none."""
    from importlib.metadata import entry_points  # slow: only for a name that is not ours

    for entry in entry_points(group=PLUGINS, name=name):
        module: ModuleType = entry.load()
        return module
    return None


def lines_of(name: str) -> Mapping[type, Tell]:
    """The event-to-lines table of a dialect that FRAMEWORKS lists, or another package has."""
    module = import_module(f"llmsim.dialects.{name}.lines") if name in FRAMEWORKS else plugin(name)
    if module is None:
        raise KeyError(f"there is no dialect {name!r}")
    table: Mapping[type, Tell] = module.LINES
    return table


def framework_of(name: str) -> Framework:
    """The framework of this name, ours or another package's.

    An unknown name, and a package without a framework, get the default one.
    """
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    framework: Framework | None = getattr(plugin(name), "FRAMEWORK", None)
    return framework or FRAMEWORKS[DEFAULT]


def frameworks() -> tuple[Framework, ...]:
    """All frameworks of this package, in the order in which lists show them."""
    return tuple(FRAMEWORKS.values())


def runs_on(framework: Framework, gpu: Gpu) -> bool:
    """Whether a framework works on a catalogue's entry."""
    return is_a(gpu, framework.device)


def suits(framework: Framework, model: Model) -> bool:
    """Whether people train models like this one with a framework."""
    small = not framework.max_parameters or model.parameters <= framework.max_parameters
    return small and not (framework.dense_only and model.experts > 1)


def suiting(recipe: str, gpu: Gpu | None, model: Model | None = None) -> tuple[str, ...]:
    """The frameworks that suit a recipe, a GPU and a model; "auto" and None are content with any.

    A name stands there as many times as "auto" should take it against the others.
    """
    recipes = set(AUTO) if recipe == "auto" else {recipe}
    return tuple(
        name
        for name, framework in FRAMEWORKS.items()
        if recipes.intersection(framework.recipes)
        and (gpu is None or runs_on(framework, gpu))
        and (gpu is None or not framework.known_gpus or gpu.name in framework.known_gpus)
        and (model is None or suits(framework, model))
        for _ in range(framework.weight)
    )
