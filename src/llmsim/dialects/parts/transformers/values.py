"""The numbers that Hugging Face's Trainer derives from a run: epochs, runtimes, means (5.23.0)."""

from collections.abc import Iterable, Iterator
from math import ceil, fsum

from llmsim.job.memo import remembered
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job, batch_tokens, step_rows
from llmsim.model.architecture import embedding_parameters, parameter_count
from llmsim.physics.learning import bends, loss, metrics
from llmsim.physics.speed import step_time
from llmsim.run import events

Values = Iterable[tuple[str, float]]


# --- training ----------------------------------------------------------------------------


def examples(job: Job) -> int:
    """Rows of the training data; for text the number of sequences that the command asks for."""
    if not job.dataset.rows:
        return steps_per_epoch(job) * job.schedule.global_batch
    return metrics.samples(job)


def updates_per_epoch(job: Job) -> int:
    """Optimizer steps in an epoch; the last may have fewer batches than the others."""
    return ceil(examples(job) / step_rows(job))


def epoch(job: Job, step: int) -> float:
    """The epochs done after a step, in batches: the Trainer's `epoch`."""
    whole, rest = divmod(step, updates_per_epoch(job))
    batches = ceil(examples(job) * job.layout.accumulation / step_rows(job))
    return whole + rest * job.layout.accumulation / batches


def epochs(job: Job) -> int:
    """Epochs that the run begins: the Trainer's `Num Epochs` when the number of steps is given."""
    return ceil(job.schedule.steps / updates_per_epoch(job))


def step_values(event: events.Step, job: Job, extra: Values = ()) -> Values:
    """The values that a step logs; the loss is the mean since the earlier log."""
    return (
        ("loss", logged_loss(job, event.previous + 1, event.step)),
        ("grad_norm", event.gradient_norm),
        ("learning_rate", event.learning_rate),
        *extra,
        ("epoch", epoch(job, event.step)),
    )


def logged_loss(job: Job, first: int, last: int) -> float:
    """The mean loss that the Trainer logs for steps first..last.

    Its logging_nan_inf_filter (trainer.py) replaces a loss that is not a number by the mean of
    the ones before it since the last log; if there are none, the log says 0.0.
    """
    mean = loss.averaged(job, first, last)
    if mean == mean:
        return mean
    good = next(step for step in range(first, last + 1) if bends.broken(job, step)) - first
    total = good * loss.averaged(job, first, first + good - 1) if good else 0.0
    for done in range(good, last - first + 1):
        total += total / (1 + done)
    return total / (last - first + 1)


def intervals(job: Job) -> Iterator[tuple[int, int]]:
    """First and last step of each logged interval: step 1, then up to each interval's end."""
    every, steps = job.schedule.log_every, job.schedule.steps
    if every > 1:
        yield 1, 1
        yield 2, every
    for last in range(every + every * (every > 1), steps + 1, every):
        yield last - every + 1, last


@remembered()
def mean_loss(job: Job) -> float:
    """The mean training loss of the whole run, from the logged means."""
    sums = [logged_loss(job, first, last) * (last - first + 1) for first, last in intervals(job)]
    return fsum(sums) / job.schedule.steps


def train_values(job: Job, seconds: float) -> dict[str, float]:
    """The values that the Trainer logs at its end, after `seconds`, in its order."""
    schedule = job.schedule
    return {
        "train_runtime": round(seconds, 4),
        "train_samples_per_second": round(schedule.steps * step_rows(job) / seconds, 3),
        "train_steps_per_second": round(schedule.steps / seconds, 3),
        "train_loss": mean_loss(job),
        "epoch": epoch(job, schedule.steps),
    }


def flops(job: Job) -> float:
    """The Trainer's FLOPs of the whole run: 6 x tokens x weights without the embedding."""
    config = job.architecture
    weights = parameter_count(config) - embedding_parameters(config)
    return 6.0 * job.schedule.steps * batch_tokens(job) * weights


# --- evaluation --------------------------------------------------------------------------


def evaluated_rows(job: Job) -> int:
    """Rows of the held-out data."""
    return job.schedule.validation_batches * step_rows(job)


def evaluation_values(
    job: Job, step: int, extra: Values = (), scores: Values = ()
) -> dict[str, float]:
    """The values that an evaluation logs, in the Trainer's order: `scores` are the script's."""
    schedule, seconds = job.schedule, step_time.validation_seconds(job, step)
    samples = evaluated_rows(job)
    steps = schedule.validation_batches * job.layout.accumulation
    return {
        "eval_loss": loss.validation(job, step),
        **{f"eval_{key}": number for key, number in scores},
        "eval_runtime": round(seconds, 4),
        "eval_samples_per_second": round(samples / seconds, 3),
        "eval_steps_per_second": round(steps / seconds, 3),
        **{f"eval_{key}": number for key, number in extra},
        "epoch": epoch(job, step),
    }
