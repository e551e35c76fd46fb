"""The status of the cluster, at the moments when a person would look at nvidia-smi."""

from llmsim.physics.hardware.nodes import node_summary
from llmsim.run.events import Status
from llmsim.run.moment import node_readings
from llmsim.run.timeline import Run

MOST_GPUS = 64  # a larger cluster is shown node by node
MOST_NODES = 8  # of more nodes only the first ones are shown, as in the launch


def status(run: Run, at: float, reason: str) -> Status:
    """The gauges of every GPU, or of every node of a large cluster, at a moment."""
    layout = run.job.layout
    if layout.gpus <= MOST_GPUS:
        nodes = node_readings(run, at, range(layout.nodes))
        return Status(at, reason, tuple(each for node in nodes for each in node), (), 0)
    shown = min(layout.nodes, MOST_NODES)
    seen = enumerate(node_readings(run, at, range(shown)))
    summaries = tuple(node_summary(node, readings) for node, readings in seen)
    return Status(at, reason, (), summaries, layout.nodes - shown)
