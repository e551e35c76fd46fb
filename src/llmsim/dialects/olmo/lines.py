"""OLMo: blocks of name=value below a line with the step.

OLMo@59a53e3, olmo/train.py:964-989 and :1050-1130, scripts/train.py, and public logs of 2024. On a
terminal it prints with Rich, elsewhere with tabs (olmo/util.py, setup_logging).
"""

from collections.abc import Iterable, Iterator
from math import exp

from llmsim.dialects.line import Line, Render
from llmsim.dialects.olmo import recovery
from llmsim.dialects.parts.modules import Module, linear, printed, repeated
from llmsim.dialects.parts.torchrun import greeting
from llmsim.job.layout import shards_weights, state_ranks
from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import Architecture, embedding_parameters, parameter_count
from llmsim.run import events
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]
Metrics = Iterable[tuple[str, float]]

MEGABYTE = 1_000_000
CHECKPOINTS = "/checkpoints"

# Modules and line numbers of the messages.
_MAIN, _METRICS, _TRAINER, _EVAL = "scripts.train:{}", "olmo.train:981", "olmo.train:{}", 1085
_DROPOUT, _NORM = Module("Dropout", "p=0.0, inplace=False"), Module("RMSLayerNorm")
_TIME, _INFO, _PLACE, _RESET = "\x1b[2;36m", "\x1b[34m", "\x1b[2m", "\x1b[0m"


def number(value: float) -> str:
    """A number with the decimals that OLMo gives to its size (train.py:966)."""
    if value < 0.0001:
        return str(value)
    if value > 1000:
        return f"{int(value):,d}"
    if value > 100:
        return f"{value:.1f}"
    if value > 10:
        return f"{value:.2f}"
    return f"{value:.3f}" if value > 1 else f"{value:.4f}"


def _say(job: Job, at: float, screen: Screen, place: str, text: str) -> Line:
    now = units.stamp(job.start, at)
    if not screen.live:
        stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}"
        return Line(f"{stamp}\t{hostname(job, 0)}:0\t{place}\tINFO\t{text}")
    stamp, level, origin = f"[{now:%Y-%m-%d %H:%M:%S}]", f"{'INFO':<8}", f"[{place}, rank=0]"
    if screen.color:
        stamp, level = f"{_TIME}{stamp}{_RESET}", f"{_INFO}{level}{_RESET}"
        origin = f"{_PLACE}{origin}{_RESET}"
    return Line(f"{stamp} {level} {origin} {text}")


def _block(job: Job, at: float, screen: Screen, head: str, metrics: Metrics) -> Lines:
    yield _say(job, at, screen, _METRICS, head)
    for name, value in metrics:
        yield Line(f"    {name}={number(value)}")


# --- launch ------------------------------------------------------------------------------


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    for line, text in (
        (310, "Multiprocessing start method set to 'spawn'"),
        (318, "Process group initialized"),
        (321, "CLI environment prepared"),
        (71, f"Saving config to {CHECKPOINTS}/{job.run_name}/config.yaml"),
    ):
        yield _say(job, event.at, screen, _MAIN.format(line), text)


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    config = job.architecture
    inner = parameter_count(config) - embedding_parameters(config)
    yield _say(job, event.at - event.seconds, screen, _MAIN.format(105), "Building model...")
    for line, text in (
        (107, f"Total number of parameters: {event.parameters:,d}"),
        (108, f"Number of non-embedding parameters: {inner:,d}"),
        (109, f"Peak GPU Memory (MB) before {_strategy(job)}: 0"),
    ):
        yield _say(job, event.at, screen, _MAIN.format(line), text)


def _strategy(job: Job) -> str:
    if job.layout.gpus == 1:
        return "single"
    return "fsdp" if shards_weights(job.layout) else "ddp"


def _wrapped_bytes(job: Job) -> int:
    """Bytes of a wrapped model: fp32 weights, sharded by FSDP; with DDP also gradient buckets."""
    weights = 4 * parameter_count(job.architecture)
    if _strategy(job) == "fsdp":
        return weights // state_ranks(job.layout)
    return 2 * weights if _strategy(job) == "ddp" else weights


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    wrapped, used = _strategy(job), _wrapped_bytes(job) // MEGABYTE
    begun = event.at - event.seconds
    if wrapped != "single":
        text = f"Wrapping model with {wrapped.upper()}..."
        yield _say(job, begun, screen, _MAIN.format(120), text)
    text = f"Peak GPU Memory (MB) after {wrapped}: {used}"
    yield _say(job, event.at, screen, _MAIN.format(172), text)
    yield _say(job, event.at, screen, _MAIN.format(173), "Model:")
    first, *rest = printed(_wrapped(job))
    yield _say(job, event.at, screen, _MAIN.format(174), first)
    yield from map(Line, rest)
    text = "Constructing optimizer with 2 param groups"
    yield _say(job, event.at, screen, "olmo.optim:944", text)


def _wrapped(job: Job) -> Module:
    """The model as training sees it (scripts/train.py); FSDP wraps each block, too (by_block)."""
    block, strategy = _block_modules(job.architecture), _strategy(job)
    if strategy == "fsdp":
        return _sharded(_modules(job.architecture, _sharded(block)))
    name = {"ddp": "DistributedDataParallel", "single": "SingleAccelerator"}[strategy]
    return Module(name, children=(("module", _modules(job.architecture, block)),))


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
    """OLMoSequentialBlock, or OLMoEBlock with the experts of megablocks."""
    hidden, inner = config.hidden_size, config.feed_forward
    query, key_value = config.heads * config.head_width, config.kv_heads * config.head_width
    projection = linear(hidden, query + 2 * key_value)
    begin = (
        ("dropout", _DROPOUT),
        ("act", Module("SwiGLU")),
        ("attn_out", linear(query, hidden)),
    )
    norms = (("rotary_emb", Module("RotaryEmbedding")), ("attn_norm", _NORM), ("ff_norm", _NORM))
    if config.experts > 1:
        router = Module("LearnedRouter", children=(("layer", linear(hidden, config.experts)),))
        experts = Module("ParallelDroplessMLP", children=(("mlp", Module("SparseGLU")),))
        mixture = Module("dMoE", children=(("router", router), ("experts", experts)))
        children = (*begin, ("ffn", mixture), *norms, ("att_proj", projection))
        return Module("OLMoEBlock", children=children)
    return Module("OLMoSequentialBlock", children=(
        *begin,
        ("ff_out", linear(inner, hidden)),
        *norms,
        ("att_proj", projection),
        ("ff_proj", linear(hidden, 2 * inner)),
    ))  # fmt: skip


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    begun = event.at - event.seconds
    text = f"Loading checkpoint from {event.path}..."
    yield _say(job, begun, screen, _MAIN.format(236), text)
    yield _say(job, event.at, screen, _MAIN.format(242), "Checkpoint successfully loaded")


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    if event.step:
        begun = event.at - event.seconds
        yield _say(job, begun, screen, "train:188", f"Loading checkpoint from {event.path}...")
        yield _say(job, event.at, screen, "train:198", "Checkpoint successfully loaded")


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    yield _say(job, event.at, screen, _MAIN.format(263), "Starting training...")


# --- training ----------------------------------------------------------------------------


def _step(event: events.Step, job: Job, screen: Screen) -> Lines:
    if event.step % job.schedule.log_every:  # step 1 has no line of its own
        return
    head = f"[step={event.step}/{job.schedule.steps},epoch={event.epoch - 1}]"
    yield from _block(job, event.at, screen, head, metrics(event, job))


def metrics(event: events.Step, job: Job) -> Iterator[tuple[str, float]]:
    """The values that a step logs, by OLMo's names."""
    yield "optim/total_grad_norm", event.gradient_norm
    yield "train/CrossEntropyLoss", event.loss
    yield "train/Perplexity", exp(event.loss)
    yield "throughput/total_tokens", event.tokens
    if event.step > 1:  # OLMo does not time the first step, which compiles
        rate = event.tokens_per_second / job.layout.gpus
        yield "throughput/device/tokens_per_second", rate
        yield "throughput/device/batches_per_second", event.tokens_per_second / batch_tokens(job)
    if event.step < 3 or event.step % 10 == 0:
        yield "System/Peak GPU Memory (MB)", event.allocated / MEGABYTE


def _progress(event: events.Progress, job: Job, screen: Screen) -> Lines:
    """The line about the progress of an evaluation, at intervals."""
    if event.task != "validation" or event.done == 0:
        return
    if event.done % job.schedule.log_every == 0 or event.done == event.total:
        text = f"[eval_step={event.done}/{event.total}]"
        yield _say(job, event.at, screen, _TRAINER.format(_EVAL), text)


def _phase_started(event: events.PhaseStarted, job: Job, screen: Screen) -> Lines:
    if event.phase == "validation":
        text = f"Starting evaluation for '{job.dataset.name}-validation'..."
        yield _say(job, event.at, screen, _TRAINER.format(1058), text)


def _validated(event: events.Validated, job: Job, screen: Screen) -> Lines:
    label = f"{job.dataset.name}-validation"
    yield from _block(job, event.at, screen, label, evaluation(event, job))


def evaluation(event: events.Validated, job: Job) -> tuple[tuple[str, float], ...]:
    """The values that an evaluation logs, by OLMo's names."""
    label = f"{job.dataset.name}-validation"
    return (
        (f"eval/{label}/CrossEntropyLoss", event.loss),
        (f"eval/{label}/Perplexity", event.perplexity),
    )


def _checkpoint_started(event: events.CheckpointStarted, job: Job, screen: Screen) -> Lines:
    yield _say(job, event.at, screen, _TRAINER.format(1260), "Saving checkpoint...")


def _checkpoint_saved(event: events.CheckpointSaved, job: Job, screen: Screen) -> Lines:
    text = f"Checkpoint saved to {CHECKPOINTS}/{job.run_name}/step{event.step}"
    yield _say(job, event.at, screen, _TRAINER.format(1262), text)


def _phase_ended(event: events.PhaseEnded, job: Job, screen: Screen) -> Lines:
    if event.phase == "training":
        yield _say(job, event.at, screen, _TRAINER.format(1352), "Training loop complete")
        yield _say(job, event.at, screen, _MAIN.format(265), "Training complete")


LINES: dict[type, Render] = {
    **recovery.LINES,
    events.Resumed: _resumed,
    events.Rendezvous: _rendezvous,
    events.BackendReady: _backend_ready,
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
