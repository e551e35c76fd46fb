"""From the typed command to the first step."""

from collections.abc import Iterator

from llmsim import events
from llmsim.dialects import units
from llmsim.dialects.fit import Clause, wrapped
from llmsim.dialects.line import Line
from llmsim.dialects.pytorch.say import say
from llmsim.dialects.torchrun import banner
from llmsim.job import Job, batch_tokens, gpus_per_node, hostname
from llmsim.physics import memory
from llmsim.terminal.ink import paint
from llmsim.terminal.screen import Screen

Lines = Iterator[Line]


def _launched(event: events.Launched, job: Job, screen: Screen) -> Lines:
    layout = job.layout
    words = [
        "torchrun",
        f"--nnodes {layout.nodes}",
        f"--nproc-per-node {gpus_per_node(job)}",
        f"--rdzv-id {job.run_name}",
        "--rdzv-backend c10d",
        f"--rdzv-endpoint {hostname(job, 0)}:29500",
        "train.py",
        f"--model {job.model.name}",
        f"--data {job.dataset.name}",
        f"--seed {job.seed}",
    ]
    for index, text in enumerate(wrapped(words, screen.width - 4, " \\")):
        start = (("prompt", "$ "),) if index == 0 else (("", "    "),)
        yield Line(paint((*start, ("title", text)), screen))


def _rendezvous(event: events.Rendezvous, job: Job, screen: Screen) -> Lines:
    if gpus_per_node(job) > 1:
        for text in banner(units.stamp(job.start, event.at), event.process):
            for part in wrapped(text.split(" "), screen.width):
                yield Line(paint((("warning", part),), screen))
    yield say(
        event, job, screen,
        (("", "Rendezvous at "), ("name", f"{event.master}:{event.port}")),
        (("", f", run {job.run_name}"),),
    )  # fmt: skip
    software = job.software
    yield say(
        event, job, screen,
        (("", f"PyTorch {software.torch}"),),
        (("", f", {software.platform} {software.platform_version}"),),
        (("", f", driver {software.driver}"),),
        (("", f", Python {software.python}"),),
        (("", f", transformers {software.transformers}"),),
    )  # fmt: skip


def _node_detected(event: events.NodeDetected, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("name", event.hostname), ("", f": {event.gpus} x {job.gpu.name}")),
        (("", f", {job.gpu.memory_mib:,} MiB"),),
        (("", f", {job.gpu.tdp_watts} W"),),
        (("", f", {job.gpu.tflops:g} TFLOP/s dense bf16"),),
    )  # fmt: skip


def _nodes_detected(event: events.NodesDetected, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"... and {event.untold:,} more nodes: "), ("number", f"{job.layout.gpus:,} GPUs")),
        (("", f" on {event.nodes:,} nodes"),),
    )  # fmt: skip


def _rank_joined(event: events.RankJoined, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"rank {event.rank:2d} is up: "), ("name", event.hostname)),
        (("", f", cuda:{event.local_rank}"),),
        (("muted", f", +{event.seconds:.3f} s"),),
        (("muted", f", bus {event.bus}"),),
        (("muted", f", pid {event.process}"),),
    )  # fmt: skip


def _ranks_joined(event: events.RanksJoined, job: Job, screen: Screen) -> Lines:
    late = f"; rank {event.slowest:,} had to be waited for" if event.untold else ""
    yield say(
        event, job, screen,
        (("good", f"All {event.ranks:,} ranks are up"), ("", f" after {event.seconds:.2f} s")),
        (("muted", late),),
    )  # fmt: skip


def _backend_ready(event: events.BackendReady, job: Job, screen: Screen) -> Lines:
    software = job.software
    yield say(
        event, job, screen,
        (("", f"{software.collectives} version {software.collectives_version}"),),
        (("", f": communicator up in {event.seconds:.2f} s"),),
        (("", f", {event.channels} channels"),),
        (("", f", {job.layout.gpus:,} ranks on {job.layout.nodes:,} nodes"),),
    )  # fmt: skip


def _mesh_built(event: events.MeshBuilt, job: Job, screen: Screen) -> Lines:
    names = ", ".join(f"'{name}'" for name, _ in event.dimensions)
    sizes = ", ".join(str(size) for _, size in event.dimensions)
    count = len(event.dimensions)
    yield say(
        event, job, screen, (("", f"Device mesh: {count}-D [{names}], [{sizes}]"),)
    )  # fmt: skip


def _broadcast(event: events.Broadcast, job: Job, screen: Screen) -> Lines:
    transfer = event.transfer
    if transfer.ranks < 2:
        return
    yield say(
        event, job, screen,
        (("", f"Broadcast of {units.gigabytes(transfer.size)} from rank 0: "),
         ("throughput", units.microseconds(transfer.seconds))),
        (("", f", bus bandwidth {transfer.bus_gb_s:.0f} GB/s"),),
    )  # fmt: skip


def _tokenizer_loaded(event: events.TokenizerLoaded, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("", f"Tokenizer: {event.vocabulary:,} tokens"),),
        (("", f", loaded in {event.seconds:.2f} s"),),
    )  # fmt: skip


def _dataset_ready(event: events.DatasetReady, job: Job, screen: Screen) -> Lines:
    yield say(
        event, job, screen,
        (("name", job.dataset.name), ("", f": {units.short(event.tokens)} tokens")),
        (("", f" an epoch ({job.schedule.epochs} planned)"),),
        (("", f", {event.sequences:,} sequences of {job.schedule.sequence:,}"),),
        (("", f", {event.shards:,} shards, {units.gigabytes(event.size)}"),),
    )  # fmt: skip


def _model_built(event: events.ModelBuilt, job: Job, screen: Screen) -> Lines:
    shape = job.architecture
    yield say(
        event, job, screen,
        (("name", job.model.name), ("", ": "), ("number", f"{event.parameters:,} parameters")),
        (("", f", {event.active_parameters:,} active"),)
        if event.active_parameters < event.parameters
        else (("", ""),),
        (("muted", f", {event.embedding_parameters:,} of them embeddings"),),
    )  # fmt: skip
    experts: Clause = (
        (("", f", {shape.experts} experts, {shape.active_experts} active"),)
        if shape.experts > 1
        else (("", ""),)
    )
    yield say(
        event, job, screen,
        (("", f"  {shape.layers} layers, width {shape.width:,}"),),
        (("", f", {shape.heads} heads ({shape.kv_heads} kv)"),),
        experts,
        (("", f", feed-forward {shape.feed_forward:,}"),),
        (("", f", vocabulary {shape.vocabulary:,}"),),
        (("", f", context {shape.context:,}"),),
    )  # fmt: skip


def _model_sharded(event: events.ModelSharded, job: Job, screen: Screen) -> Lines:
    layout = job.layout
    names = {"ddp": "DDP", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "zero3": "ZeRO-3", "fsdp2": "FSDP2"}
    split = f" x TP {layout.tensor}" * (layout.tensor > 1)
    split += f" x PP {layout.pipeline}" * (layout.pipeline > 1)
    yield say(
        event, job, screen,
        (("", f"Applied {names[layout.sharding]} over {layout.data:,} ranks{split}: "),
         ("number", f"{event.parameters_per_gpu:,} parameters per GPU")),
        (("muted", f", {event.seconds:.2f} s"),),
    )  # fmt: skip
    if layout.recompute != "none":
        yield say(event, job, screen, (("", f"Applied {layout.recompute} activation recompute"),))


def _memory_planned(event: events.MemoryPlanned, job: Job, screen: Screen) -> Lines:
    part = event.allocated / event.capacity
    yield say(
        event, job, screen,
        (("", "Memory after build: "), ("memory", f"{units.gib(event.allocated)} ({part:.1%})")),
        (("", f" of {units.gib(event.capacity)}"),),
    )  # fmt: skip
    expected = event.expected
    states = expected.weights + expected.gradients + expected.optimizer
    yield say(
        event, job, screen,
        (("", "Expected in training: "), ("memory", units.gib(memory.total(expected)))),
        (("muted", f" = states {units.gib(states)}"),
         ("muted", f" + activations {units.gib(expected.activations + expected.logits)}")),
        (("muted", f" + gathered {units.gib(expected.gathered)}"),
         ("muted", f" + context {units.gib(expected.context)}")),
    )  # fmt: skip


def _trainer_ready(event: events.TrainerReady, job: Job, screen: Screen) -> Lines:
    plan, layout = job.schedule, job.layout
    yield say(
        event, job, screen,
        (("", f"Global batch {plan.global_batch:,} x {plan.sequence:,}"),
         ("number", f" = {batch_tokens(job):,} tokens")),
        (("muted", f" ({layout.micro_batch} per rank x {layout.data:,} ranks"),
         ("muted", f" x {layout.accumulation} accumulated)")),
    )  # fmt: skip
    yield say(
        event, job, screen,
        (("", f"{plan.steps:,} steps, {plan.warmup:,} of warmup"),),
        (("", f", cosine {plan.peak_lr:.2e} -> {plan.final_lr:.2e}"),),
        (("", f", {units.short(plan.steps * batch_tokens(job))} tokens in all"),),
        (("", f", clip 1.0, AdamW (0.9, 0.95), weight decay 0.1"),),
    )  # fmt: skip
    yield say(
        event, job, screen,
        (("", f"{event.flops_per_token / 1e9:.2f} GFLOP per token"),),
        (("", f", expecting MFU of about {event.expected_mfu:.0%}"),),
        (("muted", "; compiling, the first step takes its time"),),
    )  # fmt: skip


LINES = {
    events.Launched: _launched,
    events.Rendezvous: _rendezvous,
    events.NodeDetected: _node_detected,
    events.NodesDetected: _nodes_detected,
    events.RankJoined: _rank_joined,
    events.RanksJoined: _ranks_joined,
    events.BackendReady: _backend_ready,
    events.MeshBuilt: _mesh_built,
    events.Broadcast: _broadcast,
    events.TokenizerLoaded: _tokenizer_loaded,
    events.DatasetReady: _dataset_ready,
    events.ModelBuilt: _model_built,
    events.ModelSharded: _model_sharded,
    events.MemoryPlanned: _memory_planned,
    events.TrainerReady: _trainer_ready,
}
