"""The cluster at a glance, at the moments when a person would look."""

from llmsim.job.records import Job
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Activity
from llmsim.run.events import Status

MOST_GPUS = 64  # above this the cluster is told node by node
MOST_NODES = 8  # and above this number of nodes, only the first ones, as in the launch


def status(
    job: Job, at: float, activity: Activity, since: float, before: Activity, reason: str
) -> Status:
    """What every GPU, or every node of a large cluster, is doing at `at`."""
    layout = job.layout
    if layout.gpus <= MOST_GPUS:
        readings = (
            telemetry.reading(job, i, at, activity, since, before) for i in range(layout.gpus)
        )
        return Status(at, reason, tuple(readings), (), 0)
    told = min(layout.nodes, MOST_NODES)
    nodes = (telemetry.node_summary(job, node, at, activity, since, before) for node in range(told))
    return Status(at, reason, (), tuple(nodes), layout.nodes - told)
