"""What the kernel's OOM killer says of the process that it ends (mm/oom_kill.c)."""

from collections.abc import Callable

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, hardware_ids
from llmsim.run.events.incidents import Symptom


def loader_process(job: Job, rank: int) -> int:
    """The process id of the worker that loads a rank's data, as kernel and traceback have it."""
    return cluster.thread(job, rank) + 1200 + 4 * (rank % gpus_per_node(job))


def _victim(job: Job, rank: int) -> tuple[str, int]:
    """The name and the id of the process that has the most memory: torch's data loaders are
    processes; JAX loads in threads of the host's one process.
    """
    if not gpus.is_a(job.gpu, "GPU"):
        size = gpus_per_node(job)
        return "python3", cluster.worker(job, rank // size * size)
    return "pt_data_worker", loader_process(job, rank)


def _oom_invoked(symptom: Symptom, job: Job) -> tuple[str, ...]:
    return (
        (
            f"{_victim(job, symptom.rank)[0]} invoked oom-killer: "
            "gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0"
        ),
    )


def _oom_constraint(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """The control group is the one that slurmd makes for a step's task under cgroup v2."""
    name, process = _victim(job, symptom.rank)
    step = f"/system.slice/slurmstepd.scope/job_{hardware_ids.slurm_job(job)}/step_0"
    return (
        (
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,"
            f"global_oom,task_memcg={step}/user/task_0,task={name},"
            f"pid={process},uid=1000"
        ),
    )


def _oom_kill(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """The kernel counts pages of 4 kB; a page of the page table, itself 4 kB, maps 512 of them."""
    name, process = _victim(job, symptom.rank)
    kill = symptom.rank + int(symptom.at * 1e6)
    resident, file, table = (
        int(hardware_ids.register(job, name, kill, digits), 16)
        for name, digits in (("resident", 5), ("file pages", 2), ("table pages", 3))
    )
    resident += 99_500_000
    return (
        (
            f"Out of memory: Killed process {process} ({name}) "
            f"total-vm:{4 * (resident + 3_477_454)}kB, anon-rss:{4 * resident}kB, "
            f"file-rss:{4 * (file + 1)}kB, shmem-rss:0kB, UID:1000 "
            f"pgtables:{4 * (resident // 512 + table)}kB oom_score_adj:0"
        ),
    )


MESSAGES: dict[str, Callable[[Symptom, Job], tuple[str, ...]]] = {
    "oom invoked": _oom_invoked,
    "oom constraint": _oom_constraint,
    "oom kill": _oom_kill,
}
