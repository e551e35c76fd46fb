"""What torch's NCCL watchdog prints when a collective hangs (ProcessGroupNCCL.cpp).

The C++ logger's prefix has the month without a leading zero and nine decimals, unlike Python's.
Line numbers of 2.6 to 2.8 come from public logs; of newer releases only some are known, and
the rest are taken from the nearest release.
"""

from collections.abc import Iterator

from llmsim.dialects.parts import packages
from llmsim.dialects.parts.groups import Names, Wait, own_group, waits
from llmsim.dialects.parts.interleaving import interleaved
from llmsim.job.records import Job
from llmsim.run import cluster, hardware_ids
from llmsim.run.events.incidents import Symptom
from llmsim.text import units

# Statements: the timeout, its summary, the missing stack trace, the dump signal, the two
# warnings before the end, and the end.
_LINES = {
    "2.6": (629, 2268, 670, 2103, 681, 695, 1895),
    "2.7": (632, 2271, 670, 2103, 684, 698, 1899),
    "2.8": (688, 2328, 728, 1870, 746, 760, 2068),
    "2.9": (691, 2349, 733, 1890, 750, 764, 2085),
}
# Lines from the statement of the summary down to where a communicator's error is raised, in
# checkForNCCLErrorsInternal: 2363 in 2.6. Of later releases the same distance is an estimate.
_CHECKED_BELOW = 95
_FILE = "ProcessGroupNCCL.cpp"
_PATH = "/pytorch/torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp"
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
DUMP = (
    "Received a dump signal due to a collective timeout from this local rank and we will try our "
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


def _numbers(job: Job) -> tuple[int, ...]:
    release = ".".join(job.software.torch.split(".")[:2])
    return _LINES.get(release, _LINES["2.9"])


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
    found, *_ = _numbers(job)
    yield f"{prefix(job, at, rank, 'E', found)} {work(job, symptom, wait)}"


def summary(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """What it says next: how far the group is, and that it has no stack of the collective."""
    at, rank, wait = symptom.at, symptom.rank, waits(job, symptom, names)
    _, found, trace, dump, *_ = _numbers(job)
    yield (
        f"{prefix(job, at, rank, 'E', found)} {wait.group}  failure detected by watchdog at work "
        f"sequence id: {wait.number} PG status: last enqueued work: {wait.enqueued}, last "
        f"completed work: {wait.number - 1}"
    )
    looked = at + cluster.gap(job, "trace", rank, 100e-6)
    yield f"{prefix(job, looked, rank, 'E', trace)} {NO_TRACE}"
    looked += cluster.gap(job, "dump", rank, 600e-6)
    yield f"{prefix(job, looked, rank, 'E', dump)} {wait.group}  {FIRST}"


def dumped(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """What the monitoring thread of torch's own group says, with the numbers of that group."""
    dump = _numbers(job)[3]
    own = own_group(job, symptom, names)
    signal = DUMP.format(enqueued=own.enqueued, completed=own.number - 1)
    yield f"{prefix(job, symptom.at, symptom.rank, 'E', dump - 360)} {own.group} {signal}"


def abort(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """How it ends the process a minute later: the text stands in the log and in what()."""
    at, rank, wait = symptom.at, symptom.rank, waits(job, symptom, names)
    *_, failed, down, end = _numbers(job)
    yield f"{prefix(job, at, rank, 'E', failed)} [Rank {wait.rank}] {FAILED}"
    at += cluster.gap(job, "down", rank, 20e-6)
    yield f"{prefix(job, at, rank, 'E', down)} [Rank {wait.rank}] {DOWN}"
    begin, stack = _uncaught(job, symptom, wait)
    yield f"{prefix(job, at + cluster.gap(job, 'end', rank, 300e-6), rank, 'E', end)} {begin}"
    yield from stack


def _uncaught(job: Job, symptom: Symptom, wait: Wait) -> tuple[str, list[str]]:
    """The exception of a timeout: its text, and the lines below it."""
    text = work(job, symptom, wait)
    cause = f"Exception raised from checkTimeout at {_PATH}:{_numbers(job)[0]}"
    exception = f"{wait.group} Process group watchdog thread terminated with exception: {text}"
    return exception, _stack(job, symptom, cause, _TIMEOUT_FRAMES)


def _stack(job: Job, symptom: Symptom, cause: str, frames: tuple[str, ...]) -> list[str]:
    return [f"{cause} (most recent call first):", *stack_frames(job, symptom.rank, frames), ""]


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
    job: Job, symptom: Symptom, line: int, group: str, text: str, cause: str,
    frames: tuple[str, ...],
) -> Iterator[str]:  # fmt: skip
    """The end of a process by an exception in the watchdog's thread, with its C++ frames, twice."""
    stack, begin = _stack(job, symptom, cause, frames), f"{group} {text}"
    at = symptom.at + cluster.gap(job, "end", symptom.rank, 400e-6)
    yield f"{prefix(job, at, symptom.rank, 'E', line)} {begin}"
    yield from stack
    what = "".join(_pieces("\n".join((begin, *stack))))
    yield from what.removesuffix("\n").split("\n")


# Where a thread begins: the libraries of Ubuntu 22.04, which have no names for these places; the
# offset, after a comma, is from the library's start.
_THREAD = (
    "<unknown function>,0xdc253|libstdc++.so.6",
    "<unknown function>,0x94ac3|libc.so.6",
    "<unknown function>,0x126850|libc.so.6",
)
_TIMEOUT_FRAMES = (
    "c10::Error::Error(c10::SourceLocation, std::string)|libc10.so",
    (
        "c10d::ProcessGroupNCCL::WorkNCCL::checkTimeout(std::optional<std::chrono::duration<long, "
        "std::ratio<1l, 1000l> > >)|libtorch_cuda.so"
    ),
    "c10d::ProcessGroupNCCL::watchdogHandler()|libtorch_cuda.so",
    "c10d::ProcessGroupNCCL::ncclCommWatchdog()|libtorch_cuda.so",
    *_THREAD,
)
# It is built where a work looks for errors of its communicator (checkAndSetException).
_NETWORK_FRAMES = (
    "c10::Error::Error(c10::SourceLocation, std::string)|libc10.so",
    (
        "c10d::ProcessGroupNCCL::checkForNCCLErrorsInternal(std::shared_ptr<c10d::NCCLComm>&)"
        "|libtorch_cuda.so"
    ),
    "c10d::ProcessGroupNCCL::WorkNCCL::checkAndSetException()|libtorch_cuda.so",
    "c10d::ProcessGroupNCCL::watchdogHandler()|libtorch_cuda.so",
    "c10d::ProcessGroupNCCL::ncclCommWatchdog()|libtorch_cuda.so",
    *_THREAD,
)
_CUDA_FRAMES = (
    "c10::Error::Error(c10::SourceLocation, std::string)|libc10.so",
    (
        "c10::detail::torchCheckFail(char const*, char const*, unsigned int, std::string const&)"
        "|libc10.so"
    ),
    (
        "c10::cuda::c10_cuda_check_implementation(int, char const*, char const*, int, bool)"
        "|libc10_cuda.so"
    ),
    "c10d::ProcessGroupNCCL::WorkNCCL::finishedGPUExecutionInternal() const|libtorch_cuda.so",
    "c10d::ProcessGroupNCCL::WorkNCCL::isCompleted()|libtorch_cuda.so",
    "c10d::ProcessGroupNCCL::watchdogHandler()|libtorch_cuda.so",
    "c10d::ProcessGroupNCCL::ncclCommWatchdog()|libtorch_cuda.so",
    *_THREAD,
)
_WHERE = {"libstdc++.so.6": "/lib/x86_64-linux-gnu", "libc.so.6": "/lib/x86_64-linux-gnu"}


def stack_frames(job: Job, rank: int, frames: tuple[str, ...]) -> Iterator[str]:
    """C++ frames with offsets and addresses; the ranks' libraries lie at different places.

    A library begins at a page (4 kB), one of its functions at a multiple of 16; an offset is from
    the function's start, or from the library's where the function has no name.
    """
    torch = f"{packages.folder(job.software)}/torch/lib"
    place = rank + 8 * cluster.LARGEST_CLUSTER * (job.attempt - 1)
    for index, frame in enumerate(frames):
        function, _, library = frame.partition("|")
        base = (
            int(f"7f{hardware_ids.register(job, f'library {library}', place, 7)}000", 16)
            & 0x7FEF_FFFF_FFFF
        )
        name, _, known = function.partition(",0x")
        digits = known or hardware_ids.register(job, f"offset {function}", index, 3)
        offset = int(digits, 16)
        if not known:
            base += int(hardware_ids.register(job, f"function {function}", 0, 5), 16) << 4
        where = f"{_WHERE.get(library, torch)}/{library}"
        yield f"frame #{index}: {name} + {offset:#x} ({base + offset:#x} in {where})"


def cuda_error(job: Job, symptom: Symptom, names: Names, text: str) -> Iterator[str]:
    """How the watchdog of the one rank on a bad GPU ends its process: `text` is the error's."""
    *_, end = _numbers(job)
    exception = f"Process group watchdog thread terminated with exception: {text}"
    cause = (
        "Exception raised from c10_cuda_check_implementation at "
        "/pytorch/c10/cuda/CUDAException.cpp:43"
    )
    group = waits(job, symptom, names).group
    yield from terminated(job, symptom, end, group, exception, cause, _CUDA_FRAMES)


def network_error(job: Job, symptom: Symptom, names: Names) -> Iterator[str]:
    """A broken connection, which NCCL reports after its retries: no timeout is waited for."""
    *_, end = _numbers(job)
    wait = waits(job, symptom, names)
    version = job.software.collectives_version.partition("+")[0]
    timeout = round(1000 * job.framework.collective_timeout)
    text = (
        f"[Rank {wait.rank}] Collective {_work(wait, timeout)} raised the following async "
        f"exception: NCCL error: remote process exited or there was a network error, NCCL version "
        f"{version}\nncclRemoteError: A call failed possibly due to a network error or a remote "
        "process exiting prematurely.\nLast error:\n"
    )
    raised = _numbers(job)[1] + _CHECKED_BELOW
    cause = f"Exception raised from checkForNCCLErrorsInternal at {_PATH}:{raised}"
    exception = f"Process group watchdog thread terminated with exception: {text}"
    for line in terminated(job, symptom, end, wait.group, exception, cause, _NETWORK_FRAMES):
        yield from line.split("\n")
