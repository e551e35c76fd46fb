"""What saving prints: MaxText's checkpointing.py, and Orbax 0.11.25 behind absl's prefix.

Orbax: checkpoint_manager.py, _src/checkpointers/checkpointer.py and async_checkpointer.py. An
asynchronous save blocks while arrays are copied to the host, and goes on in a thread; another
thread finalizes it. The lines are process 0's.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.dialects.maxtext.configuration import output
from llmsim.job.milestones import blocking_checkpoint, is_saved, is_validated
from llmsim.job.records import Job
from llmsim.physics.hardware import storage
from llmsim.physics.speed import step_time
from llmsim.run import cluster, events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

_MANAGER, _SAVER, _ASYNC = "checkpoint_manager.py", "checkpointer.py", "async_checkpointer.py"


def _say(job: Job, at: float, place: str, text: str, thread: str = "") -> Line:
    """A line of absl's logger: its third column is the thread's number."""
    now = units.stamp(job.start, at)
    number = int(cluster.pointer(job, f"thread {thread or 'MainThread'}"), 16)
    named = f"[process=0][thread={thread}]" if thread else ""
    return Line(f"I{now:%m%d %H:%M:%S.%f} {number} {place}] {named}{text}")


def _folder(job: Job, step: int) -> str:
    return f"{output(job)}/checkpoints/{step - 1}"


def waited(job: Job, step: int) -> float:
    """Seconds for which a save waits for the devices, which are two steps behind, or one after a
    pause; what it took to hand the step out is left out.
    """
    if step == 1:  # it is handed out when it is compiled
        return step_time.interval_seconds(job, 1, 1) - step_time.compile_seconds(job)
    paused = is_validated(job, step - 1) or is_saved(job, step - 1)
    first = max(2, step if paused else step - 1)
    return step_time.interval_seconds(job, first, step) - step_time.dispatch_seconds(job, step)


def waiting(job: Job, step: int, seconds: float) -> Lines:
    """checkpointing.py:520-527: a save waits for its step."""
    yield Line(f"Waiting for step {step - 1} to finish before checkpoint...")
    yield Line(
        f"Waited {seconds} seconds for step {step - 1} to finish before starting checkpointing."
    )


def started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    """A save begins."""
    del screen
    step, at = event.step - 1, event.at
    yield from waiting(job, event.step, waited(job, event.step))
    free = "[wait_until_finished] No Save Finalize thread to wait for. Returning."
    yield _say(job, at, f"{_MANAGER}:1952", free, "MainThread")
    yield _say(job, at, f"{_MANAGER}:1470", f"[process=0] Saving checkpoint at step {step}")
    path = _folder(job, event.step)
    if job.background_saves:
        text = f"[process=0] Started async saving checkpoint to {path}."
        yield _say(job, at, f"{_ASYNC}:452", text)
    else:
        yield _say(job, at, f"{_SAVER}:241", f"[process=0] Started saving checkpoint to {path}.")


def _in_background(job: Job, at: float, step: int, seconds: float) -> Lines:
    """The arrays are on the host, and training goes on."""
    yield _say(job, at, f"{_ASYNC}:79", " Background save thread started.", "async_save")
    text = f"Finished blocking save. Time taken: {seconds:f}s. Continuing background save"
    yield _say(job, at, f"{_ASYNC}:561", f"{text} to {_folder(job, step)}.")
    text = f"[step={step - 1}] Starting CheckpointManager Save Finalize thread=save_finalize"
    yield _say(job, at, f"{_MANAGER}:1518", text, "MainThread")
    text = " Waiting for background save thread=async_save."
    yield _say(job, at, f"{_ASYNC}:265", text, "save_finalize")
    yield Line(f"Started an asynchronous checkpoint save for step {step - 1}")


def staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    """The copy of the states is on the host."""
    del screen
    yield from _in_background(job, event.at, event.step, event.seconds)


def _written(job: Job, at: float, step: int, whole: float) -> Lines:
    """The threads end: the files are written, renamed and known to all hosts."""
    behind, thread = whole - storage.staging_seconds(job, step), "async_save"
    text = f" 1 Handler Commit operations completed. Time taken: {behind:f}s."
    yield _say(job, at, f"{_ASYNC}:90", text, thread)
    text = f"Finished async_save (blocking + background). Time taken: {whole:f}s."
    path = f"directory={_folder(job, step)}"
    yield _say(job, at, f"{_ASYNC}:420", f"{text} {path}")
    yield _say(
        job, at, f"{_ASYNC}:144", f" Background save thread done. Time taken: {behind:f}s.", thread
    )
    last = "save_finalize"
    text = " Done with waiting for background save thread=async_save."
    yield _say(job, at, f"{_ASYNC}:273", text, last)
    text = " No errors found in background save thread=async_save."
    yield _say(job, at, f"{_ASYNC}:283", text, last)
    yield from _finalized(job, at, step, last)


def _finalized(job: Job, at: float, step: int, thread: str) -> Lines:
    start = f"[step={step - 1}] CheckpointManager Save Finalize is"
    yield _say(job, at, f"{_MANAGER}:2072", f"{start} syncing with other hosts...", thread)
    yield _say(job, at, f"{_MANAGER}:2081", f"{start} done on all hosts.", thread)


def saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """A save is durable."""
    del screen
    step, at = event.step, event.at
    if not blocking_checkpoint(job, step):
        yield from _written(job, at, step, event.seconds)
    elif job.background_saves:  # the last one, which the program waits for
        copied = storage.staging_seconds(job, step)
        yield from _in_background(job, at - event.seconds + copied, step, copied)
        start = f"[step={step - 1}][wait_until_finished]"
        text = f"{start} Waiting for Save Finalize thread (save_finalize) to complete."
        yield _say(job, at - event.seconds + copied, f"{_MANAGER}:1963", text, "MainThread")
        yield from _written(job, at, step, event.seconds)
        text = (
            f"{start} Done waiting for Save Finalize thread (save_finalize) running at "
            f"step={step - 1}."
        )
        yield _say(job, at, f"{_MANAGER}:1975", text, "MainThread")
    else:
        text = f"Finished synchronous save in {event.seconds:.2f} seconds to {_folder(job, step)}"
        yield _say(job, at, f"{_SAVER}:290", text)
        yield from _finalized(job, at, step, "MainThread")
        text = f"[step={step - 1}] Finished synchronous save."
        yield _say(job, at, f"{_MANAGER}:1539", text, "MainThread")
        yield Line(f"Saved a checkpoint at step {step - 1}.")


def restored(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    """Another attempt goes on from its last checkpoint, or from the beginning."""
    del screen
    if not event.step:
        yield Line("No existing checkpoints found, not restoring checkpoint.")
        return
    yield Line(f"restoring from this run's directory step {event.step - 1}")
    path = _folder(job, event.step)
    yield _say(job, event.at - event.seconds, f"{_SAVER}:304", f"Restoring checkpoint from {path}.")
    text = f"Finished restoring checkpoint in {event.seconds:.2f} seconds from {path}."
    yield _say(job, event.at, f"{_SAVER}:318", text)
