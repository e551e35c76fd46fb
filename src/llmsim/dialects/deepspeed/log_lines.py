"""DeepSpeed's log lines, whether it launches the processes, and the ZeRO stage of a job."""

from collections.abc import Iterator

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.line import Line
from llmsim.job.records import Job, gpus_per_node
from llmsim.run.cluster import hostname
from llmsim.text import units

# A cluster of more nodes than these is Slurm's: its processes have no launcher of DeepSpeed's.
MOST_LAUNCHED_NODES = 8


def has_launcher(job: Job) -> bool:
    """Whether `deepspeed` starts the processes itself: here, or over pdsh on some nodes."""
    return job.layout.nodes <= MOST_LAUNCHED_NODES


def plain(job: Job, text: str, node: int = 0, rank: int | None = None) -> Line:
    """A line that a process of a node prints; pdsh puts the node's name before it."""
    rank = node * gpus_per_node(job) if rank is None else rank
    return marked(job, Line(text, rank=rank))


def marked(job: Job, line: Line) -> Line:
    """A line of a node with the node's name before each of its rows, where pdsh passes it on."""
    if job.layout.nodes == 1 or not has_launcher(job):
        return line
    mark = f"{hostname(job, line.rank // gpus_per_node(job))}: "
    return line._replace(text=mark + line.text.replace("\n", f"\n{mark}"))


def dated(job: Job, at: float, place: str, text: str) -> str:
    """A message of the logger: [2025-02-20 02:13:56,542] [INFO] [comm.py:652:init_distributed] ."""
    return f"[{units.asctime(job.start, at)}] [INFO] [{place}] {text}"


def info(
    job: Job, at: float, place: str, text: str, node: int = 0, rank: int | None = None
) -> Line:
    """A logger's message of a process on a node; pdsh puts the node's name before it."""
    return plain(job, dated(job, at, place, text), node, rank)


def each(job: Job, at: float, place: str, text: str) -> Iterator[Line]:
    """A message that no guard keeps to rank 0: every process prints it."""
    return (info(job, at, place, text, rank=rank) for rank in ranks_kept(job))


def rank_zero(job: Job, at: float, text: str) -> Line:
    """A message that `log_dist` prints on rank 0 alone."""
    return info(job, at, LOG_DIST, f"[Rank 0] {text}")


LOG_DIST = "logging.py:107:log_dist"


def zero_stage(job: Job) -> int:
    """The ZeRO stage: 3 shards all states, which a pipeline cannot; 0 is plain data parallelism."""
    if job.layout.pp > 1:
        return 1
    return {"ddp": 0, "zero1": 1, "zero2": 2, "zero3": 3, "fsdp2": 3}[job.layout.sharding]
