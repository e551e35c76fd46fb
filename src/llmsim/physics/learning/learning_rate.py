"""Learning rate, batch and warmup, which a run fixes before it starts. Exact, without noise.

    warmup   lr = peak * step / warmup                                       step <= warmup
    cosine   lr = final + (peak - final) * (1 + cos(pi * t)) / 2
    linear   lr = peak + (final - peak) * t
    wsd      lr = peak while t < 0.8, then peak + (final - peak) * sqrt((t - 0.8) / 0.2)

t = (step - warmup) / (steps - warmup) goes from 0 to 1. Steps count from 1, and in full batches
where the batch grows (batch_ramp.py). Rates are dimensionless as every optimizer takes them.
Warmup-stable-decay with a minus-sqrt tail is Nemotron's. Peak rates by size are GPT-3's at 125M
(Brown et al. 2020, table 2.1), then OLMo 2's (1B, 7B, 13B), Llama 2's (34B, 70B) and Llama 3's
(405B); batches are GPT-3's, Llama 2's and Llama 3's in whole powers of two.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import cos, exp, log, log2, pi, sqrt

from llmsim.job.records import Job
from llmsim.job.schedule import Schedule, whole_run
from llmsim.physics.speed.batch_ramp import position

# Parameters, peak learning rate, tokens per step; see above.
SIZES = (125e6, 1e9, 7e9, 13e9, 34e9, 70e9, 405e9)
PEAK_RATES = (6e-4, 4e-4, 3e-4, 3e-4, 1.5e-4, 1.5e-4, 0.8e-4)
BATCHES = (2.0**19, 2.0**20, 2.0**21, 2.0**21, 2.0**22, 2.0**22, 2.0**24)

# Parameters, warmup steps: GPT-2 in llm.c; Llama 2, 7B and 70B; Llama 3, 405B.
WARMUP_SIZES = (124e6, 7e9, 70e9, 405e9)
WARMUPS = (700.0, 2000.0, 2000.0, 8000.0)
WARMUP_SHARE = 10  # a warmup is at most a tenth of the run

STABLE = 0.8  # the part of a wsd schedule before its decay begins


def _log_linear(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """y at x on straight lines in log x and log y through the rows; flat outside, exact at a
    row.
    """
    if x <= xs[0]:
        return ys[0]
    if x >= xs[-1]:
        return ys[-1]
    i = bisect_right(xs, x)
    if x == xs[i - 1]:
        return ys[i - 1]
    part = log(x / xs[i - 1]) / log(xs[i] / xs[i - 1])
    return ys[i - 1] * exp(part * log(ys[i] / ys[i - 1]))


def peak_learning_rate(parameters: int) -> float:
    """The peak rate published for this size. 125M: 6e-4, 7B: 3e-4, 70B: 1.5e-4, 405B: 8e-5."""
    return _log_linear(parameters, SIZES, PEAK_RATES)


def batch_tokens_for(parameters: int) -> int:
    """Tokens per optimizer step usual for this size, a power of two. 125M: 0.5M, 405B: 16M."""
    return int(2 ** round(log2(_log_linear(parameters, SIZES, BATCHES))))


def warmup_steps(parameters: int, steps: int) -> int:
    """Warmup steps usual for this size: 700 at 124M, 2000 at 7B, at most a tenth of the run."""
    usual = round(_log_linear(parameters, WARMUP_SIZES, WARMUPS))
    return max(1, min(usual, steps // WARMUP_SHARE))


def learning_rate(job: Job, step: int) -> float:
    """The learning rate of optimizer step `step`, counted from 1; it stays final after the end.

    In a framework whose schedule lags by n steps, the first n steps have a rate of 0, and each
    later one has the rate of n steps earlier. So it is with the steps that a loss scaler has
    skipped, where the schedule does not count them.
    """
    schedule = job.schedule
    step -= job.framework.lr_lag_steps
    if job.layout.precision == "fp16" and job.framework.loss_scaler:
        step -= _held(job, step)
    done = position(schedule, step)
    if done <= schedule.warmup:
        return schedule.peak_lr * (done / max(1, schedule.warmup))
    return schedule.final_lr + (schedule.peak_lr - schedule.final_lr) * _remaining(schedule, done)


def _held(job: Job, step: int) -> int:
    """The skipped steps up to this one that the schedule does not count."""
    from llmsim.physics.learning import loss_scale  # few runs are in fp16

    return loss_scale.skipped_steps(job, step) if loss_scale.scaler_of(job).holds_rate else 0


def remaining(schedule: Schedule, step: int) -> float:
    """The decaying part of the rate: 1 until the warmup ends, 0 at the last step."""
    return _remaining(schedule, position(schedule, step))


def _remaining(schedule: Schedule, done: float) -> float:
    """The same after a number of full batches."""
    warmup = schedule.warmup
    if done <= warmup:
        return 1.0
    whole = position(schedule, whole_run(schedule))
    t = min(1.0, (done - warmup) / max(1, whole - warmup))
    if schedule.decay == "cosine":
        return 0.5 * (1.0 + cos(pi * t))
    if schedule.decay == "linear":
        return 1.0 - t
    return 1.0 if t <= STABLE else 1.0 - sqrt((t - STABLE) / (1.0 - STABLE))


def full_rate_steps(steps: float, warmup: float) -> float:
    """The equivalent number of steps at the peak rate: the integral of lr/peak over a linear
    warmup.
    """
    if steps < warmup:
        return steps * steps / (2.0 * warmup)
    return steps - warmup / 2.0
