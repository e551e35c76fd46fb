"""nvidia-smi's table, against a real one of 2026-07-17 and the rule of the drivers before."""

import re

import pytest

from llmsim import events
from llmsim.dialects.nvidia_smi import table
from llmsim.events import Status
from llmsim.job import Job
from llmsim.physics.gpu import Reading
from tests.dialects.logs import unmatched
from tests.runs import run_of

REAL = """\
Fri Jul 17 12:22:51 2026       
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.159.04             Driver Version: 580.159.04     CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:8D:00.0 Off |                    0 |
| N/A   54C    P0            147W /  700W |    1521MiB /  81559MiB |      0%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
| N/A   29C    P0            187W / 1000W |  100536MiB / 183359MiB |    100%      Default |
+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
|    0   N/A  N/A          979223      C   ...pt-challenge-py312/bin/python       1512MiB |
""".splitlines()  # fmt: skip  # noqa: W291

PATTERNS = (
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} {7}",
    r"\+-{89}\+",
    r"[+|]-{41}\+-{24}\+-{22}[+|]",
    r"\|={41}\+={24}\+={22}\|",
    r"\|={89}\|",
    r"\| NVIDIA-SMI [\d.]+ +Driver Version: [\d.]+ +CUDA Version: \d\d\.\d +\|",
    r"\| GPU  Name {17}Persistence-M \| Bus-Id {10}Disp\.A \| Volatile Uncorr\. ECC \|",
    r"\| Fan  Temp   Perf {10}Pwr:Usage/Cap \| {11}Memory-Usage \| GPU-Util  Compute M\. \|",
    r"\| {41}\| {24}\| {15}MIG M\. \|",
    r"\| [ \d]{2}\d  .{27}    On  \|   [\dA-F]{8}:[\dA-F]{2}:00\.0 Off \| {18,20}(  0|Off|N/A) \|",
    (
        r"\| N/A  [ \d]{2}\dC    P\d [ \d]{14}W / [ \d]{4}W \| [ \d]{7}MiB / [ \d]{6}MiB \| "
        r"[ \d]{6}%      Default \|"
    ),
    r"\| {41}\| {24}\| {13}(Disabled|     N/A) \|",
    r" {89}",
    r"\| Processes: {78}\|",
    r"\|  GPU   GI   CI {14}PID   Type   Process name {24}GPU Memory \|",
    r"\|  GPU   GI   CI {8}PID   Type   Process name {30}GPU Memory \|",
    r"\| {8}ID   ID {63}Usage {6}\|",
    r"\|  [ \d]{3}   N/A  N/A[ \d]{10,16}      C   \S+ +\d+MiB \|",
    r"\|  No running processes found {61}\|",
)  # fmt: skip


def status(gpus: int, **options: object) -> tuple[Status, Job]:
    """How the GPUs of a job look while it trains."""
    run = run_of(1, gpus=gpus, recipe="pretrain", **options)
    return run.all(events.Status)[1], run.job


def with_driver(job: Job, driver: str) -> Job:
    return job._replace(software=job.software._replace(driver=driver))


@pytest.mark.parametrize("gpus", range(1, 9))
@pytest.mark.parametrize("driver", ["550.163.01", "570.195.03", "580.159.04", "595.71.05"])
def test_every_row_is_one_that_nvidia_smi_prints(gpus: int, driver: str) -> None:
    event, job = status(gpus, gpu="NVIDIA H100 80GB HBM3")
    rows = table(event, with_driver(job, driver))
    assert unmatched(rows, PATTERNS) == []
    assert {len(row) for row in rows} <= {31, 89, 91}
    assert sum("00000000:" in row for row in rows) == gpus
    assert sum(" C   /opt" in row for row in rows) == gpus


def test_a_real_table_matches_the_same_patterns() -> None:
    assert unmatched(REAL, PATTERNS) == []


def test_a_node_may_have_sixteen_gpus() -> None:
    event, job = status(8, gpu="NVIDIA H100 80GB HBM3")
    sixteen = [*event.gpus, *(each._replace(index=each.index + 8) for each in event.gpus)]
    layout = job.layout._replace(gpus=16, data=16)
    rows = table(event._replace(gpus=tuple(sixteen)), job._replace(layout=layout))
    assert unmatched(rows, PATTERNS) == []
    buses = [bus for row in rows for bus in re.findall(r"0000000\d:\w\w:00\.0", row)]
    assert len(set(buses)) == 16


def test_the_rule_below_the_header_changed_with_580() -> None:
    event, job = status(8, gpu="NVIDIA H100 80GB HBM3")
    for driver, ends in (("570.195.03", "||"), ("580.159.04", "++")):
        rule = table(event, with_driver(job, driver))[3]
        assert rule[0] + rule[-1] == ends
        assert rule[1:-1] == REAL[3][1:-1]


def test_it_shows_what_was_read() -> None:
    event, job = status(8, gpu="NVIDIA B200")
    text = "\n".join(table(event, job))
    for reading in event.gpus:
        assert f" {reading.memory_mib}MiB / 183359MiB |" in text
        assert f"{reading.power_watts}W / 1000W" in text
        assert f"{reading.temperature_c}C    P0" in text
        assert f" {reading.utilization}%      Default" in text


def test_a_real_row_comes_out_to_the_byte() -> None:
    event, job = status(1, gpu="NVIDIA H100 80GB HBM3")
    reading = Reading(0, 0, 1521, 54, 147, 1980, 0.0)
    rows = table(event._replace(gpus=(reading,)), with_driver(job, "580.159.04"))
    bus = re.compile(r":[\dA-F]{2}:")
    assert rows[1:8] == REAL[1:8]
    assert bus.sub(":8D:", rows[8]) == REAL[8]
    assert rows[9:12] == REAL[9:12]
    assert rows[13:18] == REAL[13:18]


def test_only_the_first_node_is_shown_and_amd_has_another_tool() -> None:
    event, job = status(32, gpu="NVIDIA H100 80GB HBM3")
    assert sum("00000000:" in row for row in table(event, job)) == 8
    assert table(*status(8, gpu="AMD Instinct MI300X")) == []
    assert table(*status(1024, gpu="NVIDIA H100 80GB HBM3")) == []


def test_an_idle_node_runs_no_processes_and_long_names_are_cut() -> None:
    event, job = status(8, gpu="NVIDIA RTX PRO 6000 Blackwell Server Edition")
    idle = tuple(each._replace(memory_mib=4) for each in event.gpus)
    rows = table(event._replace(gpus=idle), job)
    assert unmatched(rows, PATTERNS) == []
    assert any("No running processes found" in row for row in rows)
    assert sum("NVIDIA RTX PRO 6000 Blac...    On  |" in row for row in rows) == 8
