"""The records of logged steps: all columns of a block of steps at once, or of a single step."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from math import inf
from operator import truediv

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import epoch_of, previous_logged
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.learning import (
    epochs,
    gradient,
    learning_rate,
    loss,
    metrics,
    objectives,
)
from llmsim.physics.speed import batch_ramp, step_time, throughput
from llmsim.run.events import Step
from llmsim.run.timeline import (
    Run,
    Segment,
    first_step,
    learner,
    number_of_step,
    step_began,
    step_done,
    step_ended,
    steps_took,
    training_began,
)
from llmsim.typed import Any


def logged_step(run: Run, step: int, attempt: int | None = None) -> Step:
    """The record of an optimizer step as if it were logged; see `number_of_step` for `attempt`.

    Rates are means since the logged step before it, or since the attempt's first one.
    """
    segment = run.timeline[number_of_step(run, step, attempt)]
    return records(run, segment, [step])[0]


Pair = tuple[int, int]  # the logged step before a step, or the one before the attempt's; the step
# Values of a field of Step, one for each step of a block.
Column = Iterable[Any]


def _is_disturbed(segment: Segment) -> bool:
    """Whether a segment's steps may take other seconds than the schedule's steps usually do."""
    return bool(segment.delays or segment.warmup or segment.repeated)


def moments(job: Job, segment: Segment, steps: Sequence[int]) -> list[float]:
    """`step_ended` of steps that a segment ran."""
    if _is_disturbed(segment):
        return [step_ended(job, segment, step) for step in steps]
    seconds = step_time.intervals_seconds(job, segment.first, steps)
    began = segment.began  # to_the_microsecond, written out here and twice below
    return [round((began + usual) * 1e6) / 1e6 for usual in seconds]


def _took(run: Run, pairs: Sequence[Pair], segment: Segment) -> list[float]:
    """`steps_took` of the steps after the first of each pair up to its second, which a segment
    ran.
    """
    since = step_time.elapsed_of(run.job)
    earliest = inf if _is_disturbed(segment) else segment.first - 1
    return [
        round((since(step) - since(before)) * 1e6) / 1e6
        if before >= earliest
        else steps_took(run, before + 1, step, segment)
        for before, step in pairs
    ]


def records(
    run: Run,
    segment: Segment,
    steps: Sequence[int],
    measured: bool = True,
    ended: Sequence[float] | None = None,
) -> list[Step]:
    """The records of steps that a training segment ran, in their order; with metrics if `measured`.

    They are made column by column: what all of them share is asked for once. A caller that knows
    when the steps `ended` says it.
    """
    if not steps:
        return []
    job, attempt = run.job, segment.attempt
    first, began = first_step(run, attempt), training_began(run, attempt)
    ends = moments(job, segment, steps) if ended is None else ended
    pairs = [(max(previous_logged(job, step), first - 1), step) for step in steps]
    columns: dict[str, Column] = {
        "at": ends,
        "training_seconds": [round((at - began) * 1e6) / 1e6 for at in ends],
        "host_seconds": _host_seconds(run, segment, pairs, ends),
        **_learning(job, taught := learner(run, segment), steps),
        "metrics": [metrics.metrics(taught, step) for step in steps] if measured else repeat(()),
        **_speed(job, pairs, _took(run, pairs, segment)),
        "allocated": _constant(partial(allocator.allocated, job), steps),
        "reserved": _constant(partial(allocator.reserved, job), steps),
        "capacity": repeat(memory.capacity(job.gpu)),
    }
    return [*map(Step._make, zip(*[columns[name] for name in Step._fields], strict=False))]


def _constant(of: Callable[[int], int], steps: Sequence[int]) -> Column:
    """What all steps but the first have alike."""
    return repeat(of(steps[-1])) if steps[0] > 1 else map(of, steps)


def _epochs(job: Job, steps: Sequence[int]) -> Column:
    """The epochs of steps in order, which are nearly always of the same one."""
    first, last = (epoch_of(job, step) for step in (steps[0], steps[-1]))
    return repeat(first) if first == last else [epoch_of(job, step) for step in steps]


def _learning(job: Job, taught: Job, steps: Sequence[int]) -> dict[str, Column]:
    """What has been learnt. `taught` is the job as the steps' attempt knows it."""
    tokens = objectives.of(job).tokens
    return {
        "step": steps,
        "epoch": _epochs(job, steps),
        "loss": [*map(loss.training_of(taught), steps)],
        "gradient_norm": [*map(gradient.norm_of(taught), steps)],
        "learning_rate": map(learning_rate.rates_of(job), steps),
        "tokens": [tokens(job, 1, step) for step in steps],
    }


def _speed(job: Job, pairs: Sequence[Pair], took: Sequence[float]) -> dict[str, Column]:
    """How fast the steps were that took these seconds since the logged step before."""
    schedule, tokens = job.schedule, objectives.of(job).tokens
    consumed = partial(batch_ramp.consumed, schedule)
    begun, whole = consumed(schedule.first_step - 1), consumed(schedule.steps)
    steps = [step for _, step in pairs]
    timed = [(before, step, seconds) for (before, step), seconds in zip(pairs, took, strict=True)]
    rates = [tokens(job, before + 1, step) / seconds for before, step, seconds in timed]
    done = [*map(consumed, steps)]  # sequences up to each step
    taken: list[float] = [
        after - consumed(before) for (before, _), after in zip(pairs, done, strict=True)
    ]
    if epochs.have_rests(job):
        batch = schedule.global_batch
        taken = [
            most - epochs.unfilled(job, before + 1, step) * batch
            for most, (before, step) in zip(taken, pairs, strict=True)
        ]
    return {
        "previous": [before for before, _ in pairs],
        "step_seconds": [seconds / (step - before) for before, step, seconds in timed],
        "tokens_per_second": rates,
        "samples_per_second": map(truediv, taken, took),
        "mfu": throughput.mfus(job, rates),
        "remaining": [
            until / (after - begun) * (whole - after)
            for until, after in zip(step_time.each_seconds_until(job, steps), done, strict=True)
        ],
    }


def _host_seconds(
    run: Run, segment: Segment, pairs: Sequence[Pair], ends: Sequence[float]
) -> list[float]:
    """Seconds between two logged steps as the host sees them; see Step."""
    job, attempt = run.job, segment.attempt
    if job.framework.dispatches_ahead:
        # The moment of a step is asked for twice, as the step's own and as the next one's earlier.
        asked = dict.fromkeys(chain(*pairs))
        moments = {step: _handed(run, step, attempt) for step in asked}
        return [to_the_microsecond(moments[step] - moments[before]) for before, step in pairs]
    known = {step: at for (_, step), at in zip(pairs, ends, strict=True)}
    known |= {before: _done(run, segment, before) for before, _ in pairs if before not in known}
    return [
        to_the_microsecond(at - known[before]) for (before, _), at in zip(pairs, ends, strict=True)
    ]


def _done(run: Run, segment: Segment, before: int) -> float:
    """When a step of an attempt was done, whose processes began to train after the one before
    their first.
    """
    if before >= segment.first:
        return step_ended(run.job, segment, before)
    if before < first_step(run, segment.attempt):
        return training_began(run, segment.attempt)
    return step_done(run, before, segment.attempt)


# A host that hands a step out without waiting for its devices is never further ahead than this.
HANDED_AHEAD = 2


def _handed(run: Run, step: int, attempt: int, ahead: int = HANDED_AHEAD) -> float:
    """When a host that runs ahead of its devices has handed a logged step out to them.

    It then reads the metrics of the logged step before, or waits for whatever a pause is for;
    so it begins when that is done and the step before is handed out.
    """
    job, first = run.job, first_step(run, attempt)
    if step < first:
        return training_began(run, attempt)
    before = previous_logged(job, step)
    if before < first:
        return training_began(run, attempt) + step_time.compile_seconds(job)
    paused = step_began(run, before + 1, attempt) > step_done(run, before, attempt)
    earlier = max(previous_logged(job, before) + 1, first)
    free = step_began(run, before + 1 if paused else earlier, attempt)
    handed = _handed(run, before, attempt, ahead - 1) if ahead else free
    return max(handed, free) + step_time.dispatch_seconds(job, step)
