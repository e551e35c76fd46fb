"""A stand-in for libnvidia-ml.so.1 in the Python of another program: it shows a run's GPUs.

Python imports this at the start of each program below `llmsim smi -- COMMAND`, so it must be
cheap: the run is planned when a program loads the library.
"""

import ctypes
from collections.abc import Callable
from typing import Any

NAMES = ("libnvidia-ml.so.1", "libnvidia-ml.so", "nvml.dll")
# Seconds for which an answer stays the same: a screen asks a hundred times for one moment.
FRESH = 0.2


def lend_library(make: Callable[[], object]) -> None:
    """Has ctypes load the object that `make` gives in the place of NVIDIA's library."""
    original: Any = ctypes.CDLL

    class CDLL(original):  # type: ignore[misc]  # a class that is found at run time
        """ctypes.CDLL, which has one more library."""

        def __new__(cls, name: Any = None, *_: Any, **__: Any) -> Any:
            """The stand-in for its name, else a library of the system."""
            return make() if str(name).endswith(NAMES) else super().__new__(cls)

    ctypes.CDLL = CDLL  # type: ignore[misc]  # this is the lending


def held_for_a_moment(look: Callable[[], Any]) -> Callable[[], Any]:
    """A function that looks again only when the last look is older than FRESH."""
    import time

    held: list[tuple[float, Any]] = []

    def now() -> Any:
        moment = time.monotonic()
        if not held or moment - held[0][0] > FRESH:
            held[:] = [(moment, look())]
        return held[0][1]

    return now
