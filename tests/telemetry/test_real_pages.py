"""Real pages and captures beside ours: they lie where nine tenths of our values lie.

Ten public sources, of the same GPU in the same phase. A load that no phase of a training is like
(gpu-burn, dcgmproftester, inference) is compared in what the load does not decide.
"""

from collections.abc import Iterator
from functools import cache

import pytest

from llmsim.catalog import gpus as catalog
from llmsim.catalog.boards import clocks
from llmsim.catalog.records import Gpu
from llmsim.physics.hardware.gauges import Gauges, columns_of
from llmsim.physics.hardware.telemetry import Latents
from llmsim.physics.hardware.troubles import HEALTHY
from llmsim.run.moment import loads
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry.dcgm import FIELDS
from llmsim.telemetry.dcgm_counters import counters
from llmsim.telemetry.dcgm_page import Exporter, page
from llmsim.telemetry.dcgm_versions import version_named
from llmsim.telemetry.samples import gauges_of, tick_of
from llmsim.typed import NamedTuple
from tests.runs import job_of

H100, H200, A100 = "H100 80GB HBM3", "H200", "A100-SXM4-40GB"
RECIPES = ("pretrain", "continue", "sft", "lora", "dpo")
SEEDS = 60


class Capture(NamedTuple):
    """Figures of a public source, by our names of the gauges."""

    source: str
    gpu: str
    phase: str  # idle, context, training or fsdp
    values: dict[str, tuple[float, ...]]


CAPTURES = (
    Capture("NVIDIA/aicr, CNCF conformance evidence: 8 H100, driver 580.105.08", H100, "idle", {
        "temperature_c": (26, 29), "power_watts": (67.03, 70.85),
        "utilization_percent": (0,), "memory_utilization_percent": (0,),
    }),
    Capture("the same: an idle vLLM", H100, "context", {
        "power_watts": (110.786,), "temperature_c": (29,), "utilization_percent": (0,),
        "memory_utilization_percent": (0,),
    }),
    Capture("guilbaults/slurm-job-exporter, issue 30", H100, "training", {
        "power_watts": (572.191, 601.753), "used_mib": (32429, 28617),
        "sm_active": (0.9126, 0.9322), "sm_occupancy": (0.2445, 0.2477),
        "tensor_active": (0.2794, 0.2831), "dram_active": (0.2137, 0.1827),
        "fp32_active": (0.0540, 0.0519),
        "pcie_sent_bytes_per_second": (67_358_889, 26_973_102),
        "pcie_received_bytes_per_second": (873_509_672, 304_185_631),
        "nvlink_sent_bytes_per_second": (4_991_556_833, 5_062_558_183),
        "nvlink_received_bytes_per_second": (4_991_558_873,),
    }),
    Capture("KempnerInstitute/kempnerpulse, issues 10 and 11: FSDP on 4 H200", H200, "fsdp", {
        "DEV_NVLINK_BANDWIDTH_TOTAL": (
            220_000, 154_000, 201_777, 200_419, 203_864, 205_247, 111_323, 127_072,
        ),
    }),
    Capture("DigitalOcean's pages on GPUs, driver 535.183.01", H100, "idle", {
        "sm_clock_mhz": (345,), "memory_clock_mhz": (2619,),
    }),
    Capture("utkuozdemir/nvidia_gpu_exporter, internal/captures, H100", H100, "idle", {
        "power_watts": (69.85,), "temperature_c": (41,), "memory_temperature_c": (47, 48),
        "sm_clock_mhz": (345,), "memory_clock_mhz": (2619,), "used_mib": (0,),
        "reserved_mib": (479,), "free_mib": (81081,), "total_mib": (81559,),
    }),
    Capture("the same, gpu-burn", H100, "training", {
        "temperature_c": (59, 63, 65), "memory_temperature_c": (54, 55, 57, 59),
        "memory_clock_mhz": (2619,), "power_watts": (631.95, 636),
    }),
    Capture("the same, H200", H200, "idle", {
        "power_watts": (77.71,), "temperature_c": (28,), "memory_temperature_c": (32,),
        "sm_clock_mhz": (345,), "memory_clock_mhz": (3201,), "used_mib": (0,),
        "reserved_mib": (614,), "total_mib": (143771,),
    }),
    Capture("the same, H200, gpu-burn", H200, "training", {
        "temperature_c": (52, 54), "memory_clock_mhz": (3201,), "power_watts": (627.4, 632),
    }),
)  # fmt: skip


def band(values: list[float]) -> tuple[float, float]:
    """Where nine tenths of the values lie."""
    ordered = sorted(values)
    return ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]


def jobs_on(gpu: str, phase: str) -> Iterator[Run]:
    """Runs of all recipes: with the micro-batch that fits, with one sequence, and with one short
    sequence, as people try all of them; the FSDP of that capture moves as much as one sequence at
    a time does.
    """
    for seed in range(SEEDS):
        asked: dict[str, object] = {"recipe": RECIPES[seed % len(RECIPES)], "gpus": 8}
        if phase == "training" and seed % 2:
            asked["micro_batch"] = 1
            if seed % 4 == 1:
                asked["sequence"] = 512
        elif phase == "fsdp":
            asked |= {"recipe": RECIPES[seed % 3], "gpus": 4, "sharding": "fsdp2", "micro_batch": 1}
        yield run_of(job_of(seed=seed, gpu=gpu, dialect="pytorch", incidents="none", **asked))


def moments(run: Run, phase: str) -> tuple[float, ...]:
    """When a run is in a phase."""
    if phase == "idle":
        return (1e-3,)
    if phase == "context":
        begun = [load.began for load in loads(run, 0.3 * run_ended(run))
                 if load.activity == "starting"]  # fmt: skip
        return (begun[-1] + 5.0,)
    return (0.3 * run_ended(run), 0.6 * run_ended(run))


@cache
def seen(gpu: str, phase: str) -> tuple[tuple[Run, Gauges], ...]:
    """The gauges of many GPUs in a phase."""
    wanted = {"idle": "idle", "context": "starting"}.get(phase, "training")
    return tuple(
        (run, each)
        for run in jobs_on(gpu, phase)
        for at in moments(run, phase)
        for each in gauges_of(run, tick_of(run, at), range(run.job.layout.gpus), energy=False)
        if each.activity == wanted
    )


def values_of(gpu: str, phase: str, name: str) -> list[float]:
    """A gauge, or a field of the exporter, of all of them."""
    field = next((each for each in FIELDS if each.name == name), None)
    if field:
        return [field.value(run.job, each) for run, each in seen(gpu, phase)]
    return [getattr(each, name) for _, each in seen(gpu, phase)]


ROWS = [(capture, name) for capture in CAPTURES for name in capture.values]


@pytest.mark.long
@pytest.mark.parametrize(("capture", "name"), ROWS, ids=lambda each: getattr(each, "source", each))
def test_a_real_capture_lies_in_our_band(capture: Capture, name: str) -> None:
    # A driver rounds each part of the memory down by itself: parts and total differ by 1.
    slack = 1 if name.endswith("_mib") else 0
    low, high = band(values_of(capture.gpu, capture.phase, name))
    for value in capture.values[name]:
        assert low - slack <= value <= high + slack, f"{name}: {value} is not in {low}..{high}"


# --- loads that are no training ------------------------------------------------------------------


@pytest.mark.long
def test_memory_under_little_traffic_is_as_warm_as_in_gpu_burn() -> None:
    """An H200 at 628 W: GPU 53, memory 41 or 42 C, memory busy for 8 %; an H100 at 634 W: GPU 64,
    memory 58 or 59 C, memory busy for 9 %. In each the air follows from the idle GPU (24 and 38 C).
    """
    for gpu, watts, air, celsius, found in ((H200, 628.0, 24.4, 53.0, (41, 42)),
                                            (H100, 634.0, 38.0, 64.0, (58, 59))):  # fmt: skip
        made = []
        for run in jobs_on(gpu, "idle"):
            job = run.job
            ranks, none = range(8), [0.0] * 8
            state = Latents(
                "hang", 1.0, 0.0, [watts] * 8, [celsius] * 8, [1980] * 8, [0] * 8, [20_000] * 8,
                none, none, [air] * 8, none,
            )  # fmt: skip
            seen = columns_of(job, ranks, 0.0, state, none, (), [HEALTHY] * 8)
            # The traffic of that load.
            made += [each + 18.0 * 0.08 / 1.15 for each in seen["memory_temperature_c"]]
        low, high = band(made)
        assert all(low - 0.5 <= value <= high + 0.5 for value in found), (gpu, low, high)


def test_a_card_without_hbm_shows_what_an_rtx_4000_ada_shows() -> None:
    """linode/lke-ai-conformance: MEMORY_TEMP 0, NVLINK 0, MEM_CLOCK 9001; 20,015 MiB free, 1 used,
    457 reserved, and XID 0 with its text, of a release before DCGM 4.5. An L40S has the same memory
    clock. Ours without a process is in P8, where captures of nvidia-smi have 405 MHz.
    """
    run = run_of(job_of(seed=1, gpu="L40S", gpus=1, dialect="pytorch", recipe="lora"))
    (each,) = gauges_of(run, tick_of(run, 1e-3), (0,))
    assert (each.memory_temperature_c, each.nvlink_sent_bytes_per_second) == (0, 0)
    assert (each.performance_state, each.memory_clock_mhz) == (8, 405)
    assert clocks(run.job.gpu).memory == 9001
    assert each.used_mib + each.free_mib + each.reserved_mib == each.total_mib
    assert pytest.approx(20_475, abs=2) == 20_015 + 1 + 457
    card = run.job.gpu._replace(memory_mib=20_475)
    assert catalog.reserved_mib(card) == pytest.approx(457, rel=0.25)
    assert 'err_code="0",err_msg="No Error"' in xid_lines(run, "4.7.1")


def xid_lines(run: Run, version: str) -> str:
    """What the page of a release has of XID_ERRORS."""
    layout = version_named(version)
    text = page(run, 0, 1e-3, Exporter(layout, counters("default", layout), "none", 0.0))
    return "\n".join(line for line in text.splitlines() if line.startswith("DCGM_FI_DEV_XID"))


def test_a_clean_gpu_has_a_zero_before_dcgm_4_5_and_nothing_since() -> None:
    """dcgm-exporter, issue 700: dcgmi dmon prints 0 with DCGM 4.4.1, and N/A with 4.5.3."""
    run = run_of(job_of(seed=1, gpu=H100, gpus=8, dialect="pytorch", recipe="pretrain"))
    assert xid_lines(run, "4.7.1").count("} 0") == 8
    assert xid_lines(run, "4.8.2") == ""


@pytest.mark.long
def test_no_training_passes_what_a_synthetic_load_reaches() -> None:
    """dcgmproftester on an A100 (NVIDIA's pages): tensor 0.929, DRAM 0.691, engine 0.9956; the
    used and the free memory, without what is reserved: 40,535 of 40,960 MiB.
    """
    for name, most in (("tensor_active", 0.929), ("dram_active", 0.691),
                       ("gr_engine_active", 0.9956)):  # fmt: skip
        assert band(values_of(A100, "training", name))[1] <= most, name
    card = run_gpu(A100)
    assert card.memory_mib - catalog.reserved_mib(card) == pytest.approx(35_690 + 4_845, rel=0.01)


def run_gpu(name: str) -> Gpu:
    """The row of a GPU."""
    return job_of(seed=1, gpu=name, gpus=8, dialect="pytorch").gpu


@pytest.mark.long
def test_memory_of_a_liquid_cooled_rack_is_as_warm_as_in_inference() -> None:
    """Azure/ai-infrastructure-on-azure: GB300 at inference, tensor 0.01-0.12, HBM 40 to 46 C: more
    than idle at the least, less than training at the most.
    """
    coolest = band([float(each.memory_temperature_c) for _, each in seen("GB300", "idle")])[0]
    warmest = band([float(each.memory_temperature_c) for _, each in seen("GB300", "training")])[1]
    assert coolest <= 40
    assert warmest >= 46
