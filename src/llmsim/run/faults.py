"""The next incident of a run: random ones, and the ones that --incident asks for."""

from math import inf

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import step_of_part
from llmsim.job.records import Asked, Job
from llmsim.run.events import WorkersStarted
from llmsim.run.incident_kinds import Consequence, kind_named
from llmsim.run.incidents import ASKED, Due, Incident, by_the_clock, endless, place, placed
from llmsim.run.phases.launch import launch
from llmsim.run.timeline import Segment, step_ended
from llmsim.typed import NamedTuple

DEADLY: tuple[Consequence, ...] = ("death", "hang", "stop")

# Kinds that make the steps of a training segment longer; a slow save is no segment of training.
SLOWED = ("link-flap", "data-stall", "thermal", "straggler")


# Where the kinds strike that strike in one kind of segment alone.
_ONLY_IN = {"init-fail": "launch", "disk-full": "checkpoint"}
# The groups of deadly incidents that may strike in a kind of segment, and the ones that slow.
_DEADLY_IN = {"launch": ("launch",), "checkpoint": ("anywhere", "checkpoint")}
_ANYWHERE, _SLOW = ("anywhere",), ("slow",)


def phases_of(kind: str) -> tuple[str, ...]:
    """The phases in whose middle an incident of a kind can strike, if a phase is asked for."""
    if kind in SLOWED:
        return ("training",)
    if kind_named(kind).consequence not in DEADLY:
        return ("training", "validation", "checkpoint", "launch")
    only = _ONLY_IN.get(kind)
    return (only,) if only else ("training", "validation", "checkpoint")


class Fault(NamedTuple):
    """An incident with its moment in the run."""

    at: float  # simulated seconds
    incident: Incident
    drains: bool = False  # a person takes out the node that slows all others
    slow_since: float = 0.0  # when this node began to be slow
    ahead: float = 0.0  # seconds by which the signal comes before Slurm would end the job
    own: bool = False  # no fault: the framework's own clock ends the run
    shows: int = 0  # of an incident of the numbers: the step in which it began to show


class _Met(NamedTuple):
    """What strikes in a segment, and its moment in the run."""

    at: float  # simulated seconds
    due: Due | Incident  # drawn, or asked for


class Faults:
    """The incidents that a run has yet to meet, asked for segment by segment."""

    def __init__(self, job: Job, planned: float) -> None:
        """`planned` is the run's uptime without incidents, in seconds."""
        self._job = job
        self._coming = endless(job, planned)
        # What is drawn, and not yet met, by what it does and where.
        self._waiting = {of: _Waiting() for of in ("slow", "anywhere", *_ONLY_IN.values())}
        self._drawn_until = 0.0
        self._quiet = 0.0  # seconds of uptime before which nothing that is drawn is due
        self._asked = list(enumerate(job.asked))

    def deadly(self, segment: Segment, offset: float, *, spared: bool = False) -> Fault | None:
        """The first fault within a segment that ends the attempt; it is not met again.

        `offset` turns the run's seconds into uptime. A `spared` attempt meets the drawn faults, and
        goes on; only what was asked for ends it.
        """
        while first := self._first(segment, offset):
            self._forget(first)
            if not spared or first.due.number >= ASKED:
                return self._fault(first)
        return None

    def _first(self, segment: Segment, offset: float) -> _Met | None:
        """The first deadly incident within a segment."""
        if self.is_quiet(segment, offset):
            return None
        groups = _DEADLY_IN.get(segment.kind, _ANYWHERE)
        ends = self._within(groups, segment, offset, first=True)
        if self._asked:
            ends += [each for each in self._asked_within(segment, offset) if _ends(each, segment)]
        return min(ends, key=_order, default=None)

    def ends(self, segment: Segment, offset: float) -> float:
        """When a drawn fault ends the attempt within a training segment at the latest.

        Infinity: none does, or it waits since before, and its moment follows from the segment's
        length, which what slows its steps has yet to make longer.
        """
        self._draw_until(segment.ended + offset)
        waiting = self._waiting["anywhere"]
        at = waiting.earliest - offset
        return at if segment.began < at < segment.ended else inf

    def slow(self, segment: Segment, offset: float, until: float) -> list[Fault]:
        """The faults within a training segment that slow its steps, in order, up to a moment: the
        attempt does not live to see the later ones. All of them are met.
        """
        if self.is_quiet(segment, offset):
            return []
        slow = self._within(_SLOW, segment, offset)
        if self._asked:
            slow += [each for each in self._asked_within(segment, offset) if _slows(each.due)]
        slow.sort(key=_order)
        for each in slow:
            self._forget(each)
        return [self._fault(each) for each in slow if each.at <= until]

    def is_quiet(self, segment: Segment, offset: float) -> bool:
        """Whether nothing is due until the end of a segment: most of a long run's thousands."""
        ended = segment.ended + offset + 1e-3
        if ended < self._quiet:
            return True
        if self._asked:
            return False
        self._draw_until(ended)
        earliest = [each.earliest for each in self._waiting.values()]
        self._quiet = min(self._drawn_until, *earliest)
        return ended < self._quiet

    def _within(
        self, kinds: tuple[str, ...], segment: Segment, offset: float, *, first: bool = False
    ) -> list[_Met]:
        """The drawn incidents of some kinds in a segment's time; the first of them is among the
        ones that are given where only the `first` matters.
        """
        if self._drawn_until <= segment.ended + offset:
            self._draw_until(segment.ended + offset)
        found: list[_Met] = []
        for of in kinds:
            waiting = self._waiting[of]
            for number, due in enumerate(waiting.incidents):  # in order of uptime
                at = _moment(self._job, due, segment, offset)
                if at is None:
                    break
                late = due.at - offset <= segment.began  # these strike at one moment
                if not (first and late and number):
                    found.append(_Met(at, due))
                if first and not late:
                    break
        return found

    def _asked_within(self, segment: Segment, offset: float) -> list[_Met]:
        """The incidents in a segment's time that were asked for."""
        job, found = self._job, list[_Met]()
        for index, asked in self._asked:
            if (at := _asked_moment(job, asked, segment)) is not None:
                made = place(job, ASKED + index, asked.kind, "", at + offset, asked.rank)
                found.append(_Met(at, made))
        return found

    def _fault(self, met: _Met) -> Fault:
        """The fault with all that is known of its incident."""
        job, (at, due) = self._job, met
        incident = placed(job, due) if isinstance(due, Due) else due
        return Fault(at, by_the_clock(job, incident, at))

    def _forget(self, met: _Met) -> None:
        number = met.due.number
        if number >= ASKED:
            self._asked = [each for each in self._asked if each[0] != number - ASKED]
        else:
            self._waiting[_group(met.due)].remove(number)
            self._quiet = 0.0

    def _draw_until(self, uptime: float) -> None:
        while self._drawn_until <= uptime:
            upcoming = next(self._coming, None)
            if upcoming is None:
                self._drawn_until = inf
                return
            if _slows(upcoming) or kind_named(upcoming.kind).consequence in DEADLY:
                self._waiting[_group(upcoming)].add(upcoming)
            self._drawn_until = upcoming.at


class _Waiting:
    """Incidents of one group, in order of uptime."""

    def __init__(self) -> None:
        self.incidents: list[Due] = []
        self.earliest = inf  # uptime at which the first of them is due

    def add(self, incident: Due) -> None:
        """Put a later incident at the end."""
        self.incidents.append(incident)
        self.earliest = self.incidents[0].at

    def remove(self, number: int) -> None:
        """Take out one that is met."""
        self.incidents = [each for each in self.incidents if each.number != number]
        self.earliest = self.incidents[0].at if self.incidents else inf


def _order(met: _Met) -> tuple[float, int, float, int]:
    """What orders incidents: of two at one moment, the one that was drawn first."""
    due = met.due
    return met.at, due.number >= ASKED, due.at, due.number


def _group(incident: Due | Incident) -> str:
    return "slow" if _slows(incident) else _ONLY_IN.get(incident.kind, "anywhere")


def _ends(met: _Met, segment: Segment) -> bool:
    kind = kind_named(met.due.kind)
    if kind.consequence not in DEADLY:
        return False
    only = _ONLY_IN.get(kind.name)
    return segment.kind == only if only else segment.kind != "launch"


def _slows(incident: Due | Incident) -> bool:
    return incident.kind in SLOWED


def _moment(job: Job, incident: Due, segment: Segment, offset: float) -> float | None:
    """When a drawn incident strikes in a segment; what is late strikes soon after its beginning.

    An incident that came due where it could not happen, such as a full disk between two saves,
    waits for the next segment where it can.
    """
    at = incident.at - offset
    if at >= segment.ended:
        return None
    if _ONLY_IN.get(incident.kind) == "launch":
        return _amid(job, incident.kind, segment)
    soon = segment.began + 0.3 * (segment.ended - segment.began)
    return to_the_microsecond(at if at > segment.began else soon)


def _amid(job: Job, kind: str, segment: Segment) -> float:
    """When an incident strikes in a segment that somebody has named: in the middle, but a launch
    fails after the first lines of its processes, before any node or rank is heard of.
    """
    if _ONLY_IN.get(kind) == "launch":
        coming = launch(job._replace(attempt=segment.attempt), segment.began)
        begun = next(event.at for event in coming if isinstance(event, WorkersStarted))
        return to_the_microsecond(begun + 0.3 * (next(coming).at - begun))
    return to_the_microsecond(0.5 * (segment.began + segment.ended))


def _soonest(job: Job, segment: Segment, at: float) -> float:
    """A moment, or if it was before the segment, soon after the segment's beginning: an incident
    that was due where it cannot happen comes as soon as it can.
    """
    if at >= segment.began:
        return at
    if segment.kind != "training":
        return to_the_microsecond(0.5 * (segment.began + segment.ended))
    return _in_step(job, segment, segment.first)


def _in_step(job: Job, segment: Segment, step: int) -> float:
    """A moment in a step of a training."""
    begun, ended = (step_ended(job, segment, each) for each in (step - 1, step))
    return to_the_microsecond(begun + 0.4 * (ended - begun))


def _asked_moment(job: Job, asked: Asked, segment: Segment) -> float | None:
    """When an incident that was asked for strikes in a segment; None: not in this one."""
    if asked.unit == "phase":
        return _amid(job, asked.kind, segment) if segment.kind == asked.phase else None
    only = _ONLY_IN.get(asked.kind)
    if asked.unit == "seconds":
        if only:
            late = only == "launch" or segment.ended >= asked.value
            return _amid(job, asked.kind, segment) if segment.kind == only and late else None
        return _soonest(job, segment, asked.value) if segment.ended > asked.value else None
    step = asked.value if asked.unit == "step" else step_of_part(job, asked.value)
    before = min(max(job.schedule.first_step - 1, round(step)), job.schedule.steps - 1)
    if only:
        late = only == "launch" or segment.last >= before
        return _amid(job, asked.kind, segment) if segment.kind == only and late else None
    if segment.kind != "training" or not segment.first <= before + 1 <= segment.last:
        return None
    return _in_step(job, segment, before + 1)
