"""A spare machine takes a node's place: its name, its cards, and who says so."""

import re

import pytest

from llmsim.dialects.parts import slurm
from llmsim.job.records import Asked, Job
from llmsim.options.table import Options
from llmsim.run import cluster, events, hardware_ids
from llmsim.run.incidents import ASKED, lemon_nodes, place, replaced
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, owner, run_ended
from llmsim.show.player import play
from llmsim.telemetry import dcgm_page, discovery
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_versions import version_named
from tests.dialects.logs import PIPE
from tests.incidents.told import job_on

RANK, NODE = 13, 1  # of 32 GPUs in four machines of eight
GOES, STAYS = ("gpu-lost", "link-down", "node-fail", "straggler"), ("hbm-ecc", "nvlink", "gsp")


def asking(kind: str, seed: int = 1) -> Job:
    return job_on(seed)._replace(asked=(Asked(kind, "share", 0.5, rank=RANK),))


def names(run: Run, at: float) -> list[str]:
    return [cluster.hostname(owner(run, at), node) for node in range(4)]


@pytest.mark.parametrize("kind", [*GOES, *STAYS])
def test_a_spare_has_a_name_and_cards_of_its_own(kind: str) -> None:
    """Slurm's new list of nodes has one other name, and as many as before."""
    run = run_of(asking(kind))
    before, after = (names(run, at) for at in (0.0, run_ended(run)))
    first, last = (owner(run, at) for at in (0.0, run_ended(run)))
    assert len({*before}) == len({*after}) == 4
    gone = [name for name in before if name not in after]
    assert gone == ([before[NODE]] if kind in GOES else [])
    for rank in range(32):
        moved = kind in GOES and rank // 8 == NODE
        for identity in (hardware_ids.gpu_uuid, hardware_ids.gpu_serial):
            assert (identity(first, rank) != identity(last, rank)) == moved, rank
        assert hardware_ids.pci(first, rank) == hardware_ids.pci(last, rank), rank
    addresses = {cluster.address(job, node) for job in (first, last) for node in range(4)}
    assert len(addresses) == (5 if kind in GOES else 4)


@pytest.mark.transcripts  # three whole logs
def test_log_kernel_and_slurm_name_the_machines_of_their_attempt() -> None:
    job = asking("gpu-lost")
    run = run_of(job)
    old, new = (names(run, at)[NODE] for at in (0.0, run_ended(run)))
    (restarted,) = [e for e in events_of(run) if isinstance(e, events.Restarted)]
    (label,) = [e for e in events_of(run) if isinstance(e, events.Incident)]
    assert (label.hostname, restarted.hostname, restarted.spare) == (old, old, new)
    streams = {
        stream: "".join(f.text for f in play(job, Options(view="log", stream=stream), lambda: PIPE))
        for stream in ("log", "kernel", "slurm")
    }
    for stream in ("kernel", "slurm"):
        named = {*re.findall(rf"\b{job.cluster}-\d+", streams[stream])}
        assert old in named, stream
        assert new not in named, stream
    first, second = streams["log"].split(f"attempt 2 of {job.run_name}")
    assert new not in first
    # The next attempt's first line says whom the spare replaces.
    told, rest = second.split("\n", 1)
    assert old in told
    assert new in told
    assert new in rest
    assert old not in rest


def test_series_of_a_replaced_machine_end_and_its_spares_begin() -> None:
    run = run_of(asking("gpu-lost"))
    (restarted,) = [e for e in events_of(run) if isinstance(e, events.Restarted)]
    # From DCGM 3.3.8 on the Xid 119 that follows ends all series of the node. Before, the lost GPU
    # keeps its last error, and nothing else.
    version = version_named("3.4.2")
    exporter = dcgm_page.Exporter(version, counters("default", version))
    ids = [
        {
            *re.findall(
                r'GPU_TEMP{.*UUID="(GPU-[0-9a-f-]+)"', dcgm_page.page(run, NODE, at, exporter)
            )
        }
        for at in (restarted.at - 31.0, restarted.at + 31.0)
    ]
    assert [len(each) for each in ids] == [7, 8]  # one has fallen off the bus
    assert ids[0].isdisjoint(ids[1])
    old, new = names(run, 0.0)[NODE], names(run, run_ended(run))[NODE]
    first, last = owner(run, 0.0), owner(run, run_ended(run))
    assert [discovery.node_named(job, old) for job in (first, last)] == [NODE, None]
    assert [discovery.node_named(job, new) for job in (first, last)] == [None, NODE]
    assert f'"instance":"{new}:9400"' in discovery.targets(last, "here")
    assert f'"instance":"{old}:9400"' not in discovery.targets(last, "here")


def test_no_machine_is_two_nodes() -> None:
    run = run_of(job_on(1, gpus=1024)._replace(incidents="chaos"))
    for segment in run.timeline:
        machines = [place for _, place in segment.spares]
        assert len({*machines}) == len(machines) == len({*dict(segment.spares)}), segment
        assert min(machines, default=128) >= 128, segment
    assert run.timeline.last().spares


def test_a_lemon_passes_its_tests_and_comes_back() -> None:
    """A few nodes fail again and again (Meta, arXiv 2410.21680), which a spare would not do."""
    job = job_on(1, gpus=1024)
    lemons, size = lemon_nodes(job), 8
    for number, node in enumerate((*lemons, 77)):
        lost = place(job, ASKED + number, "gpu-lost", "", 0.0, node * size + 3)
        assert replaced(job, lost) == (node not in lemons), node
        assert replaced(job, lost, drains=True), node


@pytest.mark.parametrize("kind", ["gpu-lost", "link-down", "node-fail", "hbm-ecc", "cuda-oom"])
def test_the_controller_says_who_leaves_and_which_nodes_the_job_gets(kind: str) -> None:
    """slurmctld.log: a requeued job is pending for two minutes at least, and its nodes are those
    of the next attempt; a node that is to blame is drained, or down, before.
    """
    for seed in (1, 2, 3):
        run = run_of(asking(kind, seed))
        (label,) = [e for e in events_of(run) if isinstance(e, events.Incident)]
        (restarted,) = [e for e in events_of(run) if isinstance(e, events.Restarted)]
        (failed,) = [e for e in events_of(run) if isinstance(e, events.Failed)]
        said = [
            (each, text)
            for each in events_of(run)
            if isinstance(each, events.Symptom) and each.name in slurm.CONTROLLER
            for text in slurm.lines(each, owner(run, each.at), each.at)
        ]
        assert all(failed.at <= each.at <= restarted.at for each, _ in said), (kind, seed)
        stamps = [text[: len("[2026-01-30T12:41:11.129]")] for _, text in said]
        assert stamps == sorted(stamps), (kind, seed)
        words = [text.partition("] ")[2] for _, text in said]
        out = [text for text in words if "DRAINED" in text or "setting DOWN" in text]
        waits = restarted.at - failed.at > 120.0
        blamed = kind != "cuda-oom" and (waits or bool(restarted.spare))
        assert len(out) == blamed or kind == "node-fail", (kind, seed)
        assert all(f" {label.hostname} " in text for text in out), (kind, seed)
        held = [text for text in words if "Reason=JobHeldUser" in text]
        assert bool(held) == (kind == "cuda-oom" and waits), (kind, seed)
        nodes = names(run, restarted.at)
        head, within = nodes[0].rpartition("-")[0], words[-1].partition("[")[2].partition("]")[0]
        given: list[str] = []
        for part in within.split(","):
            first, _, last = part.partition("-")
            numbers = range(int(first), int(last or first) + 1)
            given += [f"{head}-{number:02d}" for number in numbers]
        assert given == sorted(nodes), (kind, seed)
