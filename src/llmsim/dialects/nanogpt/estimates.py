"""Values that nanoGPT derives from its own log: the time of an iteration, and a running MFU.

The MFU counts 6 N + 12 L H Q T FLOPs per token, N without the position embeddings, in units of an
A100's peak (estimate_mfu, model.py): on a faster GPU it may be above 1. The running MFU begins at
iteration 5 of a process; each line keeps nine tenths of the earlier value (train.py:300-327).
"""

from llmsim.job.memo import remembered
from llmsim.job.milestones import evicted_checkpoint, steps_found
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import parameter_count, position_parameters
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run.timeline import steps_seconds

A100_TFLOPS = 312.0  # the peak that nanoGPT assumes for every GPU
KEPT = 0.9  # part of the running MFU that a line keeps
FIRST_MFU = 5  # iteration; before it, the running MFU is -1

# The running MFU of a line is computed from the FORGOTTEN lines before it: an older line has a
# weight of 0.9**384 = 3e-18, too little for a float. Lines are computed in blocks.
FORGOTTEN, BLOCK = 384, 512


def mfu(job: Job, seconds: float) -> float:
    """The result of estimate_mfu for an iteration of these seconds."""
    config, sequence = job.architecture, job.schedule.sequence
    attention = 12 * config.layers * config.heads * config.head_dim * sequence
    per_token = 6.0 * (parameter_count(config) - position_parameters(config)) + attention
    per_gpu = batch_tokens(job) / job.layout.gpus / seconds
    return per_token * per_gpu / (A100_TFLOPS * 1e12)


def iteration(job: Job, step: int) -> int:
    """The number that a logged step has in train.py, which counts from 0 and logs its multiples."""
    if job.schedule.log_every == 1:
        return step - 1
    return 0 if step == 1 else step


def last_iteration(job: Job) -> int:
    """The number of the last iteration, max_iters: train.py runs this one, too."""
    return iteration(job, job.schedule.steps)


def evaluates(job: Job, step: int) -> bool:
    """Whether train.py evaluates and saves after a step: before an iteration that it runs."""
    return 0 < step <= last_iteration(job) and step % job.schedule.validate_every == 0


def pause_seconds(job: Job, step: int) -> float:
    """Seconds of the evaluation and the save after a step, the old file's deletion included, or
    0.
    """
    if not evaluates(job, step):
        return 0.0
    seconds = step_time.validation_seconds(job, step) + storage.save_seconds(job, step)
    return seconds + (storage.delete_seconds(job, step) if evicted_checkpoint(job, step) else 0.0)


def iteration_seconds(job: Job, step: int) -> float:
    """Seconds that train.py measures for a step: the step and the pause before it. The first one of
    a process that goes on from a checkpoint compiles, too.
    """
    seconds = steps_seconds(job, step, step, job.repeated)
    found = steps_found(job)
    if (found or job.attempt > 1) and step == found + 1:
        seconds += step_time.compile_seconds(job) if found else 0.0
        return seconds + pause_seconds(job, found)
    return seconds + pause_seconds(job, iteration(job, step))


def running_mfu(job: Job, step: int) -> float:
    """The exponential mean of the MFU of the logged steps up to this one; -1 in the beginning."""
    line = step // job.schedule.log_every
    return _running_mfus(job, line // BLOCK)[line % BLOCK]


@remembered(4)
def _running_mfus(job: Job, block: int) -> tuple[float, ...]:
    """The running MFU at every line of a block; line n belongs to step n * log_every."""
    first, every = block * BLOCK, job.schedule.log_every
    begun = steps_found(job)
    last = min(first + BLOCK, job.schedule.steps // every + 1)
    mean, means = -1.0, []
    for line in range(max(begun // every, first - FORGOTTEN), last):
        if iteration(job, line * every) - begun >= FIRST_MFU:
            now = mfu(job, iteration_seconds(job, line * every))
            mean = now if mean == -1.0 else KEPT * mean + (1.0 - KEPT) * now
        if line >= first:
            means.append(mean)
    means = [-1.0] * (last - first - len(means)) + means  # lines of earlier processes
    return tuple(means)
