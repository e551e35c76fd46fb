"""Goodput: how much of a run's time made the model, and how much was lost or waited away.

lost      steps whose result no checkpoint held, and the part of a step that a fault cut off
waiting   from a fault to the first step of the next attempt: silence, repair, launch, load
useful    all the rest: wall clock = useful + lost + waiting
"""

from collections.abc import Iterator
from math import fsum

from llmsim.job.microseconds import to_the_microsecond
from llmsim.run.events.incidents import Failed, Incident
from llmsim.run.timeline import Run, Segment, step_ended
from llmsim.typed import NamedTuple


class Goodput(NamedTuple):
    """Seconds of a run, by what they were good for."""

    attempts: int
    useful: float
    lost: float
    waiting: float


def goodput(run: Run) -> Goodput:
    """The account of a whole run."""
    segments = [*run.timeline]
    kept = kept_steps(segments)
    if segments[-1].kind == "failure":  # the time limit has ended the run
        found = (each.kept for each in segments[-1].events if isinstance(each, Failed))
        kept[segments[-1].attempt] = next(found)
    lost = fsum(_lost(run, segments, kept))
    waited = fsum(_waited(segments))
    useful = segments[-1].ended - lost - waited
    return Goodput(
        segments[-1].attempt,
        to_the_microsecond(useful),
        to_the_microsecond(lost),
        to_the_microsecond(waited),
    )


def goodput_until(run: Run, at: float) -> Goodput:
    """The account up to the beginning of the segment that is going on at a moment."""
    number = run.timeline.number_at(at)
    known: dict[int, Goodput] = run.memo.setdefault("goodput", {})
    if number not in known:
        segments = [run.timeline[each] for each in range(number + 1)]
        lost = fsum(_lost(run, segments, kept_steps(segments)))
        waited = fsum(_waited(segments[:-1]))
        useful = segments[-1].began - lost - waited
        known.clear()
        known[number] = Goodput(segments[-1].attempt, useful, lost, waited)
    return known[number]


def share(account: Goodput) -> float:
    """The useful part of the time, 0..1."""
    return account.useful / ((account.useful + account.lost + account.waiting) or 1.0)


def resumed_steps(segments: list[Segment]) -> dict[int, int]:
    """The optimizer step that each attempt began from."""
    return {each.attempt: each.last for each in segments if each.kind == "launch"}


def kept_steps(segments: list[Segment]) -> dict[int, int]:
    """The last optimizer step of each attempt but the last whose result some later one has.

    Silent corruption, found late, may go back past attempts that had gone on in good faith.
    """
    resumed, kept, least = resumed_steps(segments), dict[int, int](), None
    for attempt in sorted(resumed, reverse=True):
        if least is not None:
            kept[attempt] = least
        least = resumed[attempt] if least is None else min(least, resumed[attempt])
    return kept


def fault_in(segment: Segment) -> float:
    """When the fault came that a failure follows from, in simulated seconds.

    Numbers that a person ends have their label earlier: there the failure begins with the end.
    """
    labels = [event.at for event in segment.events if isinstance(event, Incident)]
    first: float = segment.events[0].at
    return min(labels, default=first)


def _lost(run: Run, segments: list[Segment], last: dict[int, int]) -> Iterator[float]:
    for segment in segments:
        kept = last.get(segment.attempt)
        if kept is None:
            continue
        if segment.kind == "training" and segment.last > kept:
            yield segment.ended - step_ended(run.job, segment, max(kept, segment.first - 1))
        elif segment.kind in ("validation", "checkpoint") and segment.last > kept:
            yield segment.ended - segment.began
        elif segment.kind == "failure":
            yield max(0.0, fault_in(segment) - segment.began)


def _waited(segments: list[Segment]) -> Iterator[float]:
    for segment in segments:
        if segment.kind == "failure":
            yield segment.ended - max(segment.began, fault_in(segment))
        elif segment.kind == "outage" or (segment.kind == "launch" and segment.attempt > 1):
            yield segment.ended - segment.began
