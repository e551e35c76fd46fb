"""NCCL's channels: the ring and the two trees that each rank belongs to."""

from llmsim.catalog.gpus import fabric
from llmsim.dialects.parts.nccl.log_lines import release
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster

# Characters of a ring; NCCL ends a longer one with dots (rings.cc, dumpLine).
LINE = 127


def _order(job: Job, channel: int) -> list[int]:
    """A node's ranks along a channel's ring: between nodes each channel has its own card."""
    size = gpus_per_node(job)
    first = channel % size if job.layout.nodes > 1 else 0
    return [(first + index) % size for index in range(size)]


def ring(job: Job, channel: int, channels: int) -> str:
    """A channel's ring over all ranks from rank 0 on, as far as NCCL's line goes."""
    order, size, total = _order(job, channel), gpus_per_node(job), job.layout.gpus
    begin, width = order.index(0), len(str(total - 1))
    text = f"Channel {channel:02d}/{channels:02d} :"
    for index in range(begin, begin + total):
        node, local = divmod(index % total, size)
        text += f" {node * size + order[local]:{width}d}"
        if len(text) > LINE:
            return text[: LINE - 3] + "..."
    return text


def binary_tree(nodes: int, node: int) -> tuple[int, int, int]:
    """A node's parent and two children in NCCL's first tree (trees.cc, ncclGetBtree); -1: none.

    Odd nodes are leaves; node 0 is the root and has one child.
    """
    bit = node & -node or 1 << (nodes - 1).bit_length()
    low = bit >> 1
    if node == 0:
        return -1, -1, low if nodes > 1 else -1
    up = (node ^ bit) | (bit << 1)
    left = node - low if low else -1
    while low and node + low >= nodes:
        low >>= 1
    return (up if up < nodes else node ^ bit), left, node + low if low else -1


def double_tree(nodes: int, node: int, second: bool) -> tuple[int, ...]:
    """A node's parent and two children in the first or second of NCCL's trees (ncclGetDtree); -1:
    none. The second is the first one mirrored, or shifted by one if the nodes are odd, so that
    leaves of one are inside the other.
    """
    if not second:
        return binary_tree(nodes, node)
    if nodes % 2:
        shifted = binary_tree(nodes, (node - 1) % nodes)
        return tuple((other + 1) % nodes if other >= 0 else -1 for other in shifted)
    mirrored = binary_tree(nodes, nodes - 1 - node)
    return tuple(nodes - 1 - other if other >= 0 else -1 for other in mirrored)


def tree(job: Job, rank: int, channel: int, channels: int) -> str:
    """Children, rank and parent: a chain in the node, from the rank that speaks for it."""
    order, size = _order(job, channel), gpus_per_node(job)
    node, local = divmod(rank, size)
    place, first = order.index(local), rank - local
    up = first + order[place - 1] if place else -1
    downs = [first + order[place + 1] if place + 1 < size else -1, -1, -1]
    if place == 0:
        others = double_tree(job.layout.nodes, node, channel >= channels // 2)
        up, *downs[1:] = (other * size + local if other >= 0 else -1 for other in others)
    return f"[{channel}] {downs[0]}/{downs[1]}/{downs[2]}->{rank}->{up}"


def head(job: Job, local: int) -> str:
    """The ranks that add up one slice: the same place on every node, as far as a line goes."""
    size = gpus_per_node(job)
    listed = range(min(job.layout.nodes, 40))
    return f"NVLS Head {local:2d}: {' '.join(f'{node * size + local:2d}' for node in listed)}"


def _way(job: Job) -> str:
    """How two GPUs of a node reach each other (transport/p2p.cc, shm.cc)."""
    if fabric(job.gpu) == "host memory":  # the driver refuses them peer access
        return "SHM/direct/direct"
    modern = release(job) >= (2, 24) and job.software.collectives == "NCCL"
    return "P2P/CUMEM" if modern else "P2P/IPC"


def hops(job: Job, rank: int, channels: int) -> list[str]:
    """A rank's hops on the rings: within its node, and at an end of it to the nodes beside it."""
    size, nodes, lines = gpus_per_node(job), job.layout.nodes, []
    node, local = divmod(rank, size)
    net = f"NET/IB/{local}/GDRDMA" if cluster.has_rdma(job) else "NET/Socket/0"
    for channel in range(channels):
        order = _order(job, channel)
        place, hop = order.index(local), f"Channel {channel:02d}/0 :"
        if nodes > 1 and place == 0:
            before = (node - 1) % nodes * size + order[-1]
            lines.append(f"{hop} {before}[{order[-1]}] -> {rank}[{local}] [receive] via {net}")
        if nodes > 1 and place == size - 1:
            after = (node + 1) % nodes * size + order[0]
            lines.append(f"{hop} {rank}[{local}] -> {after}[{order[0]}] [send] via {net}")
        elif size > 1:
            near = order[(place + 1) % size]
            lines.append(f"{hop} {rank}[{local}] -> {rank - local + near}[{near}] via {_way(job)}")
    return lines
