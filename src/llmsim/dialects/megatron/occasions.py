"""At which steps and in which jobs Megatron-LM's statements print: for statements.py."""

from collections.abc import Iterable

from llmsim.dialects.statement import goes_on
from llmsim.job import milestones
from llmsim.job.records import Job


def logged(job: Job) -> Iterable[int]:
    """iteration % log_interval == 0: the first iteration has no line of its own."""
    return due(job, job.schedule.log_every)


def due(job: Job, every: int) -> range:
    """The run's own steps that an interval divides."""
    return range(-(-job.schedule.first_step // every) * every, job.schedule.steps + 1, every)


def evaluated(job: Job) -> list[int]:
    """The steps after which the loop evaluates."""
    return [*due(job, job.schedule.validate_every)]


def saved(job: Job) -> list[int]:
    """The steps after which the run saves."""
    return [*milestones.saved_steps(job)]


def timed(job: Job) -> Iterable[int]:
    """A save in the loop: what follows the loop has no timer."""
    last = job.schedule.steps
    ended = not milestones.save_is_due(job, last)
    return [step for step in saved(job) if not (ended and step == last)]


def grown(job: Job) -> Iterable[int]:
    """Once for each time the batch grows."""
    return (0,) * max(0, len(job.schedule.ramp) - 1)


def evaluations(job: Job) -> tuple[int, ...]:
    """Each of the loop, and two after it."""
    return (0,) * (len(evaluated(job)) + 2)


def modes(job: Job) -> Iterable[int]:
    """set_mode is called once before and twice after each."""
    return evaluations(job) * 3


def timers(job: Job) -> Iterable[int]:
    """The header of a block of timers: at each evaluation and save, and twice in the launch."""
    return (0,) * (len(evaluations(job)) + len([*timed(job)]) + 2)


def slices(job: Job) -> Iterable[int]:
    """Once for each slice of the model."""
    return (0,) * (job.layout.tp * job.layout.pp)


def stages(job: Job) -> Iterable[int]:
    """A bucket for each piece of the model, and where ranks share experts one for theirs."""
    return (0,) * job.layout.pp * max(1, job.layout.interleave) * (1 + (job.layout.ep > 1))


def plain(job: Job) -> bool:
    """Whether the model has stages, and they have no pieces."""
    return job.layout.pp > 1 and job.layout.interleave <= 1


def released(job: Job) -> bool:
    """Whether it begins with released weights."""
    return job.recipe.released and not goes_on(job)


def from_random(job: Job) -> bool:
    """Whether it begins with random weights."""
    return not (job.recipe.released or goes_on(job))


def loads(job: Job) -> bool:
    """Whether it begins with weights of a file."""
    return not from_random(job)


def ramped(job: Job) -> bool:
    """Whether its batch grows."""
    return bool(job.schedule.ramp)
