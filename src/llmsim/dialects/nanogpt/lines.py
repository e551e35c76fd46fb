"""nanoGPT's train.py: a config file that is echoed, then one line every log_interval iterations.

Every evaluation is followed by a save (always_save_checkpoint, train.py's default). The loss of a
line is that of rank 0's last micro-batch, its MFU in units of an A100's peak (model.py).

Iteration i is timed from the end of the one before it, so that an evaluation or a save before it
counts; its line comes after theirs. The running MFU begins at iteration 5; each line keeps nine
tenths of the earlier value (train.py:300-327).
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.nanogpt import estimates, recovery
from llmsim.dialects.parts import shell
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import Architecture, padded_vocabulary, position_parameters
from llmsim.physics.learning import loss
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

# --- launch ------------------------------------------------------------------------------


def _config(job: Job) -> str:
    name = job.model.name.lower().replace("-", "_").replace(".", "_")
    return f"config/train_{name}.py"


def _out(job: Job) -> str:
    return f"checkpoints/{job.run_name}"


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    yield from shell.looked(job, screen)
    yield from shell.typed(screen, shell.torchrun(job, f"train.py {_config(job)}"))


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """configurator.py echoes the file that overrides train.py's defaults."""
    schedule, layout, config = job.schedule, job.layout, job.architecture
    # One process evaluates, on training and validation data, in the time of one full validation.
    evaluations = max(1, schedule.validation_batches * layout.accumulation // 2)
    settings = {
        "out_dir": repr(_out(job)),
        "dataset": repr(job.dataset.name),
        "batch_size": layout.micro_batch,
        "block_size": schedule.sequence,
        "gradient_accumulation_steps": f"{layout.accumulation} * {layout.dp}",
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_embd": config.hidden_size,
        "max_iters": schedule.steps,
        "lr_decay_iters": schedule.steps,
        "warmup_iters": schedule.warmup,
        "learning_rate": _typed(schedule.peak_lr),
        "min_lr": _typed(schedule.final_lr),
        "eval_interval": schedule.validate_every,
        "eval_iters": evaluations,
        "log_interval": schedule.log_every,
        "weight_decay": "1e-1",
    }
    yield Line(f"Overriding config with {_config(job)}:")
    yield Line(f"# {job.model.name} on {job.layout.gpus:,} x {job.gpu.name}")
    yield Line(
        f"# {layout.micro_batch} batch size * {schedule.sequence} block size * "
        f"{layout.accumulation} gradaccum * {layout.dp} GPUs = {batch_tokens(job):,}"
    )
    for name, value in settings.items():
        yield Line(f"{name} = {value}")
    yield Line("")


def _typed(value: float) -> str:
    """A small number as people type it: 6e-4."""
    digits, exponent = f"{value:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _mesh_built(event: events.MeshBuilt, job: Job, screen: Screen) -> Lines:
    yield Line(f"tokens per iteration will be: {batch_tokens(job):,}")


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    config = job.architecture
    yield Line("Initializing a new model from scratch")
    yield Line(
        f"defaulting to vocab_size of GPT-2 to {padded_vocabulary(config)} "
        f"({config.vocabulary} rounded up for efficiency)"
    )
    counted = event.parameters - position_parameters(config)  # get_num_params leaves wpe out
    yield Line(f"number of parameters: {counted / 1e6:.2f}M")
    tensors, vectors, size = _tensors(config)
    matrices = event.parameters - size
    yield Line(f"num decayed parameter tensors: {tensors}, with {matrices:,} parameters")
    yield Line(f"num non-decayed parameter tensors: {vectors}, with {size:,} parameters")
    yield Line("using fused AdamW: True")


def _tensors(config: Architecture) -> tuple[int, int, int]:
    """The number of matrices, the number of vectors (norms), and the weights in all vectors.

    c_attn, two c_proj and c_fc in each block, and the embeddings of tokens and positions.
    """
    matrices = 4 * config.layers + 2
    vectors = 2 * config.layers + 1
    return matrices, vectors, vectors * config.hidden_size


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    yield Line("compiling the model... (takes a ~minute)")
    yield _estimated(job, 0)


# --- training ----------------------------------------------------------------------------


def _iteration_line(job: Job, step: int) -> Line:
    seconds = estimates.iteration_seconds(job, step)
    return Line(
        f"iter {estimates.iteration(job, step)}: loss {loss.micro_batch(job, step):.4f}, "
        f"time {seconds * 1000:.2f}ms, mfu {estimates.running_mfu(job, step) * 100:.2f}%"
    )


def _waits(job: Job, step: int) -> bool:
    """Whether train.py evaluates before it runs the step, under the step's number."""
    return estimates.evaluates(job, step) and estimates.iteration(job, step) == step


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if not _waits(job, event.step):
        yield _iteration_line(job, event.step)


def _estimated(job: Job, step: int) -> Line:
    """The line of estimate_loss after `step` updates: training and validation loss."""
    train, held_out = loss.expected(job, step + 1), loss.validation(job, step)
    return Line(f"step {step}: train loss {train:.4f}, val loss {held_out:.4f}")


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    if estimates.evaluates(job, event.step):
        yield _estimated(job, event.step)


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    if estimates.evaluates(job, event.step):
        yield Line(f"saving checkpoint to {_out(job)}")


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The line of the iteration that follows a save."""
    if _waits(job, event.step):
        yield _iteration_line(job, event.step)


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.RanksJoined: _ranks_joined,
    events.MeshBuilt: _mesh_built,
    events.ModelBuilt: _model_built,
    events.TrainerReady: _trainer_ready,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
}
