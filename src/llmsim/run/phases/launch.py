"""The launch: from the typed command to the first step."""

from math import ceil, fsum

from llmsim.catalog import gpus
from llmsim.job.layout import shards_weights, state_ranks
from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.records import Job, batch_tokens, gpus_per_node, step_data_tokens, step_rows
from llmsim.model.architecture import (
    active_parameter_count,
    embedding_parameters,
    parameter_count,
    trained_parameter_count,
)
from llmsim.physics import noise
from llmsim.physics.hardware import allocator, memory, preparation, storage
from llmsim.physics.speed import batch_ramp, step_time, throughput, traffic
from llmsim.run import cluster
from llmsim.run.events import (
    BackendReady,
    Broadcast,
    DatasetReady,
    Event,
    Launched,
    MemoryPlanned,
    MeshBuilt,
    ModelBuilt,
    ModelSharded,
    NodeDetected,
    NodesDetected,
    RankJoined,
    RanksJoined,
    Rendezvous,
    TokenizerLoaded,
    TrainerReady,
    WeightsLoaded,
    WorkersStarted,
)
from llmsim.run.phases.timing import (
    NEXT_ATTEMPT,
    Phase,
    arrival_gap,
    gaps,
    progress,
    sampled,
    sampled_seconds,
)
from llmsim.run.timeline import Run

# Up to these numbers each node and each rank has an event; the others are summed up in one.
LISTED_NODES = 8
LISTED_RANKS = 16
# Mean seconds between the arrivals of two nodes, and of two ranks.
NODE_GAP, RANK_GAP = 0.08, 0.045

# Tokenized data is stored in 2 or 4 bytes a token, by the size of the vocabulary; the
# compressed text that is downloaded takes about 2.1 bytes a token.
TEXT_BYTES_PER_TOKEN = 2.1
# One node downloads 1.5 GB/s from an object store and tokenizes 40M tokens/s on some hundred
# cores (Hugging Face tokenizers: 0.2 to 0.5M a core); at most eight nodes download at full speed.
DOWNLOAD_BYTES_PER_SECOND = 1.5e9
TOKENS_PER_SECOND = 4e7
MOST_READERS = 8
# A larger data set was tokenized before the run, which only opens and indexes its shards.
TOKENIZED_TOKENS = 2_000_000_000
SHARDS_OPENED_PER_SECOND = 24
# A shard holds 100M tokens, as the FineWeb shards of llm.c and nanochat do.
SHARD_TOKENS = 100_000_000


@remembered()
def _usual_seconds(job: Job) -> dict[str, float]:
    """Mean seconds of the launch's operations.

    All nodes import Python from one file system: with more nodes the last rank takes longer.
    Communicators are ready after 2.5 to 3.7 s on 8 GPUs, later with every doubling of nodes, and
    after minutes if rank 0 has to connect to a hundred thousand others. A first attempt waits for
    its data longer than this.
    """
    layers, nodes = job.architecture.layers, job.layout.nodes
    return {
        "torchrun": 2.6,
        "import torch": 5.8,
        "rendezvous": 0.9,
        "detect": 0.6,
        "last rank": 0.15 * nodes.bit_length() + 0.003 * nodes,
        "nccl": 2.6 + 0.9 * nodes.bit_length() + 0.0008 * job.layout.gpus,
        "mesh": 0.2,
        "tokenizer": 0.7,
        "tokenize": 1.5,
        "build": 0.2 + 0.01 * layers,
        "shard": 0.8 + 0.03 * layers,
        "broadcast": 0.02,
        "memory": 0.02,
        "trainer": preparation.optimizer_seconds(job),
    }


def _took(job: Job, name: str, index: int = 0) -> float:
    """Seconds that an operation of the launch takes in the job's attempt."""
    return sampled_seconds(job, name, _usual_seconds(job)[name], index)


def relaunch_seconds(job: Job, attempt: int) -> float:
    """Seconds of the launch of an attempt after the first: what its events add up to, without
    them.
    """
    places, means, fixed = _durations(job)
    draws = noise.together(job.seed, places, NEXT_ATTEMPT * (attempt - 1))
    nodes = min(job.layout.nodes, LISTED_NODES)
    ranks = nodes + min(job.layout.gpus, LISTED_RANKS)
    took = gaps(NODE_GAP, draws[:nodes]) + gaps(RANK_GAP, draws[nodes:ranks])
    took += map(sampled, means, draws[ranks:])
    return to_the_microsecond(fsum(took) + fixed)


@remembered()
def _durations(job: Job) -> tuple[tuple[noise.Place, ...], tuple[float, ...], float]:
    """Of a later launch: the places of its draws, the means of all that are no gaps between
    arrivals, which come first, and seconds that are the same each time.
    """
    nodes = [("time/detect", node) for node in range(min(job.layout.nodes, LISTED_NODES))]
    ranks = [("time/rank", rank) for rank in range(min(job.layout.gpus, LISTED_RANKS))]
    usual = dict(_usual_seconds(job))
    if job.layout.nodes <= LISTED_NODES:
        del usual["detect"]
    others = [(f"time/{name}", LISTED_NODES if name == "detect" else 0) for name in usual]
    fixed = traffic.startup_broadcast(job).seconds
    fixed += storage.load_seconds(job) if job.recipe.released else 0.0
    return (*nodes, *ranks, *others), tuple(usual.values()), fixed


def launch(job: Job, at: float) -> Phase:
    """The events of the launch in order: command, nodes, ranks, data, model. Returns its end."""
    yield Launched(at)
    at = to_the_microsecond(at + _took(job, "torchrun"))
    yield Rendezvous(at, cluster.hostname(job, 0), cluster.PORT, cluster.launcher(job, 0))
    at = to_the_microsecond(at + _took(job, "import torch"))
    yield WorkersStarted(at, cluster.hostname(job, 0), cluster.PORT)
    at = yield from _cluster(job, at)
    at = yield from _download(job, at)
    for phase in (_model, _data) if job.framework.model_first else (_data, _model):
        at = yield from phase(job, at)
    return (yield from _trainer(job, at))


def _cluster(job: Job, at: float) -> Phase:
    """The events of the cluster: nodes, ranks, communicator, device mesh. Returns their end."""
    layout = job.layout
    at = to_the_microsecond(at + _took(job, "rendezvous"))
    for node in range(min(layout.nodes, LISTED_NODES)):
        at = to_the_microsecond(at + arrival_gap(job, "detect", NODE_GAP, node))
        yield NodeDetected(at, node, cluster.hostname(job, node), gpus_per_node(job))
    if layout.nodes > LISTED_NODES:
        at = to_the_microsecond(at + _took(job, "detect", LISTED_NODES))
        yield NodesDetected(at, layout.nodes, layout.nodes - LISTED_NODES)
    at = yield from _ranks(job, at)
    seconds = _took(job, "nccl")
    at = to_the_microsecond(at + seconds)
    yield BackendReady(at, channels(job), seconds)
    at = to_the_microsecond(at + _took(job, "mesh"))
    yield MeshBuilt(at, mesh(job))
    return at


def channels(job: Job) -> int:
    """NCCL's channels: 24 with NVLink SHARP in a node, 16 over NVLink and network, few on PCIe."""
    if not gpus.has_fast_link(job.gpu):
        return 2 if job.layout.nodes > 1 else 4
    return 16 if job.layout.nodes > 1 else 24


def mesh(job: Job) -> tuple[tuple[str, int], ...]:
    """The dimensions of the device mesh that are larger than one, outermost first."""
    layout = job.layout
    data = "dp_shard" if shards_weights(layout) else "dp_replicate"
    dimensions = (
        ("pp", layout.pp),
        ("dp_replicate", layout.replicas),
        (data, layout.dp // layout.replicas or 1),
        ("cp", layout.cp),
        ("tp", layout.tp),
    )
    return tuple((name, size) for name, size in dimensions if size > 1) or ((data, 1),)


def _ranks(job: Job, at: float) -> Phase:
    layout, size = job.layout, gpus_per_node(job)
    begun, listed = at, min(layout.gpus, LISTED_RANKS)
    buses = [cluster.bus_address(job, local) for local in range(min(size, listed))]
    for rank in range(listed):
        at = to_the_microsecond(at + arrival_gap(job, "rank", RANK_GAP, rank))
        node, local = divmod(rank, size)
        if not local:
            host, first = cluster.hostname(job, node), cluster.worker(job, rank)
        took = to_the_microsecond(at - begun)
        yield RankJoined(at, rank, host, local, buses[local], first + local, took)
    at = to_the_microsecond(at + _took(job, "last rank"))
    summarized = max(0, layout.gpus - LISTED_RANKS)
    first = layout.gpus - max(1, summarized)
    slowest = noise.integer(job.seed, "launch/slowest", first, layout.gpus - 1)
    yield RanksJoined(at, layout.gpus, summarized, slowest, to_the_microsecond(at - begun))
    return at


def _download(job: Job, at: float) -> Phase:
    """The events of the tokenizer and of the text; a later attempt has the text already."""
    seconds = _took(job, "tokenizer")
    at = to_the_microsecond(at + seconds)
    yield TokenizerLoaded(at, job.architecture.vocabulary, seconds)
    if _goes_on(job):
        return at
    size, seconds = _text_bytes(job), _download_seconds(job)
    yield from progress(job, at, seconds, "download", job.dataset.name, size, "B")
    return to_the_microsecond(at + seconds)


def _goes_on(job: Job) -> bool:
    """Whether it goes on from a checkpoint: then all of the data is there."""
    return job.attempt > 1 or job.schedule.first_step > 1


def _text_bytes(job: Job) -> int:
    """Bytes of the text of a run's tokens."""
    return int(_taken(job)[0] * TEXT_BYTES_PER_TOKEN)


def _download_seconds(job: Job) -> float:
    """Seconds that the text takes; a later attempt does not wait for it."""
    if _goes_on(job):
        return 0.0
    speed = min(job.layout.nodes, MOST_READERS) * DOWNLOAD_BYTES_PER_SECOND
    return sampled_seconds(job, "download", 2 + _text_bytes(job) / speed)


def _data(job: Job, at: float) -> Phase:
    """The events of the data, which are tokenized; in a later attempt all of it is there."""
    tokens, sequences = _taken(job)
    shards = ceil(tokens / SHARD_TOKENS)
    width = 2 if job.architecture.vocabulary <= 65_536 else 4
    begun = at - _download_seconds(job)
    if _goes_on(job):
        at = to_the_microsecond(at + _took(job, "tokenize"))
        yield DatasetReady(
            at, tokens, sequences, shards, tokens * width, to_the_microsecond(at - begun)
        )
        return at
    readers = min(job.layout.nodes, MOST_READERS)
    if job.framework.single_process_map:
        label, preparing = "Tokenizing", fsum(preparation.passes(job))
    elif tokens > TOKENIZED_TOKENS:
        label, preparing = "Indexing", shards / SHARDS_OPENED_PER_SECOND
    else:
        label, preparing = "Tokenizing", tokens / (readers * TOKENS_PER_SECOND)
    seconds = sampled_seconds(job, "tokenize", 1.5 + preparing)
    yield from progress(job, at, seconds, "tokenize", label, shards, "shard")
    at = to_the_microsecond(at + seconds)
    yield DatasetReady(
        at, tokens, sequences, shards, tokens * width, to_the_microsecond(at - begun)
    )
    return at


def _taken(job: Job) -> tuple[int, int]:
    """Tokens and samples that are prepared: the run's part, or all if one process maps the data."""
    steps = steps_per_epoch(job)
    if job.framework.single_process_map:
        return job.dataset.tokens, job.dataset.rows
    if job.recipe.row_sequences:
        return int(steps * step_data_tokens(job)), steps * step_rows(job)
    tokens = batch_ramp.tokens(job, 1, steps)
    return tokens, tokens // job.schedule.sequence


def _model(job: Job, at: float) -> Phase:
    """The events of the model, which is built on the meta device, sharded, counted and loaded."""
    config, layout = job.architecture, job.layout
    seconds = _took(job, "build")
    at = to_the_microsecond(at + seconds)
    yield ModelBuilt(
        at,
        parameter_count(config),
        active_parameter_count(config),
        embedding_parameters(config),
        trained_parameter_count(config),
        seconds,
    )
    split = layout.tp * layout.pp
    sharded = state_ranks(layout) if shards_weights(layout) else 1
    seconds = _took(job, "shard")
    at = to_the_microsecond(at + seconds)
    yield ModelSharded(at, ceil(parameter_count(config) / split / sharded), seconds)
    if job.recipe.released:
        size, seconds = storage.released_bytes(job), storage.load_seconds(job)
        yield from progress(job, at, seconds, "load", "Loading weights", size, "B")
        at = to_the_microsecond(at + seconds)
        shards = len(storage.released_shards(job))
        yield WeightsLoaded(at, f"models/{job.model.name}", size, shards, seconds)
    return at


def _trainer(job: Job, at: float) -> Phase:
    """The events of the trainer: the first broadcast, the memory, and that it is ready."""
    broadcast = traffic.startup_broadcast(job)
    at = to_the_microsecond(at + _took(job, "broadcast") + broadcast.seconds)
    yield Broadcast(at, broadcast)
    at = to_the_microsecond(at + _took(job, "memory"))
    yield MemoryPlanned(
        at,
        allocator.after_build(job),
        memory.estimate(job.architecture, job.layout, job.schedule.sequence),
        memory.capacity(job.gpu),
    )
    at = to_the_microsecond(at + _took(job, "trainer"))
    if job.framework.saves_before and job.attempt == 1 and not job.recipe.released:
        at = to_the_microsecond(at + storage.save_seconds(job, 0) + storage.restore_seconds(job, 0))
    yield TrainerReady(
        at,
        throughput.job_flops_per_token(job),
        throughput.mfu(job, batch_tokens(job) / step_time.step_seconds(job)),
    )
    return at


@remembered()
def first_launch(job: Job) -> tuple[Event, ...]:
    """What happens in the launch with which a run begins."""
    return tuple(launch(job, 0.0))


def launched(run: Run, number: int) -> tuple[Event, ...]:
    """What happens in the launch of an attempt, whose segment has this number."""
    segment = run.timeline[number]
    if segment.attempt == 1:
        return first_launch(run.job)
    known: dict[int, tuple[Event, ...]] = run.memo.setdefault("launches", {})
    if segment.attempt not in known:
        job = run.job._replace(attempt=segment.attempt, spares=segment.spares)
        known[segment.attempt] = tuple(launch(job, segment.began))
    return known[segment.attempt]
