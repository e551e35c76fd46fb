"""The numbers that Hugging Face's Trainer derives from a run: epochs, runtimes, means (5.23.0)."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import fsum

from llmsim import events
from llmsim.architecture import embedding_parameters, parameter_count
from llmsim.job import PROMPT_TOKENS, Job, batch_tokens, step_data_tokens, steps_per_epoch
from llmsim.physics import compute, loss, schedule, storage

Values = Iterable[tuple[str, float]]

# A run keeps so many checkpoints and takes so many seconds to delete an older one.
KEPT, DELETING = 2, 0.39


# --- time --------------------------------------------------------------------------------


def in_background(job: Job, step: int) -> bool:
    """Whether training goes on while the checkpoint of a step is written."""
    return job.background_saves and step < job.schedule.steps


@lru_cache(maxsize=256)
def paused(job: Job, step: int) -> float:
    """Seconds that the validations and checkpoints after the steps up to this one take.

    To a few tenths of a second: deleting an old checkpoint takes about as long as DELETING.
    """
    plan = job.schedule

    def after(every: int) -> Iterator[int]:
        yield from range(every, step + 1, every)
        if step == plan.steps and step % every:
            yield step

    def saving(number: int, at: int) -> float:
        if in_background(job, at):
            return storage.staging_seconds(job, at)
        return storage.save_seconds(job, at) + DELETING * (number > KEPT)

    saves = enumerate(after(plan.save_every), 1)
    return fsum(
        [compute.validation_seconds(job, at) for at in after(plan.validate_every)]
        + [saving(number, at) for number, at in saves]
    )


def runtime(job: Job, step: int) -> float:
    """Seconds from the beginning of the training to what follows this step, pauses included."""
    return compute.interval_seconds(job, 1, step) + paused(job, step) if step else 0.0


def reached(job: Job, step: int) -> float:
    """Seconds from the beginning of the training to the end of this step, before any pause."""
    return compute.interval_seconds(job, 1, step) + paused(job, step - 1)


# --- training ----------------------------------------------------------------------------


def examples(job: Job) -> int:
    """Rows of the training data: its sequences, or in GRPO its prompts."""
    length = PROMPT_TOKENS if job.recipe == "grpo" else job.schedule.sequence
    return steps_per_epoch(job) * step_data_tokens(job) // length


def learning_rate(job: Job, step: int) -> float:
    """The rate that a step logs, which its optimizer took: transformers' schedules count from 0.

    So the first step of a warmup has none (trainer.py:1939, before the scheduler's step).
    """
    return schedule.learning_rate(job, step - 1)


def step_values(event: events.Step, job: Job, extra: Values = ()) -> Values:
    """What a step logs: the loss is the mean since the log before."""
    return (
        ("loss", loss.averaged(job, event.previous + 1, event.step)),
        ("grad_norm", event.gradient_norm),
        ("learning_rate", learning_rate(job, event.step)),
        *extra,
        ("epoch", event.step / steps_per_epoch(job)),
    )


def intervals(job: Job) -> Iterator[tuple[int, int]]:
    """First and last step of everything that is logged: step 1, then up to each interval's end."""
    every, steps = job.schedule.log_every, job.schedule.steps
    if every > 1:
        yield 1, 1
        yield 2, every
    for last in range(every + every * (every > 1), steps + 1, every):
        yield last - every + 1, last


@lru_cache(maxsize=8)
def mean_loss(job: Job) -> float:
    """The mean training loss of the whole run, from the logged means."""
    sums = [loss.averaged(job, first, last) * (last - first + 1) for first, last in intervals(job)]
    return fsum(sums) / job.schedule.steps


def train_values(job: Job) -> dict[str, float]:
    """What the Trainer logs when it is done, in its order."""
    plan, seconds = job.schedule, runtime(job, job.schedule.steps)
    return {
        "train_runtime": round(seconds, 4),
        "train_samples_per_second": round(plan.epochs * examples(job) / seconds, 3),
        "train_steps_per_second": round(plan.steps / seconds, 3),
        "train_loss": mean_loss(job),
        "epoch": float(plan.epochs),
    }


def flops(job: Job) -> float:
    """The Trainer's count for the whole run: 6 x tokens x weights, but for the embedding."""
    shape = job.architecture
    weights = parameter_count(shape) - embedding_parameters(shape)
    return 6.0 * job.schedule.steps * batch_tokens(job) * weights


# --- evaluation --------------------------------------------------------------------------


def evaluation_values(job: Job, step: int, extra: Values = ()) -> dict[str, float]:
    """What an evaluation logs, in the Trainer's order."""
    plan, seconds = job.schedule, compute.validation_seconds(job, step)
    samples = plan.validation_batches * plan.global_batch
    steps = plan.validation_batches * job.layout.accumulation
    return {
        "eval_loss": loss.validation(job, step),
        "eval_runtime": round(seconds, 4),
        "eval_samples_per_second": round(samples / seconds, 3),
        "eval_steps_per_second": round(steps / seconds, 3),
        **{f"eval_{key}": number for key, number in extra},
        "epoch": step / steps_per_epoch(job),
    }
