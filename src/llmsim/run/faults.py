"""The next incident of a run: random ones, and the ones that --incident asks for."""

from collections.abc import Iterator
from itertools import count

from llmsim.job.milestones import step_of_part
from llmsim.job.records import Asked, Job
from llmsim.run.incident_kinds import Consequence, kind_named
from llmsim.run.incidents import ASKED, Incident, incidents, place
from llmsim.run.timeline import Segment, step_ended
from llmsim.typed import Any, NamedTuple

DEADLY: tuple[Consequence, ...] = ("death", "hang", "stop")

# Kinds that make the steps of a training segment longer; a slow save is no segment of training.
SLOWED = ("link-flap", "data-stall", "thermal", "straggler")


class Fault(NamedTuple):
    """An incident with its moment in the run."""

    at: float  # simulated seconds
    incident: Incident
    drains: bool = False  # a person takes out the node that slows all others
    shows: int = 0  # of an incident of the numbers: the step in which it began to show


class Faults:
    """The incidents that a run has yet to meet, asked for segment by segment."""

    def __init__(self, job: Job, planned: float) -> None:
        """`planned` is the run's uptime without incidents, in seconds."""
        self._job = job
        self._coming = drawn(job, planned)
        self._waiting: list[Incident] = []  # drawn, and not yet met
        self._drawn_until = 0.0
        self._asked = list(enumerate(job.asked))

    def deadly(self, segment: Segment, offset: float) -> Fault | None:
        """The first fault within a segment that ends the attempt; it is not met again.

        `offset` turns the run's seconds into uptime.
        """
        found = min(
            (each for each in self._within(segment, offset) if _ends(each[0], segment)),
            key=lambda each: each[0].at,
            default=None,
        )
        if found is None:
            return None
        self._forget(found)
        return found[0]

    def slow(self, segment: Segment, offset: float) -> Iterator[Fault]:
        """The faults within a training segment that slow its steps, in order."""
        slow = [each for each in self._within(segment, offset) if _slows(each[0])]
        for each in sorted(slow, key=lambda each: each[0].at):
            self._forget(each)
            yield each[0]

    def _within(self, segment: Segment, offset: float) -> list[tuple[Fault, Any]]:
        """Pairs (fault, what to forget when it is met) of the faults in a segment's time.

        `offset` turns the run's seconds into uptime.
        """
        self._draw_until(segment.ended + offset)
        found: list[tuple[Fault, Any]] = [
            (Fault(at, incident), incident)
            for incident in self._waiting
            if (at := _moment(incident, segment, offset)) is not None
        ]
        for index, asked in self._asked:
            if (at := _asked_moment(self._job, asked, segment)) is not None:
                number = ASKED + index
                incident = place(self._job, number, asked.kind, "", at + offset, asked.rank)
                found.append((Fault(at, incident), (index, asked)))
        return found

    def _forget(self, met: tuple[Fault, Any]) -> None:
        if isinstance(met[1], Incident):
            self._waiting.remove(met[1])
        else:
            self._asked.remove(met[1])

    def _draw_until(self, uptime: float) -> None:
        while self._drawn_until <= uptime:
            upcoming = next(self._coming, None)
            if upcoming is None:
                self._drawn_until = float("inf")
                return
            if upcoming.kind in SLOWED or kind_named(upcoming.kind).consequence in DEADLY:
                self._waiting.append(upcoming)
            self._drawn_until = upcoming.at


def drawn(job: Job, planned: float) -> Iterator[Incident]:
    """The incidents that chance draws, one after another, without an end unless there is none."""
    if job.incidents == "none":
        return
    given = 0
    for factor in count():
        found = incidents(job, planned, planned * 2.0**factor)
        yield from found[given:]
        given = len(found)


def _ends(fault: Fault, segment: Segment) -> bool:
    kind = kind_named(fault.incident.kind)
    if kind.consequence not in DEADLY:
        return False
    only = _ONLY_IN.get(kind.name)
    return segment.kind == only if only else segment.kind != "launch"


def _slows(fault: Fault) -> bool:
    return fault.incident.kind in SLOWED


def _moment(incident: Incident, segment: Segment, offset: float) -> float | None:
    """When a drawn incident strikes in a segment; what is late strikes soon after its beginning.

    An incident that came due where it could not happen, such as a full disk between two saves,
    waits for the next segment where it can.
    """
    at = incident.at - offset
    if at >= segment.ended:
        return None
    soon = segment.began + 0.3 * (segment.ended - segment.began)
    return round(at if at > segment.began else soon, 6)


# Where the kinds strike that strike in one kind of segment alone.
_ONLY_IN = {"init-fail": "launch", "disk-full": "checkpoint"}


def _asked_moment(job: Job, asked: Asked, segment: Segment) -> float | None:
    """When an incident that was asked for strikes in a segment; None: not in this one."""
    middle = round(0.5 * (segment.began + segment.ended), 6)
    if asked.unit == "phase":
        return middle if segment.kind == asked.phase else None
    only = _ONLY_IN.get(asked.kind)
    if asked.unit == "seconds":
        if only:
            late = only == "launch" or segment.ended >= asked.value
            return middle if segment.kind == only and late else None
        return asked.value if segment.began <= asked.value < segment.ended else None
    step = asked.value if asked.unit == "step" else step_of_part(job, asked.value)
    before = min(max(job.schedule.first_step - 1, round(step)), job.schedule.steps - 1)
    if only:
        late = only == "launch" or segment.last >= before
        return middle if segment.kind == only and late else None
    if segment.kind != "training" or not segment.first <= before + 1 <= segment.last:
        return None
    begun, ended = (step_ended(job, segment, each) for each in (before, before + 1))
    return round(begun + 0.4 * (ended - begun), 6)
