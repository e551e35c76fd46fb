"""The next incident of a run: random ones, and the ones that --incident asks for."""

from math import inf

from llmsim.job.milestones import step_of_part
from llmsim.job.records import Asked, Job
from llmsim.run.incident_kinds import Consequence, kind_named
from llmsim.run.incidents import ASKED, Incident, endless, place
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
        self._coming = endless(job, planned)
        self._waiting: list[Incident] = []  # drawn, and not yet met
        self._earliest = inf  # uptime at which the first of them is due
        self._drawn_until = 0.0
        self._asked = list(enumerate(job.asked))

    def deadly(self, segment: Segment, offset: float) -> Fault | None:
        """The first fault within a segment that ends the attempt; it is not met again.

        `offset` turns the run's seconds into uptime.
        """
        ends = [each for each in self._within(segment, offset) if _ends(each[0], segment)]
        if not ends:
            return None
        found = min(ends, key=lambda each: each[0].at)
        self._forget(found)
        return found[0]

    def slow(self, segment: Segment, offset: float) -> list[Fault]:
        """The faults within a training segment that slow its steps, in order; they are met."""
        slow = [each for each in self._within(segment, offset) if _slows(each[0])]
        slow.sort(key=lambda each: each[0].at)
        for each in slow:
            self._forget(each)
        return [each[0] for each in slow]

    def _within(self, segment: Segment, offset: float) -> list[tuple[Fault, Any]]:
        """Pairs (fault, what to forget when it is met) of the faults in a segment's time.

        `offset` turns the run's seconds into uptime.
        """
        self._draw_until(segment.ended + offset)
        if not self._asked and self._earliest - offset >= segment.ended:
            return []
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
            self._earliest = min([each.at for each in self._waiting], default=inf)
        else:
            self._asked.remove(met[1])

    def _draw_until(self, uptime: float) -> None:
        while self._drawn_until <= uptime:
            upcoming = next(self._coming, None)
            if upcoming is None:
                self._drawn_until = inf
                return
            if upcoming.kind in SLOWED or kind_named(upcoming.kind).consequence in DEADLY:
                self._waiting.append(upcoming)
                self._earliest = min(self._earliest, upcoming.at)
            self._drawn_until = upcoming.at


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
