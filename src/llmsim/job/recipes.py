"""What a run trains for. A recipe is a row here; learning/curve.py has the shape of its loss.

Batches, rates and lengths are those of public runs: pretraining follows the tables in
learning_rate.py; fine-tuning the defaults of Tulu 3 and Zephyr (SFT 2e-5, DPO 5e-7,
LoRA 2e-4 at rank 16) and of open-r1 (GRPO 1e-6, 8 completions a prompt).
"""

from llmsim.job.schedule import Decay
from llmsim.typed import NamedTuple

TEXT = ("web", "code", "math", "books", "science", "multilingual", "reference", "mixed")


class Recipe(NamedTuple):
    """What a kind of training needs of a plan."""

    meaning: str
    kinds: tuple[str, ...]  # of data sets that it trains on
    rate: float  # peak learning rate; of a pretraining's if `relative`
    relative: bool
    batch_tokens: int  # in an optimizer step; 0 is as in pretraining
    longest_sequence: int  # tokens
    steps: tuple[int, int]  # fewest and most
    epochs: int  # passes over the data, where it is not more than the steps take
    warmup: float  # part of the steps
    decay: Decay = "cosine"
    final_rate: float = 0.1  # of the peak, at the end
    held_out: int = 10_485_760  # tokens of a validation: about 10M, as nanoGPT and llm.c take
    released: bool = True  # starts from released weights
    adapter_rank: int = 0
    reference: bool = False


RECIPES = {
    "pretrain": Recipe(
        "from random weights, on text", TEXT,
        1.0, True, 0, 1 << 20, (1500, 8000), 1, 0.03, released=False,
    ),
    "continue": Recipe(
        "released weights, on more text", TEXT,
        0.3, True, 0, 1 << 20, (1000, 5000), 1, 0.02,
    ),
    "sft": Recipe(
        "supervised fine-tuning on conversations", ("chat",),
        2e-5, False, 1 << 19, 4096, (150, 3000), 3, 0.03, "linear", 0.0, 1 << 21,
    ),
    "lora": Recipe(
        "supervised fine-tuning of low-rank adapters", ("chat",),
        2e-4, False, 1 << 17, 4096, (200, 4000), 2, 0.03, "cosine", 0.0, 1 << 20, adapter_rank=16,
    ),
    "dpo": Recipe(
        "direct preference optimization", ("preference",),
        5e-7, False, 1 << 18, 2048, (150, 2000), 1, 0.1, "linear", 0.0, 1 << 20, reference=True,
    ),
    "grpo": Recipe(
        "reinforcement learning on problems with answers", ("problems",),
        1e-6, False, 1 << 20, 2048, (200, 600), 1, 0.1, "cosine", 0.1, 1 << 21, reference=True,
    ),
}  # fmt: skip
NAMES = tuple(RECIPES)

# What "auto" draws from: mostly what this program is for.
AUTO = ("pretrain",) * 7 + ("continue", "sft", "lora")
