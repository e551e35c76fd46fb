"""What an incident makes visible: who says what, in which stream, and how long after the fault.

    story(job, incident, step_seconds)  ->  Story(symptoms, detected, over)

Seconds count from the fault. The delays come from public reports: Xid 48, 63 and 94 within
25 ms on an H100; a CUDA error at the next synchronising call of the one process on that GPU; the
launcher's SIGTERM 0.2 to 1.8 s later; NCCL's retries on InfiniBand 8.6 s (up to 2.21) or 34 s
(from 2.23) long; a hang found after exactly the process group's timeout and ended 60 s later by
torch 2.6 and newer. Xid lines stand in the kernel's log alone, the watchdog's in the training log.
"""

from collections.abc import Callable, Iterator, Sequence

from llmsim.job.records import Job, gpus_per_node, speaking_node
from llmsim.physics import noise
from llmsim.run import numbers
from llmsim.run.events.incidents import Symptom
from llmsim.run.incidents import Incident
from llmsim.run.shutdown import (
    POLL,
    Fault,
    draw,
    hung,
    shut_down,
    srun_is_gone,
    told_nodes,
    told_ranks,
)
from llmsim.run.verdicts import DETECTIONS
from llmsim.typed import NamedTuple

_HEARD = 0.21  # from the watchdog's finding to the dump signal in its monitoring thread
PAUSE = 60.0  # between the watchdog's finding and the abort, torch 2.6 and newer: 4 x 15 s
NODE_SILENT = 300.0  # SlurmdTimeout: a silent node is declared down
_MOST_STALLED = 45.0  # steps: a loader without data makes one up to 50 times as long
FLAP = (3.0, 8.0)  # seconds that a flapping port stays down


class Story(NamedTuple):
    """An incident from the fault to the death, in seconds after the fault, as are its symptoms."""

    symptoms: tuple[Symptom, ...]
    detected: float  # a monitor or a person knows
    over: float  # the last process has ended, or all is well again


def torch_release(job: Job) -> tuple[int, int]:
    """Torch's version in two numbers: (2, 9)."""
    major, minor, *_ = job.software.torch.split(".")
    return int(major), int(minor)


def nccl_retries(job: Job) -> float:
    """Seconds until a broken connection is reported: 4.096 us x 2^timeout x 8 tries.

    NCCL_IB_TIMEOUT is 18 up to 2.21 and 20 from 2.23 on. Sockets tell at once.
    """
    major, minor, *_ = job.software.collectives_version.split(".")
    timeout = 20 if (int(major), int(minor)) >= (2, 23) else 18
    return 4.096e-6 * 2.0**timeout * 8.0


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


def _hang(fault: Fault) -> Iterator[Symptom]:
    """Silence, the watchdogs of all ranks that wait, the abort; the culprit says nothing.

    A collective is enqueued by each rank when it gets there; the watchdog counts from then on.
    The culprit is stuck in the driver: SIGTERM does not reach it, and SIGKILL ends it after 30 s.
    """
    job, culprit = fault.job, fault.incident.rank
    waiting = [rank for rank in told_ranks(job, culprit) if rank != culprit]
    waiting = waiting or [(culprit + 1) % job.layout.gpus]  # of nodes with a single GPU
    spread, size = 0.06 * min(fault.step_seconds, 10.0), gpus_per_node(job)
    pause = PAUSE if torch_release(job) >= (2, 6) else draw(fault, "pause", 1.5, 4.0)
    aborts: list[tuple[float, int, int]] = []
    for rank in waiting:
        # The ranks of a node get there within milliseconds: its launcher finds all of them dead.
        late = draw(fault, "late", 0.0, spread, rank // size)
        late += draw(fault, "enqueued", 0.0, 0.02, rank)
        waited = job.framework.collective_timeout + draw(fault, "poll", 0.001, POLL, rank)
        found, ran = late + waited, round(1000.0 * waited)
        ended = found + pause + draw(fault, "abort", 0.004, 0.03, rank)
        aborts.append((ended, rank, ran))
        for name, after in (
            ("watchdog timeout", 0.0),
            ("watchdog summary", draw(fault, "summed", 0.0002, 0.06, rank)),
            ("watchdog dump", _HEARD),
            ("watchdog abort", ended - found),
        ):
            yield Symptom(found + after, "log", name, rank, ran, peer=culprit)
    yield from _thrown(fault, aborts)
    yield from hung(fault, [(ended, rank) for ended, rank, _ in aborts])


_TOGETHER, _MOST_MIXED = 0.004, 3  # seconds apart, and ranks, whose last words mix


def _thrown(fault: Fault, aborts: Sequence[tuple[float, int, int]]) -> Iterator[Symptom]:
    """The exceptions that nobody catches. C++ prints them in pieces, and the pieces of a node's
    ranks that end within milliseconds stand in one another.
    """
    size = gpus_per_node(fault.job)
    groups: list[list[tuple[float, int, int]]] = []
    for each in sorted(aborts, key=lambda abort: (abort[1] // size, abort)):
        near = groups and groups[-1][-1][1] // size == each[1] // size
        close = near and each[0] - groups[-1][-1][0] < _TOGETHER
        if close and len(groups[-1]) < _MOST_MIXED:
            groups[-1].append(each)
        else:
            groups.append([each])
    for group in groups:
        (at, rank, ran), *others = group[::-1]
        mixed = tuple((other, code) for _, other, code in others)
        at += draw(fault, "thrown", 0.0005, 0.004, rank)
        yield Symptom(at, "log", "watchdog throw", rank, ran, peer=fault.incident.rank, mixed=mixed)


def _peers(fault: Fault, at: float, *, gone: bool = False) -> Iterator[Symptom]:
    """Half of a node that talks to one without a network gets an error, SIGTERM the rest.

    The node where the log is says so if it can: a node that is gone says nothing.
    """
    job, size = fault.job, gpus_per_node(fault.job)
    failed = fault.incident.rank // size
    node = next((each for each in told_nodes(job, fault.incident.rank) if each != failed), failed)
    if gone and node == failed:
        node = (failed + 1) % job.layout.nodes
    first = node * size  # the first rank of a node that is there
    peer = fault.incident.rank if node != failed else (first + size) % job.layout.gpus
    moments = sorted(
        (at + draw(fault, "retries", 0.0, 0.8, rank), rank)
        for rank in range(first, first + max(1, size // 2))
    )
    for moment, rank in moments:
        yield Symptom(moment, "log", "network error", rank, -6, peer=peer)
    yield from shut_down(fault, moments[-1][0], {rank: -6 for _, rank in moments})


# --- kind by kind ------------------------------------------------------------------------


def _kernel(fault: Fault, *rows: tuple[float, str]) -> Iterator[Symptom]:
    for after, name in rows:
        yield Symptom(after, "kernel", name, fault.incident.rank)


def _torn_down(fault: Fault, ended: float, cause: int) -> Iterator[Symptom]:
    """Xid 45: one line for each channel of the process that was killed."""
    channels = noise.integer(fault.job.seed, "incident/channels", 8, 24, fault.incident.number)
    for channel in range(channels):
        after = ended + 0.1 + 0.0007 * channel
        yield Symptom(after, "kernel", "xid 45", fault.incident.rank, 1000 * cause + channel)


def _hbm_ecc(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(
        fault, (0.0, "gpu seen"), (0.0, "xid 48"), (0.0233, "xid 63"), (0.0249, "xid 94")
    )
    errors = list(_error(fault, "cuda error", -6))
    yield from errors
    yield from _torn_down(fault, errors[0].at, 94)


def _gpu_lost(fault: Fault) -> Iterator[Symptom]:
    """Somebody asks the GPU .3 s after the fault, and waits for 6 s."""
    if noise.uniform(fault.job.seed, "incident/aer", fault.incident.number) < 0.6:
        yield from _kernel(fault, (-41.0, "aer"), (-2.2, "aer"))
    yield from _kernel(
        fault,
        (0.0, "gpu seen"),
        (0.0, "xid 79"),
        (0.00002, "off the bus"),
        (0.00005, "crash dump"),
        (6.31, "xid 119"),
        (6.36, "xid 154 reboot"),
    )
    yield from _error(fault, "cuda error", -6)


def _nvlink(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(
        fault, (0.0, "gpu seen"), (0.0, "xid 74"), (0.0021, "sxid"), (0.0042, "xid 154 reset")
    )
    errors = list(_error(fault, "cuda error", -6))
    node, size = fault.incident.rank // gpus_per_node(fault.job), gpus_per_node(fault.job)
    other = node * size + (fault.incident.rank + 1) % size
    if other != fault.incident.rank:
        yield Symptom(errors[0].at + 0.011, "log", "cuda error", other, -6)
    yield from errors
    yield from _torn_down(fault, errors[0].at, 74)


def _gsp(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(
        fault,
        (0.0, "gpu seen"),
        (0.0, "xid 119"),
        (0.0001, "rpc buffer"),
        (6.004, "xid 119"),  # the next request, which has waited for 6 s, too
        (6.0041, "rate limit"),
        (6.2, "xid 154 reset"),
    )
    yield from _hang(fault)


def _link_flap(fault: Fault) -> Iterator[Symptom]:
    down = draw(fault, "flap", *FLAP)
    yield from _kernel(fault, (0.0, "link down"), (0.006, "port down"), (down, "link up"),
                       (down + 0.0015, "port up"))  # fmt: skip


def _link_down(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "link down"), (0.006, "port down"))
    yield from _peers(fault, nccl_retries(fault.job))


def _node_fail(fault: Fault) -> Iterator[Symptom]:
    yield from _peers(fault, nccl_retries(fault.job), gone=True)
    if not srun_is_gone(fault):
        yield Symptom(NODE_SILENT, "slurm", "node failure", fault.incident.rank)
        after = draw(fault, "requeue", 0.01, 0.2)
        yield Symptom(NODE_SILENT + after, "slurm", "requeued", fault.incident.rank)


def _out_of_memory(fault: Fault) -> Iterator[Symptom]:
    yield from _error(fault, "out of memory", 1)


def _data_killed(fault: Fault) -> Iterator[Symptom]:
    rank, at = fault.incident.rank, 0.011 + draw(fault, "sigchld", 0.01, 0.2)
    yield from _kernel(fault, (0.0, "oom invoked"), (0.002, "oom constraint"), (0.011, "oom kill"))
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


def _data_stall(fault: Fault) -> Iterator[Symptom]:
    back = min(draw(fault, "nfs", 20.0, 90.0), _MOST_STALLED * fault.step_seconds)
    yield from _kernel(fault, (0.0, "nfs silent"), (round(back, 6), "nfs back"))


def _slow_fs(fault: Fault) -> Iterator[Symptom]:
    back = draw(fault, "nfs", 130.0, 400.0)
    yield from _kernel(fault, (0.0, "nfs silent"), (122.0, "hung task"), (back, "nfs back"))


def _illegal_memory(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "gpu seen"), (0.0, "xid 31"), (0.0008, "xid 43"))
    errors = list(_error(fault, "cuda error", -6))
    yield from errors
    yield from _torn_down(fault, errors[0].at, 31)


def _device_assert(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "gpu seen"), (0.0, "xid 43"))
    yield from _error(fault, "cuda error", 1)


def _segfault(fault: Fault) -> Iterator[Symptom]:
    yield from _kernel(fault, (0.0, "segfault"))
    yield from shut_down(fault, 0.02, {fault.incident.rank: -11})


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
    "nccl-timeout": _hang,
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
    "init-fail": _raises("init failed"),
    "nan": _no_numbers,
    "scale-collapse": _no_numbers,
    "loss-spike": _stopped("cancelled"),
    "sdc": _stopped("cancelled"),
}
