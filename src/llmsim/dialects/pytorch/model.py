"""The lines about the data, the model and the schedule, before the first step."""

from collections.abc import Iterator
from math import fsum

from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts import slurm
from llmsim.dialects.pytorch.log_lines import alone, say
from llmsim.job.layout import Layout, Sharding
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import Schedule, whole_run
from llmsim.physics.hardware import memory
from llmsim.physics.speed import batch_ramp
from llmsim.run import events
from llmsim.text import units
from llmsim.text.fitting import Clause
from llmsim.text.screen import Screen

Lines = Iterator[Line]

NOTHING: Clause = (("", ""),)

# Usual settings of the optimizer; in fine-tuning the defaults of torch and Hugging Face's trainer.
FINE_TUNING = "AdamW (0.9, 0.999), no weight decay"
OPTIMIZERS = {"language": "AdamW (0.9, 0.95), weight decay 0.1"}  # by objective

SHARDINGS: dict[Sharding, str] = {
    "ddp": "DDP",
    "zero1": "ZeRO-1",
    "zero2": "ZeRO-2",
    "zero3": "ZeRO-3",
    "fsdp2": "FSDP2",
}


def _tokenizer_loaded(event: events.TokenizerLoaded, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"Tokenizer: {event.vocabulary:,} tokens"),),
        (("", f", loaded in {event.seconds:.2f} s"),),
    )  # fmt: skip


def _dataset_ready(event: events.DatasetReady, job: Job, screen: Screen) -> Lines:
    part, whole = units.short(event.tokens), units.short(job.dataset.tokens)
    pieces = "prompts" if job.recipe.generates else f"sequences of {job.schedule.sequence:,}"
    yield say(
        event, job, screen,
        (("name", job.dataset.name),),
        (("", f": {part}{f' of {whole}' if event.tokens < job.dataset.tokens else ''} tokens"),),
        (("", f", {units.counted(job.schedule.epochs, 'epoch')}"),),
        (("", f", {event.sequences:,} {pieces}"),),
        (("", f", {units.counted(event.shards, 'shard')}, {units.gigabytes(event.size)}"),),
    )  # fmt: skip


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("name", job.model.name),),
        (("", ": "), ("number", f"{event.parameters:,} parameters")),
        (("", f", {event.active_parameters:,} active"),)
        if event.active_parameters < event.parameters
        else NOTHING,
        (("muted", f", {event.embedding_parameters:,} of them embeddings"),),
    )  # fmt: skip
    yield _config(event, job, screen)
    if event.trained_parameters < event.parameters:
        part = event.trained_parameters / event.parameters
        yield say(
            event, job, screen,
            (("", f"LoRA of rank {job.architecture.adapter_rank}"),),
            (("", ": "), ("number", f"{event.trained_parameters:,} trainable parameters")),
            (("number", f" ({part:.2%})"),),
        )  # fmt: skip


def _config(event: events.ModelBuilt, job: Job, screen: Screen) -> Line:
    config = job.architecture
    mixture = f", {config.experts} experts, {config.active_experts} active"
    return say(
        event, job, screen,
        (("", f"  {config.layers} layers, width {config.hidden_size:,}"),),
        (("", f", {config.heads} heads ({config.kv_heads} kv)"),),
        (("", mixture),) if config.experts > 1 else NOTHING,
        (("", f", feed-forward {config.feed_forward:,}"),),
        (("", f", vocabulary {config.vocabulary:,}"),),
        (("", f", context {config.context:,}"),),
    )  # fmt: skip


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", "Loaded"),),
        (("", " "), ("name", event.path)),
        (("", f": {units.gigabytes(event.size)} in {units.seconds(event.seconds)}"),),
        (("muted", f", {units.counted(event.shards, 'shard')}"),),
    )  # fmt: skip


def _shared(layout: Layout) -> str:
    """What data and context ranks share, and on how many replicas."""
    ranks = layout.dp * layout.cp
    if ranks == 1:
        return ""
    copies = f" in {layout.replicas:,} replicas" if layout.replicas > 1 else ""
    return f"{SHARDINGS[layout.sharding]} over {ranks:,} ranks{copies}"


# Formats in which matrices are multiplied, as the log calls them.
_PRECISIONS = {
    "fp16": "fp16 with a loss scale from 65,536",
    "fp8": "fp8 (E4M3, E5M2 for gradients)",
    "mxfp8": "MXFP8 (E4M3 in blocks of 32)",
}


def _numbers(layout: Layout) -> str:
    """The precisions that are not bf16 with fp32 states; "" where there are none."""
    told = []
    if layout.precision in _PRECISIONS:
        told.append(f"products in {_PRECISIONS[layout.precision]}")
    if layout.bf16_states:
        told.append("weights and moments in bf16")
    if layout.four_bit_base:
        told.append("frozen weights in NF4")
    return ", ".join(told)


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    layout = job.layout
    parts = [
        _shared(layout),
        f"TP {layout.tp}" if layout.tp > 1 else "",
        f"PP {layout.pp}" if layout.pp > 1 else "",
        f"CP {layout.cp}" if layout.cp > 1 else "",
        f"EP {layout.ep}" if layout.ep > 1 else "",
    ]
    applied = ", ".join(part for part in parts if part)
    yield say(
        event, job, screen,
        (("", "Moved to cuda:0" if alone(job) else f"Applied {applied}"),),
        (("", ": "), ("number", f"{event.parameters_per_gpu:,} parameters")),
        NOTHING if alone(job) else (("number", " per GPU"),),
        (("muted", f", {event.seconds:.2f} s"),),
    )  # fmt: skip
    if numbers := _numbers(layout):
        yield say(event, job, screen, (("", f"Precision: {numbers}"),))
    if layout.recompute != "none":
        yield say(
            event, job, screen, (("", f"Applied {layout.recompute} activation checkpointing"),)
        )  # fmt: skip


def _memory_planned(event: events.MemoryPlanned, job: Job, screen: Screen) -> Lines:
    part = event.allocated / event.capacity
    yield say(
        event, job, screen,
        (("", "Memory: "), ("memory", units.gib(event.allocated))),
        (("", " after build"),),
        (("", f" ({part:.1%} of {units.gib(event.capacity)})"),),
    )  # fmt: skip
    shown = memory.parts_gib(event.expected)
    yield say(
        event, job, screen,
        (("", "Expected peak: "), ("memory", f"{fsum(shown.values()):.2f}GiB")),
        (("muted", " = " + " + ".join(f"{name} {size:.2f}" for name, size in shown.items())),),
    )  # fmt: skip


def _warmup(schedule: Schedule) -> str:
    """The length of the warmup: in steps, or in sequences if the batch grows."""
    if schedule.ramp:
        return f"{schedule.warmup * schedule.global_batch:,} sequences"
    return f"{schedule.warmup:,}"


def _tokens_in_all(job: Job) -> int:
    """Tokens of the whole run, of which the job may train a part."""
    left = whole_run(job.schedule) - job.schedule.steps
    return batch_ramp.tokens(job, 1, job.schedule.steps) + left * batch_tokens(job)


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    schedule, layout = job.schedule, job.layout
    factors = [
        f"{layout.micro_batch}",
        f"{layout.dp:,} ranks" if layout.dp > 1 else "",
        f"{layout.accumulation} accumulated" if layout.accumulation > 1 else "",
    ]
    product = " x ".join(factor for factor in factors if factor)
    answers = job.recipe.generates
    group = job.recipe.row_sequences or 1
    prompts = max(1, schedule.global_batch // group)
    size = f"{schedule.global_batch:,} answers" if answers else f"{batch_tokens(job):,} tokens"
    made_of = (prompts, group) if answers else (schedule.global_batch, schedule.sequence)
    yield say(
        event, job, screen,
        (("", "Batch "), ("number", size)),
        (("", " = {:,} x {:,}".format(*made_of)),),
        (("muted", f" ({product})" if " x " in product else ""),),
        (("", f", up to {schedule.sequence:,} tokens"),) if answers else NOTHING,
    )  # fmt: skip
    if schedule.ramp:
        yield say(
            event, job, screen,
            (("", "Batch ramp: "), ("number", f"{schedule.ramp[0].batch:,} sequences")),
            *((("", f", {part.batch:,} from step {part.first:,}"),) for part in schedule.ramp[1:]),
        )  # fmt: skip
    yield say(
        event, job, screen,
        (("", f"{whole_run(schedule):,} steps"),),
        (("", f", {_warmup(schedule)} of warmup"),),
        (("", f", {schedule.decay} {schedule.peak_lr:.2e} -> {schedule.final_lr:.2e}"),),
        (("", f", {prompts * whole_run(schedule):,} prompts in all"),)
        if answers
        else (("", f", {units.short(_tokens_in_all(job))} tokens in all"),),
        (("", f", clip 1.0, {OPTIMIZERS.get(job.recipe.objective, FINE_TUNING)}"),),
    )  # fmt: skip
    if schedule.time_limit:
        limit = slurm.hours(schedule.time_limit)
        yield say(event, job, screen, (("", f"Slurm ends this job after {limit}"),))
    if whole_run(schedule) > schedule.steps:
        yield say(
            event, job, screen,
            (("", f"This job stops after step {schedule.steps:,}"),),
            (("", ", when its time in the queue is over"),),
        )  # fmt: skip
    yield say(
        event, job, screen,
        (("", f"{units.at_most_five(event.flops_per_token / 1e9).strip()} GFLOP per token"),),
        (("", f", expecting MFU of about {event.expected_mfu:.0%}"),),
        (("muted", "; torch.compile is on, step 1 includes compilation"),)
        if layout.engine.compiled
        else NOTHING,
    )  # fmt: skip


LINES: dict[type, Render] = {
    events.TokenizerLoaded: _tokenizer_loaded,
    events.DatasetReady: _dataset_ready,
    events.ModelBuilt: _model_built,
    events.WeightsLoaded: _weights_loaded,
    events.ModelSharded: _model_sharded,
    events.MemoryPlanned: _memory_planned,
    events.TrainerReady: _trainer_ready,
}
