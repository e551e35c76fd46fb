"""TRL's trainers (1.16.0) for SFT, LoRA, DPO and GRPO: the Trainer's dicts with many more keys.

Its scripts leave the library's logger at warnings, so that there are no INFO lines: bars of the
data's preparation, dicts above one bar of all steps, and two sentences at the end. They leave the
process group in order (trainer.end).
"""

from math import fsum

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts import shell, wandb
from llmsim.dialects.parts.transformers import bars, log_lines, report, values
from llmsim.dialects.parts.transformers.bars import Lines
from llmsim.dialects.trl import recovery
from llmsim.job.records import Job
from llmsim.physics.hardware import preparation
from llmsim.physics.learning import metrics
from llmsim.run import events
from llmsim.text.screen import Screen

# The label of each pass over a data set, train or eval (sft_trainer.py, dpo_trainer.py).
LABELS = {
    "convert": "Converting {} dataset to ChatML",
    "tokenize": "Tokenizing {} dataset",
    "label": "Building labels for {} dataset",
    "pack": "Packing {} dataset",
    "extract": "Extracting prompt from {} dataset",
    "drop": "Dropping fully truncated examples from {} dataset",
}
# The script of each objective, trl/scripts/NAME.py.
SCRIPTS = {"supervised": "sft", "preference": "dpo", "reinforcement": "grpo"}


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    packing = " --packing" if "pack" in job.recipe.preparation else ""
    adapters = " --use_peft" if job.architecture.adapter_rank else ""
    script = (
        f"trl/scripts/{SCRIPTS[job.recipe.objective]}.py "
        f"--model_name_or_path models/{job.model.name} --dataset_name {job.dataset.name}"
        f"{packing}{adapters}{log_lines.switch_flags(job)} {log_lines.data_flags(job)} "
        f"{log_lines.logging_flags(job)} --report_to wandb --output_dir checkpoints/{job.run_name}"
    )
    yield from shell.typed(screen, shell.torchrun(job, script))


def _prepared(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The passes over the data, in the time that each takes: train, then eval.

    GRPOTrainer prepares nothing: it takes prompts as they are.
    """
    seconds = preparation.passes(job)
    rows, few = job.dataset.rows, values.evaluated_rows(job)
    wanted = [
        bars.Pass(LABELS[name].format(split), count, taken / fsum(seconds) * count / (rows + few))
        for split, count in (("train", rows), ("eval", few))
        for name, taken in zip(job.recipe.preparation, seconds, strict=True)
        if name in LABELS
    ]
    yield from bars.passes(event, screen, wanted)


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    if event.task == "tokenize":
        yield from _prepared(event, job, screen)
    else:
        yield from bars.progress(event, job, screen)


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    yield from wandb.start(job, screen, report.PROJECT, event.at)
    yield bars.redrawn(job, screen, 0, 0.0)


def logged_metrics(event: events.Step, job: Job) -> tuple[tuple[str, float], ...]:
    """What a step logs beside the Trainer's own: means since the log before."""
    values = metrics.metrics(job, event.step, event.previous + 1)
    if job.recipe.generates:
        values += (("step_time", event.step_seconds),)
    return values


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    yield from log_lines.stepped(event, job, screen, logged_metrics(event, job))


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    yield from log_lines.evaluated(event, job, screen, metrics.held_out(job, event.step))


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The training bar is there again."""
    yield bars.training_bar(job, screen, event.step, event.training_seconds)


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    """The end of trainer.train(), then the script's own word."""
    if event.phase == "training":
        yield from log_lines.trained(event, job, screen)
        yield Line(_said("✅ ", "Training completed.", screen))


def _exported(event: events.Exported, job: Job, screen: Screen) -> Lines:
    yield Line(_said("💾 ", f"Model saved to checkpoints/{job.run_name}.", screen))


def _said(sign: str, text: str, screen: Screen) -> str:
    return sign + text if screen.unicode else text


def _summary(event: events.Summary, job: Job, screen: Screen) -> Lines:
    if event.ended_by:
        return  # the process is killed before it comes so far
    yield from report.finished(event, job, screen, metrics.metrics, metrics.held_out)


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.Progress: _progress,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointSaved: _checkpoint_saved,
    events.PhaseEnded: _phase_ended,
    events.Exported: _exported,
    events.Summary: _summary,
}
