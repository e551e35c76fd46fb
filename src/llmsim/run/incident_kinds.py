"""The catalogue of what breaks a training run: one row a kind, for --list incidents and the docs.

Rates are interruptions per million GPU-hours. The anchor is Llama 3 405B: 419 unexpected
interruptions in 54 days of 16,384 H100, one per 50,700 GPU-hours (arXiv 2407.21783, table 5).
`CAUSES` has that table row by row, and says which kinds stand for each row; a row with several
kinds is split by our own estimate, since the paper does not split it. Kinds that slow a run or
change its numbers without ending it are missing in this table: their rates are estimates as well.
"""

from functools import cache
from math import fsum

from llmsim.typed import Literal, NamedTuple

# What a kind does to the attempt that it meets.
#   death    a process ends with an error, and the job with it
#   hang     no process dies; the watchdog of the waiting ranks ends the job after its timeout
#   slow     steps take longer, and the run goes on
#   drain    steps take longer until a person restarts the job without the node
#   stop     the job gets SIGTERM, saves if its framework can, and ends in order
#   numbers  the loss or the gradient is wrong; what follows is the framework's choice
Consequence = Literal["death", "hang", "slow", "drain", "stop", "numbers"]
Layer = Literal[
    "GPU", "fabric", "network", "host", "storage", "scheduler", "software", "numerics"
]  # fmt: skip


# What a job must have for a kind to be possible: NVIDIA's GPUs, NVIDIA's GPUs whose ECC is on,
# GPUs that NVLink joins, several ranks whose collectives NCCL or RCCL makes, several ranks that
# wait for an NVIDIA GPU, several nodes, or a loss scale.
Need = Literal["anything", "NVIDIA", "ECC", "NVLink", "ranks", "NVIDIA ranks", "nodes", "fp16"]


class Kind(NamedTuple):
    """One row of the catalogue."""

    name: str
    layer: Layer
    consequence: Consequence
    meaning: str  # a sentence for a list
    precursors: str  # what telemetry shows before
    speaks: str  # who prints, and who does not
    kernel: str  # its signature in the kernel log
    log: str  # in the training log
    slurm: str  # in the scheduler's output
    telemetry: str  # in the gauges
    recovery: str  # what ends it
    repair_minutes: float  # median from the death to the next launch; the mean is far longer
    exit_status: int | None  # of the first process that dies; None where none does
    # Estimates of interruptions per million GPU-hours that CAUSES does not contain.
    extra_rate: float = 0.0
    node_fault: bool = True  # whether one node is to blame, which may be at fault again
    needs: Need = "anything"


RUNS = 419  # interruptions in Llama 3's 54 days
GPU_HOURS_EACH = 16_384 * 54 * 24 / RUNS  # 50,700

# Llama 3's causes with their counts, and the kinds that stand for each with their weights.
CAUSES: tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...] = (
    ("faulty GPU", 148, (("gpu-lost", 118), ("nvlink", 10), ("nccl-timeout", 20))),
    ("HBM3", 72, (("hbm-ecc", 72),)),
    ("software", 54, (
        ("illegal-memory", 22), ("device-assert", 6), ("segfault", 8), ("data-killed", 8),
        ("cuda-oom", 6), ("disk-full", 2), ("nan", 2),
    )),
    ("switch or cable", 35, (("link-down", 35),)),
    ("host maintenance", 32, (("maintenance", 32),)),
    ("GPU SRAM", 19, (("hbm-ecc", 19),)),
    ("GPU system processor", 17, (("gsp", 17),)),
    ("NIC", 7, (("link-down", 7),)),
    ("NCCL watchdog", 7, (("nccl-timeout", 7),)),
    ("silent corruption", 6, (("sdc", 6),)),
    ("thermal or sensor", 6, (("thermal", 6),)),
    ("SSD", 3, (("node-fail", 3),)),
    ("power supply", 3, (("node-fail", 3),)),
    ("chassis", 2, (("node-fail", 2),)),
    ("I/O board", 2, (("node-fail", 2),)),
    ("dependency", 2, (("init-fail", 2),)),
    ("CPU", 2, (("node-fail", 2),)),
    ("RAM", 2, (("node-fail", 2),)),
)  # fmt: skip

KINDS: tuple[Kind, ...] = (
    Kind(
        "nccl-timeout", "GPU", "hang",
        "one rank stops, and the watchdogs of the other ranks end the job",
        "none, or one rank whose steps get slower",
        "every rank that waits; the rank that has stopped prints nothing",
        "", "silence for the timeout, then `Watchdog caught collective operation timeout`; after "
        "60 s (torch 2.7 and later) the abort", "`Exited with exit code 1`",
        "utilization 100 %, power near idle, tensor activity 0, no traffic",
        "a restart; if the node hangs again, it is excluded", 4.0, -6, needs="ranks",
    ),
    Kind(
        "hbm-ecc", "GPU", "death", "an uncorrectable error in HBM or SRAM",
        "in half of the cases single-bit errors and remapped rows",
        "only the rank on that GPU", "Xid 48, 63 after 23 ms, 94 after 25 ms, then 45 per channel",
        "`CUDA error: uncorrectable ECC error encountered`", "`Exited with exit code 1`",
        "double-bit errors and remapped rows rise by 1, a remap is pending until the GPU is reset; "
        "the Xid gauge shows 94; before the next step is done, the process ends, and the gauge "
        "shows 45",
        "a restart on the same node; if the pause before the restart lasts longer than 2 min, "
        "the GPU is reset in this pause, else in a later one", 4.0, -6, needs="ECC",
    ),
    Kind(
        "gpu-lost", "GPU", "death", "the GPU has fallen off the bus",
        "none, or PCIe replays and corrected AER errors",
        "only the rank on that GPU", "AER lines, Xid 79 with its second line, 119, 154",
        "`CUDA error: unspecified launch failure`", "`Exited with exit code 1`",
        "the GPU has no samples any more, not even zeros; some seconds later, at Xid 119, "
        "dcgm-exporter loses all GPUs of the node",
        "a spare machine in place of the node, which is repaired", 5.0, -6, needs="NVIDIA",
    ),
    Kind(
        "nvlink", "fabric", "death", "an error of NVLink or NVSwitch",
        "CRC and replay counters of one link rise at both ends",
        "several ranks of the node", "Xid 74, SXid on the switch; Blackwell: Xid 149, then 145",
        "`CUDA error: uncorrectable NVLink error detected during the execution`",
        "`Exited with exit code 1`", "counters of NVLink errors and recoveries rise",
        "a reset of all eight GPUs", 6.0,
        -6, needs="NVLink",
    ),
    Kind(
        "gsp", "GPU", "hang", "the GPU's system processor does not answer",
        "nvidia-smi answers slowly",
        "every rank that waits; the rank on that GPU prints nothing",
        "Xid 119, RPC buffers, rate limit line, 154", "the watchdog's timeout",
        "`Exited with exit code 1`",
        "from Xid 119 on, dcgm-exporter has no gauges of any GPU of the node, until the GPU is "
        "reset",
        "a reset of the GPU, often a reboot", 5.0, -6, needs="NVIDIA ranks",
    ),
    Kind(
        "link-flap", "network", "slow", "a network port goes down for some seconds",
        "symbol errors and recoveries of the link", "nobody; the kernel logs it",
        "mlx5 `Link down`, `Link up` 3 to 8 s later", "one step longer by the outage", "",
        "link_downed rises by 1, no traffic for some seconds",
        "the port comes up again", 0.0,
        None, extra_rate=8.0, needs="nodes",
    ),
    Kind(
        "link-down", "network", "death", "a network card, cable or switch is dead",
        "symbol errors, a hot optical module, a port that is down for seconds",
        "2 to 16 ranks; the other ranks get SIGTERM",
        "mlx5 `Link down` and no `Link up`",
        "`NCCL error: remote process exited or there was a network error` after the retries",
        "`Exited with exit code 1`", "link_downed rises by 1, no traffic",
        "a restart without the node", 5.0, -6, needs="nodes",
    ),
    Kind(
        "thermal", "GPU", "drain", "a GPU is too hot and lowers its clock",
        "the GPU's temperature rises to between 84 and 90 C", "nobody", "",
        "steps 10 to 80 % longer, equally on all ranks", "",
        "the GPU's clock falls, and NVML gives the reasons 0x8, 0x20 and 0x40; in some "
        "cases the cause is a power brake, and the reasons are 0x8 and 0x80; the tensor activity "
        "of all other GPUs falls",
        "in half of the cases a person restarts the job without the node; otherwise the GPU cools "
        "down", 8.0, None,
    ),
    Kind(
        "straggler", "host", "drain", "one node is slow, and all other nodes wait",
        "none", "nobody", "", "steps 4 to 7 % longer until the node is excluded",
        "", "the clock of one GPU is 4 to 7 % lower, and NVML gives the reason 0x4; all "
        "other GPUs wait",
        "a person restarts the job without the node", 6.0, None,
        extra_rate=1.5, needs="nodes",
    ),
    Kind(
        "sdc", "GPU", "numbers", "one GPU computes wrong numbers and says nothing",
        "none", "nobody; the loss or the gradient norm of a step is wrong", "",
        "a step far off the band", "", "no ECC error, no Xid",
        "a person takes out the node; the run goes back to a checkpoint before the wrong step", 8.0,
        None,
    ),
    Kind(
        "cuda-oom", "software", "death", "a GPU's memory is full",
        "reserved memory near the total; a step takes 1.5 to 3 times as long as usual",
        "the rank itself", "", "`CUDA out of memory. Tried to allocate`",
        "`Exited with exit code 1`", "used memory near the total",
        "a person changes the micro-batch",
        15.0, 1, node_fault=False, needs="NVIDIA",
    ),
    Kind(
        "data-stall", "storage", "slow", "the data loader has no data",
        "NFS does not respond", "nobody; the kernel may log lines about NFS",
        "`nfs: server not responding`, later `OK`", "steps 2 to 50 times longer, then normal",
        "", "utilization 0 to 30 %", "the storage answers again", 0.0, None, extra_rate=6.0,
        node_fault=False,
    ),
    Kind(
        "data-killed", "host", "death", "the host's memory is full, and a data worker is killed",
        "the host's used memory climbs for hours", "the rank whose data worker was killed",
        "`Out of memory: Killed process (pt_data_worker)`",
        "`DataLoader worker (pid 9382) is killed by signal: Killed. `",
        "`Detected 1 oom_kill event`", "more than 95 % of the host's memory is used", "a restart",
        4.0, 1,
    ),
    Kind(
        "disk-full", "storage", "death", "the disk is full while a checkpoint is written",
        "each save leaves less free space on the disk", "the rank that writes", "",
        "`OSError: [Errno 28] No space left on device` inside a save",
        "`Exited with exit code 1`", "100 % of the disk is used",
        "a person deletes files; the unfinished checkpoint stays on the disk",
        25.0, 1, node_fault=False,
    ),
    Kind(
        "slow-fs", "storage", "slow", "a save takes 5 to 30 times as long as usual",
        "NFS does not respond", "nobody; the kernel logs hung tasks",
        "`task blocked for more than 120 seconds`, NFS lines", "the save is late", "",
        "processes in state D, which wait for the disk", "the storage answers again", 0.0, None,
        extra_rate=2.0, node_fault=False,
    ),
    Kind(
        "loss-spike", "numerics", "numbers",
        "the loss jumps for some steps, for hundreds of steps, or for ever",
        "the gradient norm rises 1 to 5 steps earlier",
        "the framework, in the lines of its steps", "",
        "loss +0.1 to +3, back in 20 to 40 steps; or +0.05 to +0.3 for hundreds; or for good", "",
        "none",
        "the loss falls back; a permanent spike ends when the run goes back to a checkpoint and "
        "skips the data", 15.0, None,
        extra_rate=2.0, node_fault=False,
    ),
    Kind(
        "nan", "numerics", "numbers", "the loss is not a number any more",
        "the gradient norm climbs for some steps",
        "the framework, in the lines of its steps", "",
        "`loss: nan` for ever, or the framework's own stop", "", "none",
        "the run goes back to a checkpoint and skips the data", 20.0, 1, node_fault=False,
    ),
    Kind(
        "scale-collapse", "numerics", "numbers", "the loss scale of fp16 halves until it is 1",
        "the gradient norm climbs for hundreds of steps",
        "one rank, if the framework ends the run", "",
        "every step is skipped, the scale halves each time, down to 1", "", "none",
        "the run goes back to a checkpoint, with a lower learning rate", 30.0, 1, node_fault=False,
        needs="fp16",
    ),
    Kind(
        "preempt", "scheduler", "stop", "the nodes are taken for another job",
        "none", "Slurm, then the launcher or the framework's signal handler", "",
        "`Received 15 death signal` or the handler's save", "`CANCELLED AT ... DUE TO PREEMPTION`",
        "power falls to idle", "Slurm starts the job again under the same id, after 2 min or more",
        12.0, 0, extra_rate=1.0, node_fault=False,
    ),
    Kind(
        "time-limit", "scheduler", "stop", "the job's time is up",
        "none", "Slurm, then the launcher or the framework's signal handler", "",
        "`Received 15 death signal` or the handler's save", "`CANCELLED AT ... DUE TO TIME LIMIT`",
        "power falls to idle", "Slurm starts the job again under the same id, after 2 min or more",
        4.0, 0, extra_rate=0.5, node_fault=False,
    ),
    Kind(
        "node-fail", "host", "death", "the power, mainboard, CPU or memory of a node fails",
        "none, or corrected memory errors", "the other nodes; the dead node is silent", "",
        "`Connection closed by remote peer` or status 12",
        "`DUE TO NODE FAILURE` 300 s later", "all series of the node end",
        "Slurm starts the job again with a spare node", 8.0, -6, needs="nodes",
    ),
    Kind(
        "maintenance", "host", "stop", "a host is taken out after an announcement",
        "the announcement", "the launcher or the framework's signal handler", "",
        "a save and a clean end", "`DUE to SIGNAL Terminated`", "power falls to idle",
        "a restart 10 to 60 min later", 12.0, 0,
    ),
    Kind(
        "illegal-memory", "software", "death", "a GPU kernel reads an address that is not its own",
        "none", "the rank",
        "Xid 31, 43, 45 naming the process",
        "`CUDA error: an illegal memory access was encountered`", "`Exited with exit code 1`",
        "the Xid gauge shows 43 until the process ends, and then 45", "a restart", 5.0, -6,
        node_fault=False, needs="NVIDIA",
    ),
    Kind(
        "device-assert", "software", "death", "an assertion fails on the GPU",
        "none", "the rank", "Xid 43, 45",
        "lines of `Assertion ... failed.`, `CUDA error: device-side assert triggered`",
        "`Exited with exit code 1`", "the Xid gauge shows 43", "a person corrects the data", 20.0,
        1,
        node_fault=False, needs="NVIDIA",
    ),
    Kind(
        "segfault", "software", "death", "a process reads an address that is not its own",
        "none", "only the launcher", "`segfault at ... in libnccl.so`",
        "the launcher's `exitcode: -11`", "`Segmentation fault`", "none", "a restart", 4.0, -11,
        node_fault=False,
    ),
    Kind(
        "init-fail", "software", "death", "the processes of a launch do not find each other",
        "none", "rank 0, whose port is taken; or, after minutes, a rank that cannot reach rank 0",
        "", "`DistNetworkError: The client socket has timed out`, or `The server socket has failed "
        "to listen`; on one GPU `CUDA-capable device(s) is/are busy or unavailable`",
        "`Exited with exit code 1`", "none: idle GPUs, no memory in use",
        "the next attempt", 3.0, 1, extra_rate=2.0, node_fault=False,
    ),
)  # fmt: skip
NAMES = tuple(kind.name for kind in KINDS)
_BY_NAME = dict(zip(NAMES, KINDS, strict=True))


def kind_named(name: str) -> Kind:
    """The row of a name from NAMES. Raises KeyError for another."""
    return _BY_NAME[name]


@cache
def per_million_gpu_hours(name: str) -> float:
    """How often a kind strikes: its share of Llama 3's 419, and what the estimates add."""
    parts = [weight for _, _, kinds in CAUSES for kind, weight in kinds if kind == name]
    return sum(parts) / RUNS / GPU_HOURS_EACH * 1e6 + _BY_NAME[name].extra_rate


@cache
def all_per_million_gpu_hours() -> float:
    """How often anything strikes."""
    return fsum([per_million_gpu_hours(name) for name in NAMES])
