"""The export: from the last checkpoint to files for other programs."""

from collections.abc import Iterator
from math import fsum

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.run.events import (
    Consolidated,
    Event,
    Exported,
    ExportStarted,
    PhaseEnded,
    PhaseStarted,
    Progress,
    ShardWritten,
)
from llmsim.run.phases import evaluation
from llmsim.run.phases.status import status
from llmsim.run.phases.summary import whole
from llmsim.run.phases.timing import progress, sampled_seconds
from llmsim.run.timeline import Run, Segment, training_began

# Up to this number each shard has an event; more of them have the progress bar alone.
LISTED_SHARDS = 8
WRITING_REPORTS = 5  # progress events for each shard


def seconds(job: Job) -> float:
    """Seconds from the end of the training to the summary."""
    writing = fsum(
        storage.write_seconds(job, shard.size, index)
        for index, shard in enumerate(storage.export_shards(job))
    )
    benchmarks = evaluation.seconds(job, job.schedule.steps)
    summing = sampled_seconds(job, "summary", 0.5)
    return to_the_microsecond(storage.consolidate_seconds(job) + writing + benchmarks + summing)


def export(run: Run, number: int) -> Iterator[Event]:
    """The events of an export: consolidation, safetensors files, benchmarks, summary."""
    segment = run.timeline[number]
    yield PhaseStarted(segment.began, "export", segment.ended - segment.began)
    yield from _files(run, segment)
    yield PhaseEnded(segment.ended, "export", segment.ended - segment.began)


def path(job: Job) -> str:
    """The folder of the exported model."""
    return f"exports/{job.model.name}"


def _files(run: Run, segment: Segment) -> Iterator[Event]:
    job, at = run.job, segment.began
    shards = storage.export_shards(job)
    size = sum(shard.size for shard in shards)
    yield ExportStarted(at, path(job), size, len(shards))
    seconds = storage.consolidate_seconds(job)
    yield from progress(job, at, seconds, "consolidate", "Consolidating", size, "B")
    at = to_the_microsecond(at + seconds)
    yield Consolidated(at, size, seconds)
    begun, written = at, 0
    for index, shard in enumerate(shards):
        seconds = storage.write_seconds(job, shard.size, index)
        for part in range(1, WRITING_REPORTS + 1):
            done = written + shard.size * part // WRITING_REPORTS
            now = to_the_microsecond(at + seconds * part / WRITING_REPORTS)
            yield Progress(
                now,
                "export",
                "Writing model shards",
                done,
                size,
                "B",
                to_the_microsecond(now - begun),
            )
        at = to_the_microsecond(at + seconds)
        written += shard.size
        if len(shards) <= LISTED_SHARDS:
            yield ShardWritten(at, shard, seconds)
    trained = to_the_microsecond(segment.began - training_began(run, segment.attempt))
    yield Exported(at, path(job), size, len(shards), at - segment.began, trained)
    yield status(run, at, "after training")
    yield from evaluation.evaluated(job, at, job.schedule.steps)
    yield whole(run, segment, size, path(job))
