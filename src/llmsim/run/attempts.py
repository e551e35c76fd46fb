"""The segments of a run, attempt by attempt: what an incident cuts, and where the job goes on.

    launch | training ... | failure | outage | launch | training ... | export
    launch | training ... | failure          where Slurm's time limit ends the run

A deadly fault cuts the segment that it falls into. The failure lasts from the last whole step, or
from the pause that was interrupted, until the last process has ended and the last line is printed;
the outage until a person or a script launches the job again. The next attempt begins from the last
checkpoint that was durable when the fault came: one that was still being written is lost.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Sequence
from math import inf

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.job.schedule import is_timed, last_step
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run import numbers
from llmsim.run.events.incidents import Restarted
from llmsim.run.faults import Fault, Faults
from llmsim.run.incidents import is_planned
from llmsim.run.phases.launch import first_launch, relaunch_seconds
from llmsim.run.stretches import Attempt, Durable, cut, pause_after, pauses, pausing, until
from llmsim.run.timeline import Segment, Timeline, step_in, steps_seconds
from llmsim.typed import NamedTuple

# After this many attempts in a row without a new checkpoint, operators have swapped whatever
# failed: the next attempt is left alone until it has saved. Without that rule a run whose saves
# lie farther apart than its failures would never end.
MOST_LOST = 3


def segments(job: Job) -> Iterator[Segment]:
    """The segments of a run, in order and without a gap."""
    faults = Faults(job, planned(job))
    before = job.schedule.first_step - 1  # the step of the checkpoint that the run begins with
    durable = Durable(0.0, before, None) if before else None
    attempt: Attempt | None = Attempt(1, 0.0, before, 0, 0.0, durable)
    while attempt:
        attempt = yield from _attempt(job, faults, attempt)


@remembered()
def planned(job: Job) -> float:
    """Seconds of uptime without incidents."""
    return launch_seconds(job, 1) + step_time.training_seconds(job)


def bent(job: Job) -> Job:
    """The job with what its incidents do to loss, norm and saves; the same job if nothing."""
    found = tuple(bend for course in _courses(job) for bend in course.bends)
    slow = tuple((each.step, each.seconds) for each in _slow_saves(job))
    if not found and not slow:
        return job
    made = job._replace(bends=found, slow_saves=slow)
    made.memo.update(job.memo)  # what has been worked out so far depends on neither
    return made


def job_after(job: Job, event: object) -> Job:
    """The job with the processes that speak from an event on: a restart has fresh ones."""
    if isinstance(event, Restarted):
        return job._replace(attempt=event.attempt, cured=event.cured, resumed=event.step,
            spares=event.spares, boots=event.boots, repeated=event.repeated)  # fmt: skip
    return job


@remembered()
def _courses(job: Job) -> tuple[numbers.Course, ...]:
    return numbers.courses(job, _undisturbed_step, planned(job))


class _Turns(NamedTuple):
    """The steps at which incidents of the numbers begin to show, and the steps at which they end
    an attempt; both in order, with their courses. Most segments have none.
    """

    shows: list[int]
    ends: list[int]
    showing: list[numbers.Course]
    ending: list[numbers.Course]


@remembered()
def _turns(job: Job) -> _Turns:
    showing = sorted(_courses(job), key=lambda each: each.shows)
    ending = sorted(_courses(job), key=lambda each: each.until)
    shows, ends = [each.shows for each in showing], [each.until for each in ending]
    return _Turns(shows, ends, showing, ending)


def _met(
    job: Job, attempt: Attempt, courses: list[numbers.Course], steps: list[int], segment: Segment
) -> tuple[numbers.Course, ...]:
    """The courses whose steps, which are in order, lie in a segment, and which somebody can see;
    in order of their onsets.
    """
    first, last = bisect_left(steps, segment.first), bisect_right(steps, segment.last)
    every, cured = _courses(job), attempt.cured
    seen = [each for each in courses[first:last] if not numbers.hidden(every, cured, each)]
    return tuple(sorted(seen, key=numbers.order))


def _unseen(job: Job, attempt: Attempt, done: int) -> tuple[int, ...]:
    """The incidents of the numbers that a later attempt may be the first to show, after one that
    has made `done` steps: up to now, others have hidden them. Most attempts have none.
    """
    turns, every = _turns(job), _courses(job)
    first, last = bisect_right(turns.shows, attempt.reached), bisect_right(turns.shows, done)
    waiting = [each for each in every if each.incident.number in attempt.unseen]
    return tuple(
        each.incident.number
        for each in (*waiting, *turns.showing[first:last])
        if each.shows > done or numbers.hidden(every, attempt.cured, each)
    )


def _within(steps: list[int], segment: Segment) -> bool:
    """Whether one of these steps, which are in order, lies in a segment."""
    return bool(steps) and bisect_left(steps, segment.first) < bisect_right(steps, segment.last)


def _eventful(faults: Faults, turns: _Turns, stretch: Segment, offset: float) -> bool:
    """Whether anything is due in a training segment; an incident of the numbers may turn in it."""
    due = not faults.is_quiet(stretch, offset)
    return due or _within(turns.shows, stretch) or _within(turns.ends, stretch)


def _slow_saves(job: Job) -> tuple[numbers.SlowSave, ...]:
    return numbers.slow_saves(job, _undisturbed_step, planned(job))


def _undisturbed_step(job: Job, unit: str, seconds: float, phase: str) -> int:
    """The steps done at a moment, or at the middle of a phase, of a run without incidents."""
    calm = _calm(job)
    if unit == "phase":
        for segment in calm:
            if segment.kind == phase:
                return (max(0, segment.first - 1) + segment.last) // 2
        return last_step(job.schedule)
    segment = calm[calm.number_at(seconds)]
    if segment.ended <= seconds:
        return segment.last
    return step_in(job, segment, seconds) if segment.kind == "training" else segment.last


@remembered()
def _calm(job: Job) -> Timeline:
    """The timeline of the job without incidents, drawn as far as somebody asks."""
    return Timeline(segments(job._replace(incidents="none", asked=(), bends=(), slow_saves=())))


def launch_seconds(job: Job, attempt: int) -> float:
    """Seconds from the command to the first step, the load of a checkpoint left out."""
    return first_launch(job)[-1].at if attempt == 1 else relaunch_seconds(job, attempt)


# Gives segments, and returns where the next attempt begins; None after the last.
Walk = Generator[Segment, None, "Attempt | None"]


def _attempt(job: Job, faults: Faults, attempt: Attempt) -> Walk:
    """The segments of one attempt; returns the next one, or None after the last."""
    began, resumed = attempt.began, attempt.resumed
    loading = storage.restore_seconds(job, resumed) if resumed else 0.0
    ended = to_the_microsecond(began + launch_seconds(job, attempt.number) + loading)
    offset = attempt.uptime - began
    whole = pausing(attempt, "launch", began, ended, resumed)
    if fault := _strike(job, faults, attempt, whole, offset):
        yield cut(whole, fault.at)
        return (yield from _end(job, attempt, fault, fault.at, resumed, fault.at))
    yield whole
    at, done, free = ended, resumed, 0.0
    limit, turns = _time_up(job, attempt, ended), _turns(job)
    for step, kinds in pauses(job, resumed):
        if step > done:
            stretch = _plain(job, attempt, at, done + 1, step)
            # Most of a long run's thousands of segments are quiet: nothing is due in them.
            if limit or _eventful(faults, turns, stretch, offset):
                stretch, drains = _slowed(job, faults, attempt, stretch, limit)
                fault = _strike(job, faults, attempt, stretch, offset, limit, drains)
                stretch = _noted(job, attempt, stretch, free)
                if fault:
                    return (yield from _broken_off(job, attempt, fault, stretch, free))
            yield stretch
            at, done = stretch.ended, step
        for kind in kinds:
            pause, free, durable = pause_after(job, attempt, kind, at, step, free)
            if job.slow_saves:
                pause = _held_up(job, attempt, pause)
            if fault := _strike(job, faults, attempt, pause, offset, limit):
                yield cut(pause, fault.at)
                return (yield from _end(job, attempt, fault, fault.at, done, fault.at))
            yield pause
            at = pause.ended
            if durable is not attempt.durable:
                attempt = attempt._replace(durable=durable)
    from llmsim.run.phases import export  # each phase is imported when it comes

    yield pausing(attempt, "export", at, to_the_microsecond(at + export.seconds(job)), done)
    return None


def _noted(job: Job, attempt: Attempt, stretch: Segment, free: float) -> Segment:
    """A training segment with the labels of what bends its numbers."""
    turns = _turns(job)
    if not _within(turns.shows, stretch):
        return stretch
    from llmsim.run.labels import noted

    return noted(
        job, attempt, stretch, free, _met(job, attempt, turns.showing, turns.shows, stretch)
    )


def _held_up(job: Job, attempt: Attempt, pause: Segment) -> Segment:
    """A save with the lines of what holds it up, if something does."""
    if pause.kind != "checkpoint" or not storage.held_up(job, pause.last):
        return pause
    from llmsim.run.labels import held_up

    return held_up(job, attempt, pause, _slow_saves(job))


def _broken_off(job: Job, attempt: Attempt, fault: Fault, stretch: Segment, free: float) -> Walk:
    """The end of an attempt within a training segment, in order or not."""
    from llmsim.run.labels import foretold
    from llmsim.run.orderly import orderly

    if last := orderly(job, attempt, fault, stretch, free):
        yield last.training
        if last.saving:
            yield last.saving
        attempt = attempt._replace(durable=last.durable)
        return (yield from _outage(job, attempt, fault, last.failure))
    at, done, reached = stretch.began, stretch.first - 1, step_in(job, stretch, fault.at)
    if reached > done:
        from llmsim.run.endings import ended, story_of

        stretch = until(job, ended(job, stretch, fault), reached)
        at, done = stretch.ended, reached
        yield foretold(job, attempt, fault, story_of(job, fault, done), stretch)
    return (yield from _end(job, attempt, fault, at, done, stretch.began))


def _strike(
    job: Job, faults: Faults, attempt: Attempt, segment: Segment, offset: float,
    limit: Fault | None = None, drains: Sequence[Fault] = (),
) -> Fault | None:  # fmt: skip
    """The fault that ends an attempt in a segment, if there is one; see MOST_LOST.

    With `drains` a person would take out a node that slows the segment's steps.
    """
    calm = faults.is_quiet(segment, offset) and not drains
    if calm and not (segment.kind == "training" and _within(_turns(job).ends, segment)):
        fault = None  # as in most of a long run's thousands of segments
    else:
        fault = _drawn(job, faults, attempt, segment, offset, drains)
    if not limit:
        return fault
    from llmsim.run.time_limit import first_of

    return first_of(fault, limit, segment)


def _time_up(job: Job, attempt: Attempt, began: float) -> Fault | None:
    """The end of the run by the clock, if it has one."""
    if not is_timed(job.schedule):
        return None
    from llmsim.run.time_limit import time_up

    return time_up(job, attempt, began)


def _drawn(
    job: Job, faults: Faults, attempt: Attempt, segment: Segment, offset: float,
    drains: Sequence[Fault],
) -> Fault | None:  # fmt: skip
    """The same without the time limit."""
    if segment.kind == "training" and (known := _foreseen(job, attempt, segment, drains)):
        first = min(known, key=lambda fault: fault.at)
        earlier = segment._replace(ended=min(segment.ended, first.at))
        return faults.deadly(earlier, offset, spared=_spared(attempt)) or first
    return faults.deadly(segment, offset, spared=_spared(attempt))


def _foreseen(job: Job, attempt: Attempt, segment: Segment, drains: Sequence[Fault]) -> list[Fault]:
    """The ends of an attempt in a training segment that its own incidents bring about."""
    known, ends = [*drains], _turns(job).ends
    if ends and _within(ends, segment):
        known += _bad_numbers(job, attempt, segment)
    return known


def _bad_numbers(job: Job, attempt: Attempt, segment: Segment) -> Iterator[Fault]:
    """The end of an attempt whose numbers are spoilt, if it comes in a segment."""
    turns = _turns(job)
    met = _met(job, attempt, turns.ending, turns.ends, segment)
    if course := numbers.ending(met, attempt.cured, segment):
        at = numbers.struck(job, course, segment)
        yield Fault(at, course.incident, shows=course.shows)


def _spared(attempt: Attempt) -> bool:
    """Whether random faults leave an attempt alone; see MOST_LOST."""
    saved = attempt.durable is not None and attempt.durable.step > attempt.resumed
    return attempt.lost >= MOST_LOST and not saved


def _plain(job: Job, attempt: Attempt, at: float, first: int, last: int) -> Segment:
    """The steps up to the next pause, without what slows them."""
    fresh = first == attempt.resumed + 1
    restarted = fresh and attempt.resumed + attempt.repeated > 0
    warmup = step_time.compile_seconds(job) if restarted else 0.0
    ended = to_the_microsecond(at + (steps_seconds(job, first, last, attempt.repeated) + warmup))
    stretch = pausing(attempt, "training", at, ended, last)
    return stretch._replace(first=first, fresh=fresh, warmup=warmup)


def _slowed(
    job: Job, faults: Faults, attempt: Attempt, segment: Segment, limit: Fault | None
) -> tuple[Segment, Sequence[Fault]]:
    """A training segment with what slows its steps, and the ends by people who take out a node
    because of that.
    """
    offset = attempt.uptime - attempt.began
    if faults.is_quiet(segment, offset):
        return segment, ()
    slow = faults.slow(segment, offset, _ends(job, faults, attempt, segment, offset, limit))
    if not slow:
        return segment, ()
    from llmsim.run.slowing import slowed

    # Steps that the attempt does not live to see move the middle of a phase, at which something
    # may be asked for, and the moments that the label of an incident of the numbers foresees.
    matter = job.asked or _within(_turns(job).shows, segment) or _spared(attempt)
    dies = inf if matter else faults.ends(segment, offset)
    return slowed(job, attempt, segment, slow, dies)


_LATER = 7200.0  # seconds that an orderly end may take at most, with its last step and its save


def _ends(
    job: Job, faults: Faults, attempt: Attempt, segment: Segment, offset: float,
    limit: Fault | None,
) -> float:  # fmt: skip
    """A moment after the end of an attempt in a training segment; infinity where none is known."""
    over = limit.at if limit else inf
    if _spared(attempt):
        return over
    later = _LATER + 100.0 * step_time.step_seconds(job, segment.last)
    return min(over, faults.ends(segment, offset) + later)


# --- the end of an attempt ---------------------------------------------------------------


def _end(job: Job, attempt: Attempt, fault: Fault, at: float, done: int, since: float) -> Walk:
    """The failure, which begins at `at` with `done` steps made, and the outage.

    `since` is when the first line about it may have come: a dying GPU has omens.
    """
    from llmsim.run.endings import failing

    failure = failing(job, attempt, fault, at, done, since)
    return (yield from _outage(job, attempt, fault, failure))


def _outage(job: Job, attempt: Attempt, fault: Fault, failure: Segment) -> Walk:
    """A failure and the time until the next attempt, which is returned: none after the limit."""
    from llmsim.run.endings import next_attempt

    yield failure
    if is_planned(fault.incident):
        return None
    following = next_attempt(job, attempt, fault, failure, _unseen(job, attempt, failure.last))
    yield pausing(attempt, "outage", failure.ended, following.began, failure.last)
    return following
