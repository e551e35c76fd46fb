"""The learning rate of each step, which a run fixes before it starts. Exact, without noise.

    warmup   lr = peak * step / warmup                                       step <= warmup
    cosine   lr = final + (peak - final) * (1 + cos(pi * t)) / 2
    linear   lr = peak + (final - peak) * t
    wsd      lr = peak while t < 0.8, then peak + (final - peak) * sqrt((t - 0.8) / 0.2)

t = (step - warmup) / (steps - warmup) goes from 0 to 1. Steps count from 1, and in full batches
where the batch grows (batch_ramp.py). Rates are dimensionless as every optimizer takes them.
Warmup-stable-decay with a minus-sqrt tail is Nemotron's. usual_rate.py has peaks and warmups.
"""

from collections.abc import Callable
from math import cos, pi, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.job.schedule import Schedule, whole_run
from llmsim.physics.speed.batch_ramp import position

STABLE = 0.8  # the part of a wsd schedule before its decay begins


def learning_rate(job: Job, step: int) -> float:
    """The learning rate of optimizer step `step`, counted from 1; it stays final after the end.

    In a framework whose schedule lags by n steps, the first n steps have a rate of 0, and each
    later one has the rate of n steps earlier. So it is with the steps that a loss scaler has
    skipped, where the schedule does not count them.
    """
    return rates_of(job)(step)


@remembered()
def rates_of(job: Job) -> Callable[[int], float]:
    """`learning_rate` as a function of the step alone."""
    schedule, lag = job.schedule, job.framework.lr_lag_steps
    holds = job.layout.precision == "fp16" and job.framework.loss_scaler
    warmup, peak, final = schedule.warmup, schedule.peak_lr, schedule.final_lr
    rises, falls, left = max(1, warmup), peak - final, remaining_of(schedule)

    def rate(step: int) -> float:
        step -= lag
        if holds:
            step -= _held(job, step)
        done = position(schedule, step)
        return peak * (done / rises) if done <= warmup else final + falls * left(done)

    return rate


def _held(job: Job, step: int) -> int:
    """The skipped steps up to this one that the schedule does not count."""
    from llmsim.physics.learning import loss_scale  # few runs are in fp16

    return loss_scale.skipped_steps(job, step) if loss_scale.scaler_of(job).holds_rate else 0


def remaining_of(schedule: Schedule) -> Callable[[float], float]:
    """The decaying part of the rate as a function of the full batches that are done: 1 until the
    warmup ends, 0 at the last step.
    """
    warmup, decay = schedule.warmup, schedule.decay
    falls = max(1, position(schedule, whole_run(schedule)) - warmup)

    def remaining(done: float) -> float:
        if done <= warmup:
            return 1.0
        t = min(1.0, (done - warmup) / falls)
        if decay == "cosine":
            return 0.5 * (1.0 + cos(pi * t))
        if decay == "linear":
            return 1.0 - t
        return 1.0 if t <= STABLE else 1.0 - sqrt((t - STABLE) / (1.0 - STABLE))

    return remaining


def full_rate_steps(steps: float, warmup: float) -> float:
    """The equivalent number of steps at the peak rate: the integral of lr/peak over a linear
    warmup.
    """
    if steps < warmup:
        return steps * steps / (2.0 * warmup)
    return steps - warmup / 2.0
