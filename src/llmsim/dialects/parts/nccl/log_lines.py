"""Formats of NCCL's lines: their prefix, the version, the names of a communicator."""

from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster
from llmsim.run.cluster import hostname


def release(job: Job) -> tuple[int, int]:
    """The version's first two numbers: (2, 27)."""
    major, minor, *_ = job.software.collectives_version.split(".")
    return int(major), int(minor)


def version_line(job: Job) -> str:
    """The version, as rank 0 prints it without a prefix (init.cc:702)."""
    version = job.software.collectives_version
    if job.software.collectives == "RCCL":
        return f"RCCL version : {version}-HEAD:{cluster.collectives_commit(job)}"
    return f"NCCL version {version}"


def says(job: Job, rank: int, text: str, *, main: bool = False) -> str:
    """A line with NCCL's prefix: host, process, thread (its own or the main), device.

    debug.cc:330.
    """
    node, local = divmod(rank, gpus_per_node(job))
    process = cluster.worker(job, rank)
    speaker = process if main else cluster.thread(job, rank)
    return f"{hostname(job, node)}:{process}:{speaker} [{local}] NCCL INFO {text}"


def communicator(job: Job, rank: int) -> str:
    """The communicator in START and COMPLETE lines (init.cc:1912); the function's name since
    2.22.
    """
    function = "ncclCommInitRankConfig " if release(job) >= (2, 22) else ""
    local = rank % gpus_per_node(job)
    return (
        f"{function}comm {cluster.communicator(job, rank)} rank {rank} nranks {job.layout.gpus} "
        f"cudaDev {local} nvmlDev {local} busId {cluster.bus_number(job, local)} "
        f"commId {cluster.communicator_id(job)}"
    )
