"""What torch's NCCL watchdog prints when a collective hangs (ProcessGroupNCCL.cpp).

The C++ logger's prefix has the month without a leading zero and nine decimals, unlike Python's.
Line numbers come from public logs of each release; one that no log shows is estimated from the
distances of its neighbours. Up to 2.6 a process ends as soon as its watchdog has found the timeout;
from 2.7 on a watchdog tells the monitoring threads of all ranks to dump, and waits a minute.
"""

from collections.abc import Generator, Iterator

from llmsim.dialects.parts import connections, native_frames
from llmsim.dialects.parts.flight_recorder import Callers, stack
from llmsim.dialects.parts.groups import Names, Wait, own_group, waits
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.job.records import Job
from llmsim.run import cluster, hardware_ids
from llmsim.run.events.incidents import Symptom
from llmsim.text import units
from llmsim.typed import NamedTuple


class _Lines(NamedTuple):
    """The lines of a release's statements."""

    found: int  # the timeout
    summary: int
    trace: int  # the stack trace of the collective; three below: that there is none
    first: int  # that this group signals the dump; 0: this release does not
    heard: int  # that the monitoring thread has heard of it
    prepare: int
    failed: int  # the two warnings before the end
    down: int
    end: int
    observed: int = 0  # that a rank has heard of it from another one


_LINES = {
    "2.6": _Lines(629, 2168, 664, 0, 0, 0, 681, 695, 1895),
    "2.7": _Lines(632, 2271, 667, 2106, 1746, 1536, 684, 698, 1899, 1682),
    "2.8": _Lines(685, 2252, 729, 2584, 1870, 1589, 746, 760, 2068, 1806),
    "2.9": _Lines(683, 2241, 727, 2573, 1858, 1575, 744, 758, 2057, 1794),
    "2.10": _Lines(689, 2288, 733, 2620, 1890, 1604, 750, 764, 2090, 1826),
    "2.11": _Lines(689, 2317, 733, 2649, 1914, 1628, 750, 764, 2119, 1849),
    "2.13": _Lines(757, 2395, 801, 2732, 1987, 1700, 818, 832, 2197, 1922),
}
_RAISED_BELOW = 3  # lines from the statement that logs a timeout to the one that makes its error
# Lines from the statement of the summary down to where a communicator's error is raised, in
# checkForNCCLErrorsInternal, and from checkAndSetException's down to the timeout's. Both are
# estimates from builds of 2.5 and 2.6.
_CHECKED_BELOW, _SET_ABOVE = 95, 87
_CUDA_CHECK = {"2.6": 43, "2.7": 43, "2.8": 42}  # lines of CUDAException.cpp; 44 since 2.9
_FILE = "ProcessGroupNCCL.cpp"
_PATH = "/pytorch/torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp"
TRACE, _UNKNOWN_BELOW = "Stack trace of the failed collective: ", 3
NO_TRACE = (
    "Stack trace of the failed collective not found, potentially because FlightRecorder is "
    "disabled. You can enable it by setting TORCH_NCCL_TRACE_BUFFER_SIZE to a non-zero value."
)
FAILED = (
    "Some NCCL operations have failed or timed out. Due to the asynchronous nature of CUDA "
    "kernels, subsequent GPU operations might run on corrupted/incomplete data."
)
DOWN = "To avoid data inconsistency, we are taking the entire process down."
FIRST = "First PG on this rank to signal dumping."
OBSERVED = "Observed flight recorder dump signal from another rank via TCPStore."
PREPARE = "ProcessGroupNCCL preparing to dump debug info. Include stack trace: 1"
_ACTIVE = ("2.10", "2.11", "2.13")  # releases that say whether only active collectives are dumped
HERE = "this local rank"
DUMP = (
    "Received a dump signal due to a collective timeout from {teller} and we will try our "
    "best to dump the debug info. Last enqueued NCCL work: {enqueued}, last completed NCCL work: "
    "{completed}.This is most likely caused by incorrect usages of collectives, e.g., wrong sizes "
    "used across ranks, the order of collectives is not same for all ranks or the scheduled "
    "collective, for some reason, didn't run. Additionally, this can be caused by GIL deadlock or "
    "other reasons such as network errors or bugs in the communications library (e.g. NCCL), etc. "
)


def prefix(job: Job, at: float, rank: int, level: str, line: int, file: str = _FILE) -> str:
    """[rank3]:[E1120 11:17:52.412345678 ProcessGroupNCCL.cpp:632]: the C++ logger's."""
    now = units.stamp(job.start, at)
    nanos = int(hardware_ids.register(job, "nanoseconds", rank + int(at * 1e6), 3), 16) % 1000
    time = f"{now.month}{now.day:02d} {now:%H:%M:%S}.{now.microsecond:06d}{nanos:03d}"
    return f"[rank{rank}]:[{level}{time} {file}:{line}]"


def _release(job: Job) -> str:
    return ".".join(job.software.torch.split(".")[:2])


def _lines(job: Job) -> _Lines:
    return _LINES.get(_release(job), _LINES["2.13"])


def work(job: Job, symptom: Symptom, wait: Wait) -> str:
    """The sentence that every line of a timeout repeats; `code` is how long it ran, in ms.

    The rank in it is the one inside the group.
    """
    timeout = round(1000 * job.framework.collective_timeout)
    return (
        f"[Rank {wait.rank}] Watchdog caught collective operation timeout: "
        f"{_work(wait, timeout)} ran for {symptom.code} milliseconds before timing out."
    )


def _work(wait: Wait, timeout: int) -> str:
    return (
        f"WorkNCCL(SeqNum={wait.number}, OpType={wait.operation}, NumelIn={wait.numel_in}, "
        f"NumelOut={wait.numel_out}, Timeout(ms)={timeout})"
    )


def timeout(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """What a rank that waits says when it has waited long enough."""
    at, rank, wait = symptom.at, symptom.rank, waits(job, symptom, names)
    yield f"{prefix(job, at, rank, 'E', _lines(job).found)} {work(job, symptom, wait)}"


def summary(job: Job, symptom: Symptom, names: Names, callers: Callers) -> Iterator[str]:
    """What it says next: how far the group is, and who has asked for the collective."""
    at, rank, wait, lines = symptom.at, symptom.rank, waits(job, symptom, names), _lines(job)
    yield (
        f"{prefix(job, at, rank, 'E', lines.summary)} {wait.group}  failure detected by watchdog "
        f"at work sequence id: {wait.number} PG status: last enqueued work: {wait.enqueued}, last "
        f"completed work: {wait.number - 1}"
    )
    looked = at + cluster.gap(job, "trace", rank, 100e-6)
    if frames := stack(job, _release(job), wait, callers):
        yield f"{prefix(job, looked, rank, 'E', lines.trace)} {TRACE}"
        yield from frames
    else:
        line = lines.trace + _UNKNOWN_BELOW
        yield f"{prefix(job, looked, rank, 'E', line)} {NO_TRACE}"
    if lines.first:
        looked += cluster.gap(job, "dump", rank, 600e-6)
        yield f"{prefix(job, looked, rank, 'E', lines.first)} {wait.group} {FIRST}"


def dumped(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """What the monitoring thread of torch's own group says, with the numbers of that group."""
    own = own_group(job, symptom, names)
    yield from _dumped(job, symptom, own, HERE)


def observed(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """What the monitoring thread of the stopped rank says, whose watchdog has nothing to say.

    It learns of the others' timeout through the store. `peer` is the rank that has told it. This
    rank has not asked for the collective in which the others wait.
    """
    wait = waits(job, symptom._replace(rank=symptom.peer, peer=symptom.rank), names)
    own = own_group(job, symptom._replace(rank=symptom.peer, peer=symptom.rank), names)
    label = f"[PG ID 0 PG GUID 0(default_pg) Rank {symptom.rank}]"
    if own.group == wait.group:
        own = own._replace(enqueued=wait.number - 1)
    own = own._replace(group=label, rank=symptom.rank)
    line, lines = symptom.at, _lines(job)
    yield f"{prefix(job, line, symptom.rank, 'E', lines.observed)} {label} {OBSERVED}"
    later = symptom._replace(at=line + cluster.gap(job, "observed", symptom.rank, 90e-6))
    yield from _dumped(job, later, own, f" rank {symptom.peer}")


def _dumped(job: Job, symptom: Symptom, own: Wait, teller: str) -> Iterator[str]:
    at, rank, lines = symptom.at, symptom.rank, _lines(job)
    signal = DUMP.format(teller=teller, enqueued=own.enqueued, completed=own.number - 1)
    yield f"{prefix(job, at, rank, 'E', lines.heard)} {own.group} {signal}"
    at += cluster.gap(job, "prepared", rank, 250e-6)
    more = ", only active collectives: 0" if _release(job) in _ACTIVE else ""
    yield f"{prefix(job, at, rank, 'E', lines.prepare)} {own.group} {PREPARE}{more}"


def abort(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """How it ends the process: the text stands in the log and in what()."""
    wait = waits(job, symptom, names)
    at = yield from _taken_down(job, symptom, wait)
    begin, stack = _uncaught(job, symptom, wait)
    at += cluster.gap(job, "end", symptom.rank, 300e-6)
    yield f"{prefix(job, at, symptom.rank, 'E', _lines(job).end)} {begin}"
    yield from stack


def _taken_down(job: Job, symptom: Symptom, wait: Wait) -> Generator[str, None, float]:
    at, rank, lines = symptom.at, symptom.rank, _lines(job)
    yield f"{prefix(job, at, rank, 'E', lines.failed)} [Rank {wait.rank}] {FAILED}"
    at += cluster.gap(job, "down", rank, 20e-6)
    yield f"{prefix(job, at, rank, 'E', lines.down)} [Rank {wait.rank}] {DOWN}"
    return at


def _uncaught(job: Job, symptom: Symptom, wait: Wait) -> tuple[str, list[str]]:
    """The exception of a timeout: its text, and the lines below it."""
    text = work(job, symptom, wait)
    cause = f"Exception raised from checkTimeout at {_PATH}:{_lines(job).found + _RAISED_BELOW}"
    exception = f"{wait.group} Process group watchdog thread terminated with exception: {text}"
    return exception, _stack(job, symptom, cause, "timeout")


def _stack(job: Job, symptom: Symptom, cause: str, path: native_frames.Path) -> list[str]:
    frames = native_frames.listed(job, symptom.rank, path)
    return [f"{cause} (most recent call first):", *frames, ""]


def thrown(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """What C++ says of an exception that nobody catches, of one rank or of several at once.

    libstdc++ writes it in pieces (vterminate.cc), with nothing that keeps processes apart.
    """
    streams = []
    for rank, code in ((symptom.rank, symptom.code), *symptom.mixed):
        each = symptom._replace(rank=rank, code=code)
        begin, stack = _uncaught(job, each, waits(job, each, names))
        streams.append(_pieces("\n".join((begin, *stack))))
    mixed = interleaved(job, f"thrown {symptom.rank}", streams, symptom.executed)
    yield from "".join(mixed).removesuffix("\n").split("\n")


def _pieces(what: str) -> list[str]:
    return [
        "terminate called after throwing an instance of '", "c10::DistBackendError", "'\n",
        "  what():  ", what, "\n",
    ]  # fmt: skip


def terminated(
    job: Job, symptom: Symptom, group: str, text: str, stack: list[str]
) -> Iterator[str]:
    """The end of a process by an exception in the watchdog's thread, with its C++ frames, twice."""
    begin = f"{group} Process group watchdog thread terminated with exception: {text}"
    at = symptom.at + cluster.gap(job, "end", symptom.rank, 400e-6)
    yield f"{prefix(job, at, symptom.rank, 'E', _lines(job).end)} {begin}"
    yield from stack
    what = "".join(_pieces("\n".join((begin, *stack))))
    yield from what.removesuffix("\n").split("\n")


def cuda_error(job: Job, symptom: Symptom, names: Names, text: str) -> Iterator[str]:
    """How the watchdog of the one rank on a bad GPU ends its process: `text` is the error's."""
    line = _CUDA_CHECK.get(_release(job), 44)
    cause = (
        "Exception raised from c10_cuda_check_implementation at "
        f"/pytorch/c10/cuda/CUDAException.cpp:{line}"
    )
    group = waits(job, symptom, names).group
    yield from terminated(job, symptom, group, text, _stack(job, symptom, cause, "cuda"))


def _broken(job: Job, symptom: Symptom) -> tuple[str, list[str]]:
    """The error of a broken connection: its text, and the lines below it."""
    version = job.software.collectives_version.partition("+")[0]
    text = (
        f"NCCL error: remote process exited or there was a network error, NCCL version {version}\n"
        "ncclRemoteError: A call failed possibly due to a network error or a remote process "
        f"exiting prematurely.\nLast error:\n{connections.last_error(job, symptom)}"
    )
    raised = _lines(job).summary + _CHECKED_BELOW
    cause = f"Exception raised from checkForNCCLErrorsInternal at {_PATH}:{raised}"
    return text, _stack(job, symptom, cause, "network")


def network_error(job: Job, symptom: Symptom, names: Names, callers: Callers) -> Iterator[str]:
    """A broken connection, which NCCL reports after its retries: no timeout is waited for."""
    wait, (text, stack) = waits(job, symptom, names), _broken(job, symptom)
    timeout = round(1000 * job.framework.collective_timeout)
    line = _lines(job).found - _SET_ABOVE
    begin = f"{prefix(job, symptom.at, symptom.rank, 'E', line)} [Rank {wait.rank}] Collective "
    yield from f"{begin}{_work(wait, timeout)} raised the following async exception: {text}".split(
        "\n"
    )
    yield from stack
    after = symptom.at + cluster.gap(job, "told", symptom.rank, 300e-6)
    yield from summary(job, symptom._replace(at=after), names, callers)


def network_abort(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """How it ends the process then."""
    wait, (text, stack) = waits(job, symptom, names), _broken(job, symptom)
    at = yield from _taken_down(job, symptom, wait)
    for line in terminated(job, symptom._replace(at=at), wait.group, text, stack):
        yield from line.split("\n")
