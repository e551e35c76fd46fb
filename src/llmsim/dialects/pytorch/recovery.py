"""What the house says when a run breaks and goes on: last words, the next attempt, the resume."""

from collections.abc import Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.groups import Names
from llmsim.dialects.parts.last_words import Code, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.dialects.pytorch.log_lines import say, warn
from llmsim.job.records import Job
from llmsim.run import events, names
from llmsim.run.incident_kinds import kind_named
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.text.style import paint

_TRAIN = "/workspace/train.py"
_MAIN = Place(_TRAIN, 412, "<module>", "main()")
_LOOP = Place(_TRAIN, 371, "main", "train(config, model, optimizer, loader)")
CODE = Code(
    script="train.py",
    step=(_MAIN, _LOOP, Place(_TRAIN, 288, "train", "total += loss.detach().float().item()")),
    forward=(
        _MAIN,
        _LOOP,
        Place(_TRAIN, 271, "train", "loss = model(tokens, labels) / accumulation"),
        Place("/workspace/model.py", 187, "forward", "logits = self.head(self.norm(hidden))"),
    ),
    data=(_MAIN, _LOOP, Place(_TRAIN, 262, "train", "tokens, labels = next(batches)")),
    save=(
        _MAIN,
        _LOOP,
        Place(_TRAIN, 318, "train", "save_checkpoint(path, model, optimizer, step)"),
        Place("/workspace/checkpoint.py", 64, "save_checkpoint", "dcp.save(state, writer)"),
    ),
    start=(_MAIN, Place(_TRAIN, 344, "main", 'dist.init_process_group("nccl")')),
    groups=Names("mesh_shard", "mesh_replicate", "mesh_stage", "mesh_tensor"),
)

Lines = Iterator[Line | Bar]


def _symptom(event: events.Symptom, job: Job, screen: Screen) -> Lines:
    """The house's own handler of SIGTERM; everything else is torch's and the launcher's."""
    if event.name == "sigterm handled":
        text = f"SIGTERM: saving after step {event.step:,}, then out"
        yield warn(event, job, screen, (("warning", text),))
    elif event.name == "stopped in order":
        yield say(event, job, screen, (("", "Saved. Exiting with 0, as agreed."),))
    else:
        yield from _spoken(event, job, screen)


_spoken = spoken(CODE)


def _failed(event: events.Failed, job: Job, screen: Screen) -> Lines:
    """A dry line of its own, below all that the processes and the launcher have said."""
    if job.jokes:
        said = names.failed_line(job.seed, event.attempt, event.kind)
        yield Line(paint([("joke", said)], screen))


def _restarted(event: events.Restarted, job: Job, screen: Screen) -> Lines:
    why, place = f", after {event.kind} on {event.hostname}, rank {event.rank:,}", "its place"
    if kind_named(event.kind).consequence == "numbers":
        why = f", after {event.kind}: from a checkpoint before it, its batches left out"
        place = f"the place of {event.hostname}"
    if event.spare:
        why += f"; {event.spare} takes {place}"
    attempt = f"attempt {event.attempt:,} of {job.run_name}"
    yield warn(event, job, screen, (("warning", attempt),), (("muted", why),))


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    if not event.step:
        yield warn(event, job, screen, (("warning", "no checkpoint is whole: from the beginning"),))
        return
    lost = units.counted(event.lost, "step")
    yield say(
        event, job, screen,
        (("title", f"Resumed after step {event.step:,}"),),
        (("", f" from {event.path}"),),
        (("muted", f", {units.gigabytes(event.size)} in {units.seconds(event.seconds)}"),),
        (("muted", f", {lost} to run again"),) if job.attempt > 1 else (),
    )  # fmt: skip
    if job.jokes:
        yield Line(paint([("joke", names.resumed_line(job.seed, job.attempt))], screen))


LINES: dict[type, Render] = {
    events.Symptom: _symptom,
    events.Failed: _failed,
    events.Restarted: _restarted,
    events.Resumed: _resumed,
}
