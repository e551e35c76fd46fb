"""NeMo 2 (on Lightning and Megatron): its logger's lines, and ProgressPrinter's for every log.

Iterations count from 0, and all of a run is epoch 0. A key of a line has the value as %.4g; the
last validation's stay until the next.
"""

from collections.abc import Iterator
from datetime import datetime
from math import exp

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo import recovery
from llmsim.dialects.parts import shell
from llmsim.job.milestones import blocking_checkpoint
from llmsim.job.records import Job
from llmsim.physics.hardware.stages import stage_layers
from llmsim.physics.learning import learning_rate, loss
from llmsim.run import events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

UNIX = datetime(1970, 1, 1)
MOST_SHOWN = 64  # ranks of a group that are listed


def _said(job: Job, at: float, place: str, text: str) -> Line:
    """A line of NeMo's logger: [NeMo I 2025-03-04 02:58:29 nemo_logging:393] text."""
    return Line(f"[NeMo I {units.stamp(job.start, at):%Y-%m-%d %H:%M:%S} {place}] {text}")


# --- launch ------------------------------------------------------------------------------


def _local_modules(job: Job) -> int:
    """Modules of Megatron's GPT on rank 0: 20 in each of its layers, and 11 around them.

    A Llama of 32 layers has 651 (public log of NeMo 25.07); a mixture has two more in a layer.
    """
    config = job.architecture
    return (22 if config.experts > 1 else 20) * stage_layers(config, job.layout, 0) + 11


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    script = f"pretrain.py --model {job.model.name} --data {job.dataset.name}"
    yield from shell.typed(screen, shell.torchrun(job, script))


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """The groups of rank 0: Megatron's order is tensor, data, pipeline."""
    yield from lightning.started(job, lightning.FOUND)
    layout = job.layout
    step = layout.tp
    groups = (
        (420, "data parallel group :", range(0, step * layout.dp, step)),
        (448, "context parallel group:", range(1)),
        (469, "tensor model parallel group:", range(layout.tp)),
        (494, "pipeline model parallel group:", range(0, layout.gpus, step * layout.dp)),
    )
    for number, name, ranks in groups:
        if len(ranks) <= MOST_SHOWN:
            text = f"Rank 0 has {name} {[*ranks]}"
            yield _said(job, event.at, f"megatron_init:{number}", text)
    yield _said(job, event.at, "megatron_init:474", "Rank 0 has tensor model parallel rank: 0")
    yield _said(job, event.at, "megatron_init:513", "Rank 0 has pipeline model parallel rank 0")


def _tokenizer_loaded(event: events.TokenizerLoaded, job: Job, screen: Screen) -> Lines:
    """Megatron pads the vocabulary to a multiple of 128 times the tensor ranks."""
    steps = job.schedule.steps
    text = f"Copying Trainer's 'max_steps' ({steps}) to LR scheduler's 'max_steps'."
    yield _said(job, event.at, "nemo_logging:393", text)
    multiple = 128 * job.layout.tp
    size = -(-event.vocabulary // multiple) * multiple
    text = (
        f"Padded vocab_size: {size}, original vocab_size: {event.vocabulary}, "
        f"dummy tokens: {size - event.vocabulary}."
    )
    yield _said(job, event.at, "nemo_logging:393", text)


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """The lines about rank 0's part of the model: Megatron's count, then Lightning's table."""
    local = event.parameters_per_gpu
    text = f" > number of parameters on (tensor, pipeline) model parallel rank (0 ,0): {local}"
    yield _said(job, event.at, "nemo_logging:393", text)
    yield from lightning.table("module", "DDP", local, local, _local_modules(job))


# --- training ----------------------------------------------------------------------------


def lagged_rate(job: Job, step: int) -> float:
    """The learning rate of a step, counted from 1; NeMo's warmup has one step more than configured.

    peak * (iteration + 1) / (warmup + 1), iteration <= warmup (nemo/core/optim/lr_scheduler.py).
    """
    schedule = job.schedule
    if step <= schedule.warmup:
        return schedule.peak_lr * step / (schedule.warmup + 1)
    return learning_rate.learning_rate(job, step - 1)


def iteration(event: events.Step, job: Job) -> dict[str, float]:
    """The values of an iteration, by NeMo's names."""
    schedule, iteration = job.schedule, event.step - 1
    values: dict[str, float] = {
        "lr": lagged_rate(job, event.step),
        "global_batch_size": schedule.global_batch,
        "global_step": iteration,
        "reduced_train_loss": event.loss,
        "train_step_timing in s": event.step_seconds,
        "tokens_per_sec_per_gpu": event.tokens_per_second / job.layout.gpus,
    }
    if iteration:
        values["consumed_samples"] = event.step * schedule.global_batch
    if validated := iteration // schedule.validate_every * schedule.validate_every:
        found = loss.validation(job, validated)
        values |= {"val_loss": found, "val_ppl": exp(found)}
    return values


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    schedule, values = job.schedule, iteration(event, job)
    pairs = " | ".join([f"{name}: {shown(value)}" for name, value in values.items()])
    yield Line(f"Training epoch 0, iteration {event.step - 1}/{schedule.steps - 1} | {pairs}")


def shown(value: float) -> str:
    """A metric as ProgressPrinter prints it: whole numbers as they are, others with four digits."""
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    if event.task == "validation" and event.done:
        yield Line(f"Validation: iteration {event.done}/{event.total}")


def _path(job: Job, step: int) -> str:
    consumed = float(step * job.schedule.global_batch)
    name = f"{job.model.name}--val_loss={loss.validation(job, step):.4f}-epoch=0"
    return f"checkpoints/{job.run_name}/{name}-consumed_samples={consumed}-last.ckpt"


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    strategy = f"FullyParallelSaveStrategyWrapper(torch_dist, {job.layout.dp})"
    text = f"Using {strategy} dist-ckpt save strategy."
    yield _said(job, event.at, "nemo_logging:393", text)


def _saved(job: Job, at: float, step: int, seconds: float) -> Lines:
    """The line about the time that training waited for a save."""
    began = (units.stamp(job.start, at - seconds) - UNIX).total_seconds()
    text = (
        f"Global Checkpoint Save : Rank: 0 : Iteration: {step - 1} : "
        f"Start time: {began:.3f}s : Save duration: {seconds:.3f}s"
    )
    yield _said(job, at, "nemo_logging:393", text)


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    yield from _saved(job, event.at, event.step, event.seconds)
    text = f"Scheduled async checkpoint save for {_path(job, event.step)}"
    yield _said(job, event.at, "nemo_logging:393", text)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    path = _path(job, event.step)
    waited = blocking_checkpoint(job, event.step)
    if waited:
        yield from _saved(job, event.at, event.step, event.seconds)
    text = f"Successfully saved checkpoint from iteration {event.step - 1:7d} to {path}"
    yield _said(job, event.at, "nemo_logging:393", text)
    if not waited:
        text = f"Async checkpoint save for step {event.step} ({path}) finalized successfully."
        yield _said(job, event.at, "nemo_logging:393", text)


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield lightning.stopped(job)


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: lightning.backend_ready,
    events.TokenizerLoaded: _tokenizer_loaded,
    events.ModelSharded: _model_sharded,
    events.Step: _step,
    events.Progress: _progress,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
    events.PhaseEnded: _phase_ended,
}
