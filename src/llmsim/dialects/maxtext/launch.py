"""From the command to the first step: configuration, devices, checkpoint manager, compilation.

Statements in the order of src/MaxText/train.py, pyconfig.py and train_utils.py of v0.1.0.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.maxtext.configuration import axes, config, model, typed
from llmsim.dialects.maxtext.orbax import restored
from llmsim.dialects.parts import shell
from llmsim.job.milestones import is_fresh
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import attention_width, parameter_count
from llmsim.physics.hardware import memory
from llmsim.physics.speed import throughput
from llmsim.run import events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

JAX = "0.7.0"
# How JAX names the runtime of a TPU.
_BACKENDS = {"TPU v4": "TPU v4", "TPU v5p": "TPU v5", "TPU v6e": "TPU v6 lite"}
_NEWEST = "TPU7x"
NO_EMERGENCY = (
    "Not using emergency checkpoint, ignoring local_checkpoint_directory, "
    "local_checkpoint_period, use_replicator_service and replicator_backup_interval_minutes"
)


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    settings = " ".join(f"{name}={value}" for name, value in typed(job).items())
    command = f"python3 -m MaxText.train src/MaxText/configs/base.yml {settings}"
    yield from shell.typed(screen, command)


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield Line(f"Updating keys from env and command line: {list(typed(job))}")
    yield Line(f"Running Model: {job.model.name.lower()}")
    yield Line("Updating following parameters in config")
    yield Line("")
    for name, value in model(job).items():
        yield Line(f"{name}: {value}")
    yield Line(f"Updating keys from model: {list(model(job))}")
    yield Line("Attempting to initialize the jax distributed system...")


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    yield Line("Jax distributed system initialized!")


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    values = config(job)
    yield Line(NO_EMERGENCY)
    path, name = values["dataset_path"], values["dataset_name"]
    yield Line(
        "dataset_type set to tfds, will use "
        f"keys['dataset_path']={path!r} and keys['dataset_name']={name!r}"
    )
    for key, value in values.items():
        yield Line(f"Config param {key}: {value}")
    yield Line(f"System Information: Jax Version: {JAX}")
    yield Line(f"System Information: Jaxlib Version: {JAX}")
    yield Line("System Information: Jax Backend: PJRT C API")
    yield Line(f"TFRT {_BACKENDS.get(job.gpu.name, _NEWEST)}")


def _mesh_built(event: events.MeshBuilt, job: Job, screen: Screen) -> Lines:
    """The mesh, then the checkpoint manager; whether there is a checkpoint is seen later."""
    yield Line(f"Num_devices: {job.layout.gpus}, shape {tuple(axes(job).values())}")
    yield Line("Creating checkpoint manager with ocdbt=True and zarr3=True")
    yield Line("Checkpoint manager created!")


def _dataset_ready(event: events.DatasetReady, job: Job, screen: Screen) -> Lines:
    yield Line("checkpoint manager exists so trying to load this run's existing checkpoint")
    if is_fresh(job):
        yield Line("No existing checkpoints found, not restoring checkpoint.")


def _gib(size: int) -> str:
    return f"{size / units.GIB:.1f} GB"


def held(job: Job) -> int:
    """Bytes of a device in weights and in Adam's states."""
    estimate = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    return estimate.weights + estimate.optimizer


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """What the compiler expects of a step: its arguments and results are the same buffers, all
    else is temporary.
    """
    if is_fresh(job):
        yield from _compiled(job)


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    yield from restored(event, job, screen)
    yield from _compiled(job)


def _compiled(job: Job) -> Lines:
    estimate, kept = (
        memory.estimate(job.architecture, job.layout, job.schedule.sequence),
        held(job),
    )
    temporary = estimate.gradients + estimate.activations + estimate.logits + estimate.gathered
    host = memory.offloaded_bytes(job.architecture, job.layout, job.schedule.sequence)
    yield Line(
        f"Total memory size: {_gib(kept + temporary)}, Output size: {_gib(kept)}, "
        f"Temp size: {_gib(temporary)}, Argument size: {_gib(kept)}, Host temp size: {_gib(host)}."
    )


def step_flops(job: Job) -> float:
    """FLOPs of a step on one device, with the causal half of attention alone."""
    whole = throughput.job_flops_per_token(job) - _attention(job) / 2
    return whole * batch_tokens(job) / job.layout.gpus


def _attention(job: Job) -> float:
    """FLOPs of attention a token, the masked half included."""
    config = job.architecture
    return 12.0 * config.layers * config.heads * attention_width(config) * job.schedule.sequence


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    total = step_flops(job)
    share = 100 * _attention(job) / 2 * batch_tokens(job) / job.layout.gpus / total
    yield Line("Per train step:")
    yield Line(f" Total TFLOPs: {total / 1e12:.2f} ")
    weights = f"{100 - share:.2f}% learnable weight flops"
    yield Line(f" split as {weights} and {share:.2f}% attention flops")
    yield Line(f"number parameters: {parameter_count(job.architecture) / 1e9:.3f} billion")


LINES: dict[type, Render] = {
    events.Launched: _launched,
    events.Rendezvous: _rendezvous,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.MeshBuilt: _mesh_built,
    events.DatasetReady: _dataset_ready,
    events.Resumed: _resumed,
    events.ModelSharded: _model_sharded,
    events.TrainerReady: _trainer_ready,
}
