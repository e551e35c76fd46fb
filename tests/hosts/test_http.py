"""The server, without sockets: requests in pieces, bad ones, slow readers, too many clients."""

import asyncio
import json
import os
import random
import signal
from typing import Any

import pytest

from llmsim.cli.serve import parsed_options
from llmsim.errors import FLAG, ServeError
from llmsim.hosts.http import IDLE, LARGEST_HEAD, READING, WRITING, Answer, Connection, Server
from llmsim.hosts.live import Live
from llmsim.hosts.serve import Pages, Serving, listening, serve
from llmsim.options.serving import Listen, parse_listen
from llmsim.options.table import Options
from llmsim.run.events import Incident
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_page import Exporter
from llmsim.telemetry.dcgm_versions import version_named
from tests.hosts.days import Day, run_all_day


class Wire(asyncio.Transport):
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.closed, self.aborted = b"", False, False
        self.told: list[str] = []

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answered(path: str, host: str) -> Answer:
    """The path, said back."""
    return Answer(f"{path} for {host}".encode())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Server:
    return Server(answered, clock, most=50)


def connect(server: Server) -> tuple[Connection, Wire]:
    """A client."""
    connection, wire = Connection(server), Wire()
    connection.connection_made(wire)
    return connection, wire


def status(sent: bytes) -> int:
    """The status of the first answer."""
    return int(sent.split(b" ", 2)[1])


GET = b"GET /metrics HTTP/1.1\r\nHost: a:1\r\n\r\n"


def test_an_answer_has_what_the_exporters_has(server: Server) -> None:
    connection, wire = connect(server)
    connection.data_received(GET)
    head, _, body = wire.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; charset=utf-8\r\n" in head
    assert b"X-Content-Type-Options: nosniff\r\n" in head
    assert body == b"/metrics for a:1"
    assert b"Content-Length: %d\r\n" % len(body) in head
    assert not wire.closed


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_requests_may_come_in_any_pieces(server: Server, size: int) -> None:
    connection, wire = connect(server)
    data = GET + GET.replace(b"/metrics", b"/sd") + GET
    for start in range(0, len(data), size):
        connection.data_received(data[start : start + size])
    assert wire.sent.count(b"HTTP/1.1 200 OK") == 3
    assert server.answered == 3


def test_a_head_gets_no_body_and_an_old_client_is_closed(server: Server) -> None:
    connection, wire = connect(server)
    connection.data_received(GET.replace(b"GET", b"HEAD"))
    assert wire.sent.endswith(b"\r\n\r\n")
    connection, wire = connect(server)
    connection.data_received(b"GET / HTTP/1.0\n\n")
    assert status(wire.sent) == 200
    assert wire.closed


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\n\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 505),
        (b"GET http://b/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA B\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * LARGEST_HEAD, 431),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_and_the_client_closed(
    server: Server, data: bytes, expected: int
) -> None:
    connection, wire = connect(server)
    connection.data_received(data)
    assert status(wire.sent) == expected
    assert wire.closed
    before = wire.sent
    connection.data_received(GET)  # what comes after is not heard
    assert wire.sent == before


def test_two_thousand_random_requests_get_an_answer_or_a_closed_door(
    server: Server, clock: Clock
) -> None:
    chance = random.Random(5)
    pieces = [b"GET ", b"HEAD ", b"/metrics", b"/node/", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n",
              b"Host: x", b"Content-Length: 9", b"Transfer-Encoding: chunked", b": ", b"\x00",
              b"\xff\xfe", b"%2e%2e/", b"?a=b", b"Connection: close", b"a" * 300]  # fmt: skip
    for number in range(2000):
        connection, wire = connect(server)
        for _ in range(chance.randrange(1, 12)):
            raw = bytes(chance.randrange(256) for _ in range(chance.randrange(12)))
            connection.data_received(chance.choice([*pieces, raw]))
        clock.now += READING + 1
        server.sweep()
        if wire.sent:
            assert 200 <= status(wire.sent) < 506, number
        clock.now += IDLE + 1
        server.sweep()
        assert wire.closed, number
        connection.connection_lost(None)
    assert not server.connections


def test_silent_and_dripping_clients_are_sent_away(server: Server, clock: Clock) -> None:
    silent, silent_wire = connect(server)
    drip, drip_wire = connect(server)
    for byte in GET[:-1]:
        drip.data_received(bytes([byte]))
        clock.now += READING / 30
    server.sweep()
    assert silent_wire.aborted
    assert status(drip_wire.sent) == 408
    del silent


def test_a_client_that_does_not_read_gets_no_more_and_goes(server: Server, clock: Clock) -> None:
    connection, wire = connect(server)
    connection.data_received(GET)
    connection.pause_writing()
    connection.data_received(GET * 3)
    assert server.answered == 1
    assert wire.told == ["pause"]
    clock.now += WRITING / 2
    connection.resume_writing()
    assert server.answered == 4
    assert wire.told == ["pause", "resume"]
    connection.pause_writing()
    clock.now += WRITING + 1
    server.sweep()
    assert wire.aborted


def test_where_there_are_too_many_the_one_that_waits_longest_goes(server: Server) -> None:
    wires = [connect(server)[1] for _ in range(50)]
    scraper, wire = connect(server)
    assert wires[0].aborted
    assert not wire.aborted
    scraper.data_received(GET)
    assert status(wire.sent) == 200


# --- pages and the clock -------------------------------------------------------------------------


def options(**asked: object) -> Options:
    """A run on two nodes, in real time."""
    return run_all_day(**{"gpus": 16, **asked})


def pages_of(live: Live, address: str = "127.0.0.1:9400", public: bool = False) -> Pages:
    """The pages of a server that reads at each scrape."""
    layout = version_named("4.8.2")
    exporter = Exporter(layout, counters("default", layout), "none", 0.0)
    return Pages(live, Serving("127.0.0.1", 9400, exporter), address, public)


def test_every_target_of_the_discovery_has_a_page() -> None:
    day = Day()
    pages = pages_of(Live(options(), day))
    day.now += 3600.0
    listed = json.loads(pages.answer("/sd/all", "").body)
    assert len(listed) == 3 * 2 + 1
    for each in listed:
        assert each["targets"] == ["127.0.0.1:9400"]
        found = pages.answer(each["labels"]["__metrics_path__"], "")
        assert found.status == 200
        assert found.body.startswith(b"# HELP "), each
    ports = {each["labels"]["job"]: each["labels"]["instance"].split(":")[1] for each in listed}
    assert ports["dcgm-exporter"] == "9400"
    assert ports["node-exporter"] == "9100"
    assert ports["nvidia_gpu_exporter"] == "9835"


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/node",
        "/node/99/metrics",
        "/node/x-01/metrics",
        "/node/1/x",
        "/sd/x",
        "/sd/all/x",
        "/node/-1/metrics",
        "/node/٣/metrics",
        "//",
        "/metrics/",
    ],
)
def test_there_is_nothing_elsewhere(path: str) -> None:  # fmt: skip
    assert pages_of(Live(options(), Day())).answer(path, "").status == 404


def test_nodes_are_known_by_number_and_by_name() -> None:
    pages = pages_of(Live(options(), Day()))
    (first, second) = (each["labels"]["__metrics_path__"]
                       for each in json.loads(pages.answer("/sd", "").body))  # fmt: skip
    assert pages.answer("/node/0/metrics", "").body == pages.answer(first, "").body
    assert pages.answer("/node/1/metrics", "").body == pages.answer(second, "").body
    assert pages.answer("/metrics", "").body == pages.answer(first, "").body


def test_a_server_on_all_interfaces_names_the_address_that_was_asked() -> None:
    pages = pages_of(Live(options(), Day()), "0.0.0.0:9400", public=True)
    assert json.loads(pages.answer("/sd", "sim:9400").body)[0]["targets"] == ["sim:9400"]


def test_a_restart_goes_on_where_the_clock_is() -> None:
    day = Day()
    pages = pages_of(Live(options(), day))
    day.now += 5000.0
    first = pages.answer("/node/1/metrics", "").body
    assert pages_of(Live(options(), day)).answer("/node/1/metrics", "").body == first
    day.now += 10.0
    assert pages.answer("/node/1/metrics", "").body != first


def test_speed_and_pace_set_the_simulated_second() -> None:
    day = Day()
    plain, fast = Live(options(), day), Live(options(speed_factor=10.0), day)
    shown = Live(options(duration=180.0), day)
    day.now += 60.0
    assert plain.at() == 60.0
    assert fast.at() == 600.0
    assert shown.at() > 1000.0


@pytest.mark.long
def test_after_the_last_run_nodes_are_idle_and_runs_follow_one_another() -> None:
    day = Day()
    one, many = Live(options(), day), Live(options(runs=0), day)
    first = many.run.job.run_name
    day.now += 40 * 86_400.0
    assert b" 0\n" in pages_of(one).answer("/metrics", "").body
    assert one.is_over()
    assert pages_of(one).answer("/trainer/metrics", "").body == b""
    assert many.at() >= 0.0
    assert many.run.job.run_name != first


def test_a_dead_node_does_not_answer_and_its_neighbour_does() -> None:
    day = Day()
    live = Live(options(incident=("node-fail@40%:rank=9",)), day)
    pages = pages_of(live)
    dead = next(
        event for segment in live.run.timeline for event in segment.events
        if isinstance(event, Incident)
    )  # fmt: skip
    day.now += dead.at + 60.0
    for path in ("metrics", "node_exporter/metrics", "nvidia_gpu_exporter/metrics"):
        assert pages.answer(f"/node/1/{path}", "").status == 503, path
        assert pages.answer(f"/node/0/{path}", "").status == 200, path


def test_a_signal_that_comes_before_the_first_answer_ends_it() -> None:
    """SIGINT while the server is being set up: 128 and its number, and no traceback."""

    def interrupt(_greeting: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    exporter = Exporter(version_named("4.8.2"), counters("default", version_named("4.8.2")), "none")
    serving = Serving("127.0.0.1", 0, exporter)
    assert serve(run_all_day(), serving, interrupt, now=Day()) == 130


def test_the_command_of_the_same_counters_has_the_servers_own_options() -> None:
    said: list[str] = []

    def interrupt(greeting: str) -> None:
        said.append(greeting)
        os.kill(os.getpid(), signal.SIGINT)

    words = ["--labels", "k8s", "--listen", "127.0.0.1:0", "--duration", "1h", "--from", "40%"]
    given = ["--seed", "3", "--start", "2026-11-27T11:00:00", "--gpus", "8", *words]
    options, own, flags = parsed_options(given)
    exporter = Exporter(own.exporter_version, counters("default", own.exporter_version), "k8s")
    serving = Serving(own.listen.host, own.listen.port, exporter, flags)
    assert serve(options, serving, interrupt, now=Day()) == 130
    again = said[0].partition("The same counters again: llmsim serve ")[2].splitlines()[0]
    assert parsed_options(again.split()) == (options, own, flags)


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9400", "127.0.0.1", 9400), ("[::1]:9401", "::1", 9401), (":0", "127.0.0.1", 0),
     ("9402", "127.0.0.1", 9402), ("0.0.0.0:80", "0.0.0.0", 80),
     ("localhost:65535", "localhost", 65535)],
)  # fmt: skip
def test_addresses_are_read(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == Listen(host, port)


@pytest.mark.parametrize("text", ["", "a", "1.2.3.4", "::1:9400", "a:", "a:65536", "a:-1", "a:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the table's `expected` is the sentence
        parse_listen(text)


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with listening("127.0.0.1", 0) as ear:
        port = ear.getsockname()[1]
        with pytest.raises(ServeError) as refused:
            listening("127.0.0.1", port)
    said = refused.value.sentence(FLAG)
    assert said == f"--listen 127.0.0.1:{port} is taken by another program: give another port."


def test_an_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(ServeError, match="does not have that address"):
        listening("192.0.2.1", 9400)
    with pytest.raises(ServeError, match="no such address"):
        listening("a" * 64, 9400)  # too long for a name, so that no resolver is asked
