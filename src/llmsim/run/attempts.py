"""The segments of a run, attempt by attempt: what an incident cuts, and where the job goes on.

    launch | training ... | failure | outage | launch | training ... | export

A deadly fault cuts the segment that it falls into. The failure lasts from the last whole step, or
from the pause that was interrupted, until the last process has ended and the last line is printed;
the outage until a person or a script launches the job again. The next attempt begins from the last
checkpoint that was durable when the fault came: one that was still being written is lost.
"""

from collections.abc import Generator, Iterator

from llmsim.job.memo import remembered
from llmsim.job.milestones import saved_steps, validated_steps
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run.cluster import hostname
from llmsim.run.events.incidents import Failed, Symptom
from llmsim.run.events.incidents import Incident as Label
from llmsim.run.faults import ASKED, Fault, Faults
from llmsim.run.phases import checkpoint, export, validation
from llmsim.run.phases.launch import launch
from llmsim.run.slowing import slowed
from llmsim.run.symptoms import Story, story
from llmsim.run.timeline import Kind, Segment, delayed, step_ended, step_in, steps_seconds
from llmsim.typed import NamedTuple


class Attempt(NamedTuple):
    """Where an attempt begins."""

    number: int
    began: float  # simulated seconds: when the command is given
    resumed: int  # the optimizer step of the checkpoint that it loads; 0: none
    repeated: int  # executed steps minus optimizer steps
    uptime: float  # seconds of the attempts before it, repairs left out
    durable: tuple[tuple[float, int], ...]  # (when it was durable, step) of the checkpoints
    lost: int = 0  # attempts in a row that ended before they had saved anything new


# After this many attempts in a row without a new checkpoint, operators have swapped whatever
# failed: the next attempt is left alone until it has saved. Without that rule a run whose saves
# lie farther apart than its failures would never end.
MOST_LOST = 3


def segments(job: Job) -> Iterator[Segment]:
    """The segments of a run, in order and without a gap."""
    planned = launch_seconds(job, 1) + step_time.training_seconds(job)
    faults = Faults(job, planned)
    attempt: Attempt | None = Attempt(1, 0.0, 0, 0, 0.0, ())
    while attempt:
        attempt = yield from _attempt(job, faults, attempt)


@remembered()
def launch_seconds(job: Job, attempt: int) -> float:
    """Seconds from the command to the first step, the load of a checkpoint left out."""
    *_, last = launch(job._replace(attempt=attempt), 0.0)
    return last.at


# Gives segments, and returns where the next attempt begins; None after the export.
Walk = Generator[Segment, None, "Attempt | None"]


def _attempt(job: Job, faults: Faults, attempt: Attempt) -> Walk:
    """The segments of one attempt; returns the next one, or None after the export."""
    began, resumed = attempt.began, attempt.resumed
    loading = storage.restore_seconds(job, resumed) if resumed else 0.0
    ended = round(began + launch_seconds(job, attempt.number) + loading, 6)
    offset = attempt.uptime - began
    numbers = (attempt.number, attempt.repeated)
    whole = Segment("launch", began, ended, resumed, resumed, *numbers)
    if fault := _strike(faults, attempt, whole, offset):
        yield _cut(whole, fault.at)
        return (yield from _end(job, attempt, fault, fault.at, resumed))
    yield whole
    at, done, free = ended, resumed, 0.0
    for step, kinds in _pauses(job, resumed):
        if step > done:
            stretch = _stretch(job, faults, attempt, at, done + 1, step)
            if fault := _strike(faults, attempt, stretch, offset):
                reached = step_in(job, stretch, fault.at)
                if reached > done:
                    stretch = _until(job, stretch, reached)
                    yield stretch
                    at, done = stretch.ended, reached
                return (yield from _end(job, attempt, fault, at, done))
            yield stretch
            at, done = stretch.ended, step
        for kind in kinds:
            pause, free, saved = _pause(job, attempt, kind, at, step, free)
            if fault := _strike(faults, attempt, pause, offset):
                yield _cut(pause, fault.at)
                return (yield from _end(job, attempt, fault, fault.at, done))
            yield pause
            at = pause.ended
            attempt = attempt._replace(durable=attempt.durable + saved)
    yield Segment("export", at, round(at + export.seconds(job), 6), done, done, *numbers)
    return None


def _strike(faults: Faults, attempt: Attempt, segment: Segment, offset: float) -> Fault | None:
    """The fault that ends an attempt in a segment, if there is one; see MOST_LOST."""
    fault = faults.deadly(segment, offset)
    saved = any(step > attempt.resumed for _, step in attempt.durable)
    if attempt.lost < MOST_LOST or saved:
        return fault
    while fault and fault.incident.number < ASKED:
        fault = faults.deadly(segment, offset)
    return fault


def _stretch(
    job: Job, faults: Faults, attempt: Attempt, at: float, first: int, last: int
) -> Segment:
    """The steps up to the next pause, with what slows them."""
    fresh = first == attempt.resumed + 1
    restarted = fresh and attempt.resumed + attempt.repeated > 0
    warmup = step_time.compile_seconds(job) if restarted else 0.0
    numbers = (attempt.number, attempt.repeated)
    segment = Segment("training", at, at, first, last, *numbers, fresh, warmup)
    segment = _until(job, segment, last)
    for fault in faults.slow(segment, attempt.uptime - attempt.began):
        delays, told = slowed(job, fault, segment)
        step = delays[0].first - 1
        over = step_ended(job, segment._replace(delays=segment.delays + delays), delays[-1].last)
        label = _label(job, attempt.number, fault, told, step, over)
        said = _said(fault, told, segment.began, step - attempt.resumed, step)
        events = sorted((*segment.told, label, *said), key=lambda event: event.at)
        segment = segment._replace(delays=segment.delays + delays, told=tuple(events))
        segment = _until(job, segment, last)
    return segment


def _until(job: Job, segment: Segment, last: int) -> Segment:
    """A training segment that ends with a step."""
    usual = steps_seconds(job, segment.first, last, segment.repeated)
    segment = segment._replace(last=last)
    ended = round(segment.began + usual + delayed(segment, segment.first, last), 6)
    told = tuple(each for each in segment.told if each.at <= ended)
    return segment._replace(ended=ended, told=told)


def _pause(
    job: Job, attempt: Attempt, kind: Kind, at: float, step: int, free: float
) -> tuple[Segment, float, tuple[tuple[float, int], ...]]:
    """A validation or a save; when saves in the background are done; what is durable then."""
    numbers = (step, step, attempt.number, attempt.repeated)
    if kind == "validation":
        ended = round(at + validation.seconds(job, step), 6)
        return Segment(kind, at, ended, *numbers), free, ()
    started = max(at, free)
    ended = round(started + checkpoint.seconds(job, step), 6)
    ends = checkpoint.finished(job, step, started)
    return Segment(kind, at, ended, *numbers), ends[-1].at, ((ends[0].at, step),)


def _cut(segment: Segment, at: float) -> Segment:
    """The part of a segment before a fault."""
    at = round(max(segment.began, at), 6)
    return segment._replace(ended=at, cut=round(segment.ended - at, 6))


def _pauses(job: Job, after: int) -> Iterator[tuple[int, tuple[Kind, ...]]]:
    """The steps after a checkpoint at which training pauses, and for what, in order."""
    saves, checks = set(saved_steps(job)), set(validated_steps(job))
    kinds: tuple[tuple[Kind, set[int]], ...] = (("validation", checks), ("checkpoint", saves))
    if job.framework.saves_first or not job.framework.validates:
        kinds = kinds[::-1]
    for step in sorted(saves | checks):
        if step > after:
            yield step, tuple(kind for kind, steps in kinds if step in steps)


# --- the end of an attempt ---------------------------------------------------------------


def _end(job: Job, attempt: Attempt, fault: Fault, at: float, done: int) -> Walk:
    """The failure, which begins at `at` with `done` steps made, and the outage."""
    told = story(job, fault.incident, step_time.step_seconds(job, max(1, done)))
    dead, wait = round(fault.at + told.over, 6), round(fault.incident.repair, 6)
    label = _label(job, attempt.number, fault, told, done, dead + wait)
    said = _said(fault, told, at, done - attempt.resumed, done)
    failed = Failed(dead, attempt.number, done, label.kind, label.rank, label.hostname, wait)
    numbers = (done, done, attempt.number, attempt.repeated)
    events: list[Label | Symptom | Failed] = [label, *said, failed]
    events.sort(key=lambda event: event.at)
    yield Segment("failure", at, dead, *numbers, told=tuple(events))
    again = round(dead + wait, 6)
    yield Segment("outage", dead, again, *numbers)
    resumed = max((step for saved, step in attempt.durable if saved <= fault.at), default=0)
    return Attempt(
        attempt.number + 1,
        again,
        resumed,
        attempt.repeated + done - resumed,
        attempt.uptime + fault.at - attempt.began,
        tuple(each for each in attempt.durable if each[1] <= resumed),
        attempt.lost + 1 if resumed == attempt.resumed else 0,
    )


def _label(job: Job, attempt: int, fault: Fault, told: Story, step: int, over: float) -> Label:
    """The label of an incident: the truth with which a monitor can be graded."""
    rank, size = fault.incident.rank, gpus_per_node(job)
    streams = tuple(dict.fromkeys(each.stream for each in told.symptoms))
    return Label(
        at=fault.at,
        kind=fault.incident.kind,
        attempt=attempt,
        step=step,
        rank=rank,
        hostname=hostname(job, rank // size),
        local_rank=rank % size,
        streams=streams,
        visible=round(fault.at + told.visible, 6),
        detected=round(fault.at + told.detected, 6),
        over=round(over, 6),
        number=fault.incident.number,
    )


def _said(fault: Fault, told: Story, since: float, executed: int, step: int) -> Iterator[Symptom]:
    """What is said of a fault, as events of the run; nothing of it before `since`."""
    for each in told.symptoms:
        at = round(max(since, fault.at + each.at), 6)
        yield each._replace(at=at, kind=fault.incident.kind, executed=executed, step=step)
