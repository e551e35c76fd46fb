"""What a launch prints of its machines: plausible, and the same at every asking."""

import re
from functools import cache
from ipaddress import ip_address
from math import fsum
from typing import Any

import pytest

from llmsim.job.records import Job
from llmsim.run import cluster, events
from tests.runs import ASKED_FOR, job_of, run_of

ASKED: list[tuple[int, dict[str, Any]]] = [
    *((seed, {}) for seed in range(40)),
    *((1, asked) for asked in ASKED_FOR),
]


@cache
def jobs() -> list[Job]:
    """The jobs that are looked at."""
    return [job_of(seed, **asked) for seed, asked in ASKED]


@pytest.fixture(params=range(len(ASKED)))
def job(request: pytest.FixtureRequest) -> Job:
    """Each of them: planned when a test asks for it, and not when the tests are collected."""
    number: int = request.param
    return jobs()[number]


def test_processes_and_threads_of_a_node_are_all_different(job: Job) -> None:
    size = job.layout.gpus // job.layout.nodes
    ids = [cluster.launcher(job, 0)]
    ids += [cluster.worker(job, rank) for rank in range(size)]
    ids += [cluster.thread(job, rank) for rank in range(size)]
    assert len(set(ids)) == 1 + 2 * size
    assert max(ids) < 4_194_304


def test_nodes_have_private_addresses_of_their_own(job: Job) -> None:
    nodes = range(min(job.layout.nodes, 2000))
    addresses = [ip_address(cluster.address(job, node)) for node in nodes]
    assert len(set(addresses)) == len(addresses)
    assert all(address.is_private for address in addresses)
    assert all(int(address) % 256 not in (0, 255) for address in addresses)
    assert ip_address(cluster.address(job, job.layout.nodes - 1)).is_private


@pytest.mark.long
def test_ranks_are_told_with_their_process_and_bus() -> None:
    for seed in range(20):
        run = run_of(seed)
        for event in run.all(events.RankJoined):
            assert event.process == cluster.worker(run.job, event.rank)
            assert event.bus == cluster.bus_address(run.job, event.local_rank)
        assert run.only(events.Rendezvous).process == cluster.launcher(run.job, 0)


@pytest.mark.parametrize("local", range(16))
def test_a_bus_number_is_the_address_in_one(local: int) -> None:
    job = job_of(1, gpu="NVIDIA H100 80GB HBM3", gpus=8, recipe="pretrain")
    domain, bus, slot = re.fullmatch(
        r"(\w{8}):(\w\w):(\w\w\.\w)", cluster.bus_address(job, local)
    ).groups()  # type: ignore[union-attr]  # they all match
    number = int(domain, 16) << 20 | int(bus, 16) << 12 | int(slot.replace(".", ""), 16)
    assert cluster.bus_number(job, local) == f"{number:x}"


def test_addresses_in_memory_are_aligned_and_differ_by_rank() -> None:
    job = jobs()[0]
    for base, found in (
        (0x55, [cluster.communicator(job, rank) for rank in range(64)]),
        (0x7F, [cluster.pointer(job, "timers", rank) for rank in range(64)]),
    ):
        assert len(set(found)) == 64
        assert all(int(text, 16) >> 40 == base for text in found)
        assert all(int(text, 16) % 16 == 0 for text in found)
    assert re.fullmatch(r"0x[\da-f]{1,16}", cluster.communicator_id(job))


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [("550.163.01", "12.4"), ("570.172.08", "12.8"), ("575.57.08", "12.9"),
     ("580.95.05", "13.0"), ("595.71.05", "13.2"), ("999.1", "13.2"), ("470.1", "12.4")],
)  # fmt: skip
def test_a_driver_tells_the_newest_cuda_it_runs(driver: str, cuda: str) -> None:
    assert cluster.driver_cuda(driver) == cuda


@pytest.mark.parametrize(
    ("gpu", "has"),
    [("NVIDIA H100 80GB HBM3", True), ("NVIDIA B200", True), ("NVIDIA H800", True),
     ("NVIDIA A100-SXM4-80GB", False), ("NVIDIA H100 PCIe", False),
     ("NVIDIA GeForce RTX 5090", False), ("AMD Instinct MI300X", False)],
)  # fmt: skip
def test_multicast_comes_with_hoppers_switch(gpu: str, has: bool) -> None:
    assert cluster.has_multicast(job_of(1, gpu=gpu, gpus=8, recipe="pretrain")) == has


def test_cards_are_one_a_gpu_and_named_once() -> None:
    for job in jobs():
        cards = cluster.cards(job)
        assert len(set(cards)) == job.layout.gpus // job.layout.nodes


def test_one_gpu_waits_for_nobody() -> None:
    assert cluster.barrier_skew(job_of(1, gpus=1, recipe="pretrain"), "evaluate", 5) == 0
    assert 0 < cluster.barrier_skew(job_of(1, gpus=64, recipe="pretrain"), "evaluate", 5) < 0.02


def test_a_node_holds_less_than_its_memory_and_more_with_every_look() -> None:
    """DeepSpeed's looks at "CPU Virtual Memory": a busy node is far from full."""
    job = job_of(1, dialect="deepspeed", gpus=8)
    used = [cluster.host_memory_used(job, look) for look in range(10)]
    assert 0.02 < used[0] / cluster.host_memory(job) < used[9] / cluster.host_memory(job) < 0.2


def test_a_communicators_parts_leave_time_for_waiting() -> None:
    for seconds in (0.5, 3.0, 60.0):
        parts = cluster.communicator_seconds(job_of(2, gpus=8), 0, seconds)
        assert 0 < fsum(parts.values()) < seconds
        assert fsum(parts.values()) < 4.0  # what takes longer is waiting


@pytest.mark.parametrize(
    ("gpu", "addresses", "last"),
    [
        ("NVIDIA GB200", ("00000008:01:00.0", "00000009:01:00.0", "00000018:01:00.0"), 143),
        ("NVIDIA GB300", ("00000008:06:00.0", "00000009:06:00.0", "00000018:06:00.0"), 143),
        ("NVIDIA H100 80GB HBM3", (), 191),
    ],
)
def test_a_tray_of_grace_has_domains_and_72_cores_a_cpu(
    gpu: str, addresses: tuple[str, ...], last: int
) -> None:
    """As public nvidia-smi tables of GB200 and GB300 show it."""
    job = job_of(1, gpu=gpu, gpus=8)
    assert tuple(cluster.bus_address(job, rank) for rank in range(len(addresses))) == addresses
    cores = [cluster.core(job, "proxy", rank) for rank in range(8)]
    assert max(cores) <= last
    assert [cluster.socket(job, rank) for rank in (0, 1, 2, 3)] == (
        [0, 0, 1, 1] if addresses else [0, 0, 0, 0]
    )
