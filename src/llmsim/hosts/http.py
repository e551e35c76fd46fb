"""A small HTTP/1.1 server: GET and HEAD, one thread, and limits that no client can pass.

    answer(path, host)  ->  Answer        computed at once, so that nobody waits for anybody

Clients that are slow, silent, half-open or too loud lose their connection after some seconds, and
the ones beside them notice nothing. It stands on asyncio's transports and protocols, which are
plain callbacks (https://docs.python.org/3/library/asyncio-protocol.html).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from llmsim.typed import NamedTuple

LARGEST_HEAD = 16_384  # bytes of a request's line and headers
READING, WRITING, IDLE = 10.0, 10.0, 90.0  # seconds: dcgm-exporter's for the first two
MOST_CONNECTIONS = 2_000
FEWEST_DESCRIPTORS = 64  # that the process keeps for everything else
SWEEP = 0.5  # seconds between two looks for clients that are late
_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 414: "URI Too Long", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}  # fmt: skip
LONGEST_LINE = 4_096  # bytes of "GET /path HTTP/1.1"


class Answer(NamedTuple):
    """What a client gets."""

    body: bytes
    status: int = 200
    kind: str = "text/plain; charset=utf-8"
    more: tuple[tuple[str, str], ...] = ()  # headers


Answering = Callable[[str, str], Answer]


class Request(NamedTuple):
    """A request's head, as far as it matters."""

    method: str
    path: str
    host: str
    keeps: bool  # whether the client wants the connection kept
    has_body: bool


def parsed(head: bytes) -> Request | int:
    """The request in a head, the empty line left out; a status if it is none that we can read."""
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    words = lines[0].split(b" ")
    if len(lines[0]) > LONGEST_LINE:
        return 414
    if len(words) != 3 or not words[2].startswith(b"HTTP/") or not words[0].isalpha():
        return 400
    if words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        return 505
    fields: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip() or b"\x00" in line or b"\r" in line:
            return 400
        fields[name.lower()] = value.strip()
    target = words[1].partition(b"?")[0]
    if not target.startswith(b"/") or not target.isascii():
        return 400
    wish = fields.get(b"connection", b"").lower()
    keeps = wish != b"close" if words[2] == b"HTTP/1.1" else wish == b"keep-alive"
    has_body = fields.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in fields
    host = fields.get(b"host", b"").decode("latin-1")
    return Request(words[0].decode(), target.decode(), host, keeps, has_body)


class Server:
    """The connections of a server, and how many requests it has answered."""

    def __init__(
        self, answer: Answering, clock: Callable[[], float], most: int = MOST_CONNECTIONS
    ) -> None:
        """Nobody is connected yet; `clock` is the event loop's time."""
        self.answer, self.clock, self.most = answer, clock, most
        self.connections: dict[Connection, None] = {}
        self.answered = 0

    def sweep(self) -> None:
        """Ends the connections whose time is up."""
        now = self.clock()
        for connection in [each for each in self.connections if each.deadline <= now]:
            connection.expire()

    def admit(self, newcomer: "Connection") -> None:
        """Takes a connection; where there are too many, the one that has waited longest goes."""
        self.connections[newcomer] = None
        if len(self.connections) > self.most:
            waiting = [each for each in self.connections if each.is_waiting]
            (waiting or [newcomer])[0].transport.abort()


class Connection(asyncio.Protocol):
    """One client."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        """Has heard nothing yet."""
        self.server = server
        self.deadline = server.clock() + READING
        self.is_waiting = True  # for a request, whole or the rest of it
        self._heard, self._held, self._closing = b"", False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            self.server.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio calls it so
        """The client has gone, or was sent away."""
        self.server.connections.pop(self, None)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, of several, or of none."""
        if self._closing:
            return
        if not self._heard:
            self.deadline = self.server.clock() + READING
        self._heard += data
        self._attend()

    def eof_received(self) -> bool:
        """The client says no more; what it has asked for is still sent."""
        return False

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: nothing more is computed for it."""
        self._held = True
        self.is_waiting = False
        self.deadline = self.server.clock() + WRITING
        with suppress(RuntimeError):
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has read what there was."""
        self._held = False
        self._rest()
        with suppress(RuntimeError):
            self.transport.resume_reading()
        self._attend()

    def expire(self) -> None:
        """Ends the connection: the client was too slow."""
        if self._heard and not self._held and not self._closing:
            self._refuse(408)
        else:
            self.transport.abort()

    def _attend(self) -> None:
        """Answers every whole request that was heard."""
        while not self._held and not self._closing:
            end, length = self._head_ends()
            if end < 0:
                if len(self._heard) > LARGEST_HEAD:
                    self._refuse(431)
                return
            head, self._heard = self._heard[:end], self._heard[end + length :]
            self._answer(head)

    def _head_ends(self) -> tuple[int, int]:
        """Where the empty line after a head is, and how long it is; -1 without one."""
        self._heard = self._heard.lstrip(b"\r\n") if self._heard[:1] in b"\r\n" else self._heard
        ends = [(self._heard.find(mark), len(mark)) for mark in (b"\r\n\r\n", b"\n\n")]
        return min((each for each in ends if each[0] >= 0), default=(-1, 0))

    def _answer(self, head: bytes) -> None:
        request = 431 if len(head) > LARGEST_HEAD else parsed(head)
        if isinstance(request, int):
            self._refuse(request)
            return
        keeps = request.keeps and not request.has_body
        if request.method not in ("GET", "HEAD"):
            more = (("Allow", "GET, HEAD"),)
            answer, keeps = Answer(b"Method Not Allowed\n", 405, more=more), False
        else:
            answer = self.server.answer(request.path, request.host)
        self.server.answered += 1
        self._send(answer, keeps, with_body=request.method != "HEAD")

    def _refuse(self, status: int) -> None:
        self._send(Answer(f"{_REASONS[status]}\n".encode(), status), keeps=False, with_body=True)

    def _send(self, answer: Answer, keeps: bool, *, with_body: bool) -> None:
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.more)
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\n"
            f"Content-Type: {answer.kind}\r\nX-Content-Type-Options: nosniff\r\n{more}"
            f"Content-Length: {len(answer.body)}\r\n"
            f"Connection: {'keep-alive' if keeps else 'close'}\r\n\r\n"
        )
        self._rest()
        self._closing = not keeps
        self.transport.write(head.encode("latin-1") + (answer.body if with_body else b""))
        if not keeps:
            self.deadline = self.server.clock() + WRITING
            self.transport.close()

    def _rest(self) -> None:
        """Waits for the next request."""
        self.is_waiting = True
        self.deadline = self.server.clock() + IDLE
