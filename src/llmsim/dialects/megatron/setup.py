"""The model, its optimizer and its data: from an initialized Megatron to the first iteration."""

from collections.abc import Iterable, Iterator
from math import lcm

from llmsim.dialects.line import Line, Render
from llmsim.dialects.megatron import arguments, configs
from llmsim.dialects.megatron.log_lines import INFO, dated, split, stage_rank, timers
from llmsim.dialects.parts.interleaving import joined
from llmsim.job.layout import expert_slices
from llmsim.job.milestones import is_fresh
from llmsim.job.records import Job, is_older
from llmsim.job.schedule import whole_run
from llmsim.model.architecture import Architecture, embedding_parameters, expert_parameters
from llmsim.physics.hardware import stages, storage
from llmsim.physics.speed import batch_ramp
from llmsim.run import cluster, events, hardware_ids
from llmsim.text.screen import Screen

Lines = Iterator[Line]

SPLIT = ((0, 0.949), (0.949, 0.999), (0.999, 1.0))
_BUILT = "after model, optimizer, and learning rate scheduler are built"


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    begun = event.at - event.seconds
    yield Line(f"time to initialize megatron (seconds): {begun:.3f}")
    yield dated(job, begun, "after megatron is initialized")
    yield Line("building GPT model ...")
    if job.layout.nodes == 1:  # one terminal, on which two lines may run together
        yield from map(Line, joined(job, "parameters", [text for text, _ in _parameters(job)]))
    else:
        yield from (Line(text, rank=rank) for text, rank in _parameters(job))


def _parameters(job: Job) -> Iterator[tuple[str, int]]:
    """One line for each slice of the model, with its first rank, in the order of printing."""
    tensor, layout = job.layout.tp, job.layout
    count = tensor * layout.pp
    for place in range(count) if job.tidy else cluster.arrivals(job, "megatron", count):
        stage, slice_ = divmod(place, tensor)
        parameters = stages.stage_parameters(job.architecture, layout, stage)
        rank = f"model parallel rank ({slice_}, {stage})"
        text = f" > number of parameters on (tensor, pipeline) {rank}: {parameters}"
        yield text, stage_rank(job, stage, slice_)


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    wrapper = f"{INFO}distributed.distributed_data_parallel"
    yield Line(
        f"{wrapper}:Setting up DistributedDataParallel with config {configs.ddp_config(job)}"
    )
    for stage in range(job.layout.pp):
        rank = stage_rank(job, stage)
        yield from (Line(text, rank=rank) for text in _buckets(job, stage))
    yield Line(f"{INFO}optimizer:Setting up optimizer with config {configs.optimizer_config(job)}")
    if job.schedule.ramp:  # the arguments count samples, so Megatron computes the iterations
        yield Line(f"setting training iterations to {whole_run(job.schedule)}")
    style = arguments.of(job)["lr_decay_style"]
    logger = "" if is_older(job) else f"{INFO}optimizer_param_scheduler:"
    yield Line(f"{logger}> learning rate decay style: {style}")
    fresh = is_fresh(job)
    if not job.recipe.released and fresh:  # else what is loaded comes later
        yield from _from_random(job)
        yield dated(job, event.at, _BUILT)


def _from_random(job: Job) -> Lines:
    path = f"{arguments.checkpoint_path(job)}/latest_checkpointed_iteration.txt"
    yield Line(f"WARNING: could not find the metadata file {path}{' ' * is_older(job)}")
    yield Line("    will not load any checkpoints and will start from random")
    yield from timers(job, 0, {"load-checkpoint": cluster.setup_seconds(job, "no checkpoint")})


def _buckets(job: Job, stage: int) -> Iterator[str]:
    """The lines of a stage's gradient buckets: one for each piece of the model on it.

    Where ranks share the experts, these have a bucket of their own.
    """
    config, layout = job.architecture, job.layout
    layers, count = stages.stage_layers(config, layout, stage), max(1, layout.interleave)
    whole, last = stages.stage_parameters(config, layout, stage), layout.pp - 1
    outside = -(-embedding_parameters(config) // layout.tp) if count > 1 else 0
    ends = {piece for piece in (0, count - 1) if (stage, piece) in ((0, 0), (last, count - 1))}
    shared = 0
    if layout.ep > 1:
        shared = layers * config.experts // layout.ep * expert_parameters(config)
        shared //= expert_slices(layout)
    for piece in range(count):
        own = layers * (piece + 1) // count - layers * piece // count
        experts = shared * own // layers
        size = (whole - outside * len(ends)) * own // layers + outside * (piece in ends) - experts
        first, final = (stage, piece) == (0, 0), (stage, piece) == (last, count - 1)
        weights = _weights(job, own, first=first, last=final, shared=bool(shared))
        yield from _bucket(job, size, weights)
        if shared:
            names = [f"decoder.layers.{n}.{name}" for n in reversed(range(own)) for name in EXPERTS]
            yield from _bucket(job, experts, names, layout.ep * expert_slices(layout) // layout.tp)


def _bucket(job: Job, count: int, names: Iterable[str], groups: int = 1) -> Iterator[str]:
    """The lines of one bucket with its weights; `groups` of data ranks have other ones."""
    layout, buffer = job.layout, f"{INFO}distributed.param_and_grad_buffer"
    yield f"{buffer}:Number of buckets for gradient all-reduce / reduce-scatter: 1"
    # ZeRO-1 cuts the bucket into equal and aligned parts (param_and_grad_buffer.py).
    ranks = layout.dp * layout.cp // groups
    part = lcm(ranks, 128) if arguments.distributed_optimizer(job) else 1
    padded = "" if is_older(job) else f", {-(-count // part) * part} padded size"
    yield f"Params for bucket 1 ({count} elements{padded}):"
    for name in names:
        yield f"\tmodule.{name}"


EXPERTS = ("mlp.experts.weight2", "mlp.experts.weight1")
_DENSE = ("mlp.linear_fc2.weight", "mlp.linear_fc1.weight", "mlp.linear_fc1.layer_norm_weight")
_ATTENTION = ("linear_proj.weight", "linear_qkv.weight", "linear_qkv.layer_norm_weight")
_LATENT = (
    "linear_proj.weight", "linear_kv_up_proj.weight", "linear_kv_up_proj.layer_norm_weight",
    "linear_kv_down_proj.weight", "linear_q_up_proj.weight", "linear_q_up_proj.layer_norm_weight",
    "linear_q_down_proj.weight",
)  # fmt: skip


def _weights(job: Job, layers: int, *, first: bool, last: bool, shared: bool) -> Iterator[str]:
    """The weights of a piece from the last to the first; without experts that are `shared`."""
    config = job.architecture
    if last:
        if not (config.tied and first):
            yield "output_layer.weight"
        if config.family == "gpt2":
            yield "decoder.final_layernorm.bias"
        yield "decoder.final_layernorm.weight"
    inner = _DENSE
    if config.experts > 1:
        inner = (*(() if shared else EXPERTS), "mlp.router.weight", "pre_mlp_layernorm.weight")
    blocks = [*_with_biases(config, inner)]
    attention = [*_with_biases(config, _LATENT if config.latent_width else _ATTENTION)]
    blocks += [f"self_attention.{name}" for name in attention]
    for layer in reversed(range(layers)):
        for name in blocks:
            yield f"decoder.layers.{layer}.{name}"
    if first:
        if config.family == "gpt2":
            yield "embedding.position_embeddings.weight"
        yield "embedding.word_embeddings.weight"


def _with_biases(config: Architecture, names: Iterable[str]) -> Iterator[str]:
    """The weights with the biases that a GPT has after them, which come first from the end."""
    for name in names:
        normed = name.endswith("layer_norm_weight")
        if config.family == "gpt2" and (normed or config.biases):
            yield name.removesuffix("weight") + "bias"
        yield name


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    if job.attempt == 1:
        yield from _released(job, event.seconds)
        yield dated(job, event.at, _BUILT)


def _released(job: Job, seconds: float) -> Lines:
    path = arguments.released(job)
    yield Line(f" loading release {_kind(job)}checkpoint from {path}")
    yield from _loaded(job, path, 0, seconds)


def _kind(job: Job) -> str:
    """core 0.8.0 saves a file of torch's for each slice of the model, later releases in parts."""
    return "" if is_older(job) else "distributed "


def _loaded(job: Job, path: str, step: int, seconds: float) -> Lines:
    yield Line(" checkpoint version 3.0")
    yield Line(f"  successfully loaded checkpoint from {path} {split(job)} at iteration {step}")
    yield from timers(job, step, {"load-checkpoint": seconds})


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Lines:
    """What another attempt loads: its own last checkpoint, or what the first one began from."""
    if event.step:
        path = arguments.checkpoint_path(job)
        yield Line(f" loading {_kind(job)}checkpoint from {path} at iteration {event.step}")
        yield from _loaded(job, path, event.step, event.seconds)
    elif job.recipe.released:
        yield from _released(job, storage.load_seconds(job))
    else:
        yield from _from_random(job)
    yield dated(job, event.at, _BUILT)


# --- data --------------------------------------------------------------------------------


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    for text in _data(job):
        yield Line(text)
    yield dated(job, event.at, "after dataloaders are built")
    yield Line("done with setup ...")
    building = cluster.setup_seconds(job, "model setup")
    if job.recipe.released:
        building += storage.load_seconds(job)
    spent = {
        "model-and-optimizer-setup": building,
        "train/valid/test-data-iterators-setup": cluster.iterator_seconds(job),
    }
    yield from timers(job, 0, spent)
    yield Line("training ...")
    done = event.first_step - 1
    if not is_older(job):
        yield Line(f"Setting rerun_state_machine.current_iteration to {done}...")
    yield dated(job, event.at, "before the start of training step")


def _data(job: Job) -> Iterator[str]:
    schedule, prefix = job.schedule, arguments.data_path(job)
    held_out = schedule.validation_batches * schedule.global_batch
    sizes = {
        "train": batch_ramp.consumed(schedule, whole_run(schedule)),
        "valid": (whole_run(schedule) // schedule.validate_every + 1) * held_out,
        "test": held_out,
    }
    yield "> building train, validation, and test datasets ..."
    yield " > datasets target sizes (minimum size):"
    yield f"    train:      {sizes['train']}"
    yield f"    validation: {sizes['valid']}"
    yield f"    test:       {sizes['test']}"
    config = f"{INFO}datasets.blended_megatron_dataset_config"
    yield f"{config}:Let split_matrix = {list(SPLIT)}"
    yield "> building train, validation, and test datasets for GPT ..."
    builder = f"{INFO}datasets.blended_megatron_dataset_builder:Building"
    if is_older(job):
        shown = f"dataset splits with cls=GPTDataset, sizes={tuple(sizes.values())},"
    else:
        shown = f"GPTDataset splits with sizes={tuple(sizes.values())}"
    yield f"{builder} {shown} and config={_dataset_config(job)}"
    index = f"{INFO}datasets.indexed_dataset"
    yield f"{index}:Load the _IndexReader from {prefix}.idx"
    for what in ("sequence lengths", "sequence pointers", "document indices"):
        yield f"{index}:\tExtract the {what}"
    corpus = job.dataset.tokens
    documents = round(corpus / cluster.document_tokens(job))
    yield f"{index}:> total number of sequences: {documents}"
    yield f"{index}:> total number of documents: {documents}"
    gpt = f"{INFO}datasets.gpt_dataset"
    for place, ((name, size), (low, high)) in enumerate(zip(sizes.items(), SPLIT, strict=True)):
        part = (high - low) * corpus
        epochs = -(-(size * schedule.sequence + 1) // round(part))
        samples = (
            f"{gpt}:> total number of samples: {round(part * epochs - 1) // schedule.sequence}"
        )
        if job.attempt > 1:  # they were saved the first time
            yield f"{gpt}:Load the GPTDataset {name} indices"
            digest = hardware_ids.register(job, "index", 2 * place, 16)
            digest += hardware_ids.register(job, "index", 2 * place + 1, 16)
            for what in ("document", "sample", "shuffle"):
                file = f"{digest}-GPTDataset-{name}-{what}_index.npy"
                yield f"{gpt}:\tLoad the {what} index from {file}"
            yield samples
            continue
        yield f"{gpt}:Build and save the GPTDataset {name} indices"
        yield samples
        yield f"{gpt}:> total number of epochs: {epochs}"
    yield "> finished creating GPT datasets ..."


def _dataset_config(job: Job) -> str:
    tokenizer = cluster.pointer(job, "tokenizer")
    return (
        f"GPTDatasetConfig(random_seed={job.seed}, sequence_length={job.schedule.sequence}, "
        f"blend=(['{arguments.data_path(job)}'], None), "
        f"blend_per_split={[None] * 3 if is_older(job) else None}, split='949,50,1', "
        f"split_matrix={list(SPLIT)}, num_dataset_builder_threads=1, path_to_cache=None, "
        "mmap_bin_files=True, mock=False, tokenizer=<megatron.training.tokenizer.tokenizer."
        f"_HuggingFaceTokenizer object at {tokenizer}>, "
        "reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False, "
        "create_attention_mask=True, drop_last_partial_validation_sequence=True, "
        "add_extra_token_to_sequence=True, s3_cache_path=None)"
    )


LINES: dict[type, Render] = {
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.WeightsLoaded: _weights_loaded,
    events.Resumed: _resumed,
    events.TrainerReady: _trainer_ready,
}
