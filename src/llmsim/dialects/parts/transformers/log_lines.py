"""Lines of Hugging Face's Trainer and its library's logger (5.23.0 and 4.57.1)."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from llmsim.dialects.line import Line
from llmsim.dialects.parts.transformers.bars import Lines, redrawn, training_bar
from llmsim.dialects.parts.transformers.releases import is_fourth, place
from llmsim.dialects.parts.transformers.values import (
    Values,
    evaluation_values,
    examples,
    held,
    step_values,
    train_values,
)
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.text import units
from llmsim.text.screen import Screen


def info(job: Job, at: float, name: str, *message: str, level: str = "INFO") -> Iterator[Line]:
    """A library logger's message: [INFO|trainer.py:1618] 2026-11-22 17:27:21,235 >> text.

    `name` is that of its place in releases.py. A message of several lines has its prefix once.
    """
    prefix = f"[{level}|{place(job, name)}] {units.asctime(job.start, at)} >> "
    first, *rest = message
    yield Line(prefix + first)
    for text in rest:
        yield Line(text)


def logging_flags(job: Job) -> str:
    """The command line's flags for logging: at step 1 and at the end of each interval."""
    return f"--logging_first_step --logging_steps {job.schedule.log_every}"


def data_flags(job: Job) -> str:
    """The command line's flags for the amount of training: samples of text, or steps over rows."""
    if job.dataset.rows:
        return f"--max_steps {job.schedule.steps}"
    return f"--max_train_samples {examples(job)} --num_train_epochs {job.schedule.epochs}"


def switch_flags(job: Job) -> str:
    """The command line's flags for what differs from an eager model with its usual attention."""
    engine = job.layout.engine
    flags = {
        " --dtype bfloat16": job.layout.bf16_states,
        " --torch_compile": engine.compiled,
        " --use_liger_kernel": engine.fused_loss,
        " --attn_implementation eager": not engine.flash,
        " --load_in_4bit": job.layout.four_bit_base,
    }
    return "".join(flag for flag, given in flags.items() if given)


def logged(job: Job, values: Values) -> Line:
    """The dict that the progress callback writes; floats are strings of four digits.

    Version 4 writes them as Python does: the loss and the epoch rounded (trainer.py:3205,
    trainer_callback.py:692), what a tensor held as its float32.
    """
    if is_fourth(job):
        pairs = [f"'{key}': {_plain(job, key, value)!r}" for key, value in values]
    else:
        pairs = [f"'{key}': '{value:.4g}'" for key, value in values]
    return Line("{" + ", ".join(pairs) + "}")


def _plain(job: Job, key: str, value: float) -> float:
    """A value as version 4's callback prints it."""
    kept = held(job, key, value)
    return round(kept, 2) if key == "epoch" else kept


def block(split: str, values: Mapping[str, str]) -> Iterator[Line]:
    """The table that `log_metrics` prints at the end: sorted, in two aligned columns."""
    names, numbers = max(map(len, values)), max(map(len, values.values()))
    yield Line(f"***** {split} metrics *****")
    for key in sorted(values):
        yield Line(f"  {key:<{names}} = {values[key]:>{numbers}}")


def clock(seconds: float) -> str:
    """A runtime in the tables: 0:00:11.74, its hundredths cut and not rounded."""
    return f"{timedelta(seconds=int(seconds))}.{int((seconds - int(seconds)) * 100):02d}"


def stepped(event: events.Step, job: Job, screen: Screen, extra: Values = ()) -> Lines:
    """The dict that a step logs, and the training bar below it."""
    yield logged(job, step_values(event, job, extra))
    yield redrawn(job, screen, event.step, event.training_seconds)


def evaluated(
    event: events.Validated, job: Job, screen: Screen, extra: Values = (), scores: Values = ()
) -> Lines:
    """The dict that an evaluation logs, and the training bar below it."""
    yield logged(job, evaluation_values(job, event.step, extra, scores).items())
    yield redrawn(job, screen, event.step, event.training_seconds)


def trained(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    """The end of the training: its numbers, and the full bar."""
    steps = job.schedule.steps
    yield logged(job, train_values(job, event.lasted).items())
    yield training_bar(job, screen, steps, event.lasted, ended=True)
