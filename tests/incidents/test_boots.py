"""The kernel's clock counts from its machine's boot: `dmesg -T` adds it to that moment.

So each line of a host's log says when the machine was booted: its date minus its seconds. Ubuntu
up to 22.04, whose kernel node_exporter names here, writes both (rsyslog's imklog).
"""

import re
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache

import pytest

from llmsim.job.records import Asked, Job
from llmsim.options.table import Options
from llmsim.run import cluster, events
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.run.timeline import owner, run_ended
from llmsim.show.player import play
from llmsim.telemetry import logs, node_page
from llmsim.telemetry.writer import Settings
from tests.dialects.logs import PIPE
from tests.incidents.told import job_on

RANK, NODE = 13, 1
LINE = re.compile(r"(\w{3} [ \d]\d \d\d:\d\d:\d\d) (\S+) kernel: \[ *(\d+\.\d{6})\] \S")
ECC = [Asked("hbm-ecc", "share", share, rank=RANK) for share in (0.2, 0.3, 0.7, 0.8)]


@cache
def asking(kind: str, gpus: int = 32) -> Job:
    """A run whose second node has an Xid twice before a kind strikes it, and twice after it."""
    return job_on(1, gpus)._replace(asked=(*ECC, Asked(kind, "share", 0.5, rank=RANK)))


def shown(job: Job) -> list[str]:
    pieces = play(job, Options(view="log", stream="kernel"), lambda: PIPE)
    return [line for piece in pieces for line in piece.text.splitlines()]


def booted(job: Job, lines: list[str]) -> dict[str, list[float]]:
    """For each host, when each of its lines has it that the machine was booted."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        match = LINE.match(line)
        assert match, line
        date = datetime.strptime(f"{job.start.year} {match[1]}", "%Y %b %d %H:%M:%S")
        found[match[2]].append((date - job.start).total_seconds() - float(match[3]))
    return found


def boots(moments: list[float]) -> list[float]:
    """The boots that lines tell of, in order: a date has whole seconds."""
    return [
        at for at, before in zip(moments, [None, *moments], strict=False)
        if before is None or abs(at - before) > 1.5
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["maintenance", "hbm-ecc", "nvlink", "gpu-lost"])
def test_a_kernels_clock_starts_again_with_a_boot_and_with_nothing_else(kind: str) -> None:
    """A reset GPU needs no boot; a maintained host does; a spare has been up for a while itself."""
    job = asking(kind)
    run = run_of(job)
    seen = booted(job, shown(job))
    first, last = (cluster.hostname(owner(run, at), NODE) for at in (0.0, run_ended(run)))
    assert (first != last) == (kind == "gpu-lost")
    own = boots(seen[first])
    assert own[0] < -3600.0, own  # it was up before the run
    if kind == "gpu-lost":
        assert len(own) == 1, own
        (other,) = boots(seen[last])
        assert other < -3600.0
        assert abs(other - own[0]) > 60.0
        return
    assert len(own) == 1 + (kind == "maintenance"), own
    if kind == "maintenance":
        failed = next(
            e for e in events_of(run) if isinstance(e, events.Failed) and e.kind == kind
        )  # fmt: skip
        assert failed.at < own[1] < failed.at + failed.wait
    for at in (0.0, run_ended(run) - 1.0):  # node_exporter reads the same boot from /proc/stat
        page = node_page.page(run, NODE, at)
        values = dict(re.findall(r"^(node_\w*time_seconds) (\S+)$", page, re.MULTILINE))
        start = job.start.replace(tzinfo=UTC).timestamp()
        assert abs(float(values["node_time_seconds"]) - start - at) < 1e-3
        since = float(values["node_boot_time_seconds"]) - start
        assert abs(since - own[-1 if at else 0]) < 2.5
        counted = re.findall(r'^node_cpu_seconds_total\{cpu="0"\S* (\S+)$', page, re.MULTILINE)
        up = float(values["node_time_seconds"]) - float(values["node_boot_time_seconds"])
        assert abs(sum(map(float, counted)) - up) < 1.5  # a processor counts since the boot


BYTES = re.compile(
    r"^(node_(?:disk|network|infiniband_port_data)_\w+_bytes_total)\{\S* (\S+)$", re.MULTILINE
)
TOTAL = re.compile(r"^(node_\w+_total)(\{\S*) (\S+)$", re.MULTILINE)


@pytest.mark.parametrize("kind", ["maintenance", "hbm-ecc", "gpu-lost"])
def test_a_hosts_counters_begin_at_0_with_a_boot_and_on_another_host(kind: str) -> None:
    """The kernel keeps /proc/net/dev, /proc/diskstats and a card's counters in memory: a boot
    clears them, and each host has its own.
    """
    run = run_of(asking(kind))
    failed, back = (
        next(e for e in events_of(run) if isinstance(e, event) and e.kind == kind)
        for event in (events.Failed, events.Restarted)
    )
    before, after = (
        dict(BYTES.findall(node_page.page(run, NODE, at)))
        for at in (failed.at - 1.0, back.at + 1.0)
    )
    assert before.keys() == after.keys()
    assert {name.split("_")[1] for name in before} == {"disk", "network", "infiniband"}
    for name, value in before.items():
        lost = float(after[name]) < 0.1 * float(value)
        assert lost == (kind != "hbm-ecc"), (name, value, after[name])


@pytest.mark.parametrize("kind", ["maintenance", "gpu-lost"])
def test_no_counter_goes_back_but_at_a_boot(kind: str) -> None:
    run = run_of(asking(kind))
    last: dict[tuple[str, str], tuple[float, str]] = {}
    for step in range(120):
        at = step * 1.02 * run_ended(run) / 119
        page = node_page.page(run, NODE, at)
        (host,) = re.findall(r'nodename="([^"]+)"', page)
        (boot,) = re.findall(r"^node_boot_time_seconds (\S+)$", page, re.MULTILINE)
        for name, labels, value in TOTAL.findall(page):
            before, since = last.get((name, labels), (0.0, ""))
            assert float(value) >= before or since != host + boot, (name, at)
            assert float(value) >= 0.0, (name, at)
            last[name, labels] = float(value), host + boot


def test_a_host_without_spares_boots_again_after_its_gpu_was_lost() -> None:
    """A reboot is what Xid 154 asks for then: 0x2 (Node Reboot Required)."""
    job = asking("gpu-lost", 8)._replace(
        asked=tuple(each._replace(rank=3) for each in asking("gpu-lost").asked)
    )
    (own,) = booted(job, shown(job)).values()
    assert len(boots(own)) == 2
    assert own[-1] > 0.0


def test_the_exported_file_of_a_host_has_the_streams_lines() -> None:
    job = asking("maintenance")
    run = run_of(job)
    files: dict[str, list[str]] = defaultdict(list)
    writer = logs.begin(run, Settings())
    assert writer.event
    for event in events_of(run):
        for piece in writer.event(event):
            files[piece.file] += str(piece.content).splitlines()
    kernels = [line for path in files if path.startswith("kernel/") for line in files[path]]
    assert sorted(kernels) == sorted(shown(job))
