"""The bars of Hugging Face's libraries: transformers, datasets, huggingface_hub."""

from collections.abc import Iterator
from itertools import accumulate

from llmsim.dialects.line import Bar, Line
from llmsim.dialects.parts.tqdm import bar
from llmsim.dialects.parts.transformers.values import examples
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line | Bar]


def training_bar(job: Job, screen: Screen, step: int, elapsed: float, ended: bool = False) -> Bar:
    """The bar of all steps; a run has only one, whatever its epochs, and leaves it when it ends."""
    drawn = bar(screen, "", step, job.schedule.steps, elapsed, leave=ended)
    return drawn._replace(task="train")


def redrawn(job: Job, screen: Screen, step: int, elapsed: float) -> Line | Bar:
    """The training bar below a line that was written through it, as tqdm.write leaves it.

    A terminal rewrites it in place; a file has the bar again after each line.
    """
    drawn = training_bar(job, screen, step, elapsed)
    return drawn if screen.live else Line(drawn.text)


def epoch_bar(event: events.Progress, job: Job, screen: Screen) -> Bar:
    """The training bar when an epoch's progress is reported."""
    before = (event.epoch - 1) * steps_per_epoch(job)
    return training_bar(job, screen, before + event.done, event.training_seconds)


def evaluation_bar(event: events.Progress, job: Job, screen: Screen) -> Bar:
    """The bar of the evaluation's batches, one of each device at a time; erased at its end."""
    batches = job.layout.accumulation
    return bar(
        screen, "", event.done * batches, event.total * batches, event.elapsed, leave=False
    )._replace(task="evaluation")


def last_evaluation_bar(event: events.Progress, job: Job, screen: Screen) -> Bar:
    """The bar of the evaluation after the training, which stays: no other is above it."""
    schedule = job.schedule
    batches = schedule.validation_batches * job.layout.accumulation
    done, seconds = (
        batches * event.done // event.total,
        step_time.validation_seconds(job, schedule.steps),
    )
    return bar(screen, "", done, batches, seconds * done / batches)._replace(task="evaluated")


def saving_bar(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The bar of a model's files; adapters are written without one."""
    if job.architecture.adapter_rank:
        return
    sizes = [shard.size for shard in storage.export_shards(job)]
    whole = sum(sizes)
    ends = [0, *(end * event.total // whole for end in accumulate(sizes))]
    done = sum(end <= event.done for end in ends) - 1
    yield bar(screen, "Writing model shards", done, len(sizes), event.elapsed)


def loading_bar(event: events.Progress, job: Job, screen: Screen) -> Bar:
    """The bar of the released weights: nine tensors a layer, mixtures' experts fused."""
    config = job.architecture
    tensors = 9 * config.layers + (2 if config.tied else 3)
    done = tensors * event.done // event.total
    return bar(screen, "Loading weights", done, tensors, event.elapsed)


def data_bar(event: events.Progress, job: Job, screen: Screen, label: str) -> Bar:
    """The bar of `datasets` that maps every example."""
    rows = job.dataset.rows or examples(job)
    return bar(screen, label, rows * event.done // event.total, rows, event.elapsed, " examples")


def progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The bars that any script with a Trainer shows."""
    if event.task == "epoch":
        if screen.live:  # a file has the bar with every line that is written through it
            yield epoch_bar(event, job, screen)
    elif event.task == "validation":
        yield evaluation_bar(event, job, screen)
    elif event.task in ("checkpoint", "export"):
        yield from saving_bar(event, job, screen)
    elif event.task == "load":
        yield loading_bar(event, job, screen)
    elif event.task == "download":
        yield bar(
            screen, "Downloading data", event.done, event.total, event.elapsed, "B", scale=True
        )
