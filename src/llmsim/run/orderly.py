"""Ends in order: a framework that handles SIGTERM finishes its step and saves before it exits.

Slurm's grace decides whether there is time for it: 30 s after a time limit (KillWait), 30 to 300 s
before a preemption, an hour before maintenance or when a person takes a slow node out.
"""

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.run.events.incidents import Failed, Symptom
from llmsim.run.faults import Fault
from llmsim.run.incident_kinds import kind_named
from llmsim.run.incidents import is_planned
from llmsim.run.labels import label_of, placed, relabelled, said
from llmsim.run.stretches import Attempt, Durable, pause_after, pausing, until
from llmsim.run.symptoms import Story, handled
from llmsim.run.timeline import Segment, step_in
from llmsim.typed import NamedTuple

_EXIT = 1.6  # seconds from the end of the save to the end of the last process
_KILL_WAIT, _PREEMPTION, _PLANNED = 30.0, (30.0, 300.0), 3600.0


class Orderly(NamedTuple):
    """The last segments of an attempt that ends in order, and its last step."""

    training: Segment
    saving: Segment | None  # None: the run saves nothing
    failure: Segment
    step: int
    durable: Durable | None


def grace(job: Job, fault: Fault) -> float:
    """Seconds from SIGTERM to SIGKILL."""
    kind = fault.incident.kind
    if kind == "time-limit":
        return fault.ahead or _KILL_WAIT
    if kind == "preempt":
        return noise.between(job.seed, "incident/grace", *_PREEMPTION, fault.incident.number)
    return _PLANNED


def orderly(
    job: Job, attempt: Attempt, fault: Fault, stretch: Segment, free: float
) -> Orderly | None:
    """The end of an attempt that is asked to stop within a training segment.

    None: the framework does not handle the signal, or the
    save would take longer than the grace.
    """
    if fault.own:
        return _exited(job, attempt, fault, stretch, free)
    stops = fault.drains or kind_named(fault.incident.kind).consequence == "stop"
    if not (stops and job.framework.saves_at_sigterm):
        return None
    last = min(step_in(job, stretch, fault.at) + 1, stretch.last)
    training = until(job, stretch, last)
    saving, _, durable = pause_after(job, attempt, "checkpoint", training.ended, last, free)
    if durable is None:  # a save leaves one
        return None
    done = max(saving.ended, durable.at)
    if done > fault.at + grace(job, fault):
        return None
    dead, wait = to_the_microsecond(done + _EXIT), to_the_microsecond(fault.incident.repair)
    told = handled(job, fault.incident, fault.drains, done - fault.at, ahead=fault.ahead > 0.0)
    events = list(training.events)
    if fault.drains:
        training = relabelled(training, fault, dead + wait)
        events = list(training.events)
    elif not is_planned(fault.incident):
        events.append(label_of(job, attempt, fault, told, last - 1, fault.at, dead + wait))
    spoken = [*said(fault, told, fault.at, last - attempt.resumed, last)]
    events += [each._replace(at=min(each.at, training.ended)) for each in spoken[:-1]]
    training = training._replace(events=tuple(sorted(events, key=lambda event: event.at)))
    kind, rank = fault.incident.kind, fault.incident.rank
    failed = Failed(dead, attempt.number, last, kind, rank, placed(job, attempt, rank), wait, last)
    # A save in the background is told where the failure is: phases/breakdown.py.
    late: list[Symptom | Failed] = sorted([spoken[-1], failed], key=lambda event: event.at)
    failure = pausing(attempt, "failure", saving.ended, dead, last)._replace(events=tuple(late))
    return Orderly(training, saving, failure, last, durable)


def _exited(job: Job, attempt: Attempt, fault: Fault, stretch: Segment, free: float) -> Orderly:
    """The end by the framework's own clock, with the first step that ends after it."""
    last = min(step_in(job, stretch, fault.at) + 1, stretch.last)
    training = until(job, stretch, last)
    saving, durable = None, attempt.durable
    if job.schedule.saves:
        saving, _, durable = pause_after(job, attempt, "checkpoint", training.ended, last, free)
    ended = saving.ended if saving else training.ended
    done = max(ended, durable.at) if saving and durable else ended
    dead = to_the_microsecond(done + _EXIT)
    told = _leaving(round(1000.0 * (training.ended - attempt.began)), done - fault.at)
    (spoken,) = said(fault, told, fault.at, last - attempt.resumed, last)
    kind, rank = fault.incident.kind, fault.incident.rank
    kept = durable.step if durable else 0
    failed = Failed(dead, attempt.number, last, kind, rank, placed(job, attempt, rank), 0.0, kept)
    late: list[Symptom | Failed] = sorted([spoken, failed], key=lambda event: event.at)
    failure = pausing(attempt, "failure", ended, dead, last)._replace(events=tuple(late))
    return Orderly(training, saving, failure, last, durable)


def _leaving(trained: int, seconds: float) -> Story:
    """The framework's own end of a run, `seconds` after its time: its save is over, and it exits.

    `trained` is the time since its launch, in milliseconds.
    """
    told = (Symptom(seconds + 0.2, "log", "time is over", 0, trained),)
    return Story(told, 0.0, seconds)
