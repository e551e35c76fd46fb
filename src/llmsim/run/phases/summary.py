"""The figures of a run at its end: after the export, or where Slurm's time limit has ended it."""

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics.learning import loss, metrics, objectives
from llmsim.physics.speed import step_time, throughput
from llmsim.run.events import CheckpointSaved, Failed, Summary, Symptom
from llmsim.run.goodput import goodput
from llmsim.run.phases import checkpoint
from llmsim.run.phases.validation import best, known_at
from llmsim.run.time_limit import KIND
from llmsim.run.timeline import Run, Segment, learner, training_began


def whole(run: Run, segment: Segment, exported: int, path: str) -> Summary:
    """The summary of a run that has done all its steps; `exported` bytes are in a folder."""
    steps = run.job.schedule.steps
    done = [*run.timeline]
    found = _figures(run, segment, steps, _checked(run, done))
    return found._replace(checkpoints=_saved(done), exported=exported, path=path)


def stopped(run: Run, number: int) -> Summary:
    """The summary of a run that its time limit has ended: up to the last step that was done.

    It exports nothing: what is left is the last checkpoint.
    """
    job, segment = run.job, run.timeline[number]
    done = [run.timeline[each] for each in range(number)]
    kept = next(each.kept for each in segment.events if isinstance(each, Failed))
    said = [event for each in (*done[-2:], segment) for event in each.events]
    timed_out = any(isinstance(each, Symptom) and each.name == "step time limit" for each in said)
    found = _figures(run, segment, segment.last, _checked(run, done))
    return found._replace(
        checkpoints=_saved([*done, segment]),
        path=checkpoint.path(job, kept) if kept else "",
        ended_by=KIND,
        state="TIMEOUT" if timed_out else "COMPLETED",
        kept=kept,
    )


def _checked(run: Run, segments: list[Segment]) -> tuple[int, ...]:
    """The steps after which a validation came to its result in some of the segments, in order.

    One that a fault has cut off is not made good by an attempt that begins after its step.
    """
    checked = {
        each.last
        for each in segments
        if each.kind == "validation" and not each.final and known_at(run.job, each) <= each.ended
    }
    return tuple(sorted(checked))


def _saved(segments: list[Segment]) -> int:
    """How many checkpoints some of the segments have saved, also where an attempt was asked to end
    and saved before it ended. A step that is saved again is the same checkpoint.
    """
    due = {each.last for each in segments if each.kind == "checkpoint" and not each.cut}
    ends = (event for each in segments if each.kind == "failure" for event in each.events)
    return len(due | {event.step for event in ends if isinstance(event, CheckpointSaved)})


def _perplexity(job: Job, final: float | None, step: int) -> float | None:
    """That of the last validation, where there was one and its loss is one of tokens."""
    counts = metrics.accuracy(job, step) is not None
    return None if final is None or counts else loss.perplexity(final)


def _figures(run: Run, segment: Segment, steps: int, checked: tuple[int, ...]) -> Summary:
    """The figures of a run whose last segment it is, after its last step and validations."""
    job, at, began = run.job, segment.ended, training_began(run)
    first = job.schedule.first_step
    tokens = objectives.tokens(job, first, steps)
    rate = tokens / step_time.seconds_until(job, steps)
    taught = learner(run, segment)
    final = loss.validation(taught, checked[-1]) if checked else None
    account = goodput(run)
    resumed = training_began(run, segment.attempt)
    return Summary(
        at=at,
        steps=steps,
        tokens=tokens,
        seconds=at,
        training_began=began,
        training_seconds=to_the_microsecond(segment.began - began),
        gpu_hours=at * job.layout.gpus / 3600,
        first_loss=loss.training(taught, first),
        final_loss=loss.training(taught, steps),
        best_validation=best(run, segment, checked[-1]) if checked else None,
        final_validation=final,
        perplexity=_perplexity(taught, final, steps),
        tokens_per_second=rate,
        mfu=throughput.mfu(job, rate),
        checkpoints=0,
        exported=0,
        path="",
        attempts=account.attempts,
        lost_seconds=account.lost,
        waiting_seconds=account.waiting,
        attempt_began=resumed,
        attempt_seconds=to_the_microsecond(segment.began - resumed),
    )
