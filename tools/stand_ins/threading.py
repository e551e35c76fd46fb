"""What asyncio wants of threading, in a page that has one thread."""

# ruff: noqa: F401  # names for others
from _thread import RLock, allocate_lock, get_ident
from _thread import _local as local

Lock = allocate_lock


class Thread:
    """The only one."""

    name = "MainThread"
    daemon = False
    ident = get_ident()


_MAIN = Thread()


def current_thread() -> Thread:
    """The only thread there is."""
    return _MAIN


main_thread = current_thread
