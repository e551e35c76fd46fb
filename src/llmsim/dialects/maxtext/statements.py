"""What MaxText v0.1.0 and Orbax 0.11.25 print, statement by statement, on the first host."""

from collections.abc import Iterable

from llmsim.dialects.maxtext.configuration import LOG_PERIOD, config, model
from llmsim.dialects.statement import Statement, where
from llmsim.job import milestones
from llmsim.job.records import Job, gpus_per_node

_F3 = r"\d+\.\d{3}"
_ABSL = r"I\d{4} \d\d:\d\d:\d\d\.\d{6} \d+ "
_PATH = r"gs://[\w/.-]+/checkpoints/(?P<step>\d+)"
_MAIN, _LAST, _SAVE = (
    rf"\[process=0\]\[thread={name}\]" for name in ("MainThread", "save_finalize", "async_save")
)


def _background_times(job: Job) -> Iterable[int]:
    return (0,) * len([*_in_background(job)])


def _goes_on(job: Job) -> bool:
    return job.schedule.first_step > 1


def _is_fresh(job: Job) -> bool:
    return not _goes_on(job)


def _indices(job: Job) -> Iterable[int]:
    """Steps count from 0."""
    return range(job.schedule.first_step - 1, job.schedule.steps)


def _full(job: Job) -> Iterable[int]:
    """step % log_period == 0."""
    first = job.schedule.first_step - 1
    return range(-(-first // LOG_PERIOD) * LOG_PERIOD, job.schedule.steps, LOG_PERIOD)


def _evaluated(job: Job) -> Iterable[int]:
    """(step + 1) % eval_interval == 0."""
    every, first = job.schedule.validate_every, job.schedule.first_step
    return range(-(-first // every) * every - 1, job.schedule.steps, every)


def _batches(job: Job) -> Iterable[int]:
    return [*range(job.schedule.validation_batches)] * len([*_evaluated(job)])


def _saved(job: Job) -> list[int]:
    """step % checkpoint_period == 0, and the last step on completion."""
    return [step - 1 for step in milestones.saved_steps(job)]


def _waited(job: Job) -> Iterable[int]:
    """maybe_save_checkpoint is called once more after the loop, due or not."""
    last = job.schedule.steps
    return [*_saved(job), last - 1] if milestones.save_is_due(job, last) else _saved(job)


def _in_background(job: Job) -> Iterable[int]:
    return _saved(job) if job.background_saves else ()


def _synchronous(job: Job) -> Iterable[int]:
    return () if job.background_saves else _saved(job)


def _awaited(job: Job) -> Iterable[int]:
    """The save that is forced at the end is waited for."""
    return _saved(job)[-1:] if job.background_saves else ()


_USUAL = (
    Statement("typed", "pyconfig.py:547", r"Updating keys from env and command line: \['.*'\]"),
    Statement("model", "pyconfig.py:735", r"Running Model: [\w.-]+"),
    Statement("following", "pyconfig.py:1089", r"Updating following parameters in config"),
    Statement("blank", "max_logging.py:19", r"", lambda _job: (0, 0),
              guard="a message ends or begins with a line end"),
    Statement("model-key", "pyconfig.py:1092", r"[a-z_]+: .+",
              lambda job: (0,) * len(model(job)), guard="model_name != 'default'"),
    Statement("updated", "pyconfig.py:549", r"Updating keys from model: \['.*'\]"),
    Statement("distributing", "max_utils.py:213",
              r"Attempting to initialize the jax distributed system\.\.\.",
              guard="enable_checkpointing"),
    Statement("distributed", "max_utils.py:235", r"Jax distributed system initialized!"),
    Statement("no-emergency", "pyconfig.py:212", r"Not using emergency checkpoint, ignoring .+"),
    Statement("dataset", "pyconfig.py:300", r"dataset_type set to tfds, will use "
              r"keys\['dataset_path'\]='gs://[\w-]+' and keys\['dataset_name'\]='[\w.-]+'"),
    Statement("parameter", "pyconfig.py:597", r"Config param \w+: .*",
              lambda job: (0,) * len(config(job)), guard="log_config"),
    Statement("jax", "max_utils.py:724", r"System Information: Jax Version: \d+\.\d+\.\d+"),
    Statement("jaxlib", "max_utils.py:725", r"System Information: Jaxlib Version: \d+\.\d+\.\d+"),
    Statement("backend", "max_utils.py:726", r"System Information: Jax Backend: PJRT C API"),
    Statement("runtime", "max_utils.py:726", r"TFRT TPU ?v?\d\w*(?: lite)?"),
    Statement("devices", "maxtext_utils.py:1243",
              r"Num_devices: \d+, shape \(\d+(?:, \d+){11}\)"),
    Statement("creating", "checkpointing.py:126",
              r"Creating checkpoint manager with ocdbt=True and zarr3=True"),
    Statement("created", "checkpointing.py:151", r"Checkpoint manager created!"),
    Statement("looking", "checkpointing.py:335",
              r"checkpoint manager exists so trying to load this run's existing checkpoint"),
    Statement("nothing", "checkpointing.py:414",
              r"No existing checkpoints found, not restoring checkpoint\.", where(_is_fresh)),
    Statement("restoring", "checkpointing.py:339",
              r"restoring from this run's directory step \d+", where(_goes_on),
              guard="a checkpoint is there"),
    Statement("restoring-from", "async_checkpointer.py:304",
              rf"{_ABSL}\w+\.py:304\] .*Restoring checkpoint from gs://\S+\.", where(_goes_on)),
    Statement("restored", "async_checkpointer.py:318",
              rf"{_ABSL}\w+\.py:318\] .*Finished restoring checkpoint in \d+\.\d\d seconds from "
              r"gs://\S+\.", where(_goes_on)),
    Statement("memory", "max_utils.py:715",
              r"Total memory size: \d+\.\d GB, Output size: \d+\.\d GB, Temp size: \d+\.\d GB, "
              r"Argument size: \d+\.\d GB, Host temp size: \d+\.\d GB\."),
    Statement("flops", "maxtext_utils.py:577", r"Per train step:"),
    Statement("flops-total", "maxtext_utils.py:577", r" Total TFLOPs: \d+\.\d\d "),
    Statement("flops-split", "maxtext_utils.py:577",
              r" split as \d+\.\d\d% learnable weight flops and \d+\.\d\d% attention flops"),
    Statement("size", "metric_logger.py:176", r"number parameters: \d+\.\d{3} billion"),
    Statement("stats", "max_utils.py:674", r"Memstats: After params initialized:",
              guard="step == start_step"),
    Statement("using", "max_utils.py:680",
              r"\tUsing \(GB\) \d+\.\d{1,2} / \d+\.\d{1,2} \(\d+\.\d{6}%\) "
              r"on TPU_\d+\(process=0,\(\d+,\d+,\d+,\d+\)\)",
              lambda job: (0,) * gpus_per_node(job)),
    Statement("completed", "metric_logger.py:128",
              rf"completed step: (?P<step>\d+), seconds: {_F3}, TFLOP/s/device: {_F3}, "
              rf"Tokens/s/device: {_F3}, total_weights: \d+, loss: {_F3}", _indices,
              guard="when the next step is handed out, and at the end"),
    Statement("full", "metric_logger.py:168",
              r"To see full metrics 'tensorboard --logdir=gs://[\w/-]+/tensorboard/'", _full,
              guard="step % log_period == 0 and jax.process_index() == 0"),
    Statement("batch", "train.py:435", r"Completed eval step (?P<step>\d+)", _batches),
    Statement("evaluated", "metric_logger.py:128",
              rf"eval metrics after step: (?P<step>\d+), loss={_F3}, total_weights=\d+\.0",
              _evaluated, guard="(step + 1) % eval_interval == 0 and step > start_step"),
)  # fmt: skip
_SAVES = (
    Statement("waiting", "checkpointing.py:520",
              r"Waiting for step (?P<step>\d+) to finish before checkpoint\.\.\.", _waited,
              guard="force or step % checkpoint_period == 0"),
    Statement("waited", "checkpointing.py:524",
              r"Waited \d[\d.e-]* seconds for step (?P<step>\d+) to finish before starting "
              r"checkpointing\.", _waited),
    Statement("free", "checkpoint_manager.py:1952",
              rf"{_ABSL}checkpoint_manager\.py:1952\] {_MAIN}\[wait_until_finished\] No Save "
              r"Finalize thread to wait for\. Returning\.",
              lambda job: (0,) * len(_saved(job))),
    Statement("saving", "checkpoint_manager.py:1470",
              rf"{_ABSL}checkpoint_manager\.py:1470\] \[process=0\] Saving checkpoint at step "
              r"(?P<step>\d+)", _saved),
    Statement("sync", "checkpointer.py:241",
              rf"{_ABSL}checkpointer\.py:241\] \[process=0\] Started saving checkpoint to "
              rf"{_PATH}\.", _synchronous),
    Statement("sync-finished", "checkpointer.py:290",
              rf"{_ABSL}checkpointer\.py:290\] Finished synchronous save in \d+\.\d\d seconds to "
              rf"{_PATH}", _synchronous),
    Statement("sync-done", "checkpoint_manager.py:1539",
              rf"{_ABSL}checkpoint_manager\.py:1539\] {_MAIN}\[step=(?P<step>\d+)\] Finished "
              r"synchronous save\.", _synchronous),
    Statement("saved", "checkpointing.py:263", r"Saved a checkpoint at step (?P<step>\d+)\.",
              _synchronous, guard="not async_checkpointing"),
    Statement("async", "async_checkpointer.py:452",
              rf"{_ABSL}async_checkpointer\.py:452\] \[process=0\] Started async saving "
              rf"checkpoint to {_PATH}\.", _in_background),
    Statement("thread", "async_checkpointer.py:79",
              rf"{_ABSL}async_checkpointer\.py:79\] {_SAVE} Background save thread started\.",
              _background_times),
    Statement("blocked", "async_checkpointer.py:561",
              rf"{_ABSL}async_checkpointer\.py:561\] Finished blocking save\. Time taken: "
              rf"\d+\.\d{{6}}s\. Continuing background save to {_PATH}\.", _in_background),
    Statement("finalize", "checkpoint_manager.py:1518",
              rf"{_ABSL}checkpoint_manager\.py:1518\] {_MAIN}\[step=(?P<step>\d+)\] Starting "
              r"CheckpointManager Save Finalize thread=save_finalize", _in_background),
    Statement("joining", "async_checkpointer.py:265",
              rf"{_ABSL}async_checkpointer\.py:265\] {_LAST} Waiting for background save "
              r"thread=async_save\.", _background_times),
    Statement("asynchronous", "checkpointing.py:261",
              r"Started an asynchronous checkpoint save for step (?P<step>\d+)", _in_background,
              guard="async_checkpointing"),
    Statement("committed", "async_checkpointer.py:90",
              rf"{_ABSL}async_checkpointer\.py:90\] {_SAVE} 1 Handler Commit operations "
              r"completed\. Time taken: \d+\.\d{6}s\.",
              _background_times),
    Statement("whole", "async_checkpointer.py:420",
              rf"{_ABSL}async_checkpointer\.py:420\] Finished async_save \(blocking \+ "
              rf"background\)\. Time taken: \d+\.\d{{6}}s\. directory={_PATH}", _in_background),
    Statement("thread-done", "async_checkpointer.py:144",
              rf"{_ABSL}async_checkpointer\.py:144\] {_SAVE} Background save thread done\. Time "
              r"taken: \d+\.\d{6}s\.", _background_times),
    Statement("joined", "async_checkpointer.py:273",
              rf"{_ABSL}async_checkpointer\.py:273\] {_LAST} Done with waiting for background "
              r"save thread=async_save\.", _background_times),
    Statement("no-errors", "async_checkpointer.py:283",
              rf"{_ABSL}async_checkpointer\.py:283\] {_LAST} No errors found in background save "
              r"thread=async_save\.", _background_times),
    Statement("syncing", "checkpoint_manager.py:2072",
              rf"{_ABSL}checkpoint_manager\.py:2072\] \[process=0\]\[thread=\w+\]"
              r"\[step=(?P<step>\d+)\] CheckpointManager Save Finalize is syncing with other "
              r"hosts\.\.\.", _saved),
    Statement("synced", "checkpoint_manager.py:2081",
              rf"{_ABSL}checkpoint_manager\.py:2081\] \[process=0\]\[thread=\w+\]"
              r"\[step=(?P<step>\d+)\] CheckpointManager Save Finalize is done on all hosts\.",
              _saved),
    Statement("waiting-last", "checkpoint_manager.py:1963",
              rf"{_ABSL}checkpoint_manager\.py:1963\] {_MAIN}\[step=(?P<step>\d+)\]"
              r"\[wait_until_finished\] Waiting for Save Finalize thread \(save_finalize\) to "
              r"complete\.", _awaited, guard="a save that is forced at the end"),
    Statement("waited-last", "checkpoint_manager.py:1975",
              rf"{_ABSL}checkpoint_manager\.py:1975\] {_MAIN}\[step=(?P<step>\d+)\]"
              r"\[wait_until_finished\] Done waiting for Save Finalize thread \(save_finalize\) "
              r"running at step=\d+\.", _awaited),
)  # fmt: skip
STATEMENTS = (*_USUAL, *_SAVES)

# A save runs in the loop before the evaluation, and the line of the step before comes after both.
_BEGIN = """waiting waited (free saving (sync sync-finished syncing synced sync-done saved
| async thread blocked finalize joining asynchronous waiting-last?))?"""
_END = "(committed whole thread-done joined no-errors syncing synced waited-last?)?"
ORDER = f"""
typed model following blank model-key+ updated distributing distributed no-emergency
dataset parameter+ jax jaxlib backend runtime devices creating created looking
(nothing | restoring restoring-from restored)
memory flops flops-total flops-split size
({_BEGIN} {_END})? blank stats using+ {_END}
(({_BEGIN} {_END})? (batch+ evaluated)? {_END} completed full? {_END})+
"""
