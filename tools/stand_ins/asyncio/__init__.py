"""asyncio as the page has it: tasks, events and time, without sockets, processes and threads.

Pyodide brings an event loop of its own. The rest of the package was an eighth of the library and
a tenth of the time that Python takes to start.
"""

# ruff: noqa: F401, F403  # a package of names
from asyncio import events, locks, protocols, tasks, timeouts, transports
from asyncio.coroutines import *
from asyncio.events import *
from asyncio.events import (  # type: ignore[attr-defined]  # of Python 3.14; Pyodide's is made of it
    _BaseDefaultEventLoopPolicy as DefaultEventLoopPolicy,
)
from asyncio.events import _get_running_loop, _set_running_loop
from asyncio.exceptions import *
from asyncio.futures import *
from asyncio.locks import *
from asyncio.protocols import *
from asyncio.queues import *
from asyncio.taskgroups import *
from asyncio.tasks import *
from asyncio.timeouts import *
from asyncio.transports import *


def run(_main: object) -> None:
    """Pyodide puts its own in the place of it."""
    raise NotImplementedError
