"""What nanoGPT prints, statement by statement, at the commit in framework.py."""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.nanogpt import estimates
from llmsim.dialects.parts.statements import SMI, TORCHRUN
from llmsim.dialects.statement import Statement, where
from llmsim.job.records import Job


def iterations(job: Job) -> Iterable[int]:
    """The iterations with a line: iter_num % log_interval == 0. A process that goes on runs the
    number of the checkpoint once more.
    """
    every, found = job.schedule.log_every, job.schedule.first_step - 1
    again = [found] if found and every > 1 and found % every == 0 else []
    return [*again, *(estimates.iteration(job, step) for step in statement.logged(job))]


def evaluations(job: Job) -> Iterable[int]:
    """The iterations before which train.py evaluates, 0 included: iter_num % eval_interval == 0."""
    every, found = job.schedule.validate_every, job.schedule.first_step - 1
    return range(-(-found // every) * every, estimates.last_iteration(job) + 1, every)


def _saves(job: Job) -> Iterable[int]:
    return (step for step in evaluations(job) if step)


def _anew(job: Job) -> bool:
    """Whether the weights are random: init_from == "scratch"."""
    return not statement.goes_on(job)


STATEMENTS = (
    *SMI,
    *TORCHRUN,
    Statement("overriding", "configurator.py:25", r"Overriding config with config/\w+\.py:",
              ranks="each", guard="an argument without ="),
    Statement("comment", "configurator.py:27", r"# .*", None, "each"),
    Statement("setting", "configurator.py:27",
              r"[a-z_]+ = (?:'[\w./-]+'|\d+(?: \* \d+)?|\d(?:\.\d+)?e-\d+)", None, "each"),
    Statement("blank", "configurator.py:27", "", ranks="each"),
    Statement("tokens", "train.py:102", r"tokens per iteration will be: \d[\d,]*", ranks="each"),
    Statement("scratch", "train.py:151", "Initializing a new model from scratch",
              where(_anew), "each", guard="init_from == 'scratch'"),
    Statement("vocabulary", "train.py:154",
              r"defaulting to vocab_size of GPT-2 to 50304 \(50257 rounded up for efficiency\)",
              where(_anew), "each", guard="meta_vocab_size is None"),
    Statement("parameters", "model.py:148", r"number of parameters: \d+\.\d\dM", ranks="each"),
    Statement("scaler", "train.py:196",
              r"/.*/train\.py:196: FutureWarning: `torch\.cuda\.amp\.GradScaler\(args\.\.\.\)` is "
              r"deprecated\. Please use `torch\.amp\.GradScaler\('cuda', args\.\.\.\)` instead\.",
              ranks="each", guard="torch >= 2.4"),
    Statement("scaler-source", "train.py:196", r"  scaler = torch\.cuda\.amp\.GradScaler\(.*\)",
              ranks="each"),
    Statement("decayed", "model.py:278",
              r"num decayed parameter tensors: \d+, with [\d,]+ parameters", ranks="each"),
    Statement("undecayed", "model.py:279",
              r"num non-decayed parameter tensors: \d+, with [\d,]+ parameters", ranks="each"),
    Statement("fused", "model.py:285", "using fused AdamW: True", ranks="each"),
    Statement("compiling", "train.py:206", r"compiling the model\.\.\. \(takes a ~minute\)",
              ranks="each", guard="compile"),
    Statement("resuming", "train.py:159", r"Resuming training from \S+", where(statement.goes_on),
              "each", "init_from == 'resume'"),
    Statement("evaluation", "train.py:265",
              r"step (?P<step>\d+): train loss \d+\.\d{4}, val loss \d+\.\d{4}", evaluations,
              guard="iter_num % eval_interval == 0 and master_process"),
    Statement("saving", "train.py:285", r"saving checkpoint to \S+", _saves,
              guard="iter_num > 0, and a better loss or always_save_checkpoint"),
    Statement("iteration", "train.py:327",
              r"iter (?P<step>\d+): loss \d+\.\d{4}, time \d+\.\d\dms, mfu -?\d+\.\d\d%",
              iterations, guard="iter_num % log_interval == 0 and master_process"),
)  # fmt: skip

ORDER = """
smi* torchrun* (overriding comment+ setting+ blank)+ tokens+
((scratch vocabulary | resuming) parameters scaler scaler-source decayed undecayed fused compiling)+
evaluation saving? iteration (evaluation saving | iteration)*
"""
