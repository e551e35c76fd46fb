"""MaxText on TPUs as of autumn 2025, when a step's line ended with its loss.

src/maxtext/common/metric_logger.py:174-230, src/MaxText/{pyconfig,max_utils,maxtext_utils}.py,
and the log of a v5p-8 that its guide "Understand logs and metrics" explains. Steps count from 0
and are timed when JAX hands them to the devices: the first has the compilation, one after a pause
both the pause and two steps, and the next almost nothing.
MaxText prints without time stamps; its checkpoint library, Orbax, logs with absl's prefix.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.maxtext import recovery
from llmsim.dialects.parts import shell
from llmsim.job.layout import shards_weights
from llmsim.job.milestones import blocking_checkpoint
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.model.architecture import parameter_count
from llmsim.physics.hardware import memory
from llmsim.physics.speed import throughput
from llmsim.run import cluster, events
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

JAX = "0.7.2"
# How JAX names the runtime of a TPU.
_BACKENDS = {"TPU v4": "TPU v4", "TPU v5p": "TPU v5", "TPU v6e": "TPU v6 lite"}
_NEWEST = "TPU7x"

# The mesh, outermost first; what a job does not split has size 1.
AXES = (
    "data", "stage", "fsdp", "fsdp_transpose", "sequence", "context", "context_autoregressive",
    "tensor", "tensor_transpose", "tensor_sequence", "expert", "autoregressive",
)  # fmt: skip

_REMAT = {"none": "minimal", "selective": "save_qkv_proj", "full": "full"}
LOG_PERIOD = 100  # steps between two reminders of TensorBoard


# --- configuration -----------------------------------------------------------------------


def _output(job: Job) -> str:
    """Where the run's files go."""
    return f"gs://{job.cluster}-maxtext/{job.run_name}"


def axes(job: Job) -> dict[str, int]:
    """The sizes of the mesh's axes."""
    layout = job.layout
    data = "fsdp" if shards_weights(layout) else "data"
    split = {"stage": layout.pp, data: layout.dp, "tensor": layout.tp}
    return {name: split.get(name, 1) for name in AXES}


def _typed(job: Job) -> dict[str, object]:
    """What the command line sets."""
    schedule, layout = job.schedule, job.layout
    return {
        "run_name": job.run_name,
        "model_name": job.model.name.lower(),
        "base_output_directory": _output(job).rpartition("/")[0],
        "dataset_type": "grain",
        "dataset_name": job.dataset.name,
        "per_device_batch_size": layout.micro_batch * layout.dp / layout.gpus,
        "gradient_accumulation_steps": layout.accumulation,
        "max_target_length": schedule.sequence,
        "steps": schedule.steps,
        "learning_rate": schedule.peak_lr,
        "eval_interval": schedule.validate_every,
        "eval_steps": schedule.validation_batches,
        "checkpoint_period": schedule.save_every,
        "async_checkpointing": job.background_saves,
        "remat_policy": _REMAT[layout.recompute],
        **{f"ici_{name}_parallelism": size for name, size in axes(job).items() if size > 1},
    }


def _model(job: Job) -> dict[str, object]:
    """What the model's own file sets."""
    model = job.architecture
    sparse = {
        "base_moe_mlp_dim": model.feed_forward,
        "num_experts": model.experts,
        "num_experts_per_tok": model.active_experts,
    }
    return {
        "base_emb_dim": model.hidden_size,
        "base_num_query_heads": model.heads,
        "base_num_kv_heads": model.kv_heads,
        "base_mlp_dim": model.feed_forward,
        "base_num_decoder_layers": model.layers,
        "head_dim": model.head_width,
        "mlp_activations": ["silu", "linear"],
        "vocab_size": model.vocabulary,
        "enable_dropout": False,
        "logits_via_embedding": model.tied,
        "normalization_layer_epsilon": 1e-05,
        "decoder_block": "mixtral" if model.experts > 1 else "llama2",
        **(sparse if model.experts > 1 else {}),
    }


def config(job: Job) -> dict[str, object]:
    """The consolidated configuration, sorted as MaxText prints it."""
    schedule, layout, output = job.schedule, job.layout, _output(job)
    values = {
        "adam_b1": 0.9,
        "adam_b2": 0.95,
        "adam_eps": 1e-08,
        "adam_weight_decay": 0.1,
        "attention": "autoselected",
        "checkpoint_dir": f"{output}/checkpoints/",
        "cosine_learning_rate_final_fraction": schedule.final_lr / schedule.peak_lr,
        "data_sharding": (AXES,),
        "dtype": "bfloat16",
        "enable_checkpointing": True,
        "enable_tensorboard": True,
        "global_batch_size_to_eval_on": schedule.global_batch,
        "global_batch_size_to_load": schedule.global_batch,
        "global_batch_size_to_train_on": schedule.global_batch,
        "gradient_clipping_threshold": 1.0,
        "hardware": "tpu",
        "init_weights_seed": job.seed,
        "learning_rate_schedule_steps": schedule.steps,
        "log_period": LOG_PERIOD,
        "metrics_dir": f"{output}/metrics/",
        "mesh_axes": list(AXES),
        "micro_batch_size_to_train_on": schedule.global_batch // layout.accumulation,
        "opt_type": "adamw",
        "scan_layers": True,
        "skip_jax_distributed_system": False,
        "tensorboard_dir": f"{output}/tensorboard/",
        "warmup_steps_fraction": schedule.warmup / schedule.steps,
        "weight_dtype": "float32",
        **{f"ici_{name}_parallelism": size for name, size in axes(job).items()},
        **_model(job),
        **_typed(job),
    }
    return dict(sorted(values.items()))


# --- launch ------------------------------------------------------------------------------


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    settings = " ".join(f"{name}={value}" for name, value in _typed(job).items())
    command = f"python3 -m MaxText.train src/MaxText/configs/base.yml {settings}"
    yield from shell.typed(screen, command)


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield Line(f"Updating keys from env and command line: {list(_typed(job))}")
    yield Line(f"Running Model: {job.model.name.lower()}")
    yield Line("Updating following parameters in config")
    yield Line("")
    for name, value in _model(job).items():
        yield Line(f"{name}: {value}")
    yield Line(f"Updating keys from model: {list(_model(job))}")
    if job.layout.nodes > 1:
        yield Line("Attempting to initialize the jax distributed system...")


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    if job.layout.nodes > 1:
        yield Line("Jax distributed system initialized!")


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    for name, value in config(job).items():
        yield Line(f"Config param {name}: {value}")
    yield Line(f"System Information: Jax Version: {JAX}")
    yield Line(f"System Information: Jaxlib Version: {JAX}")
    yield Line("System Information: Jax Backend: PJRT C API")
    yield Line(f"TFRT {_BACKENDS.get(job.gpu.name, _NEWEST)}")


def _mesh_built(event: events.MeshBuilt, job: Job, screen: Screen) -> Lines:
    yield Line(f"Num_devices: {job.layout.gpus}, shape {tuple(axes(job).values())}")


def _gib(size: int) -> str:
    return f"{size / units.GIB:.1f} GB"


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """What the compiler expects of a step, then what the weights and Adam's states take.

    A step's arguments and results are the same buffers; all else is temporary.
    """
    estimate = memory.estimate(job.architecture, job.layout, job.schedule.sequence)
    held = estimate.weights + estimate.optimizer
    temporary = estimate.gradients + estimate.activations + estimate.logits + estimate.gathered
    yield Line(
        f"Total memory size: {_gib(held + temporary)}, Output size: {_gib(held)}, "
        f"Temp size: {_gib(temporary)}, Argument size: {_gib(held)}, Host temp size: 0.0 GB."
    )
    yield Line(f"number parameters: {parameter_count(job.architecture) / 1e9:.3f} billion")
    yield Line("")
    yield Line("Memstats: After params initialized:")
    used, limit = (round(size / units.GIB, 2) for size in (held, memory.capacity(job.gpu)))
    for device in range(gpus_per_node(job)):
        share = f"{used} / {limit} ({used / limit:%})"
        yield Line(f"\tUsing (GB) {share} on TPU_{device}(process=0,{_place(job, device)})")


def _place(job: Job, device: int) -> str:
    """The chip's coordinates in the torus, a host having 2 x 2 chips, and the core in it."""
    chip, core = divmod(device, job.gpu.per_node // 4)
    return f"({chip % 2},{chip // 2},0,{core})"


def step_flops(job: Job) -> float:
    """FLOPs of a step on one device."""
    return throughput.job_flops_per_token(job) * batch_tokens(job) / job.layout.gpus


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    model = job.architecture
    attention = 12 * model.layers * model.heads * model.head_width * job.schedule.sequence
    share = 100 * attention / throughput.flops_per_token(model, job.schedule.sequence)
    yield Line("Per train step:")
    yield Line(f" Total TFLOPs: {step_flops(job) / 1e12:.2f} ")
    weights = f"{100 - share:.2f}% learnable weight flops"
    yield Line(f" split as {weights} and {share:.2f}% attention flops")


# --- training ----------------------------------------------------------------------------


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    seconds, step = event.host_seconds, event.step - 1
    yield Line(
        f"completed step: {step}, seconds: {seconds:.3f}, "
        f"TFLOP/s/device: {step_flops(job) / seconds / 1e12:.3f}, "
        f"Tokens/s/device: {batch_tokens(job) / job.layout.gpus / seconds:.3f}, "
        f"total_weights: {batch_tokens(job)}, loss: {event.loss:.3f}"
    )
    if step % LOG_PERIOD == 0:
        yield Line(f"To see full metrics 'tensorboard --logdir={_output(job)}/tensorboard/'")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    for batch in range(job.schedule.validation_batches):
        yield Line(f"Completed eval step {batch}")
    weights = f"total_weights={float(event.tokens)}"
    yield Line(f"eval metrics after step: {event.step - 1}, loss={event.loss:.3f}, {weights}")


# --- checkpoints -------------------------------------------------------------------------


def _orbax(job: Job, at: float, place: str, text: str) -> Line:
    """A line of absl's logger: its third column is the thread's number."""
    now = units.stamp(job.start, at)
    thread = int(cluster.pointer(job, "thread"), 16)
    return Line(f"I{now:%m%d %H:%M:%S.%f} {thread} {place}] {text}")


def _folder(job: Job, step: int) -> str:
    return f"{_output(job)}/checkpoints/{step - 1}"


def _checkpoint_staged(event: events.CheckpointStaged, job: Job, screen: Screen) -> Lines:
    text = f"Finished blocking save. Time taken: {event.seconds:f}s. Continuing background save"
    path = _folder(job, event.step)
    yield _orbax(job, event.at, "async_checkpointer.py:603", f"{text} to {path}.")
    yield Line(f"Started an asynchronous checkpoint save for step {event.step - 1}")


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    if not blocking_checkpoint(job, event.step):
        text = f"Background save thread done. Time taken: {event.seconds:f}s."
        text = f"[process=0][thread=async_save] {text}"
        yield _orbax(job, event.at, "async_checkpointer.py:162", text)
        return
    text = f"Finished synchronous save in {event.seconds:.2f} seconds to {_folder(job, event.step)}"
    yield _orbax(job, event.at, "checkpointer.py:320", text)
    yield Line(f"Saved a checkpoint at step {event.step - 1}.")


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: _rendezvous,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.MeshBuilt: _mesh_built,
    events.ModelSharded: _model_sharded,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStaged: _checkpoint_staged,
    events.CheckpointSaved: _checkpoint_saved,
}
