"""Two warnings of torch's process group that everybody knows: at the first barrier, and at exit.

Each process prints the first, if it did not say which GPU is its own; the first process of each
node prints the second, if the program ends without destroy_process_group. The line numbers of the
C++ statements come from public logs of torch 2.6 to 2.9, and serve newer releases as well.
"""

from collections.abc import Iterator, Sequence

from llmsim.dialects.capture import nodes_kept, ranks_kept
from llmsim.dialects.line import Line
from llmsim.dialects.parts import packages
from llmsim.dialects.parts.watchdog import prefix
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster
from llmsim.run.hangs import torch_release

MOST_NODES = 8  # a script for more nodes sets TORCH_CPP_LOG_LEVEL=ERROR
# Of the barrier in 2.6, in C++; since 2.8 it is Python's warning, whose text has changed once.
_BARRIER, _PYTHON_BARRIER = 4561, 4876
_LEAKS = {(2, 6): 1496, (2, 7): 1479, (2, 8): 1538}
_LEAK = 1524
_APART = 0.012  # seconds from the first to the last process at the first barrier, or at the exit
_UNKNOWN = (
    "devices used by this process are currently unknown. This can potentially cause a hang if "
    "this rank to GPU mapping is incorrect. Specify device_ids in barrier() to force use of a "
    "particular device, or call init_process_group() with a device_id."
)
_LEAKED = (
    "Warning: WARNING: destroy_process_group() was not called before program exit, which can leak "
    "resources. For more info, please see "
    "https://pytorch.org/docs/stable/distributed.html#shutdown (function operator())"
)


def barrier(job: Job, at: float, ranks: Sequence[int] | None = None) -> Iterator[Line]:
    """What each process prints at its first barrier, or each of these ranks, as they come to it:
    within some milliseconds of each other.
    """
    if job.layout.nodes > MOST_NODES or job.layout.gpus == 1:
        return
    size, old = gpus_per_node(job), torch_release(job) < (2, 8)
    arrived = sorted(
        (at + cluster.late(job, "barrier", rank, _APART), rank)
        for rank in (ranks_kept(job) if ranks is None else ranks)
    )
    for moment, rank in arrived:
        if old:
            start = prefix(job, to_the_microsecond(moment), rank, "W", _BARRIER)
            text = f"[PG ID 0 PG GUID 0 Rank {rank}]  using GPU {rank % size} to perform barrier as"
            yield Line(f"{start} {text} {_UNKNOWN}", rank=rank)
            continue
        place = f"{packages.folder(job.software)}/torch/distributed/distributed_c10d.py"
        text = "barrier(): using the device under current context. You can specify `device_id` in"
        yield Line(
            f"{place}:{_PYTHON_BARRIER}: UserWarning: {text} `init_process_group` to mute this "
            "warning.",
            rank=rank,
        )
        yield Line("  warnings.warn(  # warn only once", rank=rank)


def leaked(job: Job, at: float) -> Iterator[Line]:
    """What the first process of each node prints at its exit."""
    if job.layout.nodes > MOST_NODES or job.layout.gpus == 1:
        return
    line, size = _LEAKS.get(torch_release(job), _LEAK), gpus_per_node(job)
    left = sorted(
        (at + cluster.late(job, "exit", node, _APART), node) for node in nodes_kept(job) or (0,)
    )
    for moment, node in left:
        start = prefix(job, to_the_microsecond(moment), node * size, "W", line)
        yield Line(f"{start} {_LEAKED}", rank=node * size)
