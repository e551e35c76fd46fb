"""Steps and evaluations, in the order of the loop of src/MaxText/train.py at v0.1.0.

The logger holds back the line of a step until the next step is handed out, saved and evaluated
(metric_logger.py, buffer_and_write_train_metrics); the last line comes when all is done. So a
step's line is kept here with the job until it is due. Steps count from 0, and are timed when JAX
hands them to the devices.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.maxtext import orbax
from llmsim.dialects.maxtext.configuration import LOG_PERIOD, output
from llmsim.dialects.maxtext.launch import held, step_flops
from llmsim.dialects.maxtext.processes import placed
from llmsim.job.milestones import (
    blocking_checkpoint,
    is_saved,
    is_validated,
    save_is_due,
)
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.physics.hardware import memory
from llmsim.run import cluster, events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

_KEPT = "maxtext: lines of steps"  # their place in the job's memo
_LONGEST = 8  # steps whose lines are kept


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    """A step is handed out: its line is kept. Without a pause after it the one before is due."""
    seconds, step = event.host_seconds, event.step - 1
    kept = job.memo.setdefault(_KEPT, {})
    kept[(event.step,)] = (
        f"completed step: {step}, seconds: {seconds:.3f}, "
        f"TFLOP/s/device: {step_flops(job) / seconds / 1e12:.3f}, "
        f"Tokens/s/device: {batch_tokens(job) / job.layout.gpus / seconds:.3f}, "
        f"total_weights: {batch_tokens(job)}, loss: {event.loss:.3f}"
    )
    kept.pop((event.step - _LONGEST,), None)
    if not _pauses(job, event.step):
        if _starts(job, event.step):
            yield from _memory(job)
        yield from _written(job, event.step - 1)
        if event.step == job.schedule.steps:
            yield from _written(job, event.step)


def _starts(job: Job, step: int) -> bool:
    """Whether a step is the first one that is run: step == start_step (train.py)."""
    return step == 1 or (job.attempt == 1 and step == job.schedule.first_step)


def _pauses(job: Job, step: int) -> str:
    """What is last between a step and the next: a save, an evaluation, or nothing."""
    if step == job.schedule.steps and not save_is_due(job, step):
        return "checkpoint"
    if is_validated(job, step):
        return "validation"
    return "checkpoint" if is_saved(job, step) else ""


def _written(job: Job, step: int) -> Lines:
    """A step's line, and at the logger's period where to see the metrics."""
    text = job.memo.get(_KEPT, {}).get((step,))
    if text is None:  # before the first step, or the show began in between
        return
    yield Line(text)
    if (step - 1) % LOG_PERIOD == 0:
        yield Line(f"To see full metrics 'tensorboard --logdir={output(job)}/tensorboard/'")


def _paused(job: Job, step: int) -> Lines:
    """The lines after the last pause of a step."""
    if _starts(job, step):
        yield from _memory(job)
    yield from _written(job, step - 1)
    if step == job.schedule.steps:
        if save_is_due(job, step):  # it is asked to save once more, and has
            yield from orbax.waiting(job, step, cluster.setup_seconds(job, "no checkpoint"))
        yield from _written(job, step)


def _memory(job: Job) -> Lines:
    """What each device of a host holds after the first step (max_utils.py:672)."""
    yield Line("")
    yield Line("Memstats: After params initialized:")
    used, limit = (round(size / units.GIB, 2) for size in (held(job), memory.capacity(job.gpu)))
    for device in range(gpus_per_node(job)):
        share = f"{used} / {limit} ({used / limit:%})"
        yield Line(f"\tUsing (GB) {share} on TPU_{placed(job, device)}")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    for batch in range(job.schedule.validation_batches):
        yield Line(f"Completed eval step {batch}")
    weights = f"total_weights={float(event.tokens)}"
    yield Line(f"eval metrics after step: {event.step - 1}, loss={event.loss:.3f}, {weights}")
    last = event.step == job.schedule.steps and not save_is_due(job, event.step)
    if last:
        yield from _written(job, event.step - 1)
    elif _pauses(job, event.step) == "validation":
        yield from _paused(job, event.step)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    last = event.step == job.schedule.steps and not save_is_due(job, event.step)
    if last and not is_validated(job, event.step):
        yield from _written(job, event.step - 1)
    yield from orbax.started(event, job, screen)


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    yield from orbax.staged(event, job, screen)
    if _pauses(job, event.step) == "checkpoint":
        yield from _paused(job, event.step)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    yield from orbax.saved(event, job, screen)
    if not blocking_checkpoint(job, event.step) or _pauses(job, event.step) != "checkpoint":
        return
    if event.step == job.schedule.steps:  # the line of the step before is out
        yield from _written(job, event.step)
    else:
        yield from _paused(job, event.step)


LINES: dict[type, Render] = {
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
}
