"""Validations: a pause for the loss on held-out data, and with --evaluate for benchmarks."""

from bisect import bisect_right
from collections.abc import Iterator
from math import fsum

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import is_validated, validated_steps
from llmsim.job.records import Job
from llmsim.physics.learning import loss, metrics, objectives
from llmsim.physics.speed import step_time
from llmsim.run.events import Event, PhaseEnded, PhaseStarted, Validated
from llmsim.run.phases import evaluation
from llmsim.run.phases.timing import progress
from llmsim.run.timeline import Run, Segment, learner, training_began, whole


def seconds(job: Job, step: int) -> float:
    """Seconds that training pauses for a validation, its benchmarks included."""
    passes = step_time.validation_seconds(job, step)
    return to_the_microsecond(
        passes + (evaluation.seconds(job, step) if _evaluates(job, step) else 0.0)
    )


def _parts(job: Job) -> tuple[tuple[str, str], ...]:
    """What is evaluated after the training, and the stream that its noise comes from: held-out
    data that a validation after the last step has not seen.
    """
    due = is_validated(job, job.schedule.steps)
    seen = {"validation": "more validation"} if due else {}
    return tuple((part, seen.get(part, part)) for part in job.framework.final_evaluations)


def final_seconds(job: Job) -> float:
    """Seconds of all evaluations after the training."""
    last = job.schedule.steps
    return to_the_microsecond(
        fsum(step_time.validation_seconds(job, last, part) for _, part in _parts(job))
    )


def _evaluates(job: Job, step: int) -> bool:
    """Whether benchmarks follow a validation; after the last step they follow the export
    instead.
    """
    return job.evaluates and step < job.schedule.steps


def known_at(job: Job, segment: Segment) -> float:
    """When the result of a validation is known, in simulated seconds; benchmarks come after it."""
    return to_the_microsecond(segment.began + step_time.validation_seconds(job, segment.last))


def best(run: Run, segment: Segment, step: int) -> float:
    """The lowest validation loss up to and including a step; infinite before the first one.

    Bends that the attempt of a segment has left behind do not count.
    """
    steps = validated_steps(run.job)
    lowest: list[float] = run.memo.setdefault(("best", segment.cured), [float("inf")])
    job = learner(run, segment)
    count = bisect_right(steps, step)
    while len(lowest) <= count:
        lowest.append(min(lowest[-1], loss.validation(job, steps[len(lowest) - 1])))
    return lowest[count]


def validation(run: Run, number: int, moving: bool = True) -> Iterator[Event]:
    """The events of a validation: its progress, its result, and benchmarks; see timing.progress for
    `moving`.
    """
    job, segment = run.job, whole(run, number)
    at, step, clock = segment.began, segment.last, training_began(run, segment.attempt)
    yield PhaseStarted(at, "validation", segment.ended - at)
    batches, taught = job.schedule.validation_batches, learner(run, segment)
    for part, stream in _parts(job) if segment.final else (("", "validation"),):
        seconds = step_time.validation_seconds(job, step, stream)
        yield from progress(
            job, at, seconds, "validation", "Validating", batches, "batch", clock, moving
        )
        at = to_the_microsecond(at + seconds)
        value = loss.validation(taught, step, stream)
        yield Validated(
            at=at,
            step=step,
            loss=value,
            perplexity=loss.perplexity(value),
            best=best(run, segment, step),
            tokens=objectives.held_out_tokens(job, step),
            seconds=seconds,
            accuracy=metrics.accuracy(taught, step),
            training_seconds=to_the_microsecond(at - clock),
            part=part,
        )
    if _evaluates(job, step) and not segment.final:
        yield from evaluation.evaluated(taught, at, step, clock)
    yield PhaseEnded(segment.ended, "validation", segment.ended - segment.began)
