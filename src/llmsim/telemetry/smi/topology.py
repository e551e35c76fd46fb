"""topo -m and -p2p: how the GPUs and network cards of a node reach each other.

A node has two sockets; each half of its GPUs and network cards is on one of them, and a GPU
shares a PCIe switch with the card of its number.
"""

from llmsim.catalog import gpus
from llmsim.errors import NvidiaSmiError
from llmsim.job.records import gpus_per_node
from llmsim.run import cluster
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node

_UNDERLINED, _PLAIN = "\x1b[4m", "\x1b[0m"
_CORES = 96  # of a socket; their second threads are numbered behind all cores

_LEGEND = """
Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes \
(e.g., QPI/UPI)
  NODE = Connection traversing PCIe as well as the interconnect between PCIe Host Bridges within \
a NUMA node
  PHB  = Connection traversing PCIe as well as a PCIe Host Bridge (typically the CPU)
  PXB  = Connection traversing multiple PCIe bridges (without traversing the PCIe Host Bridge)
  PIX  = Connection traversing at most a single PCIe bridge
  NV#  = Connection traversing a bonded set of # NVLinks
"""
_PEER_LEGEND = """
Legend:

  X    = Self
  OK   = Status Ok
  CNS  = Chipset not supported
  GNS  = GPU not supported
  TNS  = Topology not supported
  NS   = Not supported
  U    = Unknown
"""
_SEE = "Please run 'nvidia-smi -h' for help."


def topology(node: Node) -> str:
    """The matrix of the GPUs and RDMA cards of a node, and its legend."""
    job, size = node.job, gpus_per_node(node.job)
    cards = cluster.cards(job) if cluster.has_rdma(job) and job.layout.nodes > 1 else ()
    names = [f"GPU{number}" for number in range(size)]
    names += [f"NIC{number}" for number in range(len(cards))]
    head = "\t".join([*names, "CPU Affinity", "NUMA Affinity", "GPU NUMA ID"])
    lines = [f"\t{_UNDERLINED}{head}{_PLAIN}"]
    for place, name in enumerate(names):
        cells = [_path(node, place, other) for other in range(len(names))]
        if place < size:
            socket = _socket(place, size)
            cells += [_threads(socket), f"{socket}\t", "N/A"]
        else:
            cells += ["", "", ""]
        lines.append("\t".join([name, *cells]))
    text = "\n".join(lines) + "\n" + _LEGEND
    if cards:
        text += "\nNIC Legend:\n\n"
        text += "".join(f"  NIC{number}: {card}\n" for number, card in enumerate(cards)) + "\n"
    return text


def peers(node: Node, what: str) -> str:
    """topo -p2p: whether two GPUs read (r) or write (w) each other's memory, over NVLink (n), with
    atomics (a).

    Public captures: 8 H100 have OK everywhere; 2 L4 and 4 RTX 3060 have CNS. Raises NvidiaSmiError
    for another letter.
    """
    if what not in ("r", "w", "n", "a"):
        raise NvidiaSmiError(f"Invalid value for option -p2p: give r, w, n or a. {_SEE}")
    linked, direct = bool(of.board_of(node).links), gpus.fabric(node.job.gpu) != "host memory"
    status = "OK" if linked else "NS" if what in ("n", "a") else "OK" if direct else "CNS"
    size = gpus_per_node(node.job)
    names = [f"GPU{number}" for number in range(size)]
    lines = ["\t" + _UNDERLINED + "\t".join(names) + _PLAIN]
    for number, name in enumerate(names):
        cells = ("X" if number == other else status for other in range(size))
        lines.append("\t".join([f" {name}", *cells]))
    return "\n".join(lines) + "\n" + _PEER_LEGEND


def _socket(number: int, size: int) -> int:
    return 2 * number // size if size > 1 else 0


def _threads(socket: int) -> str:
    first = socket * _CORES
    again = first + 2 * _CORES
    return f"{first}-{first + _CORES - 1},{again}-{again + _CORES - 1}"


def _path(node: Node, one: int, other: int) -> str:
    """How two of the GPUs (first) and network cards (after them) reach each other."""
    size = gpus_per_node(node.job)
    if one == other:
        return " X "
    if one < size and other < size and of.board_of(node).links:
        return f"NV{of.board_of(node).links}"
    if _socket(one % size, size) != _socket(other % size, size):
        return "SYS"
    return "PIX" if one % size == other % size else "NODE"
