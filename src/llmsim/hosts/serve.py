"""The live host: a run's pages over HTTP, at the pace of the clock, until a signal ends it.

Everything that a page says follows from the run, the node and the simulated second, which live.py
reckons, so that a server that is started again with the same seed and start goes on where the clock
is.
"""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from llmsim.errors import ServeError, Setting
from llmsim.hosts.http import (
    FEWEST_DESCRIPTORS,
    MOST_CONNECTIONS,
    SWEEP,
    Answer,
    Connection,
    Server,
)
from llmsim.hosts.live import Live, clock_words
from llmsim.hosts.runs import seeded
from llmsim.hosts.signals import Signals
from llmsim.options.command import command, quoted_word
from llmsim.options.table import Options
from llmsim.run.timeline import owner, run_ended
from llmsim.telemetry import discovery, gpu_exporter_page, node_page, trainer_page
from llmsim.telemetry.dcgm_page import Exporter, page
from llmsim.telemetry.samples import is_silent
from llmsim.typed import NamedTuple

INDEX = """<html>
			<head><title>GPU Exporter</title></head>
			<body>
			<h1>GPU Exporter</h1>
			<p><a href="./metrics">Metrics</a></p>
			<p><a href="./health">Health</a></p>
			</body>
			</html>"""
NOT_FOUND = Answer(b"404 page not found\n", 404)
# A node that is dead does not answer; a scrape fails either way, and `up` is 0.
DEAD = Answer(b"the node does not answer\n", 503)


class Serving(NamedTuple):
    """How the pages are served."""

    host: str
    port: int
    exporter: Exporter
    flags: tuple[tuple[str, str], ...] = ()  # the server's own that were given: name, text


class Pages:
    """The answers to all paths."""

    def __init__(self, live: Live, serving: Serving, address: str, public: bool) -> None:
        """`address` is what the discovery names, unless the server listens to every interface."""
        self.live, self.serving, self.address, self._public = live, serving, address, public

    def answer(self, path: str, host: str) -> Answer:
        """The answer to a path; `host` is the address that the client has used."""
        try:
            text = self._text(path, host)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return Answer(b"internal server error\n", 500)
        if text is None or isinstance(text, Answer):
            return text or NOT_FOUND
        kind = "application/json" if path.startswith("/sd") else "text/plain; charset=utf-8"
        if path == "/":
            kind = "text/html; charset=utf-8"
        more = (("X-Registry-Available", "true"),) if path == "/health" else ()
        return Answer(text.encode(), kind=kind, more=more)

    def _text(self, path: str, host: str) -> str | Answer | None:
        if path == "/":
            return INDEX
        if path == "/health":
            return "OK"
        at, live = self.live.at(), self.live
        if path == "/metrics":
            return self._node("metrics", 0, at)
        if path == discovery.TRAINER:
            return trainer_page.page(live.run, at, live.clock)
        parts = path.split("/")
        if parts[1] == "sd" and len(parts) <= 3:
            which = parts[2] if len(parts) == 3 else "dcgm"
            known = (*(kind.name for kind in discovery.KINDS), "all")
            seen = host if self._public and host else self.address
            return discovery.targets(owner(live.run, at), seen, which) if which in known else None
        node = discovery.node_named(owner(live.run, at), parts[2]) if len(parts) > 3 else None
        if parts[1] != "node" or node is None:
            return None
        return self._node("/".join(parts[3:]), node, at)

    def _node(self, what: str, node: int, at: float) -> str | Answer | None:
        """A page of a node, by the end of its path."""
        live, at = self.live, float(int(at))  # nodes that are asked in one second share its work
        every = self.serving.exporter.collect
        if is_silent(live.run, node, at // every * every if every else at):
            return DEAD
        kinds = {kind.path: kind.name for kind in discovery.kinds_of(live.run.job) if kind.path}
        kind = kinds.get(what)
        if kind == "dcgm":
            return page(live.run, node, at, self.serving.exporter)
        if kind == "node":
            return node_page.page(live.run, node, at, live.clock)
        if kind == "gpu":
            return gpu_exporter_page.page(live.run, node, at, live.clock)
        return None


def serve(
    options: Options,
    serving: Serving,
    say: Callable[[str], object],
    ends_process: bool = False,
    now: Callable[[], float] = time.time,
) -> int:
    """Serves the pages of the options' runs until a signal; returns the exit status.

    Raises ServeError where the address cannot be had, PlanError and OptionError before that.
    """
    live = Live(seeded(options), now)
    ear = listening(serving.host, serving.port)
    signals, loop = Signals(), asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # a client's fault is no traceback
    try:
        signals.catch(terminal=False)
        address = shown_address(*ear.getsockname()[:2])
        wide = serving.host in ("0.0.0.0", "::")  # it is compared, not listened to
        pages = Pages(live, serving, address, wide)
        say(_greeting(live, address, serving.flags))
        return _loop(loop, ear, Server(pages.answer, loop.time, _most()), signals)
    finally:
        ear.close()
        loop.close()
        signals.ignore()
        if not ends_process:
            signals.restore()


def _loop(
    loop: asyncio.AbstractEventLoop, ear: socket.socket, server: Server, signals: Signals
) -> int:
    """Answers until a signal, which may come before the first answer; the exit status."""
    asked = loop.create_future()

    def hear() -> None:
        signals.drain()
        if signals.asked and not asked.done():
            asked.set_result(128 + signals.asked)

    def look() -> None:
        server.sweep()
        hear()
        if not asked.done():
            loop.call_later(SWEEP, look)

    for descriptor in signals.ears():
        with suppress(NotImplementedError):  # Windows: the sweep looks instead
            loop.add_reader(descriptor, hear)
    opened = loop.create_server(lambda: Connection(server), sock=ear, backlog=512)
    listener = loop.run_until_complete(opened)
    look()
    status: int = loop.run_until_complete(asked)
    listener.close()
    for connection in [*server.connections]:
        connection.transport.abort()
    loop.run_until_complete(loop.shutdown_asyncgens())
    return status


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises ServeError."""
    shown = Setting("listen", shown_address(host, port))
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        ear = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a label of more than 63 letters is the latter
        raise ServeError(shown, ": there is no such address here.") from None
    try:
        if os.name == "posix":
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        ear.bind(address)
        ear.listen(512)
    except OSError as error:
        ear.close()
        raise ServeError(shown, _REASONS.get(error.errno or 0, _OTHER)) from None
    ear.setblocking(False)
    return ear


_OTHER = " cannot be listened to: give another address."
_REASONS = {
    errno.EADDRINUSE: " is taken by another program: give another port.",
    errno.EACCES: " needs permission: give a port above 1023.",
    errno.EADDRNOTAVAIL: ": this machine does not have that address.",
}


def shown_address(host: str, port: int) -> str:
    """A host and a port as an address has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _most() -> int:
    """How many connections the process may have."""
    try:
        import resource

        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except ImportError:  # Windows
        return MOST_CONNECTIONS
    allowed = soft - FEWEST_DESCRIPTORS if soft > 0 else MOST_CONNECTIONS
    return max(8, min(MOST_CONNECTIONS, allowed))


def _greeting(live: Live, address: str, flags: tuple[tuple[str, str], ...]) -> str:
    job = live.run.job
    again = command(live.options).replace("llmsim", "llmsim serve", 1)
    asked = live.options._replace(runs=live.asked.runs)
    for name, value in (*clock_words(asked), *flags):
        again += f" --{name} {quoted_word(value)}"
    text = (
        f"{job.run_name}: {job.layout.gpus} x {job.gpu.name} on {job.layout.nodes} "
        f"node{'s' * (job.layout.nodes > 1)}, pages at http://{address}/metrics, "
        f"targets at http://{address}/sd\n"
        f"The same counters again: {again}\n"
    )
    if live.is_over():
        text += (
            f"This run was over after {run_ended(live.run):,.0f} s, and its nodes are idle: leave "
            "--start out to begin one now.\n"
        )
    return text
