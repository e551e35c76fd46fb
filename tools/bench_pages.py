"""What the live pages cost: one page, and 2,048 nodes that are scraped every 15 seconds.

python -m tools.bench_pages     a day's beginning, middle and end of that cluster, for tools.bench
"""

import asyncio
import json
import resource
import subprocess
import sys
from datetime import datetime
from functools import partial
from statistics import median
from time import process_time
from typing import Any

from llmsim.hosts.http import Answer, Connection, Server
from llmsim.options.table import Options
from llmsim.physics import noise
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run
from llmsim.telemetry import dcgm_page
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_page import Exporter
from llmsim.telemetry.dcgm_versions import version_named
from llmsim.telemetry.samples import tick_of

START = datetime(2026, 1, 30, 12)
NODES, EVERY = 2_048, 15.0  # seconds from one scrape of a node to the next
LAYOUT = version_named("4.8.2")
REQUEST = b"GET /node/1/metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that throws away what it is given."""

    def write(self, data: Any) -> None:
        """Takes the bytes."""


def run_on(nodes: int) -> Run:
    """A pretraining of weeks on this many nodes of eight H100."""
    return run_of(plan(Options(
        seed=4, start=START, gpu="NVIDIA H100 80GB HBM3", gpus=8 * nodes, recipe="pretrain",
        incidents="typical", tokens=15_000_000_000_000,
    )))  # fmt: skip


def exporter(collect: float = 30.0) -> Exporter:
    """The default one."""
    return Exporter(LAYOUT, counters("default", LAYOUT), "none", collect)


def page_microseconds() -> tuple[float, float]:
    """A node's page: of gauges that are known, and of one node alone, whose gauges are computed."""
    run, own, at = run_on(2), exporter(0.0), 20_000.0

    def taken(moment: float) -> float:
        begun = process_time()
        for _ in range(20):
            dcgm_page.page(run, 1, moment, own)
        return (process_time() - begun) / 20

    def anew(number: int) -> float:
        tick_of(run, at + 15 * number)
        begun = process_time()
        dcgm_page.page(run, 1, at + 15 * number, own)
        return process_time() - begun

    dcgm_page.page(run, 1, at, own)
    known = median(taken(at) for _ in range(15))
    return known * 1e6, median(map(anew, range(1, 60))) * 1e6


def new_pages() -> tuple[float, float]:
    """Microseconds of a page of a cluster of 256 nodes that Prometheus scrapes, every one of them
    with a new reading: where numpy is installed, and without it.

    Prometheus gives each target a place of its own within the 15 seconds; the exporters read every
    15 seconds, too, so that no scrape sees a reading twice.
    """
    return _new_pages(numpy=True), _new_pages(numpy=False)


def _new_pages(numpy: bool) -> float:
    nodes, run, own = 256, run_on(256), exporter(EVERY)
    if not numpy:
        run.memo["arrays"] = None
    places = sorted((noise.uniform(1, "scraped", node), node) for node in range(nodes))

    def scraped(number: int) -> float:
        begun = process_time()
        for place, node in places:
            dcgm_page.page(run, node, 19_995.0 + EVERY * (number + 0.99 * place), own)
        return (process_time() - begun) / nodes

    return median([scraped(number) for number in range(14)][2:]) * 1e6


def a_round(run: Run, at: float, own: Exporter) -> float:
    """Seconds of a core for one scrape of all nodes, requests and answers included."""

    def answer(node: int, _path: str, _host: str) -> Answer:
        return Answer(dcgm_page.page(run, node, at + EVERY * node / NODES, own).encode())

    begun = process_time()
    for node in range(NODES):
        connection = Connection(Server(partial(answer, node), process_time))
        connection.connection_made(Wire())
        connection.data_received(REQUEST)
    return process_time() - begun


def day() -> dict[str, float]:
    """The share of a core and the memory at the beginning, the middle and the end of a day."""
    run, own = run_on(NODES), exporter()
    found: dict[str, float] = {}
    for hour in (1, 12, 24):
        a_round(run, 3600.0 * hour, own)  # what has happened since then
        share = a_round(run, 3600.0 * hour + EVERY, own)
        share += a_round(run, 3600.0 * hour + 2 * EVERY, own)
        found[f"share {hour}"] = share / 2 / EVERY
        found[f"MB {hour}"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def measured() -> dict[str, float]:
    """The day, in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-m", "tools.bench_pages"], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(made.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(day()))
