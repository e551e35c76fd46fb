"""What TRL's scripts sft.py, dpo.py and grpo.py print, statement by statement (1.16.0).

The library's logger stays at warnings. The key of each metric comes from the trainer's log().
"""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import TORCHRUN, WANDB, bar
from llmsim.dialects.parts.transformers.statements import BARS, NUMBER, pairs
from llmsim.dialects.statement import Statement
from llmsim.dialects.trl.lines import LABELS
from llmsim.job.records import Job

_MORE = rf"(?:, '[\w/]+(?:\.\w+)?': {NUMBER})+"


def _prepared(job: Job) -> Iterable[int]:
    """Each pass over the training data, and the same over the evaluation's."""
    return [0 for name in job.recipe.preparation if name in LABELS for _ in ("train", "eval")]


STATEMENTS = (
    *TORCHRUN,
    *WANDB,
    *BARS,
    Statement("prepared", "sft_trainer.py:1278, dpo_trainer.py:1053", bar(
              r"(?:Converting|Tokenizing|Building labels for|Packing|Extracting prompt from|"
              r"Dropping fully truncated examples from) (?:train|eval) dataset(?: to ChatML)?:",
              " examples"), _prepared, guard="the first process; others find its cache"),
    Statement("logged", "trainer_callback.py:690",
              r"\{" + pairs("loss", "grad_norm", "learning_rate") + _MORE + r"\}",
              statement.logged, guard="global_step == 1 or global_step % logging_steps == 0"),
    Statement("evaluated", "trainer_callback.py:690",
              r"\{" + pairs("eval_loss", "eval_runtime", "eval_samples_per_second",
              "eval_steps_per_second") + _MORE + r"\}", statement.validated),
    Statement("trained", "trainer_callback.py:690", r"\{" + pairs(
              "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss",
              "epoch") + r"\}"),
    Statement("completed", "sft.py:116, dpo.py:122, grpo.py:153", r"(?:✅ )?Training completed\."),
    Statement("model-saved", "sft.py:120, dpo.py:126, grpo.py:157",
              r"(?:💾 )?Model saved to \S+\."),
)  # fmt: skip

ORDER = """
torchrun* downloading+ loading+ prepared* wandb+ training-bar
(logged training-bar | evaluated training-bar | files | training-bar)*
trained training-bar completed files* model-saved wandb+
"""
