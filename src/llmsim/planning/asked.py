"""The parts of the schedule that options set, in the place of the planner's choice."""

from collections.abc import Iterator
from math import ceil

from llmsim.errors import PlanError, Setting
from llmsim.job.schedule import BatchStage, Schedule
from llmsim.planning.draw import Candidate

MOST_PAUSES = 10_000  # validations of a run, and saves


def as_asked(candidate: Candidate, schedule: Schedule, ramp: tuple[BatchStage, ...]) -> Schedule:
    """The schedule with the values of the options. Raises PlanError if the framework cannot do
    it.
    """
    wanted = candidate.wanted
    for sentence in _beyond(candidate, schedule):
        raise PlanError(*sentence)
    if wanted.batch or wanted.steps or wanted.tokens:
        ramp = ()
    peak = wanted.lr or schedule.peak_lr
    share = schedule.final_lr / schedule.peak_lr
    return schedule._replace(
        peak_lr=peak,
        final_lr=float(f"{peak * share:.6g}"),
        log_every=wanted.log_every or schedule.log_every,
        ramp=ramp,
    )


def _beyond(candidate: Candidate, schedule: Schedule) -> Iterator[tuple[str | Setting, ...]]:
    """The sentence that refuses a schedule which the framework cannot run or no show can hold."""
    wanted, framework = candidate.wanted, candidate.framework
    speaker = Setting("dialect", framework.name)
    if framework.logs_every_step and wanted.log_every not in (None, 1):
        asked = Setting("log-every", str(wanted.log_every))
        yield speaker, " logs every step: leave out ", asked, "."
    for pause, every in (("validations", schedule.validate_every), ("saves", schedule.save_every)):
        if (times := ceil(schedule.steps / every)) > MOST_PAUSES:
            made = f"{schedule.steps:,} steps with {pause} every {every:,} are {times:,} of them"
            yield (f"{made}, where {MOST_PAUSES:,} are the most.",)
