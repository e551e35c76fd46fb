"""What OLMo v0.6.0 prints on rank 0, statement by statement."""

from collections.abc import Iterable

from llmsim.dialects import statement
from llmsim.dialects.olmo.configuration import strategy
from llmsim.dialects.parts.statements import LEAKED, TORCHRUN
from llmsim.dialects.statement import Statement, where
from llmsim.job import milestones
from llmsim.job.records import Job

_NUMBER = r"(?:[\d,]+(?:\.\d+)?|\d+(?:\.\d+)?e-\d\d)"


def _log(place: str) -> str:
    """A record's start in a file: time, host and local rank, logger and line, level."""
    return rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}}\t[\w-]+:\d+\t{place}\tINFO\t"


def _said(name: str, place: str, text: str, steps: statement.Steps = statement.once,
          guard: str = "", file: str = "") -> Statement:  # fmt: skip
    """A statement whose place the record has itself."""
    logger, _, line = place.partition(":")
    file = file or f"{logger.replace('.', '/')}.py"
    return Statement(name, f"{file}:{line}", _log(place) + text, steps, guard=guard)


def _script(name: str, line: int, text: str, steps: statement.Steps = statement.once,
            guard: str = "") -> Statement:  # fmt: skip
    return _said(name, f"train:{line}", text, steps, guard, "scripts/train.py")


def _whole(job: Job) -> bool:
    return strategy(job) == "ddp"


def _sharded(job: Job) -> bool:
    return not _whole(job)


def _fresh(job: Job) -> bool:
    return not job.recipe.released and not _goes_on(job)


def _loads(job: Job) -> bool:
    return job.recipe.released or _goes_on(job)


def _goes_on(job: Job) -> bool:
    return job.schedule.first_step > 1


def _has_state(job: Job) -> bool:
    return not job.recipe.released or _goes_on(job)


def _logged(job: Job) -> Iterable[int]:
    every, first = job.schedule.log_every, job.schedule.first_step
    return range(-(-first // every) * every, job.schedule.steps + 1, every)


def _due(job: Job) -> list[int]:
    return [step for step in milestones.saved_steps(job) if milestones.save_is_due(job, step)]


def _late(job: Job) -> list[int]:
    return [step for step in milestones.saved_steps(job) if not milestones.save_is_due(job, step)]


def _saves(job: Job) -> Iterable[int]:
    """All of training, and the one before it."""
    return (0,) * (len(milestones.saved_steps(job)) + _fresh(job))


def _validations(job: Job) -> Iterable[int]:
    return (0,) * len(tuple(milestones.validated_steps(job)))


_LAUNCH = (
    *TORCHRUN,
    _script("prepared", 380, "CLI environment prepared"),
    _script("configuration", 90, "Configuration:", guard="fewer than 50 data paths"),
    _script("config", 91, r"TrainConfig\(run_name='.*\)"),
    _script("saving-config", 98, r"Saving config to /\S+/config\.yaml"),
    _said("indices", "olmo.data.iterable_dataset:78", r"Saving global data order indices\.\.\."),
    _said("indices-saved", "olmo.data.iterable_dataset:87",
          r"Global data order indices saved to '/\S+/train_data/global_indices\.npy'"),
    _script("building", 132, r"Building model\.\.\."),
    _script("parameters", 134, r"Total number of parameters: [\d,]+"),
    _script("inner", 135, r"Number of non-embedding parameters: [\d,]+"),
    _script("before", 136, r"Peak GPU Memory \(MB\) before (?:fsdp|ddp): \d+"),
    _script("wrapping-ddp", 148, r"Wrapping model with DDP\.\.\.", where(_whole)),
    _script("wrapping-fsdp", 165, r"Wrapping model with FSDP\.\.\.", where(_sharded)),
    _said("initializing", "olmo.model:1168", r"Initializing model parameters\.\.\."),
    _script("after", 221, r"Peak GPU Memory \(MB\) after (?:fsdp|ddp): \d+"),
    _script("model", 222, r"Model:"),
    _script("tree", 223, r"(?:FullyShardedDataParallel|DistributedDataParallel)\("),
    Statement("module", "scripts/train.py:223",
              r"(?:  )*(?:\(\w[\w-]*\): (?:\d+ x )?\w+\([^()]*\)?|\))", None),
    _said("optimizer", "olmo.optim:944", r"Constructing optimizer with 2 param groups"),
)  # fmt: skip
_LOADING = (
    _script("pre-train", 312, r"Saving pre-train checkpoint\.\.\.", where(_fresh),
            "not cfg.no_pre_train_checkpoint and cfg.load_path is None"),
    _script("pre-train-saved", 314, r"Checkpoint saved to /\S+/step0(?:-unsharded)?",
            where(_fresh)),
    _script("attempting", 317, r"Attempting to load pre-train checkpoint\.\.\.", where(_fresh)),
    _script("load-path", 257, r"Setting load path to local checkpoint \S+", where(_goes_on),
            "cfg.try_load_latest_save and a checkpoint is there"),
    _script("keeping", 273, r"You set both reset_trainer_state=True, .*",
            where(lambda job: _goes_on(job) and job.recipe.released),
            "cfg.reset_trainer_state and a checkpoint is there"),
    _script("loading", 329, r"Loading checkpoint from \S+\.\.\.", where(_loads),
            "cfg.load_path is not None"),
    _said("model-state", "olmo.checkpoint:1038", r"Loading model state\.\.\.", where(_sharded)),
    _said("optimizer-state", "olmo.checkpoint:1042", r"Loading optimizer state\.\.\.",
          where(_sharded)),
    _said("flattening", "olmo.checkpoint:219", r"Flattening sharded optimizer state\.\.\.",
          where(_sharded)),
    _said("flattened", "olmo.checkpoint:233", r"Loading flattened optimizer state\.\.\.",
          where(_sharded)),
    _said("resetting", "olmo.train:407", r"Resetting learning rate\.\.\.", where(_has_state),
          "not cfg.reset_trainer_state"),
    _said("rng", "olmo.train:419", r"Restoring RNG states\.\.\.", where(_has_state)),
    _script("pre-train-loaded", 321, "Checkpoint successfully loaded", where(_fresh)),
    _script("loaded", 336, "Checkpoint successfully loaded", where(_loads)),
)  # fmt: skip
_TRAINING = (
    _script("starting", 352, r"Starting training\.\.\."),
    _said("system", "olmo.train:967", "Pre-train system metrics"),
    _said("step", "olmo.train:967", r"\[step=(?P<step>\d+)/\d+,epoch=\d+\]", _logged,
          "self.global_step % self.cfg.console_log_interval == 0"),
    Statement("metric", "olmo/train.py:971",
              r"    (?:optim/total_grad_norm|train/(?:CrossEntropyLoss|Perplexity)|"
              r"throughput/(?:total_tokens|total_training_(?:log_)?Gflops|"
              r"device/(?:tokens|batches)_per_second)|System/Peak GPU Memory \(MB\)|"
              rf"eval/[\w.+-]+/(?:CrossEntropyLoss|Perplexity))={_NUMBER}", None),
    _said("saving", "olmo.train:1259", r"Saving checkpoint\.\.\.",
          where(_sharded, lambda job: (0,) * len(_due(job)))),
    _said("saved", "olmo.train:1261", r"Checkpoint saved to /\S+/step(?P<step>\d+)",
          where(_sharded, _due)),
    _said("saving-whole", "olmo.train:1292", r"Saving unsharded checkpoint\.\.\.",
          where(_whole, lambda job: (0,) * len(_due(job)))),
    _said("saved-whole", "olmo.train:1294",
          r"Unsharded checkpoint saved to /\S+/step(?P<step>\d+)-unsharded", where(_whole, _due)),
    _said("saving-final-whole", "olmo.train:1354",
          r"Saving final unsharded model checkpoint\.\.\.",
          where(_whole, lambda job: (0,) * len(_late(job)))),
    _said("saved-final-whole", "olmo.train:1356",
          r"Unsharded checkpoint saved to /\S+/step(?P<step>\d+)-unsharded", where(_whole, _late)),
    _said("saving-final", "olmo.train:1362", r"Saving final checkpoint\.\.\.",
          where(_sharded, lambda job: (0,) * len(_late(job)))),
    _said("saved-final", "olmo.train:1364", r"Checkpoint saved to /\S+/step(?P<step>\d+)",
          where(_sharded, _late)),
    _said("model-part", "olmo.checkpoint:794", r"Saving model state\.\.\.",
          where(_whole, _saves)),
    _said("optimizer-part", "olmo.checkpoint:809", r"Saving optim state\.\.\.",
          where(_whole, _saves)),
    _said("trainer-part", "olmo.checkpoint:668", r"Saving trainer state\.\.\.",
          where(_whole, _saves)),
    _said("config-part", "olmo.checkpoint:606", r"Saving config\.\.\.", _saves),
    _said("evaluating", "olmo.train:1006", r"Running evaluation for '[\w.+-]+'\.\.\.",
          _validations),
    Statement("eval-step", "olmo/train.py:1030",
              _log(r"olmo\.train:1030") + r"\[eval_step=\d+/\d+\]", None,
              guard="the last, and those of the console's interval"),
    _said("evaluated", "olmo.train:967", r"[\w.+-]+-validation", _validations),
    _script("complete", 354, "Training complete"),
    *LEAKED,
)  # fmt: skip
STATEMENTS = (*_LAUNCH, *_LOADING, *_TRAINING)

_SAVED = "(model-part optimizer-part trainer-part)? config-part"
_STATES = "(model-state optimizer-state flattening flattened)?"
ORDER = f"""
torchrun* prepared configuration config saving-config indices indices-saved building
parameters inner before (wrapping-ddp | wrapping-fsdp) initializing after model tree module+
optimizer
(pre-train {_SAVED} pre-train-saved attempting {_STATES} resetting rng pre-train-loaded)?
(load-path keeping? loading {_STATES} (resetting rng)? loaded | loading {_STATES} loaded)?
starting system metric
((step metric+)?
 (saving {_SAVED} saved | saving-whole {_SAVED} saved-whole)?
 (evaluating eval-step+ evaluated metric metric)?)*
(saving-final {_SAVED} saved-final | saving-final-whole {_SAVED} saved-final-whole)?
complete leaked*
"""
