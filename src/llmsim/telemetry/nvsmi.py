"""What nvidia-smi writes for a node's GPUs: --query-gpu as CSV, and dmon.

A folder with a file of each for every node: query-gpu-NODE.csv and dmon-NODE.txt. Formats are
taken from driver 590's captures (utkuozdemir/nvidia_gpu_exporter, internal/captures).
"""

from llmsim.job.records import gpus_per_node
from llmsim.run import cluster
from llmsim.run.timeline import Run, owner
from llmsim.telemetry.gpu_rows import expect_nvidia
from llmsim.telemetry.samples import MOST_GPUS, sample
from llmsim.telemetry.smi.monitor import HEAD_EVERY, METRICS, columns, dmon, dmon_head
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.query import Format, query_gpu
from llmsim.telemetry.writer import Piece, Pieces, Settings, Writer

ASKED = (
    "timestamp", "index", "name", "uuid", "pci.bus_id", "driver_version", "pstate",
    "temperature.gpu", "temperature.memory", "power.draw", "power.limit", "utilization.gpu",
    "utilization.memory", "memory.total", "memory.reserved", "memory.used", "memory.free",
    "clocks.current.sm", "clocks.current.memory", "clocks_event_reasons.active",
)  # fmt: skip


def begin(run: Run, settings: Settings) -> Writer:  # noqa: ARG001  # every kind begins alike
    """A writer of two files a node."""
    job = run.job
    expect_nvidia(job, "nvsmi")
    count, shown = [0], columns(METRICS)

    def taken(at: float) -> Pieces:
        seen, size = sample(run, at).gpus, gpus_per_node(job)
        for node in range(-(-min(job.layout.gpus, MOST_GPUS) // size)):
            these = tuple(each for each in seen if each.gpu // size == node)
            host = cluster.hostname(owner(run, at), node)
            looked = Node(run, node, at, these)
            rows = query_gpu(looked, ASKED, Format(header=count[0] == 0), these)
            yield Piece(rows, f"query-gpu-{host}.csv")
            head = dmon_head(shown) if count[0] % HEAD_EVERY == 0 else ""
            yield Piece(head + dmon(looked, shown, these), f"dmon-{host}.txt")
        count[0] += 1

    return Writer(sample=taken)
