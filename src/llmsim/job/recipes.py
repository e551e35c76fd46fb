"""What a run trains for. A recipe is a row here, and physics/learning/ has its objective.

Batches, rates and lengths come from public runs: pretraining follows the tables in
usual_rate.py; fine-tuning the defaults of Tulu 3 and Zephyr (SFT 2e-5, DPO 5e-7,
LoRA 2e-4 at rank 16) and of open-r1 (GRPO 1e-6, 8 completions a prompt).
"""

from llmsim.errors import CatalogError
from llmsim.job.schedule import Decay
from llmsim.typed import NamedTuple

TEXT = ("web", "code", "math", "books", "science", "multilingual", "reference", "mixed")


# Completions that GRPO samples of a prompt, and about how many tokens a prompt has (GSM8K, MATH).
COMPLETIONS, PROMPT_TOKENS = 8, 200

# The passes of one process over the rows of the data, before they are packed into sequences.
PACKING = ("convert", "tokenize", "label", "pack")


class Recipe(NamedTuple):
    """A kind of training: its objective, and the values that the planning of a job takes from
    it.
    """

    name: str  # what --recipe takes
    objective: str  # the module of physics/learning/ that says how it learns
    meaning: str
    kinds: tuple[str, ...]  # of data sets that it trains on
    rate: float  # peak learning rate; if `relative`, a factor on pretraining's usual peak
    relative: bool
    batch_tokens: int  # in an optimizer step; 0: the usual batch of pretraining
    longest_sequence: int  # tokens
    steps: tuple[int, int]  # fewest and most
    epochs: int  # most passes over the data; a large data set is read once or in part
    warmup: float  # part of the steps
    decay: Decay = "cosine"
    final_rate: float = 0.1  # of the peak, at the end
    held_out: int = 10_485_760  # tokens of a validation: about 10M, as nanoGPT and llm.c take
    released: bool = True  # starts from released weights
    adapter_rank: int = 0
    reference: bool = False  # a frozen copy of the model runs along
    row_sequences: int = 0  # sequences that one row gives (a pair: 2); 0: rows are packed
    generates: bool = False  # the policy writes its completions itself, in each step
    preparation: tuple[str, ...] = ()  # passes over the rows where one process maps the data
    largest_cluster: int = 64  # GPUs that an auto-sized run takes at most
    beta: float = 0.0  # weight of what binds the policy to its reference (TRL's defaults)


_ROWS = (
    Recipe(
        "pretrain", "language", "from random weights, on text", TEXT,
        1.0, True, 0, 1 << 20, (1500, 8000), 1, 0.03, released=False,
    ),
    Recipe(
        "continue", "language", "released weights, on more text", TEXT,
        0.3, True, 0, 1 << 20, (1000, 5000), 1, 0.02,
    ),
    Recipe(
        "sft", "supervised", "supervised fine-tuning on conversations", ("chat",),
        2e-5, False, 1 << 19, 4096, (150, 3000), 3, 0.03, "linear", 0.0, 1 << 21,
        preparation=PACKING, largest_cluster=32,
    ),
    Recipe(
        "lora", "supervised", "supervised fine-tuning of low-rank adapters", ("chat",),
        2e-4, False, 1 << 17, 4096, (200, 4000), 2, 0.03, "cosine", 0.0, 1 << 20, adapter_rank=16,
        preparation=PACKING, largest_cluster=8,
    ),
    Recipe(
        "dpo", "preference", "direct preference optimization", ("preference",),
        5e-7, False, 1 << 18, 2048, (150, 2000), 1, 0.1, "linear", 0.0, 1 << 20, reference=True,
        row_sequences=2, preparation=("extract", "tokenize", "drop"), largest_cluster=32,
        beta=0.1,
    ),
    Recipe(
        "grpo", "reinforcement", "reinforcement learning on problems with answers", ("problems",),
        1e-6, False, 1 << 20, 2048, (200, 600), 1, 0.1, "cosine", 0.1, 1 << 21, reference=True,
        row_sequences=COMPLETIONS, generates=True, preparation=("map",), largest_cluster=32,
        beta=0.04,
    ),
)  # fmt: skip
RECIPES = {recipe.name: recipe for recipe in _ROWS}
NAMES = tuple(RECIPES)

# What "auto" draws from, by weight, where no kind of job of data/llm_jobs.txt suits.
AUTO = {"pretrain": 7, "continue": 1, "dpo": 1, "grpo": 1, "sft": 1, "lora": 1}


def objective_missing(recipe: Recipe, known: list[str]) -> CatalogError:
    """The error that no module has a recipe's objective; `known` are the objectives of modules."""
    module, others = f"src/llmsim/physics/learning/{recipe.objective}.py", ", ".join(known[:-1])
    return CatalogError(
        f"src/llmsim/job/recipes.py: the recipe {recipe.name!r} has the objective "
        f"{recipe.objective!r}, but {module} with an OBJECTIVE is not there: write this module, or "
        f"give {others} or {known[-1]}."
    )
