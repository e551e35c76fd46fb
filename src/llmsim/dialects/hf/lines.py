"""Hugging Face's Trainer (transformers 5.23.0 or 4.57.1), as run_clm.py uses it, with wandb.

A script that shows the library's INFO lines: between them the Trainer's dicts, its one bar of
all steps, the evaluations' bars, which are erased, and the tables of metrics at the end.
"""

from math import exp

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.hf import arguments, recovery
from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts import process_group, shell, wandb
from llmsim.dialects.parts.transformers import bars, loading, log_lines, report, values
from llmsim.dialects.parts.transformers.bars import Lines
from llmsim.dialects.parts.transformers.log_lines import info
from llmsim.dialects.parts.transformers.releases import is_fourth
from llmsim.job.milestones import steps_found
from llmsim.job.records import Job, gpus_per_node
from llmsim.model.architecture import trained_parameter_count
from llmsim.physics.hardware import storage
from llmsim.physics.learning import loss, metrics
from llmsim.run import events
from llmsim.run.phases.launch import LISTED_RANKS
from llmsim.text import units
from llmsim.text.screen import Screen

# --- launch ------------------------------------------------------------------------------


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    model = f"models/{job.model.name}"
    weights = f"--config_name {model} --tokenizer_name {model}"
    if job.recipe.released:
        weights = f"--model_name_or_path {model}"
    script = (
        f"run_clm.py {weights} --dataset_name {job.dataset.name} "
        f"--do_train --do_eval {log_lines.data_flags(job)} --bf16{log_lines.switch_flags(job)} "
        f"{log_lines.logging_flags(job)} "
        f"--report_to wandb --output_dir checkpoints/{job.run_name}"
    )
    yield from shell.typed(screen, shell.torchrun(job, script))


def _script(job: Job, at: float, level: str, text: str) -> Line:
    """A line of the script's own logger."""
    return Line(f"{units.stamp(job.start, at):%m/%d/%Y %H:%M:%S} - {level} - __main__ - {text}")


def _rank_joined(event: events.RankJoined, job: Job, screen: Screen) -> Lines:
    yield _joined(job, event.at, event.rank)


def _joined(job: Job, at: float, rank: int) -> Line:
    """What each process prints of itself."""
    local = rank % gpus_per_node(job)
    text = (
        f"Process rank: {local}, device: cuda:{local}, n_gpu: 1, "
        f"distributed training: {job.layout.gpus > 1}, 16-bits training: False"
    )
    return _script(job, at, "WARNING", text)._replace(rank=rank)


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """The processes without an event of their own; then the first process's arguments, all."""
    late = (rank for rank in ranks_kept(job) if rank >= LISTED_RANKS)
    yield from (_joined(job, event.at, rank) for rank in late)
    first, *rest = arguments.printed(job, event.at)
    yield _script(job, event.at, "INFO", f"Training/evaluation parameters {first}")
    yield from map(Line, rest)


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    """The model's configuration; then it is new, or its weights are going to be loaded."""
    yield from loading.loaded_config(job, event.at)
    if job.recipe.released:
        yield from loading.loading_weights(job, event.at)
    else:
        yield from loading.generation(job, event.at, file=False)
        size = f"{event.parameters / 2**20:.2f}M"
        text = f"Training new model from scratch - Total size={size} params"
        yield _script(job, event.at, "INFO", text)


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    yield from loading.generation(job, event.at, file=True)


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    layout, done = job.layout, steps_found(job)
    if job.dataset.rows:
        text = "max_steps is given, it will override any value given in num_train_epochs"
        yield from info(job, event.at, "max steps", text)
    if is_fourth(job):
        yield from info(job, event.at, "half precision", "Using auto half precision backend")
    if done:
        text = f"Loading model from {_folder(job, done)}."
        yield from info(job, event.at, "loading model", text)
    yield from _plan(job, event.at)
    if done:
        yield from recovery.going_on(job, event.at, done)
    yield from wandb.start(job, screen, report.PROJECT, event.at)
    yield bars.redrawn(job, screen, 0, 0.0)  # it jumps to where it goes on
    if is_fourth(job) and layout.recompute != "none":
        for rank in ranks_kept(job):
            for line in info(job, event.at, "cached", _CACHED, level="WARNING"):
                yield line._replace(rank=rank)


# By each process, in its first step; in version 5 the Trainer has switched the cache off.
_CACHED = "`use_cache=True` is incompatible with gradient checkpointing. Setting `use_cache=False`."


def _plan(job: Job, at: float) -> Lines:
    """What is going to be trained, number by number."""
    schedule, layout = job.schedule, job.layout
    texts = {
        "running": "***** Running training *****",
        "examples": f"  Num examples = {values.examples(job):,}",
        "epochs": f"  Num Epochs = {values.epochs(job):,}",
        "updates": f"  Num update steps per epoch = {values.updates_per_epoch(job):,}",
        "device batch": f"  Instantaneous batch size per device = {layout.micro_batch:,}",
        "batch": "  Total train batch size (w. parallel, distributed & accumulation) = "
        f"{schedule.global_batch:,}",
        "accumulation": f"  Gradient Accumulation steps = {layout.accumulation}",
        "steps": f"  Total optimization steps = {schedule.steps:,}",
        "trainable": "  Number of trainable parameters = "
        f"{trained_parameter_count(job.architecture):,}",
    }
    if is_fourth(job):
        del texts["updates"]
    for name, text in texts.items():
        yield from info(job, at, name, text)


_TOKENIZING = 0.7  # of the time for the data: tokenizing takes longer than putting together
_TOKENIZED = 2  # passes: over the data, and over what is held out


# --- training ----------------------------------------------------------------------------


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    if event.task == "tokenize":
        yield from _tokenized(event, job, screen)
    elif event.task == "evaluation":
        yield bars.last_evaluation_bar(event, job, screen)
    else:
        yield from bars.progress(event, job, screen)


def _tokenized(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The passes over the data; main_process_first() lets the first process of a node tokenize.

    The others wait at a barrier before it, and the first comes to the same barrier after it.
    """
    shown = list(bars.passes(event, screen, _passes(job)))
    if event.done < event.total:
        yield from shown
        return
    begun, size = event.at - event.elapsed, gpus_per_node(job)
    first = [rank for rank in ranks_kept(job) if rank % size == 0]
    others = [rank for rank in ranks_kept(job) if rank % size]
    yield from process_group.barrier(job, begun, others)
    yield from shown[:_TOKENIZED]
    yield from process_group.barrier(job, begun + _TOKENIZING * event.elapsed, first)
    yield from shown[_TOKENIZED:]


def _passes(job: Job) -> list[bars.Pass]:
    """run_clm.py tokenizes rows of text, and puts them together to blocks: data, then held out.

    Of a data set without rows every block is told as a row of its own.
    """
    held_out, blocks = values.evaluated_rows(job), values.examples(job)
    rows = job.dataset.rows or blocks
    few = max(1, rows * held_out // blocks)
    part = few / (rows + few)
    grouping = f"Grouping texts in chunks of {job.schedule.sequence}"
    return [
        bars.Pass("Running tokenizer on dataset", rows, _TOKENIZING * (1 - part)),
        bars.Pass("Running tokenizer on dataset", few, _TOKENIZING * part),
        bars.Pass(grouping, rows, (1 - _TOKENIZING) * (1 - part)),
        bars.Pass(grouping, few, (1 - _TOKENIZING) * part),
    ]


def scores(job: Job, step: int) -> values.Values:
    """run_clm.py's compute_metrics: the share of tokens that are guessed right."""
    return (("accuracy", metrics.token_accuracy(loss.validation(job, step))),)


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    yield from log_lines.stepped(event, job, screen)


def _phase_started(event: events.PhaseStarted, job: Job, screen: Screen) -> Lines:
    if event.phase == "validation":
        yield from _evaluating(job, event.at)


def _evaluating(job: Job, at: float) -> Lines:
    samples = values.evaluated_rows(job)
    yield from info(job, at, "evaluating", "", "***** Running Evaluation *****")
    yield from info(job, at, "held out", f"  Num examples = {samples}")
    yield from info(job, at, "eval batch", f"  Batch size = {job.layout.micro_batch}")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    yield from log_lines.evaluated(event, job, screen, scores=scores(job, event.step))


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield from info(
            job, event.at, "completed", "", "",
            "Training completed. Do not forget to share your model on huggingface.co/models =)",
            "", "",
        )  # fmt: skip
        yield from log_lines.trained(event, job, screen)


# --- files -------------------------------------------------------------------------------


def _folder(job: Job, step: int) -> str:
    """The folder to which the Trainer saves a step: checkpoints/NAME/checkpoint-500."""
    return f"checkpoints/{job.run_name}/checkpoint-{step}"


def _saving(job: Job, at: float, folder: str) -> Lines:
    """The lines before a model's files are written; adapters have no configuration."""
    yield from info(job, at, "saving", f"Saving model checkpoint to {folder}")
    if not job.architecture.adapter_rank:
        saved = f"Configuration saved in {folder}"
        yield from info(job, at, "config saved", f"{saved}/config.json")
        yield from info(job, at, "generation saved", f"{saved}/generation_config.json")


def _saved(job: Job, at: float, folder: str) -> Lines:
    """The lines after a model's files are written."""
    shards, most = len(storage.export_shards(job)), job.framework.max_shard_gb
    if shards > 1:
        yield from info(
            job, at, "many files",
            f"The model is bigger than the maximum size per checkpoint ({most}GB) and is going to "
            f"be split in {shards} checkpoint shards. "
            "You can find where each parameters has been saved in the index located at "
            f"{folder}/model.safetensors.index.json.",
        )  # fmt: skip
    elif not job.architecture.adapter_rank:
        text = f"Model weights saved in {folder}/model.safetensors"
        yield from info(job, at, "one file", text)
    text = f"tokenizer config file saved in {folder}/tokenizer_config.json"
    yield from info(job, at, "tokenizer saved", text)
    if is_fourth(job):
        text = f"Special tokens file saved in {folder}/special_tokens_map.json"
        yield from info(job, at, "tokens saved", text)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    yield from _saving(job, event.at, _folder(job, event.step))


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The lines when the files are written; then the training bar is drawn again."""
    yield from _saved(job, event.at, _folder(job, event.step))
    yield bars.training_bar(job, screen, event.step, event.training_seconds)


def _checkpoint_deleted(event: events.CheckpointDeleted, job: Job, screen: Screen) -> Lines:
    folder = _folder(job, event.step)
    text = f"Deleting older checkpoint [{folder}] due to args.save_total_limit"
    yield from info(job, event.at, "deleting", text)


def _export_started(event: events.ExportStarted, job: Job, screen: Screen) -> Lines:
    yield from _saving(job, event.at, event.path)


# --- the end -----------------------------------------------------------------------------


def _exported(event: events.Exported, job: Job, screen: Screen) -> Lines:
    """The lines when the model is saved: the table of the training, and one more evaluation."""
    yield from _saved(job, event.at, event.path)
    yield from _train_metrics(job, event.training_seconds)
    yield _script(job, event.at, "INFO", "*** Evaluate ***")
    yield from _evaluating(job, event.at)


def _train_metrics(job: Job, seconds: float) -> Lines:
    results = values.train_values(job, seconds)
    yield from log_lines.block(
        "train",
        {
            "epoch": f"{round(results['epoch'], 4)}",
            "total_flos": f"{int(values.flops(job, job.schedule.steps)) >> 30}GF",
            "train_loss": f"{round(results['train_loss'], 4)}",
            "train_runtime": log_lines.clock(results["train_runtime"]),
            "train_samples": f"{values.examples(job)}",
            "train_samples_per_second": f"{results['train_samples_per_second']}",
            "train_steps_per_second": f"{results['train_steps_per_second']}",
        },
    )


def _evaluated(event: events.Evaluated, job: Job, screen: Screen) -> Lines:
    """The table of the evaluation that run_clm.py ends with."""
    if event.step < job.schedule.steps:
        return
    step = job.schedule.steps
    results = values.evaluation_values(job, step, scores=scores(job, step))
    yield from log_lines.block(
        "eval",
        {
            "epoch": f"{round(results['epoch'], 4)}",
            "eval_accuracy": f"{round(results['eval_accuracy'], 4)}",
            "eval_loss": f"{round(results['eval_loss'], 4)}",
            "eval_runtime": log_lines.clock(results["eval_runtime"]),
            "eval_samples": f"{values.evaluated_rows(job)}",
            "eval_samples_per_second": f"{results['eval_samples_per_second']}",
            "eval_steps_per_second": f"{results['eval_steps_per_second']}",
            "perplexity": f"{round(exp(results['eval_loss']), 4)}",
        },
    )


def _summary(event: events.Summary, job: Job, screen: Screen) -> Lines:
    if event.ended_by:
        return  # the process is killed before it comes so far
    yield from report.finished(event, job, screen, scores=scores)
    yield from process_group.leaked(job, event.at)


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.RankJoined: _rank_joined,
    events.RanksJoined: _ranks_joined,
    events.ModelBuilt: _model_built,
    events.WeightsLoaded: _weights_loaded,
    events.TrainerReady: _trainer_ready,
    events.Progress: _progress,
    events.Step: _step,
    events.PhaseStarted: _phase_started,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
    events.CheckpointDeleted: _checkpoint_deleted,
    events.PhaseEnded: _phase_ended,
    events.ExportStarted: _export_started,
    events.Exported: _exported,
    events.Evaluated: _evaluated,
    events.Summary: _summary,
}
