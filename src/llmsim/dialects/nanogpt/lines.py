"""nanoGPT's train.py: a config file that is echoed, then one line every log_interval iterations.

Every evaluation is followed by a save (always_save_checkpoint, train.py's default). The loss of a
line is that of rank 0's last micro-batch, its MFU in units of an A100's peak (model.py).

Iteration i is timed from the end of the one before it, so that an evaluation or a save before it
counts; its line comes after theirs. What train.py prints before its loop stands under no guard:
each process prints it. The running MFU begins at iteration 5; each line keeps nine
tenths of the earlier value (train.py:300-327).
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line, Render
from llmsim.dialects.nanogpt import estimates, recovery
from llmsim.dialects.parts import shell
from llmsim.dialects.parts.interleaving import copies
from llmsim.job.milestones import steps_found
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


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    yield from shell.looked(job, screen, event.at)
    yield from shell.typed(screen, shell.torchrun(job, f"train.py {_config(job)}"))


def _workers_started(event: events.WorkersStarted, job: Job, screen: Screen) -> Lines:
    """configurator.py echoes the file that overrides train.py's defaults, in every process."""
    schedule, layout, config = job.schedule, job.layout, job.architecture
    # One process evaluates, on training and validation data, in the time of one full validation.
    evaluations = max(1, schedule.validation_batches * layout.accumulation // 2)
    settings = {
        "out_dir": repr(recovery.out_dir(job)),
        "dataset": repr(job.dataset.name),
        "batch_size": layout.micro_batch,
        "block_size": schedule.sequence,
        "gradient_accumulation_steps": f"{layout.accumulation} * {layout.dp}",
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_embd": config.hidden_size,
        "max_iters": estimates.last_iteration(job),
        "lr_decay_iters": schedule.steps,
        "warmup_iters": schedule.warmup,
        "learning_rate": _typed(schedule.peak_lr),
        "min_lr": _typed(schedule.final_lr),
        "eval_interval": schedule.validate_every,
        "eval_iters": evaluations,
        "log_interval": schedule.log_every,
        "weight_decay": "1e-1",
    }
    if not layout.engine.compiled:
        settings["compile"] = False
    product = (
        f"# {layout.micro_batch} batch size * {schedule.sequence} block size * "
        f"{layout.accumulation} gradaccum * {layout.dp} GPUs = {batch_tokens(job):,}"
    )
    text = [
        f"# {job.model.name} on {job.layout.gpus:,} x {job.gpu.name}",
        product,
        *(f"{name} = {value}" for name, value in settings.items()),
        "",
    ]
    echo = [f"Overriding config with {_config(job)}:", "\n".join(text)]
    yield from copies(job, "configurator", echo)


def _typed(value: float) -> str:
    """A small number as people type it: 6e-4."""
    digits, exponent = f"{value:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _mesh_built(event: events.MeshBuilt, job: Job, screen: Screen) -> Lines:
    text = f"tokens per iteration will be: {batch_tokens(job):,}"
    yield from copies(job, "tokens", [text])


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    """The model and its optimizer; the warning is torch's, since 2.4."""
    config = job.architecture
    counted = event.parameters - position_parameters(config)  # get_num_params leaves wpe out
    tensors, vectors, size = _tensors(config)
    matrices = event.parameters - size
    begun = [
        "Initializing a new model from scratch",
        f"{_DEFAULTING} to {padded_vocabulary(config)} ({config.vocabulary} rounded up {_WHY})",
    ]
    if steps_found(job):
        begun = [f"Resuming training from {recovery.out_dir(job)}"]
    built = [
        *begun,
        f"number of parameters: {counted / 1e6:.2f}M",
        _SCALER,
        f"num decayed parameter tensors: {tensors}, with {matrices:,} parameters",
        f"num non-decayed parameter tensors: {vectors}, with {size:,} parameters",
        "using fused AdamW: True",
    ]
    if job.layout.engine.compiled:
        built.append("compiling the model... (takes a ~minute)")
    yield from copies(job, "model", built)


_DEFAULTING, _WHY = "defaulting to vocab_size of GPT-2", "for efficiency"
_SCALER = (
    f"{recovery.TRAIN}:196: FutureWarning: `torch.cuda.amp.GradScaler(args...)` is deprecated. "
    "Please use `torch.amp.GradScaler('cuda', args...)` instead.\n"
    "  scaler = torch.cuda.amp.GradScaler(enabled=(dtype == 'float16'))"
)


def _tensors(config: Architecture) -> tuple[int, int, int]:
    """The number of matrices, the number of vectors (norms), and the weights in all vectors.

    c_attn, two c_proj and c_fc in each block, and the embeddings of tokens and positions.
    """
    matrices = 4 * config.layers + 2
    vectors = 2 * config.layers + 1
    return matrices, vectors, vectors * config.hidden_size


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    """The first evaluation; a process that goes on from a checkpoint saves it again (train.py:263
    to 286).
    """
    found = event.first_step - 1
    yield _estimated(job, found)
    if found:
        yield Line(f"saving checkpoint to {recovery.out_dir(job)}")


# --- training ----------------------------------------------------------------------------


def _iteration_line(job: Job, step: int) -> Line:
    seconds = estimates.iteration_seconds(job, step)
    return Line(
        f"iter {estimates.iteration(job, step)}: loss {loss.micro_batch(job, step):.4f}, "
        f"time {seconds * 1000:.2f}ms, mfu {estimates.running_mfu(job, step) * 100:.2f}%"
    )


def _phase_started(event: events.PhaseStarted, job: Job, screen: Screen) -> Lines:
    """The first iteration of a process that goes on from a checkpoint has the number of the last
    one before it.
    """
    found, every = steps_found(job), job.schedule.log_every
    if event.phase == "training" and found and every > 1 and found % every == 0:
        seconds = estimates.iteration_seconds(job, found + 1)
        value = loss.micro_batch(job, found + 1)
        yield Line(f"iter {found}: loss {value:.4f}, time {seconds * 1000:.2f}ms, mfu -100.00%")


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
        yield Line(f"saving checkpoint to {recovery.out_dir(job)}")


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    """The line of the iteration that follows a save."""
    if _waits(job, event.step):
        yield _iteration_line(job, event.step)


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.WorkersStarted: _workers_started,
    events.MeshBuilt: _mesh_built,
    events.ModelBuilt: _model_built,
    events.TrainerReady: _trainer_ready,
    events.PhaseStarted: _phase_started,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
}
