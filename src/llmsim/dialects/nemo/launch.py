"""What NeMo prints until its first iteration: devices, folders, groups, and the model with its
gradient buffers and optimizer.
"""

from collections.abc import Iterator
from math import lcm

from llmsim.dialects.lightning import lines as lightning
from llmsim.dialects.line import Line, Render
from llmsim.dialects.nemo import gpt_block
from llmsim.dialects.nemo.log_lines import EACH_STAGE, SINGLE_RANK, said, warned
from llmsim.dialects.parts import shell
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.job.layout import expert_slices
from llmsim.job.milestones import is_fresh
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware.stages import stage_layers
from llmsim.run import events
from llmsim.text.screen import Screen

Lines = Iterator[Line]

# A larger cluster's lists of groups, tens of thousands of numbers in a line, are left out.
MOST_RANKS = 1024
_LEAST_BUCKET = 40_000_000  # weights in a bucket of gradients, before the next one begins


def folder(job: Job) -> str:
    """The run's folder of checkpoints and logs."""
    return f"/workspace/checkpoints/{job.run_name}"


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    script = f"pretrain.py --model {job.model.name} --data {job.dataset.name}"
    yield from shell.typed(screen, shell.torchrun(job, script))


def _workers_started(event: events.WorkersStarted, job: Job, screen: Screen) -> Lines:
    """The trainer's devices, then NeMoLogger.setup and AutoResume.setup."""
    at = event.at
    yield from map(Line, lightning.FOUND)
    yield warned(
        job, at, "No version folders would be created under the log folder as 'resume_if_exists' "
        "is enabled.",
    )  # fmt: skip
    yield said(job, at, f"Experiments will be logged at {folder(job)}")
    yield warned(
        job, at, '"update_logger_directory" is True. Overwriting tensorboard logger "save_dir" to '
        f"{folder(job)}/tb_logs",
    )  # fmt: skip
    yield warned(
        job, at, "The Trainer already contains a ModelCheckpoint callback. This will be "
        "overwritten.",
    )  # fmt: skip
    yield warned(
        job, at, "The checkpoint callback was told to monitor a validation value and trainer's "
        f"max_steps was set to {job.schedule.steps}. Please ensure that max_steps will run for at "
        "least 1 epochs to ensure that checkpointing will not error out.",
    )  # fmt: skip
    if is_fresh(job):
        yield warned(
            job, at, "There were no checkpoints found in checkpoint_dir or no checkpoint folder at "
            f"checkpoint_dir :{folder(job)}/checkpoints. Training from scratch.",
        )  # fmt: skip


# --- groups ------------------------------------------------------------------------------


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    """The advice about tf32, and rank 0's groups in the order tp-cp-ep-dp-pp (megatron_init.py)."""
    yield Line(lightning.device(job))
    yield from (said(job, event.at, text) for text in groups(job))


def groups(job: Job) -> Iterator[str]:
    """What rank 0 says of its groups and of all; of a large cluster only its ranks in them.

    Megatron counts tensor ranks first, then context, data and pipeline ranks.
    """
    layout = job.layout
    tensor, data, pipeline = layout.tp, layout.dp * layout.cp, layout.pp
    stage, world = tensor * data, tensor * data * pipeline
    whole = world <= MOST_RANKS
    datas = [
        [*range(first + at * stage, (at + 1) * stage, tensor)]
        for at in range(pipeline)
        for first in range(tensor)
    ]
    models = [
        [first + at * stage + rank for at in range(pipeline) for rank in range(tensor)]
        for first in range(0, stage, tensor)
    ]
    tensors = [[*range(first, first + tensor)] for first in range(0, world, tensor)]
    stages = [[*range(first, world, stage)] for first in range(stage)]
    inner = tensor * layout.cp  # ranks that share one sequence
    alone = datas[0][:: layout.cp]
    contexts = [
        [*range(first + slice_, first + inner, tensor)]
        for first in range(0, world, inner)
        for slice_ in range(tensor)
    ]
    ends = sorted({stages[0][0], stages[0][-1]})
    told = (
        (f"Rank 0 has data parallel group : {alone}", True),
        (f"Rank 0 has combined group of data parallel and context parallel : {datas[0]}", True),
        (f"All data parallel group ranks with context parallel combined: {datas}", True),
        ("Ranks 0 has data parallel rank: 0", False),
        (f"Rank 0 has context parallel group: {contexts[0]}", False),
        (f"All context parallel group ranks: {contexts}", True),
        ("Ranks 0 has context parallel rank: 0", False),
        (f"Rank 0 has model parallel group: {models[0]}", True),
        (f"All model parallel group ranks: {models}", True),
        (f"Rank 0 has tensor model parallel group: {tensors[0]}", False),
        (f"All tensor model parallel group ranks: {tensors}", True),
        ("Rank 0 has tensor model parallel rank: 0", False),
        (f"Rank 0 has pipeline model parallel group: {stages[0]}", False),
        (f"Rank 0 has embedding group: {ends}", False),
        (f"All pipeline model parallel group ranks: {stages}", True),
        ("Rank 0 has pipeline model parallel rank 0", False),
        (f"All embedding group ranks: {stages}", True),  # the source names the wrong list
        ("Rank 0 has embedding rank: 0", False),
    )
    return (text for text, is_long in told if whole or not is_long)


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    """The strategy prints the box of a single process, too."""
    size = gpus_per_node(job)
    yield from lightning.registered(job)
    devices = ",".join(map(str, range(size)))
    lines = [[f"LOCAL_RANK: {rank} - CUDA_VISIBLE_DEVICES: [{devices}]"] for rank in range(size)]
    yield from map(Line, interleaved(job, "devices", lines))
    text = f"Copying Trainer's 'max_steps' ({job.schedule.steps}) to LR scheduler's 'max_steps'."
    yield said(job, event.at, text)


# --- the model ---------------------------------------------------------------------------


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    size, original = _vocabulary(job), job.architecture.vocabulary
    text = (
        f"Padded vocab_size: {size}, original vocab_size: {original}, "
        f"dummy tokens: {size - original}."
    )
    yield said(job, event.at, text)


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    """Rank 0's part of the model: its count, its gradient buckets, its optimizer, its table."""
    at, local = event.at, sum(size for _, size in weights(job))
    text = f" > number of parameters on (tensor, pipeline) model parallel rank (0 ,0): {local}"
    yield said(job, at, text)
    yield said(
        job, at, f"Setting up DistributedDataParallel with config {_ddp_config(job)}", SINGLE_RANK
    )
    first, *rest = _buckets(job)
    yield said(job, at, first, EACH_STAGE)
    yield from map(Line, rest)
    text = f"Setting up optimizer with config {_optimizer_config(job)}"
    yield said(job, at, text, SINGLE_RANK)
    yield from lightning.table("module", "DDP", local, local, local_modules(job))


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


def _buckets(job: Job) -> Iterator[str]:
    """The buckets of gradients: one is full when it has the least size."""
    buckets: list[list[tuple[str, int]]] = [[]]
    for weight in weights(job):
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
    """Megatron's first step asks for a machine that nobody has set up."""
    place = "rerun_state_machine"
    yield warned(job, event.at, "Implicit initialization of Rerun State Machine!", f"{place}:1263")
    text = "RerunStateMachine initialized in mode RerunMode.DISABLED"
    yield warned(job, event.at, text, f"{place}:239")


LINES: dict[type, Render] = {
    events.Launched: _launched,
    events.Rendezvous: shell.rendezvous,
    events.WorkersStarted: _workers_started,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.TrainerReady: _trainer_ready,
}
