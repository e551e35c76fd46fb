"""How torch complains at the exit of a script that leaves its process group (ProcessGroupNCCL.cpp).

The first rank of each node says so, since 2.6 in these words. Line numbers come from public logs;
that of 2.9 stands for newer releases, too.
"""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.dialects.parts.watchdog import prefix
from llmsim.job.records import Job

_LINES = {"2.6": 1496, "2.7": 1479, "2.8": 1538, "2.9": 1524}
_TEXT = (
    "Warning: WARNING: destroy_process_group() was not called before program exit, which can leak "
    "resources. For more info, please see "
    "https://pytorch.org/docs/stable/distributed.html#shutdown (function operator())"
)


def not_destroyed(job: Job, at: float) -> Iterator[Line]:
    """The warning, where there has been a process group."""
    if job.layout.gpus > 1:
        release = ".".join(job.software.torch.split(".")[:2])
        line = _LINES.get(release, _LINES["2.9"])
        yield Line(f"{prefix(job, at, 0, 'W', line).removesuffix(':')} {_TEXT}")
