"""Simulated time as show time, and back. The only exchange office of the two clocks.

    simulated  0 ........ launch ........ training ........ validation ........ export
    shown      0 .. launch .. training .......... validation .... export

The knots of a monotone line through (simulated, shown) are where the run's segments end; between
two knots the rhythm is the simulation's. Knots are laid as far as somebody asks, as the segments
are drawn.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

from llmsim.job.milestones import checkpoints, validations
from llmsim.job.records import Job
from llmsim.options.parsing import REAL_TIME
from llmsim.physics.speed import step_time
from llmsim.run.events import Event, MeshBuilt, PhaseCut, PhaseEnded
from llmsim.run.simulation import events
from llmsim.run.timeline import Delay, Run, Segment, step_ended
from llmsim.typed import NamedTuple

# Parts of a show: training proper 0.765, with its validations and checkpoints 0.941. A launch takes
# at most seven seconds of three minutes, and less by its haste: nothing is duller than a slow one.
SHARES = {
    "launch": 0.038,
    "training": 0.765,
    "validation": 0.09,
    "checkpoint": 0.086,
    "export": 0.021,
}
# How many times faster a show goes until all GPUs know each other: too fast for the eye.
HASTE = 8.0

# The parts of a show that an incident adds. None of them takes longer than in simulated time, and
# a failure, in which a log may be silent, no longer than four seconds of three minutes.
INTERRUPTIONS = {"failure": 0.019, "outage": 0.012, "relaunch": 0.04}
# The largest part in which one step waits for the compiler, or is held up: no line comes then.
WAIT = 0.011
# The largest part before a failure's first sign: a step is computed as ever, and no line comes.
UNSEEN = 0.005

# All of them together may make a show longer by this part of it: a cluster of 100,000 GPUs breaks
# dozens of times in a run, and each time would be a twelfth of the show.
MOST_ADDED = 0.5


def brevity(job: Job) -> float:
    """The part of its usual length that each interruption has in a show. It is below 1 in runs with
    many expected incidents alone.
    """
    from llmsim.run.attempts import planned
    from llmsim.run.incidents import rate_per_second

    uptime = planned(job)
    added = rate_per_second(job, uptime) * uptime * sum(INTERRUPTIONS.values())
    return min(1.0, MOST_ADDED / added) if added else 1.0


def pace_of(run: Run, duration: float) -> "Pace":
    """The pace of a run's show, whose knots are laid once for all who ask."""
    known: dict[float, Pace] = run.memo.setdefault("paces", {})
    if duration not in known:
        known[duration] = Pace(run, duration)
    return known[duration]


class Pace:
    """Turns simulated seconds of a run into show seconds, and back. The show takes `duration` show
    seconds, or real time.
    """

    def __init__(self, run: Run, duration: float) -> None:
        """Lays the first knot."""
        self._run, self._real = run, duration == REAL_TIME
        self._simulated, self._shown, self._laid = [0.0], [0.0], 0  # segments with their knots
        self._near: Stretch = (inf, 0.0, 1.0, 0.0, 0.0)  # around the latest moment that was asked
        self._brevity: float | None = None  # most runs are not interrupted
        job, launch = run.job, run.timeline[0]
        # A launch is never slower than in simulated time; the other phases get what it leaves.
        lasts, share = launch.ended - launch.began, SHARES["launch"]
        self._launch = min(1.0, share * duration / lasts) if lasts and not self._real else 1.0
        self._left = (duration - self._launch * lasts) / (1.0 - share)
        counts = {"validation": validations(job), "checkpoint": checkpoints(job)}
        self._times = {kind: max(1, count) for kind, count in counts.items()}
        self._training = step_time.training_seconds(job)
        # The other steps get what a compiler's wait leaves.
        compiling, share = step_time.compile_seconds(job), SHARES["training"]
        if compiling * share > WAIT * self._training:
            self._training = (self._training - compiling) * share / (share - WAIT)

    def shown(self, at: float) -> float:
        """The show second of a simulated one; after the run's end it is the last."""
        low, high, width, value, rise = self._near
        if low < at <= high:  # as of nearly all events in order
            return value + (at - low) / width * rise
        if self._real:
            return at
        while self._simulated[-1] < at and self._lay():
            pass
        index = bisect_left(self._simulated, at)
        if 0 < index < len(self._simulated):
            self._near = _stretch(self._simulated, self._shown, index)
        return _between(self._simulated, self._shown, at)

    def simulated(self, shown: float) -> float:
        """The simulated second of a show second, to the microsecond; at most the run's last."""
        if self._real:
            return min(shown, self._end(shown))
        while self._shown[-1] < shown and self._lay():
            pass
        return round(_between(self._shown, self._simulated, shown), 6)

    def _end(self, shown: float) -> float:
        """When the run ends in real time, if that is before a show second."""
        timeline = self._run.timeline
        return timeline[timeline.number_at(shown)].ended

    def _lay(self) -> bool:
        """Lays the knot at the end of the next segment; False when there is none."""
        number, timeline = self._laid, self._run.timeline
        if not timeline.has(number):
            return False
        self._laid += 1
        segment = timeline[number]
        rate = self._rate(segment)
        if number == 0 and rate < 1.0:
            self._knot(self._mesh_built(), rate / HASTE)
        for first, last, seconds in held_up(self._run.job, segment):
            most = WAIT * self._left
            for step in range(first, last + 1) if rate * seconds > most else ():
                began = max(step_ended(self._run.job, segment, step - 1), self._simulated[-1])
                if began + seconds < segment.ended:
                    self._knot(began, rate)
                    self._knot(began + seconds, most / seconds)
        if segment.kind == "failure" and segment.events:
            before, most = segment.events[0].at - segment.began, UNSEEN * self._left
            if rate * before > most:
                self._knot(segment.events[0].at, most / before)
        self._knot(segment.ended, rate)
        return True

    def _knot(self, at: float, rate: float) -> None:
        """Adds a knot at a simulated second; `rate` is show seconds per simulated second to it."""
        self._shown.append(self._shown[-1] + (at - self._simulated[-1]) * rate)
        self._simulated.append(at)

    def _mesh_built(self) -> float:
        """When all GPUs of the first launch know each other; its beginning if they never do."""
        built = (
            e.at for e in events(self._run) if isinstance(e, MeshBuilt | PhaseCut | PhaseEnded)
        )
        return next(built, 0.0)

    def _rate(self, segment: Segment) -> float:
        """Show seconds per simulated second in a segment."""
        if segment.kind == "launch" and segment.attempt == 1:
            return self._launch
        # A phase that a fault cuts short is as fast as if it were whole.
        lasts = segment.ended - segment.began + segment.cut
        phase = "relaunch" if segment.kind == "launch" else segment.kind
        if phase in INTERRUPTIONS:
            if self._brevity is None:
                self._brevity = brevity(self._run.job)
            share = INTERRUPTIONS[phase] * self._brevity
            return min(1.0, share * self._left * (1.0 - SHARES["launch"]) / lasts)
        lasts = self._training if segment.kind == "training" else lasts
        share = SHARES[segment.kind] / self._times.get(segment.kind, 1)
        return share * self._left / lasts if lasts else 0.0


def held_up(job: Job, segment: Segment) -> Iterator[Delay]:
    """The steps of a segment that wait, and the seconds of each wait: for the compiler, or for the
    end of an incident.
    """
    if segment.fresh:
        yield Delay(segment.first, segment.first, segment.warmup or step_time.compile_seconds(job))
    yield from segment.delays


# The line between two knots: the places of both, how far they are apart, the value at the earlier
# knot, and how much higher the later one's is.
Stretch = tuple[float, float, float, float, float]


def _stretch(places: list[float], values: list[float], index: int) -> Stretch:
    """The line that ends at a knot, which is not the first."""
    low, high, value = places[index - 1], places[index], values[index - 1]
    return low, high, high - low, value, values[index] - value


def _between(places: list[float], values: list[float], place: float) -> float:
    """The value at a place, on the line through the knots; the nearest end outside of them."""
    index = bisect_left(places, place)
    if not index:
        return values[0]
    if index == len(places):
        return values[-1]
    low, _, width, value, rise = _stretch(places, values, index)
    return value + (place - low) / width * rise


class Screenful(NamedTuple):
    """The last events before a moment, whose lines fill a screen."""

    before: Sequence[Event]  # in order; their lines are above the screen
    events: Sequence[Event]  # the ones after them, in order
    hidden: int  # rows of the first of `events` for which the screen has no room
    notches: dict[str, int]  # of the bars that moved before all these events, by task


NOTHING = Screenful((), (), 0, {})  # at the beginning of a run


class Timed(NamedTuple):
    """The events of a run from a show second on, and the screenful before it."""

    run: Run
    job: Job  # with the processes that speak at first
    pace: Pace
    since: float  # show seconds
    recent: Screenful
    coming: Iterable[Event]

    def events(self) -> Iterator[tuple[float, Event]]:
        """All of them in order, each with the show second at which it comes."""
        for event in self.recent.events:
            yield self.since, event
        yield from self.later()

    def later(self) -> Iterator[tuple[float, Event]]:
        """The events after the screenful, each with its show second."""
        since, shown = self.since, self.pace.shown
        for event in self.coming:
            yield max(since, shown(event.at)), event


def moments(start: float, end: float, tick: Callable[[], float]) -> Iterator[float]:
    """The multiples of a tick between two moments, and the later moment itself.

    The tick is asked for each time, since it may change on the way.
    """
    now = start
    while True:
        step = tick()
        number = int(now / step) + 1
        number += number * step <= now  # a quotient rounded down
        now = number * step
        if now >= end:
            break
        yield now
    yield end
