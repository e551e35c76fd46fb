"""Clocks of the boards, against data sheets and public captures of nvidia-smi."""

import pytest

from llmsim.catalog import gpus, records
from llmsim.catalog.boards import clocks
from tests.catalog.test_gpus import made

# Bits of the memory's bus, of NVIDIA's data sheets and white papers; HBM has 1,024 for a stack.
BITS = {
    "A40": 384, "A10G": 384, "RTX A6000": 384, "RTX 3090": 384, "L40": 384, "L40S": 384,
    "RTX 6000 Ada": 384, "RTX 4090": 384, "RTX PRO 6000": 512, "RTX 5090": 512,
    "A100-SXM4-40GB": 5120, "A100-SXM4-80GB": 5120, "A100-PCIE-40GB": 5120,
    "A100 80GB PCIe": 5120, "A800-SXM4-80GB": 5120, "H100 80GB HBM3": 5120, "H100 PCIe": 5120,
    "H100 NVL": 6144, "H800": 5120, "H20": 6144, "H20-3e": 6144, "H200": 6144, "H200 NVL": 6144,
    "GH200": 6144, "B200": 8192, "B300": 8192, "GB200": 8192, "GB300": 8192,
}  # fmt: skip


def test_twice_the_memorys_clock_times_its_bus_is_the_bandwidth() -> None:
    named = {records.gpu_named(name): bits for name, bits in BITS.items()}
    assert set(named) == {gpu for gpu in records.gpus() if gpus.is_nvidia(gpu)}
    for gpu, bits in named.items():
        terabytes = clocks(gpu).memory * 1e6 * 2 * bits / 8 / 1e12
        assert terabytes == pytest.approx(gpu.hbm_tb_s, rel=0.035), gpu.name


# "Max Clocks" of captures: of the multiprocessors and of the memory.
@pytest.mark.parametrize(
    ("name", "top", "memory"),
    [
        ("RTX 4090", 3105, 10501),
        ("RTX 3090", 2115, 9751),
        ("RTX 5090", 3090, 14001),
        ("RTX A6000", 2100, 8001),
        ("RTX 6000 Ada", 3105, 10001),
        ("RTX PRO 6000", 2430, 12481),
        ("A10G", 1710, 6251),
        ("A40", 1740, 7251),
        ("L40S", 2520, 9001),
        ("H100 PCIe", 1755, 1593),
        ("A100 80GB PCIe", 1410, 1512),
        ("H200 NVL", 1785, 3201),
        ("B300", 2032, 3996),
    ],
)
def test_highest_clocks_are_those_of_captures(name: str, top: int, memory: int) -> None:
    found = clocks(records.gpu_named(name))
    assert (found.top, found.memory) == (top, memory)


def test_no_gpu_works_above_its_highest_clock() -> None:
    for gpu in records.gpus():
        found = clocks(gpu)
        assert found.idle < gpu.clock_mhz <= found.top, gpu.name


# The same captures without a process: of the multiprocessors and of the memory.
@pytest.mark.parametrize(
    ("name", "idle", "memory"),
    [
        ("RTX 3090", 210, 405),
        ("RTX A6000", 210, 405),
        ("RTX 6000 Ada", 210, 405),
        ("H100 80GB HBM3", 345, 2619),
        ("H200", 345, 3201),
        ("B200", 120, 3996),
        ("A100-SXM4-80GB", 210, 1593),
    ],
)
def test_only_gddr_rests_without_a_process(name: str, idle: int, memory: int) -> None:
    found = clocks(records.gpu_named(name))
    assert (found.idle, found.idle_memory) == (idle, memory)


def test_a_new_gpu_has_the_clocks_of_its_generation() -> None:
    """An RTX 5070 Ti has 14,001 MHz, and 180 MHz without a process."""
    card = made("NVIDIA GeForce RTX 5070 Ti", "geforce", hbm=0.9, link=64.0)
    assert clocks(card) == (2000, 14001, 180, 405)
    assert clocks(made("NVIDIA H100 64GB", "sxm", hbm=2.0)).memory == 2619
