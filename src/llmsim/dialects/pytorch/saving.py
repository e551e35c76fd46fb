"""Checkpoints and the export."""

from collections.abc import Iterator

from llmsim import events
from llmsim.dialects import units
from llmsim.dialects.line import Line
from llmsim.dialects.pytorch.say import say
from llmsim.job import Job
from llmsim.terminal.screen import Screen

Lines = Iterator[Line]


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", "Saving checkpoint "), ("name", event.path)),
        (("", f", {units.gigabytes(event.size)}"),),
        (("", f" in {event.writers:,} shards"),),
    )  # fmt: skip


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    rate = event.size / event.seconds
    yield say(
        event, job, screen,
        (("good", "Saved "), ("", f"step {event.step:,}"),
         ("", f", {units.gigabytes(event.size)} in {units.seconds(event.seconds)}")),
        (("throughput", f" ({units.gigabytes(rate)}/s)"),),
    )  # fmt: skip


def _checkpoint_deleted(event: events.CheckpointDeleted, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("muted", f"Deleted {event.path}"),),
        (("muted", f", {units.gigabytes(event.size)} freed"),),
    )  # fmt: skip


def _export_started(event: events.ExportStarted, job: Job, screen: Screen) -> Lines:
    count = f"{event.shards:,} safetensors shard{'s' * (event.shards > 1)}"
    yield say(
        event, job, screen,
        (("title", "Exporting"), ("", " to "), ("name", event.path)),
        (("", f": {units.gigabytes(event.size)} of bf16"),),
        (("", f" in {count}"),),
    )  # fmt: skip


def _consolidated(event: events.Consolidated, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"Consolidated {units.gigabytes(event.size)} on rank 0"),),
        (("", f" in {units.seconds(event.seconds)}"),),
    )  # fmt: skip


def _shard_written(event: events.ShardWritten, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", "wrote "), ("name", event.shard.name)),
        (("", f", {units.gigabytes(event.shard.size)}"),),
        (("muted", f" in {units.seconds(event.seconds)}"),),
    )  # fmt: skip


LINES = {
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
    events.CheckpointDeleted: _checkpoint_deleted,
    events.ExportStarted: _export_started,
    events.Consolidated: _consolidated,
    events.ShardWritten: _shard_written,
}
