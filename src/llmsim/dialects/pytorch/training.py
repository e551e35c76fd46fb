"""The lines of epochs, steps and validations."""

from collections.abc import Iterable, Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.pytorch.grid import grid
from llmsim.dialects.pytorch.log_lines import alone, prefix, say, stamped, warn
from llmsim.job.memo import remembered
from llmsim.job.milestones import validated_steps
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.hardware.memory import capacity
from llmsim.physics.learning import objectives
from llmsim.physics.learning.metrics import headlines
from llmsim.physics.speed import step_time
from llmsim.run import events, names
from llmsim.text import units
from llmsim.text.fitting import Clause, fitting
from llmsim.text.progress_bar import meter
from llmsim.text.screen import Screen
from llmsim.text.style import Span, length, paint, paint_whole

Lines = Iterator[Line | Bar]

_GAP: Span = ("", "  ")

# Cells of a bar's label where its own is too long.
LABEL = 13

# The fields of a step's line by importance.
IMPORTANCE = (
    "step", "loss", "throughput", "rate", "perplexity", "gradient", "mfu", "memory", "pace",
    "remaining", "epoch", "samples",
)  # fmt: skip

# The same in the order of the line, with the roles of their spans. What the objective measures
# beside the loss stands in the place of the perplexity.
FIELDS = {
    "step": ("step",),
    "epoch": ("muted",),
    "loss": ("loss",),
    "perplexity": ("perplexity",),
    "gradient": ("gradient",),
    "rate": ("rate",),
    "throughput": ("throughput",),
    "samples": ("throughput",),
    "pace": ("muted",),
    "memory": ("memory", "memory"),
    "mfu": ("mfu",),
    "remaining": ("muted",),
}

# Names in the step's line for the metrics of preference tuning and reinforcement learning.
METRICS = {
    "rewards/margins": "margin {:6.3f}",
    "rewards/accuracies": "acc {:.3f}",
    "reward": "reward {:.3f}",
    "completions/mean_length": "len {:6.1f}",
}

SLOW_REASONS = {
    "data stall": "waited for the data loader",
    "network retry": "retransmitted on its NIC",
}

# The narrowest screen that has room for a sentence.
SENTENCE_WIDTH = 60


@remembered()
def _formats(job: Job) -> tuple[str, str, str, str, str, str, bool]:
    """The formats of a step's number, its epoch, tokens per second and samples per second; all
    steps and all epochs in full; whether the objective measures something beside the loss.

    Numbers are padded to the widest that the run will show, so that columns stand still.
    """
    steps, epochs = f"{job.schedule.steps:,}", f"{job.schedule.epochs}"
    tokens = len(f"{batch_tokens(job) / step_time.step_seconds(job) * 1.1:,.0f}")
    samples = tokens - 1 if job.recipe.generates else tokens - 2  # answers are not full
    rates = f">{tokens},.0f", f"%{samples}.1f seq/s"
    measures = bool(objectives.of(job).headlines)
    return f">{len(steps)},", f">{len(epochs)}", *rates, steps, epochs, measures


def _texts(event: events.Step, job: Job) -> tuple[str, ...]:
    """The texts of the line's spans, in the order of FIELDS."""
    step, epoch, tokens, samples, steps, epochs, measures = _formats(job)
    loss = "%7.4f" % event.loss  # noqa: UP031  # in half of an f-string's time
    return (
        f"step {event.step:{step}}/{steps}",
        f"ep {event.epoch:{epoch}}/{epochs}",
        f"loss {loss}",
        # exp of a preference loss or a KL penalty is no perplexity.
        _measured(event, job) if measures else f"ppl {units.perplexity(float(loss)):>7}",
        f"gnorm {units.at_most_five(event.gradient_norm)}{_scale(event, job)}",
        f"lr {event.learning_rate:.2e}",
        f"{event.tokens_per_second:{tokens}} tok/s",
        samples % event.samples_per_second,
        f"{units.at_most_five(event.step_seconds)} s/step",
        *_held(job, event.reserved),
        "mfu %5.2f%%" % (100.0 * event.mfu),
        f"eta {units.hours(event.remaining):>8}",
    )


def _measured(event: events.Step, job: Job) -> str:
    """The text of what the objective measures beside the loss."""
    found = headlines(job, event.step)
    return "  ".join([METRICS[name].format(value) for name, value in found])


@remembered(2)
def _held(job: Job, reserved: int) -> tuple[str, str]:
    """The texts of the memory, which is the same from the second step on: bytes that are held, and
    their share.
    """
    most = capacity(job.gpu)
    return f"mem {units.gib(reserved):>{len(units.gib(most))}}", f" {reserved / most:3.0%}"


def _scale(event: events.Step, job: Job) -> str:
    """fp16's loss scale in this step, as wide as the largest of the run; "" in other precisions."""
    if job.layout.precision != "fp16":
        return ""
    from llmsim.physics.learning import loss_scale  # few runs are in fp16

    return f"  scale {2.0 ** loss_scale.scaled(job, event.step).exponent:>7,.0f}"


def _fields(texts: Iterable[str]) -> dict[str, Clause]:
    """The fields of a step's line with these texts, by name, in the order of the line."""
    coming = iter(texts)
    return {name: tuple((role, next(coming)) for role in roles) for name, roles in FIELDS.items()}


def _template(job: Job, names: Iterable[str], screen: Screen) -> tuple[str, int]:
    """The line with these fields: a %s for the time stamp, if the screen has room for it, and for
    each text; and how many of its characters take no cell.
    """
    stamp = [(role, text if place else "%s") for place, (role, text) in enumerate(
        prefix(0.0, job, screen.width)
    )]  # fmt: skip
    clauses = [tuple((role, "%s") for role in FIELDS[name]) for name in names]
    spans = [*stamp, *_apart(clauses)]
    template = paint_whole(spans, screen)
    return template, len(template) - length(spans)


@remembered(8)
def _whole(job: Job, screen: Screen) -> tuple[str, int]:
    """The same with all fields."""
    return _template(job, FIELDS, screen)


@remembered(8)
def _shown(job: Job, sizes: tuple[int, ...], screen: Screen) -> tuple[str, tuple[int, ...]]:
    """The line with the fields for which the screen has room, if the texts have these sizes, and
    the places of their texts; none where the step's own text has to be shortened. Columns stand
    still: sizes rarely change.
    """
    fields = _fields(str(place).ljust(size) for place, size in enumerate(sizes))
    whole = fields["step"]
    kept = [*_kept(fields, _room(job, screen))]
    if fields["step"] is not whole:
        return "", ()
    names = [name for name, clause in fields.items() if clause in kept]
    places = [int(text) for name in names for _, text in fields[name]]
    return _template(job, names, screen)[0], tuple(places)


def _room(job: Job, screen: Screen) -> int:
    """The cells after the time stamp and the level."""
    return screen.width - length(prefix(0.0, job, screen.width))


def _step(event: events.Step, job: Job, screen: Screen) -> list[Line]:
    start, texts = stamped(event.at, job, screen.width), _texts(event, job)
    stamp = (start,) if start else ()
    template, codes = _whole(job, screen)
    line = template % (*stamp, *texts)
    if len(line) - codes <= screen.width:
        return [Line(line)]
    template, places = _shown(job, tuple(map(len, texts)), screen)
    if places:
        return [Line(template % (*stamp, *[texts[place] for place in places]))]
    clauses = _kept(_fields(texts), _room(job, screen))
    return [Line(paint([*prefix(event.at, job, screen.width), *_apart(clauses)], screen))]


def _apart(clauses: Iterable[Clause]) -> list[Span]:
    """The spans of the clauses, two cells apart."""
    spans: list[Span] = []
    for clause in clauses:
        spans.append(_GAP)
        spans += clause
    return spans[1:]


def _kept(fields: dict[str, Clause], room: int) -> Iterator[Clause]:
    """The fields of a step's line that fit into the room, in the order of the line."""
    free = room - 2 - length(fields["loss"])
    if length(fields["step"]) > free:
        number = fields["step"][0][1].removeprefix("step ").partition("/")[0]
        fields["step"] = (("step", number if len(number) <= free else number.replace(",", "")),)
    kept = fitting([fields[name] for name in IMPORTANCE], room, between=2)
    return (clause for clause in fields.values() if clause in kept)


def _collectives(event: events.Collectives, job: Job, screen: Screen) -> Lines:
    if screen.width < SENTENCE_WIDTH:
        return
    for transfer in event.transfers:
        yield say(
            event, job, screen,
            (("muted", f"  {transfer.operation:<14}"),
             ("throughput", f" {units.microseconds(transfer.seconds):>7}")),
            (("muted", f" {transfer.purpose}"),),
            (("muted", " " * (18 - len(transfer.purpose))),
             ("muted", f" {transfer.calls} x {units.gigabytes(transfer.size)}")),
            (("muted", f", bus {transfer.bus_gb_s:.0f} GB/s"),),
            (("muted", f", exposed {units.microseconds(transfer.exposed)}"),),
        )  # fmt: skip


def _slowed(event: events.Slowed, job: Job, screen: Screen) -> Lines:
    who = "the node" if alone(job) else f"rank {event.rank:,}"
    if screen.width < SENTENCE_WIDTH:
        yield warn(
            event, job, screen,
            (("warning", f"{who}: {event.kind}"),),
            (("warning", f" +{units.seconds(event.seconds)}"),),
        )  # fmt: skip
        return
    what = (
        f"is {event.part:.1%} slower than the others since step {event.step:,}"
        if event.kind == "straggler"
        else f"{SLOW_REASONS[event.kind]} at step {event.step:,}: +{units.seconds(event.seconds)}"
    )
    yield warn(
        event, job, screen,
        (("warning", f"{who} {what}"),),
        (("muted", f", on {event.hostname}"),),
    )  # fmt: skip


def _step_skipped(event: events.StepSkipped, job: Job, screen: Screen) -> Lines:
    halved = f", now {event.scale_after:,.0f}" if event.scale_after < event.scale else ""
    yield warn(
        event, job, screen,
        (("warning", f"step {event.step:,} skipped"),),
        (("warning", f": gradients overflow at loss scale {event.scale:,.0f}{halved}"),),
    )  # fmt: skip


def _recovered(event: events.Recovered, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"rank {event.rank:,} is up to speed again"),),
        (("muted", f", {units.seconds(event.seconds)} lost in {event.steps:,} steps"),),
    )  # fmt: skip


def _batch_grew(event: events.BatchGrew, job: Job, screen: Screen) -> Lines:
    tokens = event.after * job.schedule.sequence
    yield say(
        event, job, screen,
        (("title", f"Batch grows from {event.before:,} to {event.after:,} sequences"),),
        (("", f", {units.short(tokens)} tokens"),),
        (("muted", f", {event.accumulation} accumulated"),),
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
    yield Bar(lambda: _bar(event, screen), event.task, event.done / event.total)


def _bar(event: events.Progress, screen: Screen) -> str:
    """A tqdm bar; in a pipe it is ten wide. One cell is left free, so that no terminal wraps it."""
    width, label = screen.width - 1, event.label
    text = _meter(event, label, None, screen)
    if len(text) > width:
        label = label[:LABEL].rstrip()
        text = _meter(event, label, None, screen)
    if len(text) > width:  # the bar itself would be cut: only its number is left
        return f"{label}: {event.done / event.total * 100:3.0f}%"
    return _meter(event, label, width, screen) if screen.live else text


def _meter(event: events.Progress, label: str, width: int | None, screen: Screen) -> str:
    return meter(
        event.done, event.total, event.elapsed, width, label, event.unit,
        scale=event.unit == "B", note=event.note, unicode=screen.unicode,
        initial=event.initial,
    )  # fmt: skip


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    shown = round(event.loss, 4)
    second = (
        f"  ppl {units.perplexity(shown)}"
        if event.accuracy is None
        else f"  {'solved' if job.recipe.generates else 'accuracy'} {event.accuracy:.3f}"
    )
    wide = screen.width >= SENTENCE_WIDTH
    yield say(
        event, job, screen,
        (("title", "validation" if wide else "val"),
         ("", f" at {event.step:,}: " if wide else " "), ("loss", f"loss {shown:.4f}")),
        (("perplexity", second),),
        (("good", " (best)" if event.loss <= event.best and not job.recipe.generates else ""),),
        (("muted", f"  {units.short(event.tokens)} tokens in {units.seconds(event.seconds)}"),),
    )  # fmt: skip
    if wide and job.jokes:
        said = names.sample(job.seed, validated_steps(job).index(event.step), event.loss)
        yield say(event, job, screen, (("muted", "  says: "), ("joke", said)))


def _status(event: events.Status, job: Job, screen: Screen) -> Lines:
    for spans in grid(event, job, screen):
        yield Line(paint(spans, screen))


LINES: dict[type, Render] = {
    events.EpochStarted: _epoch_started,
    events.Progress: _progress,
    events.Step: _step,
    events.StepSkipped: _step_skipped,
    events.Collectives: _collectives,
    events.Slowed: _slowed,
    events.Recovered: _recovered,
    events.BatchGrew: _batch_grew,
    events.Status: _status,
    events.Validated: _validated,
    events.EpochEnded: _epoch_ended,
}
