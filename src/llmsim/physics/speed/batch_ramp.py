"""How the global batch grows at the start of a pretraining, as in GPT-3, BLOOM and Megatron-LM.

    batch(step) = start + increment * floor(consumed * n / samples)     consumed < samples
    batch(step) = full                                                  from then on

n = (full - start) / increment, `consumed` counts the sequences of the steps before: Megatron's
`--rampup-batch-size start increment samples` (megatron/core/num_microbatches_calculator.py).
GPT-3 went from 32k tokens to 0.5-3.2M over 4 to 12 billion tokens (Brown et al. 2020, appendix
B), BLOOM-176B from 16 sequences to 2048: early on a noisier gradient is as good and costs less
(McCandlish et al. 2018). The learning rate then goes by sequences, as Megatron demands: a step
of half a batch is half a step. Batches in sequences; steps are optimizer steps and count from 1;
exact.
"""

from bisect import bisect_right
from math import lcm
from operator import attrgetter

from llmsim.job.layout import Layout
from llmsim.job.records import Job
from llmsim.job.schedule import BatchStage, Schedule
from llmsim.physics.learning import epochs

# A full batch may be divided into this many parts; the ramp starts with one part.
PARTS = (2, 3, 4, 5)
LONGEST = 0.25  # part of a run's steps

_first = attrgetter("first")


def stage_number(schedule: Schedule, step: int) -> int:
    """Which stage of the ramp a step belongs to, counted from 0; the last is the full batch."""
    if not schedule.ramp:
        return 0
    return max(0, bisect_right(schedule.ramp, step, key=_first) - 1)


def batch(schedule: Schedule, step: int) -> int:
    """Sequences of this step."""
    return (
        schedule.ramp[stage_number(schedule, step)].batch
        if schedule.ramp
        else schedule.global_batch
    )


def consumed(schedule: Schedule, step: int) -> int:
    """Sequences of the steps 1..step together, 0 of step 0."""
    if not schedule.ramp:
        return step * schedule.global_batch
    stage = schedule.ramp[stage_number(schedule, step)]
    return stage.before + (step - stage.first + 1) * stage.batch


def steps_until(schedule: Schedule, sequences: float) -> int:
    """The first step after which this many sequences are consumed."""
    stages = schedule.ramp or (BatchStage(1, schedule.global_batch, 0),)
    stage = max((s for s in stages if s.before < sequences), default=stages[0])
    return stage.first - 1 - int((stage.before - sequences) // stage.batch)


def tokens(job: Job, first: int, last: int) -> int:
    """Tokens of the steps first..last, both included; an epoch's last step has what is left."""
    schedule = job.schedule
    if not schedule.ramp:
        missing = epochs.unfilled(job, first, last) if job.framework.takes_rest else 0.0
        full = schedule.global_batch * schedule.sequence
        if not missing:
            return (last - first + 1) * full
        return round((last - first + 1 - missing) * schedule.global_batch * schedule.sequence)
    return (consumed(schedule, last) - consumed(schedule, first - 1)) * schedule.sequence


def steady_tokens(job: Job) -> int:
    """Tokens of a step where all steps have equally many; 0 where a batch grows, or where an
    epoch's last step may have less.
    """
    schedule = job.schedule
    varies = schedule.ramp or (job.framework.takes_rest and epochs.have_rests(job))
    return 0 if varies else schedule.global_batch * schedule.sequence


def position(schedule: Schedule, step: int) -> float:
    """The progress of the schedule after a step, in full batches; without a ramp the step
    itself.
    """
    return consumed(schedule, step) / schedule.global_batch if schedule.ramp else float(step)


def layout_at(job: Job, step: int) -> Layout:
    """The layout with the gradient accumulation of this step: a smaller batch has less of it."""
    if not job.schedule.ramp:
        return job.layout
    return _accumulating(job.layout, batch(job.schedule, step))


def _accumulating(layout: Layout, sequences: int) -> Layout:
    return layout._replace(accumulation=sequences // (layout.dp * layout.micro_batch))


def planned(
    layout: Layout, steps: int, log_every: int, share: float, draw: int
) -> tuple[BatchStage, ...]:
    """A ramp over about this share of the steps, chosen by `draw` among the possible; () if none
    is.

    A batch in n parts grows by one of them at a time. Each stage has as many sequences as the
    others and a whole number of logging intervals: k parts take lcm(1..n-1) / k of a unit. No
    stage leaves a pipeline with fewer micro-batches than stages.
    """
    full = layout.dp * layout.micro_batch * layout.accumulation
    suiting = [
        parts
        for parts in PARTS
        if layout.accumulation % parts == 0
        and layout.accumulation // parts >= layout.pp
        and _unit(parts, log_every) <= LONGEST * steps
    ]
    if not suiting:
        return ()
    parts = suiting[draw % len(suiting)]
    units = max(1, round(share * steps / _unit(parts, log_every)))
    each = units * log_every * lcm(*range(1, parts)) * full // parts  # sequences of a stage
    stages, first = [], 1
    for part in range(1, parts + 1):
        sequences = part * full // parts
        stages.append(BatchStage(first, sequences, (part - 1) * each))
        first += each // sequences
    return tuple(stages)


def _unit(parts: int, log_every: int) -> int:
    """Steps of the shortest ramp with this number of parts."""
    common = lcm(*range(1, parts))
    return log_every * sum(common // part for part in range(1, parts))
