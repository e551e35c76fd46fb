"""What a collective operation takes, and which of them one optimizer step runs.

    seconds = hypot(a, S f / B) + r S / (S + 32 MiB)

S bytes; f bytes that each rank sends per byte: 2 (n - 1) / n for an all-reduce over n ranks,
(n - 1) / n for all-gather and reduce-scatter, 1 for broadcast and send/recv (nccl-tests,
PERFORMANCE.md). B is the bandwidth of the slower of two ways: the links inside a node
(NVLink, XGMI, PCIe) and the node's network cards, which carry only the traffic between
m nodes, f with m for n. `a` is the latency of a small message, `r` that of filling the
pipeline of chunks (it saturates, hence the name).

Constants fitted to nccl-tests tables of PHYSICS.md section 10: 2x8 H100 with NDR400
InfiniBand, 2x8 B200 with RoCE, 8x H800 in one node; every row within 20 %.
"""

from functools import lru_cache
from math import fsum, hypot, log2
from typing import Literal, NamedTuple

from llmsim.architecture import Architecture, parameter_count, trained_parameter_count
from llmsim.catalog import Gpu
from llmsim.job import Layout

Operation = Literal["all-reduce", "reduce-scatter", "all-gather", "broadcast", "send/recv"]
Axis = Literal["data", "tensor", "pipeline"]

MIB = 2**20
_KNEE = 32 * MIB
_NODE_LATENCY, _NODE_FILL = 40e-6, 20e-6  # seconds
_NETWORK_LATENCY, _NETWORK_FILL = 90e-6, 250e-6
_NETWORK_SHARE = 0.934  # of the cards' nominal bandwidth
_CONGESTION = 0.015  # bandwidth lost per doubling of the nodes
_BUCKET = 25 * MIB  # DDP's default bucket


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
    axis: Axis
    operation: Operation
    size: int  # bytes per call
    calls: int  # per optimizer step
    ranks: int
    ranks_per_node: int
    seconds: float  # of all calls, on an idle network
    hideable: float  # share of the step's compute time under which it can hide


def sent_per_byte(operation: Operation, ranks: int) -> float:
    """Bytes on the bus per byte of payload: bus bandwidth / algorithm bandwidth."""
    if operation == "all-reduce":
        return 2.0 * (ranks - 1) / ranks
    if operation in ("all-gather", "reduce-scatter"):
        return (ranks - 1) / ranks
    return 1.0


def _link_share(gpu: Gpu, operation: Operation) -> float:
    """Share of the links' nominal bandwidth that an operation reaches inside a node.

    All-reduce in NVSwitch (NVLS, since H100) tops 482-486 of 450 GB/s, 1.08; A100 reaches
    about 235 of 300. H800 broadcasts 165 of 200 GB/s. Without NVLink the traffic goes through
    the host's memory.
    """
    if gpu.link_gb_s < 100:
        return 0.5
    if "AMD" in gpu.name or "MI3" in gpu.name:
        return 0.70
    if operation != "all-reduce":
        return 0.825
    return 1.08 if gpu.link_gb_s >= 400 else 0.78


def _bandwidth_seconds(
    gpu: Gpu, operation: Operation, size: int, ranks: int, ranks_per_node: int, nodes: int
) -> float:
    ways = [0.0]
    if ranks_per_node > 1:
        link = gpu.link_gb_s * 1e9 * _link_share(gpu, operation)
        ways.append(size * sent_per_byte(operation, ranks) / link)
    if nodes > 1:
        cards = gpu.nic_gb_s * 1e9 * ranks_per_node
        cards *= _NETWORK_SHARE * max(0.5, 1.0 - _CONGESTION * log2(nodes))
        ways.append(size * sent_per_byte(operation, nodes) / cards)
    return max(ways)


@lru_cache(maxsize=4096)
def collective(
    gpu: Gpu, operation: Operation, size: int, ranks: int, ranks_per_node: int
) -> Transfer:
    """Time of one collective over `ranks` GPUs, `ranks_per_node` of them in each node."""
    if ranks <= 1 or size <= 0:
        return Transfer(operation, size, ranks, 0.0, 0.0)
    ranks_per_node = min(ranks, max(1, ranks_per_node))
    nodes = -(-ranks // ranks_per_node)
    depth = 1.0 + 0.15 * log2(nodes / 2) if nodes > 1 else 1.0  # trees deepen with the cluster
    latency, fill = (_NETWORK_LATENCY, _NETWORK_FILL) if nodes > 1 else (_NODE_LATENCY, _NODE_FILL)
    payload = _bandwidth_seconds(gpu, operation, size, ranks, ranks_per_node, nodes)
    seconds = hypot(latency * depth, payload) + fill * depth * size / (size + _KNEE)
    bus = size * sent_per_byte(operation, ranks) / seconds / 1e9
    return Transfer(operation, size, ranks, seconds, bus)


def _flow(
    gpu: Gpu,
    purpose: str,
    axis: Axis,
    operation: Operation,
    size: int,
    calls: int,
    ranks: int,
    ranks_per_node: int,
    hideable: float,
) -> Flow:
    once = collective(gpu, operation, size, ranks, ranks_per_node).seconds
    return Flow(
        purpose, axis, operation, size, calls, ranks, ranks_per_node, calls * once, hideable
    )


def _data_flows(shape: Architecture, gpu: Gpu, layout: Layout) -> list[Flow]:
    """Weights and gradients between data ranks, bf16: 2 bytes a parameter.

    FSDP and ZeRO-3 move them block by block in every micro-batch, forward under the forward
    pass (a third of the step), backward under the backward pass. The others, and pipelines,
    move them once a step, under the last micro-batch.
    """
    ranks = layout.data
    if ranks == 1:
        return []
    near = max(1, min(gpu.per_node, layout.gpus // layout.nodes) // layout.tensor)
    payload = 2 * parameter_count(shape) // (layout.tensor * layout.pipeline)
    trained = 2 * trained_parameter_count(shape) // (layout.tensor * layout.pipeline)
    blocks = -(-shape.layers // layout.pipeline) + 1

    def flow(purpose: str, operation: Operation, repeats: int, hideable: float) -> Flow:
        size = (trained if purpose == "gradients" else payload) // blocks
        return _flow(gpu, purpose, "data", operation, size, blocks * repeats, ranks, near, hideable)

    micro = layout.accumulation
    match layout.sharding:
        case "fsdp2" | "zero3" if layout.pipeline > 1:
            # Gathers once (memory._gathered), while the pipeline fills and drains.
            filling = min(1.0, layout.pipeline / micro)
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
            return [
                _flow(
                    gpu, "gradients", "data", "all-reduce", trained // buckets, buckets, ranks,
                    near, 0.57 / micro,
                )
            ]  # fmt: skip


@lru_cache(maxsize=1024)
def flows(shape: Architecture, gpu: Gpu, layout: Layout, sequence: int) -> tuple[Flow, ...]:
    """Everything that one GPU exchanges in one optimizer step.

    Tensor parallelism all-reduces the hidden states (bf16) four times a layer: attention and
    feed-forward, forward and backward. A pipeline stage sends them on forward and backward.
    """
    hidden = 2 * layout.micro_batch * sequence * shape.width
    micro = layout.accumulation
    layers = -(-shape.layers // layout.pipeline)
    found = _data_flows(shape, gpu, layout)
    if layout.tensor > 1:
        near = min(layout.tensor, gpu.per_node)
        found.append(
            _flow(
                gpu, "hidden states", "tensor", "all-reduce", hidden, 4 * layers * micro,
                layout.tensor, near, 0.30,
            )
        )  # fmt: skip
    if layout.pipeline > 1:
        near = 1 if layout.nodes > 1 else 2
        found.append(
            _flow(
                gpu, "stage boundary", "pipeline", "send/recv", hidden // layout.tensor,
                2 * micro, 2, near, 0.20,
            )
        )  # fmt: skip
    return tuple(found)


# What stays visible of traffic that could hide: the first gather and the last scatter of a
# step wait for nothing to overlap with; tensor-parallel traffic sits on the critical path.
_VISIBLE: dict[Axis, float] = {"data": 0.10, "tensor": 0.60, "pipeline": 0.20}


def excess_seconds(flow: Flow, compute: float) -> float:
    """The part of a flow that cannot hide under `compute` seconds of work."""
    return max(0.0, flow.seconds - flow.hideable * compute)


def exposed_seconds(flow: Flow, compute: float) -> float:
    """The part of a flow for which the GPU waits.

    The visible share of what hides (already in any published MFU) and all of the excess. All
    flows together: at most 0.10 * 0.86 + 0.60 * 0.30 + 0.20 * 0.20 = 31 % of the compute time
    plus the excess, so always less than the step.
    """
    excess = excess_seconds(flow, compute)
    return _VISIBLE[flow.axis] * (flow.seconds - excess) + excess


def total_excess(found: tuple[Flow, ...], compute: float) -> float:
    """Seconds that communication adds to a step beyond its compute time."""
    return fsum(excess_seconds(flow, compute) for flow in found)
