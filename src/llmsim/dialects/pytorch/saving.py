"""Checkpoints, the export and the benchmarks."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.pytorch.log_lines import say
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

# Names of shards need this width; on a narrower screen only the bar shows them.
SHARD_WIDTH = 60


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", "Saving "), ("step", f"step {event.step:,}")),
        (("", f": {units.gigabytes(event.size)}"),),
        (("", f" in {units.counted(event.writers, 'shard')}"),),
        (("", " to "), ("name", event.path)),
    )  # fmt: skip


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"Staged step {event.step:,} in {units.seconds(event.seconds)}"),),
        (("muted", ", writing it in the background"),),
    )  # fmt: skip


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    rate = event.size / event.seconds
    yield say(
        event, job, screen,
        (("good", "Saved"), ("", " "), ("step", f"step {event.step:,}")),
        (("", f": {units.gigabytes(event.size)} in {units.seconds(event.seconds)}"),),
        (("throughput", f" ({units.gigabytes(rate)}/s)"),),
    )  # fmt: skip


def _checkpoint_deleted(event: events.CheckpointDeleted, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("muted", f"Deleted {event.path.rpartition('/')[2]}"),),
        (("muted", f", {units.gigabytes(event.size)} freed"),),
    )  # fmt: skip


def _export_started(event: events.ExportStarted, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("title", "Exporting"), ("", f" {units.gigabytes(event.size)}")),
        (("", " of bf16"),),
        (("", f" in {units.counted(event.shards, 'safetensors shard')}"),),
        (("", " to "), ("name", event.path)),
    )  # fmt: skip


def _consolidated(event: events.Consolidated, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"Consolidated {units.gigabytes(event.size)}"),),
        (("", f" on {hostname(job, 0)}"),),
        (("", f" in {units.seconds(event.seconds)}"),),
    )  # fmt: skip


def _shard_written(event: events.ShardWritten, job: Job, screen: Screen) -> Lines:
    if screen.width < SHARD_WIDTH:
        return
    yield say(
        event, job, screen,
        (("", "Wrote "), ("name", event.shard.name)),
        (("", f": {units.gigabytes(event.shard.size)}"),),
        (("muted", f" in {units.seconds(event.seconds)}"),),
    )  # fmt: skip


def _evaluated(event: events.Evaluated, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("title", "Evaluation"),),
        (("", f" of step {event.step:,}" if event.step < job.schedule.steps else ""),),
        (("", f" in {units.seconds(event.seconds)}"),),
    )  # fmt: skip
    names = max(len(score.name) for score in event.scores)
    for score in event.scores:
        digits = 2 if score.percent else 4
        yield say(
            event, job, screen,
            (("", f"  {score.name:<{names}}"), ("loss", f" {score.value:6.{digits}f}")),
            (("muted", f" +- {score.stderr:6.{digits}f}"),),
            (("muted", f"  {score.questions:>6,} questions"),),
            (("muted", f"  {score.metric}"),),
        )  # fmt: skip


LINES: dict[type, Render] = {
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
    events.CheckpointDeleted: _checkpoint_deleted,
    events.ExportStarted: _export_started,
    events.Consolidated: _consolidated,
    events.ShardWritten: _shard_written,
    events.Evaluated: _evaluated,
}
