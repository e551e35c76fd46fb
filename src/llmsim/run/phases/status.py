"""The cluster at a glance, at the moments when a person would look."""

from collections.abc import Iterable

from llmsim.job.records import Job
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Load
from llmsim.run.events import Status

MOST_GPUS = 64  # above this the cluster is told node by node
MOST_NODES = 8  # and above this number of nodes, only the first ones, as in the launch


def status(job: Job, at: float, loads: Iterable[Load], reason: str) -> Status:
    """What every GPU, or every node of a large cluster, is doing at `at`.

    `loads` is what the GPUs did until then, the latest first.
    """
    layout = job.layout
    done = tuple(telemetry.recent(job, loads, at))
    if layout.gpus <= MOST_GPUS:
        readings = (telemetry.reading(job, index, at, done) for index in range(layout.gpus))
        return Status(at, reason, tuple(readings), (), 0)
    told = min(layout.nodes, MOST_NODES)
    nodes = (telemetry.node_summary(job, node, at, done) for node in range(told))
    return Status(at, reason, (), tuple(nodes), layout.nodes - told)
