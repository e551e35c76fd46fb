"""-q and -q -x: all that the driver says of each GPU, as text or as XML, from one tree."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import cluster
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.branches import gpu_sections
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.tree import Leaf, Section

_VALUES = 55  # column in which values begin, and the one of processes
_PROCESS_VALUES = 38

# What -d shows: the labels of the sections for each word.
DISPLAYS: dict[str, tuple[str, ...]] = {
    "MEMORY": ("FB Memory Usage", "BAR1 Memory Usage", "Conf Compute Protected Memory Usage"),
    "UTILIZATION": ("Utilization",),
    "ECC": ("ECC Mode", "ECC Errors"),
    "TEMPERATURE": ("Temperature",),
    "POWER": ("GPU Power Readings", "GPU Memory Power Readings ", "Module Power Readings",
              "Power Smoothing", "Workload Power Profiles"),
    "CLOCK": ("Clocks", "Applications Clocks", "Default Applications Clocks", "Deferred Clocks",
              "Max Clocks", "Max Customer Boost Clocks", "Clock Policy"),
    "COMPUTE": ("Compute Mode",),
    "PIDS": (),
    "PERFORMANCE": ("Performance State", "Clocks Event Reasons", "Clocks Event Reasons Counters",
                    "Sparse Operation Mode"),
    "PAGE_RETIREMENT": ("Retired Pages",),
    "ROW_REMAPPER": ("Remapped Rows",),
    "GSP_FIRMWARE_VERSION": ("GSP Firmware Version",),
}  # fmt: skip


def text(node: Node, chosen: Sequence[Gauges], displays: Sequence[str] = ()) -> str:
    """The report on the chosen GPUs of a node; of these displays alone, if any are given."""
    lines = ["", "==============NVSMI LOG==============", ""]
    head = {
        "Timestamp": of.clock(node),
        "Driver Version": of.driver(node),
        "CUDA Version": cluster.driver_cuda(of.driver(node)),
    }
    lines += [f"{name:<{_VALUES}}: {value}" for name, value in head.items()]
    lines += ["", f"{'Attached GPUs':<{_VALUES}}: {len(node.gauges)}"]
    labels = {label for name in displays for label in DISPLAYS[name]}
    for gauges in chosen:
        lines.append(f"GPU {of.bus_id(node, gauges)}")
        for branch in gpu_sections(node, gauges):
            if branch.label and (not displays or branch.label in labels):
                lines += _lines(branch, 1)
        if not displays or "PIDS" in displays:
            lines += _process_lines(node, gauges)
        if not displays:
            lines += ["    Capabilities", f"        {'EGM':<{_VALUES - 8}}: disabled"]
        lines.append("")
    return "\n".join(lines) + "\n"


def _lines(branch: Leaf | Section, depth: int) -> Iterator[str]:
    label = "    " * depth + branch.label
    if isinstance(branch, Leaf):
        yield f"{label:<{_VALUES}}: {branch.value}"
        return
    yield label if not branch.value else f"{label:<{_VALUES}}: {branch.value}"
    for each in branch.branches:
        if each.label:
            yield from _lines(each, depth + 1)


def _process_lines(node: Node, gauges: Gauges) -> Iterator[str]:
    running = [each for each in of.processes(node) if each.gpu == of.local(node, gauges)]
    if not running:
        yield f"    {'Processes':<{_VALUES - 4}}: None"
        return
    yield "    Processes"
    for each in running:
        rows = {
            "        GPU instance ID": "N/A", "        Compute instance ID": "N/A",
            "        Process ID": each.pid, "            Type": "C",
            "            Name": each.name, "            Used GPU Memory": f"{each.mib} MiB",
        }  # fmt: skip
        yield from (f"{label:<{_PROCESS_VALUES + 4}}: {value}" for label, value in rows.items())


def xml(node: Node, chosen: Sequence[Gauges]) -> str:
    """The report on the chosen GPUs of a node as XML (nvsmi_device_v13.dtd)."""
    lines = [
        '<?xml version="1.0" ?>',
        '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd">',
        "<nvidia_smi_log>",
        f"\t<timestamp>{of.clock(node)}</timestamp>",
        f"\t<driver_version>{escape(of.driver(node))}</driver_version>",
        f"\t<cuda_version>{cluster.driver_cuda(of.driver(node))}</cuda_version>",
        f"\t<attached_gpus>{len(node.gauges)}</attached_gpus>",
    ]
    for gauges in chosen:
        lines.append(f'\t<gpu id="{of.bus_id(node, gauges)}">')
        for branch in gpu_sections(node, gauges):
            lines += _elements(branch, 2)
        lines += _process_elements(node, gauges)
        lines += ["\t\t<accounted_processes>", "\t\t</accounted_processes>", "\t\t<capabilities>",
                  "\t\t\t<egm>disabled</egm>", "\t\t</capabilities>", "\t</gpu>", ""]  # fmt: skip
    return "\n".join([*lines, "</nvidia_smi_log>"]) + "\n"


def _elements(branch: Leaf | Section, depth: int) -> Iterator[str]:
    if not branch.tag:
        if isinstance(branch, Section):
            for each in branch.branches:
                yield from _elements(each, depth)
        return
    tabs = "\t" * depth
    if isinstance(branch, Leaf):
        value = branch.value if branch.xml is None else branch.xml
        yield f"{tabs}<{branch.tag}>{escape(str(value))}</{branch.tag}>"
        return
    if branch.value:  # a section that says in one word that there is nothing
        yield f"{tabs}<{branch.tag}>{escape(branch.value)}</{branch.tag}>"
        return
    yield f"{tabs}<{branch.tag}>"
    for each in branch.branches:
        yield from _elements(each, depth + 1)
    yield f"{tabs}</{branch.tag}>"


def _process_elements(node: Node, gauges: Gauges) -> Iterator[str]:
    yield "\t\t<processes>"
    for each in of.processes(node):
        if each.gpu == of.local(node, gauges):
            yield "\t\t\t<process_info>"
            rows = {
                "gpu_instance_id": "N/A", "compute_instance_id": "N/A", "pid": each.pid,
                "type": "C", "process_name": each.name, "used_memory": f"{each.mib} MiB",
            }  # fmt: skip
            yield from (
                f"\t\t\t\t<{tag}>{escape(str(value))}</{tag}>" for tag, value in rows.items()
            )
            yield "\t\t\t</process_info>"
    yield "\t\t</processes>"
