"""From run_train.sh to the first step, in the order of a complete log of v0.2."""

from collections.abc import Iterator

from llmsim.dialects.capture import nodes_kept
from llmsim.dialects.line import Line, Render
from llmsim.dialects.parts import tensorboard
from llmsim.dialects.parts.nccl import version_line
from llmsim.dialects.parts.torchrun import greeting
from llmsim.dialects.torchtitan.log_lines import color, say, shown_rank, shown_ranks
from llmsim.dialects.torchtitan.model import (
    arguments,
    counts,
    flavor,
    known_peak,
    peak_flops,
    shown_stage,
    spec,
    stage_modules,
)
from llmsim.job.layout import shards_weights
from llmsim.job.records import Job, gpus_per_node, speaking_rank
from llmsim.physics.hardware import allocator, memory
from llmsim.run import cluster, events
from llmsim.run.cluster import hostname
from llmsim.text import units
from llmsim.text.screen import Screen

Lines = Iterator[Line]

CHECKPOINTS = "./outputs/checkpoint"


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    """What bash prints of run_train.sh, which runs under set -x, on each node that is kept."""
    gpus, log_rank = gpus_per_node(job), shown_rank(job) % gpus_per_node(job)
    name = job.model.name.lower().replace("-", "_")
    config = f"./torchtitan/models/{spec(job)}/train_configs/{name}.toml"
    endpoint = "localhost:0" if job.layout.nodes == 1 else f"{hostname(job, 0)}:{cluster.PORT}"
    nodes = f"--nnodes={job.layout.nodes} " if job.layout.nodes > 1 else ""
    command = (
        f"torchrun {nodes}--nproc_per_node={gpus} --rdzv_backend c10d "
        f"--rdzv_endpoint={endpoint} --local-ranks-filter {log_rank} --role rank --tee 3 "
        f"-m torchtitan.train --job.config_file {config}"
    )
    texts = (
        f"NGPU={gpus}",
        f"export LOG_RANK={log_rank}",
        f"LOG_RANK={log_rank}",
        f"CONFIG_FILE={config}",
        "TRAIN_FILE=torchtitan.train",
        "TORCHFT_LIGHTHOUSE=http://localhost:29510",
        "PYTORCH_ALLOC_CONF=expandable_segments:True",
        "TORCHFT_LIGHTHOUSE=http://localhost:29510",
        command,
    )
    for node in nodes_kept(job):
        for text in texts:
            yield Line(f"+ {text}", rank=node * gpus, launcher=True)


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    yield from greeting(job, event.at)


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    yield from say(job, event.at - event.seconds, f"Starting job: {job.model.name} training")
    text = "ENV[TORCH_NCCL_ASYNC_ERROR_HANDLING] = 1 will be overridden to 3 based on job config"
    yield from say(job, event.at, text, "WARNING")
    names, sizes = _mesh(job)
    yield from say(job, event.at, f"Building {len(names)}-D device mesh with {names}, {sizes}")
    yield from say(job, event.at, "[GC] Initial GC collection took 0.00 seconds")


def _mesh(job: Job) -> tuple[list[str], list[int]]:
    """The dimensions of more than one rank (distributed/parallel_dims.py)."""
    layout = job.layout
    ranks = layout.dp // layout.replicas
    copies, shards = (layout.replicas, ranks) if is_sharded(job) else (layout.dp, 1)
    dimensions = [("pp", layout.pp), ("dp_replicate", copies)]
    if layout.ep > 1:  # experts are shared by the ranks of dp_shard_in_ep and cp
        inner = layout.ep // layout.cp or 1
        dimensions += [("dp_shard_mod_ep", shards // inner), ("dp_shard_in_ep", inner)]
    else:
        dimensions.append(("dp_shard", shards))
    dimensions += [("cp", layout.cp), ("tp", layout.tp)]
    always = ("dp_shard_mod_ep", "dp_shard_in_ep")
    kept = {name: size for name, size in dimensions if size > 1 or name in always}
    return list(kept), list(kept.values())


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """The seed is the first thing that ranks share: then NCCL tells its version, on rank 0."""
    if job.layout.gpus > 1 and 0 in shown_ranks(job):
        yield Line(f"{'' if job.capture == 'rank0' else '[rank0]:'}{version_line(job)}")


def _tokenizer_loaded(event: events.TokenizerLoaded, job: Job, screen: Screen) -> Lines:
    yield from say(job, event.at - event.seconds, "Loading tokenizer from tokenizer.json")
    name = job.dataset.name
    yield from say(job, event.at, f"Preparing {name} dataset from ./datasets/{name}")


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    begun, paint = event.at - event.seconds, color(screen)
    kind = f"{spec(job)} {flavor(job)}"
    yield from say(job, begun, f"Building {kind} with {arguments(job)}")
    now = units.stamp(job.start, begun)
    yield from say(job, begun, tensorboard.enabled("./outputs/tb", now))
    capacity = units.gib(memory.capacity(job.gpu))
    yield from say(job, begun, f"CUDA capacity: {job.gpu.name} with {capacity} memory")
    yield from _peak_unknown(job, begun)
    if spec(job) != "llama3":
        dense, sparse, active = counts(job.architecture)
        text = f"Total parameter count: dense {dense:,}, sparse {sparse:,}, active {active:,}"
        yield from say(job, event.at, text)
    size = f"{paint.red}size: {event.parameters:,} total parameters{paint.reset}"
    yield from say(job, event.at, f"{paint.blue}Model {kind} {size}")
    for text in _converted(job):
        yield from say(job, event.at, text)
    if job.layout.engine.compiled:
        yield from say(job, event.at, "Compiling the loss function with torch.compile")


def _converted(job: Job) -> Iterator[str]:
    """The converters of fp8 and mxfp8 (components/quantization/float8.py and mx.py)."""
    if job.layout.precision == "fp8":
        yield "Float8 tensorwise scaled training active"
        yield "Swapped to Float8Linear layers with enable_fsdp_float8_all_gather=True"
    elif job.layout.precision == "mxfp8":
        yield "MX training active with recipe mxfp8_cublas"


def _peak_unknown(job: Job, at: float) -> Lines:
    if known_peak(job.gpu) is None:
        text = f"Peak flops undefined for: {job.gpu.name}, fallback to A100"
        yield from say(job, at, text, "WARNING")


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """Parallelisms are applied at once; then the weights are drawn, which takes the time."""
    begun = event.at - event.seconds
    for text in _applied(job):
        yield from say(job, begun, text)
    yield from _piped(job, begun, screen)
    yield from _peak_unknown(job, event.at)
    for level, text in _initialized(job):
        yield from say(job, event.at, text, level)


def _applied(job: Job) -> Iterator[str]:
    layout = job.layout
    if layout.pp > 1:
        rank = shown_stage(job)
        for stage, modules in stage_modules(job, rank):
            yield f"PP rank {rank} is building stage_idx {stage} with modules {modules}"
    if layout.tp > 1:
        yield "Applied Tensor Parallelism to the model"
    if layout.recompute != "none":
        yield f"Applied {layout.recompute} activation checkpointing to the model"
    if layout.engine.compiled:
        yield "Compiling each TransformerBlock with torch.compile"
    if layout.dp * layout.cp > 1:
        kind = "HSDP" if layout.replicas > 1 else "FSDP"
        yield f"Applied {kind if is_sharded(job) else 'DDP'} to the model"
    if layout.cp > 1:
        yield "Applied Context Parallel to the model"


def _piped(job: Job, at: float, screen: Screen) -> Lines:
    """The schedule of a pipeline (distributed/pipeline_parallel.py:196-207), and the warning that
    no loss is shown, which compares a global rank with the local ranks of LOG_RANK
    (components/metrics.py:215).
    """
    layout, count = job.layout, job.layout.accumulation
    if layout.pp == 1:
        return
    stages = layout.pp * max(1, layout.interleave)
    schedule = "Interleaved1F1B" if stages > layout.pp else "1F1B"
    if count < stages:
        text = (
            f"Number of microbatches ({count}) is less than the total number of stages "
            f"({stages}) which may result in a bubble in the pipeline."
        )
        yield from say(job, at, text, "WARNING")
    text = f"Using pipeline schedule {schedule} with {count} microbatches and {stages} stages."
    yield from say(job, at, text)
    rank, paint = speaking_rank(job), color(screen)
    if rank != shown_rank(job) % gpus_per_node(job):
        text = (
            f"{paint.red}Pipeline Parallel loss is not visible. Please add {paint.yellow}rank "
            f"{rank}{paint.red} to LOG_RANK environment variable in run_train.sh.{paint.reset}"
        )
        yield from say(job, at, text, "WARNING")


def is_sharded(job: Job) -> bool:
    """Whether the weights are shared by several data or context ranks (FSDP)."""
    return shards_weights(job.layout) and job.layout.dp * job.layout.cp > 1


def _initialized(job: Job) -> Iterator[tuple[str, str]]:
    layout, schedule = job.layout, job.schedule
    held, capacity = allocator.reserved(job, 0, shown_stage(job)), memory.capacity(job.gpu)
    yield "INFO", f"Peak FLOPS used for computing MFU: {peak_flops(job.gpu):.3e}"
    yield "INFO", f"CUDA memory usage for model: {units.gib(held)}({100 * held / capacity:.2f}%)"
    if not job.recipe.released:  # its folder has the tokenizer alone
        index = f"./assets/hf/{job.model.name}/model.safetensors.index.json"
        text = f"model.safetensors.index.json not found at hf_assets_path: {index}.{' ' * 21}"
        single = (
            "Defaulting to saving a single safetensors file if checkpoint is saved in HF format"
        )
        yield "WARNING", text + single
    if job.schedule.saves:
        text = f"Checkpointing active. Checkpoints will be loaded from and saved to {CHECKPOINTS}"
        yield "INFO", text
    if is_sharded(job):
        yield "INFO", "Mixed precision training is handled by fully_shard"
    elif layout.tp * layout.pp > 1:
        text = (
            "Mixed precision training with TP or PP is only supported when FSDP/HSDP/CP is enabled."
        )
        yield "WARNING", text
        yield "INFO", "Mixed precision training is disabled"
    else:
        yield "INFO", "Mixed precision training is handled by AMP"
    if job.schedule.validates:
        name = f"{job.dataset.name}_validation"
        yield "INFO", f"Preparing {name} dataset from ./datasets/{name}"
    # A pipeline takes the accumulated micro-batches as one batch.
    piped = layout.pp > 1
    local = layout.micro_batch * (layout.accumulation if piped else 1)
    text = (
        f"Trainer is initialized with local batch size {local}, "
        f"global batch size {schedule.global_batch}, "
        f"gradient accumulation steps {1 if piped else layout.accumulation}, "
        f"sequence length {schedule.sequence}, "
        f"total steps {schedule.steps} (warmup {schedule.warmup})"
    )
    yield "INFO", text


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    begun = event.at - event.seconds
    path = "loading from HF safetensors from --checkpoint.initial_load_path"
    yield from say(job, begun, f"{path}: {event.path}")
    yield from say(job, begun, f"Loading the checkpoint from {event.path}.")
    text = "[GC] GC collection for checkpoint loading. took 0.00 seconds"
    yield from say(job, event.at, text)
    yield from say(
        job, event.at, f"Finished loading the checkpoint in {event.seconds:.2f} seconds."
    )


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    yield from say(job, event.at, f"Training starts at step {event.first_step}")


LINES: dict[type, Render] = {
    events.Launched: _launched,
    events.Rendezvous: _rendezvous,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.TokenizerLoaded: _tokenizer_loaded,
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.WeightsLoaded: _weights_loaded,
    events.TrainerReady: _trainer_ready,
}
