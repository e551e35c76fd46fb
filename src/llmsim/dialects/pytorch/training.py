"""Epochs, steps, validations: the lines that a run is mostly made of."""

from collections.abc import Iterator

from llmsim import events
from llmsim.dialects import units
from llmsim.dialects.fit import Clause, fitting
from llmsim.dialects.line import Bar, Line
from llmsim.dialects.pytorch.grid import grid
from llmsim.dialects.pytorch.say import prefix, say, warn
from llmsim.job import Job, batch_tokens
from llmsim.physics import compute
from llmsim.terminal.bar import meter
from llmsim.terminal.ink import length, paint
from llmsim.terminal.screen import Screen

Lines = Iterator[Line | Bar]

# The fields of a step's line by importance; they are shown in the order of _fields.
IMPORTANCE = (
    "step", "loss", "throughput", "rate", "perplexity", "gradient", "mfu", "memory", "pace",
    "remaining", "epoch", "samples",
)  # fmt: skip

SLOW_REASONS = {
    "straggler": "is a straggler today",
    "data stall": "waited for the data loader",
    "gc": "collected garbage",
}


def _fields(event: events.Step, job: Job) -> dict[str, Clause]:
    """Every field of a step's line, in the order of the line.

    Numbers are padded to the widest that the run will show, so that columns stand still.
    """
    steps = f"{job.schedule.steps:,}"
    tokens = len(f"{batch_tokens(job) / compute.step_seconds(job) * 1.1:,.0f}")
    shown = round(event.loss, 4)
    return {
        "step": (("step", f"step {event.step:>{len(steps)},}/{steps}"),),
        "epoch": (("muted", f"ep {event.epoch}/{job.schedule.epochs}"),),
        "loss": (("loss", f"loss {shown:7.4f}"),),
        "perplexity": (("perplexity", f"ppl {units.perplexity(shown):>7}"),),
        "gradient": (("gradient", f"gnorm {units.at_most_five(event.gradient_norm)}"),),
        "rate": (("rate", f"lr {event.learning_rate:.2e}"),),
        "throughput": (("throughput", f"{event.tokens_per_second:>{tokens},.0f} tok/s"),),
        "samples": (("throughput", f"{event.samples_per_second:{tokens - 2}.1f} samples/s"),),
        "pace": (("muted", f"{units.at_most_five(event.step_seconds)} s/step"),),
        "memory": (
            ("memory", f"mem {units.gib(event.reserved)} {event.reserved / event.capacity:3.0%}"),
        ),
        "mfu": (("mfu", f"mfu {event.mfu:6.2%}"),),
        "remaining": (("muted", f"eta {units.hours(event.remaining):>8}"),),
    }


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    start = prefix(event.at, job, screen.width)
    fields = _fields(event, job)
    room = screen.width - length(start)
    kept = fitting([fields[name] for name in IMPORTANCE], room, between=2)
    spans = [*start]
    for clause in fields.values():
        if clause in kept:
            spans += [("", "  "), *clause] if len(spans) > len(start) else clause
    yield Line(paint(spans, screen))


def _collectives(event: events.Collectives, job: Job, screen: Screen) -> Lines:
    for transfer in event.transfers:
        yield say(
            event, job, screen,
            (("muted", f"  {transfer.operation:<14}"),
             ("throughput", f" {units.microseconds(transfer.seconds):>8}")),
            (("muted", f" {transfer.purpose:<18}"),),
            (("muted", f" {transfer.calls} x {units.gigabytes(transfer.size)}"),),
            (("muted", f", bus {transfer.bus_gb_s:.0f} GB/s"),),
            (("muted", f", exposed {units.microseconds(transfer.exposed)}"),),
        )  # fmt: skip


def _slowed(event: events.Slowed, job: Job, screen: Screen) -> Lines:
    yield warn(
        event, job, screen,
        (("warning", f"rank {event.rank:,} on {event.hostname}"),
         ("warning", f" {SLOW_REASONS.get(event.kind, event.kind)}")),
        (("warning", f": +{units.seconds(event.seconds)}"),),
        (("muted", f" in the interval to step {event.step:,}"),),
    )  # fmt: skip


def _epoch_started(event: events.EpochStarted, job: Job, screen: Screen) -> Lines:
    yield say(event, job, screen, (("title", f"Epoch {event.epoch}/{job.schedule.epochs}"),))


def _epoch_ended(event: events.EpochEnded, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("title", f"Epoch {event.epoch}/{job.schedule.epochs} done"),),
        (("", " in "), ("number", units.hours(event.seconds))),
        (("", ", last loss "), ("loss", f"{event.loss:.4f}")),
    )  # fmt: skip


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """A tqdm bar. One cell is left free, so that no terminal wraps it; in a pipe it is ten wide."""
    text = meter(
        event.done, event.total, event.elapsed, screen.width - 1 if screen.live else None,
        event.label, event.unit,
        scale=event.unit == "B", note=event.note, unicode=screen.unicode,
    )  # fmt: skip
    yield Bar(text[: screen.width], event.task, event.done / event.total)


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    shown = round(event.loss, 4)
    best: Clause = (("good", " (best)"),) if event.loss <= event.best else (("", ""),)
    yield say(
        event, job, screen,
        (("title", "validation"), ("", f" at {event.step:,}: "), ("loss", f"loss {shown:.4f}"),
         ("perplexity", f"  ppl {units.perplexity(shown)}")),
        best,
        (("muted", f"  {units.short(event.tokens)} tokens in {units.seconds(event.seconds)}"),),
    )  # fmt: skip


def _status(event: events.Status, job: Job, screen: Screen) -> Lines:
    for spans in grid(event, job, screen):
        yield Line(paint(spans, screen))


LINES = {
    events.EpochStarted: _epoch_started,
    events.Progress: _progress,
    events.Step: _step,
    events.Collectives: _collectives,
    events.Slowed: _slowed,
    events.Status: _status,
    events.Validated: _validated,
    events.EpochEnded: _epoch_ended,
}
