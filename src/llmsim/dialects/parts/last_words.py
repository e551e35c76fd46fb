"""The training log's lines when an attempt dies: what workers and launcher say, by symptom.

A framework hands in where its own code stands when an error comes up; the rest is torch's.
"""

from collections.abc import Callable, Iterator

from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts import slurm, torchrun, watchdog, worker_errors
from llmsim.dialects.parts.flight_recorder import Callers
from llmsim.dialects.parts.groups import Names
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job, gpus_per_node, ranks_on, speaking_node
from llmsim.run import cluster, shutdown
from llmsim.run.events.incidents import Symptom
from llmsim.text import units
from llmsim.text.screen import Screen
from llmsim.typed import Any, Literal, NamedTuple

# Who starts the processes, and prints how they end: Lightning itself, mpirun, or nobody.
Launcher = Literal["torchrun", "deepspeed", "lightning", "mpirun", "none"]


class Code(NamedTuple):
    """A framework's own code in tracebacks, and how it is launched."""

    script: str  # as the launcher names it
    step: tuple[Place, ...]  # where a training step waits for the GPU
    forward: tuple[Place, ...]  # where memory is asked for
    data: tuple[Place, ...]  # where the next batch is taken
    save: tuple[Place, ...]  # where a checkpoint is written
    start: tuple[Place, ...]  # where the processes meet
    device: Place | None = None  # where a single process asks for its GPU; None: where they meet
    nan: str = ""  # what it says of a loss that is not a number; see _found_nan
    check: Place | None = None  # where it raises that
    scaler: tuple[Place, ...] = ()  # where it gives up its loss scale, if it has code for that
    scale_gone: str = ""  # what it says then
    first_ranks_only: bool = False  # the launcher shows local rank 0 alone
    tee: bool = False  # the launcher puts [rank3]: before each line of a worker
    launcher: Launcher = "torchrun"
    python_alone: bool = False  # Python starts a single process, without the launcher
    python: str = "/usr/bin/python3"
    arguments: tuple[str, ...] = ()  # the script's own, where the launcher repeats them
    groups: Names = Names()
    records: bool = False  # it gives torch's flight recorder a buffer


def code_of(script: str, main: tuple[Place, ...], *deepest: Place, **others: Any) -> Code:
    """The code of a framework: what all tracebacks begin with, and their last frames.

    `deepest` has these frames in order: of a step, the forward pass, the data, a save, the start.
    """
    step, forward, data, save, start = ((*main, place) for place in deepest)
    return Code(script, step, forward, data, save, (*main[:1], start[-1]), **others)


def spoken(code: Code) -> Render:
    """The function of a dialect's table for Symptom; errors are not cut to a terminal's width.

    Where a launcher keeps its workers' lines apart, or a log has one rank's, none mix.
    """

    def render(event: Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
        if event.name in slurm.OF_STEPS:
            yield from _of_slurm(event, job)
            return
        known = code._replace(launcher="none") if _is_alone(code, job) else code
        if event.mixed and (code.tee or code.first_ranks_only or job.capture == "rank0"):
            for rank, number in ((event.rank, event.code), *event.mixed):
                yield from render(event._replace(rank=rank, code=number, mixed=()), job, screen)
            return
        teller = _TELLERS.get(event.name) if event.stream == "log" else None
        local, launched = event.rank % gpus_per_node(job), event.name in LAUNCHERS
        if teller is None or (code.first_ranks_only and local and not launched):
            return
        lines = teller(event, job, known)
        if code.tee and not launched:
            lines = (f"[rank{local}]:{line}" for line in lines)
        for text in lines:
            yield Line(text, rank=event.rank, launcher=launched)

    return render


def _is_alone(code: Code, job: Job) -> bool:
    """Whether no launcher has started the job's single process."""
    return code.python_alone and job.layout.gpus == 1


def _of_slurm(event: Symptom, job: Job) -> Iterator[Line]:
    """What the first node's slurmstepd writes into the output of a job's step, which is the log."""
    rank = 0 if job.capture == "all" else speaking_node(job) * gpus_per_node(job)
    for text in slurm.lines(event, job, event.at):
        yield Line(text, rank=rank, launcher=True)


# What launchers say, as their symptoms are called.
LAUNCHERS = (
    "closing", "failure", "all failed", "killing", "store gone", "terminated", "signal exception",
)  # fmt: skip


# --- workers -----------------------------------------------------------------------------


def _callers(code: Code) -> Callers:
    return Callers(code.step, code.forward, code.records)


def _cuda_error(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """The Python error of the one rank on the bad GPU, whose watchdog then ends the process."""
    if event.kind == "device-assert":
        yield from worker_errors.assertions(job, event)
    message = worker_errors.cuda_exception(job, event.kind)
    lines = worker_errors.traceback(job, code.step, message)
    yield from worker_errors.of_rank(job, event.rank, lines)
    if event.code == -6 and job.layout.gpus > 1:
        text = "\n".join(worker_errors.cuda_error(job, event.kind))
        for line in watchdog.cuda_error(job, event, code.groups, text):
            yield from line.split("\n")


def _raised(
    message: Callable[[Job, Symptom], list[str]], where: Callable[[Code], tuple[Place, ...]]
) -> "Teller":
    def render(event: Symptom, job: Job, code: Code) -> Iterator[str]:
        lines = worker_errors.traceback(job, where(code), message(job, event))
        yield from worker_errors.of_rank(job, event.rank, lines)

    return render


def _init_failed(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """The processes do not meet; a single one does not get its GPU."""
    places = code.start
    if job.layout.gpus == 1:
        first = code.device or places[-1]._replace(source="torch.cuda.set_device(local_rank)")
        places = (*places[:-1], *worker_errors.device_places(job, first))
    message = worker_errors.init_failed(job, event)
    yield from worker_errors.of_rank(job, event.rank, worker_errors.traceback(job, places, message))


def _found_nan(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """The framework's own check; {rank}, {host}, {local} and {step} in its text are filled in."""
    if code.check is None:
        yield code.nan
        return
    node, local = divmod(event.rank, gpus_per_node(job))
    message = code.nan.format(
        rank=event.rank, host=cluster.hostname(job, node), local=local, step=event.step + 1
    )
    lines = worker_errors.traceback(job, (*code.step[:-1], code.check), [message])
    yield from worker_errors.of_rank(job, event.rank, lines)


# --- launchers ---------------------------------------------------------------------------


def _closing(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """A launcher sends SIGTERM to its processes that live: one has failed, or it ends itself."""
    if code.launcher == "deepspeed" and event.code == -9:
        return _killed(job, event.at, range(node_ranks(job, event.peer).start, event.peer + 1))
    if code.launcher != "torchrun":
        return iter(())
    if event.code == -9:  # all others have ended, and their launcher has found one alive
        ranks = [event.peer]
    elif event.code == -15:
        ranks = [*node_ranks(job, event.rank)]
    else:
        exits = shutdown.exits_of(job, event.rank, event.code, event.peer)
        ranks = shutdown.living(job, exits)
    now, node = units.stamp(job.start, event.at), event.rank // gpus_per_node(job)
    processes = [cluster.worker(job, rank) for rank in ranks]
    return torchrun.closing(cluster.launcher(job, node), job.software.torch, now, processes)


def _failure(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """One process of the node has failed, and the others were sent SIGTERM.

    After a hang all that waited have aborted; the one they waited for, if it is here, was killed.
    """
    if code.launcher != "torchrun":
        return _OTHERS[code.launcher](event, job, code)
    return _block(event, job, code, shutdown.exits_of(job, event.rank, event.code, event.peer))


def node_ranks(job: Job, rank: int) -> range:
    """The ranks of a rank's node."""
    return ranks_on(job, rank // gpus_per_node(job))


def _block(event: Symptom, job: Job, code: Code, exits: dict[int, int]) -> Iterator[str]:
    size = gpus_per_node(job)
    node = event.rank // size
    ended = shutdown.endings(job, exits, event.at).ended
    failures = [
        torchrun.Failure(
            units.stamp(job.start, ended[rank]),
            cluster.hostname(job, node),
            rank,
            rank % size,
            cluster.worker(job, rank),
            exitcode,
        )
        for rank, exitcode in exits.items()
    ]
    launcher = cluster.launcher(job, node)
    return torchrun.failure(launcher, job.software, code.python, code.script, failures)


def _killing(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """A launcher has waited half a minute for a process that does not hear SIGTERM.

    DeepSpeed's waits for each process before it goes on to the next one.
    """
    if code.launcher == "deepspeed":
        after = range(event.peer + 1, node_ranks(job, event.peer).stop)
        yield from _killed(job, event.at, after)
        yield _returned(job, event.at, -6, code)
    if code.launcher == "torchrun":
        now, node = units.stamp(job.start, event.at), event.rank // gpus_per_node(job)
        process = cluster.worker(job, event.peer)
        yield torchrun.killing(cluster.launcher(job, node), job.software, now, process)


def _store_gone(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    if code.launcher == "torchrun":
        node = event.rank // gpus_per_node(job)
        yield from torchrun.without_store(job, event.at, node)


def _by_deepspeed(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """DeepSpeed's launcher (launch.py), which looks every second."""
    yield from _killed(job, event.at, node_ranks(job, event.rank))
    yield _returned(job, event.at, event.code, code)


def _killed(job: Job, at: float, ranks: range) -> Iterator[str]:
    """DeepSpeed's launcher ends processes, dead ones too."""
    stamp = units.asctime(job.start, at)
    for rank in ranks:
        process = cluster.worker(job, rank)
        yield f"[{stamp}] [INFO] [launch.py:319:sigkill_handler] Killing subprocess {process}"


def _returned(job: Job, at: float, exitcode: int, code: Code) -> str:
    """The last line of DeepSpeed's launcher: it names the command of its last process."""
    last = f"--local_rank={gpus_per_node(job) - 1}"
    command = [code.python, "-u", code.script, last, *code.arguments]
    return (
        f"[{units.asctime(job.start, at)}] [ERROR] [launch.py:325:sigkill_handler] {command} "
        f"exits with return code = {exitcode}"
    )


def _by_lightning(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """Lightning's own launcher of subprocesses."""
    del code
    yield (
        f"[rank: {event.rank}] Child process with PID {cluster.worker(job, event.rank)} terminated "
        f"with code {event.code}. Forcefully terminating all other processes to avoid zombies 🧟"
    )


def _by_mpirun(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """Open MPI's."""
    host = cluster.hostname(job, event.rank // gpus_per_node(job))
    ended = f"exited on signal {-event.code} ({_SIGNALS.get(-event.code, 'Aborted')})"
    if event.code > 0:
        ended = f"exited with status {event.code}"
    yield "-" * 74
    yield (
        f"mpirun noticed that process rank {event.rank} with PID {cluster.worker(job, event.rank)} "
        f"on node {host} {ended}."
    )
    yield "-" * 74
    del code


_SIGNALS = {6: "Aborted", 9: "Killed", 11: "Segmentation fault", 15: "Terminated"}
_OTHERS: dict[Launcher, "Teller"] = {
    "deepspeed": _by_deepspeed,
    "lightning": _by_lightning,
    "mpirun": _by_mpirun,
    "none": lambda _event, _job, _code: iter(()),
}


def _terminated(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """SIGTERM from outside: the launcher passes it on."""
    if code.launcher == "deepspeed":  # one that waits for a stuck process ends as it would have
        return iter(() if event.peer >= 0 else ("Main process received SIGTERM, exiting",))
    if code.launcher == "lightning":
        return iter((f"[rank: {event.rank}] Received SIGTERM: 15",))
    if code.launcher != "torchrun":
        return iter(())
    node, now = event.rank // gpus_per_node(job), units.stamp(job.start, event.at)
    # Of a node whose others have ended, only the stuck one is left.
    ranks = [event.peer] if event.peer >= 0 else [*node_ranks(job, event.rank)]
    processes = [cluster.worker(job, rank) for rank in ranks]
    return torchrun.stopping(now, cluster.launcher(job, node), job.software, processes)


def _signal_exception(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    if code.launcher != "torchrun":
        return iter(())
    launcher = cluster.launcher(job, event.rank // gpus_per_node(job))
    return torchrun.signalled(
        launcher, job.software, closing=event.peer >= 0 and gpus_per_node(job) > 1
    )


def _scale_gone(event: Symptom, job: Job, code: Code) -> Iterator[str]:
    """A trainer gives up its loss scale: a few lines below the step, or where its scaler does."""
    step = code.step[-1]
    own = step._replace(line=step.line + 9, source="raise RuntimeError(why)")
    places = code.scaler or (*code.step[:-1], own)
    message = [code.scale_gone] if code.scale_gone else worker_errors.scale_gone(event)
    yield from worker_errors.of_rank(job, event.rank, worker_errors.traceback(job, places, message))


Teller = Callable[[Symptom, Job, Code], Iterator[str]]
_TELLERS: dict[str, Teller] = {
    "watchdog timeout": lambda event, job, code: watchdog.timeout(job, event, code.groups),
    "watchdog summary": lambda event, job, code: watchdog.summary(
        job, event, code.groups, _callers(code)
    ),
    "watchdog throw": lambda event, job, code: watchdog.thrown(job, event, code.groups),
    "watchdog dump": lambda event, job, code: watchdog.dumped(job, event, code.groups),
    "watchdog observed": lambda event, job, code: watchdog.observed(job, event, code.groups),
    "watchdog abort": lambda event, job, code: watchdog.abort(job, event, code.groups),
    "network error": lambda event, job, code: watchdog.network_error(
        job, event, code.groups, _callers(code)
    ),
    "network abort": lambda event, job, code: watchdog.network_abort(job, event, code.groups),
    "cuda error": _cuda_error,
    "out of memory": _raised(
        lambda job, event: [worker_errors.out_of_memory(job, event)], lambda code: code.forward
    ),
    "loader killed": _raised(worker_errors.loader_killed, lambda code: code.data),
    "no space": _raised(worker_errors.no_space, lambda code: code.save),
    "found nan": _found_nan,
    "scale gone": _scale_gone,
    "init failed": _init_failed,
    "failure": _failure,
    "all failed": _failure,
    "closing": _closing,
    "killing": _killing,
    "store gone": _store_gone,
    "terminated": _terminated,
    "signal exception": _signal_exception,
}
