"""What a monitor should make of each kind of incident: its cause, what to do, who reacts to it.

`detectors` are rules of public tools that find the incident's lines: gpud, azurehpc-health-checks,
imbue's cluster-health, oci-hpc, awsome-distributed-training, node-problem-detector and NVIDIA's
resiliency extension (nvrx). Rules of the training log need a framework that shows the line.
"""

from llmsim.catalog.gpus import reports_links
from llmsim.job.records import Job
from llmsim.typed import Literal, NamedTuple

Cause = Literal["hardware", "network", "storage", "software", "scheduler", "numerics", "host"]
Action = Literal[
    "restart", "reset GPU", "replace node", "wait", "go back", "ask a person", "requeue"
]  # fmt: skip


class Verdict(NamedTuple):
    """What is right to say of an incident."""

    cause: Cause
    action: Action
    detectors: tuple[str, ...] = ()


_XID = ("gpud xid", "imbue xid", "oci xid", "oci uuid", "aws xid", "nvrx hardware")
_SEVERE = (*_XID, "azure xid")
_RAISED = ("nvrx exception",)

VERDICTS: dict[str, Verdict] = {
    "nccl-timeout": Verdict("hardware", "restart", ("nvrx collective",)),
    "hbm-ecc": Verdict("hardware", "restart", (*_SEVERE, *_RAISED)),
    "gpu-lost": Verdict("hardware", "replace node", (*_SEVERE, *_RAISED, "gpud off the bus")),
    "nvlink": Verdict(
        "hardware", "reset GPU",
        (*_SEVERE, *_RAISED, "gpud sxid", "gpud sxid place", "imbue sxid"),
    ),
    "gsp": Verdict("hardware", "reset GPU", (*_SEVERE, "nvrx collective")),
    "link-flap": Verdict("network", "wait", ("oci link",)),
    "link-down": Verdict("network", "replace node", ("oci link",)),
    "thermal": Verdict("hardware", "replace node"),
    "straggler": Verdict("host", "replace node"),
    "sdc": Verdict("hardware", "go back"),
    "cuda-oom": Verdict("software", "ask a person", (*_RAISED, "nvrx cuda memory")),
    "data-stall": Verdict("storage", "wait", ("gpud nfs", "gpud nfs back")),
    "data-killed": Verdict(
        "host", "restart",
        (*_RAISED, "gpud memory", "gpud memory cause", "gpud memory start", "npd memory",
         "nvrx host memory"),
    ),
    "disk-full": Verdict("storage", "ask a person", _RAISED),
    "slow-fs": Verdict(
        "storage", "wait", ("gpud cpu", "npd tasks", "gpud nfs", "gpud nfs back")
    ),
    "loss-spike": Verdict("numerics", "wait"),
    "nan": Verdict("numerics", "go back"),
    "scale-collapse": Verdict("numerics", "go back", _RAISED),
    "preempt": Verdict("scheduler", "requeue", ("nvrx policy",)),
    "time-limit": Verdict("scheduler", "requeue", ("nvrx time limit",)),
    "node-fail": Verdict("host", "replace node", ("nvrx policy",)),
    "maintenance": Verdict("scheduler", "requeue"),
    "illegal-memory": Verdict("software", "restart", (*_XID, *_RAISED)),
    "device-assert": Verdict("software", "ask a person", (*_XID, *_RAISED)),
    "segfault": Verdict("software", "restart", ("gpud nccl",)),
    "init-fail": Verdict("software", "restart", _RAISED),
}  # fmt: skip

# Rules that know Xid 74 and the switch's lines, and not the Xids of Blackwell's links.
_OLDER = ("azure xid", "gpud sxid", "gpud sxid place", "imbue sxid")


def verdict(job: Job, kind: str) -> Verdict:
    """What is right to say of a kind of incident on a job's GPUs."""
    row = VERDICTS[kind]
    if kind != "nvlink" or not reports_links(job.gpu):
        return row
    return row._replace(detectors=tuple(each for each in row.detectors if each not in _OLDER))
