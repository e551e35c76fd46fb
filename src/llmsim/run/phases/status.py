"""The status of the cluster, at the moments when a person would look at nvidia-smi."""

from collections.abc import Iterable

from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import nodes as nodes_of
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Load
from llmsim.run.events import Status

MOST_GPUS = 64  # a larger cluster is shown node by node
MOST_NODES = 8  # of more nodes only the first ones are shown, as in the launch


def status(job: Job, at: float, loads: Iterable[Load], reason: str) -> Status:
    """The gauges of every GPU, or of every node of a large cluster, at a moment.

    `loads` are the loads of the GPUs until that moment, the latest first.
    """
    layout = job.layout
    done = tuple(telemetry.recent(job, loads, at))
    if layout.gpus <= MOST_GPUS:
        size = gpus_per_node(job)
        readings = [
            reading
            for first in range(0, layout.gpus, size)
            for reading in telemetry.readings(job, range(first, first + size), at, done)
        ]
        return Status(at, reason, tuple(readings), (), 0)
    shown = min(layout.nodes, MOST_NODES)
    nodes = (nodes_of.node_summary(job, node, at, done) for node in range(shown))
    return Status(at, reason, (), tuple(nodes), layout.nodes - shown)
