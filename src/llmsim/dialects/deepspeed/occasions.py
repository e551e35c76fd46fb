"""How often the statements print with which a run goes on from a checkpoint."""

from collections.abc import Iterable

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.deepspeed import training
from llmsim.dialects.deepspeed.log_lines import zero_stage
from llmsim.dialects.statement import goes_on
from llmsim.job.milestones import epoch_of
from llmsim.job.records import Job


def begun(job: Job) -> Iterable[int]:
    """The epochs that begin in the run, and not before it."""
    return range(epoch_of(job, job.schedule.first_step) + goes_on(job), job.schedule.epochs + 1)


def read(job: Job) -> Iterable[int]:
    """A checkpoint's parts of the optimizer, one for each process."""
    return range(len(ranks_kept(job))) if goes_on(job) and zero_stage(job) else ()


def opened(job: Job) -> Iterable[int]:
    """The files that the processes read of a checkpoint: of the model, and of the optimizer."""
    if not goes_on(job):
        return ()
    ranks, step = ranks_kept(job), job.schedule.first_step - 1
    layers = [name for rank in ranks for name in training.layer_files(job, step, rank)]
    files = len(ranks) + (len(layers) if job.layout.pp > 1 else 0)
    return range(files + len([*read(job)]))
