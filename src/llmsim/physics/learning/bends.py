"""What incidents do to the loss and the gradient's norm of a job: the shapes of its bends.

    loss excess      h * (exp(-k / recovery) - exp(-k / rise))     k >= 0 steps after the onset
    norm's factor    F ** (1 - d / (lead + 1))                     d = 1 .. lead steps before it
                     after + (F - after) * exp(-k / settling)      from it on

h in nats. A jump has no second term, an excess that stays has 1 for the first one. A bend whose
height is not a number makes every loss from its onset on nan, and so do the norm's factor and
the metrics: in bf16 nothing scales or skips, and the weights never recover.
"""

from math import exp, expm1, fsum, inf, isnan

from llmsim.job.memo import remembered
from llmsim.job.records import Bend, Job


def active(job: Job) -> tuple[Bend, ...]:
    """The bends that the processes of this attempt meet."""
    return _left(job) if job.bends else ()


@remembered()  # a long run on a large cluster has hundreds
def _left(job: Job) -> tuple[Bend, ...]:
    """The same of a job that has bends."""
    return tuple(bend for bend in job.bends if bend.incident not in job.cured)


def broken(job: Job, step: int) -> bool:
    """Whether the loss of a step is not a number any more."""
    return bool(job.bends) and any(
        isnan(bend.height) and step >= bend.onset for bend in active(job)
    )


def loss_excess(job: Job, step: int, first: int | None = None) -> float:
    """Nats that bends add to the loss of a step, or to the mean loss of steps first..step."""
    if not job.bends:
        return 0.0
    return fsum([_mean(bend, first or step, step) for bend in active(job)])


def _mean(bend: Bend, first: int, last: int) -> float:
    """The mean excess of one bend in steps first..last."""
    if last < bend.onset or not bend.height:
        return 0.0
    begun, ended = max(0, first - bend.onset), last - bend.onset
    total = _decay(bend.recovery, begun, ended) - _decay(bend.rise, begun, ended)
    return bend.height * total / (last - first + 1)


def _decay(steps: float, begun: int, ended: int) -> float:
    """The sum of exp(-k / steps) for k = begun..ended, a geometric series."""
    if steps == inf:
        return float(ended - begun + 1)
    if steps == 0.0:
        return 0.0
    return exp(-begun / steps) * expm1((begun - ended - 1) / steps) / expm1(-1.0 / steps)


def gradient_factor(job: Job, step: int) -> float:
    """The factor by which bends raise the gradient's norm in a step."""
    if not job.bends:
        return 1.0
    factor = 1.0
    for bend in active(job):
        if step >= bend.onset and bend.after == inf:  # gradients overflow in fp16
            return inf
        if step >= bend.onset:
            factor *= bend.after + (bend.norm - bend.after) * exp(
                (bend.onset - step) / bend.settling
            )
        elif step >= bend.onset - bend.lead:
            factor *= bend.norm ** (1.0 - (bend.onset - step) / (bend.lead + 1))
    return factor
