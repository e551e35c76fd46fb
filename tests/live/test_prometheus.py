"""The pages, read by the real tools: Prometheus, promtool and the parsers of prometheus-client.

`make test-live` runs them; Debian's package `prometheus` has both programs.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of, step
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry import gpu_exporter_page, node_page, trainer_page
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_page import LABELS, Exporter, page
from llmsim.telemetry.dcgm_versions import VERSIONS, version_named
from tests.runs import job_of

pytestmark = pytest.mark.live

RUN = run_of(job_of(4, gpu="H100 80GB HBM3", gpus=16, dialect="pytorch", recipe="pretrain"))
TRAINING = 0.5 * run_ended(RUN)


# --- promtool and the parsers --------------------------------------------------------------------


def complaints(text: str) -> tuple[int, Counter[str]]:
    """The status of `promtool check metrics`, and its lines."""
    made = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    return made.returncode, Counter((made.stdout + made.stderr).splitlines())


def test_promtool_complains_as_of_the_genuine_page() -> None:
    """Measured on a genuine page of 25 families and 8 GPUs, Debian's promtool 2.42.0."""
    layout = version_named("4.7.1")
    text = page(RUN, 1, TRAINING, Exporter(layout, counters("default", layout), "none", 0.0))
    status, found = complaints(text)
    families = re.findall(r"^# HELP (\S+)", text, re.MULTILINE)
    assert len(families) == 25
    camel = "label names should be written in 'snake_case' not 'camelCase'"
    expected = Counter({f"{name} {camel}": 8 for name in families})
    total = 'counter metrics should have "_total" suffix'
    for name in ("CORRECTABLE_REMAPPED_ROWS", "UNCORRECTABLE_REMAPPED_ROWS",
                 "NVLINK_BANDWIDTH_TOTAL", "PCIE_REPLAY_COUNTER",
                 "TOTAL_ENERGY_CONSUMPTION"):  # fmt: skip
        expected[f"DCGM_FI_DEV_{name} {total}"] = 1
    kind = "metric name should not include type 'counter'"
    expected[f"DCGM_FI_DEV_PCIE_REPLAY_COUNTER {kind}"] = 1
    assert (status, found) == (3, expected)


@pytest.mark.parametrize("layout", VERSIONS, ids=lambda layout: layout.tag)
def test_every_layout_is_read_by_prometheus_client(layout: object) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    version = next(each for each in VERSIONS if each == layout)
    for labels in LABELS:
        own = Exporter(version, counters("full", version), labels, 0.0)
        text = page(RUN, 1, TRAINING, own)
        families = [*text_string_to_metric_families(text)]
        samples = [each for family in families for each in family.samples]
        assert len(samples) == len([row for row in text.splitlines() if not row.startswith("#")])
        assert len(families) > (20 if version.old_names else 50)
        assert {each.labels["gpu"] for each in samples} == {*map(str, range(8))}


@pytest.mark.parametrize("made", [node_page.page, gpu_exporter_page.page])
def test_other_exporters_are_read_too(made: Callable[[Run, int, float], str]) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    text = made(RUN, 1, TRAINING)
    assert len([*text_string_to_metric_families(text)]) > 25
    assert complaints(text)[0] in (0, 3)  # 1 would be a page that cannot be parsed
    assert complaints(trainer_page.page(RUN, TRAINING))[0] in (0, 3)


# --- the process ---------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def serving(*arguments: str, listen: str = "127.0.0.1:0") -> Iterator[tuple[str, str, int]]:
    """A server: its greeting, its address and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "llmsim", "serve", "--listen", listen, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    greeting = process.stdout.readline()
    try:
        found = re.search(r"http://(\S+)/metrics", greeting)
        assert found, process.stderr.read() if process.stderr else ""
        yield greeting, found[1], process.pid
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said == ""


CLUSTER = ("--gpu", "NVIDIA H100 80GB HBM3", "--recipe", "pretrain", "--incidents", "none",
           "--seed", "4")  # fmt: skip


def got(address: str, path: str) -> tuple[int, bytes]:
    """The answer to a path."""
    with_port = HTTPConnection(
        address.rpartition(":")[0].strip("[]"), int(address.rpartition(":")[2])
    )
    with_port.request("GET", path)
    answer = with_port.getresponse()
    body = answer.read()
    with_port.close()
    return answer.status, body


def test_interrupted_in_the_middle_of_a_request_it_ends_cleanly() -> None:
    with serving(*CLUSTER, "--gpus", "8") as (_, address, _):
        host, _, port = address.rpartition(":")
        half = socket.create_connection((host, int(port)))
        half.sendall(b"GET /metrics HT")
        assert got(address, "/health") == (200, b"OK")
    half.close()


def test_ipv6_is_listened_to() -> None:
    with serving(*CLUSTER, "--gpus", "8", listen="[::1]:0") as (_, address, _):
        assert address.startswith("[::1]:")
        assert json.loads(got(address, "/sd")[1])[0]["targets"] == [address]


def test_a_taken_port_and_a_privileged_one_are_one_sentence() -> None:
    with serving(*CLUSTER, "--gpus", "8") as (_, address, _):
        again = subprocess.run(
            [sys.executable, "-m", "llmsim", "serve", "--listen", address, *CLUSTER],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert again.returncode == 1
    assert again.stdout == ""
    assert again.stderr == (
        f"llmsim: --listen {address} is taken by another program: give another port.\n"
    )


def test_two_hundred_bad_clients_harm_nobody() -> None:
    """Silent, half-open, slow to read and oversized ones; the scraper beside them is served."""
    with serving(*CLUSTER, "--gpus", "8") as (_, address, _):
        host, _, port = address.rpartition(":")
        bad = []
        for number in range(200):
            each = socket.create_connection((host, int(port)))
            each.setblocking(False)
            kind = number % 4
            try:
                if kind == 1:
                    each.send(b"GET /metrics HTTP/1.1\r\nHost: ")
                elif kind == 2:
                    each.send(b"GET /metrics HTTP/1.1\r\n\r\n" * 400)  # and never reads
                elif kind == 3:
                    each.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000)
            except (BlockingIOError, ConnectionError):
                pass
            bad.append(each)
        for _ in range(50):
            status, body = got(address, "/metrics")
            assert status == 200
            assert body.count(b"DCGM_FI_DEV_GPU_TEMP{") == 8
        for each in bad:
            each.close()
        assert got(address, "/metrics")[0] == 200


# --- Prometheus ----------------------------------------------------------------------------------


def ask(port: int, query: str) -> list[float]:
    """The values that the server answers; none while it is not there."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={quote(query, safe='')}"
    try:
        with urlopen(url, timeout=60) as answer:
            return [float(each["value"][1]) for each in json.load(answer)["data"]["result"]]
    except (URLError, ConnectionError):
        return []


def until(port: int, query: str, right: Callable[[list[float]], bool]) -> list[float]:
    """The answer, once it is right; it is asked again until then."""
    for _ in range(6000):
        found = ask(port, query)
        if right(found):
            return found
        os.sched_yield()
        select.select([], [], [], 0.1)
    raise AssertionError(f"{query} is {found}")


@contextmanager
def prometheus(address: str, folder: Path) -> Iterator[int]:
    """A Prometheus that scrapes all that the discovery lists; its port."""
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 5s}\n"
        "scrape_configs:\n- job_name: llmsim\n  http_sd_configs:\n"
        f"  - {{url: 'http://{address}/sd/all', refresh_interval: 5s}}\n"
    )
    port = free_port()
    server = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml",
         f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
         "--log.level=error"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def job_served(gpus: int) -> Job:
    """The job whose pages a server has, planned anew."""
    return plan(
        Options(seed=4, gpu="NVIDIA H100 80GB HBM3", gpus=gpus, recipe="pretrain",
                incidents="none", start=START)
    )  # fmt: skip


START = datetime.now().replace(microsecond=0)  # noqa: DTZ005  # local, as --start is


def test_prometheus_scrapes_64_nodes_and_agrees_with_the_log(tmp_path: Path) -> None:
    wanted = (*CLUSTER, "--gpus", "512", "--start", START.isoformat(), "--from", "40%",
              "--collect-interval", "0")  # fmt: skip
    with serving(*wanted) as (_, address, _), prometheus(address, tmp_path) as port:
        until(port, "count(up == 1)", lambda found: found == [64.0 * 3 + 1])
        job = job_served(512)
        run = run_of(job)
        hosts = "count(count by (Hostname) (DCGM_FI_DEV_POWER_USAGE))"  # soperator, 21
        until(port, hosts, lambda found: found == [64.0])
        until(port, "count(DCGM_FI_DEV_GPU_TEMP)", lambda found: found == [512.0])
        joined = (
            "count(label_replace(DCGM_FI_DEV_GPU_UTIL, 'nodename', '$1', 'Hostname', '(.*)') "
            "* on (nodename) group_left (release) node_uname_info)"
        )
        until(port, joined, lambda found: found == [512.0])
        (number,) = until(port, "trainer_step", bool)
        (loss,) = until(port, "trainer_loss", bool)
        (now,) = until(port, "trainer_step", bool)
        losses = {round(step(run, each).loss, 6) for each in range(int(number), int(now) + 1)}
        assert loss in losses
        energy = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
        until(port, f"min(count_over_time({energy}[60s])) >= 6", bool)
        joules = f"max_over_time({energy}[60s]) - min_over_time({energy}[60s])"
        times = f"timestamp({energy})[60s:500ms]"
        seconds = f"max_over_time({times}) - min_over_time({times})"
        (rate,) = until(port, f"avg(({joules}) / ({seconds})) / 1000", bool)
        (power,) = until(port, "avg(avg_over_time(DCGM_FI_DEV_POWER_USAGE[60s]))", bool)
        assert rate == pytest.approx(power, rel=0.2)
        addressed = 'count(DCGM_FI_DEV_GPU_UTIL{instance=~".*:9400"})'
        until(port, addressed, lambda found: found == [512.0])
