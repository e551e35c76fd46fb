"""The time of a collective operation, and the collectives of one optimizer step.

    seconds = hypot(a, S f / B) + r S / (S + 32 MiB)

S bytes; f bytes that each rank sends per byte: 2 (n - 1) / n for an all-reduce over n ranks,
(n - 1) / n for all-gather, reduce-scatter and all-to-all, 1 for broadcast and send/recv
(nccl-tests' notes on performance). B is the bandwidth of the slower of two ways: the links inside
a node (NVLink, XGMI, PCIe) and the node's network cards. Gathers and scatters are rings: the cards
carry what every link carries, so that bus bandwidth stays below theirs. An all-reduce adds
up inside its m nodes first (trees, NVLSTree), and its cards carry f with m for n. `a` is the
latency of a small message, `r` that of filling the pipeline of chunks (it saturates, hence
the name). GB200 and GB300: 72 GPUs share one NVLink domain (NVL72) and count as one node.

Constants fitted to nccl-tests tables of docs/physics.md section 10: 2x8 H100 with NDR400
InfiniBand, 2x8 B200 with RoCE, 8x H800 in one node; every row within 20 %.
"""

from functools import lru_cache
from math import hypot, log2

from llmsim.catalog.gpus import fabric, has_fast_link, linked_nodes
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout, state_ranks
from llmsim.model.architecture import Architecture, parameter_count, trained_parameter_count
from llmsim.physics.hardware.memory import NF4
from llmsim.typed import Literal, NamedTuple

Operation = Literal[
    "all-reduce", "reduce-scatter", "all-gather", "all-to-all", "broadcast", "send/recv"
]

MIB = 2**20
_KNEE = 32 * MIB
_NODE_LATENCY, _NODE_FILL = 40e-6, 20e-6  # seconds
_NETWORK_LATENCY, _NETWORK_FILL = 90e-6, 250e-6
_RING_HOP = 1.5e-6  # seconds that a gather or scatter takes longer for each rank of its ring
_LONGEST_RING = 1024  # ranks; beyond, rings are of nodes or trees
_NETWORK_SHARE = 0.934  # of the cards' nominal bandwidth
_CONGESTION = 0.015  # bandwidth lost per doubling of the nodes
_REDUCING = 1.10  # a reduce-scatter adds up: 5-15 % slower than a gather of as much
_BUCKET = 25 * MIB  # DDP's default bucket
# Share of the nominal bandwidth by what connects a node's GPUs, where it is one for all
# operations. A torus is rings without a switch that adds (judged).
_LINK_SHARES = {"host memory": 0.3, "PCIe": 0.5, "mesh": 0.70, "torus": 0.90}

# Blocks of a pass that nothing hides. Tensor-parallel traffic sits on the critical path; stages
# wait for each other while the pipeline fills and drains.
_VISIBLE_BLOCKS = {"weights": 1.5, "weights, forward": 1.5, "weights, backward": 0.7,
                   "gradients": 1.2}  # fmt: skip
_CRITICAL, _FILLING = 0.60, 0.20


class Transfer(NamedTuple):
    """One collective: what it moved and how long it took."""

    operation: Operation
    size: int  # bytes, as nccl-tests counts them
    ranks: int
    seconds: float
    bus_gb_s: float  # bus bandwidth, GB/s


class Flow(NamedTuple):
    """One kind of traffic in an optimizer step, as seen by one GPU."""

    purpose: str
    operation: Operation
    size: int  # bytes per call
    calls: int  # per optimizer step
    ranks: int
    ranks_per_node: int
    seconds: float  # of all calls, on an idle network
    hideable: float  # share of the step's compute time under which it can hide
    overlap: float  # share of itself that can hide
    visible: float  # share of the hidden part for which the GPU still waits


def sent_per_byte(operation: Operation, ranks: int) -> float:
    """Bytes on the bus per byte of payload: bus bandwidth / algorithm bandwidth."""
    if operation == "all-reduce":
        return 2.0 * (ranks - 1) / ranks
    if operation in ("all-gather", "reduce-scatter", "all-to-all"):
        return (ranks - 1) / ranks
    return 1.0


def _link_share(gpu: Gpu, operation: Operation) -> float:
    """Share of the links' nominal bandwidth that an operation reaches inside a node.

    All-reduce in NVSwitch (NVLS, since H100) tops 482-486 of 450 GB/s, 1.08; A100 reaches
    about 235 of 300, Blackwell 840 of 900. H800 broadcasts 165 of 200 GB/s. Without NVLink the
    traffic goes through the host's memory; GeForce cards cannot even read each other's.
    """
    if share := _LINK_SHARES.get(fabric(gpu)):
        return share
    if operation != "all-reduce":
        return 0.825
    if gpu.link_gb_s >= 800:
        return 0.93
    return 1.08 if gpu.link_gb_s >= 400 else 0.78


def _bandwidth_seconds(
    gpu: Gpu, operation: Operation, size: int, ranks: int, ranks_per_node: int, nodes: int
) -> float:
    ways = [0.0]
    if operation == "reduce-scatter":
        size = round(size * _REDUCING)
    if ranks_per_node > 1:
        link = gpu.link_gb_s * 1e9 * _link_share(gpu, operation)
        ways.append(size * sent_per_byte(operation, ranks) / link)
    if nodes > 1:
        cards = gpu.nic_gb_s * 1e9 * ranks_per_node
        cards *= _NETWORK_SHARE * max(0.5, 1.0 - _CONGESTION * log2(nodes))
        senders = nodes if operation == "all-reduce" else ranks
        if operation == "all-to-all":  # every rank sends its own data by its own card
            cards /= ranks_per_node
            senders = nodes
        ways.append(size * sent_per_byte(operation, senders) / cards)
    return max(ways)


@lru_cache(maxsize=4096)
def collective(
    gpu: Gpu, operation: Operation, size: int, ranks: int, ranks_per_node: float
) -> Transfer:
    """Time of one collective over `ranks` GPUs, `ranks_per_node` of them in each node.

    It is less than 1 where only some of the nodes that NVLink joins have one of these GPUs.
    """
    if ranks <= 1 or size <= 0:
        return Transfer(operation, size, ranks, 0.0, 0.0)
    near = min(ranks, max(1, int(ranks_per_node * linked_nodes(gpu))))
    nodes = -(-ranks // near)
    depth = 1.0 + 0.15 * log2(nodes / 2) if nodes > 1 else 1.0  # trees deepen with the cluster
    latency, fill = (_NETWORK_LATENCY, _NETWORK_FILL) if nodes > 1 else (_NODE_LATENCY, _NODE_FILL)
    payload = _bandwidth_seconds(gpu, operation, size, ranks, near, nodes)
    ring = operation in ("all-gather", "reduce-scatter")
    hops = _RING_HOP * min(ranks, _LONGEST_RING) if ring and nodes > 1 else 0.0
    seconds = hops + hypot(latency * depth, payload) + fill * depth * size / (size + _KNEE)
    bus = size * sent_per_byte(operation, ranks) / seconds / 1e9
    return Transfer(operation, size, ranks, seconds, bus)


def _flow(
    gpu: Gpu,
    purpose: str,
    operation: Operation,
    size: int,
    calls: int,
    ranks: int,
    ranks_per_node: float,
    hideable: float,
    visible: float,
) -> Flow:
    """A flow with its time. With PCIe, copies through the host take turns with launches and
    data.
    """
    overlap = 1.0
    if not has_fast_link(gpu):
        hideable, overlap = 0.5 * hideable, min(0.7, 1.0 - visible)
    seconds = calls * collective(gpu, operation, size, ranks, ranks_per_node).seconds
    near = max(1, int(ranks_per_node))
    return Flow(purpose, operation, size, calls, ranks, near, seconds, hideable, overlap, visible)


def _engaged(flow: Flow, layout: Layout) -> Flow:
    """A flow between data ranks as the framework runs it: how fast, how much of it hidden."""
    engine = layout.engine
    return flow._replace(
        seconds=flow.seconds / engine.wire, overlap=min(flow.overlap, engine.overlap)
    )


def _replica_flows(config: Architecture, gpu: Gpu, layout: Layout) -> list[Flow]:
    """HSDP: each rank's share of the gradients is all-reduced between the replicas, once a step."""
    if layout.replicas == 1:
        return []
    ranks = state_ranks(layout)
    parts = layout.tp * layout.pp * ranks
    size = 4 * trained_parameter_count(config) // parts
    near = max(1, gpu.per_node // (layout.tp * ranks))
    hideable = 0.28 / layout.accumulation
    made = _flow(
        gpu, "gradients of replicas", "all-reduce", size, 1, layout.replicas, near, hideable, 0.1
    )
    return [_engaged(made, layout)]


def _context_flows(
    config: Architecture, gpu: Gpu, layout: Layout, sequence: int, layers: int
) -> list[Flow]:
    """Context parallelism: every rank needs all keys and values, three times a layer.

    Forward they come, backward they come again and their gradients go (Llama 3, section 3.3.2,
    gathers them). They hide under attention. PyTorch's ring has a copy of them for each query head
    (torchtitan's repeat_kv), and attends to its own part alone until the others have come.
    """
    if layout.cp == 1:
        return []
    heads, part = config.kv_heads, 0.2
    if layout.engine.ring:
        heads, part = config.heads, 0.2 / layout.cp
    size = 2 * 2 * layout.micro_batch * sequence * heads * config.head_dim // layout.tp
    near = max(1, min(layout.cp, gpu.per_node // layout.tp))
    calls = (4 if layout.recompute == "full" else 3) * layers * layout.accumulation
    return [_flow(gpu, "keys and values", "all-gather", size, calls, layout.cp, near, part, 0.2)]


def _expert_flow(config: Architecture, gpu: Gpu, layout: Layout, hidden: int, layers: int) -> Flow:
    """Expert parallelism: tokens go to their experts and back, forward and backward."""
    from llmsim.physics.speed import expert_ranks  # most runs share no experts

    near = expert_ranks.near_experts(gpu, layout)
    size = int(hidden * expert_ranks.visits(config, gpu, layout)) // layout.tp
    calls = (6 if layout.recompute == "full" else 4) * layers * layout.accumulation
    flow = _flow(gpu, "tokens to experts", "all-to-all", size, calls, layout.ep, near, 0.30, 1.0)
    return flow._replace(overlap=layout.engine.expert_overlap, visible=0.0)


def _data_flows(config: Architecture, gpu: Gpu, layout: Layout) -> list[Flow]:
    """Weights and gradients between data ranks, bf16: 2 bytes a parameter.

    FSDP and ZeRO-3 move them block by block in every micro-batch, forward under the forward
    pass (a third of the step), backward under the backward pass. The others, and pipelines,
    move them once a step, under the last micro-batch.

    Nothing hides the first gather of a pass (and part of the second) nor the last scatter:
    the share of these blocks is visible. Backward starts with the block that is still there.
    """
    if layout.dp * layout.cp == 1:
        return []
    near = max(1, min(gpu.per_node, layout.gpus // layout.nodes) // layout.tp)
    ranks, split, weights = state_ranks(layout), layout.tp * layout.pp, parameter_count(config)
    found = []
    if layout.ep > 1 and config.experts > 1:
        from llmsim.physics.speed import expert_ranks  # most runs share no experts

        weights -= expert_ranks.routed_parameters(config)
        held, copies = expert_ranks.held_experts(config, layout), expert_ranks.copies(layout)
        part = expert_ranks.copies_per_node(gpu, layout)
        trained = 0 if config.adapter_rank else 2 * held
        found = [
            each._replace(purpose=f"{each.purpose}, experts")
            for each in _shared_flows(config, gpu, layout, 2 * held, trained, copies, part)
            if each.size and copies > 1
        ]
    trained = trained_parameter_count(config) if config.adapter_rank else weights
    size, trained = 2 * weights // split, 2 * trained // split
    return _shared_flows(config, gpu, layout, size, trained, ranks, near) + found


def _shared_flows(
    config: Architecture,
    gpu: Gpu,
    layout: Layout,
    payload: int,
    trained: int,
    ranks: int,
    near: float,
) -> list[Flow]:
    """The same of a GPU's bytes of weights and gradients, `near` of whose sharers a node has."""
    if config.adapter_rank and layout.four_bit_base:
        payload = int(payload * NF4 / 2)
    if layout.fp32_gradients:
        trained *= 2
    blocks = -(-config.layers // layout.pp) + 1

    def flow(purpose: str, operation: Operation, repeats: int, hideable: float) -> Flow:
        size = (trained if purpose == "gradients" else payload) // blocks
        visible = min(1.0, _VISIBLE_BLOCKS[purpose] / blocks)
        calls = blocks * repeats
        made = _flow(gpu, purpose, operation, size, calls, ranks, near, hideable, visible)
        return _engaged(made, layout)

    micro = layout.accumulation
    match layout.sharding:
        case "fsdp2" | "zero3" if layout.pp > 1:
            # Gathers once (memory._gathered), while the pipeline fills and drains.
            filling = min(1.0, layout.pp / micro)
            return [
                flow("weights", "all-gather", 1, 0.28 * filling),
                flow("gradients", "reduce-scatter", 1, 0.57 * filling),
            ]
        case "fsdp2" | "zero3":
            return [
                flow("weights, forward", "all-gather", micro, 0.30),
                flow("weights, backward", "all-gather", micro, 0.28),
                flow("gradients", "reduce-scatter", micro, 0.28),
            ]
        case "zero2":
            return [
                flow("gradients", "reduce-scatter", micro, 0.57),
                flow("weights", "all-gather", 1, 0.28 / micro),
            ]
        case "zero1":
            return [
                flow("gradients", "reduce-scatter", 1, 0.57 / micro),
                flow("weights", "all-gather", 1, 0.28 / micro),
            ]
        case "ddp":
            buckets = max(1, round(trained / _BUCKET))
            made = _flow(
                gpu, "gradients", "all-reduce", trained // buckets, buckets, ranks, near,
                0.57 / micro, 1.0 / buckets,
            )  # fmt: skip
            return [_engaged(made, layout)]


@lru_cache(maxsize=1024)
def flows(config: Architecture, gpu: Gpu, layout: Layout, sequence: int) -> tuple[Flow, ...]:
    """Everything that one GPU exchanges in one optimizer step.

    Tensor parallelism all-reduces the hidden states (bf16) four times a layer: attention and
    feed-forward, forward and backward. A pipeline stage sends them on forward and backward.
    """
    hidden = 2 * layout.micro_batch * sequence * config.hidden_size // layout.cp
    micro = layout.accumulation
    layers = -(-config.layers // layout.pp)
    found = _data_flows(config, gpu, layout) + _replica_flows(config, gpu, layout)
    found += _context_flows(config, gpu, layout, sequence, layers)
    if layout.tp > 1:
        near = min(layout.tp, gpu.per_node)
        calls = (6 if layout.recompute == "full" else 4) * layers * micro
        flow = _flow(gpu, "hidden states", "all-reduce", hidden, calls, layout.tp, near, 0.30, 1.0)
        found.append(flow._replace(overlap=layout.engine.tensor_overlap, visible=0.0))
    if layout.ep > 1:
        found.append(_expert_flow(config, gpu, layout, hidden, layers))
    if layout.pp > 1:
        near = 1 if layout.nodes > 1 else 2
        found.append(
            _flow(
                gpu, "stage boundary", "send/recv", hidden // layout.tp,
                2 * micro, 2, near, 0.20, _FILLING,
            )
        )  # fmt: skip
    return tuple(found)


def excess_seconds(flow: Flow, compute: float) -> float:
    """The part of a flow that cannot hide under `compute` seconds of work."""
    return flow.seconds - min(flow.overlap * flow.seconds, flow.hideable * compute)


def exposed_seconds(flow: Flow, compute: float, luck: float = 1.0) -> float:
    """The part of a flow for which the GPU waits.

    This is the visible share of the hidden part (already in any published MFU), with the step's
    noise, and all of the excess.
    """
    excess = excess_seconds(flow, compute)
    return min(1.0, flow.visible * luck) * (flow.seconds - excess) + excess
