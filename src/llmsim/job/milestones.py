"""After which steps a job logs, validates and saves."""

from bisect import bisect_right
from collections.abc import Iterator

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.job.schedule import Schedule, last_step, whole_run

KEPT_SAVES = 2  # checkpoints kept on disk; the one before them goes when a new one is safe


def steps_per_epoch(job: Job) -> int:
    """Optimizer steps of one epoch: the whole run's steps divided by its epochs, rounded up.

    A run with a given number of steps may end in the middle of its last epoch, as does one that is
    a part of a longer run.
    """
    return -(-whole_run(job.schedule) // job.schedule.epochs)


def epoch_of(job: Job, step: int) -> int:
    """The epoch that a step belongs to, counted from 1."""
    return min((step - 1) // steps_per_epoch(job) + 1, job.schedule.epochs)


def logged(job: Job, step: int) -> bool:
    """Whether this step is logged: the first one, and the last of each interval."""
    return step == 1 or step % job.schedule.log_every == 0


@remembered()
def validated_steps(job: Job) -> tuple[int, ...]:
    """After which steps the run validates: at its interval, and at the end or the beginning.

    None where its schedule says so.
    """
    every, beside = _validations(job)
    return tuple(sorted({*every, *beside}))


def is_validated(job: Job, step: int) -> bool:
    """Whether the run validates after a step. A long run has too many to list for each line."""
    return any(step in steps for steps in _validations(job))


def _validations(job: Job) -> tuple[range, tuple[int, ...]]:
    """The steps at the interval after which the run validates, and the others."""
    schedule = job.schedule
    if not schedule.validates:
        return range(0), ()
    every = _every(schedule.validate_every, schedule.validate_every, schedule)
    if job.framework.validates_first_step:
        beside = (1,) if schedule.first_step == 1 else ()
    else:
        beside = (schedule.steps,) if job.framework.validates_end else ()
    return every, beside or (() if every else (schedule.steps,))


def steps_found(job: Job) -> int:
    """Optimizer steps that the attempt's processes find in the checkpoint they go on from."""
    return max(job.resumed, job.schedule.first_step - 1)


def is_fresh(job: Job) -> bool:
    """Whether the first processes begin with the first step, not with a checkpoint."""
    return job.attempt == 1 and job.schedule.first_step == 1


def steps_before(job: Job) -> int:
    """The steps before this run, if it is a part of a longer one; curves begin at its own first."""
    return job.schedule.first_step - 1


def part_done(job: Job, step: int, last: int) -> float:
    """The part of the run's own steps, until the last one, that is done after a step, 0..1."""
    first = job.schedule.first_step
    return min(1.0, (step - first + 1) / (last - first + 1))


def step_of_part(job: Job, part: float) -> float:
    """The step after which this part of the run's own steps is done."""
    first = job.schedule.first_step
    return first - 1 + part * (last_step(job.schedule) - first + 1)


def validations(job: Job) -> int:
    """How often the run validates; about how often where its Slurm time ends it."""
    return bisect_right(validated_steps(job), last_step(job.schedule))


@remembered()
def saved_steps(job: Job) -> tuple[int, ...]:
    """After which steps the run saves: at its interval, before its batch grows, and at the end.

    None where its schedule says so.
    """
    every, beside = _saves(job)
    return tuple(sorted({*every, *beside}))


def is_saved(job: Job, step: int) -> bool:
    """Whether the run saves after a step. A long run has too many to list for each line."""
    return any(step in steps for steps in _saves(job))


def _saves(job: Job) -> tuple[range, tuple[int, ...]]:
    """The steps at the interval after which the run saves, and the others."""
    schedule = job.schedule
    if not schedule.saves:
        return range(0), ()
    grows = (stage.first - 1 for stage in schedule.ramp[1:])
    first = 1 if job.framework.saves_first_step else schedule.save_every
    return _every(first, schedule.save_every, schedule), (*grows, schedule.steps)


def _every(first: int, every: int, schedule: Schedule) -> range:
    """The steps first, first + every ... that the run has."""
    skipped = max(0, -(-(schedule.first_step - first) // every))
    return range(first + skipped * every, schedule.steps + 1, every)


def save_is_due(job: Job, step: int) -> bool:
    """Whether a step is saved by the interval, and not only because it is the last."""
    first = 1 if job.framework.saves_first_step else job.schedule.save_every
    return job.schedule.saves and step >= first and (step - first) % job.schedule.save_every == 0


def blocking_checkpoint(job: Job, step: int) -> bool:
    """Whether training waits for the save after a step: the last one is always waited for."""
    return not job.background_saves or step == job.schedule.steps


def evicted_checkpoint(job: Job, step: int) -> int:
    """The step whose checkpoint is deleted once the one of `step` is safe; 0 if none is."""
    for _ in range(KEPT_SAVES):
        step = saved_before(job, step)
    return step


def exits_loop(job: Job) -> bool:
    """Whether the framework exits at the last step of this run, before its schedule's end."""
    return job.framework.exits_loop and whole_run(job.schedule) > job.schedule.steps


def saved_before(job: Job, step: int) -> int:
    """The last saved step before another; 0 if there is none. A long run has too many to list."""
    schedule = job.schedule
    every = schedule.save_every
    first = 1 if job.framework.saves_first_step else every
    regular = first + (step - 1 - first) // every * every if step > first else 0
    if not schedule.ramp:
        return regular
    grows = (stage.first - 1 for stage in schedule.ramp[1:] if stage.first <= step)
    return max(regular, max(grows, default=0))


def checkpoints(job: Job) -> int:
    """How often the run saves; about how often where its Slurm time ends it."""
    return bisect_right(saved_steps(job), last_step(job.schedule))


def previous_logged(job: Job, step: int) -> int:
    """The logged step before a step; 0 where there is none."""
    every = job.schedule.log_every
    before = (step - 1) // every * every
    return before or int(step > 1)


def next_logged(job: Job, step: int) -> int:
    """The first logged step from a step on, this step included; at most the last step."""
    every = job.schedule.log_every
    return step if step <= 1 else min(-(-step // every) * every, job.schedule.steps)


def last_logged(job: Job, step: int) -> int:
    """The latest logged step up to a step, this step included; 0 where the run has none."""
    if step < job.schedule.first_step:
        return 0
    found = step if logged(job, step) else previous_logged(job, step)
    return found if found >= job.schedule.first_step else 0


def logged_before(job: Job, step: int) -> int:
    """How many steps before this one are logged."""
    every = job.schedule.log_every
    return (step - 1) // every + (every > 1 and step > 1)


def intervals(job: Job, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The steps first..last in intervals that end at a logged step or with an epoch: (before,
    step).

    `before` is the step before an interval, `step` its last. The last interval ends with `last`.
    """
    every, epoch = job.schedule.log_every, steps_per_epoch(job)
    before = first - 1
    while before < last:
        step = min((before // every + 1) * every, (before // epoch + 1) * epoch, last)
        step = step if before else 1
        yield before, step
        before = step
