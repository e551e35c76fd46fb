"""The statements of a framework's source that print, as data that the tests read.

A dialect's statements.py has STATEMENTS, each statement of the release in framework.py once, and
ORDER, in which order they run. No line is made from them: tests/dialects/walk.py walks runs by
them, and finds the line that no statement prints, that comes at the wrong place, or too often.

ORDER is an expression over names: `a b` is a and then b, `a | b` one of the two, `a?` at most
once, `a*` any number of times, `a+` at least once; brackets group.
"""

from collections.abc import Callable, Iterable

from llmsim.job import milestones
from llmsim.job.records import Job
from llmsim.typed import NamedTuple

# At which steps of a job a statement prints, one for each time. Where the text of a statement has
# a group `step`, the log has the numbers of these steps there.
Steps = Callable[[Job], Iterable[int]]


def once(job: Job) -> Iterable[int]:
    """One time in a run."""
    del job
    return (0,)


class Statement(NamedTuple):
    """A statement that prints one line, or one line of a text of several."""

    name: str  # in ORDER
    place: str  # file:line in the release, or the program that prints it
    text: str  # a regular expression of the whole line
    steps: Steps | None = once  # None: how often is not the framework's to say
    ranks: str = "0"  # who prints: "0", "each", or "last"
    guard: str = ""  # the condition under which it runs, in words or as in the source


def never(job: Job) -> Iterable[int]:
    """No step: the statement is there for other runs."""
    del job
    return ()


def logged(job: Job) -> Iterable[int]:
    """The first step of a whole run, and the last of each interval."""
    every, first, last = job.schedule.log_every, job.schedule.first_step, job.schedule.steps
    due = range(-(-first // every) * every, last + 1, every)
    return sorted({1, *due}) if first == 1 else due


def each_step(job: Job) -> Iterable[int]:
    """All steps."""
    return range(job.schedule.first_step, job.schedule.steps + 1)


def validated(job: Job) -> Iterable[int]:
    """The steps after which the run validates."""
    return milestones.validated_steps(job)


def saved(job: Job) -> Iterable[int]:
    """The steps after which the run saves."""
    return milestones.saved_steps(job)


def deleted(job: Job) -> Iterable[int]:
    """The steps whose checkpoints are deleted."""
    gone = (milestones.evicted_checkpoint(job, step) for step in saved(job))
    return [step for step in gone if step]


def goes_on(job: Job) -> bool:
    """Whether the run is a part of a longer one, and begins at a checkpoint of it."""
    return job.schedule.first_step > 1


def begins(job: Job) -> bool:
    """Whether the run begins with step 1."""
    return not goes_on(job)


def where(asked: Callable[[Job], bool], steps: Steps = once) -> Steps:
    """These steps in the jobs for which a condition holds, and none in others."""
    return lambda job: steps(job) if asked(job) else ()
