"""What the Trainer says when it goes on from a checkpoint (trainer.py of 4.57 and 5.23)."""

from collections.abc import Iterator

from llmsim.dialects.parts.transformers.bars import Lines
from llmsim.dialects.parts.transformers.log_lines import info
from llmsim.job.milestones import epoch_of, steps_per_epoch
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text.screen import Screen

_PLACES = (1631, 1635)


def resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    """Where the training continues, and how many batches are skipped; nothing from the start."""
    del screen
    if not event.step:
        return
    epoch, per_epoch = epoch_of(job, event.step) - 1, steps_per_epoch(job)
    batches = (event.step - epoch * per_epoch) * job.layout.accumulation
    folder = f"checkpoints/{job.run_name}/checkpoint-{event.step}"
    yield from info(
        job, event.at - event.seconds, "trainer.py:3659", f"Loading model from {folder}."
    )
    new = int(job.software.transformers.partition(".")[0]) >= 5
    texts = (_new if new else _old)(event.step, epoch, batches)
    for line, text in zip(_PLACES if new else (1650,) * 4, texts, strict=False):
        yield from info(job, event.at, f"trainer.py:{line}", text)


def _new(step: int, epoch: int, batches: int) -> Iterator[str]:
    """From 5.0 on."""
    yield f"  Resuming training from checkpoint with epoch {epoch} and global step {step}"
    yield (
        f"  Fast-forwarding the dataloader past {epoch} epochs and {batches} batches to resume "
        "from the exact training state."
    )


def _old(step: int, epoch: int, batches: int) -> Iterator[str]:
    """Up to 4.57."""
    yield "  Continuing training from checkpoint, will skip to saved global_step"
    yield f"  Continuing training from epoch {epoch}"
    yield f"  Continuing training from global step {step}"
    yield (
        f"  Will skip the first {epoch} epochs then the first {batches} batches in the first epoch."
    )
