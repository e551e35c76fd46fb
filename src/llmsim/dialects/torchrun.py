"""torchrun's banner, as every node's launcher prints it."""

from collections.abc import Iterator
from datetime import datetime

from llmsim import machine
from llmsim.dialects import units
from llmsim.dialects.line import Line
from llmsim.job import Job, gpus_per_node

# Where the warning stands in run.py; newest release last. Public logs of each release.
_LINES = {"2.6": 792, "2.7": 766, "2.8": 774, "2.9": 803, "2.10": 852, "2.11": 851, "2.13": 874}
_NEWEST = _LINES["2.13"]

STARS = "*" * 41
ADVICE = (
    "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to avoid "
    "your system being overloaded, please further tune the variable for optimal performance in "
    "your application as needed. "
)


def banner(now: datetime, process: int, torch: str) -> list[str]:
    """The four lines that a launcher of several processes warns with; `process` is its id.

    The message begins with a line end, hence the first line without text.
    """
    line = _LINES.get(".".join(torch.split(".")[:2]), _NEWEST)
    prefix = _prefix(now, process, line)
    return [f"{prefix} {text}" for text in ("", STARS, ADVICE, STARS)]


def greeting(job: Job, at: float, node: int = 0) -> Iterator[Line]:
    """The banner of a node's launcher; there is none where it starts a single process."""
    if gpus_per_node(job) > 1:
        process = machine.launcher(job, node)
        yield from map(Line, banner(units.stamp(job.start, at), process, job.software.torch))


def _prefix(now: datetime, process: int, line: int) -> str:
    """glog's: a warning's level, month and day, time, process, file and line.

    Python's loggers know milliseconds, so the last three digits are always zeros.
    """
    stamp = f"W{now:%m%d %H:%M:%S}.{now.microsecond // 1000:03d}000"
    return f"{stamp} {process} torch/distributed/run.py:{line}]"
