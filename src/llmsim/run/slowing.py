"""Incidents that end no process: the steps that they slow, by how much, and their lines."""

from collections.abc import Sequence

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.speed import step_time
from llmsim.run.events.incidents import Incident as Label
from llmsim.run.events.incidents import Symptom
from llmsim.run.faults import Fault
from llmsim.run.incidents import place
from llmsim.run.labels import label_of, said
from llmsim.run.later import Later
from llmsim.run.stretches import Attempt, until
from llmsim.run.symptoms import Story, story
from llmsim.run.timeline import Delay, Segment, step_ended, step_in
from llmsim.typed import NamedTuple


class _Slow(NamedTuple):
    """An incident that slows steps of a training segment."""

    fault: Fault
    told: Story
    segment: Segment  # with the delays of the earlier incidents, and last the delay of this one


def slowed(
    job: Job, attempt: Attempt, segment: Segment, faults: Sequence[Fault], dies: float
) -> tuple[Segment, list[Fault]]:
    """A training segment whose steps some faults slow, and the ends of the attempt that people
    bring about who take out a slow node.

    The attempt does not live to see what comes after the step in which it `dies`.
    """
    met, last = list[_Slow](), segment.last
    for fault in faults:
        if fault.at > dies and fault.at > _step_over(job, segment, dies):
            break
        delay, told = _delay(job, fault, segment)
        segment = segment._replace(delays=(*segment.delays, delay))
        met.append(_Slow(fault, told, segment))
    segment = segment._replace(events=Later(lambda: _events(job, attempt, met)))
    segment = until(job, segment, last)
    drains = [_drain(job, each, segment) for each in met if _drained(job, each.fault)]
    return segment, drains


def _step_over(job: Job, segment: Segment, at: float) -> float:
    """When the step of a training segment is done that runs at a moment."""
    return step_ended(job, segment, min(step_in(job, segment, at) + 1, segment.last))


def _over(job: Job, slow: _Slow) -> float:
    """When the last of the slow steps was done."""
    return step_ended(job, slow.segment, slow.segment.delays[-1].last)


def _events(job: Job, attempt: Attempt, met: list[_Slow]) -> Sequence[Label | Symptom]:
    """The labels of these incidents, and what is said of them until the segment's end."""
    events = list[Label | Symptom]()
    for slow in met:
        fault, told, segment = slow
        step = segment.delays[-1].first - 1
        label = label_of(job, attempt, fault, told, step, segment.began, _over(job, slow))
        spoken = said(fault, told, segment.began, step - attempt.resumed, step)
        ended = step_ended(job, segment, segment.last)
        events = [each for each in (*events, label, *spoken) if each.at <= ended]
        events.sort(key=lambda event: event.at)
    return events


def _drain(job: Job, slow: _Slow, segment: Segment) -> Fault:
    """A person takes out the node that has slowed the steps of a training segment."""
    met = slow.fault.incident
    incident = place(job, met.number, met.kind, "", 0.0, met.rank)
    ends = min(_over(job, slow), segment.ended - 1e-3)
    return Fault(ends, incident, drains=True, slow_since=slow.fault.at)


def _delay(job: Job, fault: Fault, segment: Segment) -> tuple[Delay, Story]:
    """The delay of a training segment's steps that a fault causes, and its story.

    A flapping port holds up one step for as long as it is down. A loader without data makes some
    steps 2 to 12 times as long, a hot GPU all steps of some minutes a tenth to a half longer
    (docs/physics.md section 9 has sources), a slow node dozens of steps by 4 to 7 % (BLOOM: 105
    to 111 s).
    """
    step = min(step_in(job, segment, fault.at) + 1, segment.last)
    usual = step_time.step_seconds(job, step)
    told = story(job, fault.incident, usual)
    steps, seconds = _SLOWER[fault.incident.kind](job, fault.incident.number, usual, told)
    steps = min(steps, segment.last - step + 1)
    if fault.incident.kind in _UNTIL_OVER:
        seconds = max(seconds, told.over / steps)
    return Delay(step, step + steps - 1, to_the_microsecond(seconds)), told


_UNTIL_OVER = ("data-stall",)  # kinds whose slow steps last until what they wait for is back


DRAINED = {"straggler": 1.0, "thermal": 0.5}  # share that a person ends; the others pass


def _drained(job: Job, fault: Fault) -> bool:
    """Whether a person takes out the node that an incident slows."""
    share = DRAINED.get(fault.incident.kind, 0.0)
    if not share:
        return False
    return noise.uniform(job.seed, "incident/drained", fault.incident.number) < share


def _between(job: Job, name: str, number: int, low: float, high: float) -> float:
    return noise.between(job.seed, f"incident/{name}", low, high, number)


def _outage(job: Job, number: int, usual: float, told: Story) -> tuple[int, float]:
    """One step waits until all is over."""
    del job, number, usual
    return 1, told.over


def _stall(job: Job, number: int, usual: float, told: Story) -> tuple[int, float]:
    """Some steps wait for data."""
    del told
    factor = _between(job, "stall", number, 1.0, 11.0)
    return noise.integer(job.seed, "incident/stalled", 1, 4, number), factor * usual


def _heat(job: Job, number: int, usual: float, told: Story) -> tuple[int, float]:
    """The steps of 5 to 60 minutes are slower."""
    del told
    seconds = _between(job, "heat", number, 300.0, 3600.0)
    return max(2, round(seconds / usual)), usual * _between(job, "hot", number, 0.1, 0.5)


def _straggler(job: Job, number: int, usual: float, told: Story) -> tuple[int, float]:
    """The steps and the delay of a straggler, until its node is taken out."""
    del told
    steps = noise.integer(job.seed, "incident/straggling", 20, 200, number)
    return steps, usual * _between(job, "straggler", number, 0.04, 0.07)


_SLOWER = {
    "link-flap": _outage,
    "data-stall": _stall,
    "thermal": _heat,
    "straggler": _straggler,
}
