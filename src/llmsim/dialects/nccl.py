"""What NCCL tells at NCCL_DEBUG=INFO while a communicator comes up, version by version.

The lines of rank 0's node, as such logs are usually filtered. Formats: nccl@5067397 (2.30.7),
src/init.cc:702-1950, src/bootstrap.cc:133, src/graph/connect.cc, src/graph/rings.cc,
src/transport/{p2p,net,nvls}.cc, and public logs of 2.18 to 2.29. AMD's RCCL speaks alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from llmsim import machine
from llmsim.job import Job, gpus_per_node, hostname
from llmsim.physics import noise

LINE = 127  # characters of a ring; NCCL ends a longer one with dots (rings.cc, dumpLine)

# Parts of an initialisation's time; what remains is "rest".
_PARTS = (
    ("kernels", 0.14), ("alloc", 0.40), ("bootstrap", 0.12), ("allgathers", 0.005),
    ("topo", 0.03), ("graphs", 0.005), ("connections", 0.26),
)  # fmt: skip


def version_line(job: Job) -> str:
    """The version, as rank 0 prints it without NCCL's prefix."""
    if job.software.collectives == "RCCL":
        commit = f"{noise.bits(job.seed, 'machine/rccl') >> 36:07x}"
        version, hip = job.software.collectives_version, job.software.platform_version
        return f"RCCL version : {version}-HEAD:{commit} (HIP {hip})"
    return f"NCCL version {job.software.collectives_version}"


def info(job: Job, seconds: float, channels: int) -> list[str]:
    """All lines from the first to Init timings, for a set-up that took so many seconds.

    Ranks speak at once, so their lines interleave and one is torn, unless the job is tidy.
    """
    ranks = range(gpus_per_node(job))
    phases = (
        [_found(job, rank) for rank in ranks],
        [_network(job, rank) for rank in ranks],
        [_topology(job, rank, channels) for rank in ranks],
        [_connections(job, rank, channels) for rank in ranks],
        [_connected(job, rank) for rank in ranks],
        [_tuned(job, rank, channels) for rank in ranks],
    )
    lines = [line for index, phase in enumerate(phases) for line in _mingled(job, index, phase)]
    done = [[_complete(job, rank), _timings(job, rank, seconds)] for rank in ranks]
    return lines + _torn(job, list(_mingled(job, len(phases), done)))


def release(job: Job) -> tuple[int, int]:
    """The version's first two numbers: (2, 27)."""
    major, minor, *_ = job.software.collectives_version.split(".")
    return int(major), int(minor)


def says(job: Job, rank: int, text: str, *, thread: bool = True) -> str:
    """A line with NCCL's prefix: host, process, thread, device (debug.cc:330)."""
    node, local = divmod(rank, gpus_per_node(job))
    process = machine.worker(job, rank)
    speaker = machine.thread(job, rank) if thread else process
    return f"{hostname(job, node)}:{process}:{speaker} [{local}] NCCL INFO {text}"


# --- disorder ----------------------------------------------------------------------------


def tidy(job: Job) -> bool:
    """Whether the log is to be free of what happens when many processes print at once."""
    return bool(getattr(job, "tidy", False))


def _mingled(job: Job, phase: int, streams: Sequence[Sequence[str]]) -> Iterator[str]:
    """The streams' lines, each stream in its order; rank after rank if the job is tidy."""
    waiting = [list(reversed(stream)) for stream in streams if stream]
    draw = partial(noise.bits, job.seed, f"nccl/order {phase}")
    count = 0
    while waiting:
        # Ranks keep about the same pace: the next is one of the three that said least.
        waiting.sort(key=len, reverse=True)
        index = 0 if tidy(job) else draw(count) % min(3, len(waiting))
        yield waiting[index].pop()
        if tidy(job):
            yield from reversed(waiting.pop(index))
        waiting = [stream for stream in waiting if stream]
        count += 1


def _torn(job: Job, lines: list[str]) -> list[str]:
    """One Init COMPLETE loses its second half to a later line, as in logs of eight ranks."""
    where = [at for at, line in enumerate(lines[:-1]) if line.endswith("COMPLETE")]
    if tidy(job) or len(where) < 2:
        return lines
    torn = noise.pick(job.seed, "nccl/torn", where)
    cut = lines[torn].rindex("000 commId")
    head, tail = lines[torn][:cut], lines[torn][cut:]
    return [*lines[:torn], head + lines[torn + 1], tail, *lines[torn + 2 :]]


# --- what is there -----------------------------------------------------------------------


def _found(job: Job, rank: int) -> list[str]:
    colon = " :" if release(job) <= (2, 24) else ":"
    say = partial(says, job, rank, thread=False)
    lines = [
        say(f"Bootstrap{colon} Using {machine.interface(job)}:{machine.address(job, 0)}<0>"),
    ]
    if job.software.collectives == "NCCL":
        major, minor = machine.driver_cuda(job.software.driver).split(".")
        driver = say(f"cudaDriverVersion {int(major) * 1000 + int(minor) * 10}")
        lines.insert(1 if rank == 0 else 0, driver)
    if rank == 0:
        version = version_line(job)
        lines.append(say(version) if release(job) >= (2, 27) else version)
    return lines


def _network(job: Job, rank: int) -> list[str]:
    say = partial(says, job, rank)
    door = f"{machine.interface(job)}:{machine.address(job, 0)}<0>"
    network = "IB" if machine.has_rdma(job) else "Socket"
    if network == "IB":
        cards = " ".join(f"[{i}]{name}:1/IB" for i, name in enumerate(machine.cards(job)))
        using = f"NET/IB : Using {cards} [RO]; OOB {door}"
    else:
        using = f"NET/Socket : Using [0]{door}"
    lines = ["NET/Plugin: Could not find: libnccl-net.so. ", using]
    if release(job) >= (2, 27):
        lines += [f"Initialized NET plugin {network}", f"Assigned NET plugin {network} to comm"]
    lines.append(f"Using network {network}")
    if network == "IB":
        lines.append(f"DMA-BUF is available on GPU device {rank}")
    named = f"[Rank {rank}] " if release(job) >= (2, 29) else ""
    return [say(line) for line in (*lines, f"{named}{_comm(job, rank)} - Init START")]


def _comm(job: Job, rank: int) -> str:
    """How START and COMPLETE name a communicator; before 2.22 without the function."""
    function = "ncclCommInitRankConfig " if release(job) >= (2, 22) else ""
    return (
        f"{function}comm {machine.communicator(job, rank)} rank {rank} nranks {job.layout.gpus} "
        f"cudaDev {rank} nvmlDev {rank} busId {machine.bus_number(job, rank)} "
        f"commId {machine.communicator_id(job)}"
    )


# --- rings and trees ---------------------------------------------------------------------


def _order(job: Job, channel: int) -> list[int]:
    """A node's ranks along a channel's ring: between nodes each channel has its own card."""
    size = gpus_per_node(job)
    first = channel % size if job.layout.nodes > 1 else 0
    return [(first + index) % size for index in range(size)]


def _ring(job: Job, channel: int, channels: int) -> str:
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


def binary_tree(nodes: int, node: int) -> tuple[int, tuple[int, int]]:
    """A node's parent and children in NCCL's first tree (graph/trees.cc, ncclGetBtree)."""
    if nodes == 1:
        return -1, (-1, -1)
    bit = node & -node or 1 << (nodes - 1).bit_length()
    if node == 0:
        return -1, (-1, bit >> 1)
    up = (node ^ bit) | (bit << 1)
    low = bit >> 1
    left = node - low if low else -1
    while low and node + low >= nodes:
        low >>= 1
    return (up if up < nodes else node ^ bit), (left, node + low if low else -1)


def _double_tree(nodes: int, node: int, second: bool) -> tuple[int, tuple[int, int]]:
    """The same in either of the two trees: the second is the first mirrored, or shifted by one."""
    if not second:
        return binary_tree(nodes, node)
    if nodes % 2:
        up, (left, right) = binary_tree(nodes, (node - 1) % nodes)
        turned = [(other + 1) % nodes if other >= 0 else -1 for other in (up, left, right)]
    else:
        up, (left, right) = binary_tree(nodes, nodes - 1 - node)
        turned = [nodes - 1 - other if other >= 0 else -1 for other in (up, left, right)]
    return turned[0], (turned[1], turned[2])


def _tree(job: Job, rank: int, channel: int, channels: int) -> str:
    """Children, rank and parent: a chain in the node, from the rank that speaks for it."""
    order, size = _order(job, channel), gpus_per_node(job)
    place = order.index(rank)
    up = order[place - 1] if place else -1
    downs = [order[place + 1] if place + 1 < size else -1, -1, -1]
    if place == 0:
        parent, children = _double_tree(job.layout.nodes, 0, channel >= channels // 2)
        up = parent * size + order[0] if parent >= 0 else -1
        downs[1:] = [child * size + order[0] if child >= 0 else -1 for child in children]
    return f"[{channel}] {downs[0]}/{downs[1]}/{downs[2]}->{rank}->{up}"


def _affinity(job: Job, rank: int) -> str:
    near, words = rank % 8 // 4, ",".join(["ffffffff"] * 3)
    if release(job) < (2, 26):
        return words + ",00000000" * 3 * near
    cores = f"{96 * near}-{96 * near + 95}"
    return f"{cores}. (GPU affinity = {cores} ; CPU affinity = 0-191)."


def _topology(job: Job, rank: int, channels: int) -> list[str]:
    nodes, size = job.layout.nodes, gpus_per_node(job)
    lines = [f"Setting affinity for GPU {rank} to {_affinity(job, rank)}"]
    if machine.has_multicast(job):
        many = " (NVLS_NCHANNELS 16)" if release(job) >= (2, 24) else ""
        lines.append(f"NVLS multicast support is available on dev {rank}{many}")
    lines.append(
        f"comm {machine.communicator(job, rank)} rank {rank} nRanks {job.layout.gpus} "
        f"nNodes {nodes} localRanks {size} localRank {rank} MNNVL 0"
    )
    if rank == 0:
        if nodes > 1 and machine.has_multicast(job):
            lines += [_head(job, local) for local in range(size)]
        lines += [_ring(job, channel, channels) for channel in range(channels)]
    trees = (_tree(job, rank, channel, channels) for channel in range(channels))
    chunk = 524_288 if nodes == 1 and job.gpu.link_gb_s >= 100 else 131_072
    lines += [f"Trees {' '.join(trees)}", f"P2P Chunksize set to {chunk}"]
    if release(job) >= (2, 26):
        lines.append("PROFILER/Plugin: Could not find: libnccl-profiler.so.")
    if rank == 0 and release(job) >= (2, 23):
        lines.append("Check P2P Type isAllDirectP2p 1 directMode 0 isAllCudaP2p 1")
    lines += [
        f"[Proxy Service] Device {rank} CPU core {machine.core(job, 'proxy', rank)}",
        f"[Proxy Service UDS] Device {rank} CPU core {machine.core(job, 'proxy uds', rank)}",
    ]
    return [says(job, rank, line) for line in lines]


def _head(job: Job, local: int) -> str:
    """The ranks that add up one slice: the same place on each node, as far as a line goes."""
    size, nodes = gpus_per_node(job), job.layout.nodes
    ranks = " ".join(f"{node * size + local:2d}" for node in range(min(nodes, 40)))
    return f"NVLS Head {local:2d}: {ranks}"[:LINE]


# --- connections -------------------------------------------------------------------------


def _way(job: Job) -> str:
    """How two GPUs of a node reach each other (transport/p2p.cc, shm.cc)."""
    if "GeForce" in job.gpu.name:  # the driver refuses them peer access
        return "SHM/direct/direct"
    modern = release(job) >= (2, 24) and job.software.collectives == "NCCL"
    return "P2P/CUMEM" if modern else "P2P/IPC"


def _connections(job: Job, rank: int, channels: int) -> list[str]:
    """A rank's hops on the rings: within the node, and where it is at its end to the others."""
    size, nodes, lines = gpus_per_node(job), job.layout.nodes, []
    net = f"NET/IB/{rank}/GDRDMA" if machine.has_rdma(job) else "NET/Socket/0"
    for channel in range(channels):
        order = _order(job, channel)
        place, hop = order.index(rank), f"Channel {channel:02d}/0 :"
        if nodes > 1 and place == 0:
            before = (nodes - 1) * size + order[-1]
            arrow = f"{before}[{order[-1]}] -> {rank}[{rank}]"
            lines.append(f"{hop} {arrow} [receive] via {net}")
        if nodes > 1 and place == size - 1:
            arrow = f"{rank}[{rank}] -> {size + order[0]}[{order[0]}]"
            lines.append(f"{hop} {arrow} [send] via {net}")
        elif size > 1:
            after = order[(place + 1) % size]
            lines.append(f"{hop} {rank}[{rank}] -> {after}[{after}] via {_way(job)}")
    return [says(job, rank, line) for line in lines]


def _connected(job: Job, rank: int) -> list[str]:
    gdr = int(machine.has_rdma(job))
    rings = f", use ring PXN 0 GDR {gdr}" if release(job) >= (2, 21) else ""
    lines = [f"Connected all rings{rings}", "Connected all trees"]
    if machine.has_multicast(job):
        heads = gpus_per_node(job)
        start = f"NVLS comm {machine.communicator(job, rank)} headRank {rank} nHeads {heads}"
        if release(job) >= (2, 27):
            each = 33_554_432
            lines.append(
                f"{start} nvlsRanks {heads} buffSize 1048576 nvlsPerRankSize {each} "
                f"nvlsTotalSize {each * heads}"
            )
        else:
            each = 201_326_592
            lines.append(
                f"{start} buffSize 4194304 memSize 2097152 nvlsPerRankSize {each} "
                f"nvlsTotalSize {each * heads}"
            )
        if job.layout.nodes > 1:
            lines.append("Connected NVLS tree")
    return [says(job, rank, line) for line in lines]


def _tuned(job: Job, rank: int, channels: int) -> list[str]:
    multicast = 16 if machine.has_multicast(job) else 0
    alone = job.layout.nodes == 1
    peers = (32, 32) if alone and job.gpu.link_gb_s >= 100 else (channels, 2)
    lines = []
    if release(job) >= (2, 24):
        lines.append("TUNER/Plugin: Could not find: libnccl-tuner.so")
    lines += [
        f"threadThresholds 8/8/64 | {8 * job.layout.gpus}/8/64 | 512 | 512",
        f"{channels} coll channels, {channels} collnet channels, {multicast} nvls channels, "
        f"{peers[0]} p2p channels, {peers[1]} p2p channels per peer",
    ]
    if rank == 0 and release(job) >= (2, 23):
        lines.append("CC Off, workFifoBytes 1048576")
    return [says(job, rank, line) for line in lines]


def _complete(job: Job, rank: int) -> str:
    return says(job, rank, f"{_comm(job, rank)} - Init COMPLETE")


def _timings(job: Job, rank: int, seconds: float) -> str:
    """The parts add up to the total, to the last digit shown."""
    named = release(job) >= (2, 22)
    shown: list[tuple[str, int]] = []  # hundredths of a second
    for name, mean in _PARTS:
        if name != "alloc" or named:
            part = machine.share(job, f"nccl {name}", rank, mean)
            shown.append((name, round(100 * seconds * part)))
    total = round(100 * seconds)
    shown.append(("rest", total - sum(part for _, part in shown)))
    parts = ", ".join(f"{name} {part / 100:.2f}" for name, part in _settled(shown))
    function = " - ncclCommInitRankConfig" if named else ""
    return says(
        job, rank,
        f"Init timings{function}: rank {rank} nranks {job.layout.gpus} "
        f"total {total / 100:.2f} ({parts})",
    )  # fmt: skip


def _settled(parts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """The parts, with a small rest: what is more was spent waiting for the others."""
    *named, (_, rest) = parts
    kept = min(rest, 4)
    found = [(name, part + rest - kept if name == "bootstrap" else part) for name, part in named]
    return [*found, ("rest", kept)]
