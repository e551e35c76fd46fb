"""run_of(job): a job with its timeline. events(run): every fact of the run, from any moment on.

step(run, k) is the record of any optimizer step, as if it were logged.
"""

from collections.abc import Callable, Iterator
from itertools import count
from math import inf

from llmsim.job.records import Job, expect_job
from llmsim.run.attempts import bent, segments
from llmsim.run.events import Event, PhaseCut, PhaseEnded, PhaseStarted, Progress, Step
from llmsim.run.timeline import Run, Segment, Timeline, scan, step_at


def run_of(job: Job) -> Run:
    """The run of a job. Its segments are computed when they are first needed.

    Raises OptionError for anything but a job.
    """
    expect_job(job)
    job = bent(job)
    return Run(job, Timeline(segments(job)), {})


def simulate(job: Job) -> Iterator[Event]:
    """Every fact of a job's run, in the order of time, from the typed command to the summary."""
    return events(run_of(job))


def step(run: Run, number: int, attempt: int | None = None) -> Step:
    """The record of an optimizer step, counted from 1, as if it were logged.

    Of an attempt, or of the latest before it that ran the step; without one, of the first.
    Raises IndexError if the run does not have the step.
    """
    first, last = run.job.schedule.first_step, run.job.schedule.steps
    if not first <= number <= last:
        raise IndexError(f"the run has steps {first} to {last}, and no step {number}")
    from llmsim.run.phases.step_records import logged_step

    return logged_step(run, number, attempt)


def tasks(run: Run, number: int) -> tuple[tuple[float, str], ...]:
    """Pairs (moment, label) of all progress events in a segment."""
    known: dict[int, tuple[tuple[float, str], ...]] = run.memo.setdefault("tasks", {})
    if number not in known:
        found = events_of(run, number)
        known[number] = tuple((e.at, e.label) for e in found if isinstance(e, Progress))
    return known[number]


def latest_validation(run: Run, at: float) -> int:
    """The step of the latest validation whose result is known at a moment; 0 if there is none.

    The model that was validated has to be the one of the moment: an attempt that has gone back to
    a checkpoint holds none of the steps that were validated later.
    """
    from llmsim.run.phases import validation

    held = step_at(run, at)
    for number in range(run.timeline.number_at(at), 0, -1):
        segment = run.timeline[number]
        known = validation.known_at(run.job, segment) if segment.kind == "validation" else inf
        if known <= min(at, segment.ended) and segment.last <= held:
            return segment.last
    return 0


def _always() -> bool:
    return True


Moving = Callable[[], bool]  # whether bars are drawn at every move just now


def events(run: Run, since: float = 0.0, moving: Moving = _always) -> Iterator[Event]:
    """Every fact of the run that becomes known at `since`, in simulated seconds, or later.

    Three of four facts are moves of an epoch's bar, and a file shows few of them: while `moving`
    says no, moves that the framework's file does not show are left out, and so are a step's
    metrics where the framework's lines do not read them.
    """
    number = max(0, run.timeline.number_at(since) - 1) if since > 0.0 else 0
    # An event at the exact moment between two segments may belong to the earlier one.
    while number and run.timeline[number].ended >= since:
        number -= 1
    for each in count(number):
        if not run.timeline.has(each):
            return
        if run.timeline[each].began >= since:
            yield from events_of(run, each, since, moving)
            continue
        for event in events_of(run, each, since, moving):
            if event.at >= since:
                yield event


def events_of(
    run: Run, number: int, since: float = 0.0, moving: Moving = _always
) -> Iterator[Event]:
    """The events of a segment; of a training segment only events at `since` or later."""
    segment = run.timeline[number]
    if segment.ended < since:
        return iter(())
    scan(run, number)
    if segment.kind in ("failure", "outage"):
        from llmsim.run.phases import breakdown

        return breakdown.breakdown(run, number)
    planned = _planned(run, number, since, moving)
    if segment.cut:
        planned = _until_cut(segment, planned)
    if not segment.events:
        return planned
    from heapq import merge

    return merge(planned, segment.events, key=_moment)


def _moment(event: Event) -> float:
    return event.at


def _until_cut(segment: Segment, planned: Iterator[Event]) -> Iterator[Event]:
    """What a segment consists of that a fault cuts: only what comes before the fault."""
    opened: list[PhaseStarted] = []
    for event in planned:
        if event.at > segment.ended or isinstance(event, PhaseEnded):
            break
        if isinstance(event, PhaseStarted):
            opened.append(event)
        yield event
    for started in reversed(opened):
        yield PhaseCut(segment.ended, started.phase, segment.ended - segment.began)


def _planned(run: Run, number: int, since: float, moving: Moving) -> Iterator[Event]:
    """What a segment consists of. Each phase is imported when the first of its segments comes."""
    kind = run.timeline[number].kind
    if kind == "launch":
        from llmsim.run.phases import breakdown

        return breakdown.launching(run, number)
    if kind == "training":
        from llmsim.run.phases.training import training

        return training(run, number, since, moving)
    if kind == "validation":
        from llmsim.run.phases import validation

        return validation.validation(run, number, moving())
    if kind == "checkpoint":
        from llmsim.run.phases import checkpoint

        return checkpoint.checkpoint(run, number, moving())
    return _exported(run, number)


def _exported(run: Run, number: int) -> Iterator[Event]:
    """The end of the training, and the export."""
    from llmsim.run.phases import export
    from llmsim.run.phases.training import training_ended

    # An attempt that resumes from the last save has nothing left to train.
    if run.timeline[number - 1].kind != "launch":
        yield from training_ended(run, number)
    yield from export.export(run, number)
