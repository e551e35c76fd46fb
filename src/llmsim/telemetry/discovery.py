"""Prometheus' HTTP service discovery: every node of a run as a target of one server.

    [{"targets": ["127.0.0.1:9400"],
      "labels": {"__metrics_path__": "/node/toaster-01/metrics", "instance": "toaster-01:9400", ...

`instance` is what a scrape of the real node would have, so that dashboards that ask for
instance=~".*:9400" find it. Each exporter has its own list and its own job; "all" has all.
"""

import json

from llmsim.catalog import gpus
from llmsim.job.records import Job
from llmsim.run import cluster
from llmsim.telemetry import dcgm, gpu_exporter_page, node_page, trainer_page
from llmsim.typed import NamedTuple


class Kind(NamedTuple):
    """An exporter whose pages the server has."""

    name: str  # in paths and in the lists' addresses
    job: str  # the label that a scrape adds
    port: int  # that the real one listens on
    path: str  # of a node's page, after the node's name; empty: one page for the run
    nvidia: bool = False  # whether it shows the GPUs of that vendor alone


KINDS = (
    Kind("dcgm", "dcgm-exporter", dcgm.PORT, "metrics", nvidia=True),
    Kind("node", "node-exporter", node_page.PORT, "node_exporter/metrics"),
    Kind("gpu", "nvidia_gpu_exporter", gpu_exporter_page.PORT, "nvidia_gpu_exporter/metrics",
         nvidia=True),
    Kind("trainer", "trainer", trainer_page.PORT, ""),
)  # fmt: skip
TRAINER = "/trainer/metrics"


def kinds_of(job: Job) -> tuple[Kind, ...]:
    """The exporters that a job's nodes can have."""
    return tuple(kind for kind in KINDS if gpus.is_nvidia(job.gpu) or not kind.nvidia)


def targets(job: Job, address: str, which: str = "dcgm") -> str:
    """The list of an exporter's targets, or of all; `address` is the server's host and port."""
    found = [
        {
            "targets": [address],
            "labels": {
                "__metrics_path__": path_of(job, node, kind),
                "instance": f"{cluster.hostname(job, node)}:{kind.port}",
                "job": kind.job,
            },
        }
        for kind in kinds_of(job)
        if which in (kind.name, "all")
        for node in range(job.layout.nodes if kind.path else 1)
    ]
    return json.dumps(found, separators=(",", ":")) + "\n"


def path_of(job: Job, node: int, kind: Kind) -> str:
    """Where a node's page is."""
    if not kind.path:
        return TRAINER
    return f"/node/{cluster.hostname(job, node)}/{kind.path}"


def node_named(job: Job, name: str) -> int | None:
    """The number of a node, counted from 0, by its name or its number; None if there is none."""
    digits = name.rpartition("-")[2]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        return None
    if name == digits:
        return int(digits) if int(digits) < job.layout.nodes else None
    place = int(digits) - 1  # names are counted from 1
    node = next((node for node, spare in job.spares if spare == place), place)
    known = 0 <= node < job.layout.nodes
    return node if known and name == cluster.hostname(job, node) else None
