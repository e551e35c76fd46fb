"""Where Python stood when it asked for a collective, as torch's flight recorder keeps it.

The watchdog prints it innermost first (FlightRecorder.hpp, getTraceback). Torch 2.11 records by
default; up to 2.10 the recorder is on only where a framework asks for a buffer, as torchtitan does.
Each line is where the wheel of a release makes the call.
"""

from collections.abc import Iterator, Sequence

from llmsim.dialects.parts import packages
from llmsim.dialects.parts.groups import Wait
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.typed import NamedTuple


class Callers(NamedTuple):
    """A framework's own frames, outermost first, and whether it turns the recorder on."""

    step: tuple[Place, ...] = ()
    forward: tuple[Place, ...] = ()
    records: bool = False


_RELEASES = ("2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.13")
_DEFAULT_ON = ("2.11", "2.13")
_FSDP = "distributed/fsdp/_fully_shard/_fsdp_"
_FILES = {
    "c10d": "distributed/distributed_c10d.py", "logger": "distributed/c10d_logger.py",
    "common": f"{_FSDP}common.py", "collectives": f"{_FSDP}collectives.py",
    "group": f"{_FSDP}param_group.py", "state": f"{_FSDP}state.py",
    "context": "utils/_contextlib.py", "module": "nn/modules/module.py",
    "function": "autograd/function.py", "frame": "_dynamo/eval_frame.py",
}  # fmt: skip
# A frame a line, innermost first: function, file, and the line in each release; 0: not there.
_LOGGED = "wrapper logger 81 81 81 81 83 83 83\n"
_NO_GRAD = "decorate_context context 116 116 120 120 124 124 124\n"
_UNTRACED = "_fn frame 0 0 0 0 0 0 1446\nwrapper common 0 0 0 0 0 0 30\n"
_GATHER = f"""all_gather_into_tensor c10d 3798 3836 3986 4049 4125 4186 0
all_gather_single c10d 0 0 0 0 0 0 4387
{_LOGGED}"""
_SCATTER = f"""reduce_scatter_tensor c10d 4235 4286 4450 4513 4591 4652 0
reduce_scatter_single c10d 0 0 0 0 0 0 4936
{_LOGGED}"""
_TWICE = "wrapper logger 0 0 0 0 0 0 83\n"
_CALLS = {
    "ALLREDUCE": f"all_reduce c10d 2806 2810 2924 2935 3007 3068 3245\n{_LOGGED}",
    "BROADCAST": f"broadcast c10d 2726 2714 2824 2835 2907 2968 3145\n{_LOGGED}",
    "ALLTOALL_BASE": f"all_to_all_single c10d 4388 4457 4625 4688 4768 4829 5131\n{_LOGGED}",
    "COALESCED": """_coalescing_manager c10d 2603 2587 2643 2652 2724 2785 2928
batch_isend_irecv c10d 2661 2649 2759 2768 2840 2901 3051""",
    "_ALLGATHER_BASE": f"{_GATHER}all_gather_into_tensor c10d 0 0 0 0 0 0 4413\n{_TWICE}",
    "_REDUCE_SCATTER_BASE": f"{_SCATTER}reduce_scatter_tensor c10d 0 0 0 0 0 0 4962\n{_TWICE}",
}
# fully_shard gathers in a hook before a module's forward, and scatters in autograd's own thread.
_FULLY_SHARD = {
    "_ALLGATHER_BASE": f"""{_GATHER}__call__ collectives 0 0 0 89 89 89 119
foreach_all_gather collectives 165 174 204 275 275 276 364
{_NO_GRAD}unshard group 263 268 279 331 338 339 407
wrapper common 0 0 0 0 0 0 43
pre_forward group 334 339 351 438 448 449 551
_pre_forward state 239 230 248 248 253 268 314
fsdp_hook_wrapper state 73 64 68 68 68 70 0
{_UNTRACED}inner module 1772 1784 1806 1808 1809 1812 1811
_call_impl module 1845 1857 1879 1881 1882 1885 1884
_wrapped_call_impl module 1739 1751 1773 1775 1776 1779 1778""",
    "_REDUCE_SCATTER_BASE": f"""{_SCATTER}__call__ collectives 0 0 0 125 125 125 184
foreach_reduce collectives 390 410 461 528 543 544 619
{_NO_GRAD}post_backward group 421 442 457 544 566 567 688
{_UNTRACED}backward group 724 747 768 855 900 902 1126
apply function 307 307 311 315 317 317 325""",
}


def stack(job: Job, release: str, wait: Wait, callers: Callers) -> list[str]:
    """The lines of a collective's stack, with the empty one that ends it; [] where the watchdog
    finds none: the recorder is off, or nothing of Python is in it. DDP's C++ adds up gradients in
    autograd's thread, whose empty stack is none from 2.11 on.
    """
    if release not in _RELEASES or not (callers.records or release in _DEFAULT_ON):
        return []
    operation, places = wait.operation, callers.forward
    sharded = job.layout.sharding == "fsdp2" and operation in _FULLY_SHARD
    if wait.numel_in == 1:
        places = callers.step
    elif job.layout.sharding == "ddp" and "default_pg" in wait.group:
        return [] if release in _DEFAULT_ON else [""]
    elif operation == "_REDUCE_SCATTER_BASE" and sharded:
        places = ()
    frames = (_FULLY_SHARD if sharded else _CALLS)[operation]
    told = [*_torch(job, _RELEASES.index(release), frames), *_own(job, places)]
    return [*(f"#{number} {frame}" for number, frame in enumerate(told)), ""]


def _torch(job: Job, release: int, frames: str) -> Iterator[str]:
    home = packages.folder(job.software)
    for frame in frames.splitlines():
        function, file, *lines = frame.split()
        if lines[release] != "0":
            yield f"{function} from {home}/torch/{_FILES[file]}:{lines[release]}"


def _own(job: Job, places: Sequence[Place]) -> Iterator[str]:
    for place in reversed(places):
        file = packages.placed(job.software, place.file)
        yield f"{place.function} from {file}:{place.line}"
