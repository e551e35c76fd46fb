"""Steps, evaluations and checkpoints: the engine's lines and the script's own."""

from collections.abc import Iterator
from math import exp
from struct import pack, unpack

from llmsim.dialects.deepspeed.engine import BETAS, first, states
from llmsim.dialects.deepspeed.log_lines import info, plain, rank_zero, zero_stage
from llmsim.dialects.line import Line, Render
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job
from llmsim.physics.learning import learning_rate, loss
from llmsim.physics.speed import step_time
from llmsim.run import events
from llmsim.text.screen import Screen
from llmsim.text.units import GIB

Lines = Iterator[Line]

# Steps that the throughput timer leaves out (timer.py, start_step).
WARMING = 2

# The part of a save's time that writing the shapes of the weights takes.
_SHAPES = 0.002


def single(value: float) -> float:
    """The float32 nearest to a value, which Python then prints in full."""
    (rounded,) = unpack("f", pack("f", value))
    return float(rounded)


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
    progress = f"step={event.step}, skipped=0, lr={first(rate)}, mom={first(BETAS)}"
    yield rank_zero(job, event.at, progress)
    if piped:
        yield plain(job, _steps(event, job))
    elif event.step > WARMING:
        counted = f"epoch={epoch}/micro_step={micro_step}/global_step={event.step}"
        text = f"{counted}, {_throughput(event, job)}"
        yield info(job, event.at, "timer.py:264:stop", text)


def _micro_step(event: events.Step, job: Job) -> int:
    """Micro-batches of this epoch so far."""
    done = event.step - (event.epoch - 1) * steps_per_epoch(job)
    return done * job.layout.accumulation


def _throughput(event: events.Step, job: Job) -> str:
    """The throughput line: samples/s since step 3 and in this step, memory between steps, its
    peak.
    """
    batch, step = job.schedule.global_batch, event.step
    running = batch / (step_time.interval_seconds(job, WARMING + 1, step) / (step - WARMING))
    current = batch / step_time.interval_seconds(job, step, step)
    held = min(states(job), event.allocated)
    return (
        f"RunningAvgSamplesPerSec={running}, CurrSamplesPerSec={current}, "
        f"MemAllocated={round(held / GIB, 2)}GB, "
        f"MaxMemAllocated={round(event.allocated / GIB, 2)}GB"
    )


def _steps(event: events.Step, job: Job) -> str:
    """The pipeline engine's line, with means since its earlier line."""
    every = job.schedule.log_every
    seconds = step_time.interval_seconds(job, event.step - every + 1, event.step) / every
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


def _files(job: Job, step: int) -> Iterator[str]:
    """The files that rank 0 writes: the model's, and the optimizer's if ZeRO shards it."""
    folder = f"checkpoints/{job.run_name}/global_step{step}"
    model = "zero_pp_rank_0_mp_rank_00" if zero_stage(job) == 3 else "mp_rank_00"
    yield f"{folder}/{model}_model_states.pt"
    if zero_stage(job):
        yield f"{folder}/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    model, *_ = _files(job, event.step)
    tag = f"global_step{event.step}"
    yield rank_zero(job, event.at, f"[Torch] Checkpoint {tag} is about to be saved!")
    yield rank_zero(job, event.at, f"Saving model checkpoint: {model}")
    yield _engine(job, event.at, "21:save", f"Saving {model}...")


def _engine(job: Job, at: float, place: str, text: str) -> Line:
    return info(job, at, f"torch_checkpoint_engine.py:{place}", f"[Torch] {text}")


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The model's 2 bytes a weight come first, then the optimizer's 12.

    In stage 3 the model's file holds only shapes; zero_to_fp32.py builds the weights from the
    optimizer's files alone.
    """
    model, *optimizer = _files(job, event.step)
    part = 1.0 - _SHAPES if zero_stage(job) == 3 else 12 / 14
    switch = event.at - event.seconds * part if optimizer else event.at
    yield _engine(job, switch, "23:save", f"Saved {model}.")
    for name in optimizer:
        yield _engine(job, switch, "21:save", f"Saving {name}...")
        yield _engine(job, event.at, "23:save", f"Saved {name}.")
        text = f"zero checkpoint saved {name}"
        yield info(job, event.at, "engine.py:3645:_save_zero_checkpoint", text)
    yield _engine(job, event.at, "33:commit", f"Checkpoint global_step{event.step} is ready now!")


def _export_started(event: events.ExportStarted, job: Job, screen: Screen) -> Lines:
    yield plain(job, "saving the final model ...")


LINES: dict[type, Render] = {
    events.EpochStarted: _epoch_started,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
    events.ExportStarted: _export_started,
}
