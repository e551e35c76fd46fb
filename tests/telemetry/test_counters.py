"""Counters that a GPU's driver keeps in memory, over a boot of the node and on a spare machine.

nvml.h: energy is counted "since the driver was last reloaded", volatile ECC errors since then as
well, and aggregate ones are "persistent across reboots (i.e. for the lifetime of the device)".
"""

import ctypes
import re
from functools import cache, partial
from math import fsum

import pytest

from llmsim.job.records import Asked
from llmsim.physics.hardware.host import CORES
from llmsim.run import events, hardware_ids
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, owner, run_ended
from llmsim.telemetry import dcgm_page, gpu_exporter_page, node_page, openmetrics, otlp
from llmsim.telemetry.clock import nanoseconds
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_page import Exporter
from llmsim.telemetry.dcgm_versions import version_named
from llmsim.telemetry.nvml.library import Library
from llmsim.telemetry.samples import gauges_of, sample, tick_of
from llmsim.telemetry.smi.answer import answer
from llmsim.telemetry.smi.node import node_at
from llmsim.telemetry.smi.request import request_of
from llmsim.telemetry.writer import Settings
from tests.incidents.told import job_on

RANK, NODE = 13, 1
CARDS = range(8, 16)
# What happens to the node in the middle of the run: a boot, a spare machine, and neither.
KINDS = ("maintenance", "gpu-lost", "nvlink")
BOOT, SPARE, STAYS = KINDS
ENERGY, CAPPED = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_VIOLATION"
REPLAYS = "DCGM_FI_DEV_PCIE_REPLAY_COUNTER"
# Watts of an idle H100: 67 to 78 in public captures, and a little more or less by our hall.
IDLE = (45.0, 110.0)


@cache
def run_with(kind: str) -> Run:
    """A run whose second node has errors of its memory before and after what happens to it."""
    ecc = [Asked("hbm-ecc", "share", share, rank=RANK) for share in (0.25, 0.8)]
    return run_of(job_on(1)._replace(asked=(*ecc, Asked(kind, "share", 0.5, rank=RANK))))


@cache
def back(kind: str) -> tuple[float, float]:
    """When the attempt failed, and when the next one began."""
    told = [*events_of(run_with(kind))]
    failed = next(e for e in told if isinstance(e, events.Failed) and e.kind == kind)
    began = next(e for e in told if isinstance(e, events.Restarted) and e.kind == kind)
    return failed.at, began.at


def page(run: Run, at: float) -> str:
    version = version_named("4.8.2")
    return dcgm_page.page(run, NODE, at, Exporter(version, counters("full", version), "none", 0.0))


def values(text: str, name: str) -> dict[str, float]:
    """The values of a family by UUID."""
    rows = re.compile(rf'^{name}\{{.*?(?:UUID|uuid)="(?:GPU-)?([^"]+)".* (\S+)$', re.MULTILINE)
    return {uuid: float(value) for uuid, value in rows.findall(text)}


def up(run: Run, at: float) -> float:
    """For how many seconds the node has been up, by node_exporter."""
    text = node_page.page(run, NODE, at)
    moments = re.findall(r"^node_(?:boot_)?time_seconds (\S+)$", text, re.MULTILINE)
    now, boot = sorted(map(float, moments), reverse=True)
    return now - boot


@pytest.mark.parametrize("kind", KINDS)
def test_energy_is_counted_since_the_boot_of_the_machine(kind: str) -> None:
    """A machine that rests has used what an idle GPU draws for as long as it is up."""
    run, (_, began) = run_with(kind), back(kind)
    for at in (1.0, began + 1.0):
        for uuid, millijoules in values(page(run, at), ENERGY).items():
            assert IDLE[0] < millijoules / 1e3 / up(run, at) < IDLE[1], (uuid, at)


@pytest.mark.parametrize("kind", KINDS)
def test_no_gpu_was_throttled_before_it_was_up(kind: str) -> None:
    run, (failed, began) = run_with(kind), back(kind)
    before, after, later = (page(run, at) for at in (failed - 1.0, began + 1.0, began + 900.0))
    old, new, more = (values(text, CAPPED) for text in (before, after, later))
    assert min(old.values()) > 1e9
    assert (old.keys() == new.keys()) == (kind != SPARE)
    if kind == STAYS:
        assert all(new[uuid] >= old[uuid] for uuid in old)
    else:
        assert set(new.values()) == {0.0}
    for uuid, capped in more.items():
        assert new[uuid] + 1e9 < capped <= new[uuid] + 900e9, uuid


def test_a_boot_clears_what_a_bus_has_sent_again() -> None:
    """Replays are counted since the driver's start, and another machine's are not of this one."""
    for kind in (BOOT, SPARE):
        run, (failed, began) = run_with(kind), back(kind)
        before, after = (values(page(run, at), REPLAYS) for at in (failed - 1.0, began + 1.0))
        assert max(before.values()) > 0
        assert max(after.values()) <= (3 if kind == SPARE else 0)


COUNTED = re.compile(
    r"^((?:DCGM_FI_DEV_(?!NVLINK_BANDWIDTH)\w+(?:TOTAL|VIOLATION|CONSUMPTION|COUNTER|ROWS)"
    r"|nvidia_smi_(?:ecc_errors|energy|remapped_rows)_\w+|nvidia_smi_\w+_counters_\w+))"
    r'\{.*?(?:UUID|uuid)="(?:GPU-)?([^"]+)".* (\S+)$',
    re.MULTILINE,
)
FOR_LIFE = re.compile(r"AGG_TOTAL|REMAPPED|aggregate|remapped_rows_(?!pending)")


@pytest.mark.parametrize("kind", KINDS)
def test_no_counter_goes_back_but_at_a_boot_or_a_reset(kind: str) -> None:
    """What a card keeps for its life never goes back, and the rest only with the boot, or, of
    errors, with the reset of the node's GPUs. The first error of the memory is one for which Slurm
    drains the node, so the GPUs are reset in that outage, too.
    """
    run, (_, began) = run_with(kind), back(kind)
    resets = [e.at for e in events_of(run) if isinstance(e, events.Restarted)]
    last: dict[tuple[str, str], tuple[float, float]] = {}
    names = set()
    for step in range(75):
        at = step * 1.02 * run_ended(run) / 74
        text = page(run, at) + gpu_exporter_page.page(run, NODE, at)
        for name, uuid, value in COUNTED.findall(text):
            now, (then, before) = float(value), last.get((name, uuid), (at, 0.0))
            of_errors = re.search("ECC|NVLINK|REPLAY|ecc_errors", name) is not None
            cleared = kind != STAYS and then < began <= at
            cleared |= of_errors and any(then < each <= at for each in resets)
            cleared = cleared and not FOR_LIFE.search(name)
            if name != "nvidia_smi_remapped_rows_pending":
                assert now >= before or cleared, (name, uuid, at, before, now)
            last[name, uuid] = at, now
            names.add(name)
    assert {ENERGY, CAPPED, REPLAYS, "nvidia_smi_energy_joules_total"} < names
    assert len(names) > 25


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_and_export_has_the_same_counters(kind: str) -> None:
    run, (_, began) = run_with(kind), back(kind)
    for at in (600.0, began + 700.0):
        text, job = page(run, at), owner(run, at)
        uuids = [hardware_ids.gpu_uuid(job, gpu).removeprefix("GPU-") for gpu in CARDS]
        energies, capped = values(text, ENERGY), values(text, CAPPED)
        assert [*energies] == uuids
        other = gpu_exporter_page.page(run, NODE, at)
        joules = values(other, "nvidia_smi_energy_joules_total")
        assert joules == pytest.approx({uuid: each / 1e3 for uuid, each in energies.items()})
        node = node_at(run, NODE, at)
        line = "--query-gpu=clocks_event_reasons_counters.sw_power_cap --format=csv,noheader"
        said = answer(node, request_of(f"{line},nounits".split()), 0)
        assert [int(each) for each in said.split()] == [int(each / 1e3) for each in capped.values()]
        library, handle = Library(partial(node_at, run, NODE, at)), ctypes.c_void_p()
        assert library.nvmlDeviceGetHandleByIndex_v2(5, ctypes.byref(handle)) == 0
        count = ctypes.c_ulonglong()
        library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(count))
        assert count.value == energies[uuids[5]]
        writer = openmetrics.begin(run, Settings(60.0))
        assert writer.sample
        parts = {piece.file: str(piece.content).splitlines() for piece in writer.sample(at)}
        rows = parts["DEV_TOTAL_ENERGY_CONSUMPTION"][CARDS.start : CARDS.stop]
        assert [float(row.split()[0]) for row in rows] == [*energies.values()]
        # Tables and OTLP leave out what was before the run.
        gauges = [each for each in sample(run, at).gpus if each.gpu in CARDS]
        earlier = [
            energies[uuid] / 1e3 - each.energy_joules
            for uuid, each in zip(uuids, gauges, strict=True)
        ]
        if at > began and kind == BOOT:
            assert earlier == pytest.approx([0.0] * 8, abs=1e-3)
        else:
            rested = up(run, 0.0 if kind != SPARE else at) - (at if kind == SPARE else 0.0)
            assert all(IDLE[0] < each / rested < IDLE[1] for each in earlier)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_nodes_have_the_counters_of_the_page(kind: str) -> None:
    """A host's kernel counts since its boot; tables leave out what was before the run."""
    run, (_, began) = run_with(kind), back(kind)
    for at in (600.0, began + 700.0):
        (host,) = (each for each in sample(run, at).nodes if each.node == NODE)
        text = node_page.page(run, NODE, at)
        for family, count in (
            ("disk_written_bytes", host.disk_written_bytes),
            ("disk_read_bytes", host.disk_read_bytes),
            ("network_transmit_bytes", host.network_sent_bytes),
            ("network_receive_bytes", host.network_received_bytes),
            ("infiniband_port_data_transmitted_bytes", host.card_sent_bytes),
        ):
            shown = re.findall(rf"^node_{family}_total{{.* (\S+)$", text, re.MULTILINE)
            assert float(shown[0]) == count, (family, at)
        modes = [value for name, value in host._asdict().items() if name.startswith("cpu_")]
        since = at - up(run, at) if at > began and kind == BOOT else 0.0
        assert fsum(modes) / CORES == pytest.approx(at - since, abs=1.1)


def test_a_total_of_otlp_begins_with_the_boot() -> None:
    """The data model of OpenTelemetry: a reset is a new start time, and a value since then."""
    run, (failed, began) = run_with(BOOT), back(BOOT)
    starts = []
    for at in (failed - 1.0, began + 1.0):
        seen = gauges_of(run, tick_of(run, at), CARDS)
        told = otlp.hardware(owner(run, at), at, seen)
        (energy,) = (each for each in told if each["name"] == "hw.energy")
        points = energy["sum"]["dataPoints"]
        starts.append({int(point["startTimeUnixNano"]) for point in points})
        seconds = (nanoseconds(run.job, at) - max(starts[-1])) / 1e9
        most = 1.1 * run.job.gpu.tdp_watts * seconds
        assert all(0.0 < point["asDouble"] < most for point in points)
    first, second = (min(each) for each in starts)
    assert [len(each) for each in starts] == [1, 1]
    assert first == nanoseconds(run.job, 0.0)
    assert nanoseconds(run.job, failed) < second < nanoseconds(run.job, began)
