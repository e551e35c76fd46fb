"""Whose log a run can speak, and which jobs suit it. A dialect's lines are in dialects/."""

from types import ModuleType

from llmsim.catalog import Gpu
from llmsim.recipes import AUTO, RECIPES
from llmsim.typed import Literal, NamedTuple

Device = Literal["GPU", "TPU"]

TEXT = ("pretrain", "continue")


class Voice(NamedTuple):
    """What a framework is for."""

    meaning: str
    recipes: tuple[str, ...]
    device: Device = "GPU"
    every_step: bool = False  # it logs each step, so its runs are shorter
    saves_first: bool = False  # it counts steps from 0 and saves whenever an interval divides them
    waits_for_saves: bool = False  # it has no checkpoints in the background
    ramps: bool = False  # its batch can grow
    share: int = 1  # how often "auto" takes it, against the others' 1


VOICES = {
    "pytorch": Voice(
        "a good lab's own train.py under torchrun: tells all, fits any width",
        tuple(RECIPES),
        ramps=True,
        share=14,
    ),
    "torchtitan": Voice("torchtitan v0.2, PyTorch's own trainer, in its 24-bit colours", TEXT),
    "megatron": Voice(
        "Megatron-LM: NCCL's INFO lines, all arguments, timers, E+00 losses", TEXT, ramps=True
    ),
    "nanotron": Voice(
        "nanotron, three digits and a letter, every iteration", TEXT, every_step=True
    ),
    "olmo": Voice("OLMo, a block of name=value lines a step", TEXT),
    "deepspeed": Voice(
        "DeepSpeed under its launcher: ZeRO's memory, unrounded samples/s",
        (*TEXT, "sft"),
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
        waits_for_saves=True,
    ),
    "trl": Voice(
        "TRL's trainers (1.16): rewards, entropies and tokens in dicts",
        ("sft", "lora", "dpo", "grpo"),
        waits_for_saves=True,
    ),
    "nanogpt": Voice(
        "nanoGPT's train.py: a loss, a time and a running MFU", ("pretrain",), waits_for_saves=True
    ),
    "llmc": Voice(
        "llm.c: a table of the configuration, then z-scores at every step",
        ("pretrain",),
        every_step=True,
        waits_for_saves=True,
    ),
    "lightning": Voice(
        "PyTorch Lightning: a table of the model, then one tqdm bar an epoch",
        (*TEXT, "sft"),
        waits_for_saves=True,
    ),
    "nemo": Voice("NeMo 2: keys and values of every iteration, four digits each", (*TEXT, "sft")),
}
NAMES = tuple(VOICES)

# A package of somebody else adds a dialect by an entry point of this group: a name, and a
# module that has VOICE, a Voice, and LINES, as the modules in dialects/ have.
PLUGINS = "llmsim.dialects"


def plugin(name: str) -> ModuleType | None:
    """The module of a dialect that another package brings along; None if there is none."""
    from importlib.metadata import entry_points  # slow: only for a name that is not ours

    for entry in entry_points(group=PLUGINS, name=name):
        module: ModuleType = entry.load()
        return module
    return None


def voice_named(name: str) -> Voice | None:
    """A dialect of ours or of another package; None if there is none."""
    if name in VOICES:
        return VOICES[name]
    module = plugin(name)
    voice: Voice | None = getattr(module, "VOICE", None)
    return voice


def device_of(gpu: Gpu) -> Device:
    """What kind of accelerator a catalogue's entry is."""
    return "TPU" if gpu.name.startswith("TPU") else "GPU"


def suiting(recipe: str, gpu: Gpu | None) -> tuple[str, ...]:
    """The voices that suit a recipe and a GPU; "auto" and None are content with any.

    A name stands there as many times as "auto" should take it against the others.
    """
    recipes = set(AUTO) if recipe == "auto" else {recipe}
    return tuple(
        name
        for name, voice in VOICES.items()
        if recipes.intersection(voice.recipes) and (gpu is None or voice.device == device_of(gpu))
        for _ in range(voice.share)
    )
