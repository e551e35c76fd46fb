"""What public tools look for in the logs of a cluster: their regular expressions, as test data.

Each row names its tool and where the expression stands there. `catches` names the kinds of
incidents whose lines in `stream` it must find; no row may find anything in a run without
incidents. A row that finds nothing of ours by design says why in `blind`.
"""

import re
from typing import NamedTuple


class Detector(NamedTuple):
    """One expression of one tool."""

    tool: str
    pattern: str
    stream: str
    catches: tuple[str, ...]
    flags: int = 0
    blind: str = ""

    def finds(self, line: str) -> bool:
        """Whether the tool reacts to a line."""
        return re.search(self.pattern, line, self.flags) is not None


XID = ("hbm-ecc", "gpu-lost", "nvlink", "gsp", "illegal-memory", "device-assert")
HANGS = ("nccl-timeout", "gsp")
TORCH = ("hbm-ecc", "gpu-lost", "nvlink", "cuda-oom", "data-killed", "disk-full", "illegal-memory",
         "device-assert", "init-fail", "scale-collapse")  # fmt: skip
STORAGE = ("data-stall", "slow-fs")
NETWORK = ("link-flap", "link-down")

DETECTORS = (
    # gpud, components/accelerator/nvidia: xid/kmsg.go, sxid/kmsg.go
    Detector("gpud xid", r"NVRM: Xid \(((?:PCI:)?[0-9a-fA-F:]+)\).*?: (\d+),", "kernel", XID),
    Detector(
        "gpud off the bus",
        r"NVRM:\s+GPU ((?:[0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2})\.0:\s+"
        r"GPU has fallen off the bus\.?",
        "kernel",
        ("gpu-lost",),
    ),
    Detector("gpud sxid", r"SXid.*?: (\d+),", "kernel", ("nvlink",)),
    Detector("gpud sxid place", r"SXid \((PCI:[0-9a-fA-F:\.]+)\)", "kernel", ("nvlink",)),
    # gpud, components/accelerator/nvidia/nccl/kmsg_matcher.go
    Detector("gpud nccl", r".*segfault at.*in libnccl\.so.*", "kernel", ("segfault",)),
    # gpud, components: cpu, nfs, memory
    Detector(
        "gpud cpu", r"(?:INFO: )?task ([^:]+:[\d]+).+blocked for more than \d+ seconds", "kernel",
        ("slow-fs",),
    ),
    Detector("gpud nfs", r"nfs: server ([^ ]+) not responding", "kernel", STORAGE),
    Detector("gpud nfs back", r"nfs: server ([^ ]+) OK", "kernel", STORAGE),
    Detector("gpud memory", r"Killed process ([0-9]+) \((.+)\)", "kernel", ("data-killed",)),
    Detector(
        "gpud memory cause", r"oom-kill:constraint=(.*),nodemask=", "kernel", ("data-killed",)
    ),
    Detector("gpud memory start", r"invoked oom-killer:", "kernel", ("data-killed",)),
    # azurehpc-health-checks, customTests/azure_gpu_xid.nhc: first three fields are a date
    Detector(
        "azure xid",
        r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d .*Xid.*: "
        r"(48|56|57|58|62|63|64|65|68|69|73|74|79|80|81|92|119|120),",
        "kernel",
        ("hbm-ecc", "gpu-lost", "nvlink", "gsp"),
    ),
    # imbue cluster-health, health_checks.py
    Detector("imbue xid", r"NVRM: Xid \(PCI:[\w:]+?\): (\d+)", "kernel", XID),
    Detector(
        "imbue sxid", r"nvidia-nvswitch.*: SXid \(PCI:(\w*:\w*:\w*\.\w*)\): (\d+)", "kernel",
        ("nvlink",),
    ),
    # oci-hpc: xid_checker.py, rdma_link_flapping.py
    Detector(
        "oci xid",
        r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)(?:, pid=(\d+))?(?:, name=([^,]+))?"
        r"(?:, Ch ([0-9a-fA-F]+))?",
        "kernel",
        XID,
    ),
    Detector("oci uuid", r"NVRM: GPU at PCI:([0-9a-fA-F:.]+): (GPU-[0-9a-fA-F-]+)", "kernel", XID),
    Detector(
        "oci link",
        r"(\w{3}\s+\d{1,2}\s+\d{2}:\d{2}:\d{2})\s+\S+\s+kernel: (?:\[\d+\.\d+\]\s)?"
        r"mlx5_core \S+ (\w+): Link down",
        "kernel",
        NETWORK,
    ),
    # awsome-distributed-training, check 0 (sed)
    Detector("aws xid", r"Xid[^)]*\):\s*([0-9]+)", "kernel", XID),
    # node-problem-detector, config/kernel-monitor.json
    Detector(
        "npd memory",
        r"Killed process \d+ (.+) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB.*",
        "kernel",
        ("data-killed",),
    ),
    Detector(
        "npd tasks", r"task [\S ]+:\w+ blocked for more than \w+ seconds\.", "kernel", ("slow-fs",)
    ),
    # nvidia-resiliency-ext, restart_agent/l0/registry.py
    Detector("nvrx hardware", r"\bXid\b|GPU.*(?:off bus|fallen off)", "kernel", XID, re.IGNORECASE),
    Detector(
        "nvrx time limit", r"\bDUE TO TIME LIMIT\b", "slurm", ("time-limit",)
    ),
    Detector(
        "nvrx policy",
        r"SLURM.*(?:preempt|node failure|NODE_FAIL)|\bnode failure\b",
        "slurm",
        ("preempt", "node-fail"),
        re.IGNORECASE,
    ),
    Detector(
        "nvrx exception", r"\b[A-Za-z_][A-Za-z0-9_.]*(?:Error|Exception):(?:\s|$)", "log", TORCH
    ),
    Detector(
        "nvrx cuda memory", r"CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED", "log", ("cuda-oom",)
    ),
    Detector(
        "nvrx collective",
        r"\b(?:watchdog\s+)?(?:caught\s+)?(?:collective\s+)?operation\s+timeout\b",
        "log",
        HANGS,
        re.IGNORECASE,
    ),
    Detector(
        "nvrx host memory",
        r"Detected\s+\d+\s+oom_kill events|(?:Out of memory|Memory cgroup out of memory):\s+"
        r"Killed process|Some of the step tasks have been OOM Killed",
        "slurm",
        ("data-killed",),
    ),
)  # fmt: skip

# What nvrx calls hardware, in a training log: torch's own words for an ECC error are in another
# order, so that its expression does not find them, and that blind spot is its own.
NVRX_HARDWARE_IN_LOG = Detector(
    "nvrx hardware",
    r"\bXid\b|ECC.*(?:uncorrectable|DBE)|GPU.*(?:off bus|fallen off)",
    "log",
    (),
    re.IGNORECASE,
    blind="uncorrectable ECC error: the words are in another order",
)

# nvrx's rule for numbers that are none. It reads the lines of a step, which frameworks with a check
# of their own do not print any more, and those of Hugging Face's Trainer hide: blind by design.
NVRX_NAN = Detector(
    "nvrx nan",
    r"(?:loss|grad(?:ient)?|activation)[=:\s]+(?:nan|[-+]?inf(?:inity)?)\b",
    "log",
    ("nan",),
    re.IGNORECASE,
    blind="Hugging Face: 'loss': 0.0; Megatron-LM, NeMo and OLMo end before the line",
)
SEES_NAN = ("pytorch", "torchtitan", "nanotron", "deepspeed", "maxtext", "nanogpt", "llmc",
            "lightning")  # fmt: skip

# Rules that do not react to a kind in one framework's log, which is right: (tool, kind, dialect),
# and why. nvrx wants a letter before "Exception:", and DeepSpeed raises a plain Exception.
BLIND = {
    ("nvrx exception", "scale-collapse", "deepspeed"): "Exception: Current loss scale already at"
}
