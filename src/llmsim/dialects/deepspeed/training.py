"""Steps, evaluations and checkpoints: the engine's lines and the script's own."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import exp

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.deepspeed import pipeline
from llmsim.dialects.deepspeed.engine import BETAS, first, states
from llmsim.dialects.deepspeed.log_lines import LOG_DIST, info, plain, rank_zero, zero_stage
from llmsim.dialects.line import Line, Render
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate, loss, loss_scale
from llmsim.run import events
from llmsim.run.timeline import steps_seconds
from llmsim.text.screen import Screen
from llmsim.text.units import GIB, single

Lines = Iterator[Line]

# Steps that the throughput timer leaves out (timer.py, start_step).
WARMING = 2

# The part of a save's time that writing the shapes of the weights takes.
_SHAPES = 0.002


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if event.step % job.schedule.log_every:  # step 1 has no line of its own
        return
    epoch, micro_step = event.epoch - 1, _micro_step(event, job)
    piped = job.layout.pp > 1
    if not piped:
        text = f"loss = {single(loss.micro_batch(job, event.step))}"
        yield plain(job, f"Epoch: {epoch}, Step: {micro_step - 1}, Rank: 0, {text}")
    # LambdaLR starts at 0 and has already moved on to the next step (engine.py, _report_progress).
    rate = learning_rate.learning_rate(job, event.step)
    skipped = loss_scale.skipped_steps(job, event.step)
    progress = f"step={event.step}, skipped={skipped}, lr={first(rate)}, mom={first(BETAS)}"
    yield rank_zero(job, event.at, progress)
    if piped:
        yield plain(job, _steps(event, job))
    elif (timed := event.step - job.resumed) > WARMING:  # by this process, which counts from 0
        before = max(0, job.resumed - epoch * steps_per_epoch(job))
        micro_steps = micro_step - before * job.layout.accumulation
        counted = f"epoch={epoch}/micro_step={micro_steps}/global_step={timed}"
        text = f"{counted}, {_throughput(event, job)}"
        yield info(job, event.at, "timer.py:264:stop", text)


def _step_skipped(event: events.StepSkipped, job: Job, screen: Screen) -> Lines:
    """The dynamic loss scaler of rank 0 (runtime/fp16/loss_scaler.py:170)."""
    text = "[deepspeed] OVERFLOW! Rank 0 Skipping step. "
    text += f"Attempted loss scale: {int(event.scale)}, "
    if event.patience > 1:
        less = event.patience - 1
        text += f"but hysteresis is {event.patience}. Reducing hysteresis to {less}"
        yield info(job, event.at, "loss_scaler.py:190:update_scale", text)
    else:
        text += f"reducing to {int(event.scale_after)}"
        yield info(job, event.at, "loss_scaler.py:183:update_scale", text)


def _micro_step(event: events.Step, job: Job) -> int:
    """Micro-batches of this epoch so far."""
    done = event.step - (event.epoch - 1) * steps_per_epoch(job)
    return done * job.layout.accumulation


def _throughput(event: events.Step, job: Job) -> str:
    """The throughput line: samples/s since step 3 and in this step, memory between steps, its
    peak.
    """
    batch, step = job.schedule.global_batch, event.step
    begun, took = job.resumed + WARMING, partial(steps_seconds, job, repeated=job.repeated)
    running = batch / (took(begun + 1, step) / (step - begun))
    current = batch / took(step, step)
    held = min(states(job), event.allocated)
    return (
        f"RunningAvgSamplesPerSec={running}, CurrSamplesPerSec={current}, "
        f"MemAllocated={round(held / GIB, 2)}GB, "
        f"MaxMemAllocated={round(event.allocated / GIB, 2)}GB"
    )


def _steps(event: events.Step, job: Job) -> str:
    """The pipeline engine's line, with means since its earlier line."""
    every = job.schedule.log_every
    seconds = steps_seconds(job, event.step - every + 1, event.step, job.repeated) / every
    rate = job.schedule.global_batch / seconds
    return (
        f"steps: {event.step} loss: {event.loss:0.4f} "
        f"iter time (s): {seconds:0.3f} samples/sec: {rate:0.3f}"
    )


def _epoch_started(event: events.EpochStarted, job: Job, screen: Screen) -> Lines:
    batches = steps_per_epoch(job) * job.layout.accumulation
    epoch = f"Epoch {event.epoch}/{job.schedule.epochs}"
    yield plain(job, f"Beginning of {epoch}, Total Micro Batches {batches}")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    epoch = f"Epoch {-(-event.step // steps_per_epoch(job))}/{job.schedule.epochs}"
    yield plain(job, f"***** Evaluating perplexity, {epoch} *****")
    value = single(event.loss)
    yield plain(job, f"ppl: {single(exp(value))}, loss: {value}")


# --- checkpoints -------------------------------------------------------------------------


def folder(job: Job, step: int) -> str:
    """The folder of a step's checkpoint."""
    return f"checkpoints/{job.run_name}/global_step{step}"


def model_file(job: Job, step: int, rank: int) -> str:
    """The file of the model's states that a rank reads, and data rank 0 writes; in stage 3 each
    rank its own.
    """
    data = pipeline.place(job, rank)[1]
    own = f"zero_pp_rank_{data}_" if zero_stage(job) == 3 else ""
    part = pipeline.model_rank(job, rank)
    return f"{folder(job, step)}/{own}mp_rank_{part:02d}_model_states.pt"


def writes_model(job: Job, rank: int) -> bool:
    """Whether a rank writes a file of the model's states."""
    return zero_stage(job) == 3 or not pipeline.place(job, rank)[1]


def optimizer_file(job: Job, step: int, rank: int) -> str:
    """The file of the optimizer's part that a rank writes; empty without ZeRO."""
    if not zero_stage(job):
        return ""
    data, part = pipeline.place(job, rank)[1], pipeline.model_rank(job, rank)
    prefix = "" if job.layout.precision == "fp16" else "bf16_"
    name = f"{prefix}zero_pp_rank_{data}_mp_rank_{part:02d}_optim_states.pt"
    return f"{folder(job, step)}/{name}"


def layer_files(job: Job, step: int, rank: int) -> list[str]:
    """The files of the modules of a rank's stage, as far as its slice of the model goes."""
    stage, _, part = pipeline.place(job, rank)
    begin, names = pipeline.modules(job, stage)
    files = (pipeline.layer_file(begin + number, part) for number in range(len(names)))
    return [f"{folder(job, step)}/{name}" for name in files]


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    """A pipeline's stages begin with a file a module, others with the model's states."""
    tag = f"global_step{event.step}"
    yield rank_zero(job, event.at, f"[Torch] Checkpoint {tag} is about to be saved!")
    for rank in ranks_kept(job):
        if job.layout.pp > 1 and writes_model(job, rank):
            first, *_ = layer_files(job, event.step, rank)
            yield _engine(job, event.at, "21:save", f"Saving {first}...", rank)
        elif writes_model(job, rank):
            yield from _saving(job, event.at, event.step, rank)


TOLD_RANKS = 2  # log_dist(ranks=[0, 1])


def _saving(job: Job, at: float, step: int, rank: int) -> Lines:
    name = model_file(job, step, rank)
    if rank < TOLD_RANKS:
        text = f"[Rank {rank}] Saving model checkpoint: {name}"
        yield info(job, at, LOG_DIST, text, rank=rank)
    yield _engine(job, at, "21:save", f"Saving {name}...", rank)


def _engine(job: Job, at: float, place: str, text: str, rank: int) -> Line:
    return info(job, at, f"torch_checkpoint_engine.py:{place}", f"[Torch] {text}", rank=rank)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The model's 2 bytes a weight come first, then the optimizer's 12.

    In stage 3 the model's file holds only shapes; zero_to_fp32.py builds the weights from the
    optimizer's files alone. A pipeline's model is in its modules' files.
    """
    part = 1.0 - _SHAPES if zero_stage(job) == 3 else 12 / 14
    switch = event.at - event.seconds * part if zero_stage(job) else event.at
    ranks, step, at = ranks_kept(job), event.step, event.at
    writers = [rank for rank in ranks if writes_model(job, rank)]
    if job.layout.pp > 1:
        yield from _modules_saved(job, step, (at - event.seconds, switch), writers)
        for rank in writers:
            yield from _saving(job, switch, step, rank)
    parts = [(rank, name) for rank in ranks if (name := optimizer_file(job, step, rank))]
    for rank in writers:
        yield _engine(job, switch, "23:save", f"Saved {model_file(job, step, rank)}.", rank)
    yield from (_engine(job, switch, "21:save", f"Saving {name}...", rank) for rank, name in parts)
    for rank, name in parts:
        yield _engine(job, at, "23:save", f"Saved {name}.", rank)
        text = f"zero checkpoint saved {name}"
        yield info(job, at, "engine.py:3672:_save_zero_checkpoint", text, rank=rank)
    for rank in ranks:
        yield _engine(job, at, "33:commit", f"Checkpoint global_step{step} is ready now!", rank)


def _modules_saved(
    job: Job, step: int, times: tuple[float, float], writers: Sequence[int]
) -> Lines:
    """The files of the stages' modules, one after the other on each rank; the first is begun."""
    files = {rank: layer_files(job, step, rank) for rank in writers}
    most = max((len(names) for names in files.values()), default=0)
    begun, ended = times
    for number in range(most):
        at = begun + (ended - begun) * (number + 1) / most
        for rank, names in files.items():
            if number < len(names):
                yield _engine(job, at, "23:save", f"Saved {names[number]}.", rank)
            if number + 1 < len(names):
                yield _engine(job, at, "21:save", f"Saving {names[number + 1]}...", rank)


def _export_started(event: events.ExportStarted, job: Job, screen: Screen) -> Lines:
    yield plain(job, "saving the final model ...")


LINES: dict[type, Render] = {
    events.EpochStarted: _epoch_started,
    events.Step: _step,
    events.StepSkipped: _step_skipped,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
    events.ExportStarted: _export_started,
}
