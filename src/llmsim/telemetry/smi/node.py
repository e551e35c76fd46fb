"""A node as its driver sees it at a moment: its GPUs, their gauges and their processes."""

from llmsim.catalog import gpus as catalog
from llmsim.catalog.boards import Board, Clocks, board, clocks
from llmsim.errors import ExportError, OptionError
from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import cluster, hardware_ids
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.samples import gauges_of, tick_of
from llmsim.text.units import stamp
from llmsim.typed import NamedTuple

# What a context costs beside the memory of its process, MiB: 1,521 used by a process of 1,512.
CONTEXT_MIB = 9
PYTHON = "/usr/bin/python3"
NOT_AVAILABLE = "[N/A]"


class Process(NamedTuple):
    """A process that uses a GPU."""

    gpu: int  # the GPU's number on its node
    pid: int
    name: str
    mib: int


class Node(NamedTuple):
    """A node at a moment."""

    run: Run
    number: int  # counted from 0
    at: float  # simulated seconds since the run's command
    gauges: tuple[Gauges, ...]  # of its GPUs; one that has fallen off the bus is missing

    @property
    def job(self) -> Job:
        """The job of the run, with the machines that it has at the moment."""
        return owner(self.run, self.at)


def node_at(run: Run, number: int, at: float) -> Node:
    """A node of a run at a moment, in simulated seconds.

    Raises ExportError if the run has no NVIDIA GPUs, and OptionError if it has no node of this
    number.
    """
    job = run.job
    if not catalog.is_nvidia(job.gpu):
        raise ExportError(f"nvidia-smi reads NVIDIA's GPUs, and this run has {job.gpu.name}.")
    if not 0 <= number < job.layout.nodes:
        last = job.layout.nodes - 1
        known = f"only the nodes 0 to {last}" if last else "only node 0"
        raise OptionError(f"--node {number}: the run has no node {number}, {known}.")
    return Node(run, number, at, gauges_of(run, tick_of(run, at), ranks_on(job, number)))


def local(node: Node, gauges: Gauges) -> int:
    """The number of a GPU on its node."""
    return gauges.gpu % gpus_per_node(node.job)


def uuid(node: Node, gauges: Gauges) -> str:
    """A GPU's UUID, with "GPU-" before it."""
    return hardware_ids.gpu_uuid(node.job, gauges.gpu)


def serial(node: Node, gauges: Gauges) -> str:
    """The serial number of a GPU's board, or [N/A]: consumer cards have none.

    Public captures of GeForce cards (GTX 780, GTX 1660 Ti) have `Serial Number : N/A`.
    """
    return hardware_ids.gpu_serial(node.job, gauges.gpu) or NOT_AVAILABLE


def bus_id(node: Node, gauges: Gauges) -> str:
    """A GPU's PCI address: 00000000:9B:00.0."""
    return cluster.bus_address(node.job, local(node, gauges))


def board_of(node: Node) -> Board:
    """What stands on the boards of a node's GPUs."""
    return board(node.job.gpu)


def clocks_of(node: Node) -> Clocks:
    """The clocks that a node's GPUs have."""
    return clocks(node.job.gpu)


def driver(node: Node) -> str:
    """The version of NVIDIA's driver."""
    return node.job.software.driver


def missing(node: Node) -> list[int]:
    """The numbers of the GPUs that have fallen off the bus."""
    ranks, seen = ranks_on(node.job, node.number), {each.gpu for each in node.gauges}
    return [place for place, rank in enumerate(ranks) if rank not in seen]


def lost(node: Node) -> list[str]:
    """A sentence of the driver's for each GPU that cannot be reached."""
    return [
        f"Unable to determine the device handle for GPU{number}: "
        f"{cluster.bus_address(node.job, number)}: Unknown Error"
        for number in missing(node)
    ]


def processes(node: Node) -> list[Process]:
    """The processes on a node's GPUs, one a GPU while the job's ranks are up."""
    attempt = node.run.timeline[node.run.timeline.number_at(node.at)].attempt
    job = node.job._replace(attempt=attempt)
    return [
        Process(
            local(node, each),
            cluster.worker(job, each.gpu),
            PYTHON,
            each.used_mib - CONTEXT_MIB,
        )
        for each in node.gauges
        if each.used_mib > CONTEXT_MIB
    ]


def supported_clocks(node: Node) -> range:
    """The clocks of multiprocessors that can be asked for, MHz: from the highest down to 210, in
    steps of 15.
    """
    return range(clocks_of(node).top, 209, -15)


def ticks(node: Node) -> str:
    """The time of a moment as queries write it: 2026/07/14 08:12:38.696."""
    return f"{stamp(node.job.start, node.at):%Y/%m/%d %H:%M:%S.%f}"[:-3]


def clock(node: Node) -> str:
    """The time of a moment as reports write it: Tue Jul 14 08:12:38 2026."""
    now = stamp(node.job.start, node.at)
    return f"{now:%a %b} {now.day:2d} {now:%H:%M:%S %Y}"
