"""torchrun's banner and its failure block, as every node's launcher prints them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from llmsim.dialects.capture import nodes_kept
from llmsim.dialects.line import Line
from llmsim.dialects.parts import launcher_frames, packages
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job, Software, gpus_per_node
from llmsim.run import cluster
from llmsim.text import units
from llmsim.typed import NamedTuple

# Where the warning stands in run.py, and in elastic/multiprocessing/api.py the signal and the
# failure; newest release last. Public logs of each release.
_LINES = {
    "2.6": (792, 897, 869), "2.7": (766, 900, 874), "2.8": (774, 900, 874), "2.9": (803, 908, 882),
    "2.10": (852, 1010, 984), "2.11": (851, 1012, 986), "2.13": (874, 1028, 1002),
}  # fmt: skip
_NEWEST = _LINES["2.13"]
_ELASTIC = "torch/distributed/elastic"
_API = f"{_ELASTIC}/multiprocessing/api.py"

STARS = "*" * 41
ADVICE = (
    "Setting OMP_NUM_THREADS environment variable for each process to be 1 in default, to avoid "
    "your system being overloaded, please further tune the variable for optimal performance in "
    "your application as needed. "
)


def banner(now: datetime, process: int, torch: str) -> list[str]:
    """The four lines that a launcher of several processes warns with; `process` is its id.

    The message begins with a line end, hence the first line without text.
    """
    line, _, _ = _places(torch)
    prefix = _prefix("W", now, process, "torch/distributed/run.py", line)
    return [f"{prefix} {text}" for text in ("", STARS, ADVICE, STARS)]


_STARTS_WITHIN = 0.3  # seconds in which srun starts the launchers of all nodes
MOST_NODES = 8  # a script for more nodes sets OMP_NUM_THREADS, and no launcher warns


def greeting(job: Job, at: float) -> Iterator[Line]:
    """The banners of the launchers whose output the log holds, in the order in which they warn,
    before all have met at `at`; there is none where a launcher starts a single process.
    """
    size = gpus_per_node(job)
    if size == 1 or job.layout.nodes > MOST_NODES:
        return
    warned = sorted(
        (max(0.0, at - cluster.late(job, "launcher", node, _STARTS_WITHIN)), node)
        for node in nodes_kept(job)
    )
    for moment, node in warned:
        now = units.stamp(job.start, to_the_microsecond(moment))
        for text in banner(now, cluster.launcher(job, node), job.software.torch):
            yield Line(text, rank=node * size, launcher=True)


def _places(torch: str) -> tuple[int, int, int]:
    return _LINES.get(launcher_frames.release(torch), _NEWEST)


def _prefix(level: str, now: datetime, process: int, file: str, line: int) -> str:
    """glog's: level, month and day, time, process, file and line.

    Python's loggers know milliseconds, so the last three digits are always zeros.
    """
    stamp = f"{level}{now:%m%d %H:%M:%S}.{now.microsecond // 1000:03d}000"
    return f"{stamp} {process} {file}:{line}]"


# --- failures ----------------------------------------------------------------------------

_SIGNALS = {6: "SIGABRT", 7: "SIGBUS", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}
_SEE = "To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html"
_NAMED = ("2.13",)  # public logs show it since June 2026, and none of 2.11 or before
_WIDEST = 60  # cells of the block's rules
_KILLED_AFTER = 19  # lines from the statement of the one to that of the other, in every release


class Failure(NamedTuple):
    """A process that ended with an error, or that a signal ended (then the code is negative)."""

    ended: datetime
    hostname: str
    rank: int
    local_rank: int
    process: int
    exitcode: int


_APART = timedelta(microseconds=280)  # from one of its lines to the next


def closing(
    launcher: int, torch: str, sent: datetime, processes: Sequence[int]
) -> Iterator[str]:  # fmt: skip
    """What a node's launcher prints when it sends SIGTERM to its processes, one after another."""
    _, signal, _ = _places(torch)
    for number, process in enumerate(processes):
        prefix = _prefix("W", sent + number * _APART, launcher, _API, signal)
        yield f"{prefix} Sending process {process} closing signal SIGTERM"


def killing(launcher: int, software: Software, sent: datetime, process: int) -> str:
    """What it prints half a minute later of one that is stuck in the driver, and has not heard it.

    Python prints a signal as its number from 3.11 on, and as Signals.SIGTERM before.
    """
    _, signal, _ = _places(software.torch)
    prefix = _prefix("W", sent, launcher, _API, signal + _KILLED_AFTER)
    term, kill = _signal(software, "TERM", 15), _signal(software, "KILL", 9)
    return (
        f"{prefix} Unable to shutdown process {process} via {term}, forcefully exiting via {kill}"
    )


def _signal(software: Software, name: str, number: int) -> str:
    _, minor, *_ = software.python.split(".")
    return str(number) if int(minor) >= 11 else f"Signals.SIG{name}"


def failure(
    launcher: int, software: Software, python: str, script: str, failures: Sequence[Failure]
) -> Iterator[str]:
    """What a node's launcher prints when a process fails: the first in `failures` is the cause.

    `launcher` is the launcher's process id, `python` the path of the interpreter. It says what
    failed when all have ended; the ones that are stuck it kills before (see `killing`).
    """
    first, *others = failures
    _, _, failed = _places(software.torch)
    for other in others:
        if other.exitcode == -9:
            yield killing(launcher, software, other.ended, other.process)
    last = max(each.ended for each in failures)
    yield (
        f"{_prefix('E', last, launcher, _API, failed)} failed (exitcode: {first.exitcode}) "
        f"local_rank: {first.local_rank} (pid: {first.process}) of binary: {python}"
    )
    yield from launcher_frames.traceback(software, launcher_frames.failed(software))
    yield "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: "
    named = launcher_frames.release(software.torch) in _NAMED
    records = {index: _record(index, each, named) for index, each in enumerate(failures)}
    width = min(_WIDEST, max(len(line) for record in records.values() for line in record))
    yield from ("=" * width, f"{script} FAILED", "-" * width, "Failures:")
    if not others:
        yield "  <NO_OTHER_FAILURES>"
    for index in range(1, len(failures)):
        yield from records[index]
    yield from ("-" * width, "Root Cause (first observed failure):", *records[0], "=" * width)


def _record(index: int, each: Failure, named: bool) -> list[str]:
    """One process in the block (errors/__init__.py, _format_failure).

    `named`: the template ends an exit code's line with the signal's name, or with an empty one.
    """
    signal = ""
    name = _SIGNALS.get(-each.exitcode, "<N/A>")
    killed = each.exitcode < 0
    if named:
        signal = f" {f' ({name})' if killed else ''}"
    reason = f"Signal {-each.exitcode} ({name}) received by PID {each.process}" if killed else _SEE
    return [
        f"[{index}]:",
        f"  time      : {each.ended:%Y-%m-%d_%H:%M:%S}",
        f"  host      : {each.hostname}",
        f"  rank      : {each.rank} (local_rank: {each.local_rank})",
        f"  exitcode  : {each.exitcode} (pid: {each.process}){signal}",
        "  error_file: <N/A>",
        f"  traceback : {reason}",
    ]


def stopping(
    now: datetime, launcher: int, software: Software, processes: Sequence[int]
) -> Iterator[str]:  # fmt: skip
    """What a launcher prints when SIGTERM comes from outside: it passes it on to its workers."""
    agent = f"{_ELASTIC}/agent/server/api.py"
    prefix = _prefix("W", now, launcher, agent, launcher_frames.lines_of(software.torch).heard)
    term = _signal(software, "TERM", 15)
    yield f"{prefix} Received {term} death signal, shutting down workers"
    yield from closing(launcher, software.torch, now + _APART, processes)


def without_store(job: Job, at: float, node: int) -> Iterator[str]:
    """How a node's launcher ends that has lost the store, which the first node's launcher has."""
    launcher, file = cluster.launcher(job, node), f"{_ELASTIC}/rendezvous/dynamic_rendezvous.py"
    prefix = _prefix("W", units.stamp(job.start, at), launcher, file, 1347)
    yield (
        f"{prefix} The node '{cluster.hostname(job, node)}_{launcher}_0' has failed to shutdown "
        f"the rendezvous '{job.run_name}' due to an error of type RendezvousConnectionError."
    )
    package = f"{packages.folder(job.software)}/torch/distributed"
    yield "Traceback (most recent call last):"
    file = f"{package}/elastic/rendezvous/c10d_rendezvous_backend.py"
    yield f'  File "{file}", line 117, in _call_store'
    call = "return |getattr(self._store, store_op)(*args, **kwargs)|"
    yield from launcher_frames.shown(call, job.software)
    yield "torch.distributed.DistNetworkError: failed to recv, got 0 bytes"
    yield from ("", "The above exception was the direct cause of the following exception:", "")
    frames = launcher_frames.storeless(job.software)
    yield from launcher_frames.traceback(job.software, frames)
    yield (
        "torch.distributed.elastic.rendezvous.api.RendezvousConnectionError: The connection to the "
        "C10d store has failed. See inner exception for details."
    )


def signalled(launcher: int, software: Software, *, closing: bool = False) -> Iterator[str]:
    """How it ends then: in its sleep, or while it waits for a worker to end (`closing`)."""
    frames = launcher_frames.closing if closing else launcher_frames.asleep
    yield from launcher_frames.traceback(software, frames(software))
    name = "torch.distributed.elastic.multiprocessing.api.SignalException"
    yield f"{name}: Process {launcher} got signal: 15"
