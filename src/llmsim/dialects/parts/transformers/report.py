"""The Trainer's values for Weights & Biases, as its callback names them: train/ and eval/ keys."""

from collections.abc import Callable, Iterator

from llmsim.dialects.line import Line
from llmsim.dialects.parts import wandb
from llmsim.dialects.parts.transformers.values import (
    Values,
    epoch,
    evaluation_values,
    flops,
    intervals,
    logged_loss,
    train_values,
)
from llmsim.job.milestones import steps_found, validated_steps
from llmsim.job.records import Job
from llmsim.physics.learning import gradient, learning_rate
from llmsim.run import events
from llmsim.text.screen import Screen

PROJECT = "huggingface"  # the callback's default

Extra = Callable[[Job, int], Values]
Watched = Callable[[Job, int, int], Values]


def nothing(job: Job, step: int, first: int = 0) -> Values:
    """No further metrics: the plain Trainer has none."""
    return ()


def finished(
    event: events.Summary,
    job: Job,
    screen: Screen,
    extra: Watched = nothing,
    held_out: Extra = nothing,
    scores: Extra = nothing,
) -> Iterator[Line]:
    """The client's summary of all values logged since wandb.init, renamed to train/ and eval/.

    `extra` and `held_out` are the further values of a step and of an evaluation,
    `scores` the values of the script's own metrics.
    """
    schedule, logs = job.schedule, list(intervals(job))

    def trained(first: int, step: int) -> dict[str, float]:
        return {
            "train/global_step": step,
            "train/loss": logged_loss(job, first, step),
            "train/grad_norm": gradient.norm(job, step),
            "train/learning_rate": learning_rate.learning_rate(job, step),
            "train/epoch": epoch(job, step),
            **{f"train/{key}": value for key, value in extra(job, step, first)},
        }

    def evaluated(step: int) -> dict[str, float]:
        found = evaluation_values(job, step, held_out(job, step), scores(job, step))
        return {key.replace("eval_", "eval/", 1): found[key] for key in found if key != "epoch"}

    training = [trained(*interval) for interval in wandb.downsampled(logs)]
    ends = [step for step in validated_steps(job) if step > steps_found(job)]
    evaluations = [evaluated(step) for step in ends]
    history = {
        key: [values[key] for values in rows]
        for rows in (training, evaluations)
        for key in (rows[0] if rows else ())
    }
    summary = {
        **(trained(*logs[-1]) if logs else {}),
        **evaluated(schedule.steps),
        **train_values(job, event.attempt_seconds),
        "total_flos": flops(job, schedule.steps),
    }
    del summary["epoch"]  # it is there as train/epoch
    yield from wandb.finish(job, screen, PROJECT, event.attempt_began, history, summary)
