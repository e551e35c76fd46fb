"""DeepSpeed's log lines, whether it launches the processes, and the ZeRO stage of a job."""

from llmsim.dialects.line import Line
from llmsim.job.records import Job
from llmsim.run.cluster import hostname
from llmsim.text import units

# A cluster of more nodes than these is Slurm's: its processes have no launcher of DeepSpeed's.
MOST_LAUNCHED_NODES = 8


def has_launcher(job: Job) -> bool:
    """Whether `deepspeed` starts the processes itself: here, or over pdsh on some nodes."""
    return job.layout.nodes <= MOST_LAUNCHED_NODES


def plain(job: Job, text: str, node: int = 0) -> Line:
    """A line that a process of a node prints; pdsh puts the node's name before it."""
    labelled = job.layout.nodes > 1 and has_launcher(job)
    return Line(f"{hostname(job, node)}: {text}" if labelled else text)


def dated(job: Job, at: float, place: str, text: str) -> str:
    """A message of the logger: [2025-02-20 02:13:56,542] [INFO] [comm.py:652:init_distributed] ."""
    return f"[{units.asctime(job.start, at)}] [INFO] [{place}] {text}"


def info(job: Job, at: float, place: str, text: str, node: int = 0) -> Line:
    """A logger's message of a process on a node; pdsh puts the node's name before it."""
    return plain(job, dated(job, at, place, text), node)


def rank_zero(job: Job, at: float, text: str) -> Line:
    """A message that `log_dist` prints on rank 0 alone."""
    return info(job, at, "logging.py:128:log_dist", f"[Rank 0] {text}")


def zero_stage(job: Job) -> int:
    """The ZeRO stage: 3 shards all states, which a pipeline cannot; 0 is plain data parallelism."""
    if job.layout.pp > 1:
        return 1
    return {"ddp": 0, "zero1": 1, "zero2": 2, "zero3": 3, "fsdp2": 3}[job.layout.sharding]
