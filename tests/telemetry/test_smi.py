"""llmsim smi: nvidia-smi's answers, against public captures of real ones."""

import ctypes
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.cli.smi import seen_by, taken_apart
from llmsim.errors import ExportError, NvidiaSmiError, OptionError
from llmsim.run.simulation import run_of as timeline_of
from llmsim.run.timeline import Run, run_ended
from llmsim.show.seek import moment_of
from llmsim.telemetry import gpu_exporter_page
from llmsim.telemetry.nvml.answers import NOT_SUPPORTED
from llmsim.telemetry.nvml.library import Library
from llmsim.telemetry.samples import sample
from llmsim.telemetry.smi.answer import answer
from llmsim.telemetry.smi.node import Node, node_at, processes
from llmsim.telemetry.smi.properties import PROPERTIES
from llmsim.telemetry.smi.request import request_of
from tests.runs import job_of

H100 = "NVIDIA H100 80GB HBM3"


def run_on(gpu: str = H100, gpus: int = 8, **options: object) -> Run:
    return timeline_of(job_of(7, gpus=gpus, gpu=gpu, recipe="pretrain", **options))


def node_of(gpu: str = H100, gpus: int = 8, number: int = 0, at: str = "40%") -> Node:
    run = run_on(gpu, gpus)
    return node_at(run, number, moment_of(run, at))


def asked(node: Node, line: str, look: int = 0) -> str:
    return answer(node, request_of(line.split()), look)


# --- against captures ---------------------------------------------------------------------


def test_q_has_the_lines_of_a_real_one() -> None:
    real = Path(__file__).with_name("nvidia_smi_q.txt").read_text(encoding="utf-8").splitlines()
    rows = asked(node_of(gpus=1), "-q").splitlines()
    labels = [re.sub(r" *:( .*)?$", " :", row) for row in rows if not row.startswith("GPU 0")]
    expected = [row for row in real[3:] if not row.startswith("GPU 0")]
    assert labels[: len(expected)] == expected
    assert not "".join(labels[len(expected) :])


def test_values_of_q_begin_in_one_column() -> None:
    rows = asked(node_of(gpus=1), "-q").splitlines()
    columns = {row.index(" : ") + 1 for row in rows if " : " in row and "Process" not in row}
    assert columns <= {55, 42}


def test_xml_is_the_report_in_telegrafs_tags() -> None:
    """The tags that telegraf reads (plugins/inputs/nvidia_smi/schema_v13/types.go)."""
    root = ET.fromstring(asked(node_of(), "-q -x"))  # our own text
    assert root.tag == "nvidia_smi_log"
    assert len(root.findall("gpu")) == 8
    gpu = root.find("gpu")
    assert gpu is not None
    for path in (
        "product_name", "uuid", "fb_memory_usage/used", "utilization/gpu_util", "pci/pci_bus_id",
        "gpu_power_readings/average_power_draw", "gpu_power_readings/current_power_limit",
        "temperature/gpu_temp", "temperature/memory_temp", "clocks/sm_clock", "fan_speed",
        "performance_state", "pci/pci_gpu_link_info/pcie_gen/current_link_gen", "serial",
        "encoder_stats/session_count", "ecc_errors/volatile/dram_uncorrectable",
        "remapped_rows/remapped_row_unc", "processes/process_info/pid", "vbios_version",
        "clocks_event_reasons/clocks_event_reason_sw_power_cap", "fabric/state",
    ):  # fmt: skip
        found = gpu.find(path)
        assert found is not None, path
        assert (found.text or "").strip(), path


def test_a_query_is_the_line_of_a_real_capture() -> None:
    names = "timestamp,name,power.draw,utilization.gpu,memory.used,clocks.current.sm"
    head, *rows = asked(node_of(), f"--query-gpu={names} --format=csv").splitlines()
    assert head == (
        "timestamp, name, power.draw [W], utilization.gpu [%], memory.used [MiB], "
        "clocks.current.sm [MHz]"
    )
    assert len(rows) == 8
    for row in rows:
        assert re.fullmatch(
            r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3}, NVIDIA H100 80GB HBM3, \d+\.\d\d W, \d+ %, "
            r"\d+ MiB, \d+ MHz",
            row,
        ), row


def test_a_lowered_power_limit_is_below_the_boards_own() -> None:
    """As after `nvidia-smi --power-limit 500`, which leaves the default and the highest limit."""
    run = run_on(job={"cluster": {"power_limit_watts": 500}})
    node = node_at(run, 0, moment_of(run, "40%"))
    names = "power.limit,enforced.power.limit,power.default_limit,power.max_limit"
    row = asked(node, f"--query-gpu={names},clocks.max.sm --format=csv,noheader").splitlines()[0]
    assert row == "500.00 W, 500.00 W, 700.00 W, 700.00 W, 1980 MHz"
    drawn = asked(node, "--query-gpu=power.draw --format=csv,noheader,nounits").splitlines()
    assert all(float(watts) <= 500 for watts in drawn)


def test_aliases_are_named_by_their_property() -> None:
    """NVIDIA's own page: a query of gpu_name,gpu_bus_id prints name, pci.bus_id."""
    text = asked(node_of(), "--query-gpu=gpu_name,gpu_bus_id,clocks.sm --format=csv -i 0")
    assert text.splitlines()[0] == "name, pci.bus_id, clocks.current.sm [MHz]"


def test_gputils_query_has_its_twelve_cells() -> None:
    """GPUtil 1.4.0 reads these twelve, by their places."""
    names = (
        "index,uuid,utilization.gpu,memory.total,memory.used,memory.free,driver_version,name,"
        "gpu_serial,display_active,display_mode,temperature.gpu"
    )
    rows = asked(node_of(), f"--query-gpu={names} --format=csv,noheader,nounits").splitlines()
    for number, row in enumerate(rows):
        cells = row.split(", ")
        assert len(cells) == 12
        assert int(cells[0]) == number
        assert float(cells[3]) >= float(cells[4]) + float(cells[5])


def test_dmon_and_pmon_have_the_columns_of_a_capture() -> None:
    node = node_of()
    head, units, row, *_ = asked(node, "dmon -c 1").splitlines()
    assert head == (
        "# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec    jpg    ofa   mclk   pclk "
    )
    assert units == (
        "# Idx      W      C      C      %      %      %      %      %      %    MHz    MHz "
    )
    assert re.fullmatch(r"    0( +\d+){11} ", row)
    assert len(row) == len(head)
    assert "#" not in asked(node, "dmon -c 2", look=1)
    real = "    0      11345     C     99     10      -      -      -      -    gpu_burn       "
    shape = re.sub(r"\d+", "0", re.sub(r" +", " ", real.replace("gpu_burn", "python3")))
    row = asked(node, "pmon -c 1").splitlines()[2]
    assert re.sub(r"\d+", "0", re.sub(r" +", " ", row)) == shape
    assert len(row) == len(real)


def test_dates_and_times_stand_before_dmons_and_pmons_rows() -> None:
    """As in a public capture of `dmon -i 0 -s mutc -o TD` under driver 535; -o T alone is in the
    files of GPU telemetry that public repositories read.
    """
    node = node_of()
    head, units, row, *_ = asked(node, "dmon -i 0 -s mtc -o TD").splitlines()
    assert head == ("#Date       Time        gpu     fb   bar1   ccpm  rxpci  txpci   mclk   pclk ")
    assert units == (
        "#YYYYMMDD   HH:MM:SS    Idx     MB     MB     MB   MB/s   MB/s    MHz    MHz "
    )
    assert re.fullmatch(r" \d{8}   \d\d:\d\d:\d\d      0( +\d+){7} ", row), row
    assert len(row) == len(head)
    head, units, row, *_ = asked(node, "dmon -i 0 -s c -o T").splitlines()
    assert head == "#Time        gpu   mclk   pclk "
    assert units == "#HH:MM:SS    Idx    MHz    MHz "
    assert re.fullmatch(r" \d\d:\d\d:\d\d      0 +\d+ +\d+ ", row), row
    head, units, row, *_ = asked(node, "pmon -i 0 -o DT").splitlines()
    assert head.startswith("#Date       Time        gpu ")
    assert units.startswith("#YYYYMMDD   HH:MM:SS    Idx ")
    assert re.match(r" \d{8}   \d\d:\d\d:\d\d      0 ", row), row
    assert "#" not in asked(node, "dmon -o T", look=1)


def test_remapped_rows_retired_pages_and_clocks_have_the_rows_of_captures() -> None:
    """Public captures have the header with the names as asked, and of an H100's retired pages a
    row for each cause without an address. An H100's clocks are 1,980 down to 210 MHz.
    """
    node = node_of()
    names = ("gpu_uuid", "remapped_rows.correctable", "remapped_rows.uncorrectable",
             "remapped_rows.pending", "remapped_rows.failure")  # fmt: skip
    head, *rows = asked(node, f"--query-remapped-rows={','.join(names)} --format=csv").splitlines()
    assert head == ", ".join(names)
    uuids = asked(node, "--query-gpu=uuid --format=csv,noheader").split()
    assert rows == [f"{uuid}, 0, 0, No, No" for uuid in uuids]
    line = "--query-retired-pages=gpu_uuid,retired_pages.address,retired_pages.cause --format=csv"
    assert asked(node, f"{line} -i 1").splitlines() == [
        "gpu_uuid, retired_pages.address, retired_pages.cause",
        f"{uuids[1]}, [N/A], Single Bit ECC",
        f"{uuids[1]}, [N/A], Double Bit ECC",
    ]
    line = "--query-supported-clocks=memory,graphics --format=csv -i 0"
    head, *rows = asked(node, line).splitlines()
    assert head == "memory [MHz], graphics [MHz]"
    assert (rows[0], rows[-1]) == ("2619 MHz, 1980 MHz", "2619 MHz, 210 MHz")
    line = "--query-supported-clocks=mem --format=csv,noheader,nounits -i 0"
    assert asked(node, line) == "2619\n"
    for query in ("remapped-rows", "retired-pages", "supported-clocks"):
        assert f'the switch "--query-{query}":' in asked(node, f"--help-query-{query}")


def test_a_remapped_row_is_pending_until_the_reset() -> None:
    run = timeline_of(
        job_of(7, gpus=8, gpu=H100, recipe="pretrain", incident=("hbm-ecc@50%:rank=3",))
    )
    failure = next(each for each in run.timeline if each.kind == "failure")
    node = node_at(run, 0, failure.ended - 0.1)
    line = "remapped_rows.uncorrectable,remapped_rows.pending --format=csv,noheader"
    assert asked(node, f"--query-remapped-rows={line}") == asked(node, f"--query-gpu={line}")
    assert "Yes" in asked(node, f"--query-remapped-rows={line} -i 3")


def test_errors_of_the_memory_are_counted_alike_everywhere() -> None:
    """nvidia-smi, NVML and the exporters read the same four counters: corrected or not, since the
    driver was loaded or in the board's life. Before half of the double-bit errors there are
    single-bit ones.
    """
    incidents = tuple(f"hbm-ecc@{share}%:rank={share % 8}" for share in (50, 51, 52, 53))
    run = timeline_of(job_of(7, gpus=8, gpu=H100, recipe="pretrain", incident=incidents))
    node = node_at(run, 0, 0.7 * run_ended(run))
    page = gpu_exporter_page.page(run, 0, 0.7 * run_ended(run))
    library, handle = Library(lambda: node), ctypes.c_void_p()
    whole = []
    for kind, what in enumerate(("corrected", "uncorrected")):
        for counter, span in enumerate(("volatile", "aggregate")):
            query = f"--query-gpu=ecc.errors.{what}.{span}.total --format=csv,noheader"
            said = [int(each) for each in asked(node, query).split()]
            rows = [row for row in page.splitlines() if f"errors_{what}_{span}_total{{" in row]
            assert [float(row.split()[-1]) for row in rows] == said
            for gpu, number in enumerate(said):
                count = ctypes.c_ulonglong()
                library.nvmlDeviceGetHandleByIndex_v2(gpu, ctypes.byref(handle))
                library.nvmlDeviceGetTotalEccErrors(handle, kind, counter, ctypes.byref(count))
                assert count.value == number
            whole.append(sum(said))
    assert min(whole) > 0
    report = asked(node, "-q -d ECC")
    told = re.findall(r"DRAM (?:Unc|C)orrectable +: (\d+)", report)
    assert sum(map(int, told)) == sum(whole)


def test_peers_reach_each_other_as_in_captures() -> None:
    """8 H100: OK everywhere; RTX 3060: CNS, with the first line underlined."""
    rows = asked(node_of(), "topo -p2p r").splitlines()
    assert rows[0] == "\t\x1b[4m" + "\t".join(f"GPU{each}" for each in range(8)) + "\x1b[0m"
    assert rows[1] == " GPU0\tX" + "\tOK" * 7
    assert rows[10:13] == ["Legend:", "", "  X    = Self"]
    cards = asked(node_of("NVIDIA GeForce RTX 3090", 2), "topo -p2p r").splitlines()
    assert cards[1:3] == [" GPU0\tX\tCNS", " GPU1\tCNS\tX"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("--list-excluded-gpus", "--list-excluded-gpus"), ("-B", "-B"), ("-a", "-a"),
        ("--ecc-config=0", "--ecc-config=0"), ("nvlink -e", "-e"), ("clocks", "clocks"),
        ("dmon --format csv", "--format"), ("vgpu", "vgpu"),
    ],
)  # fmt: skip
def test_a_flag_of_nvidia_smi_that_is_not_built_has_its_refusal(line: str, word: str) -> None:
    words = taken_apart(["--seed", "7", *line.split()]).words
    assert list(words) == line.split()
    with pytest.raises(NvidiaSmiError, match=f"^ERROR: Option {word} is not recognized"):
        request_of(words)
    with pytest.raises(OptionError, match="did you mean --seed"):
        seen_by(["--sede", "7", "-L"])


def test_an_index_chooses_one_geforce_which_has_no_serial_number() -> None:
    """Public captures of GeForce cards have `Serial Number : N/A`, and N/A in XML."""
    node = node_of("NVIDIA GeForce RTX 4090")
    assert len(asked(node, "-L -i 0").splitlines()) == 1
    assert len(asked(node, "dmon -i 0 -c 1").splitlines()) == 3
    query = "--query-gpu=index,serial --format=csv,noheader"
    assert asked(node, f"{query} -i 0") == "0, [N/A]\n"
    assert asked(node, f"{query} -i 1,3").splitlines() == ["1, [N/A]", "3, [N/A]"]
    assert re.search(r"Serial Number +: N/A\n", asked(node, "-q -i 0"))
    assert "<serial>N/A</serial>" in asked(node, "-q -x -i 0")


def test_a_geforces_fan_turns_while_it_trains() -> None:
    """Two RTX 4090 at 72 C and 310 W had 68 and 69 % (a public table of nvidia-smi)."""
    node = node_of("NVIDIA GeForce RTX 4090")
    query = "--query-gpu=fan.speed,temperature.gpu --format=csv,noheader,nounits"
    for row in asked(node, query).splitlines():
        speed, celsius = map(int, row.split(", "))
        assert 30 <= speed <= 70, row
        assert (speed > 30) == (celsius > 50), row
    first = asked(node, query).splitlines()[0].partition(",")[0]
    assert re.search(rf"Fan Speed +: {first} %\n", asked(node, "-q -i 0"))
    assert f"\n| {first}% " in asked(node, "-i 0")
    turning = ctypes.c_uint()
    library = Library(lambda: node)
    handle = ctypes.c_void_p()
    assert library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) == 0
    assert library.nvmlDeviceGetFanSpeed(handle, ctypes.byref(turning)) == 0
    assert turning.value == int(first)
    text = ctypes.create_string_buffer(30)
    assert library.nvmlDeviceGetSerial(handle, text, 30) == NOT_SUPPORTED


def test_topology_joins_all_gpus_of_an_hgx_board() -> None:
    """An 8x H100 board: 18 links between any two GPUs, two NUMA nodes."""
    rows = asked(node_of(), "topo -m").splitlines()
    assert rows[0].startswith("\t\x1b[4mGPU0\t")
    for number in range(8):
        cells = rows[1 + number].split("\t")
        assert cells[0] == f"GPU{number}"
        assert cells[1 + number] == " X "
        assert {cell for place, cell in enumerate(cells[1:9]) if place != number} == {"NV18"}
    assert [row.split("\t")[10] for row in rows[1:9]] == ["0"] * 4 + ["1"] * 4
    a100 = asked(node_of("NVIDIA A100-SXM4-80GB"), "topo -m")
    assert "NV12" in a100
    assert "NV" not in asked(node_of("NVIDIA GeForce RTX 4090", 2), "topo -m").split("Legend")[0]


# --- one truth -----------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["launch", "40%", "validation", "checkpoint", "export"])
def test_every_answer_shows_the_gauges_of_the_samples(at: str) -> None:
    run = run_on()
    moment = moment_of(run, at) + 0.4
    node, gauges = node_at(run, 0, moment), sample(run, moment).gpus
    names = "power.draw,temperature.gpu,memory.used,memory.free,memory.reserved,memory.total"
    rows = asked(node, f"--query-gpu={names} --format=csv,noheader,nounits").splitlines()
    report = asked(node, "-q -d MEMORY,POWER")
    for row, each in zip(rows, gauges, strict=True):
        watts, celsius, used, free, reserved, total = map(float, row.split(", "))
        assert (watts, celsius) == (round(each.power_watts, 2), each.temperature_c)
        assert used + free + reserved == total == each.total_mib
        assert f": {each.used_mib} MiB" in report
        assert f": {each.power_watts:.2f} W" in report


def test_the_margin_to_the_heat_limit_is_that_of_public_captures() -> None:
    """H100 80GB HBM3: 32 C and 55 to go, 33 and 54, 34 and 53, 28 and 59, 30 and 57: 87 in all."""
    node = node_at(run_on(), 0, moment_of(run_on(), "40%"))
    names = "temperature.gpu,temperature.gpu.tlimit"
    for row in asked(node, f"--query-gpu={names} --format=csv,noheader").splitlines():
        assert sum(map(int, row.split(", "))) == 87


def test_the_last_node_has_its_own_gpus_and_the_logs_processes() -> None:
    run = run_on(gpus=32)
    moment = moment_of(run, "40%")
    first, last = node_at(run, 0, moment), node_at(run, 3, moment)
    assert [each.gpu for each in last.gauges] == [*range(24, 32)]
    assert asked(first, "-L") != asked(last, "-L")
    assert len({each.pid for each in processes(last)}) == 8
    with pytest.raises(OptionError, match="no node 4, only the nodes 0 to 3"):
        node_at(run, 4, moment)


def test_before_and_after_the_run_the_gpus_are_idle() -> None:
    run = run_on()
    for moment in (0.0, run_ended(run) + 60.0):
        node = node_at(run, 0, moment)
        assert processes(node) == []
        assert "No running processes found" in asked(node, "")
        shown = asked(node, "--query-gpu=utilization.gpu --format=csv,noheader,nounits")
        assert {*shown.split()} == {"0"}


def test_a_lost_gpu_is_missing_and_named() -> None:
    run = timeline_of(
        job_of(7, gpus=8, gpu=H100, recipe="pretrain", incident=("gpu-lost@50%:rank=3",))
    )
    failure = next(each for each in run.timeline if each.kind == "failure")
    node = node_at(run, 0, failure.ended - 0.1)
    text = asked(node, "-L")
    assert text.startswith("Unable to determine the device handle for GPU3: 00000000:")
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == [
        f"GPU {number}" for number in range(8) if number != 3
    ]


@given(
    at=st.floats(0.0, 80.0),
    gpu=st.sampled_from([H100, "NVIDIA A40", "NVIDIA GeForce RTX 4090", "NVIDIA B200"]),
)
@pytest.mark.long
def test_any_property_answers_at_any_moment(at: float, gpu: str) -> None:
    node = node_at(run_on(gpu), 0, at)
    names = ",".join(each.name for each in PROPERTIES)
    head, *rows = asked(node, f"--query-gpu={names} --format=csv").splitlines()
    assert len(head.split(", ")) == len(PROPERTIES)
    assert {len(row.split(", ")) for row in rows} == {len(PROPERTIES)}


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text", "status"),
    [
        ("--query-gpu=index,foo --format=csv", 'Field "foo" is not a valid field', 2),
        ("--query-compute-apps=foo --format=csv", 'Field "foo" is not a valid field', 2),
        ("--query-gpu=index", '"--format=" switch is missing.', 2),
        ("--query-gpu=index --format=xml", "--format=", 2),
        ("-i 9", "No devices were found", 6),
        ("--frobnicate", "ERROR: Option --frobnicate is not recognized.", 2),
        ("-l 1 --count=1", "ERROR: Option --count=1 is not recognized.", 2),
        ("--format=csv", "Invalid combination of input arguments.", 2),
        ("--query-accounted-apps=foo --format=csv", 'Field "foo" is not a valid field', 2),
        ("-q -d FOO", "FOO", 2),
        ("-l 0", "Invalid value", 2),
        ("dmon -s z", "'z'", 2),
        ("topo -p2p x", "option -p2p: give r, w, n or a", 2),
        ("--query-retired-pages=foo --format=csv", 'Field "foo" is not a valid field', 2),
        ("--query-supported-clocks=gr", '"--format=" switch is missing.', 2),
        ("dmon -o X", "option -o: X", 2),
        ("pmon -o DX", "option -o: DX", 2),
        ("-i", "Missing value", 2),
    ],
)
def test_mistakes_are_answered_as_nvidia_smi_does(line: str, text: str, status: int) -> None:
    with pytest.raises(NvidiaSmiError) as met:
        asked(node_of(), line)
    assert text in str(met.value)
    assert met.value.status == status


@pytest.mark.parametrize(
    ("line", "pattern", "status"),
    [
        (
            "-pl 300",
            "Failed to set power management limit for GPU BUS: Insufficient Permissions\nEARLY",
            4,
        ),
        (
            "-pl 10",
            (
                r"Provided power limit 10\.00 W is not a valid power limit which should be between "
                r"\d+\.00 W and 700\.00 W for GPU BUS\nEARLY"
            ),
            2,
        ),
        ("-pm 0", "Unable to set persistence mode for GPU BUS: Insufficient Permissions\nEARLY", 4),
        (
            "-lgc 1410,1410",
            r"The current user does not have permission to change clocks for GPU BUS\.\nEARLY",
            4,
        ),
        ("--gpu-reset -i 0", "Unable to reset GPU BUS: Insufficient Permissions", 4),
    ],
)
def test_a_user_changes_no_gpu(line: str, pattern: str, status: int) -> None:
    """The sentences and exit statuses of public captures, of users who are not root."""
    early = r"Terminating early due to previous errors\."
    pattern = pattern.replace("BUS", r"[0-9A-F]{8}:[0-9A-F]{2}:00\.0").replace("EARLY", early)
    with pytest.raises(NvidiaSmiError) as met:
        asked(node_of(), line)
    assert re.fullmatch(pattern, str(met.value)), str(met.value)
    assert met.value.status == status


def test_what_is_so_already_is_said_of_every_gpu() -> None:
    """Captures: nvidia-smi -pm 1 on GPUs whose persistence mode is on."""
    *rows, last = asked(node_of(), "-pm 1").splitlines()
    assert last == "All done."
    assert len(rows) == 8
    for row in rows:
        assert re.fullmatch(
            r"Persistence mode is already Enabled for GPU [0-9A-F]{8}:[0-9A-F]{2}:00\.0\.", row
        ), row


def test_links_of_one_gpu_and_accounted_processes() -> None:
    links = asked(node_of(), "nvlink -s -i 0").splitlines()
    assert links[0].startswith("GPU 0: ")
    assert len(links) == 1 + 18  # an H100 has 18 links
    assert asked(node_of(), "nvlink --status --id=0").splitlines() == links
    # A public capture's header; no row, since the accounting mode is disabled.
    names = "gpu_name,pid,time,gpu_util,mem_util,max_memory_usage"
    assert asked(node_of(), f"--query-accounted-apps={names} --format=csv") == (
        "gpu_name, pid, time [ms], gpu_utilization [%], mem_utilization [%], "
        "max_memory_usage [MiB]\n"
    )


def test_other_vendors_have_other_tools() -> None:
    with pytest.raises(ExportError, match="AMD Instinct MI300X"):
        node_of("AMD Instinct MI300X")


def test_a_command_line_is_taken_apart() -> None:
    line = "--seed 7 -q --gpus=8 --at 40% -x --node=1 dmon -c 2 -- nvitop -1 --seed"
    given_ = taken_apart(line.split())
    assert taken_apart(["--gpu-reset", "-i", "0", "--gpus", "8"]).words == (
        "--gpu-reset",
        "-i",
        "0",
    )
    assert given_.flags == ("--seed=7", "--gpus=8")
    assert given_.own == {"at": "40%", "node": "1"}
    assert given_.words == ("-q", "-x", "dmon", "-c", "2")
    assert given_.program == ("nvitop", "-1", "--seed")
    for wrong in (["--"], ["--at"], ["--seed"]):
        with pytest.raises(OptionError):
            taken_apart(wrong)


# --- as a command ----------------------------------------------------------------------------


def smi(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "llmsim", "smi", "--seed", "7", "--gpus", "8", "--gpu", H100,
            "--start", "2026-01-30T12", "--recipe", "pretrain", *words]  # fmt: skip
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.long
def test_an_installed_nvidia_smi_answers_for_the_run(tmp_path: Path) -> None:
    assert smi("--at", "40%", "--install", str(tmp_path)).returncode == 0
    path = tmp_path / "nvidia-smi"
    told = subprocess.run([path, "-L"], capture_output=True, text=True, check=True)
    assert told.stdout == smi("--at", "40%", "-L").stdout
    wrong = subprocess.run(
        [path, "--query-gpu=x", "--format=csv"], capture_output=True, check=False
    )
    assert wrong.returncode == 2
    path.write_text("mine", encoding="utf-8")
    refused = smi("--install", str(tmp_path))
    assert refused.returncode == 1
    assert "is there already" in refused.stderr
    assert path.read_text(encoding="utf-8") == "mine"
    assert "no such folder" in smi("--install", str(tmp_path / "none")).stderr


@pytest.mark.long
def test_a_python_program_gets_the_library_and_nvidia_smi() -> None:
    program = (
        "import ctypes, json, subprocess\n"
        "library = ctypes.CDLL('libnvidia-ml.so.1')\n"
        "count = ctypes.c_uint()\n"
        "assert library.nvmlInit_v2() == 0\n"
        "assert library.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0\n"
        "handle, watts = ctypes.c_void_p(), ctypes.c_uint()\n"
        "library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(3), ctypes.byref(handle))\n"
        "library.nvmlDeviceGetPowerUsage(handle, ctypes.byref(watts))\n"
        "unknown = library.nvmlDeviceGetVgpuMetadata(handle)\n"
        "shown = subprocess.run(['nvidia-smi', '-i', '3', '--query-gpu=power.draw',\n"
        "    '--format=csv,noheader,nounits'], capture_output=True, text=True).stdout\n"
        "ctypes.CDLL(None)\n"
        "print(json.dumps([count.value, watts.value, float(shown), unknown]))\n"
    )
    ran = smi("--at", "40%", "--", sys.executable, "-c", program)
    count, milliwatts, watts, unknown = json.loads(ran.stdout)
    assert (count, unknown) == (8, 3)  # 3 is NVML's NOT_SUPPORTED
    assert milliwatts / 1000 == pytest.approx(watts, abs=0.006)
    assert smi("--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    assert "not there" in smi("--", "no-such-program").stderr


@pytest.mark.long
def test_mistakes_of_a_command_line_are_one_sentence() -> None:
    for words in (["--at", "nonsense"], ["--node", "x"], ["--node", "9"], ["--bogus"],
                  ["--speed-factor", "max"], ["--install", os.sep, "-q"]):  # fmt: skip
        told = smi(*words)
        assert told.returncode in (1, 2), words
        assert told.stderr.startswith("llmsim: "), told.stderr
        assert told.stderr.count("\n") == 1, told.stderr
