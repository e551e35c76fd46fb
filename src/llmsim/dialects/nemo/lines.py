"""NeMo 2 (on Lightning and Megatron): its logger's lines, and ProgressPrinter's for every log.

Iterations count from 0, and all of a run is epoch 0. ProgressPrinter speaks when the number of
iterations so far is a multiple of its interval, of the mean of each value over that interval; a
value that has been there only in a part of it counts as 0 before (progress_printer.py). The
recipe has FLOPsMeasurementCallback, as NVIDIA's benchmarks have it.
"""

from collections.abc import Iterator
from math import fsum

from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo import launch, model, recovery, saving
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning import learning_rate, loss
from llmsim.physics.speed import throughput
from llmsim.run import events
from llmsim.run.phases.timing import REPORTS
from llmsim.run.timeline import steps_seconds
from llmsim.text.screen import Screen

Lines = Iterator[Line]


# --- training ----------------------------------------------------------------------------


def lagged_rate(job: Job, step: int) -> float:
    """The learning rate of a step, counted from 1; NeMo's warmup has one step more than configured.

    peak * (iteration + 1) / (warmup + 1), iteration <= warmup (nemo/core/optim/lr_scheduler.py).
    """
    schedule = job.schedule
    if step <= schedule.warmup:
        return schedule.peak_lr * step / (schedule.warmup + 1)
    return learning_rate.learning_rate(job, step - 1)


def _seconds(event: events.Step, job: Job, first: int) -> float:
    """Seconds of an interval's steps, with what slowed them: the value that the loggers have, too.

    An event reaches back to the logged step before it, or to the attempt's first step; steps of
    the interval before that take their usual time.
    """
    seconds = event.step_seconds * (event.step - event.previous)
    if event.previous >= first:
        seconds += steps_seconds(job, first, event.previous, job.repeated)
    return seconds


def iteration(event: events.Step, job: Job) -> dict[str, float]:
    """The values of an iteration's line, by NeMo's names: means over the interval."""
    schedule, last = job.schedule, event.step
    first = last - schedule.log_every + 1
    steps, batch = range(first, last + 1), schedule.global_batch
    seconds = _seconds(event, job, first) / len(steps)
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
    found = [value for step in steps if (value := saving.held_out(job, step)) is not None]
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
    yield from saving.looked_at(event, job)


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


LINES: dict[type, Render] = {
    **launch.LINES,
    **model.LINES,
    **recovery.LINES,
    events.Step: _step,
    events.Progress: _progress,
    **saving.LINES,
}
