"""The parts of an attempt: training up to the next pause, validations and saves."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import exits_loop, save_is_due, saved_steps, validated_steps
from llmsim.job.records import Job
from llmsim.run.later import Later
from llmsim.run.timeline import Kind, Segment, step_ended
from llmsim.typed import Any, Literal, NamedTuple

# Why training pauses: the evaluation after the training is one, too.
Pause = Literal["validation", "checkpoint", "evaluation"]


class Durable(NamedTuple):
    """A checkpoint that an attempt may begin from, and the one before it."""

    at: float  # when it was durable
    step: int
    before: "Durable | None"


class Attempt(NamedTuple):
    """Where an attempt begins."""

    number: int
    began: float  # simulated seconds: when the command is given
    resumed: int  # the optimizer step of the checkpoint that it loads; 0: none
    repeated: int  # executed steps minus optimizer steps
    uptime: float  # seconds of the attempts before it, repairs left out
    durable: Durable | None  # the latest checkpoint
    cured: tuple[int, ...] = ()  # incidents whose bends are left behind
    reached: int = 0  # the last step that any attempt before it has done
    unseen: tuple[int, ...] = ()  # incidents up to that step that others have hidden
    lost: int = 0  # attempts in a row that ended before they had saved anything new
    spares: tuple[tuple[int, int], ...] = ()  # nodes, and the machines that stand in for them
    boots: tuple[tuple[int, float], ...] = ()  # nodes that were booted again, and the seconds


def until(job: Job, segment: Segment, last: int) -> Segment:
    """A training segment that ends with a step."""
    ended = step_ended(job, segment, last)
    return segment._replace(ended=ended, last=last, events=_told(segment.events, ended))


def _told(events: Sequence[Any], until: float) -> Sequence[Any]:
    """The events up to a moment."""
    if isinstance(events, Later):
        return Later(lambda: [each for each in events if each.at <= until])
    return events and tuple([each for each in events if each.at <= until])


def pause_after(
    job: Job, attempt: Attempt, kind: Pause, at: float, step: int, free: float
) -> tuple[Segment, float, Durable | None]:
    """A validation or a save; when the latest save in the background is durable; the latest
    checkpoint then.
    """
    # A launch does without these phases.
    if kind == "checkpoint":
        from llmsim.run.phases import checkpoint

        started = checkpoint.begins(job, step, at, free)
        ended = to_the_microsecond(started + checkpoint.seconds(job, step))
        durable = checkpoint.durable(job, step, started)
        latest = Durable(durable, step, attempt.durable)
        return pausing(attempt, kind, at, ended, step), durable, latest
    from llmsim.run.phases import validation

    if kind == "evaluation":
        ended = to_the_microsecond(at + validation.final_seconds(job))
        made = pausing(attempt, "validation", at, ended, step)._replace(final=True)
        return made, free, attempt.durable
    ended = to_the_microsecond(at + validation.seconds(job, step))
    return pausing(attempt, kind, at, ended, step), free, attempt.durable


def pausing(attempt: Attempt, kind: Kind, at: float, ended: float, step: int) -> Segment:
    """A stretch of an attempt after a step, in which no other is made."""
    return Segment(kind, at, ended, step, step, attempt.number, attempt.repeated,
                   cured=attempt.cured, spares=attempt.spares, boots=attempt.boots)  # fmt: skip


def cut(segment: Segment, at: float) -> Segment:
    """The part of a segment before a fault, without the events that would have come later."""
    at = to_the_microsecond(max(segment.began, at))
    short = to_the_microsecond(segment.ended - at)
    return segment._replace(ended=at, cut=short, events=_told(segment.events, at))


def pauses(job: Job, after: int) -> Iterator[tuple[int, tuple[Pause, ...]]]:
    """The steps after a checkpoint at which training pauses, and for what, in order."""
    steps, kinds = _pauses(job)
    for number in range(bisect_right(steps, after), len(steps)):
        yield steps[number], kinds[number]


@remembered()
def _pauses(job: Job) -> tuple[tuple[int, ...], tuple[tuple[Pause, ...], ...]]:
    """All steps at which training pauses, and for what at each of them."""
    saves, checks = set(saved_steps(job)), set(validated_steps(job))
    order: tuple[Pause, Pause] = ("validation", "checkpoint")
    if job.framework.saves_first or not job.framework.validates:
        order = order[::-1]
    last = job.schedule.steps
    steps = tuple(sorted({*saves, *checks, last}))
    # By whether a step is validated, and whether it is saved.
    kinds: dict[tuple[bool, bool], tuple[Pause, ...]] = {
        (False, False): (), (True, False): ("validation",), (False, True): ("checkpoint",),
        (True, True): order,
    }  # fmt: skip
    found = [kinds[step in checks, step in saves] for step in steps]
    if exits_loop(job):
        return steps, tuple(found)
    if job.framework.saves_after_loop and not save_is_due(job, last):
        found[-1] = tuple(sorted(found[-1], key=_LAST.index))
    if job.framework.final_evaluations:
        found[-1] = (*found[-1], "evaluation")
    return steps, tuple(found)


_LAST = ("validation", "checkpoint")  # the order of pauses where the last save ends the run


def with_step(job: Job, attempt: Attempt, segment: Segment, free: float, step: int) -> Segment:
    """The training segment that has a step, if nothing else happens from a segment on."""
    at, done = segment.ended, segment.last
    plain = segment._replace(fresh=False, warmup=0.0, delays=(), events=())
    if step <= done:
        return segment
    for pause, kinds in pauses(job, done - 1):
        if pause > done:
            plain = until(job, plain._replace(began=at, first=done + 1), pause)
            if step <= pause:
                return plain
            at, done = plain.ended, pause
        for kind in kinds:
            paused, free, _ = pause_after(job, attempt, kind, at, done, free)
            at = paused.ended
    return plain
