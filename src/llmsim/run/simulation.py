"""run_of(job): a job with its timeline. events(run): every fact of the run, from any moment on.

step(run, k) is the record of any optimizer step, as if it were logged.
"""

from collections.abc import Iterator
from itertools import count

from llmsim.job.milestones import saved_steps, validated_steps
from llmsim.job.records import Job, expect_job
from llmsim.physics.speed import step_time
from llmsim.run.events import Event, MemoryPlanned, PhaseEnded, PhaseStarted, Progress, Step
from llmsim.run.moment import loads
from llmsim.run.phases import checkpoint, export, validation
from llmsim.run.phases.launch import launch
from llmsim.run.phases.status import status
from llmsim.run.phases.training import logged_step, training, training_ended
from llmsim.run.timeline import Kind, Run, Segment, Timeline


def run_of(job: Job) -> Run:
    """The run of a job. Its segments are computed when they are first needed.

    Raises OptionError for anything but a job.
    """
    expect_job(job)
    launched = tuple(launch(job, 0.0))
    return Run(job, Timeline(_segments(job, launched[-1].at)), {"launch": launched})


def simulate(job: Job) -> Iterator[Event]:
    """Every fact of a job's run, in the order of time, from the typed command to the summary."""
    return events(run_of(job))


def step(run: Run, number: int) -> Step:
    """The record of an optimizer step, counted from 1, as if it were logged.

    Raises IndexError where the run has no such step.
    """
    if not 1 <= number <= run.job.schedule.steps:
        raise IndexError(f"the run has steps 1 to {run.job.schedule.steps}, and no step {number}")
    return logged_step(run, number)


def tasks(run: Run, number: int) -> tuple[tuple[float, str], ...]:
    """Pairs (moment, label) of all progress events in a segment."""
    known: dict[int, tuple[tuple[float, str], ...]] = run.memo.setdefault("tasks", {})
    if number not in known:
        told = _events_of(run, number, 0.0)
        known[number] = tuple((e.at, e.label) for e in told if isinstance(e, Progress))
    return known[number]


def latest_validation(run: Run, at: float) -> int:
    """The step of the latest validation whose result is known at a moment; 0 if there is none."""
    for number in range(run.timeline.number_at(at), 0, -1):
        segment = run.timeline[number]
        if segment.kind == "validation" and validation.known_at(run.job, segment) <= at:
            return segment.last
    return 0


def events(run: Run, since: float = 0.0) -> Iterator[Event]:
    """Every fact of the run that becomes known at `since`, in simulated seconds, or later."""
    number = max(0, run.timeline.number_at(since) - 1) if since > 0.0 else 0
    # An event at the exact moment between two segments may belong to the earlier one.
    while number and run.timeline[number].ended >= since:
        number -= 1
    for each in count(number):
        if not run.timeline.has(each):
            return
        for event in _events_of(run, each, since):
            if event.at >= since:
                yield event


def _events_of(run: Run, number: int, since: float) -> Iterator[Event]:
    """The events of a segment; of a training segment only events at `since` or later."""
    segment = run.timeline[number]
    if segment.ended < since:
        return
    if segment.kind == "launch":
        yield PhaseStarted(segment.began, "launch", segment.ended - segment.began)
        yield from _launched(run)
        yield PhaseEnded(segment.ended, "launch", segment.ended - segment.began)
    elif segment.kind == "training":
        yield from training(run, number, since)
    elif segment.kind == "validation":
        yield from validation.validation(run, number)
    elif segment.kind == "checkpoint":
        yield from checkpoint.checkpoint(run, number)
    else:
        yield from training_ended(run, segment.began)
        yield from export.export(run, number)


def _launched(run: Run) -> Iterator[Event]:
    """The events of the launch, with the status of the GPUs when the memory is planned."""
    for event in run.memo["launch"]:
        yield event
        if isinstance(event, MemoryPlanned):
            yield status(run.job, event.at, loads(run, event.at), "before training")


def _segments(job: Job, at: float) -> Iterator[Segment]:
    """The segments in order; the launch ends at `at`."""
    yield Segment("launch", 0.0, at, 0, 0)
    free = 0.0  # when the save in the background is finished, what it replaced included
    done = 0
    for step, kinds in _pauses(job):
        if step > done:
            ended = round(at + step_time.interval_seconds(job, done + 1, step), 6)
            yield Segment("training", at, ended, done + 1, step)
            at, done = ended, step
        for kind in kinds:
            began = at
            if kind == "validation":
                at = round(at + validation.seconds(job, step), 6)
                yield Segment("validation", began, at, step, step)
            else:
                started = max(at, free)
                at = round(started + checkpoint.seconds(job, step), 6)
                free = checkpoint.finished(job, step, started)[-1].at
                yield Segment("checkpoint", began, at, step, step)
    yield Segment("export", at, round(at + export.seconds(job), 6), done, done)


def _pauses(job: Job) -> Iterator[tuple[int, tuple[Kind, ...]]]:
    """The steps after which training pauses, and for what, in order."""
    saves, checks = set(saved_steps(job)), set(validated_steps(job))
    kinds: tuple[tuple[Kind, set[int]], ...] = (("validation", checks), ("checkpoint", saves))
    if not job.framework.validates:
        kinds = kinds[::-1]
    for step in sorted(saves | checks):
        yield step, tuple(kind for kind, steps in kinds if step in steps)
