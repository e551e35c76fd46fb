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


_Frame = tuple[str, str, tuple[int, ...]]  # function, file, line in each release; 0: not there

_RELEASES = ("2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.13")
_DEFAULT_ON = ("2.11", "2.13")
_C10D, _FSDP = "distributed/distributed_c10d.py", "distributed/fsdp/_fully_shard/_fsdp_"
_COLLECTIVES, _GROUP = f"{_FSDP}collectives.py", f"{_FSDP}param_group.py"
_MODULE = "nn/modules/module.py"
_LOGGED: _Frame = ("wrapper", "distributed/c10d_logger.py", (81, 81, 81, 81, 83, 83, 83))
_NO_GRAD: _Frame = (
    "decorate_context", "utils/_contextlib.py", (116, 116, 120, 120, 124, 124, 124),
)  # fmt: skip
_UNTRACED: tuple[_Frame, ...] = (
    ("_fn", "_dynamo/eval_frame.py", (0, 0, 0, 0, 0, 0, 1446)),
    ("wrapper", f"{_FSDP}common.py", (0, 0, 0, 0, 0, 0, 30)),
)
_GATHER: tuple[_Frame, ...] = (
    ("all_gather_into_tensor", _C10D, (3798, 3836, 3986, 4049, 4125, 4186, 0)),
    ("all_gather_single", _C10D, (0, 0, 0, 0, 0, 0, 4387)),
    _LOGGED,
)
_SCATTER: tuple[_Frame, ...] = (
    ("reduce_scatter_tensor", _C10D, (4235, 4286, 4450, 4513, 4591, 4652, 0)),
    ("reduce_scatter_single", _C10D, (0, 0, 0, 0, 0, 0, 4936)),
    _LOGGED,
)
_CALLS: dict[str, tuple[_Frame, ...]] = {
    "ALLREDUCE": (("all_reduce", _C10D, (2806, 2810, 2924, 2935, 3007, 3068, 3245)), _LOGGED),
    "BROADCAST": (("broadcast", _C10D, (2726, 2714, 2824, 2835, 2907, 2968, 3145)), _LOGGED),
    "ALLTOALL_BASE": (
        ("all_to_all_single", _C10D, (4388, 4457, 4625, 4688, 4768, 4829, 5131)), _LOGGED,
    ),
    "COALESCED": (
        ("_coalescing_manager", _C10D, (2603, 2587, 2643, 2652, 2724, 2785, 2928)),
        ("batch_isend_irecv", _C10D, (2661, 2649, 2759, 2768, 2840, 2901, 3051)),
    ),
    "_ALLGATHER_BASE": (
        *_GATHER, ("all_gather_into_tensor", _C10D, (0, 0, 0, 0, 0, 0, 4413)),
        ("wrapper", _LOGGED[1], (0, 0, 0, 0, 0, 0, 83)),
    ),
    "_REDUCE_SCATTER_BASE": (
        *_SCATTER, ("reduce_scatter_tensor", _C10D, (0, 0, 0, 0, 0, 0, 4962)),
        ("wrapper", _LOGGED[1], (0, 0, 0, 0, 0, 0, 83)),
    ),
}  # fmt: skip
# fully_shard gathers in a hook before a module's forward, and scatters in autograd's own thread.
_FULLY_SHARD: dict[str, tuple[_Frame, ...]] = {
    "_ALLGATHER_BASE": (
        *_GATHER,
        ("__call__", _COLLECTIVES, (0, 0, 0, 89, 89, 89, 119)),
        ("foreach_all_gather", _COLLECTIVES, (165, 174, 204, 275, 275, 276, 364)),
        _NO_GRAD,
        ("unshard", _GROUP, (263, 268, 279, 331, 338, 339, 407)),
        ("wrapper", f"{_FSDP}common.py", (0, 0, 0, 0, 0, 0, 43)),
        ("pre_forward", _GROUP, (334, 339, 351, 438, 448, 449, 551)),
        ("_pre_forward", f"{_FSDP}state.py", (239, 230, 248, 248, 253, 268, 314)),
        ("fsdp_hook_wrapper", f"{_FSDP}state.py", (73, 64, 68, 68, 68, 70, 0)),
        *_UNTRACED,
        ("inner", _MODULE, (1772, 1784, 1806, 1808, 1809, 1812, 1811)),
        ("_call_impl", _MODULE, (1845, 1857, 1879, 1881, 1882, 1885, 1884)),
        ("_wrapped_call_impl", _MODULE, (1739, 1751, 1773, 1775, 1776, 1779, 1778)),
    ),
    "_REDUCE_SCATTER_BASE": (
        *_SCATTER,
        ("__call__", _COLLECTIVES, (0, 0, 0, 125, 125, 125, 184)),
        ("foreach_reduce", _COLLECTIVES, (390, 410, 461, 528, 543, 544, 619)),
        _NO_GRAD,
        ("post_backward", _GROUP, (421, 442, 457, 544, 566, 567, 688)),
        *_UNTRACED,
        ("backward", _GROUP, (724, 747, 768, 855, 900, 902, 1126)),
        ("apply", "autograd/function.py", (307, 307, 311, 315, 317, 317, 325)),
    ),
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


def _torch(job: Job, release: int, frames: Sequence[_Frame]) -> Iterator[str]:
    home = packages.folder(job.software)
    for function, file, lines in frames:
        if lines[release]:
            yield f"{function} from {home}/torch/{file}:{lines[release]}"


def _own(job: Job, places: Sequence[Place]) -> Iterator[str]:
    for place in reversed(places):
        file = packages.placed(job.software, place.file)
        yield f"{place.function} from {file}:{place.line}"
