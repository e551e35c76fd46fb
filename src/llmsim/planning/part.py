"""The part of a long pretraining that a log shows: from which checkpoint on, and until when.

Slurm ends most parts by the time limit of their job; others are the last part of the run.
"""

from math import ceil, log

from llmsim.catalog.gpus import is_a
from llmsim.errors import PlanError, Setting
from llmsim.job.records import Job
from llmsim.job.schedule import Schedule, is_timed, whole_minutes
from llmsim.options.wanted import Wanted
from llmsim.physics import noise
from llmsim.physics.speed import step_time
from llmsim.planning.schedule import (
    FEWEST_STEPS,
    LOGGED_STEPS,
    LONGEST_RUN_SECONDS,
    seconds_to_failure,
    two_digits,
)
from llmsim.typed import NamedTuple

# Seconds after which a queue ends a job: of usual ones, and of the short ones that suit a log with
# a line for each step. The most steps that a pretraining is shown whole with.
HOUR = 3600
QUEUES = (6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR)
ALL_QUEUES = (HOUR // 4, HOUR // 2, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, *QUEUES)
MOST_SHOWN = 50_000

# The most steps of a part with a line for each.
MOST_LINES = 1000

# Of the parts of a framework that cannot stop before the end of its schedule: how many are ended
# by Slurm; the others are the last part of the run.
LIMITED = 2 / 3

# A job that breaks is queued again with a new limit. If it breaks more often than this within a
# limit, it seldom meets the limit: Slurm would end it after weeks, or never.
MOST_BREAKS = 0.5

# Seconds from the command to the training that an estimate counts with; a restart has its data.
LAUNCH = 100.0


class Part(NamedTuple):
    """A part of a long run; 0 steps are the whole of it."""

    steps: int = 0  # about how many are shown
    limit: int = 0  # seconds after which Slurm ends the job; 0: the part is the last one


def shown_part(job: Job, whole: int, index: int) -> Part:
    """The part of a long pretraining of `whole` steps that is shown: one job in a queue.

    A run that is over within some days is shown whole, unless its framework logs each step. Of a
    framework that seldom stops early the whole is shown in every other long run, since people also
    want to see a curve that falls. No Slurm ends a job on TPUs.
    """
    framework = job.framework
    often = framework.logs_every_step
    if not job.recipe.relative or not (often or framework.stops_early or _goes_on(job, index)):
        return Part()
    seconds = step_time.step_seconds(job)
    if not (often or seconds * whole > LONGEST_RUN_SECONDS or whole > MOST_SHOWN):
        return Part()
    limit = noise.pick(job.seed, "plan/shown", QUEUES, index)
    shown = min(int(limit / seconds), job.recipe.steps[1])
    if often:
        shown = LOGGED_STEPS + noise.bits(job.seed, "plan/shown", index) % LOGGED_STEPS
    limit = min(ALL_QUEUES, key=lambda each: abs(log(each / (shown * seconds))))
    shown = max(FEWEST_STEPS, two_digits(shown, 1))
    if whole < 2 * shown:
        return Part()
    drawn = framework.stops_early or noise.uniform(job.seed, "plan/limit", index) < LIMITED
    within = int((limit - LAUNCH) / seconds)  # steps
    fits = FEWEST_STEPS <= within <= (MOST_LINES if often else whole)
    fits = (
        fits and is_a(job.gpu, "GPU") and limit < MOST_BREAKS * seconds_to_failure(job.layout.gpus)
    )
    return Part(within, limit) if drawn and fits else Part(shown)


def _goes_on(job: Job, index: int) -> bool:
    """Whether a long run is seen where it goes on from a checkpoint, and not as a whole."""
    return job.framework.goes_on and noise.uniform(job.seed, "plan/goes on", index) < 0.5


def part_of(job: Job, whole: Schedule, part: Part, index: int) -> Schedule:
    """A part of a schedule, from a checkpoint on: any part that Slurm ends, or else the last one,
    unless the framework can stop before the end of its schedule.
    """
    every, before = whole.save_every, whole.steps - part.steps
    if part.limit or job.framework.stops_early:
        before = int(max(0, before) * noise.uniform(job.seed, "plan/part", index))
    first = 1 if job.framework.saves_first_step else 0
    saved = max(0, (before - first) // every * every + first)
    made = whole._replace(first_step=saved + 1)
    if part.limit:
        return made._replace(time_limit=part.limit)
    if not job.framework.stops_early:
        return made
    steps = saved + -(-part.steps // whole.log_every) * whole.log_every
    return made._replace(steps=steps, horizon=whole.steps)


def limited(job: Job, wanted: Wanted) -> Job:
    """The job with about the last step that it does until the clock ends it, if that does.

    `wanted` has the times as they were asked for, in seconds.

    Raises PlanError if it cannot be so, or if the time is too short for a step.
    """
    schedule = job.schedule
    if not is_timed(schedule):
        return job
    if schedule.time_limit and not is_a(job.gpu, "GPU"):
        raise PlanError("[schedule] time_limit needs Slurm, and this job has none: leave it out.")
    if schedule.exit_after and not job.framework.exits_loop:
        speaker = Setting("dialect", job.framework.name)
        raise PlanError(speaker, " does not end a run by the clock: leave out exit_after.")
    from llmsim.dialects.parts.slurm import hours  # most plans do without
    from llmsim.physics.hardware import storage

    first, seconds = schedule.first_step, step_time.step_seconds(job)
    launch = LAUNCH + step_time.compile_seconds(job)
    launch += storage.restore_seconds(job, first - 1) if first > 1 else 0.0
    limits = {"time_limit": schedule.time_limit, "exit_after": schedule.exit_after}
    name = min((key for key, limit in limits.items() if limit), key=lambda key: limits[key])
    left = limits[name] - launch
    if left < 2.0 * seconds:
        asked = {"time_limit": wanted.time_limit, "exit_after": wanted.exit_after}[name]
        least = whole_minutes(ceil(launch + 2.0 * seconds))
        raise PlanError(
            f'[schedule] {name} = "{hours(asked or limits[name])}" is too short: a '
            f"launch takes about {launch:,.0f} s, and a step {seconds:.1f} s. Give "
            f'"{hours(least)}" or more: times are whole minutes, rounded up.'
        )
    made = int(left / (seconds + _pauses(job)))
    reached = first - 1 + max(1, made)
    return job._replace(schedule=schedule._replace(reached=min(reached, schedule.steps)))


def _pauses(job: Job) -> float:
    """Seconds of validations and saves for each step."""
    from llmsim.physics.hardware import storage

    schedule, step = job.schedule, job.schedule.first_step
    checks = schedule.validates and job.framework.validates
    waits = storage.staging_seconds if job.background_saves else storage.save_seconds
    validating = step_time.validation_seconds(job, step) / schedule.validate_every if checks else 0
    saving = waits(job, step) / schedule.save_every if schedule.saves else 0.0
    return validating + saving
