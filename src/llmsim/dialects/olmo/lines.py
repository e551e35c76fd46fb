"""OLMo: blocks of name=value below a line with the step.

OLMo v0.6.0: scripts/train.py, whose logger is "train", and olmo/train.py.
"""

from collections.abc import Iterator
from math import exp, log

from llmsim.dialects.line import Line, Render
from llmsim.dialects.olmo import recovery
from llmsim.dialects.olmo.configuration import (
    configuration,
    flat,
    pretty,
    strategy,
    validation_label,
)
from llmsim.dialects.olmo.log_lines import CHECKPOINTS, MAIN, SAVER, TRAINER, block, say
from llmsim.dialects.parts import process_group
from llmsim.dialects.parts.modules import Module, linear, printed, repeated
from llmsim.dialects.parts.torchrun import greeting
from llmsim.job import milestones
from llmsim.job.layout import state_ranks
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import whole_run
from llmsim.model.architecture import Architecture, embedding_parameters, parameter_count
from llmsim.physics.hardware import storage
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

MEGABYTE = 1_000_000
_DROPOUT, _NORM = Module("Dropout", "p=0.0, inplace=False"), Module("RMSLayerNorm")


# --- launch ------------------------------------------------------------------------------


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """Logging is set up only here; what comes before it, no one prints."""
    yield say(job, event.at, screen, MAIN.format(380), "CLI environment prepared")
    yield from _configuration(job, event.at, screen)
    path = f"{CHECKPOINTS}/{job.run_name}/config.yaml"
    yield say(job, event.at, screen, MAIN.format(98), f"Saving config to {path}")


def _configuration(job: Job, at: float, screen: Screen) -> Lines:
    """A dataclass, which Rich shows over several lines."""
    yield say(job, at, screen, MAIN.format(90), "Configuration:")
    config = configuration(job)
    if not screen.live:
        yield say(job, at, screen, MAIN.format(91), flat(config))
        return
    head = say(job, at, screen, MAIN.format(91), "")
    yield head._replace(text=head.text.rstrip(" "))
    yield from map(Line, pretty(config))


def _dataset_ready(event: events.DatasetReady, job: Job, screen: Screen) -> Lines:
    """The order of all samples is written down (olmo/data/iterable_dataset.py)."""
    path, place = f"{CHECKPOINTS}/{job.run_name}/train_data", "olmo.data.iterable_dataset:{}"
    yield say(job, event.at, screen, place.format(78), "Saving global data order indices...")
    text = f"Global data order indices saved to '{path}/global_indices.npy'"
    yield say(job, event.at, screen, place.format(87), text)


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    config, at = job.architecture, event.at
    inner = parameter_count(config) - embedding_parameters(config)
    yield say(job, at - event.seconds, screen, MAIN.format(132), "Building model...")
    for line, text in (
        (134, f"Total number of parameters: {event.parameters:,d}"),
        (135, f"Number of non-embedding parameters: {inner:,d}"),
        (136, f"Peak GPU Memory (MB) before {strategy(job)}: 0"),
    ):
        yield say(job, at, screen, MAIN.format(line), text)


def _wrapped_bytes(job: Job) -> int:
    """Bytes of a wrapped model: fp32 weights, sharded by FSDP; with DDP also gradient buckets."""
    weights = 4 * parameter_count(job.architecture)
    if strategy(job) == "fsdp":
        return weights // state_ranks(job.layout)
    return 2 * weights


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    wrapped, used, at = strategy(job), _wrapped_bytes(job) // MEGABYTE, event.at
    line = 165 if wrapped == "fsdp" else 148
    text = f"Wrapping model with {wrapped.upper()}..."
    yield say(job, at - event.seconds, screen, MAIN.format(line), text)
    yield say(job, at, screen, "olmo.model:1168", "Initializing model parameters...")
    text = f"Peak GPU Memory (MB) after {wrapped}: {used}"
    yield say(job, at, screen, MAIN.format(221), text)
    yield say(job, at, screen, MAIN.format(222), "Model:")
    first, *rest = printed(_wrapped(job))
    yield say(job, at, screen, MAIN.format(223), first)
    yield from map(Line, rest)
    text = "Constructing optimizer with 2 param groups"
    yield say(job, at, screen, "olmo.optim:944", text)


def _wrapped(job: Job) -> Module:
    """The model as training sees it (scripts/train.py); FSDP wraps each block, too (by_block)."""
    inner = _block_modules(job.architecture)
    if strategy(job) == "fsdp":
        return _sharded(_modules(job.architecture, _sharded(inner)))
    children = (("module", _modules(job.architecture, inner)),)
    return Module("DistributedDataParallel", children=children)


def _sharded(module: Module) -> Module:
    return Module("FullyShardedDataParallel", children=(("_fsdp_wrapped_module", module),))


def _modules(config: Architecture, block: Module) -> Module:
    """OLMo (olmo/model.py): its modules in the order in which they are created."""
    size = (config.vocabulary, config.hidden_size)
    head = () if config.tied else (("ff_out", linear(config.hidden_size, config.vocabulary)),)
    transformer = Module("ModuleDict", children=(
        ("wte", Module("Embedding", f"{size[0]}, {size[1]}")),
        ("emb_drop", _DROPOUT),
        ("ln_f", _NORM),
        ("blocks", repeated(config.layers, block)),
        *head,
    ))  # fmt: skip
    return Module("OLMo", children=(("transformer", transformer),))


def _block_modules(config: Architecture) -> Module:
    """OLMoSequentialBlock: what OLMoBlock makes, and its own after it."""
    hidden, inner = config.hidden_size, config.feed_forward
    query, key_value = config.heads * config.head_dim, config.kv_heads * config.head_dim
    return Module("OLMoSequentialBlock", children=(
        ("dropout", _DROPOUT),
        ("act", Module("SwiGLU")),
        ("attn_out", linear(query, hidden)),
        ("ff_out", linear(inner, hidden)),
        ("rotary_emb", Module("RotaryEmbedding")),
        ("att_proj", linear(hidden, query + 2 * key_value)),
        ("ff_proj", linear(hidden, 2 * inner)),
        ("attn_norm", _NORM),
        ("ff_norm", _NORM),
    ))  # fmt: skip


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    """Released weights; of a run that goes on its own checkpoint has taken the load path."""
    if milestones.is_fresh(job):
        yield from _loaded(job, event.at - event.seconds, event.at, screen, event.path, False)


def _loaded(job: Job, begun: float, at: float, screen: Screen, path: str, own: bool) -> Lines:
    """A checkpoint of the run's own has the state of its trainer; that of others is reset."""
    yield say(job, begun, screen, MAIN.format(329), f"Loading checkpoint from {path}...")
    yield from _states(job, begun, at, screen)
    if own:
        yield from _trainer_state(job, at, screen)
    yield say(job, at, screen, MAIN.format(336), "Checkpoint successfully loaded")


def _states(job: Job, begun: float, at: float, screen: Screen) -> Lines:
    """TorchLegacyShardedCheckpointer tells what it loads; the one of whole checkpoints nothing."""
    if strategy(job) == "ddp":
        return
    for part, line, text in (
        (0.2, 1038, "Loading model state..."),
        (0.5, 1042, "Loading optimizer state..."),
        (0.5, 219, "Flattening sharded optimizer state..."),
        (0.9, 233, "Loading flattened optimizer state..."),
    ):
        yield say(job, begun + part * (at - begun), screen, SAVER.format(line), text)


def _trainer_state(job: Job, at: float, screen: Screen) -> Lines:
    yield say(job, at, screen, TRAINER.format(407), "Resetting learning rate...")
    yield say(job, at, screen, TRAINER.format(419), "Restoring RNG states...")


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    if not event.step:
        if job.recipe.released:
            released = f"models/{job.model.name}"
            yield from _loaded(job, event.at, event.at, screen, released, False)
        return
    begun, path = event.at - event.seconds, f"{CHECKPOINTS}/{job.run_name}/{_name(job, event.step)}"
    text = f"Setting load path to local checkpoint {path}"
    yield say(job, begun, screen, MAIN.format(257), text)
    if job.recipe.released:
        yield say(job, begun, screen, MAIN.format(273), _KEEPS_STATE)
    yield from _loaded(job, begun, event.at, screen, path, True)


_KEEPS_STATE = (
    "You set both reset_trainer_state=True, and try_load_latest_save=True. If we were to run like "
    "this, it would reset your trainer state right now even though we're in the middle of a run. I "
    "will assume you didn't mean that, and set reset_trainer_state=False."
)


def _name(job: Job, step: int) -> str:
    """The folder of a checkpoint."""
    return f"step{step}{'' if strategy(job) == 'fsdp' else '-unsharded'}"


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    at = event.at
    if milestones.is_fresh(job) and not job.recipe.released:
        yield from _pre_train(job, at, screen)
    yield say(job, at, screen, MAIN.format(352), "Starting training...")
    if event.first_step < 4 or event.first_step % 10 == 1:
        peak = ("System/Peak GPU Memory (MB)", _wrapped_bytes(job) / MEGABYTE)
        yield from block(job, at, screen, "Pre-train system metrics", (peak,))


def _pre_train(job: Job, at: float, screen: Screen) -> Lines:
    """A checkpoint of step 0 is saved and loaded, so that no disk is full at the first one."""
    saved = at - storage.restore_seconds(job, 0)
    begun, path = (
        saved - storage.save_seconds(job, 0),
        f"{CHECKPOINTS}/{job.run_name}/{_name(job, 0)}",
    )
    yield say(job, begun, screen, MAIN.format(312), "Saving pre-train checkpoint...")
    yield from _written(job, begun, saved, screen)
    yield say(job, saved, screen, MAIN.format(314), f"Checkpoint saved to {path}")
    text = "Attempting to load pre-train checkpoint..."
    yield say(job, saved, screen, MAIN.format(317), text)
    yield from _states(job, saved, at, screen)
    yield from _trainer_state(job, at, screen)
    yield say(job, at, screen, MAIN.format(321), "Checkpoint successfully loaded")


def _written(job: Job, begun: float, at: float, screen: Screen) -> Lines:
    """What a checkpointer tells while it saves: whole ones their parts, all the configuration."""
    if strategy(job) == "ddp":
        for part, line, text in (
            (0.0, 794, "Saving model state..."),
            (0.3, 809, "Saving optim state..."),
            (1.0, 668, "Saving trainer state..."),
        ):
            yield say(job, begun + part * (at - begun), screen, SAVER.format(line), text)
    yield say(job, at, screen, SAVER.format(606), "Saving config...")


# --- training ----------------------------------------------------------------------------


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if event.step % job.schedule.log_every:  # step 1 has no line of its own
        return
    head = f"[step={event.step}/{whole_run(job.schedule)},epoch={event.epoch - 1}]"
    yield from block(job, event.at, screen, head, metrics(event, job))


def metrics(event: events.Step, job: Job) -> Iterator[tuple[str, float]]:
    """The values that a step logs, by OLMo's names."""
    yield "optim/total_grad_norm", event.gradient_norm
    yield "train/CrossEntropyLoss", event.loss
    yield "train/Perplexity", exp(event.loss)
    yield "throughput/total_tokens", event.tokens
    gigaflops = flops(job) * event.tokens / 1e9
    yield "throughput/total_training_Gflops", gigaflops
    yield "throughput/total_training_log_Gflops", log(gigaflops)
    if event.step > 1:  # OLMo does not time the first step, which compiles
        rate = event.tokens_per_second / job.layout.gpus
        yield "throughput/device/tokens_per_second", rate
        yield "throughput/device/batches_per_second", event.tokens_per_second / batch_tokens(job)
    if event.step < 3 or event.step % 10 == 0:
        yield "System/Peak GPU Memory (MB)", event.allocated / MEGABYTE


def flops(job: Job) -> int:
    """Of a token (model.py:1569, 1587): twice and four times the weights, and the attention."""
    config, count = job.architecture, parameter_count(job.architecture)
    attention = 12 * config.layers * config.hidden_size * job.schedule.sequence
    return 2 * (count - embedding_parameters(config)) + 4 * count + attention


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The line about the progress of an evaluation, at intervals."""
    if event.task != "validation" or event.done == 0:
        return
    if event.done % job.schedule.log_every == 0 or event.done == event.total:
        text = f"[eval_step={event.done}/{event.total}]"
        yield say(job, event.at, screen, TRAINER.format(1030), text)


def _phase_started(event: events.PhaseStarted, job: Job, screen: Screen) -> Lines:
    if event.phase == "validation":
        text = f"Running evaluation for '{validation_label(job)}'..."
        yield say(job, event.at, screen, TRAINER.format(1006), text)


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    yield from block(job, event.at, screen, validation_label(job), evaluation(event, job))


def evaluation(event: events.Validated, job: Job) -> tuple[tuple[str, float], ...]:
    """The values that an evaluation logs, by OLMo's names."""
    label = validation_label(job)
    return (
        (f"eval/{label}/CrossEntropyLoss", event.loss),
        (f"eval/{label}/Perplexity", event.perplexity),
    )


def _save(job: Job, step: int) -> tuple[str, int, str]:
    """What it tells of a save, in which line, and as what it is saved: the last may come later."""
    whole, due = strategy(job) == "ddp", milestones.save_is_due(job, step)
    if whole:
        line, what = (
            (1292, "unsharded checkpoint") if due else (1354, "final unsharded model checkpoint")
        )
        return f"Saving {what}...", line, "Unsharded checkpoint"
    line, what = (1259, "checkpoint") if due else (1362, "final checkpoint")
    return f"Saving {what}...", line, "Checkpoint"


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    text, line, _ = _save(job, event.step)
    yield say(job, event.at, screen, TRAINER.format(line), text)


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    _, line, what = _save(job, event.step)
    yield from _written(job, event.at - event.seconds, event.at, screen)
    path = f"{CHECKPOINTS}/{job.run_name}/{_name(job, event.step)}"
    yield say(job, event.at, screen, TRAINER.format(line + 2), f"{what} saved to {path}")


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase != "training":
        return
    yield say(job, event.at, screen, MAIN.format(354), "Training complete")
    yield from process_group.leaked(job, event.at)


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Resumed: _resumed,
    events.Rendezvous: _rendezvous,
    events.BackendReady: _backend_ready,
    events.DatasetReady: _dataset_ready,
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.WeightsLoaded: _weights_loaded,
    events.TrainerReady: _trainer_ready,
    events.PhaseStarted: _phase_started,
    events.Progress: _progress,
    events.Step: _step,
    events.Validated: _validated,
    events.CheckpointStarted: _checkpoint_started,
    events.CheckpointSaved: _checkpoint_saved,
    events.PhaseEnded: _phase_ended,
}
