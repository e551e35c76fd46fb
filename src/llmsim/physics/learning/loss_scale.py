"""fp16's loss scale, as torch.amp.GradScaler moves it, as a function of the optimizer step.

The loss is multiplied by the scale, so that small gradients do not vanish in fp16. A step whose
gradients overflow is skipped, and the scale halves; after 2,000 steps without an overflow it
doubles. It begins at 65,536 (torch/amp/grad_scaler.py: init_scale, backoff_factor, growth_factor,
growth_interval; FSDP's ShardedGradScaler has the same). So a run skips some steps at once, until
the scale is one that its gradients bear, and later one step in 2,001: the scale is a saw.

When gradients explode, every step overflows, and the scale halves each time down to 1: OPT-175B's
runs ended so again and again (metaseq, projects/OPT/chronicles). GradScaler itself has no end;
the trainer ends the run when the scale falls below 1, as DeepSpeed's and Megatron's do.
"""

from math import inf

from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning.bends import active
from llmsim.typed import NamedTuple

BEGINS = 16  # the first scale is 2 to this
INTERVAL = 2000  # steps without an overflow after which the scale doubles


class Scaled(NamedTuple):
    """A step as the scaler sees it."""

    exponent: int  # the loss is multiplied by 2 to this; below 0 after a collapse
    skipped: bool  # the gradients overflow: their norm is infinite, and the weights stay


def scales(job: Job) -> bool:
    """Whether a job has a loss scale."""
    return job.layout.precision == "fp16"


def bears(job: Job) -> int:
    """The exponent of the largest scale at which the gradients of a job do not overflow."""
    return noise.integer(job.seed, "loss scale", 12, 18)


def scaled(job: Job, step: int) -> Scaled:
    """The scale of an optimizer step, counted from 1, and whether the step is skipped."""
    for bend in active(job):
        if bend.after == inf and step >= bend.onset:
            return Scaled(_usual(job, bend.onset).exponent - (step - bend.onset), skipped=True)
    return _usual(job, step)


def _usual(job: Job, step: int) -> Scaled:
    """The same without incidents."""
    most = bears(job)
    settling = BEGINS - most if most < BEGINS else (most - BEGINS) * INTERVAL
    if step <= settling:
        if most < BEGINS:
            return Scaled(BEGINS + 1 - step, skipped=True)
        return Scaled(BEGINS + (step - 1) // INTERVAL, skipped=False)
    over = (step - settling - 1) % (INTERVAL + 1) == INTERVAL
    return Scaled(most + over, skipped=over)


def skipped_steps(job: Job, first: int, last: int) -> int:
    """How many of the steps first..last are skipped."""
    return sum(scaled(job, step).skipped for step in range(first, last + 1))


def collapses(job: Job, onset: int) -> int:
    """The step in which a scale that halves from a step on falls below 1."""
    return onset + _usual(job, onset).exponent
