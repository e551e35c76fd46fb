"""A stand-in for libnvidia-ml.so.1, below Python's packages for it.

nvidia-ml-py loads that library by ctypes and calls its functions by name, with ctypes objects to
be filled. Library has these names: each call answers for one node at the present moment of a run.
A function that the cluster has no answer for returns NVML's own NOT_SUPPORTED.
"""

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any

from llmsim.run import cluster
from llmsim.telemetry.nvml.answers import (
    GPU_IS_LOST,
    INSUFFICIENT_SIZE,
    INVALID_ARGUMENT,
    NOT_FOUND,
    NOT_SUPPORTED,
    NUMBERS,
    OTHERS,
    SUCCESS,
    TEXTS,
    Device,
    into,
    number_of,
)
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node

ERRORS = {
    SUCCESS: "Success", INVALID_ARGUMENT: "Invalid Argument", NOT_SUPPORTED: "Not Supported",
    NOT_FOUND: "Not Found", INSUFFICIENT_SIZE: "Insufficient Size", GPU_IS_LOST: "GPU is lost",
}  # fmt: skip
# A handle is an address: the first GPU's is where no memory is, and the others follow it.
_FIRST_HANDLE = 0x1000


class Library:
    """The functions of NVML by their names, for the node that `now` gives."""

    def __init__(self, now: Callable[[], Node]) -> None:
        """`now` returns the node at the present moment."""
        self._now = now

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The function of this name. Raises AttributeError if it is none of NVML's."""
        if not name.startswith("nvml"):
            raise AttributeError(name)
        if name in _SYSTEM:
            return partial(_SYSTEM[name], self._now)
        if name in NUMBERS or name in TEXTS or name in OTHERS:
            return partial(_ask, self._now, name)
        return _unsupported


def _unsupported(*_arguments: Any) -> int:
    return NOT_SUPPORTED


def _ask(now: Callable[[], Node], name: str, handle: Any, *arguments: Any) -> int:
    """Asks about the GPU of a handle."""
    node = now()
    number = (ctypes.cast(handle, ctypes.c_void_p).value or 0) - _FIRST_HANDLE
    found = [each for each in node.gauges if of.local(node, each) == number]
    if not found:
        return GPU_IS_LOST if number in of.missing(node) else INVALID_ARGUMENT
    device = Device(node, found[0])
    if name in NUMBERS:
        into(arguments[0]).value = NUMBERS[name](device)
        return SUCCESS
    if name in TEXTS:
        return _text(arguments[0], TEXTS[name](device))
    code: int = OTHERS[name](device, *arguments)
    return code


def _text(buffer: Any, text: str) -> int:
    into(buffer).value = text.encode()
    return SUCCESS


# --- the system --------------------------------------------------------------------------


def _done(_now: Callable[[], Node], *_arguments: Any) -> int:
    return SUCCESS


def _count(now: Callable[[], Node], count: Any) -> int:
    node = now()
    into(count).value = len(node.gauges) + len(of.missing(node))
    return SUCCESS


def _driver(now: Callable[[], Node], buffer: Any, _size: Any) -> int:
    return _text(buffer, of.driver(now()))


def _nvml_version(now: Callable[[], Node], buffer: Any, _size: Any) -> int:
    return _text(buffer, ".".join([cluster.driver_cuda(of.driver(now())), of.driver(now())]))


def _cuda(now: Callable[[], Node], version: Any) -> int:
    major, minor = cluster.driver_cuda(of.driver(now())).split(".")
    into(version).value = 1000 * int(major) + 10 * int(minor)
    return SUCCESS


def _process_name(now: Callable[[], Node], pid: Any, buffer: Any, _size: Any) -> int:
    for each in of.processes(now()):
        if each.pid == number_of(pid):
            return _text(buffer, each.name)
    return NOT_FOUND


def _hand_out(handle: Any, number: int) -> int:
    """Writes the handle of a GPU into the pointer that stands for it."""
    ctypes.cast(handle, ctypes.POINTER(ctypes.c_void_p))[0] = _FIRST_HANDLE + number
    return SUCCESS


def _by_index(now: Callable[[], Node], index: Any, handle: Any) -> int:
    node, number = now(), number_of(index)
    if number in of.missing(node):
        return GPU_IS_LOST
    if not any(of.local(node, each) == number for each in node.gauges):
        return INVALID_ARGUMENT
    return _hand_out(handle, number)


def _by_text(kind: str, now: Callable[[], Node], text: Any, handle: Any) -> int:
    """The GPU of a UUID, a PCI address or a serial number."""
    node = now()
    asked = getattr(text, "value", text)
    asked = (asked.decode() if isinstance(asked, bytes) else str(asked)).upper()
    read = {"uuid": of.uuid, "bus": of.bus_id, "serial": of.serial}[kind]
    for each in node.gauges:
        known = read(node, each).upper()
        if asked == known or (kind == "bus" and known.endswith(asked)):
            return _hand_out(handle, of.local(node, each))
    return NOT_FOUND


def _error_text(_now: Callable[[], Node], code: Any) -> bytes:
    return ERRORS.get(number_of(code), "Unknown Error").encode()


_SYSTEM: dict[str, Callable[..., Any]] = {
    "nvmlInit": _done,
    "nvmlInit_v2": _done,
    "nvmlInitWithFlags": _done,
    "nvmlShutdown": _done,
    "nvmlErrorString": _error_text,
    "nvmlDeviceGetCount": _count,
    "nvmlDeviceGetCount_v2": _count,
    "nvmlSystemGetDriverVersion": _driver,
    "nvmlSystemGetNVMLVersion": _nvml_version,
    "nvmlSystemGetCudaDriverVersion": _cuda,
    "nvmlSystemGetCudaDriverVersion_v2": _cuda,
    "nvmlSystemGetProcessName": _process_name,
    "nvmlDeviceGetHandleByIndex": _by_index,
    "nvmlDeviceGetHandleByIndex_v2": _by_index,
    "nvmlDeviceGetHandleByUUID": partial(_by_text, "uuid"),
    "nvmlDeviceGetHandleByPciBusId": partial(_by_text, "bus"),
    "nvmlDeviceGetHandleByPciBusId_v2": partial(_by_text, "bus"),
    "nvmlDeviceGetHandleBySerial": partial(_by_text, "serial"),
}
