"""From the last checkpoint to files that the world can load, and the run in numbers."""

from llmsim.job.milestones import checkpoints, validated_steps
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.physics.learning import loss, metrics
from llmsim.physics.speed import step_time, throughput
from llmsim.run.events import Consolidated, Exported, ExportStarted, Progress, ShardWritten, Summary
from llmsim.run.phases.evaluation import evaluated
from llmsim.run.phases.status import status
from llmsim.run.phases.timing import Phase, announced, took, watched
from llmsim.run.phases.training import Trained

# Shards are told one by one up to this number; of more, the bar tells.
TOLD_SHARDS = 8
WRITING_REPORTS = 5  # of each shard's progress


def export(job: Job, trained: Trained) -> Phase:
    """Consolidates, writes safetensors and sums up."""
    return (yield from announced("export", trained.at, _files(job, trained)))


def path(job: Job) -> str:
    """The folder of the exported model."""
    return f"exports/{job.model.name}"


def _files(job: Job, trained: Trained) -> Phase:
    at = trained.at
    shards = storage.export_shards(job)
    size = sum(shard.size for shard in shards)
    yield ExportStarted(at, path(job), size, len(shards))
    seconds = storage.consolidate_seconds(job)
    yield from watched(job, at, seconds, "consolidate", "Consolidating", size, "B")
    at += seconds
    yield Consolidated(at, size, seconds)
    begun, written = at, 0
    for index, shard in enumerate(shards):
        seconds = storage.write_seconds(job, shard.size, index)
        for part in range(1, WRITING_REPORTS + 1):
            done = written + shard.size * part // WRITING_REPORTS
            now = at + seconds * part / WRITING_REPORTS
            yield Progress(
                now, "export", "Writing model shards", done, size, "B", round(now - begun, 6)
            )
        at += seconds
        written += shard.size
        if len(shards) <= TOLD_SHARDS:
            yield ShardWritten(at, shard, seconds)
    trained_seconds = round(trained.at - trained.began, 6)
    yield Exported(at, path(job), size, len(shards), at - trained.at, trained_seconds)
    yield status(job, at, "export", trained.at, "training", "after training")
    at = yield from evaluated(job, at, job.schedule.steps)
    at += took(job, "summary", 0.5)
    yield _summary(job, at, trained, size)
    return at


def _summary(job: Job, at: float, trained: Trained, exported: int) -> Summary:
    steps = job.schedule.steps
    tokens = step_time.tokens(job, 1, steps)
    rate = tokens / trained.in_steps
    final = loss.validation(job, validated_steps(job)[-1])
    return Summary(
        at=at,
        steps=steps,
        tokens=tokens,
        seconds=at,
        training_began=trained.began,
        training_seconds=round(trained.at - trained.began, 6),
        gpu_hours=at * job.layout.gpus / 3600,
        first_loss=loss.training(job, 1),
        final_loss=loss.training(job, steps),
        best_validation=trained.best,
        final_validation=final,
        perplexity=None if metrics.accuracy(job, steps) is not None else loss.perplexity(final),
        tokens_per_second=rate,
        mfu=throughput.mfu(job, rate),
        checkpoints=checkpoints(job),
        exported=exported,
        path=path(job),
    )
