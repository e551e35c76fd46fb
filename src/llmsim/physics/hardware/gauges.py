"""Every gauge of one GPU, as views of its one latent state (telemetry.latents).

    activities        activities.py
    memory            used + free + reserved = total
    PCIe              what the network cards and the host take and bring, and saves
    NVLink            what the layout's collectives send inside the node

Anchors are public scrapes: an H100 in a training job at 572 and 602 W had SM activity 0.91-0.93,
occupancy 0.24-0.25, tensor 0.28, DRAM 0.18-0.21, fp32 0.05, PCIe 0.3e8-0.7e8 and 3e8-9e8 B/s,
NVLink 5e9 B/s (slurm-job-exporter, issue 30); idle 67-71 W, 26-29 C, all activities 0 (CNCF
evidence of NVIDIA/aicr); H100 memory 48 C idle and 54-59 C at 59-65 C of the GPU, H200 40-42 C at
52-54 C (captures of nvidia_gpu_exporter). MFU and tensor activity: r = 0.78 over 608 jobs, H100's
989 TFLOP/s at 1,830 MHz (arXiv 2605.20799).
"""

from collections.abc import Mapping
from math import fsum
from operator import add

from llmsim.catalog import boards, gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics.hardware import links
from llmsim.physics.hardware.activities import BUSY, Column, activities
from llmsim.physics.hardware.sites import MOST_CHIPS, chips_of
from llmsim.physics.hardware.telemetry import ACTIVITIES, Activity, Latents, doing, held_by_power
from llmsim.physics.hardware.troubles import HEALTHY, Fault
from llmsim.physics.hardware.utilization import utilizations
from llmsim.typed import Any, NamedTuple

# Degrees C of HBM over the air: of its own when idle, for each unit of its activity, and for each
# degree that the GPU beside it is above the air; by how much stacks differ.
HBM_IDLE, HBM_BUSY, HBM_BESIDE = 7.2, 18.0, 0.42
HBM_IDLE_SPREAD, HBM_BESIDE_SPREAD = 2.0, 0.09
# Where the cooling fails, HBM is at 95 degrees C when the GPU is at its slowdown mark: public
# reports of hot H100s have 84 to 90 of the GPU, and 95 and more of its memory.
HBM_HOT, GPU_HOT = 95.0, 87.0


class Gauges(NamedTuple):
    """What the exporters of a cluster show of one GPU at a moment."""

    gpu: int  # rank in the job
    activity: str
    power_watts: float
    energy_joules: float  # since the run's command, or a boot of its node after that
    temperature_c: int
    memory_temperature_c: int  # 0 where the memory has no sensor
    sm_clock_mhz: int
    memory_clock_mhz: int
    utilization_percent: int  # share of time with a kernel
    memory_utilization_percent: int  # share of time in which the memory was busy
    used_mib: int
    free_mib: int
    reserved_mib: int
    total_mib: int
    gr_engine_active: float  # shares of cycles, 0..1, from here on
    sm_active: float
    sm_occupancy: float
    tensor_active: float
    dram_active: float
    fp32_active: float
    pcie_sent_bytes_per_second: int
    pcie_received_bytes_per_second: int
    nvlink_sent_bytes_per_second: int
    nvlink_received_bytes_per_second: int
    power_capped_seconds: float  # the power limit held the clock back; counted as the energy is
    thermal_slowdown_seconds: float  # by software or hardware
    hardware_thermal_slowdown_seconds: float
    power_brake_slowdown_seconds: float
    clock_event_reasons: int  # a bit mask, as NVML has it
    performance_state: int  # P0 at work, P8 without a process on boards that have it
    pcie_replays: int
    xid: int  # the driver's last error code in this attempt; 0 is none
    uncorrectable_errors: int  # double-bit errors of the memory
    remapped_rows: int
    remap_pending: int  # until the GPU is reset
    aggregate_errors: int  # double-bit errors over the GPU's life
    correctable_errors: int  # single-bit errors
    aggregate_correctable_errors: int  # single-bit errors over the GPU's life
    link_crc_errors: int  # of NVLink
    link_replays: int
    link_recoveries: int


Columns = Mapping[str, list[Any]]  # a list a gauge, with a value a GPU


class Seconds(NamedTuple):
    """How long a GPU has been in an activity since the run's command."""

    activity: Activity
    seconds: float
    worked: float = 0.0  # the same with each second counted by its pace
    steady: float = 0.0  # of them, seconds at the usual pace
    limited: float = 0.0  # of them, seconds in which an incident's power limit held its clock back
    hot: float = 0.0  # the same of its heat
    braked: float = 0.0  # of them, seconds in which the chassis braked its power


class Card(NamedTuple):
    """What is the same for all GPUs of a run at all times."""

    memory_mhz: int
    idle_memory_mhz: int
    reserved_mib: int
    has_hbm: bool


@remembered()
def card_of(job: Job) -> Card:
    """What the card and its driver have."""
    gpu = job.gpu
    clocks = boards.clocks(gpu)
    return Card(
        memory_mhz=clocks.memory,
        idle_memory_mhz=clocks.idle_memory,
        reserved_mib=gpus.reserved_mib(gpu),
        has_hbm=gpus.has_hbm(gpu),
    )


_HOT_PART = 0.3  # of the seconds of an activity that is too hot at full speed


@remembered(MOST_CHIPS // 8)
def held_in(job: Job, ranks: range) -> tuple[tuple[Activity, Column, Column], ...]:
    """The activities in which the clocks of GPUs are held back: the parts of their seconds in
    which the power limit does it, and in which heat does.
    """
    found = []
    for activity in ACTIVITIES:
        capped = [held_by_power(job, gpu, activity) for gpu in ranks]
        hot = [_HOT_PART * doing(job, gpu, activity).hot for gpu in ranks]
        if any(capped) or any(hot):
            found.append((activity, capped, hot))
    return tuple(found)


def limited(spent: tuple[Seconds, ...]) -> float:
    """Seconds in which an incident's power limit has held clocks back."""
    return fsum(each.limited for each in spent)


def burning(spent: tuple[Seconds, ...]) -> float:
    """Seconds in which an incident's heat has held clocks back."""
    return fsum(each.hot for each in spent)


def _held_back(job: Job, ranks: range, spent: tuple[Seconds, ...]) -> dict[str, Column]:
    """Seconds in which the power limit has held each clock back, and in which heat has."""
    capped, hot = [limited(spent)] * len(ranks), [burning(spent)] * len(ranks)
    for activity, limits, heats in held_in(job, ranks):
        for each in spent:
            if each.activity == activity:
                capped = _longer(capped, limits, each.steady)
                hot = _longer(hot, heats, each.seconds)
    return {"power_capped_seconds": capped, "thermal_slowdown_seconds": hot}


@remembered(2)
def same(job: Job, activity: Activity, spent: tuple[Seconds, ...], count: int) -> Columns:
    """The gauges that are the same for all healthy GPUs that have had the same loads: columns for
    this many of them, which nobody changes.
    """
    card = card_of(job)
    values = {
        "activity": activity,
        "memory_clock_mhz": card.idle_memory_mhz if activity == "idle" else card.memory_mhz,
        "reserved_mib": card.reserved_mib,
        "total_mib": job.gpu.memory_mib,
        "hardware_thermal_slowdown_seconds": burning(spent),
        "power_brake_slowdown_seconds": fsum(each.braked for each in spent),
        "performance_state": 8 if activity == "idle" and not card.has_hbm else 0,
        **dict.fromkeys(_FAULTY, 0),
    }
    return {name: [value] * count for name, value in values.items()}


def _longer(before: Column, parts: Column, seconds: float) -> Column:
    return [each + part * seconds for each, part in zip(before, parts, strict=True)]


def _memory_celsius(job: Job, ranks: range, states: Latents, dram: Column) -> list[int]:
    """Degrees C of the memory: the air's, its own heat, and what the GPU beside it gives.

    H100: 48 at 41 C of the idle GPU, 59 at 65 C with little traffic; H200: 32 at 28, 42 at 54.
    """
    if not card_of(job).has_hbm:
        return [0] * len(ranks)
    made = []
    for chip, air, celsius, excess, busy in zip(
        chips_of(job, ranks), states.air_c, states.temperature_c, states.excess_c, dram,
        strict=True,
    ):  # fmt: skip
        usual = celsius - excess
        beside = (HBM_BESIDE + HBM_BESIDE_SPREAD * chip.stacks) * (usual - air)
        hot = air + (HBM_IDLE + HBM_IDLE_SPREAD * chip.stacks + HBM_BUSY * busy) + beside
        if excess:
            lost = min(1.0, excess / max(1.0, GPU_HOT - usual))
            hot += (HBM_HOT - hot) * lost + max(0.0, celsius - GPU_HOT)
        made.append(round(hot))
    return made


# Gauges of what is wrong with a GPU, and what they are in Fault.
_FAULTY = {
    "xid": "xid",
    "uncorrectable_errors": "uncorrectable_errors",
    "remapped_rows": "remapped_rows",
    "remap_pending": "remap_pending",
    "aggregate_errors": "aggregate_errors",
    "correctable_errors": "correctable_errors",
    "aggregate_correctable_errors": "aggregate_correctable_errors",
    "link_crc_errors": "crc_errors",
    "link_replays": "link_replays",
    "link_recoveries": "link_recoveries",
}


def columns_of(
    job: Job,
    ranks: range,
    at: float,
    states: Latents,
    joules: Column,
    spent: tuple[Seconds, ...],
    faults: list[Fault],
) -> Columns:
    """All gauges of GPUs of one node that have had the same loads: their latent states, energies
    and faults, and their common past, are given.
    """
    activity, card, count = states.activity, card_of(job), len(ranks)
    room, busy = job.gpu.memory_mib - card.reserved_mib, BUSY.get(states.activity, 0.0)
    percents = utilizations(job, ranks, at, activity)
    working = activities(job, ranks, at, states, percents)
    dram = working["dram_active"]
    pcie = links.pcie(job, ranks, at, states, busy * states.pace)
    nvlink = links.nvlink(job, ranks, at, states)
    columns: dict[str, list[Any]] = {
        **same(job, activity, spent, count),
        "gpu": [*ranks],
        "power_watts": [round(1e3 * each) / 1e3 for each in states.power_watts],
        "energy_joules": joules,
        "temperature_c": [*map(round, states.temperature_c)],
        "memory_temperature_c": _memory_celsius(job, ranks, states, dram),
        "sm_clock_mhz": states.sm_clock_mhz,
        "utilization_percent": percents,
        "memory_utilization_percent": [
            min(percent, round(115 * each)) for percent, each in zip(percents, dram, strict=True)
        ],
        "used_mib": states.memory_mib,
        "free_mib": [room - each for each in states.memory_mib],
        **working,
        "pcie_sent_bytes_per_second": pcie[0],
        "pcie_received_bytes_per_second": pcie[1],
        "nvlink_sent_bytes_per_second": nvlink[0],
        "nvlink_received_bytes_per_second": nvlink[1],
        **_held_back(job, ranks, spent),
        "clock_event_reasons": states.reasons,
        "pcie_replays": [chip.replays for chip in chips_of(job, ranks)],
    }
    if any(each is not HEALTHY for each in faults):
        columns |= {gauge: [getattr(each, of) for each in faults] for gauge, of in _FAULTY.items()}
        replays = [each.pcie_replays for each in faults]
        columns["pcie_replays"] = [*map(add, columns["pcie_replays"], replays)]
    return columns


def in_rows(columns: Columns) -> list[Gauges]:
    """Columns as the gauges of one GPU after the other."""
    rows = zip(*map(columns.__getitem__, Gauges._fields), strict=True)
    return [*map(Gauges._make, rows)]
