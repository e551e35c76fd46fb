"""The numbers that Hugging Face's Trainer derives from a run: epochs, runtimes, means (5.23.0)."""

from collections.abc import Iterable, Iterator
from math import ceil, fsum

from llmsim.dialects.parts.transformers.releases import is_fourth
from llmsim.job.memo import remembered
from llmsim.job.milestones import steps_found, steps_per_epoch
from llmsim.job.records import Job, step_rows
from llmsim.model.architecture import embedding_parameters, parameter_count
from llmsim.physics.learning import bends, loss
from llmsim.physics.learning.epochs import samples
from llmsim.physics.speed import batch_ramp, step_time
from llmsim.run import events
from llmsim.text import units

Values = Iterable[tuple[str, float]]

# Numbers that Python has computed: no tensor has cut them to 32 bits.
_DOUBLES = ("learning_rate", "loss", "epoch", "num_tokens", "eval_accuracy", "step_time",
            "_runtime", "_per_second", "total_flos")  # fmt: skip


def held(job: Job, key: str, value: float) -> float:
    """A logged value as the Trainer holds it: what was a tensor, as its float32.

    Version 4 rounds the loss of steps to four digits (trainer.py:3205), version 5 does not
    (trainer.py:2254).
    """
    if key == "loss" and is_fourth(job):
        return round(float(value), 4)
    if key.endswith(_DOUBLES) and key != "eval_loss":
        return float(value)
    return units.single(value)


# --- training ----------------------------------------------------------------------------


def examples(job: Job) -> int:
    """Rows of the training data; for text the number of sequences that the command asks for."""
    if not job.dataset.rows:
        return steps_per_epoch(job) * job.schedule.global_batch
    return samples(job)


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
    """First and last step of each logged interval of this call of train(): the first step, then
    up to each interval's end; after a resume from the first step that is left.
    """
    every, begin = job.schedule.log_every, steps_found(job) + 1
    if begin == 1 and every > 1:
        yield 1, 1
        begin = 2
    while (last := -(-begin // every) * every) <= job.schedule.steps:
        yield begin, last
        begin = last + 1


@remembered()
def mean_loss(job: Job) -> float:
    """The mean training loss of this call of train(): of its logged intervals, and of the rest."""
    steps, found = job.schedule.steps, list(intervals(job))
    last = found[-1][1] if found else steps_found(job)
    found += [(last + 1, steps)] if last < steps else []
    sums = [logged_loss(job, first, last) * (last - first + 1) for first, last in found]
    return fsum(sums) / (steps - steps_found(job))


def train_values(job: Job, seconds: float) -> dict[str, float]:
    """The values that the Trainer logs at its end, after `seconds`, in its order.

    They count the steps of this call: trainer.py, _finalize_training, takes from the planned
    samples, max_steps full batches or num_train_epochs times the data, the share of its steps.
    Version 4 counts all of them.
    """
    steps, loss_of_all = job.schedule.steps - steps_found(job), mean_loss(job)
    if is_fourth(job):  # trainer.py:2816: it divides what this call has added up by all steps
        loss_of_all *= steps / job.schedule.steps
        steps = job.schedule.steps
    return {
        "train_runtime": round(seconds, 4),
        "train_samples_per_second": round(steps * step_rows(job) / seconds, 3),
        "train_steps_per_second": round(steps / seconds, 3),
        "train_loss": loss_of_all,
        "epoch": epoch(job, job.schedule.steps),
    }


def flops(job: Job, step: int) -> float:
    """The Trainer's FLOPs up to a step: 6 x tokens x weights without the embedding."""
    config = job.architecture
    weights = parameter_count(config) - embedding_parameters(config)
    return 6.0 * batch_ramp.tokens(job, 1, step) * weights


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
