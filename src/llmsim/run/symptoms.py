"""What an incident makes visible: who says what, in which stream, and how long after the fault.

    story(job, incident, step_seconds)  ->  Story(symptoms, detected, over)

Seconds count from the fault. The delays come from public reports: Xid 48, 63 and 94 within
25 ms on an H100; a CUDA error at the next synchronising call of the one process on that GPU; the
launcher's SIGTERM 0.2 to 1.8 s later; NCCL's retries on InfiniBand 8.6 s (up to 2.21) or 34 s
(from 2.23) long; a hang found after exactly the process group's timeout and ended 60 s later by
torch 2.7 and newer (2.6 ends it at once, as public logs of both show). Xid lines stand in the
kernel's log alone, the watchdog's in the training log. No two incidents have the same delays.
"""

from collections.abc import Callable, Iterator

from llmsim.catalog.gpus import is_a, reports_links
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job, gpus_per_node, speaking_node
from llmsim.physics import noise
from llmsim.run import numbers
from llmsim.run.events.incidents import Symptom
from llmsim.run.hangs import hang, nccl_retries, peers
from llmsim.run.incidents import Incident
from llmsim.run.shutdown import (
    Fault,
    draw,
    draws,
    shut_down,
    srun_is_gone,
    told_nodes,
)
from llmsim.typed import NamedTuple

NODE_SILENT = 300.0  # SlurmdTimeout: a silent node is declared down
_MOST_STALLED = 45.0  # steps: a loader without data makes one up to 50 times as long
FLAP = (3.0, 8.0)  # seconds that a flapping port stays down


# What tells a watching program, or a person, that the job is in trouble.
DETECTIONS = frozenset(
    {
        "watchdog timeout",
        "cuda error",
        "out of memory",
        "loader killed",
        "no space",
        "network error",
        "failure",
        "all failed",
        "preempted",
        "time limit",
        "terminated",
        "node failure",
        "link up",
        "sigterm handled",
        "init failed",
        "found nan",
        "scale gone",
    }
)


class Story(NamedTuple):
    """An incident from the fault to the death, in seconds after the fault, as are its symptoms."""

    symptoms: tuple[Symptom, ...]
    detected: float  # a monitor or a person knows
    over: float  # the last process has ended, or all is well again


def story(job: Job, incident: Incident, step_seconds: float) -> Story:
    """What follows from an incident's fault, in order of time."""
    teller = _TELLERS.get(incident.kind)
    told = teller(Fault(job, incident, step_seconds)) if teller else ()
    symptoms = tuple(sorted(told, key=lambda each: each.at))
    found = [each.at for each in symptoms if each.name in DETECTIONS]
    last = symptoms[-1].at if symptoms else 0.0
    if incident.kind == "node-fail":  # the job waits for slurmctld, also where nobody prints it
        last = max(last, NODE_SILENT)
    return Story(symptoms, min(found, default=last), last)


# --- how a job dies ----------------------------------------------------------------------


def _error(fault: Fault, name: str, exit_status: int) -> Iterator[Symptom]:
    """One process ends with an error at its next synchronising call; the launcher does the rest."""
    at = draw(fault, "noticed", 0.05, 0.9) * min(fault.step_seconds, 30.0)
    yield Symptom(at, "log", name, fault.incident.rank, exit_status)
    yield from shut_down(fault, at, {fault.incident.rank: exit_status})


# --- kind by kind ------------------------------------------------------------------------


def _kernel(fault: Fault, *rows: tuple[float, str]) -> Iterator[Symptom]:
    for after, name in rows:
        yield Symptom(after, "kernel", name, fault.incident.rank)


def _torn_down(fault: Fault, ended: float, cause: int) -> Iterator[Symptom]:
    """Xid 45: one line for each channel of the process that was killed."""
    channels = noise.integer(fault.job.seed, "incident/channels", 8, 24, fault.incident.number)
    after, rank = ended + draw(fault, "channels", 0.06, 0.6), fault.incident.rank
    for channel, pause in enumerate(draws(fault, "channel", 0.0002, 0.0016, channels)):
        code = 1000 * cause + channel
        yield Symptom(to_the_microsecond(after), "kernel", "xid 45", rank, code)
        after += pause


def _hbm_ecc(fault: Fault) -> Iterator[Symptom]:
    # 23.3 and 24.9 ms on one H100; 4 ms lie between 63 and 94 of an A100.
    remapped = draw(fault, "remapped", 0.004, 0.042)
    contained = remapped + draw(fault, "contained", 0.0004, 0.0044)
    yield from _kernel(
        fault, (0.0, "gpu seen"), (0.0, "xid 48"), (remapped, "xid 63"), (contained, "xid 94")
    )
    errors = list(_error(fault, "cuda error", -6))
    yield from errors
    yield from _torn_down(fault, errors[0].at, 94)


def _gpu_lost(fault: Fault) -> Iterator[Symptom]:
    """A monitor asks the GPU some seconds after the fault, and waits for 6 s.

    Some GPUs complain of their bus in the 40 s before, and more often near the end.
    """
    job, number = fault.job, fault.incident.number
    if noise.uniform(job.seed, "incident/aer", number) < 0.6:
        for index in range(noise.integer(job.seed, "incident/aer lines", 1, 6, number)):
            before = 0.4 * 100.0 ** draw(fault, "aer", 0.0, 1.0, index)
            yield from _kernel(fault, (-to_the_microsecond(before), "aer"))
    asked = 6.0 + draw(fault, "asked", 0.05, 11.0)
    yield from _kernel(
        fault,
        (0.0, "gpu seen"),
        (0.0, "xid 79"),
        (draw(fault, "said", 0.00001, 0.00009), "off the bus"),
        (draw(fault, "dumped", 0.0001, 0.0006), "crash dump"),
        (asked, "xid 119"),
        (asked + draw(fault, "action", 0.002, 0.12), "xid 154 reboot"),
    )
    yield from _error(fault, "cuda error", -6)


def _nvlink(fault: Fault) -> Iterator[Symptom]:
    """An Xid 74 and the switch's own line; Blackwell has an Xid for each unit of a link, and a
    neighbour that speaks as well.
    """
    switch = draw(fault, "switch", 0.0004, 0.009)
    after = draw(fault, "action", 0.0005, 0.006)
    node, size = fault.incident.rank // gpus_per_node(fault.job), gpus_per_node(fault.job)
    other = node * size + (fault.incident.rank + 1) % size
    units = reports_links(fault.job.gpu)
    if units:
        yield from _kernel(
            fault, (0.0, "gpu seen"), (0.0, "xid 149"), (after, "xid 154 drain")
        )  # fmt: skip
        for name in ("gpu seen", "xid 145") if other != fault.incident.rank else ():
            yield Symptom(after + switch, "kernel", name, other)
    else:
        yield from _kernel(
            fault, (0.0, "gpu seen"), (0.0, "xid 74"), (switch, "sxid"),
            (switch + after, "xid 154 reset"),
        )  # fmt: skip
    errors = list(_error(fault, "cuda error", -6))
    if other != fault.incident.rank:
        later = errors[0].at + draw(fault, "other end", 0.002, 0.04)
        yield Symptom(later, "log", "cuda error", other, -6)
    yield from errors
    yield from _torn_down(fault, errors[0].at, 149 if units else 74)


def _gsp(fault: Fault) -> Iterator[Symptom]:
    again = 6.0 + draw(fault, "again", 0.0008, 1.9)  # the next request has waited for 6 s, too
    yield Symptom(again, "kernel", "xid 119", fault.incident.rank, 1)
    yield from _kernel(
        fault,
        (0.0, "gpu seen"),
        (0.0, "xid 119"),
        (draw(fault, "said", 0.00003, 0.0004), "rpc buffer"),
        (again + draw(fault, "limited", 0.00002, 0.0003), "rate limit"),
        (again + draw(fault, "action", 0.01, 0.6), "xid 154 reset"),
    )
    yield from hang(fault)


def _link_flap(fault: Fault) -> Iterator[Symptom]:
    down = draw(fault, "flap", *FLAP)
    up = down + draw(fault, "port up", 0.0008, 0.003)
    yield from _kernel(
        fault, (0.0, "link down"), (_port_down(fault), "port down"), (down, "link up"),
        (up, "port up"),
    )  # fmt: skip


def _port_down(fault: Fault) -> float:
    """6 ms in a measured flap."""
    return draw(fault, "port down", 0.003, 0.011)


def _link_down(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "link down"), (_port_down(fault), "port down"))
    yield from peers(fault, nccl_retries(fault.job))


def _node_fail(fault: Fault) -> Iterator[Symptom]:
    yield from peers(fault, nccl_retries(fault.job), gone=True)
    if not srun_is_gone(fault):
        yield Symptom(NODE_SILENT, "slurm", "node failure", fault.incident.rank)
        after = draw(fault, "requeue", 0.01, 0.2)
        yield Symptom(NODE_SILENT + after, "slurm", "requeued", fault.incident.rank)


def _out_of_memory(fault: Fault) -> Iterator[Symptom]:
    yield from _error(fault, "out of memory", 1)


def _data_killed(fault: Fault) -> Iterator[Symptom]:
    rank, listed = fault.incident.rank, draw(fault, "listed", 0.001, 0.02)  # all tasks' memory
    killed = listed + draw(fault, "killed", 0.00002, 0.0002)
    at = killed + draw(fault, "sigchld", 0.01, 0.2)
    yield from _kernel(
        fault, (0.0, "oom invoked"), (listed, "oom constraint"), (killed, "oom kill")
    )
    yield Symptom(at, "log", "loader killed", rank, 1)
    for each in shut_down(fault, at, {rank: 1}):
        if each.name == "task exit" and each.rank == rank:  # slurmstepd knows it before srun
            yield Symptom(each.at - 0.02, "slurm", "oom kill", rank)
        yield each


def _raises(name: str) -> "Teller":
    """One process ends at once with an exception of its own."""

    def tell(fault: Fault) -> Iterator[Symptom]:
        yield Symptom(0.0, "log", name, fault.incident.rank, 1)
        yield from shut_down(fault, 0.0, {fault.incident.rank: 1})

    return tell


def _init_failed(fault: Fault) -> Iterator[Symptom]:
    """A process ends because it does not find the others in time. One that cannot listen for them,
    or does not get its GPU, knows it at once.
    """
    job, rank = fault.job, fault.incident.rank
    refused = is_a(job.gpu, "GPU") and (rank == 0 or job.layout.gpus == 1)
    wait = 0.0 if refused else job.framework.start_timeout
    at = wait + (draw(fault, "given up", 0.001, 0.05) if wait else draw(fault, "refused", 0.1, 0.6))
    yield Symptom(to_the_microsecond(at), "log", "init failed", rank, 1)
    yield from shut_down(fault, at, {rank: 1})


def _data_stall(fault: Fault) -> Iterator[Symptom]:
    back = min(draw(fault, "nfs", 20.0, 90.0), _MOST_STALLED * fault.step_seconds)
    yield from _kernel(fault, (0.0, "nfs silent"), (to_the_microsecond(back), "nfs back"))


def _slow_fs(fault: Fault) -> Iterator[Symptom]:
    """khungtaskd looks every 120 s, so it finds a task that has waited for 120 to 240 s."""
    hung = draw(fault, "hung", 121.0, 239.0)
    back = hung + draw(fault, "nfs", 5.0, 170.0)
    yield from _kernel(fault, (0.0, "nfs silent"), (hung, "hung task"), (back, "nfs back"))


def _illegal_memory(fault: Fault) -> Iterator[Symptom]:
    stopped = draw(fault, "stopped", 0.0002, 0.004)
    yield from _kernel(fault, (0.0, "gpu seen"), (0.0, "xid 31"), (stopped, "xid 43"))
    errors = list(_error(fault, "cuda error", -6))
    yield from errors
    yield from _torn_down(fault, errors[0].at, 31)


def _device_assert(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "gpu seen"), (0.0, "xid 43"))
    yield from _error(fault, "cuda error", 1)


def _segfault(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "segfault"))
    dumped = draw(fault, "dumped", 0.004, 0.06)
    yield from shut_down(fault, dumped, {fault.incident.rank: -11})


def _no_numbers(fault: Fault) -> Iterator[Symptom]:
    """The framework raises its own exception, or the trainer gives up the loss scale; where it goes
    on, a person stops the run.
    """
    job, kind = fault.job, fault.incident.kind
    if numbers.gives_up(job, kind):
        yield from _raises("scale gone")(fault)
    elif numbers.raises(job, kind):
        yield from _raises("found nan")(fault)
    else:
        yield from _stopped("cancelled")(fault)


def _stopped(name: str) -> "Teller":
    """SIGTERM from outside: Slurm's line stands before the processes' own last ones."""

    def tell(fault: Fault) -> Iterator[Symptom]:
        yield from _banner(name)
        size = gpus_per_node(fault.job)
        for node in told_nodes(fault.job, speaking_node(fault.job) * size):
            at, rank = draw(fault, "handled", 0.02, 0.3, node), node * size
            over = at + draw(fault, "grace", 0.4, 2.2, node)
            yield Symptom(at, "log", "terminated", rank, -15)
            yield Symptom(over, "log", "signal exception", rank, -15)

    return tell


def _banner(name: str) -> Iterator[Symptom]:
    """What Slurm says of the job; of a step it says it in the step's own output, the log."""
    yield Symptom(0.0, "slurm", name, 0)
    if name == _STOPS["time-limit"]:
        yield Symptom(0.0, "log", "step time limit", 0)


def handled(
    job: Job, incident: Incident, drains: bool, seconds: float, *, ahead: bool = False
) -> Story:
    """SIGTERM that the framework handles; `seconds` after it, it has saved and exits with 0.

    `ahead` of a time limit Slurm says nothing.
    """
    fault = Fault(job, incident, 1.0)
    name = "signal" if drains else _STOPS.get(incident.kind, "signal")
    heard = draw(fault, "handled", 0.02, 0.3)
    told = (
        *(() if ahead else _banner(name)),
        Symptom(heard, "log", "sigterm handled", 0),
        Symptom(seconds + 0.2, "log", "stopped in order", 0),
    )
    return Story(told, heard, seconds)


# What Slurm's line says of each kind of stop.
_STOPS = {"preempt": "preempted", "time-limit": "time limit"}

Teller = Callable[[Fault], Iterator[Symptom]]
_TELLERS: dict[str, Teller] = {
    "nccl-timeout": hang,
    "hbm-ecc": _hbm_ecc,
    "gpu-lost": _gpu_lost,
    "nvlink": _nvlink,
    "gsp": _gsp,
    "link-flap": _link_flap,
    "link-down": _link_down,
    "cuda-oom": _out_of_memory,
    "data-stall": _data_stall,
    "data-killed": _data_killed,
    "disk-full": _raises("no space"),
    "slow-fs": _slow_fs,
    "preempt": _stopped("preempted"),
    "time-limit": _stopped("time limit"),
    "maintenance": _stopped("signal"),
    "node-fail": _node_fail,
    "illegal-memory": _illegal_memory,
    "device-assert": _device_assert,
    "segfault": _segfault,
    "init-fail": _init_failed,
    "nan": _no_numbers,
    "scale-collapse": _no_numbers,
    "loss-spike": _stopped("cancelled"),
    "sdc": _stopped("cancelled"),
}
