"""The C++ frames below torch's exceptions: functions, and where they lie in torch's libraries.

A release is one file for all who install it, so an offset within a function and the function's
place in its library are the same on every machine. Both are taken from public logs of the wheels,
one a release (2.6 to 2.9, 2.11 and 2.13; ARM's of 2.7 and 2.9); 2.10 has the ones of 2.11. The
path of a CUDA error is known up to 2.9, and later releases keep its offsets. Of a process only
the place where each library lies is random: all lie within some gigabytes, since the kernel maps
one below the other.
"""

from collections.abc import Iterator

from llmsim.catalog import gpus
from llmsim.dialects.parts import packages
from llmsim.job.records import Job
from llmsim.run import cluster, hardware_ids
from llmsim.typed import Literal, NamedTuple

Path = Literal["timeout", "network", "cuda"]


class Frame(NamedTuple):
    """A function, the offset of the call in it, and the place of the call in the library."""

    function: str
    offset: int
    place: int
    library: str


_TEXT = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
_GROUP = "c10d::ProcessGroupNCCL"
_CHECK = (
    f"{_GROUP}::WorkNCCL::checkTimeout(std::optional<std::chrono::duration<long, "
    "std::ratio<1l, 1000l> > >)"
)
_ERRORS = f"{_GROUP}::checkForNCCLErrorsInternal(std::shared_ptr<c10d::NCCLComm>&)"
_SET = f"{_GROUP}::WorkNCCL::checkAndSetException()"
_FINISHED = f"{_GROUP}::WorkNCCL::finishedGPUExecutionInternal() const"
_COMPLETED = f"{_GROUP}::WorkNCCL::isCompleted()"
_CUDA_CHECK = "c10::cuda::c10_cuda_check_implementation(int, char const*, char const*, int, bool)"
_UNKNOWN = "<unknown function>"


class _Wheel(NamedTuple):
    """The numbers of a release: offset and place of each call."""

    text: str  # how its compiler names std::string
    error: tuple[int, int]
    timeout: tuple[int, int]
    loop: int  # where the function of the watchdog's loop begins
    in_timeout: int  # offsets of its calls on the three paths
    in_cuda: int
    run: tuple[int, int]
    finished: tuple[int, int]
    completed: tuple[int, int]
    cuda: tuple[int, int]
    fail: tuple[int, int] | None = None  # torchCheckFail, where it is not inlined
    watchdog: bool = True  # the loop is a method of the class Watchdog, since 2.8
    named: bool = False  # the check of a CUDA error has a symbol of its own


_WHEELS = {
    "2.6": _Wheel(
        "std::string", (0x96, 0x6C1B6), (0x2B4, 0xDFEC74), 0xDFFF40, 0x890, 0x617,
        (0x14D, 0xE016ED), (0x56, 0xDF1556), (0xA0, 0xDFE8C0), (0x118, 0x55918),
        (0x64, 0x15A76), watchdog=False, named=True,
    ),
    "2.7": _Wheel(
        _TEXT, (0x98, 0x785E8), (0x23D, 0xD57B4D), 0xD58C50, 0xC80, 0x782, (0x14D, 0xD5AFDD),
        (0x56, 0xD475A6), (0x70, 0xD57840), (0x3C2, 0x2A422), (0xE0, 0xD4A2), watchdog=False,
        named=True,
    ),
    "2.8": _Wheel(
        _TEXT, (0x80, 0x7CEB0), (0x247, 0xE92057), 0xE955D0, 0x1691, 0x978, (0xDF, 0xE97EAF),
        (0x50, 0xE82640), (0x68, 0xE91E28), (0x111C7, 0x111C7),
    ),
    "2.9": _Wheel(
        _TEXT, (0x80, 0x7CB80), (0x247, 0xE8D9D7), 0xE90F50, 0x1691, 0x978, (0xDF, 0xE9382F),
        (0x50, 0xE7DFC0), (0x68, 0xE8D7A8), (0x11FB7, 0x11FB7),
    ),
    "2.11": _Wheel(
        _TEXT, (0x9D, 0x7305D), (0x2A7, 0xF02BA7), 0xF06810, 0x17B1, 0x978, (0x157, 0xF093B7),
        (0x50, 0xEF3190), (0x68, 0xF02978), (0x11FB7, 0x11FB7),
    ),
    "2.13": _Wheel(
        _TEXT, (0x9D, 0x6AFAD), (0x2B1, 0xF09611), 0xF13EC0, 0x14F1, 0x978, (0x157, 0xF16847),
        (0x50, 0xEF9BE0), (0x68, 0xF093C8), (0x11FB7, 0x11FB7),
    ),
    "arm": _Wheel(
        _TEXT, (0xB0, 0x7C700), (0x1F0, 0xE7CBE0), 0xE93CF0, 0x824, 0x770, (0xC8, 0xE95E18),
        (0x4C, 0xE6E0FC), (0x74, 0xE8D404), (0x224, 0x23574), named=True,
    ),
}  # fmt: skip
_WHEELS["2.10"] = _WHEELS["2.11"]

# Where a thread begins: Ubuntu's libraries have no names for these places.
_THREADS = {
    "x86_64": (0xDC253, 0x94AC3, 0x126850),  # Ubuntu 22.04
    "aarch64": (0xE1AE0, 0x8595C, 0xEBB0C),  # 24.04, on Grace
}


def frames(job: Job, path: Path) -> Iterator[Frame]:
    """The frames of the watchdog's thread, the innermost first, on one of its three ways to die."""
    arm = gpus.is_on_grace(job.gpu)
    release = ".".join(job.software.torch.split(".")[:2])
    wheel = _WHEELS["arm"] if arm else _WHEELS.get(release, _WHEELS["2.13"])
    accelerator = "hip" if gpus.runs_rocm(job.gpu) else "cuda"
    torch = f"libtorch_{accelerator}.so"
    yield Frame(f"c10::Error::Error(c10::SourceLocation, {wheel.text})", *wheel.error, "libc10.so")
    inside = wheel.in_timeout
    if path == "timeout":
        yield Frame(_CHECK, *wheel.timeout, torch)
    elif path == "network":
        inside = wheel.in_cuda
        offset, place = wheel.completed
        begins = place - offset  # the three stand one after another, as in 2.5
        yield Frame(_ERRORS, 0x220, begins - 0x3D0, torch)
        yield Frame(_SET, 0x7C, begins - 0x184, torch)
        yield Frame(_COMPLETED, 0x90, begins + 0x90, torch)
    else:
        inside = wheel.in_cuda
        if wheel.fail:
            text = f"char const*, char const*, unsigned int, {wheel.text} const&"
            yield Frame(f"c10::detail::torchCheckFail({text})", *wheel.fail, "libc10.so")
        check = _CUDA_CHECK if wheel.named else _UNKNOWN
        yield Frame(check, *wheel.cuda, f"libc10_{accelerator}.so")
        yield Frame(_FINISHED, *wheel.finished, torch)
        yield Frame(_COMPLETED, *wheel.completed, torch)
    loop, run = (
        (f"{_GROUP}::Watchdog::runLoop()", f"{_GROUP}::Watchdog::run()")
        if wheel.watchdog
        else (f"{_GROUP}::watchdogHandler()", f"{_GROUP}::ncclCommWatchdog()")
    )
    yield Frame(loop, inside, wheel.loop + inside, torch)
    yield Frame(run, *wheel.run, torch)
    libraries = ("libstdc++.so.6", "libc.so.6", "libc.so.6")
    for offset, library in zip(_THREADS["aarch64" if arm else "x86_64"], libraries, strict=True):
        yield Frame(_UNKNOWN, offset, offset, library)


# Bytes from the C library, which is mapped first, down to each other library: at least, and how
# much more in one job than in another.
_BELOW = {
    "libstdc++.so.6": (0x2BFA000, 0x2D96F000),
    "libc10.so": (0x30000000, 0x40000000),
    "libtorch_cuda.so": (0xC0000000, 0x60000000),
}
_ABOVE = 0xFE000  # from libc10 up to the library of its accelerator


def listed(job: Job, rank: int, path: Path) -> Iterator[str]:
    """The lines of these frames in a process: its libraries lie at random pages of their own."""
    place = rank + 8 * cluster.LARGEST_CLUSTER * (job.attempt - 1)
    arm = gpus.is_on_grace(job.gpu)
    top = int(hardware_ids.register(job, "libraries", place, 7), 16) << 12
    # The last terabytes below the stack, which an address of x86 with 47 bits can name.
    first = 0xE000_0000_0000 + (top << 4) if arm else 0x7EF0_0000_0000 + top
    machine = "aarch64" if arm else "x86_64"
    package = f"{packages.folder(job.software)}/torch/lib"
    for index, frame in enumerate(frames(job, path)):
        base = first - _down(job, frame.library)
        of_system = frame.library.endswith(".6")
        where = f"/lib/{machine}-linux-gnu" if of_system else package
        yield (
            f"frame #{index}: {frame.function} + {frame.offset:#x} "
            f"({base + frame.place:#x} in {where}/{frame.library})"
        )


def _down(job: Job, library: str) -> int:
    """How far below the C library another one lies: the same in all processes of a job."""
    library = library.replace("_hip", "_cuda")
    if library == "libc.so.6":
        return 0
    if library == "libc10_cuda.so":
        return _down(job, "libc10.so") - _ABOVE
    least, more = _BELOW[library]
    pages = int(hardware_ids.register(job, f"below {library}", 0, 8), 16) % (more >> 12)
    return least + (pages << 12)
