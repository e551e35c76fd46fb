"""NeMo's model on rank 0: its count, its gradient buckets, its optimizer, its table; released
weights, and adapters.
"""

from collections.abc import Iterator
from math import lcm

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo import adapters, gpt_block, saving
from llmsim.dialects.nemo.log_lines import EACH_STAGE, SINGLE_RANK, said, warned
from llmsim.job.layout import expert_slices
from llmsim.job.milestones import is_fresh, steps_found
from llmsim.job.records import Job
from llmsim.physics.hardware.stages import stage_layers
from llmsim.run import cluster, events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

_LEAST_BUCKET = 40_000_000  # weights in a bucket of gradients, before the next one begins


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    size, original = _vocabulary(job), job.architecture.vocabulary
    text = (
        f"Padded vocab_size: {size}, original vocab_size: {original}, "
        f"dummy tokens: {size - original}."
    )
    yield said(job, event.at, text)


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """Rank 0's part of the model: its count, its gradient buckets, its optimizer, its table.

    Released weights are loaded before the table is printed.
    """
    if not job.architecture.adapter_rank:
        yield from _counted(job, event.at)
        yield from _wrapped(job, event.at, weights(job))
    if not _restores(job):
        yield from _table(job)


def _restores(job: Job) -> bool:
    """Whether the processes begin with released weights: they do without a checkpoint."""
    return job.recipe.released and is_fresh(job)


def _table(job: Job) -> Lines:
    """The table of rank 0's model; Megatron wraps one with adapters later, in two modules."""
    local, modules = sum(size for _, size in weights(job)), local_modules(job)
    if job.architecture.adapter_rank:
        yield from lightning.table("module", "GPTModel", local, local, modules - 2)
    else:
        yield from lightning.table("module", "DDP", local, local, modules)


def _counted(job: Job, at: float, adapters: int = 0) -> Lines:
    """How many weights rank 0 has, and how many of them train if not all do."""
    local = adapters + sum(size for _, size in weights(job))
    text = f" > number of parameters on (tensor, pipeline) model parallel rank (0 ,0): {local}"
    yield said(job, at, text)
    if adapters:
        share = f"{adapters / local:.2%} of total"
        yield said(job, at, f" > number of trainable parameters: {adapters} ({share})")


def _wrapped(job: Job, at: float, trained: list[tuple[str, int]]) -> Lines:
    """The gradient buckets of the weights that train, and the optimizer."""
    yield said(
        job, at, f"Setting up DistributedDataParallel with config {_ddp_config(job)}", SINGLE_RANK
    )
    first, *rest = _buckets(job, trained)
    yield said(job, at, first, EACH_STAGE)
    yield from map(Line, rest)
    if job.architecture.adapter_rank:
        yield said(job, at, "Setting up optimizers")
    text = f"Setting up optimizer with config {_optimizer_config(job)}"
    yield said(job, at, text, SINGLE_RANK)


def _weights_loaded(event: events.WeightsLoaded, job: Job, screen: Screen) -> Lines:
    """MegatronStrategy.selective_restore, which a checkpoint of the run makes needless."""
    if not _restores(job):
        return
    at, begun = event.at, event.at - event.seconds
    path = f"/root/.cache/nemo/{event.path}"
    config = (
        f"RestoreConfig(path='{path}', load_model_state=True, load_optim_state=False, "
        "load_artifacts=True)"
    )
    yield said(job, begun, f"Doing selective restore from {config}")
    kind = "megatron.core.dist_checkpointing.strategies.fully_parallel"
    place = cluster.pointer(job, "load strategy")
    strategy = f"<{kind}.FullyParallelLoadStrategyWrapper object at {place}>"
    yield said(job, begun, f"Using {strategy} dist-ckpt load strategy.")
    started = saving.unix_seconds(job, begun)
    yield said(
        job, at, f"Global Checkpoint Load : Rank : 0 : Start time : {started:.3f}s : "
        f"Time spent in load_checkpoint: {event.seconds:.3f}s",
    )  # fmt: skip
    yield said(job, at, f"Restoring model weights from {config}")
    yield said(job, at, f"Finished restoring from {config}, cleaning up.")
    yield from _table(job)


def _adapted(job: Job, at: float) -> Lines:
    """PEFT.apply_transform, when the first epoch begins."""
    new = adapters.weights(job)
    count, local = sum(size for _, size in new), sum(size for _, size in weights(job))
    names = [*adapters.added(job)]
    for name in names:
        yield said(job, at, f"Adding lora to: {name}")
    yield said(job, at, "After applying model_transform:")
    modules = local_modules(job) - 2 + adapters.MODULES * len(names)
    for line in lightning.table("module", "GPTModel", local + count, count, modules):
        yield Line(f"    {line.text}")
    if found := steps_found(job):
        yield said(job, at, f"Loading adapters from {saving.restored(job, found)}")
    yield said(job, at, "Initializing model parallel")
    yield from _counted(job, at, count)
    yield from _wrapped(job, at, new)


def _is_sharded(job: Job) -> bool:
    return job.layout.sharding != "ddp"


def _bucket_size(job: Job) -> int:
    return max(_LEAST_BUCKET, 1_000_000 * job.layout.dp)


def _ddp_config(job: Job) -> str:
    """DistributedDataParallelConfig of core 0.13 as NeMo's recipes fill it in."""
    sharded = _is_sharded(job)
    return (
        f"DistributedDataParallelConfig(grad_reduce_in_fp32={job.layout.fp32_gradients}, "
        "overlap_grad_reduce=True, "
        f"overlap_param_gather={sharded}, align_param_gather=False, "
        f"use_distributed_optimizer={sharded}, num_distributed_optimizer_instances=1, "
        "check_for_nan_in_grad=True, check_for_large_grads=False, "
        f"bucket_size={_bucket_size(job)}, pad_buckets_for_high_nccl_busbw=False, "
        "average_in_collective=True, fp8_param_gather=False, "
        "reuse_grad_buf_for_mxfp8_param_ag=False, use_custom_fsdp=False, "
        "data_parallel_sharding_strategy='no_shard', gradient_reduce_div_fusion=True, "
        "suggested_communication_unit_size=None, preserve_fp32_weights=True, "
        "keep_fp8_transpose_cache_when_using_custom_fsdp=False, nccl_ub=False, "
        "fsdp_double_buffer=False)"
    )


def _optimizer_config(job: Job) -> str:
    """OptimizerConfig of core 0.13: a public log has it whole (issue 14919 of NeMo)."""
    return (
        f"OptimizerConfig(optimizer='adam', lr={job.schedule.peak_lr}, min_lr=None, "
        "decoupled_lr=None, decoupled_min_lr=None, weight_decay=0.1, fp8_recipe='delayed', "
        "fp16=False, bf16=True, reuse_grad_buf_for_mxfp8_param_ag=False, "
        "params_dtype=torch.bfloat16, use_precision_aware_optimizer=False, "
        "store_param_remainders=True, main_grads_dtype=torch.float32, "
        "main_params_dtype=torch.float32, exp_avg_dtype=torch.float32, "
        "exp_avg_sq_dtype=torch.float32, loss_scale=None, initial_loss_scale=4294967296, "
        "min_loss_scale=1.0, loss_scale_window=1000, hysteresis=2, adam_beta1=0.9, "
        "adam_beta2=0.95, adam_eps=1e-05, sgd_momentum=0.9, "
        f"use_distributed_optimizer={_is_sharded(job)}, "
        "overlap_param_gather_with_optimizer_step=False, optimizer_cpu_offload=False, "
        "optimizer_offload_fraction=0.0, use_torch_optimizer_for_cpu_offload=False, "
        "overlap_cpu_optimizer_d2h_h2d=False, pin_cpu_grads=True, pin_cpu_params=True, "
        "clip_grad=1.0, log_num_zeros_in_grad=False, barrier_with_L1_time=False, timers=None, "
        "config_logger_dir='')"
    )


def weights(job: Job) -> list[tuple[str, int]]:
    """Rank 0's weights and their sizes, from the last to the first, as gradients come.

    Tensor ranks split the matrices, with a padded vocabulary; norms and a router are whole.
    """
    config, layout = job.architecture, job.layout
    table = _vocabulary(job) * config.hidden_size // layout.tp
    gpt, width = config.family == "gpt2", config.hidden_size
    found: list[tuple[str, int]] = []
    if layout.pp == 1:
        found += [("output_layer.weight", table)] * (not config.tied)
        found += [("decoder.final_layernorm.bias", width)] * gpt
        found.append(("decoder.final_layernorm.weight", width))
    block = gpt_block.weights(config, layout.tp) if gpt else _layer(job)
    for layer in reversed(range(stage_layers(config, layout, 0))):
        found += [(f"decoder.layers.{layer}.{name}", size) for name, size in block]
    found += [("embedding.position_embeddings.weight", config.context * width)] * gpt
    found.append(("embedding.word_embeddings.weight", table))
    return [(f"module.{name}", size) for name, size in found]


def _vocabulary(job: Job) -> int:
    """Megatron pads the vocabulary to a multiple of 128 times the tensor ranks."""
    multiple = 128 * job.layout.tp
    return -(-job.architecture.vocabulary // multiple) * multiple


def _layer(job: Job) -> list[tuple[str, int]]:
    """A layer's weights on a rank."""
    config, layout = job.architecture, job.layout
    width = config.hidden_size
    matrix = config.feed_forward * width // layout.tp
    inner = [
        ("mlp.linear_fc2.weight", matrix),
        ("mlp.linear_fc1.weight", 2 * matrix),
        ("mlp.linear_fc1.layer_norm_weight", width),
    ]
    if config.experts > 1:
        experts = -(-config.experts // layout.ep)
        matrix = config.feed_forward * width // expert_slices(layout)
        inner = [
            ("mlp.experts.linear_fc2.weight", experts * matrix),
            ("mlp.experts.linear_fc1.weight", experts * 2 * matrix),
            ("mlp.router.weight", config.experts * width),
            ("pre_mlp_layernorm.weight", width),
        ]
    queries = config.heads * config.head_dim * width // layout.tp
    keys = config.kv_heads * config.head_dim * width // layout.tp
    return [
        *inner,
        ("self_attention.linear_qkv.weight", queries + 2 * keys),
        ("self_attention.linear_qkv.layer_norm_weight", width),
        ("self_attention.linear_proj.weight", queries),
    ]


def _buckets(job: Job, trained: list[tuple[str, int]]) -> Iterator[str]:
    """The buckets of gradients: one is full when it has the least size."""
    buckets: list[list[tuple[str, int]]] = [[]]
    for weight in trained:
        if sum(size for _, size in buckets[-1]) >= _bucket_size(job):
            buckets.append([])
        buckets[-1].append(weight)
    yield f"Number of buckets for gradient all-reduce / reduce-scatter: {len(buckets)}"
    part = lcm(job.layout.dp, 128) if _is_sharded(job) else 1
    for number, bucket in enumerate(buckets, start=1):
        count = sum(size for _, size in bucket)
        padded = -(-count // part) * part
        yield f"Params for bucket {number} ({count} elements, {padded} padded size):"
        yield from (f"\t{name}" for name, _ in bucket)


def local_modules(job: Job) -> int:
    """Modules of Megatron's GPT on rank 0: 20 in each of its layers, and 11 around them.

    A Llama of 32 layers has 651 (public log of NeMo 25.07); a mixture has two more in a layer.
    """
    config = job.architecture
    if config.family == "gpt2":
        return gpt_block.modules(config) * stage_layers(config, job.layout, 0) + 11
    return (22 if config.experts > 1 else 20) * stage_layers(config, job.layout, 0) + 11


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    """Adapters; and Megatron's first step asks for a machine that nobody has set up."""
    if job.architecture.adapter_rank:
        yield from _adapted(job, event.at)
    place = "rerun_state_machine"
    yield warned(job, event.at, "Implicit initialization of Rerun State Machine!", f"{place}:1263")
    text = "RerunStateMachine initialized in mode RerunMode.DISABLED"
    yield warned(job, event.at, text, f"{place}:239")


LINES: dict[type, Render] = {
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.WeightsLoaded: _weights_loaded,
    events.TrainerReady: _trainer_ready,
}
