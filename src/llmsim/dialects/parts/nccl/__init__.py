"""NCCL's lines at NCCL_DEBUG=INFO while a communicator is initialized, by version.

Every rank prints them, on each node that the log has. Formats: nccl@5067397 (2.30.7),
src/init.cc:702-1950, src/bootstrap.cc:133, src/graph/connect.cc, src/graph/rings.cc,
src/transport/{p2p,net,nvls}.cc, and public logs of 2.18 to 2.29. AMD's RCCL prints the same lines.
"""

from collections.abc import Callable, Iterator

from llmsim.catalog.gpus import has_fast_link, socket_cores
from llmsim.dialects.capture import nodes_kept
from llmsim.dialects.line import Line
from llmsim.dialects.parts.interleaving import interleaved, split
from llmsim.dialects.parts.nccl import graph
from llmsim.dialects.parts.nccl.log_lines import communicator, release, says, version_line
from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.run import cluster

__all__ = ["info", "speaking_nodes", "version_line"]

MOST_NODES = 8  # a script for more nodes sets NCCL_DEBUG=INFO on the first node alone

# What an initialisation's parts leave of its time is spent waiting in "bootstrap", but for some
# hundredths of a second that NCCL calls "rest".
_REST = 3

# In a 16-channel log of NVSwitch machines; and what a slice of its buffers takes, in bytes.
_MULTICAST_CHANNELS = 16
_SLICE, _OLDER_SLICE = 33_554_432, 201_326_592


def speaking_nodes(job: Job) -> tuple[int, ...]:
    """The nodes of a log on which NCCL speaks: all that it has, but of many the first alone."""
    kept = nodes_kept(job) or (0,)
    return kept if job.layout.nodes <= MOST_NODES else tuple(node for node in kept if node == 0)


def info(job: Job, seconds: float, channels: int) -> Iterator[Line]:
    """All lines from the first to Init timings, for an initialisation that took `seconds`.

    Ranks print at the same time, so their lines are interleaved and one of a node's is split,
    unless the job is tidy or has one rank. Nodes wait for each other between the phases.
    """
    size = gpus_per_node(job)
    nodes = {node * size: _of_node(job, node, seconds, channels) for node in speaking_nodes(job)}
    for phase, *streams in zip(_PHASES, *nodes.values(), strict=True):
        marked = (
            [Line(text, rank=rank) for text in stream]
            for rank, stream in zip(nodes, streams, strict=True)
        )
        yield from interleaved(job, f"nccl nodes {phase}", [*marked])


_PHASES = ("start", "network", "topology", "connections", "connected", "tuner", "done")


def _of_node(job: Job, node: int, seconds: float, channels: int) -> Iterator[list[str]]:
    """The lines of a node, phase by phase; in rank 0's own file no other rank speaks."""
    ranks = ranks_on(job, node)[: 1 if job.capture == "rank0" else None]
    # A stream of noise for each node; the first one's has no number.
    own = f" {node}" if node else ""

    def phase(name: str, say: Callable[[int], list[str]]) -> list[str]:
        streams = [[says(job, rank, text) for text in say(rank)] for rank in ranks]
        return list(interleaved(job, f"nccl {name}{own}", streams))

    start = [_found(job, rank) for rank in ranks]
    yield list(interleaved(job, f"nccl start{own}", start))
    yield phase("network", lambda rank: _network(job, rank))
    yield phase("topology", lambda rank: _topology(job, rank, channels))
    yield phase("connections", lambda rank: graph.hops(job, rank, channels))
    yield phase("connected", lambda rank: _connected(job, rank))
    yield phase("tuner", lambda rank: _tuned(job, rank, channels))
    done = phase("done", lambda rank: _done(job, rank, seconds))
    yield split(job, f"nccl torn{own}", done, "000 commId") if len(ranks) > 1 else done


def _found(job: Job, rank: int) -> list[str]:
    """The first lines come from the main thread; the version's has no prefix before 2.27."""
    colon = " :" if release(job) <= (2, 24) else ":"
    bootstrap = f"Bootstrap{colon} Using {_door(job, rank)}"
    texts = [bootstrap]
    if job.software.collectives == "NCCL":
        major, minor = cluster.driver_cuda(job.software.driver).split(".")
        driver = f"cudaDriverVersion {int(major) * 1000 + int(minor) * 10}"
        texts = [bootstrap, driver] if rank == 0 else [driver, bootstrap]
    lines = [says(job, rank, text, main=True) for text in texts]
    if rank == 0:
        version = version_line(job)
        lines.append(says(job, 0, version, main=True) if release(job) >= (2, 27) else version)
    return lines


def _door(job: Job, rank: int) -> str:
    node = rank // gpus_per_node(job)
    return f"{cluster.interface(job)}:{cluster.address(job, node)}<0>"


def _network(job: Job, rank: int) -> list[str]:
    door, local = _door(job, rank), rank % gpus_per_node(job)
    network, using = "Socket", f"NET/Socket : Using [0]{door}"
    if cluster.has_rdma(job):
        cards = " ".join(f"[{i}]{name}:1/IB" for i, name in enumerate(cluster.cards(job)))
        network, using = "IB", f"NET/IB : Using {cards} [RO]; OOB {door}"
    lines = ["NET/Plugin: Could not find: libnccl-net.so. ", using]
    if release(job) >= (2, 27):
        lines += [f"Initialized NET plugin {network}", f"Assigned NET plugin {network} to comm"]
    lines.append(f"Using network {network}")
    if network == "IB":
        lines.append(f"DMA-BUF is available on GPU device {local}")
    named = f"[Rank {rank}] " if release(job) >= (2, 29) else ""
    return [*lines, f"{named}{communicator(job, rank)} - Init START"]


def _affinity(job: Job, rank: int) -> str:
    """The cores near a GPU: a mask in groups of 32, or from 2.26 on a list."""
    near, cores = cluster.socket(job, rank), socket_cores(job.gpu)
    if release(job) < (2, 26):
        digits = f"{(2**cores - 1) << cores * near:x}"
        digits = digits.zfill(-(-len(digits) // 8) * 8)
        return ",".join(digits[at : at + 8] for at in range(0, len(digits), 8))
    own = f"{cores * near}-{cores * (near + 1) - 1}"
    return f"{own}. (GPU affinity = {own} ; CPU affinity = 0-{2 * cores - 1})."


def _topology(job: Job, rank: int, channels: int) -> list[str]:
    nodes, size = job.layout.nodes, gpus_per_node(job)
    local = rank % size
    lines = [f"Setting affinity for GPU {local} to {_affinity(job, rank)}"]
    if cluster.has_multicast(job):
        many = f" (NVLS_NCHANNELS {_MULTICAST_CHANNELS})" if release(job) >= (2, 24) else ""
        lines.append(f"NVLS multicast support is available on dev {local}{many}")
    lines.append(
        f"comm {cluster.communicator(job, rank)} rank {rank} nRanks {job.layout.gpus} "
        f"nNodes {nodes} localRanks {size} localRank {local} MNNVL 0"
    )
    if rank == 0:
        if nodes > 1 and cluster.has_multicast(job):
            lines += [graph.head(job, place) for place in range(size)]
        lines += [graph.ring(job, channel, channels) for channel in range(channels)]
    trees = (graph.tree(job, rank, channel, channels) for channel in range(channels))
    chunk = 524_288 if nodes == 1 and has_fast_link(job.gpu) else 131_072
    lines += [f"Trees {' '.join(trees)}", f"P2P Chunksize set to {chunk}"]
    if release(job) >= (2, 26):
        lines.append("PROFILER/Plugin: Could not find: libnccl-profiler.so.")
    if rank == 0 and release(job) >= (2, 23):
        lines.append("Check P2P Type isAllDirectP2p 1 directMode 0 isAllCudaP2p 1")
    return [
        *lines,
        f"[Proxy Service] Device {local} CPU core {cluster.core(job, 'proxy', rank)}",
        f"[Proxy Service UDS] Device {local} CPU core {cluster.core(job, 'proxy uds', rank)}",
    ]


def _connected(job: Job, rank: int) -> list[str]:
    gdr = int(cluster.has_rdma(job))
    lines = [f"Connected all rings, use ring PXN 0 GDR {gdr}", "Connected all trees"]
    if not cluster.has_multicast(job):
        return lines
    heads = gpus_per_node(job)
    start = f"NVLS comm {cluster.communicator(job, rank)} headRank {rank % heads} nHeads {heads}"
    if release(job) >= (2, 27):
        sizes = f"nvlsRanks {heads} buffSize 1048576", _SLICE
    else:
        sizes = "buffSize 4194304 memSize 2097152", _OLDER_SLICE
    total = sizes[1] * heads
    lines.append(f"{start} {sizes[0]} nvlsPerRankSize {sizes[1]} nvlsTotalSize {total}")
    return [*lines, "Connected NVLS tree"] if job.layout.nodes > 1 else lines


def _tuned(job: Job, rank: int, channels: int) -> list[str]:
    multicast = _MULTICAST_CHANNELS if cluster.has_multicast(job) else 0
    near = job.layout.nodes == 1 and has_fast_link(job.gpu)
    peers, each = (32, 32) if near else (channels, 2)
    lines = [] if release(job) < (2, 24) else ["TUNER/Plugin: Could not find: libnccl-tuner.so"]
    lines.append(f"threadThresholds 8/8/64 | {8 * job.layout.gpus}/8/64 | 512 | 512")
    lines.append(
        f"{channels} coll channels, {channels} collnet channels, {multicast} nvls channels, "
        f"{peers} p2p channels, {each} p2p channels per peer"
    )
    if rank == 0 and release(job) >= (2, 23):
        lines.append("CC Off, workFifoBytes 1048576")
    return lines


def _done(job: Job, rank: int, seconds: float) -> list[str]:
    """The parts of the time add up to the total, to the last digit shown (init.cc:1950)."""
    named = release(job) >= (2, 22)
    total = round(100 * seconds)
    parts = {  # hundredths of a second
        name: round(100 * part)
        for name, part in cluster.communicator_seconds(job, rank, seconds).items()
        if named or name != "alloc"
    }
    rest = total - sum(parts.values())
    parts["bootstrap"] += rest - min(rest, _REST)
    parts["rest"] = min(rest, _REST)
    timings = ", ".join(f"{name} {part / 100:.2f}" for name, part in parts.items())
    function = " - ncclCommInitRankConfig" if named else ""
    timings = f"rank {rank} nranks {job.layout.gpus} total {total / 100:.2f} ({timings})"
    return [f"{communicator(job, rank)} - Init COMPLETE", f"Init timings{function}: {timings}"]
