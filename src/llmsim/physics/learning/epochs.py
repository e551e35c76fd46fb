"""How many samples an epoch of fine-tuning has, and what its last step lacks of a full batch."""

from math import ceil

from llmsim.job.records import Job, step_rows

EMPTY = 0.008  # the largest part of a sequence that packing leaves empty


def samples(job: Job) -> int:
    """The samples in one epoch of a fine-tuning: packed sequences, or the rows (pairs,
    problems).
    """
    if job.recipe.row_sequences:
        return job.dataset.rows
    return ceil(job.dataset.tokens / (job.schedule.sequence * (1.0 - EMPTY / 2.0)))


def have_rests(job: Job) -> bool:
    """Whether the last step of an epoch may have less than a full batch."""
    return bool(job.framework.takes_rest and job.dataset.rows) and not job.recipe.generates


def unfilled(job: Job, first: int, last: int) -> float:
    """Full batches that the steps first..last lack: an epoch's last step takes what is left.

    An epoch has whole micro-batches on all ranks, and its last step has the rest of them: a part
    of the accumulation. 0 where a framework drops the rest, or where text has no epochs' ends.
    """
    if not have_rests(job):
        return 0.0
    accumulation, rows, taken = job.layout.accumulation, samples(job), step_rows(job)
    rest = ceil(rows * accumulation / taken) % accumulation
    if not rest:
        return 0.0
    updates = ceil(rows / taken)
    return (last // updates - (first - 1) // updates) * (1.0 - rest / accumulation)
