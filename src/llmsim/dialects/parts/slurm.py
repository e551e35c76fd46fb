"""What Slurm prints when a job ends early: srun's and slurmstepd's lines in the batch's stderr, and
the controller's in slurmctld.log until the job runs again.

Formats: src/slurmd/slurmstepd/req.c, src/srun/libsrun and src/slurmctld of Slurm's source. A
requeued job keeps its number.
"""

from collections.abc import Callable

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster, hardware_ids
from llmsim.run.events.incidents import Symptom
from llmsim.run.incident_kinds import kind_named
from llmsim.text import units

Words = Callable[[Symptom, Job, float], tuple[str, ...]]


def lines(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    """What Slurm says of a symptom at a moment of the run."""
    return MESSAGES[symptom.name](symptom, job, at)


def hours(seconds: int) -> str:
    """A time limit as sbatch takes it and squeue shows it: 12:00:00, or 2-00:00:00."""
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock


def _host(symptom: Symptom, job: Job) -> str:
    return cluster.hostname(job, symptom.rank // gpus_per_node(job))


def _cancelled(what: str, why: str) -> Words:
    """The banner of slurmstepd, which stands before the processes' own last lines.

    One slurmstepd says it, and names its own node: the first one, where the batch script runs,
    whichever node is at fault (req.c: step->nodeid == msg_target_node_id).
    """

    def render(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
        del symptom
        return (_banner(what, why, job, at),)

    return render


def _banner(what: str, why: str, job: Job, at: float) -> str:
    name = f"{hardware_ids.slurm_job(job)}{'.0' if what == 'STEP' else ''}"
    now = f"{units.stamp(job.start, at):%Y-%m-%dT%H:%M:%S}"
    host = cluster.hostname(job, 0)
    return f"slurmstepd: error: *** {what} {name} ON {host} CANCELLED AT {now}{why} ***"


def _task_exit(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    """One task a node, which is its launcher."""
    del at
    node = symptom.rank // gpus_per_node(job)
    return (f"srun: error: {_host(symptom, job)}: task {node}: Exited with exit code 1",)


def _others_exit(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    """All tasks but the one of `rank`, which has ended before, and the one of `peer`."""
    del at
    size = gpus_per_node(job)
    gone = {symptom.rank // size, symptom.peer // size}
    nodes = [node for node in range(job.layout.nodes) if node not in gone]
    names = [cluster.hostname(job, node) for node in nodes]
    numbers = ",".join(_ranges([*map(str, nodes)]))
    hosts, tasks = _folded(names), f"task{'s' if len(nodes) > 1 else ''} {numbers}"
    return (f"srun: error: {hosts}: {tasks}: Exited with exit code 1",)


def _ranges(numbers: list[str]) -> list[str]:
    """Numbers as Slurm folds them: 02-04 and 07."""
    runs: list[list[str]] = []
    for each in numbers:
        if runs and int(each) == int(runs[-1][-1]) + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return [run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


_ABORTED = "srun: Job step aborted: Waiting up to 32 seconds for job step to finish."


def _terminating(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    del symptom, at
    return (
        f"srun: Terminating StepId={hardware_ids.slurm_job(job)}.0",
        _ABORTED,
    )


def _oom_kill(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    del symptom, at
    return (
        (
            "slurmstepd: error: Detected 1 oom_kill event in "
            f"StepId={hardware_ids.slurm_job(job)}.0. Some of the step tasks have been OOM Killed."
        ),
    )


def _node_failure(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    """The scheduler has given up waiting for a node: the job, whose step is over, is ended."""
    why = " DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS"
    return (
        f"srun: error: Node failure on {_host(symptom, job)}",
        _banner("JOB", why, job, at),
    )


TIME_LIMIT = " DUE TO TIME LIMIT"
_JOB_OVER = _cancelled("JOB", TIME_LIMIT)


def _time_limit(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
    """srun's line stands before both banners, of which the step's stands in its own output."""
    return (_ABORTED, *_JOB_OVER(symptom, job, at))


# --- the controller ------------------------------------------------------------------------

# The reason that a site's health check gives when it drains a node.
_REASONS = {
    "gpu-lost": "Xid 79: GPU has fallen off the bus",
    "hbm-ecc": "Xid 94: GPU reset required",
    "nvlink": "Xid 74: NVLink error",
    "gsp": "Xid 119: GSP timeout",
    "link-down": "IB link down",
    "thermal": "GPU thermal slowdown",
    "straggler": "slow node",
    "sdc": "silent data corruption suspected",
    "nccl-timeout": "NCCL hang",
    "data-killed": "OOM killer",
    "maintenance": "maintenance",
}


def _controller(text: Callable[[Symptom, Job], tuple[str, ...]]) -> Words:
    """Lines of slurmctld.log, which has milliseconds."""

    def render(symptom: Symptom, job: Job, at: float) -> tuple[str, ...]:
        now = units.stamp(job.start, at)
        stamp = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}"
        return tuple(f"[{stamp}] {line}" for line in text(symptom, job))

    return render


def _drained(symptom: Symptom, job: Job) -> tuple[str, ...]:
    host, reason = _host(symptom, job), _REASONS.get(symptom.kind, "health check")
    if gpus.reports_links(job.gpu):
        reason = reason.replace("Xid 74:", "Xid 149:")
    return (
        f"update_node: node {host} reason set to: {reason}",
        f"update_node: node {host} state set to DRAINED",
    )


def _pending(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """Why the job waits: a requeued one begins after two minutes; later others go first, its nodes
    are missing, or a person holds it who mends what has failed.
    """
    reason = "BeginTime" if symptom.code else "Resources"
    if not symptom.code and kind_named(symptom.kind).layer in ("software", "numerics"):
        reason = "JobHeldUser"
    elif not symptom.code and symptom.kind in ("preempt", "time-limit"):
        reason = "Priority"
    name = f"JobId={hardware_ids.slurm_job(job)}"
    priority = 0 if reason == "JobHeldUser" else 4_294_901_000 - hardware_ids.slurm_job(job) % 999
    return (f"sched: {name}. State=PENDING. Reason={reason}. Priority={priority}. Partition=gpu.",)


def _allocated(symptom: Symptom, job: Job) -> tuple[str, ...]:
    """The nodes of the next attempt, with the spares among them."""
    del symptom
    names = [cluster.hostname(job, node) for node in range(job.layout.nodes)]
    sockets = -(-gpus_per_node(job) // gpus.socket_gpus(job.gpu))
    cores = gpus.socket_cores(job.gpu) * sockets * job.layout.nodes
    return (
        (
            f"sched: Allocate JobId={hardware_ids.slurm_job(job)} NodeList={_folded(names)} "
            f"#CPUs={cores} Partition=gpu"
        ),
    )


def _folded(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    within = ",".join(_ranges(sorted(name.rpartition("-")[2] for name in names)))
    return f"{names[0].rpartition('-')[0]}-[{within}]"


CONTROLLER: dict[str, Words] = {
    "requeuing": _controller(lambda _, job: (f"Requeuing JobId={hardware_ids.slurm_job(job)}",)),
    "not responding": _controller(
        lambda symptom, job: (f"error: Nodes {_host(symptom, job)} not responding, setting DOWN",)
    ),
    "drained": _controller(_drained),
    "pending": _controller(_pending),
    "back": _controller(
        lambda symptom, job: (f"update_node: node {_host(symptom, job)} state set to IDLE",)
    ),
    "allocated": _controller(_allocated),
}

# What slurmstepd writes into the output of the job's step.
OF_STEPS = ("step time limit",)
MESSAGES: dict[str, Words] = {
    **CONTROLLER,
    "task exit": _task_exit,
    "others exit": _others_exit,
    "terminating": _terminating,
    "step cancelled": _cancelled("STEP", ""),
    "oom kill": _oom_kill,
    "node failure": _node_failure,
    "preempted": _cancelled("JOB", " DUE TO PREEMPTION"),
    "time limit": _time_limit,
    "step time limit": _cancelled("STEP", TIME_LIMIT),
    "cancelled": _cancelled("JOB", ""),
    "signal": _cancelled("JOB", " DUE to SIGNAL Terminated"),
    "requeued": _cancelled("JOB", " DUE TO JOB REQUEUE"),
}
