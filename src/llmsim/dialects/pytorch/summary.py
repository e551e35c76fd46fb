"""The summary of the run, and the last line."""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts import slurm
from llmsim.dialects.pytorch.log_lines import say
from llmsim.job.records import Job
from llmsim.job.schedule import whole_run
from llmsim.run import events, names
from llmsim.text import units
from llmsim.text.fitting import take_prefix
from llmsim.text.screen import Screen
from llmsim.text.style import Span, clipped, length, paint
from llmsim.text.wording import wrapped

# A row: its name, the style of its value, and the value in clauses.
Row = tuple[str, str, tuple[str, ...]]

# Below this width a value stands below its name, without a box.
BOX_WIDTH = 44
_NAMES = 15  # cells of the longest name


def _rows(event: events.Summary, job: Job) -> list[Row]:
    return [
        ("model", "name", (job.model.name, "" if event.ended_by else f", {event.path}")),
        ("cluster", "", (f"{job.layout.gpus:,} x {job.gpu.name}",)),
        ("steps", "number", _steps(event, job)),
        ("tokens", "number", (f"{event.tokens:,}", f" ({units.short(event.tokens)})")),
        ("training time", "", _training_time(event)),
        ("wall clock", "", (units.hours(event.seconds),)),
        *_limit(event, job),
        *_attempts(event),
        ("GPU-hours", "", (f"{event.gpu_hours:,.1f}",)),
        ("throughput", "throughput", (f"{event.tokens_per_second:,.0f} tokens/s", " in steps")),
        ("mean MFU", "mfu", (f"{event.mfu:.2%}",)),
        ("training loss", "loss", (f"{event.first_loss:.4f} -> {event.final_loss:.4f}",)),
        ("validation loss", "loss", _validation(event, job)),
        ("checkpoints", "", (f"{event.checkpoints}",)),
        _left(event),
    ]


def _training_time(event: events.Summary) -> tuple[str, ...]:
    """The time from the first step to the last, and the part of it that was spent in steps. The
    rest is validations and saves, and what failures cost. The throughput is of the part in steps.
    """
    in_steps = event.tokens / event.tokens_per_second if event.tokens else 0.0
    return units.hours(event.training_seconds), f", {units.hours(in_steps)} of it in steps"


def _limit(event: events.Summary, job: Job) -> Iterator[Row]:
    """Slurm's time limit, and the state in which sacct shows the job, where that ended the run."""
    if event.ended_by:
        limit = slurm.hours(job.schedule.time_limit)
        yield "time limit", "", (limit, f", state {event.state}")


def _left(event: events.Summary) -> Row:
    """What the run leaves: an exported model, or a checkpoint where its time was over."""
    if not event.ended_by:
        return "exported", "", (units.gigabytes(event.exported),)
    if not event.kept:
        return "goes on from", "", ("the beginning", ", no checkpoint is whole")
    return "goes on from", "", (f"step {event.kept:,}", f", {event.path}")


def _ended(event: events.Summary, job: Job) -> str:
    """That the training is complete, or that its time in the queue is over before it is."""
    steps, whole = event.steps, whole_run(job.schedule)
    if event.ended_by:
        return f"Ended by Slurm's time limit, after step {steps:,} of {whole:,}"
    return f"Stopped after step {steps:,} of {whole:,}" if whole > steps else "Training complete"


def _steps(event: events.Summary, job: Job) -> tuple[str, ...]:
    """The steps of the run, or the first and the last one of a part, and what it is a part of."""
    first, whole = job.schedule.first_step, whole_run(job.schedule)
    own = f"{first:,} to {event.steps:,}" if first > 1 else f"{event.steps:,}"
    return (own, f" of {whole:,}") if whole > event.steps else (own,)


def _attempts(event: events.Summary) -> Iterator[Row]:
    """How many launches a run took that broke, and what was useful of its time."""
    if event.attempts > 1:
        useful = event.seconds - event.lost_seconds - event.waiting_seconds
        lost, waiting = units.hours(event.lost_seconds), units.hours(event.waiting_seconds)
        yield "attempts", "", (f"{event.attempts}", f", {lost} lost, {waiting} waiting")
        yield "goodput", "number", (f"{useful / event.seconds:.1%}",)


def _validation(event: events.Summary, job: Job) -> tuple[str, ...]:
    if event.final_validation is None or event.best_validation is None:
        return ("none",)
    final, best = round(event.final_validation, 4), round(event.best_validation, 4)
    perplexity = f" (ppl {units.perplexity(final)})" if event.perplexity else ""
    # In reinforcement learning the loss is a distance, and a lower one is not better.
    return f"{final:.4f}", perplexity, "" if job.recipe.generates else f", best {best:.4f}"


def _value(row: Row, room: int, screen: Screen) -> list[Span]:
    """The clauses of a row's value that fit the room, padded to it."""
    _, style, clauses = row
    kept = take_prefix([((style, clause),) for clause in clauses], room)
    kept = [*clipped(kept, room, "…" if screen.unicode else ">")]
    return [*kept, ("", " " * (room - length(kept)))]


def _boxed(rows: list[Row], screen: Screen) -> Iterator[list[Span]]:
    longest = max(sum(map(len, clauses)) for _, _, clauses in rows)
    room = min(longest, screen.width - _NAMES - 5)
    edge: list[Span] = [("muted", "+" + "-" * (_NAMES + room + 3) + "+")]
    yield edge
    for row in rows:
        yield [("muted", f"| {row[0]:<{_NAMES}} "), *_value(row, room, screen), ("muted", " |")]
    yield edge


def _listed(rows: list[Row], screen: Screen) -> Iterator[list[Span]]:
    for row in rows:
        yield [("muted", row[0])]
        yield [("", "  "), *_value(row, screen.width - 2, screen)[:-1]]


def _summary(event: events.Summary, job: Job, screen: Screen) -> Iterator[Line]:
    style = "warning" if event.ended_by else "good"
    yield say(event, job, screen, ((style, _ended(event, job)),), (("", f": {job.run_name}"),))
    shown = _boxed if screen.width >= BOX_WIDTH else _listed
    for spans in shown(_rows(event, job), screen):
        yield Line(paint(spans, screen))
    for text in wrapped(names.last_line(job).split(), screen.width):
        yield Line(paint((("joke", text),), screen), farewell=True)
    yield from _again(job, screen)


def _again(job: Job, screen: Screen) -> Iterator[Line]:
    """The command that plays this run again, never cut, so that it can be copied.

    A fleet that keeps answers apart from evidence leaves it out.
    """
    if not job.command:
        return
    program, *flags = job.command.split(" --")
    words = [program, *(f"--{flag}" for flag in flags)]
    label = "Same run again: "
    if len(label) + len(job.command) <= screen.width:
        yield Line(paint((("muted", label), ("title", job.command)), screen), farewell=True)
        return
    yield Line(paint((("muted", label.strip()),), screen), farewell=True)
    for text in wrapped(words, screen.width, " \\"):
        yield Line(paint((("title", text),), screen), farewell=True)


LINES: dict[type, Render] = {events.Summary: _summary}
