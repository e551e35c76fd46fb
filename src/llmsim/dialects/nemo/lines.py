"""NeMo 2 (on Lightning and Megatron): its logger's lines, and ProgressPrinter's for every log.

Iterations count from 0, and all of a run is epoch 0. ProgressPrinter speaks when the number of
iterations so far is a multiple of its interval, of the mean of each value over that interval; a
value that has been there only in a part of it counts as 0 before (progress_printer.py). The
recipe has FLOPsMeasurementCallback, as NVIDIA's benchmarks have it.
"""

from collections.abc import Iterator
from datetime import datetime
from math import fsum

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo import launch, recovery
from llmsim.dialects.nemo.log_lines import said
from llmsim.job.milestones import blocking_checkpoint, saved_steps
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning import learning_rate, loss
from llmsim.physics.speed import step_time, throughput
from llmsim.run import events
from llmsim.run.phases.timing import REPORTS
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

UNIX = datetime(1970, 1, 1)


# --- training ----------------------------------------------------------------------------


def lagged_rate(job: Job, step: int) -> float:
    """The learning rate of a step, counted from 1; NeMo's warmup has one step more than configured.

    peak * (iteration + 1) / (warmup + 1), iteration <= warmup (nemo/core/optim/lr_scheduler.py).
    """
    schedule = job.schedule
    if step <= schedule.warmup:
        return schedule.peak_lr * step / (schedule.warmup + 1)
    return learning_rate.learning_rate(job, step - 1)


def held_out(job: Job, step: int) -> float | None:
    """The loss of the latest validation before a step; None before the first."""
    every = job.schedule.validate_every
    validated = (step - 1) // every * every
    return loss.validation(job, validated) if validated else None


def iteration(event: events.Step, job: Job) -> dict[str, float]:
    """The values of an iteration's line, by NeMo's names: means over the interval."""
    schedule, last = job.schedule, event.step
    first = last - schedule.log_every + 1
    steps, batch = range(first, last + 1), schedule.global_batch
    seconds = step_time.interval_seconds(job, first, last) / len(steps)
    flops = throughput.job_flops_per_token(job) * batch_tokens(job)
    values: dict[str, float] = {
        "lr": fsum([lagged_rate(job, step) for step in steps]) / len(steps),
        "global_batch_size": batch,
        "global_step": last - 1,
        "reduced_train_loss": loss.averaged(job, first, last),
        "train_step_timing in s": seconds,
        "TFLOPS_per_GPU": flops / seconds / job.layout.gpus / 1e12,
    }
    if consumed := sum(step * batch for step in steps if step > 1):
        values["consumed_samples"] = consumed / len(steps)
    found = [value for step in steps if (value := held_out(job, step)) is not None]
    if found:
        values["val_loss"] = fsum(found) / len(steps)
    return values


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    schedule = job.schedule
    if event.step % schedule.log_every:
        return
    pairs = [f"{name}: {shown(value)}" for name, value in iteration(event, job).items()]
    told = " | ".join(pairs)
    yield Line(f"Training epoch 0, iteration {event.step - 1}/{schedule.steps - 1} | {told}")


def shown(value: float) -> str:
    """A metric as format_string prints it: whole numbers as they are, others with four digits."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4}"


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """A line for each batch of a validation that is due; the run reports some at a time."""
    if event.task == "validation":
        reports = min(REPORTS, event.total)
        ends = [event.total * report // reports for report in range(reports + 1)]
        before = max((end for end in ends if end < event.done), default=0)
        for done in range(before + 1, event.done + 1):
            if done % job.schedule.log_every == 0:
                yield Line(f"Validation: iteration {done}/{event.total}")


# --- files -------------------------------------------------------------------------------


def _path(job: Job, step: int) -> str:
    """The folder of a save, with the latest validation's loss in its name."""
    value, consumed = held_out(job, step) or 0.0, float(step * job.schedule.global_batch)
    name = f"{job.model.name}--val_loss={value:.2f}-step={step - 1}-consumed_samples={consumed}"
    return f"{launch.folder(job)}/checkpoints/{name}-last.ckpt"


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    """The strategy is made for the first save, and kept."""
    if event.step == saved_steps(job)[0]:
        strategy = "FullyParallelSaveStrategyWrapper(torch_dist, 1)"
        yield said(job, event.at, f"Using {strategy} dist-ckpt save strategy.")


def _saved(job: Job, at: float, step: int, seconds: float) -> Lines:
    """The line about the time that training waited for a save."""
    began = (units.stamp(job.start, at - seconds) - UNIX).total_seconds()
    text = (
        f"Global Checkpoint Save : Rank: 0 : Iteration: {step - 1} : "
        f"Start time: {began:.3f}s : Save duration: {seconds:.3f}s"
    )
    yield said(job, at, text)


def _scheduled(job: Job, at: float, step: int, seconds: float) -> Lines:
    yield from _saved(job, at, step, seconds)
    yield said(job, at, f"Scheduled async checkpoint save for {_path(job, step)}")


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    yield from _scheduled(job, event.at, event.step, event.seconds)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The end of a save; a synchronous one says no more than its duration.

    The last one is scheduled, too, and the end of fit waits for it.
    """
    path, step = _path(job, event.step), event.step
    if not job.background_saves:
        yield from _saved(job, event.at, step, event.seconds)
        return
    if blocking_checkpoint(job, step):
        yield from _scheduled(job, event.at, step, event.seconds)
        text = "Pending async checkpoint saves. Finalizing them synchronously now"
        yield said(job, event.at, text)
    text = f"Successfully saved checkpoint from iteration {step - 1:7d} to {path}"
    yield said(job, event.at, text)
    text = f"Async checkpoint save for step {step} ({path}) finalized successfully."
    yield said(job, event.at, text)


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield lightning.stopped(job)


LINES: dict[type, Render] = {
    **launch.LINES,
    **recovery.LINES,
    events.Step: _step,
    events.Progress: _progress,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
    events.PhaseEnded: _phase_ended,
}
