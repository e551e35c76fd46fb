"""What Slurm's commands print of the cluster: `sacct -D -P`, squeue and sinfo.

Forms: slurm 26.11, src/sacct, src/squeue/opts.c, src/sinfo/opts.c. Times are local, without a
zone. `-D` shows every record of a job that came again; without it Slurm shows the newest alone.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.jobs import Submitted
from llmsim.fleet.cluster.pool import Pool, folded
from llmsim.fleet.cluster.scheduling import Ended, Running, Scheduler
from llmsim.typed import NamedTuple

FIRST_ID = 100_001
PARTITION = "gpu"
COMMAND = (
    "sacct -D -P --format=JobID,JobName,User,Account,Partition,QOS,Submit,Start,End,Elapsed,"
    "ElapsedRaw,Timelimit,State,ExitCode,NNodes,AllocCPUS,AllocTRES,NodeList,FailedNode,Reason"
)
FIELDS = COMMAND.partition("--format=")[2].replace(",", "|")
_CPUS, _MEMORY_GB = 24, 256  # of a GPU
_CODES = {"FAILED": "1:0", "OUT_OF_MEMORY": "0:125", "NODE_FAIL": "1:0"}


class Clock(NamedTuple):
    """The cluster's time zero as its logs stamp it."""

    start: datetime

    def stamp(self, at: float) -> str:
        """A moment as Slurm prints it."""
        return (self.start + timedelta(seconds=int(at))).strftime("%Y-%m-%dT%H:%M:%S")


def job_id(job: Submitted) -> int:
    """The number that the scheduler gave a job."""
    return FIRST_ID + job.number


def user_name(user: int) -> str:
    """The login of a user."""
    return f"u{user + 1:04d}"


def elapsed(seconds: float) -> str:
    """A time as Slurm prints it: 00:05:21, 7-00:00:00."""
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{text}" if days else text


def job_name(job: Submitted) -> str:
    """The name that its user gave it."""
    return f"{traces.KINDS[job.kind].name}-{job.number % 9973:04d}"


def _tres(gpus: int, nodes: int, billing: bool) -> str:
    cpus, memory = gpus * _CPUS, gpus * _MEMORY_GB
    size = f"{memory // 1024}T" if memory % 1024 == 0 else f"{memory}G"
    text = f"cpu={cpus},gres/gpu={gpus},mem={size},node={nodes}"
    return f"billing={cpus},{text}" if billing else text


def rows(pool: Pool, clock: Clock, ended: Ended, steps: bool) -> Iterator[str]:
    """A record of a job, and its steps."""
    running, state = ended.running, ended.state
    job, took = running.waiting.job, int(ended.at) - int(running.began)
    nodes, still = len(running.nodes), state == "RUNNING"
    kind = traces.KINDS[job.kind]
    said = f"CANCELLED by {10_000 + job.user}" if state == "CANCELLED" else state
    times = [clock.stamp(running.began), "Unknown" if still else clock.stamp(ended.at),
             elapsed(took), str(took)]  # fmt: skip
    where = folded(pool, running.nodes)
    failed = folded(pool, (ended.failed_node,)) if ended.failed_node >= 0 else ""
    number = str(job_id(job))
    yield "|".join([
        number, job_name(job), user_name(job.user), kind.account, PARTITION,
        "low" if kind.preemptible else "normal", clock.stamp(running.waiting.since), *times,
        elapsed(job.limit), said, _CODES.get(state, "0:0"), str(nodes), str(job.gpus * _CPUS),
        _tres(job.gpus, nodes, True), where, failed, "None",
    ])  # fmt: skip
    if not steps:
        return
    for step in ("batch", "extern", "0"):
        first, span = step == "batch", 1 if step == "batch" else nodes
        gpus = min(job.gpus, pool.gpus_per_node) if first else job.gpus
        ok = step == "extern" and not still
        code = "0:15" if state == "CANCELLED" else _CODES.get(state, "0:0")
        yield "|".join([
            f"{number}.{step}", "python" if step == "0" else step, "", kind.account, "", "",
            times[0], *times, "", "COMPLETED" if ok else state, "0:0" if ok else code, str(span),
            str(gpus * _CPUS), _tres(gpus, span, False),
            folded(pool, running.nodes[:1]) if first else where, "", "",
        ])  # fmt: skip


_SQUEUE = (
    f"{'JOBID':>18} {'PARTITION':>9} {'NAME':>8} {'USER':>8} {'ST':>2} {'TIME':>10}"
    f" {'NODES':>6} NODELIST(REASON)"
)


def squeue(scheduler: Scheduler) -> str:
    """`squeue` at this moment: what runs, and what waits and why."""
    made = [_SQUEUE]
    for waiting, why in scheduler.queues.reasons():
        nodes = max(1, waiting.job.nodes)
        made.append(_line(waiting.job, "PD", 0.0, nodes, f"({why})"))
    latest = sorted(scheduler.running.values(), key=lambda each: (-each.began, each.token))
    made += [_running(scheduler, running) for running in latest]
    return "\n".join(made) + "\n"


def _running(scheduler: Scheduler, running: Running) -> str:
    took = scheduler.now - running.began
    where = folded(scheduler.pool, running.nodes)
    return _line(running.waiting.job, "R", took, len(running.nodes), where)


def _line(job: Submitted, state: str, took: float, nodes: int, where: str) -> str:
    hours = elapsed(took).removeprefix("00:").removeprefix("0")
    return (f"{job_id(job):>18} {PARTITION:>9} {job_name(job)[:8]:>8} {user_name(job.user):>8}"
            f" {state:>2} {hours:>10} {nodes:>6} {where}")  # fmt: skip


def sinfo(scheduler: Scheduler) -> str:
    """`sinfo` at this moment: nodes by state."""
    pool, states = scheduler.pool, dict[str, list[int]]()
    full = (1 << pool.gpus_per_node) - 1
    for node in range(pool.nodes):
        mask = scheduler.free.masks[node]
        state = "idle" if mask == full else "mix" if mask else "alloc"
        states.setdefault(state if scheduler.free.up[node] else "down*", []).append(node)
    made = [f"{'PARTITION':<9} {'AVAIL':>5} {'TIMELIMIT':>10} {'NODES':>6} {'STATE':>6} NODELIST"]
    for state in ("down*", "mix", "alloc", "idle"):
        if nodes := states.get(state):
            where = folded(pool, tuple(nodes))
            limit = elapsed(traces.LONGEST)
            made.append(f"{PARTITION + '*':<9} {'up':>5} {limit:>10} {len(nodes):>6}"
                        f" {state:>6} {where}")  # fmt: skip
    return "\n".join(made) + "\n"
