"""What cards of one kind lack, on every page: fans, serial numbers, ECC. nvidia-smi has N/A there.

The captures are those of utkuozdemir/nvidia_gpu_exporter (internal/captures, and the pages that it
makes of them in internal/integration/testdata): RTX 4080 SUPER, L40S, H100.
"""

import ctypes
import json
import re
from functools import partial

import pytest

from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry import gpu_exporter_page, openmetrics, otlp
from llmsim.telemetry.dcgm_counters import counters, parsed
from llmsim.telemetry.dcgm_page import Exporter, page
from llmsim.telemetry.dcgm_versions import version_named
from llmsim.telemetry.nvml.answers import NOT_SUPPORTED
from llmsim.telemetry.nvml.library import Library
from llmsim.telemetry.samples import gauges_of, tick_of
from llmsim.telemetry.smi.answer import answer
from llmsim.telemetry.smi.node import node_at
from llmsim.telemetry.smi.request import request_of
from llmsim.telemetry.writer import Settings
from tests.incidents.told import lines
from tests.runs import job_of

H100, L40S, A6000 = "NVIDIA H100 80GB HBM3", "NVIDIA L40S", "NVIDIA RTX A6000"
RTX_3090, RTX_4090 = "NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 4090"
RTX_5090 = "NVIDIA GeForce RTX 5090"


def run_on(gpu: str) -> Run:
    """A run on two cards."""
    return run_of(job_of(7, gpus=2, gpu=gpu, recipe="pretrain", dialect="pytorch"))


def shown(run: Run, at: float, listed: str = "") -> str:
    """dcgm-exporter's page with all fields, or with those of a list."""
    version = version_named("4.8.2")
    fields = parsed(listed) if listed else counters("full", version)
    return page(run, 0, at, Exporter(version, fields, "none", 0.0))


def asked(run: Run, at: float, line: str) -> str:
    """What nvidia-smi says."""
    return answer(node_at(run, 0, at), request_of(line.split()), 0)


def values(text: str, name: str) -> list[float]:
    """The values of a family on a page."""
    return [float(row.split()[-1]) for row in text.splitlines() if row.startswith(f"{name}{{")]


# --- fans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gpu", [RTX_3090, RTX_4090, A6000])
def test_a_cards_fan_turns_alike_on_every_page(gpu: str) -> None:
    run = run_on(gpu)
    for share in (0.0, 0.4, 0.8):
        at = share * run_ended(run)
        query = asked(run, at, "--query-gpu=fan.speed --format=csv,noheader,nounits")
        turning = [int(each) for each in query.split()]
        assert values(shown(run, at), "DCGM_FI_DEV_FAN_SPEED") == turning
        ratios = values(gpu_exporter_page.page(run, 0, at), "nvidia_smi_fan_speed_ratio")
        assert ratios == [each / 100 for each in turning]
    assert max(turning) > 30


@pytest.mark.parametrize("gpu", [H100, L40S])
def test_a_card_that_the_chassis_cools_has_no_fan_on_any_page(gpu: str) -> None:
    """nvidia-smi prints [N/A]; DCGM's value is blank then (DcgmCacheManager.cpp), and blank values
    are left out (gpu_collector.go).
    """
    run = run_on(gpu)
    at = 0.4 * run_ended(run)
    assert asked(run, at, "--query-gpu=fan.speed --format=csv,noheader") == "[N/A]\n[N/A]\n"
    assert "DCGM_FI_DEV_FAN_SPEED" not in shown(run, at)
    assert "DCGM_FI_DEV_FAN_SPEED" not in shown(run, at, "DCGM_FI_DEV_FAN_SPEED, gauge, x")
    assert "fan_speed" not in gpu_exporter_page.page(run, 0, at)


def test_dmon_has_no_column_of_fans() -> None:
    """The captures of a GeForce have these columns."""
    run = run_on(RTX_4090)
    head = asked(run, 0.4 * run_ended(run), "dmon -c 1").splitlines()[0]
    real = "# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec    jpg    ofa   mclk   pclk"
    assert head.rstrip() == real


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu", "top", "memory"), [(RTX_4090, 3105, 10501), (A6000, 2100, 8001), (L40S, 2520, 9001)]
)
def test_every_page_has_a_cards_highest_clocks_and_its_memorys(
    gpu: str, top: int, memory: int
) -> None:
    """Captures of nvidia-smi have the highest clocks. In P8 the memory has 405 MHz."""
    run = run_on(gpu)
    for share, now in ((0.0, 405), (0.5, memory)):
        at = share * run_ended(run)
        line = "--query-gpu=clocks.max.sm,clocks.max.mem,clocks.mem,pstate"
        state = "P8" if now == 405 else "P0"
        row = asked(run, at, f"{line} --format=csv,noheader,nounits -i 0")
        assert row == f"{top}, {memory}, {now}, {state}\n"
        assert values(shown(run, at), "DCGM_FI_DEV_MAX_SM_CLOCK") == [top] * 2
        assert values(shown(run, at), "DCGM_FI_DEV_MEM_CLOCK") == [now] * 2
        text = gpu_exporter_page.page(run, 0, at)
        for name, mhz in (("max_sm", top), ("max_memory", memory), ("current_memory", now)):
            assert values(text, f"nvidia_smi_clocks_{name}_clock_hz") == [1e6 * mhz] * 2, name
        assert asked(run, at, "dmon -s c -c 1 -i 0").splitlines()[-1].split()[1] == str(now)
        line = "--query-supported-clocks=mem,gr --format=csv,noheader,nounits -i 0"
        assert asked(run, at, line).startswith(f"{memory}, {top}\n")
        library, handle = Library(partial(node_at, run, 0, at)), ctypes.c_void_p()
        found = ctypes.c_uint()
        assert library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) == 0
        for which, mhz in ((1, top), (2, memory)):  # NVML_CLOCK_SM, NVML_CLOCK_MEM
            assert library.nvmlDeviceGetMaxClockInfo(handle, which, ctypes.byref(found)) == 0
            assert found.value == mhz
        assert library.nvmlDeviceGetClockInfo(handle, 2, ctypes.byref(found)) == 0
        assert found.value == now


# --- serial numbers ------------------------------------------------------------------------------


def test_only_a_board_with_a_serial_number_shows_one() -> None:
    """nvidia_gpu_exporter's page of an RTX 4080 SUPER has serial="[N/A]". A label whose value is
    blank is no label of dcgm-exporter (gpu_collector.go).
    """
    listed = "DCGM_FI_DEV_GPU_TEMP, gauge, x\nDCGM_FI_DEV_SERIAL, label, y\n"
    for gpu, serial in ((RTX_4090, r"\[N/A\]"), (A6000, r"1\d{12}"), (H100, r"1\d{12}")):
        run = run_on(gpu)
        at = 0.4 * run_ended(run)
        info = gpu_exporter_page.page(run, 0, at)
        assert len(re.findall(rf'serial="{serial}"', info)) == 2, gpu
        has = gpu != RTX_4090
        assert ("DCGM_FI_DEV_SERIAL" in shown(run, at, listed)) == has, gpu
        seen = gauges_of(run, tick_of(run, at), (0, 1))
        told = json.dumps(otlp.hardware(run.job, at, seen))
        assert ("hw.serial_number" in told) == has, gpu


@pytest.mark.parametrize(("gpu", "said"), [(RTX_4090, 0), (H100, 2)])
def test_the_driver_is_silent_about_a_serial_number_that_is_not_there(gpu: str, said: int) -> None:
    """open-gpu-kernel-modules, kernel_rc.c and osinit.c: `if serialNumber[0] != '\\0'`."""
    told = [each.text for each in lines(3, "gpu-lost", gpu=gpu) if each.stream == "kernel"]
    assert len([text for text in told if "serial" in text.lower()]) == said
    for text in ("NVRM: GPU at PCI:", "NVRM: Xid (PCI:", "GPU has fallen off the bus."):
        assert any(text in each for each in told), text


# --- memory --------------------------------------------------------------------------------------

# Metrics of ours that the exporter's page of an RTX 4080 SUPER has not, and that of an H100 has.
ECC = {
    f"ecc_errors_{kind}_{span}_total"
    for kind in ("corrected", "uncorrected") for span in ("aggregate", "volatile")
}  # fmt: skip
ROWS = {f"remapped_rows_{each}" for each in ("correctable", "failure", "pending", "uncorrectable")}


@pytest.mark.parametrize(
    ("gpu", "more", "fewer"),
    [
        (L40S, set(), {"temperature_memory"}),
        (RTX_3090, {"fan_speed_ratio"}, {*ECC, *ROWS, "ecc_mode_current", "temperature_memory"}),
    ],
)
def test_metrics_differ_as_those_of_captures_do(gpu: str, more: set[str], fewer: set[str]) -> None:
    names = []
    for each in (H100, gpu):
        run = run_on(each)
        text = gpu_exporter_page.page(run, 0, 0.4 * run_ended(run))
        names.append({*re.findall(r"^nvidia_smi_(\w+)\{", text, re.MULTILINE)})
    usual, mine = names
    assert mine - usual == more
    assert usual - mine == fewer


def test_a_card_whose_ecc_is_off_has_rows_all_the_same() -> None:
    """leptonai/gpud at 2175d7d3, nvidia-smi-query.535.154.05.out.0.valid.4090: ECC Mode Disabled,
    errors N/A, and the rows with 192 banks; the driver answers NVML's question for them, too.
    """
    run = run_on(RTX_4090)
    at = 0.4 * run_ended(run)
    told = asked(run, at, "-q -i 0")
    assert re.search(r"\n    ECC Mode\n        Current +: Disabled\n", told)
    assert re.search(
        r"\n    Remapped Rows\n        Correctable Error +: 0\n        Uncorrectable Error +: 0\n"
        r"        Pending +: No\n        Remapping Failure Occurred +: No\n"
        r"        Bank Remap Availability Histogram\n            Max +: 192 bank\(s\)\n",
        told,
    )
    text = shown(run, at)
    for name in ("DEV_UNCORRECTABLE_REMAPPED_ROWS", "DEV_ROW_REMAP_FAILURE"):
        assert values(text, f"DCGM_FI_{name}") == [0.0, 0.0]
    assert "DCGM_FI_DEV_ECC" not in text


def test_a_card_without_ecc_remaps_no_rows() -> None:
    """An RTX 4080 SUPER has `Remapped Rows : N/A`; DCGM's fields are blank then."""
    run = run_on(RTX_3090)
    at = 0.4 * run_ended(run)
    assert re.search(r"\n    Remapped Rows +: N/A\n", asked(run, at, "-q -i 0"))
    assert "<remapped_rows>N/A</remapped_rows>" in asked(run, at, "-q -x -i 0")
    query = "--query-gpu=remapped_rows.pending,remapped_rows.histogram.max --format=csv,noheader"
    assert asked(run, at, f"{query} -i 0") == "[N/A], [N/A]\n"
    assert not re.search(r"^DCGM_FI_DEV_(ECC|ROW_REMAP|\w*REMAPPED)", shown(run, at), re.MULTILINE)
    node = node_at(run, 0, at)
    library, handle = Library(lambda: node), ctypes.c_void_p()
    assert library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) == 0
    counts = [ctypes.byref(ctypes.c_uint()) for _ in range(4)]
    assert library.nvmlDeviceGetRemappedRows(handle, *counts) == NOT_SUPPORTED


# --- profiling -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu", "collected"),
    [(RTX_3090, False), (RTX_4090, False), (RTX_5090, True), (A6000, True), (L40S, True)],
)
def test_dcgm_profiles_no_geforce_before_blackwell(gpu: str, collected: bool) -> None:
    """NVIDIA/DCGM, issue 234, of GeForce: "supported starting with Blackwell GPUs". The exporter
    skips each line of a list that names such a field then (counter_config.go).
    """
    run = run_on(gpu)
    at = 0.4 * run_ended(run)
    listed = "DCGM_FI_DEV_GPU_TEMP, gauge, x\nDCGM_FI_PROF_SM_ACTIVE, gauge, y\n"
    for text in (shown(run, at), shown(run, at, listed)):
        assert len(values(text, "DCGM_FI_DEV_GPU_TEMP")) == 2
        assert ("DCGM_FI_PROF_" in text) == collected
    parts = openmetrics.begin(run, Settings(60.0)).parts
    assert "DEV_GPU_TEMP" in parts
    assert any(part.startswith("PROF_") for part in parts) == collected
