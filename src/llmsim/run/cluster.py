"""The machines of a job as a launch prints them: processes, addresses, buses, network cards.

Each value is a pure function of the job and a node or rank, drawn from a stream of its own.
"""

from math import log2

from llmsim.catalog import gpus
from llmsim.catalog.records import gpu_named
from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise

PORT = 29500  # default port of torchrun's and DeepSpeed's rendezvous

# The process ids of a launcher's workers begin this far after its own, which its threads take.
WORKERS_AFTER = 67

LARGEST_CLUSTER = 1_000_000  # nodes: streams of two attempts lie further apart than that

# Process ids: a host counts up to pid_max, which systemd sets to 2^22 on 64-bit machines, and then
# begins again at 300 (the kernel's RESERVED_PIDS). From one attempt to the next, threads and other
# work on the host take the third number of them; the fourth is the part of it that varies.
_PID_MAX, _RESERVED_PIDS = 4_194_304, 300
_PIDS_OF_ATTEMPT, _PIDS_VARY = 16_000, 6_000

# PCI addresses of the eight GPUs of HGX baseboards, as public nvidia-smi tables show them.
BUSES = (
    ("18", "2A", "3A", "5D", "84", "8B", "91", "E4"),
    ("8D", "91", "95", "99", "AB", "AF", "B3", "B7"),
    ("19", "3B", "4C", "5D", "9B", "BB", "CB", "DB"),
    ("19", "2D", "3F", "66", "9B", "AE", "BF", "E4"),
)

# PCI domains of the GPUs on a compute tray of GB200 and GB300, as public nvidia-smi tables have it.
_GRACE_DOMAINS = ("08", "09", "18", "19")

INTERFACES = ("eth0", "bond0", "ens3", "eno1", "enp41s0np0")

# Below this a node's network is Ethernet without RDMA, GB/s a GPU (100 Gb/s).
RDMA_GB_S = 12.0

# Mean durations of small operations in a launch: seconds, and seconds for each layer of the model.
_SETUP_SECONDS = {
    "index builder": (0.06, 0.0),  # make finds that the library is up to date
    "no checkpoint": (2e-4, 0.0),  # the process looks for a file
    "model setup": (1.0, 0.04),
    "fused_adam": (0.1, 0.0),  # a compiled extension is loaded
    "finalization": (0.3, 0.0),  # the metadata of a whole save are written
}

# Mean shares of the parts of a communicator's initialisation; the rest of the time is waiting.
_COMMUNICATOR_PARTS = {
    "kernels": 0.12, "alloc": 0.34, "bootstrap": 0.05, "allgathers": 0.005,
    "topo": 0.03, "graphs": 0.005, "connections": 0.22,
}  # fmt: skip
_COMMUNICATOR_SECONDS = 4.0

# GiB: main memory of a node with eight GPUs, what one rank uses of it, what the rest of the node
# uses, and how much the use grows between two memory reports while the optimizer is built.
_HOST_GIB, _RANK_GIB, _SYSTEM_GIB, _LOOK_GIB = 2015, 11.0, 40.0, 0.2

# The newest CUDA version that a driver branch supports (CUDA release notes, table 3).
_DRIVER_CUDA = {
    550: "12.4", 555: "12.5", 560: "12.6", 565: "12.7", 570: "12.8", 575: "12.9",
    580: "13.0", 590: "13.1", 595: "13.2",
}  # fmt: skip


# --- processes ---------------------------------------------------------------------------


def launcher(job: Job, node: int) -> int:
    """The process id of torchrun on a node; each machine counts its own, upwards from attempt to
    attempt: after 240 attempts or more it may begin again from below.
    """
    number, attempt = machine(job, node), job.attempt - 1
    first = noise.integer(job.seed, "launch/process", 2_000, 200_000, number)
    place = number + LARGEST_CLUSTER * attempt
    more = noise.integer(job.seed, "launch/later", 0, _PIDS_VARY, place) if attempt else 0
    room = _PID_MAX - _RESERVED_PIDS - _PIDS_OF_ATTEMPT
    return _RESERVED_PIDS + (first + _PIDS_OF_ATTEMPT * attempt + more) % room


def worker(job: Job, rank: int) -> int:
    """The process id of a rank; the ranks of a node have consecutive ids."""
    node, local = divmod(rank, gpus_per_node(job))
    return launcher(job, node) + WORKERS_AFTER + local


def thread(job: Job, rank: int) -> int:
    """The id of the thread in which a rank sets up its communicator."""
    size = gpus_per_node(job)
    node, local = divmod(rank, size)
    # Each process has started some dozens of threads by then.
    after = 31 * size + noise.integer(job.seed, "machine/threads", 0, 200, node)
    return launcher(job, node) + WORKERS_AFTER + size + after + local


def pointer(job: Job, name: str, rank: int = 0) -> str:
    """The memory address of an object in a process, as Python prints it: 0x7f144559ef00."""
    return _aligned(0x7F0000000000, noise.bits(job.seed, f"machine/{name}", rank))


def _aligned(base: int, bits: int) -> str:
    """An address within a terabyte of the base, at a multiple of 16."""
    return f"{base + (bits >> 28 << 4):#x}"


def pick_index(job: Job, name: str, among: int, index: int = 0) -> int:
    """A random index below `among`: of the process, line or place that is next."""
    return noise.integer(job.seed, f"disorder/{name}", 0, among - 1, index)


def arrivals(job: Job, name: str, count: int) -> list[int]:
    """The numbers 0 to count - 1 of processes, in the random order in which they print."""
    return sorted(range(count), key=lambda place: noise.bits(job.seed, f"{name}/arrival", place))


def machine(job: Job, node: int) -> int:
    """The number of the machine that a job has as a node, counted from 0.

    The first attempt has the first machines in order; the spares come after them.
    """
    return _spares(job).get(node, node) if job.spares else node


@remembered()
def _spares(job: Job) -> dict[int, int]:
    return dict(job.spares)


def card(job: Job, rank: int) -> int:
    """The number of the card that a rank has, counted over all machines."""
    node, local = divmod(rank, gpus_per_node(job))
    return machine(job, node) * gpus_per_node(job) + local


def hostname(job: Job, node: int) -> str:
    """The name of a node's machine: see machine_name."""
    return machine_name(job, machine(job, node))


def machine_name(job: Job, number: int) -> str:
    """The name of a machine by its number, which names count from 1: "toaster-01"."""
    digits = max(2, len(str(job.layout.nodes)))
    return f"{job.cluster}-{number + 1:0{digits}d}"


def gap(job: Job, name: str, rank: int, usual: float) -> float:
    """Seconds from a line of a process to its next: 0.5 to 1.5 times the usual ones."""
    return noise.between(job.seed, f"gap/{name}", 0.5 * usual, 1.5 * usual, rank)


# --- addresses ---------------------------------------------------------------------------


def address(job: Job, node: int) -> str:
    """A node's IP address on the private network: neighbours have neighbouring numbers."""
    place = machine(job, node)
    return _address(job, 10 + place + place // 240 * 16)  # none ends in 0 or 255


def peer_port(job: Job, rank: int) -> int:
    """The port of the other side of a rank's connection, from Linux's ip_local_port_range."""
    place = rank + 8 * LARGEST_CLUSTER * (job.attempt - 1)
    return noise.integer(job.seed, "machine/peer port", 32_768, 60_999, place)


def storage_address(job: Job) -> str:
    """The address of the server whose file system the nodes mount: one below the nodes' own."""
    return _address(job, noise.integer(job.seed, "machine/storage", 2, 9))


def _address(job: Job, number: int) -> str:
    first = noise.integer(job.seed, "machine/network", 0, 2**24 - 2**18)
    number += first - first % 256
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def interface(job: Job) -> str:
    """The network interface that the processes find each other on."""
    return noise.pick(job.seed, "machine/interface", INTERFACES)


def has_rdma(job: Job) -> bool:
    """Whether the cards between the nodes are InfiniBand or RoCE, as they usually are."""
    return gpu_named(job.gpu.name).nic_gb_s >= RDMA_GB_S


def cards(job: Job) -> tuple[str, ...]:
    """The RDMA cards of a node, one for each GPU: mlx5_0, mlx5_1 ... Sometimes one number is left
    out, because that port serves the storage.
    """
    skipped = noise.integer(job.seed, "machine/cards", 1, 2 * gpus_per_node(job))
    numbers = (index + (index >= skipped) for index in range(gpus_per_node(job)))
    return tuple(f"mlx5_{number}" for number in numbers)


# --- GPUs --------------------------------------------------------------------------------


def bus_address(job: Job, local_rank: int) -> str:
    """A GPU's PCI address, as nvidia-smi or rocm-smi prints it; it is the same on all nodes."""
    if gpus.is_on_grace(job.gpu):
        return f"000000{_GRACE_DOMAINS[local_rank % 4]}:{gpus.superchip_bus(job.gpu)}"
    buses = noise.pick(job.seed, "launch/buses", BUSES)
    # From the ninth on, the GPUs of a node belong to a second PCI domain.
    domain, slot = divmod(local_rank, len(buses))
    return f"{domain:0{gpus.bus_domain_digits(job.gpu)}X}:{buses[slot]}:00.0"


def bus_number(job: Job, local_rank: int) -> str:
    """A GPU's PCI address as NCCL prints it: 18000 for 00000000:18:00.0."""
    digits = bus_address(job, local_rank).replace(":", "").replace(".", "")
    return f"{int(digits, 16):x}"


def has_multicast(job: Job) -> bool:
    """Whether the node's NVLink switch adds up and copies data itself (NVLink SHARP)."""
    return gpus.has_multicast(job.gpu) and gpus_per_node(job) > 2


def driver_cuda(driver: str) -> str:
    """The CUDA version that nvidia-smi prints for a driver: "13.0" for 580.95.05."""
    branch = int(driver.partition(".")[0])
    known = [at for at in _DRIVER_CUDA if at <= branch]
    return _DRIVER_CUDA[max(known, default=min(_DRIVER_CUDA))]


def core(job: Job, name: str, rank: int) -> int:
    """The CPU core of a rank's helper thread, on the socket of its GPU."""
    cores = gpus.socket_cores(job.gpu)
    return cores * socket(job, rank) + noise.integer(
        job.seed, f"machine/{name}", 0, cores - 1, rank
    )


def socket(job: Job, rank: int) -> int:
    """The number of the CPU beside a rank's GPU."""
    each = gpus.socket_gpus(job.gpu)
    return rank % gpus_per_node(job) % (2 * each) // each


# --- communicators -----------------------------------------------------------------------


def communicator(job: Job, rank: int) -> str:
    """The memory address of a rank's communicator: 0x55b0e50b0050."""
    return _aligned(0x550000000000, noise.bits(job.seed, "machine/communicator", rank))


def communicator_id(job: Job) -> str:
    """The id that all ranks of the communicator share: 0xd348dd38f6a77098."""
    return f"{noise.bits(job.seed, 'machine/communicator id'):#x}"


def collectives_commit(job: Job) -> str:
    """The commit that RCCL was built from, as its seven first digits: 9c5b1d0."""
    return f"{noise.bits(job.seed, 'nccl/commit') >> 36:07x}"


def _jittered(job: Job, name: str, rank: int, mean: float) -> float:
    """A value of one rank near the mean of all ranks: 0.85 to 1.15 times the mean."""
    return mean * (0.85 + 0.3 * noise.uniform(job.seed, f"machine/{name}", rank))


def late(job: Job, name: str, index: int, most: float) -> float:
    """Seconds after the first of its kind that a process, or a node's launcher, gets somewhere in
    an attempt: up to `most`.
    """
    place = index + 8 * LARGEST_CLUSTER * (job.attempt - 1)
    return noise.between(job.seed, f"late/{name}", 0.0, most, place)


def barrier_skew(job: Job, name: str, index: int = 0) -> float:
    """Seconds between the first and the last rank that leave a barrier; 0 on a single GPU."""
    if job.layout.gpus == 1:
        return 0.0
    spread = 0.0003 + 0.0004 * job.layout.nodes.bit_length()
    return spread * (0.5 + noise.uniform(job.seed, f"machine/skew {name}", index))


# --- small things ------------------------------------------------------------------------


def setup_seconds(job: Job, name: str, rank: int = 0) -> float:
    """Seconds of a small operation, by its name in _SETUP_SECONDS: of a rank, or of a step."""
    mean, per_layer = _SETUP_SECONDS[name]
    return _jittered(job, name, rank, mean + per_layer * job.architecture.layers)


def iterator_seconds(job: Job) -> float:
    """Seconds in which an attempt's ranks open the data set's files on the shared file system: more
    with each doubling of the nodes, and other ones at each launch.
    """
    mean = 0.22 + 0.05 * log2(job.layout.nodes)
    return _jittered(job, "iterators", job.attempt, mean)


def communicator_seconds(job: Job, rank: int, seconds: float) -> dict[str, float]:
    """Parts of the `seconds` of a communicator's initialisation, by NCCL's names for them.

    In a cluster of any size a rank is busy for a few seconds; it waits for the rest of the time.
    """
    own = min(seconds, _COMMUNICATOR_SECONDS)
    return {
        name: _jittered(job, f"nccl {name}", rank, own * mean)
        for name, mean in _COMMUNICATOR_PARTS.items()
    }


def host_memory(job: Job) -> float:
    """A node's main memory, GiB: 2 TB with eight GPUs, half of it with four or fewer."""
    return _HOST_GIB * (1 if gpus_per_node(job) > 4 else 0.5)


def host_memory_used(job: Job, look: int) -> float:
    """GiB of a node's main memory in use; it grows from one memory report (`look`) to the next."""
    ranks = _SYSTEM_GIB + _RANK_GIB * gpus_per_node(job)
    growth = _jittered(job, "host growth", look, _LOOK_GIB * look)
    return _jittered(job, "host memory", 0, ranks) + growth


def document_tokens(job: Job) -> int:
    """The mean length of the data set's documents, in tokens."""
    return noise.integer(job.seed, "machine/document", 500, 1500)
