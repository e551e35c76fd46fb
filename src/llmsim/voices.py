"""Whose log a run can speak, and which jobs suit it. A dialect's lines are in dialects/."""

from typing import Literal, NamedTuple

from llmsim.catalog import Gpu
from llmsim.recipes import AUTO, RECIPES

Device = Literal["GPU", "TPU"]

TEXT = ("pretrain", "continue")


class Voice(NamedTuple):
    """What a framework is for."""

    meaning: str
    recipes: tuple[str, ...]
    device: Device = "GPU"
    every_step: bool = False  # it logs each step, so its runs are shorter
    share: int = 1  # how often "auto" takes it, against the others' 1


VOICES = {
    "pytorch": Voice(
        "a good lab's own train.py under torchrun: tells all, fits any width",
        tuple(RECIPES),
        share=8,
    ),
}
NAMES = tuple(VOICES)


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
