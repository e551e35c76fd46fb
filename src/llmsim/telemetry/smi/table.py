"""nvidia-smi without arguments: the table of a node's GPUs and their processes; and -L."""

from collections.abc import Iterator, Sequence

from llmsim.dialects.parts import nvidia_smi
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import cluster
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node


def table(node: Node, chosen: Sequence[Gauges]) -> str:
    """The table of the chosen GPUs of a node."""
    cards = [
        nvidia_smi.Card(
            number=of.local(node, each),
            celsius=each.temperature_c,
            state=each.performance_state,
            watts=round(each.power_watts),
            used_mib=each.used_mib,
            utilization=each.utilization_percent,
            uncorrected=each.uncorrectable_errors,
        )
        for each in chosen
    ]
    numbers = {card.number for card in cards}
    rows = [
        (each.gpu, each.pid, each.name, each.mib)
        for each in of.processes(node)
        if each.gpu in numbers
    ]
    return "\n".join(nvidia_smi.table(cards, rows, node.job, of.clock(node))) + "\n"


def listing(node: Node, chosen: Sequence[Gauges]) -> str:
    """-L: a line a GPU."""
    return "".join(
        f"GPU {of.local(node, each)}: {node.job.gpu.name} (UUID: {of.uuid(node, each)})\n"
        for each in chosen
    )


def nvlink(node: Node, chosen: Sequence[Gauges]) -> str:
    """nvlink -s: each GPU's links with the rate of one direction."""
    return "".join(line + "\n" for each in chosen for line in _links(node, each))


def _links(node: Node, gauges: Gauges) -> Iterator[str]:
    yield listing(node, [gauges]).rstrip("\n")
    board = of.board_of(node)
    for link in range(board.links):
        yield f"\t Link {link}: {board.link_gb_s:g} GB/s"


def version(node: Node) -> str:
    """--version, four lines."""
    driver = of.driver(node)
    return (
        f"NVIDIA-SMI version  : {driver}\n"
        f"NVML version        : {'.'.join(driver.split('.')[:2])}\n"
        f"DRIVER version      : {driver}\n"
        f"CUDA Version        : {cluster.driver_cuda(driver)}\n"
    )
