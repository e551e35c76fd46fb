"""nvidia-smi's table, against real ones of 2025 and 2026 and the rule of the drivers before."""

import re

import pytest

from llmsim.dialects.parts.nvidia_smi import WIDTH, Card, before, table
from llmsim.job.records import Job
from tests.dialects.logs import PIPE, log_of, played, unmatched
from tests.runs import job_of

H100 = "NVIDIA H100 80GB HBM3"

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
|  No running processes found                                                             |
|   0  NVIDIA GeForce RTX 5060 Ti     On  |   00000000:01:00.0 Off |                  N/A |
|  0%   46C    P8             10W /  180W |       1MiB /  16311MiB |      0%      Default |
|                                         |                        |                  N/A |
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
        r"\|(?: N/A|  0%| [3-9]\d%|100%)  [ \d]{2}\dC    P\d [ \d]{14}W / [ \d]{4}W \| "
        r"[ \d]{7}MiB / [ \d]{6}MiB \| [ \d]{6}%      Default \|"
    ),
    r"\| {41}\| {24}\| {13}(Disabled|     N/A) \|",
    r" {89}",
    r"\| Processes: {78}\|",
    r"\|  GPU   GI   CI {14}PID   Type   Process name {24}GPU Memory \|",
    r"\|  GPU   GI   CI {8}PID   Type   Process name {30}GPU Memory \|",
    r"\| {8}ID   ID {63}Usage {6}\|",
    r"\|  No running processes found {61}\|",
)  # fmt: skip


def node(gpus: int, gpu: str = H100, seed: int = 1) -> Job:
    """A job on so many GPUs."""
    return job_of(seed, gpus=gpus, gpu=gpu, recipe="pretrain")


def with_driver(job: Job, driver: str) -> Job:
    return job._replace(software=job.software._replace(driver=driver))


@pytest.mark.parametrize("gpus", range(1, 9))
@pytest.mark.parametrize("driver", ["550.163.01", "570.195.03", "580.159.04", "595.71.05"])
def test_every_row_is_one_that_nvidia_smi_prints(gpus: int, driver: str) -> None:
    rows = before(with_driver(node(gpus), driver), 0.0)
    assert unmatched(rows, PATTERNS) == []
    assert {len(row) for row in rows} <= {31, WIDTH - 2, WIDTH}
    assert sum("00000000:" in row for row in rows) == gpus
    assert any("No running processes found" in row for row in rows)


def test_real_tables_match_the_same_patterns() -> None:
    assert unmatched(REAL, PATTERNS) == []


def test_a_node_may_have_sixteen_gpus() -> None:
    job = node(8)
    job = job._replace(layout=job.layout._replace(gpus=16, dp=16))
    rows = before(job, 0.0)
    assert unmatched(rows, PATTERNS) == []
    buses = [bus for row in rows for bus in re.findall(r"0000000\d:\w\w:00\.0", row)]
    assert len(set(buses)) == 16


def test_the_rule_below_the_header_changed_with_580() -> None:
    for driver, ends in (("570.195.03", "||"), ("580.159.04", "++")):
        rule = before(with_driver(node(8), driver), 0.0)[3]
        assert rule[0] + rule[-1] == ends
        assert rule[1:-1] == REAL[3][1:-1]


def test_a_real_row_comes_out_to_the_byte() -> None:
    card = Card(0, 54, 0, 147, 1521, 0)
    process = (0, 979223, "/opt/a-long-path/of-pt-challenge-py312/bin/python", 1512)
    rows = table([card], [process], with_driver(node(1), "580.159.04"), REAL[0].rstrip())
    bus = re.compile(r":[\dA-F]{2}:")
    assert rows[0] == REAL[0]
    assert rows[1:8] == REAL[1:8]
    assert bus.sub(":8D:", rows[8]) == REAL[8]
    assert rows[9:12] == REAL[9:12]
    assert rows[13:18] == REAL[13:18]
    name = "...pt-challenge-py312/bin/python"
    assert rows[18] == f"|    0   N/A  N/A          979223      C   {name}       1512MiB |"


def test_a_fan_at_its_highest_speed_takes_the_blank_before_it() -> None:
    card = Card(number=0, celsius=95, state=0, watts=440, used_mib=9, utilization=99)
    rows = table([card], (), node(1, "NVIDIA GeForce RTX 4090"), "")
    (row,) = [row for row in rows if "95C" in row]
    assert row.startswith("|100%   95C    P0 ")
    assert len(row) == len(rows[1])


@pytest.mark.parametrize("gpu", [H100, "NVIDIA B200", "NVIDIA GeForce RTX 4090"])
def test_gpus_rest_before_the_job(gpu: str) -> None:
    """H100 71 to 76 W, B200 136 to 195 W at idle (docs/physics.md, 9); an RTX 4090 21 W in P8."""
    low, high, state, fan = {
        H100: (69, 78, "P0", "N/A"),
        "NVIDIA B200": (96, 195, "P0", "N/A"),
        "NVIDIA GeForce RTX 4090": (15, 30, "P8", " 0%"),
    }[gpu]
    told = re.findall(
        r"\| (.{3}) +(\d+)C +(P\d) +(\d+)W / .*\| +(\d+)MiB / .*\| +(\d+)% ",
        "\n".join(before(node(8, gpu), 0.0)),
    )
    assert len(told) == 8
    assert {(each[0], each[2]) for each in told} == {(fan, state)}
    for _, temperature, _, power, memory, utilization in told:
        assert 20 <= int(temperature) <= 40
        assert low <= int(power) <= high
        assert int(memory) < 10
        assert utilization == "0"


def test_only_the_first_node_is_shown_and_amd_has_another_tool() -> None:
    assert sum("00000000:" in row for row in before(node(1024), 0.0)) == 8
    assert before(node(8, "AMD Instinct MI300X"), 0.0) == []


def test_long_names_are_cut() -> None:
    rows = before(node(8, "NVIDIA RTX PRO 6000 Blackwell Server Edition"), 0.0)
    assert unmatched(rows, PATTERNS) == []
    assert sum("NVIDIA RTX PRO 6000 Blac...    On  |" in row for row in rows) == 8


@pytest.mark.parametrize("dialect", ["nanogpt", "llmc"])
def test_those_who_type_their_command_look_first_where_it_fits(dialect: str) -> None:
    lines = log_of(dialect, 5, gpu=H100, gpus=8, model="Heron-124M")
    assert [line for line in lines if "NVIDIA-SMI" in line] == [lines[2]]
    for width, seen in ((WIDTH - 1, 0), (WIDTH, 1)):
        screen = PIPE._replace(width=width)
        text = played(dialect, 5, screen, gpu=H100, gpus=8, model="Heron-124M")
        assert text.count("NVIDIA-SMI") == seen
