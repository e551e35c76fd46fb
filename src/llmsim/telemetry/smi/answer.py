"""The text that answers a request, for a node at a moment."""

from collections.abc import Sequence

from llmsim.errors import NvidiaSmiError
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import changes, lists, monitor, query, report, table, topology
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.properties import PROPERTIES
from llmsim.telemetry.smi.request import Request

HELP = """\
NVIDIA System Management Interface, as a simulated cluster answers it.

nvidia-smi [-L] [-q [-x] [-d DISPLAY,...]] [-i ID,...] [-l SECONDS] [-lms MS] [-f FILE]
nvidia-smi --query-gpu=NAME,... --format=csv[,noheader][,nounits]
nvidia-smi --query-compute-apps=NAME,... --format=csv[,noheader][,nounits]
nvidia-smi --query-accounted-apps=NAME,... --format=csv[,noheader][,nounits]
nvidia-smi --query-remapped-rows=NAME,... --format=csv[,noheader][,nounits]
nvidia-smi --query-retired-pages=NAME,... --format=csv[,noheader][,nounits]
nvidia-smi --query-supported-clocks=NAME,... --format=csv[,noheader][,nounits]
nvidia-smi dmon [-i ID] [-d SECONDS] [-c COUNT] [-s pucvmet] [-o DT]
nvidia-smi pmon [-i ID] [-d SECONDS] [-c COUNT]
nvidia-smi topo -m | -p2p r|w|n|a
nvidia-smi nvlink -s [-i ID,...]
nvidia-smi --version | --help-query-gpu | --help-query-compute-apps | --help-query-accounted-apps
nvidia-smi -pm 0|1 | -pl WATTS | -c MODE | -mig 0|1 | -ac, -lgc, -lmc CLOCKS | -rac, -rgc, -rmc | -r
"""


def answer(node: Node, asked: Request, look: int = 0) -> str:
    """What nvidia-smi prints. `look` counts the answers of a loop from 0: later ones have no
    header.

    Raises NvidiaSmiError in nvidia-smi's own words.
    """
    chosen = _chosen(node, asked.ids)
    lost = "".join(line + "\n" for line in of.lost(node)) if not asked.ids else ""
    if asked.kind in ("query-gpu", "query-compute-apps"):
        form = asked.format._replace(header=asked.format.header and look == 0)
        ask = query.query_gpu if asked.kind == "query-gpu" else query.query_apps
        return lost + ask(node, asked.names, form, chosen)
    if asked.kind == "query-accounted-apps":
        form = asked.format._replace(header=asked.format.header and look == 0)
        return lost + query.query_accounted(asked.names, form)
    if asked.kind in lists.NAMES:
        form = asked.format._replace(header=asked.format.header and look == 0)
        return lost + lists.listed(node, asked.kind, asked.names, form, chosen)
    if asked.kind in ("dmon", "pmon"):
        return _rows(node, asked, chosen, look)
    if asked.kind == "report":
        text = report.xml(node, chosen) if asked.xml else report.text(node, chosen, asked.displays)
        return text if asked.xml else lost + text
    if asked.kind == "list":
        return lost + table.listing(node, chosen)
    if asked.kind == "table":
        return lost + table.table(node, chosen)
    return _about(node, asked, chosen)


def _about(node: Node, asked: Request, chosen: Sequence[Gauges]) -> str:
    if asked.kind == "topo":
        return topology.topology(node)
    if asked.kind == "topo-p2p":
        return topology.peers(node, asked.metrics)
    if asked.kind == "nvlink":
        return table.nvlink(node, chosen)
    if asked.kind == "version":
        return table.version(node)
    if asked.kind == "change":
        return changes.told(node, asked.change, chosen)
    if asked.kind == "help":
        return HELP
    names = [(each.name, *each.aliases) for each in PROPERTIES]
    if asked.kind == "help-query-compute-apps":
        names = [(name,) for name in query.APP_PROPERTIES]
    if asked.kind == "help-query-accounted-apps":
        names = [(name,) for name in query.ACCOUNTED_PROPERTIES]
    switch = asked.kind.removeprefix("help-")
    names = [(name,) for name in lists.NAMES[switch]] if switch in lists.NAMES else names
    shown = ("".join(["\n", " or ".join(f'"{name}"' for name in each), "\n"]) for each in names)
    return f'List of valid properties to query for the switch "--{switch}":\n' + "".join(shown)


def _rows(node: Node, asked: Request, chosen: Sequence[Gauges], look: int) -> str:
    columns = monitor.columns(asked.metrics) if asked.kind == "dmon" else ()
    head = ""
    if look % monitor.HEAD_EVERY == 0:
        head = monitor.dmon_head(columns) if columns else monitor.PMON_HEAD
    rows = monitor.dmon(node, columns, chosen) if columns else monitor.pmon(node, chosen)
    if not asked.stamps:
        return head + rows
    return monitor.stamped(head, rows, of.ticks(node), asked.stamps)


def _chosen(node: Node, ids: Sequence[str]) -> list[Gauges]:
    """The GPUs of these numbers, UUIDs, serial numbers or PCI addresses; all, if none is given."""
    if not ids:
        return list(node.gauges)
    found = [each for each in node.gauges if any(_is(node, each, name) for name in ids)]
    if not found:
        raise NvidiaSmiError("No devices were found", 6)
    return found


def _is(node: Node, gauges: Gauges, name: str) -> bool:
    bus = of.bus_id(node, gauges).lower()
    names = (str(of.local(node, gauges)), of.uuid(node, gauges).lower(),
             of.serial(node, gauges), bus, bus[4:])  # fmt: skip
    return name.lower() in names
