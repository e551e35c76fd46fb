"""Incidents that end no process: the steps that they slow, by how much, and their lines."""

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.speed import step_time
from llmsim.run.faults import Fault
from llmsim.run.symptoms import Story, story
from llmsim.run.timeline import Delay, Segment, step_in


def slowed(job: Job, fault: Fault, segment: Segment) -> tuple[tuple[Delay, ...], Story]:
    """The delays of a training segment's steps that a fault causes, and its story.

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
    return (Delay(step, step + steps - 1, to_the_microsecond(seconds)),), told


_UNTIL_OVER = ("data-stall",)  # kinds whose slow steps last until what they wait for is back


DRAINED = {"straggler": 1.0, "thermal": 0.5}  # share that a person ends; the others pass


def drained(job: Job, kind: str, number: int) -> bool:
    """Whether a person takes out the node that an incident slows."""
    return noise.uniform(job.seed, "incident/drained", number) < DRAINED.get(kind, 0.0)


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
