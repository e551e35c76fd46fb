"""fp16's loss scale, as a framework's scaler moves it, as a function of the optimizer step.

The loss is multiplied by the scale, so that small gradients do not vanish in fp16. A step whose
gradients overflow is skipped, and the scale halves; after an interval without an overflow it
doubles. Where a scaler has patience, the first overflow after a doubling does not halve it yet.

    torch.amp.GradScaler    2^16, 2,000 steps (torch/amp/grad_scaler.py; FSDP's is the same)
    DeepSpeed               2^16, 1,000 steps, hysteresis 2 (runtime/fp16/loss_scaler.py:170)
    Megatron-LM             2^32, 1,000 steps, hysteresis 2 (core/optimizer/grad_scaler.py)

So a run skips some steps at once, until the scale is one that its gradients bear, and later one
or two steps in an interval: the scale is a saw.

When gradients explode, every step overflows, and the scale halves each time down to 1: OPT-175B's
runs ended so again and again (metaseq, projects/OPT/chronicles). DeepSpeed ends the run there;
GradScaler has no end, so the trainer ends it; Megatron goes on at 1, and skips every step.
"""

from collections.abc import Iterator
from math import inf, isfinite

from llmsim.job.framework import LossScaler
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning.bends import active
from llmsim.typed import NamedTuple


class Scaled(NamedTuple):
    """A step as the scaler sees it."""

    exponent: int  # the loss is multiplied by 2 to this
    skipped: bool  # the gradients overflow: their norm is not finite, and the weights stay
    patience: int = 1  # overflows until the scale halves, this one included


def scales(job: Job) -> bool:
    """Whether a job has a loss scale."""
    return job.layout.precision == "fp16"


def scaler_of(job: Job) -> LossScaler:
    """How the job's framework moves the scale."""
    return job.framework.loss_scaler or LossScaler()


def bears(job: Job) -> int:
    """The exponent of the largest scale at which the gradients of a job do not overflow."""
    return noise.integer(job.seed, "loss scale", 12, 18)


def explodes(job: Job) -> float:
    """The first step of an incident from which on all gradients overflow; infinity: none does."""
    return min((bend.onset for bend in active(job) if not isfinite(bend.after)), default=inf)


def scaled(job: Job, step: int) -> Scaled:
    """The scale of an optimizer step, counted from 1, and whether the step is skipped."""
    onset = explodes(job)
    if step < onset:
        return _usual(job, step)
    scaler, before = scaler_of(job), _usual(job, int(onset))
    left = before.patience - (step - int(onset))
    exponent = before.exponent + min(0, left - 1)
    return Scaled(exponent if scaler.ends else max(0, exponent), True, max(1, left))


def _settling(job: Job) -> int:
    """The steps until the scale is for the first time the one that gradients bear."""
    scaler, most = scaler_of(job), bears(job)
    if most < scaler.begins:
        return scaler.begins - most + scaler.patience - 1
    return (most - scaler.begins) * scaler.interval


def _usual(job: Job, step: int) -> Scaled:
    """The same without incidents."""
    scaler, most, settling = scaler_of(job), bears(job), _settling(job)
    if step <= settling:
        if most < scaler.begins:
            left = scaler.patience - (step - 1)
            return Scaled(scaler.begins + min(0, left - 1), True, max(1, left))
        grown = (step - 1) // scaler.interval
        return Scaled(scaler.begins + grown, skipped=False, patience=scaler.patience)
    over = _over(scaler, step - settling)
    return Scaled(most + (over > 0), over > 0, scaler.patience - over + 1 if over else 1)


def _over(scaler: LossScaler, after: int) -> int:
    """Which overflow since its doubling a step after the settling has, counted from 1; 0: none."""
    return max(0, (after - 1) % (scaler.interval + scaler.patience) - scaler.interval + 1)


def skipped_steps(job: Job, last: int) -> int:
    """How many of the steps 1..last are skipped."""
    if not scales(job):
        return 0
    onset, scaler, settling = explodes(job), scaler_of(job), _settling(job)
    calm = min(last, int(onset) - 1) if onset < inf else last
    began = min(calm, settling) if bears(job) < scaler.begins else 0
    rounds, rest = divmod(max(0, calm - settling), scaler.interval + scaler.patience)
    saw = rounds * scaler.patience + max(0, rest - scaler.interval)
    return began + saw + (last - calm)


def skips(job: Job, first: int, last: int) -> Iterator[int]:
    """The steps first..last that are skipped, in order."""
    if not scales(job) or skipped_steps(job, last) == skipped_steps(job, first - 1):
        return
    for step in range(first, last + 1):
        if scaled(job, step).skipped:
            yield step


def collapses(job: Job, onset: int) -> int:
    """The step in which a scale that halves from a step on is 1 and gradients overflow again."""
    before = _usual(job, onset)
    return onset + before.exponent + before.patience - 1
