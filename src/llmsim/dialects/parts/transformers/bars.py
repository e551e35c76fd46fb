"""The bars of Hugging Face's libraries: transformers, datasets, huggingface_hub."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from llmsim.dialects.line import Bar, Line
from llmsim.dialects.parts.tqdm import bar
from llmsim.dialects.parts.transformers.releases import is_fourth
from llmsim.job.milestones import steps_found, steps_per_epoch
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run import events
from llmsim.text.screen import Screen
from llmsim.typed import NamedTuple

Lines = Iterator[Line | Bar]


def training_bar(job: Job, screen: Screen, step: int, elapsed: float, ended: bool = False) -> Bar:
    """The bar of all steps; a run has only one, whatever its epochs, and leaves it when it ends.

    It begins at 0 after a resume, too: trainer_callback.py gives tqdm no `initial`, and the first
    update brings all steps that the checkpoint has.
    """
    found = steps_found(job)
    drawn = bar(screen, "", step, job.schedule.steps, elapsed, leave=ended, found=found)
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
    """The bar of a model's files; adapters are written without one, and so is all in version 4."""
    if job.architecture.adapter_rank or is_fourth(job):
        return
    sizes = [shard.size for shard in storage.export_shards(job)]
    whole = sum(sizes)
    ends = [0, *(end * event.total // whole for end in accumulate(sizes))]
    done = sum(end <= event.done for end in ends) - 1
    yield bar(screen, "Writing model shards", done, len(sizes), event.elapsed)


def loading_bar(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The bar of the released weights: nine tensors a layer, mixtures' experts fused; in version 4
    that of their files, if they are several.

    Every process loads them, and leaves its bar when it is full.
    """
    config, label = job.architecture, "Loading weights"
    count = 9 * config.layers + (2 if config.tied else 3)
    if is_fourth(job):
        count, label = len(storage.released_shards(job)), "Loading checkpoint shards"
        if count == 1:
            return
    done = count * event.done // event.total
    drawn = bar(screen, label, done, count, event.elapsed)
    yield from [drawn] * (gpus_per_node(job) if done == count else 1)


class Pass(NamedTuple):
    """A pass of `datasets` over rows, and the share of the whole time that it takes."""

    label: str
    rows: int
    share: float


def passes(event: events.Progress, screen: Screen, wanted: Sequence[Pass]) -> Lines:
    """The passes over the data: a terminal shows the one at work, and at the end all bars stay."""
    part, begun = event.done / event.total, 0.0
    for label, rows, share in wanted:
        if part == 1.0:
            yield bar(screen, label, rows, rows, event.elapsed * share, " examples")
        elif screen.live and begun <= part < begun + share:
            done = (part - begun) / share
            elapsed = event.elapsed * (part - begun) / part if part else 0.0
            yield bar(screen, label, int(rows * done), rows, elapsed, " examples")
        begun += share


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
        yield from loading_bar(event, job, screen)
    elif event.task == "download":
        yield bar(
            screen, "Downloading data", event.done, event.total, event.elapsed, "B", scale=True
        )
