"""The run in numbers, and the last line."""

from collections.abc import Iterator

from llmsim import events
from llmsim.dialects import units
from llmsim.dialects.line import Line
from llmsim.dialects.pytorch.say import say
from llmsim.job import Job
from llmsim.physics import noise
from llmsim.terminal.ink import Span, paint
from llmsim.terminal.screen import Screen

LAST_LINES = (
    "The model is done. Please do not ask it about last week.",
    "It has read more than you ever will and understood about as much.",
    "Now 0.3 points ahead of the baseline, within noise, in bold.",
    "Next: a blog post, a leaderboard, and a model that beats it by Thursday.",
    "The GPUs are cooling down. The electricity bill is not.",
    "Ready for deployment to a product that did not need it.",
    "Trained to predict the next word. The next word is: funding.",
    "Results will be reproduced as soon as somebody finds the config.",
    "The loss went down. This concludes the theory section.",
    "No validation data was memorized. It just looks very familiar.",
    "Safe, aligned and open, in the sense that the door was open.",
    "Achieved human-level performance at spending money.",
)


def _rows(event: events.Summary, job: Job) -> list[tuple[str, str, str]]:
    """(what, value, style) of each row."""
    rows = [
        ("model", f"{job.model.name}, {event.path}", "name"),
        ("cluster", f"{job.layout.gpus:,} x {job.gpu.name}", ""),
        ("steps", f"{event.steps:,}", "number"),
        ("tokens", f"{event.tokens:,} ({units.short(event.tokens)})", "number"),
        ("training time", units.hours(event.training_seconds), ""),
        ("wall clock", units.hours(event.seconds), ""),
        ("GPU-hours", f"{event.gpu_hours:,.1f}", ""),
        ("throughput", f"{event.tokens_per_second:,.0f} tokens/s", "throughput"),
        ("mean MFU", f"{event.mfu:.2%}", "mfu"),
        ("training loss", f"{event.first_loss:.4f} -> {event.final_loss:.4f}", "loss"),
        ("validation loss", _validation(event), "loss"),
        ("checkpoints", f"{event.checkpoints}", ""),
        ("exported", units.gigabytes(event.exported), ""),
    ]
    return rows


def _validation(event: events.Summary) -> str:
    final, best = round(event.final_validation, 4), round(event.best_validation, 4)
    return f"{final:.4f} (ppl {units.perplexity(final)}), best {best:.4f}"


def _summary(event: events.Summary, job: Job, screen: Screen) -> Iterator[Line]:
    yield say(event, job, screen, (("good", "Training complete"), ("", f": {job.run_name}")))
    rows = _rows(event, job)
    inner = min(screen.width - 2, max(len(value) for _, value, _ in rows) + 21)
    edge = ("muted", "+" + "-" * inner + "+")
    yield Line(paint((edge,), screen))
    for name, value, style in rows:
        room = max(0, inner - 19)
        row: tuple[Span, ...] = (
            ("muted", "| "),
            ("muted", f"{name:<16}"),
            (style, f" {value[:room]:<{room}} "),
            ("muted", "|"),
        )
        yield Line(paint(row, screen))
    yield Line(paint((edge,), screen))
    yield say(event, job, screen, (("joke", noise.pick(job.seed, "last line", LAST_LINES)),))
    yield Line(paint((("muted", "Same run again: "), ("title", job.command)), screen))


LINES = {events.Summary: _summary}
