"""What run_clm.py prints with transformers 5.23.0, statement by statement.

The library's logger says INFO in the first process of a node alone, the script's own warning all
processes. The evaluation's bar within the training is erased, and one step's log, its evaluation
and its save come in this order (trainer.py, _maybe_log_save_evaluate).
"""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.parts.statements import BARRIER, LEAKED, TORCHRUN, WANDB, bar
from llmsim.dialects.parts.transformers.statements import (
    BARS,
    NUMBER,
    STAMP,
    info,
    is_released,
    pairs,
    sharded,
)
from llmsim.dialects.statement import Statement, Steps, goes_on, where
from llmsim.job.records import Job
from llmsim.physics.hardware import storage

_SCRIPT = r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d - (?:INFO|WARNING) - __main__ - "
_COUNT = r"\d[\d,]*"
_PATH = r"[\w.+/-]+"
_TRAINER, _MODEL, _CONFIG = "trainer.py", "modeling_utils.py", "configuration_utils.py"
_CELL = r" +\d+\.\d+"


def _evaluations(job: Job) -> Iterable[int]:
    """In the training, and once more at the end of the script."""
    return (*statement.validated(job), job.schedule.steps)


def _mapped(job: Job) -> Iterable[int]:
    """Twice, over the data and what is held out; a run that goes on finds both in the cache."""
    return () if goes_on(job) else (0, 0)


def _saves(job: Job) -> Iterable[int]:
    """Checkpoints, and the model at the end."""
    return (*statement.saved(job), job.schedule.steps)


def _is_split(job: Job) -> bool:
    return sharded(job) and len(storage.export_shards(job)) > 1


def _is_whole(job: Job) -> bool:
    return sharded(job) and not _is_split(job)


def _written(name: str, text: str, steps: Steps = statement.once, line: int = 0) -> Statement:
    return Statement(name, f"run_clm.py:{line or 290}", _SCRIPT + text, steps)


def _row(name: str, split: str, key: str, cell: str = _CELL) -> Statement:
    """A row of the tables that log_metrics prints."""
    return Statement(name, "trainer_pt_utils.py:1152", rf"  {split}{key} +={cell}")


STATEMENTS = (
    *TORCHRUN,
    *WANDB,
    *BARS,
    *BARRIER,
    *LEAKED,
    Statement("rank", "run_clm.py", _SCRIPT + r"Process rank: \d+, device: cuda:\d+, n_gpu: 1, "
              r"distributed training: (?:True|False), 16-bits training: False", ranks="each"),
    _written("arguments", r"Training/evaluation parameters TrainingArguments\("),
    Statement("argument", "training_args.py:1814", r"[a-z]\w+=.*,", lambda _job: range(114)),
    Statement("bracket", "training_args.py:1815", r"\)"),
    info("config-file", _CONFIG, 1035, rf"loading configuration file {_PATH}/config\.json"),
    info("config", _CONFIG, 1109, r"Model config (?:Llama|Mixtral)Config \{"),
    Statement("json", "configuration_utils.py:1109", r' +(?:".*|\]|\}),?', None),
    Statement("brace", "configuration_utils.py:1109", r"\}", None),
    Statement("blank", "trainer.py:1995", "", None),
    info("weights", _MODEL, 761, rf"loading weights file {_PATH}", where(is_released)),
    info("generation", _CONFIG, 1154, r"Generate config GenerationConfig \{",
         lambda job: (0, 0) if is_released(job) else (0,)),
    info("generation-file", _CONFIG, 1108, rf"loading configuration file {_PATH}",
         where(is_released)),
    Statement("tokenizing", "run_clm.py", bar("Running tokenizer on dataset:", " examples"),
              _mapped),
    Statement("grouping", "run_clm.py", bar(r"Grouping texts in chunks of \d+:", " examples"),
              _mapped),
    _written("scratch", r"Training new model from scratch - Total size=\d+\.\d\dM params",
             where(lambda job: not is_released(job))),
    info("max-steps", _TRAINER, 727, r"max_steps is given, it will override any value .*",
         where(lambda job: bool(job.dataset.rows)), "max_steps > 0 and num_train_epochs > 0"),
    info("loading-model", _TRAINER, 3659, rf"Loading model from {_PATH}\.", where(goes_on),
         "resume_from_checkpoint is not None"),
    info("running", _TRAINER, 1618, r"\*{5} Running training \*{5}"),
    info("examples", _TRAINER, 1619, rf"  Num examples = {_COUNT}"),
    info("epochs", _TRAINER, 1620, rf"  Num Epochs = {_COUNT}"),
    info("updates", _TRAINER, 1621, rf"  Num update steps per epoch = {_COUNT}"),
    info("device-batch", _TRAINER, 1622, rf"  Instantaneous batch size per device = {_COUNT}"),
    info("batch", _TRAINER, 1625, r"  Total train batch size \(w\. parallel, distributed & "
         rf"accumulation\) = {_COUNT}"),
    info("accumulation", _TRAINER, 1626, r"  Gradient Accumulation steps = \d+"),
    info("steps", _TRAINER, 1627, rf"  Total optimization steps = {_COUNT}"),
    info("trainable", _TRAINER, 1628, rf"  Number of trainable parameters = {_COUNT}"),
    info("resuming", _TRAINER, 1631, r"  Resuming training from checkpoint with epoch \d+ and "
         r"global step \d+", where(goes_on), "resume_from_checkpoint is not None"),
    info("forwarding", _TRAINER, 1635, r"  Fast-forwarding the dataloader past \d+ epochs and \d+ "
         r"batches to resume from the exact training state\.", where(goes_on),
         "not ignore_data_skip"),
    Statement("logged", "trainer_callback.py:690",
              rf"\{{{pairs('loss', 'grad_norm', 'learning_rate', 'epoch')}\}}", statement.logged,
              guard="global_step == 1 or global_step % logging_steps == 0"),
    info("evaluating", _TRAINER, 2949, "", _evaluations,
         "global_step % eval_steps == 0, or the end"),
    Statement("evaluating-text", "trainer.py:2949", r"\*{5} Running Evaluation \*{5}",
              _evaluations),
    info("held-out", _TRAINER, 2951, r"  Num examples = \d+", _evaluations),
    info("eval-batch", _TRAINER, 2954, r"  Batch size = \d+", _evaluations),
    Statement("evaluated", "trainer_callback.py:690", r"\{" + pairs(
              "eval_loss", "eval_accuracy", "eval_runtime", "eval_samples_per_second",
              "eval_steps_per_second", "epoch") + r"\}", statement.validated),
    info("saving", _TRAINER, 4141, rf"Saving model checkpoint to {_PATH}", _saves),
    info("config-saved", _CONFIG, 786, rf"Configuration saved in {_PATH}/config\.json",
         where(sharded, _saves)),
    info("generation-saved", _CONFIG, 941,
         rf"Configuration saved in {_PATH}/generation_config\.json", where(sharded, _saves)),
    info("one-file", _MODEL, 3630, rf"Model weights saved in {_PATH}", where(_is_whole, _saves)),
    info("many-files", _MODEL, 3637,
         r"The model is bigger than the maximum size per checkpoint \(50GB\) and is going to be "
         rf"split in \d+ checkpoint shards\. .* located at {_PATH}", where(_is_split, _saves)),
    info("tokenizer", "tokenization_utils_base.py", 2144,
         rf"tokenizer config file saved in {_PATH}", _saves),
    info("deleting", _TRAINER, 2027,
         rf"Deleting older checkpoint \[{_PATH}-(?P<step>\d+)\] due to args\.save_total_limit",
         statement.deleted, "args.save_total_limit"),
    info("completed", _TRAINER, 1995, ""),
    Statement("completed-text", "trainer.py:1995",
              r"Training completed\. Do not forget to share your model on huggingface\.co/.*"),
    Statement("trained", "trainer_callback.py:690", r"\{" + pairs(
              "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss",
              "epoch") + r"\}"),
    Statement("train-table", "trainer_pt_utils.py:1152", r"\*{5} train metrics \*{5}"),
    Statement("epoch-row", "trainer_pt_utils.py:1152", rf"  epoch +={_CELL}", lambda _job: (0, 0)),
    _row("flos", "", "total_flos", r" +\d+GF"),
    _row("train-loss", "train_", "loss"),
    _row("train-time", "train_", "runtime", r" +(?:\d+ days?, )?\d+:\d\d:\d\d\.\d\d"),
    _row("train-samples", "train_", "samples", r" +\d+"),
    _row("train-rate", "train_", "samples_per_second"),
    _row("train-steps", "train_", "steps_per_second"),
    _written("evaluate", r"\*\*\* Evaluate \*\*\*"),
    Statement("eval-table", "trainer_pt_utils.py:1152", r"\*{5} eval metrics \*{5}"),
    _row("eval-accuracy", "eval_", "accuracy"),
    _row("eval-loss", "eval_", "loss"),
    _row("eval-time", "eval_", "runtime", r" +(?:\d+ days?, )?\d+:\d\d:\d\d\.\d\d"),
    _row("eval-samples", "eval_", "samples", r" +\d+"),
    _row("eval-rate", "eval_", "samples_per_second"),
    _row("eval-steps", "eval_", "steps_per_second"),
    _row("perplexity", "", "perplexity"),
)  # fmt: skip

ORDER = """
torchrun* rank+ arguments argument+ bracket downloading*
config-file config json+ brace blank
(weights generation json+ brace blank loading+ generation-file generation json+ brace blank
 | generation json+ brace blank scratch)
barrier* tokenizing* barrier* grouping*
max-steps? loading-model?
running examples epochs updates device-batch batch accumulation steps trainable
(resuming forwarding)? wandb+ training-bar
(logged training-bar
 | evaluating evaluating-text held-out eval-batch training-bar* evaluated training-bar
 | saving config-saved? generation-saved? files* (one-file | many-files)? tokenizer
 | deleting | training-bar)*
completed blank completed-text blank blank trained training-bar
saving config-saved? generation-saved? files* (one-file | many-files)? tokenizer
train-table epoch-row flos train-loss train-time train-samples train-rate train-steps
evaluate evaluating evaluating-text held-out eval-batch training-bar+
eval-table epoch-row eval-accuracy eval-loss eval-time eval-samples eval-rate eval-steps perplexity
wandb+ leaked*
"""


# --- transformers 4.57.1 -----------------------------------------------------------------

# The lines of its files where the same statement stands; what it has besides; what it has not.
_LINES = {
    "config-file": 763, "config": 839, "weights": 1169, "generation": 986, "generation-file": 939,
    "loading-model": 2934, "max-steps": 699, "running": 2519, "examples": 2520, "epochs": 2521,
    "device-batch": 2522,
    "batch": 2525, "accumulation": 2526, "steps": 2527, "trainable": 2528, "evaluating": 4643,
    "held-out": 4645, "eval-batch": 4648, "saving": 4309, "config-saved": 491,
    "generation-saved": 757, "one-file": 4181, "many-files": 4189, "tokenizer": 2590,
    "deleting": 4418, "completed": 2810,
}  # fmt: skip
_RAW = r"-?(?:\d[\d.]*(?:e[+-]\d\d)?|nan|inf)"
_BESIDES = (
    Statement("shards", "modeling_utils.py:5465", bar("Loading checkpoint shards:"), None,
              guard="len(args_list) > 1"),
    *(info(f"file-{number}", "tokenization_utils_base.py", 2093, rf"loading file {name}")
      for number, name in enumerate(
          (r"tokenizer\.json", r"added_tokens\.json", r"special_tokens_map\.json",
           r"tokenizer_config\.json", r"chat_template\.jinja"))),
    info("half-precision", _TRAINER, 749, "Using auto half precision backend"),
    Statement("cached", "utils/generic.py:960",
              rf"\[WARNING\|generic\.py:960\] {STAMP} >> `use_cache=True` is incompatible with "
              r"gradient checkpointing\. Setting `use_cache=False`\.",
              where(lambda job: job.layout.recompute != "none"), "each",
              "gradient_checkpointing and self.training and use_cache"),
    *(info(name, _TRAINER, line, text, where(goes_on), "resume_from_checkpoint is not None")
      for name, line, text in (
          ("continuing", 2549,
           "  Continuing training from checkpoint, will skip to saved global_step"),
          ("from-epoch", 2550, r"  Continuing training from epoch \d+"),
          ("from-step", 2551, r"  Continuing training from global step \d+"),
          ("skipping", 2553, r"  Will skip the first \d+ epochs then the first \d+ batches in .*"),
      )),
    info("tokens", "tokenization_utils_base.py", 2599, rf"Special tokens file saved in {_PATH}",
         _saves),
)  # fmt: skip


def _in_fourth(each: Statement) -> Statement:
    """A statement of version 5 as version 4 has it: on another line, with numbers as they are."""
    file, _, line = each.place.partition(":")
    if each.name in _LINES:
        there = _LINES[each.name]
        text = each.text.replace(f":{line}\\]", f":{there}\\]").replace("50GB", "5GB")
        return each._replace(place=f"{file}:{there}", text=text)
    if each.name == "argument":
        text = r"(?:_n_gpu|[a-z]\w+)=.*,"
        return each._replace(place="training_args.py:2179", text=text, steps=lambda _: range(131))
    return each._replace(text=each.text.replace(NUMBER, _RAW))


_SAME = [
    _in_fourth(each)
    for each in STATEMENTS
    if each.name not in ("updates", "loading", "files", "resuming", "forwarding")
]
OLDER = {
    "4.57.1": (
        (*_SAME, *_BESIDES),
        """
torchrun* rank+ arguments argument+ bracket downloading*
config-file config json+ brace blank file-0 file-1 file-2 file-3 file-4
(weights generation json+ brace blank shards* generation-file generation json+ brace blank
 | generation json+ brace blank scratch)
barrier* tokenizing* barrier* grouping*
max-steps? half-precision loading-model?
running examples epochs device-batch batch accumulation steps trainable
(continuing from-epoch from-step skipping)? wandb+ training-bar cached*
(logged training-bar
 | evaluating evaluating-text held-out eval-batch training-bar* evaluated training-bar
 | saving config-saved? generation-saved? (one-file | many-files)? tokenizer tokens
 | deleting | training-bar)*
completed blank completed-text blank blank trained training-bar
saving config-saved? generation-saved? (one-file | many-files)? tokenizer tokens
train-table epoch-row flos train-loss train-time train-samples train-rate train-steps
evaluate evaluating evaluating-text held-out eval-batch training-bar+
eval-table epoch-row eval-accuracy eval-loss eval-time eval-samples eval-rate eval-steps perplexity
wandb+ leaked*
""",
    ),
}
