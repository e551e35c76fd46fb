"""Whose log a run can speak, and which jobs suit it. A dialect's lines are in dialects/."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from llmsim.catalog.records import Gpu, Model
from llmsim.dialects.line import Tell
from llmsim.job.layout import Parallelism
from llmsim.job.recipes import AUTO, RECIPES
from llmsim.model.architecture import Family
from llmsim.typed import Literal, NamedTuple

Device = Literal["GPU", "NVIDIA GPU", "TPU"]

TEXT = ("pretrain", "continue")


class Voice(NamedTuple):
    """What a framework is for."""

    meaning: str
    recipes: tuple[str, ...]
    device: Device = "GPU"
    every_step: bool = False  # it logs each step, so its runs are shorter
    saves_first: bool = False  # it counts steps from 0 and saves whenever an interval divides them
    idle: int = 0  # steps at the start without a learning rate, where schedules count from 0
    waits_for_saves: bool = False  # it has no checkpoints in the background
    ramps: bool = False  # its batch can grow
    validates_first: bool = False  # it validates after step 1, and not for the end's sake
    validates: bool = True  # between steps, and not only at the end
    evaluates: bool = False  # it can run its benchmarks at every validation
    gc_every: int = 0  # it collects garbage itself, after so many steps; 0: Python does
    saves_what_it_validates: bool = False  # a save follows each validation
    prepares_alone: bool = False  # one process maps its data, pass by pass
    shard_gb: int = 5  # the largest file that a model is exported to
    dense: bool = False  # it has no mixtures of experts
    family: Family = "llama"  # what its models are built like
    biases: bool = False  # its GPT-2 has biases
    largest: int = 0  # weights of the largest model that people train with it; 0 is any
    gpus: tuple[str, ...] = ()  # those that it knows by name, which are drawn for it; () is all
    parallelism: Parallelism = Parallelism()
    share: int = 1  # how often "auto" takes it, against the others' 1


# ZeRO-1 over data ranks, tensors and stages split, gradients added up in fp32.
MEGATRON = Parallelism(("ddp", "zero1"), "zero1", fp32_gradients=True)

# DDP, ZeRO-1 or FSDP, as a trainer of models that it has not written; layers recomputed whole.
DATA_ALONE = Parallelism(split=None, recomputes=("none", "full"))

HOUSE = "pytorch"  # the dialect that tells all
VOICES = {
    HOUSE: Voice(
        "a good lab's own train.py under torchrun: tells all, fits any width",
        tuple(RECIPES),
        ramps=True,
        evaluates=True,
        gc_every=50,
        share=14,
    ),
    "torchtitan": Voice(
        "torchtitan v0.2, PyTorch's own trainer, in its 24-bit colours",
        TEXT,
        validates_first=True,
        gc_every=50,
    ),
    "megatron": Voice(
        "Megatron-LM: NCCL's INFO lines, all arguments, timers, E+00 losses",
        TEXT,
        ramps=True,
        parallelism=MEGATRON,
    ),
    "nanotron": Voice(
        "nanotron, three digits and a letter, every iteration",
        TEXT,
        every_step=True,
        waits_for_saves=True,
        validates=False,
        parallelism=MEGATRON._replace(whole=("zero1",), recomputes=("none", "full")),
    ),
    "olmo": Voice(
        "OLMo, a block of name=value lines a step", TEXT, parallelism=Parallelism(split=None)
    ),
    "deepspeed": Voice(
        "DeepSpeed under its launcher: ZeRO's memory, unrounded samples/s",
        (*TEXT, "sft"),
        waits_for_saves=True,
        parallelism=Parallelism(
            ("zero1", "zero2", "zero3"), "zero1", False, False, ("none", "full")
        ),
    ),
    "maxtext": Voice(
        "MaxText on TPUs: a line of seconds, TFLOP/s and loss each step",
        ("pretrain",),
        device="TPU",
        every_step=True,
        saves_first=True,
    ),
    "mlperf": Voice("MLPerf's :::MLLOG lines, which its compliance checker reads", ("pretrain",)),
    "hf": Voice(
        "Hugging Face's Trainer (transformers 5): dicts above one bar",
        (*TEXT, "sft", "lora"),
        idle=1,
        shard_gb=50,  # transformers 5, modeling_utils.py: max_shard_size
        waits_for_saves=True,
        parallelism=DATA_ALONE,
    ),
    "trl": Voice(
        "TRL's trainers (1.16): rewards, entropies and tokens in dicts",
        ("sft", "lora", "dpo", "grpo"),
        idle=1,
        prepares_alone=True,
        shard_gb=50,
        waits_for_saves=True,
        parallelism=DATA_ALONE,
    ),
    "nanogpt": Voice(
        "nanoGPT's train.py: a loss, a time and a running MFU",
        ("pretrain",),
        waits_for_saves=True,
        saves_what_it_validates=True,
        dense=True,
        family="gpt2",
        largest=1_000_000_000,
        parallelism=Parallelism(("ddp",), None, recomputes=("none",), fp32_logits=True),
    ),
    "llmc": Voice(
        "llm.c: a table of the configuration, then z-scores at every step",
        ("pretrain",),
        every_step=True,
        waits_for_saves=True,
        dense=True,
        family="gpt2",
        biases=True,
        largest=1_000_000_000,
        gpus=(
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
    "lightning": Voice(
        "PyTorch Lightning: a table of the model, then one tqdm bar an epoch",
        (*TEXT, "sft"),
        waits_for_saves=True,
        parallelism=DATA_ALONE,
    ),
    "nemo": Voice(
        "NeMo 2: keys and values of every iteration, four digits each",
        (*TEXT, "sft"),
        device="NVIDIA GPU",
        parallelism=MEGATRON,
    ),
}
NAMES = tuple(VOICES)

# A package of somebody else adds a dialect by an entry point of this group: a name, and a
# module that has VOICE, a Voice, and LINES, as the modules in dialects/ have. The voice's
# `parallelism` says how its framework can split a model: left out, in any way.
PLUGINS = "llmsim.dialects"


def plugin(name: str) -> ModuleType | None:
    """The module of a dialect that another package brings along; None if there is none."""
    from importlib.metadata import entry_points  # slow: only for a name that is not ours

    for entry in entry_points(group=PLUGINS, name=name):
        module: ModuleType = entry.load()
        return module
    return None


def lines_of(name: str) -> Mapping[type, Tell]:
    """The event-to-lines table of a dialect that VOICES lists, or another package has."""
    module = import_module(f"llmsim.dialects.{name}.lines") if name in VOICES else plugin(name)
    if module is None:
        raise KeyError(f"there is no dialect {name!r}")
    table: Mapping[type, Tell] = module.LINES
    return table


def voice_of(dialect: str) -> Voice:
    """The voice of a dialect of ours or of another package; of one that is nobody's the house's."""
    if dialect in VOICES:
        return VOICES[dialect]
    voice: Voice | None = getattr(plugin(dialect), "VOICE", None)
    return voice or VOICES[HOUSE]


def runs_on(voice: Voice, gpu: Gpu) -> bool:
    """Whether a framework works on a catalogue's entry."""
    if gpu.name.startswith("TPU"):
        return voice.device == "TPU"
    return voice.device == "GPU" or (voice.device == "NVIDIA GPU" and "NVIDIA" in gpu.name)


def suits(voice: Voice, model: Model) -> bool:
    """Whether people train models like this one with a framework."""
    small = not voice.largest or model.parameters <= voice.largest
    return small and not (voice.dense and model.experts > 1)


def suiting(recipe: str, gpu: Gpu | None, model: Model | None = None) -> tuple[str, ...]:
    """The voices that suit a recipe, a GPU and a model; "auto" and None are content with any.

    A name stands there as many times as "auto" should take it against the others.
    """
    recipes = set(AUTO) if recipe == "auto" else {recipe}
    return tuple(
        name
        for name, voice in VOICES.items()
        if recipes.intersection(voice.recipes)
        and (gpu is None or runs_on(voice, gpu))
        and (gpu is None or not voice.gpus or gpu.name in voice.gpus)
        and (model is None or suits(voice, model))
        for _ in range(voice.share)
    )
