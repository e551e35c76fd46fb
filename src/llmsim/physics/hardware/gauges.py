"""Every gauge of one GPU, as views of its one latent state (telemetry.latent).

    tensor activity   MFU x peak clock / clock, and what is recomputed on top (hardware FLOPs)
    DRAM activity     0.7 of the tensor activity on an H100, less where memory is faster
    SM activity       how long a step has any kernel on an SM: collectives spin there, too
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

from math import fsum

from llmsim.catalog import gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.hardware import links
from llmsim.physics.hardware.sites import MOST_CHIPS, chip_of
from llmsim.physics.hardware.telemetry import (
    ACTIVITIES,
    Activity,
    Doing,
    Latent,
    doing,
    doings,
)
from llmsim.physics.hardware.utilization import utilizations
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import mfu
from llmsim.typed import NamedTuple

# Hardware FLOPs for a model's FLOPs: what recomputation adds.
_RECOMPUTED = {"none": 1.0, "selective": 1.03, "full": 4 / 3}
_DRAM_OF_TENSOR = 0.70  # on an H100, which has 989 TFLOP/s and 3.35 TB/s
_H100_FLOPS_PER_BYTE = 989 / 3.35
_DRAM_PEAK = 0.8  # practical peak of the ratio
_BUSY = {"training": 1.0, "validation": 0.9}
# Degrees C of HBM over the air: of its own when idle, for each unit of its activity, and for each
# degree that the GPU beside it is above the air; by how much stacks differ.
_HBM_IDLE, _HBM_BUSY, _HBM_BESIDE = 7.2, 18.0, 0.42
_HBM_IDLE_SPREAD, _HBM_BESIDE_SPREAD = 2.0, 0.09
# Where the cooling fails, HBM is at 95 degrees C when the GPU is at its slowdown mark: public
# reports of hot H100s have 84 to 90 of the GPU, and 95 and more of its memory.
_HBM_HOT, _GPU_HOT = 95.0, 87.0


class Gauges(NamedTuple):
    """What the exporters of a cluster show of one GPU at a moment."""

    gpu: int  # rank in the job
    activity: str
    power_watts: float
    energy_joules: float  # since the run's command
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
    power_capped_seconds: float  # since the run's command
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
    link_crc_errors: int  # of NVLink
    link_replays: int
    link_recoveries: int


class Fault(NamedTuple):
    """What the driver and the counters say of a GPU that has or had something wrong."""

    xid: int = 0  # the last error code since the GPU's reset
    lost: bool = False  # whether it has fallen off the bus
    uncorrectable_errors: int = 0  # since the reset
    aggregate_errors: int = 0  # the same over the GPU's life
    correctable_errors: int = 0
    remapped_rows: int = 0
    remap_pending: int = 0  # until the GPU is reset
    crc_errors: int = 0  # of NVLink
    link_replays: int = 0
    link_recoveries: int = 0
    pcie_replays: int = 0


HEALTHY = Fault()


class Seconds(NamedTuple):
    """How long a GPU has been in an activity since the run's command."""

    activity: Activity
    seconds: float
    worked: float = 0.0  # the same with each second counted by its pace
    hot: float = 0.0  # of them, seconds in which an incident's heat held its clock back
    braked: float = 0.0  # of them, seconds in which the chassis braked its power


class _Card(NamedTuple):
    """What is the same for all GPUs of a run at all times."""

    tensor_mhz: float  # tensor activity in a steady step, times the SM clock
    dram_of_tensor: float
    memory_mhz: int
    reserved_mib: int
    has_hbm: bool


@remembered()
def _card(job: Job) -> _Card:
    gpu = job.gpu
    steady = mfu(job, batch_tokens(job) / step_seconds(job))
    flops_per_byte = gpu.tflops / gpu.hbm_tb_s
    return _Card(
        tensor_mhz=steady * _RECOMPUTED[job.layout.recompute] * gpus.peak_clock_mhz(gpu),
        dram_of_tensor=_DRAM_OF_TENSOR * flops_per_byte / _H100_FLOPS_PER_BYTE,
        memory_mhz=gpus.memory_clock_mhz(gpu),
        reserved_mib=gpus.reserved_mib(gpu),
        has_hbm=gpus.has_hbm(gpu),
    )


def _reasons(job: Job, ranks: range, at: float, activity: Activity, usual: list[Doing]
) -> list[int]:  # fmt: skip
    """NVML's masks of why clocks are not higher: idle 1, power limit 4, heat 0x20."""
    if activity == "idle":
        return [0x1] * len(ranks)
    if not any(each.capped for each in usual):
        return [0x20 if each.hot else 0 for each in usual]
    first = int(at) * 1_000_003 + ranks.start
    draws = noise.uniforms(job.seed, "gauge capped", first, len(ranks))
    return [
        (0x20 if each.hot else 0) | (0x4 if draw < each.capped else 0)
        for draw, each in zip(draws, usual, strict=True)
    ]


_HOT_PART = 0.3  # of the seconds of an activity that is too hot at full speed


@remembered(MOST_CHIPS)
def _held_in(job: Job, gpu: int) -> tuple[tuple[Activity, float, float], ...]:
    """The activities in which a GPU's clock is held back: the parts of their seconds in which the
    power limit does it, and in which heat does.
    """
    found = ((activity, doing(job, gpu, activity)) for activity in ACTIVITIES)
    return tuple(
        (activity, usual.capped, _HOT_PART if usual.hot else 0.0)
        for activity, usual in found
        if usual.capped or usual.hot
    )


def _held_back(
    job: Job, ranks: range, spent: tuple[Seconds, ...]
) -> list[tuple[float, float, float, float]]:
    """Seconds in which the power limit has held each clock back, in which heat has, in which the
    hardware has because of heat, and in which the chassis has braked it.
    """
    seconds = {each.activity: each.seconds for each in spent}
    burning, braked = fsum(each.hot for each in spent), fsum(each.braked for each in spent)
    made = []
    for gpu in ranks:
        capped, hot = 0.0, burning
        for activity, limited, heated in _held_in(job, gpu):
            capped += limited * seconds.get(activity, 0.0)
            hot += heated * seconds.get(activity, 0.0)
        made.append((capped, hot, burning, braked))
    return made


def _memory_celsius(job: Job, gpu: int, state: Latent, dram: float) -> int:
    """Degrees C of the memory: the air's, its own heat, and what the GPU beside it gives.

    H100: 48 at 41 C of the idle GPU, 59 at 65 C with little traffic; H200: 32 at 28, 42 at 54.
    """
    stacks, air = chip_of(job, gpu).stacks, state.air_c
    usual = state.temperature_c - state.excess_c
    beside = (_HBM_BESIDE + _HBM_BESIDE_SPREAD * stacks) * (usual - air)
    cooled = air + (_HBM_IDLE + _HBM_IDLE_SPREAD * stacks + _HBM_BUSY * dram) + beside
    if not state.excess_c:
        return round(cooled)
    lost = min(1.0, state.excess_c / max(1.0, _GPU_HOT - usual))
    return round(cooled + (_HBM_HOT - cooled) * lost + max(0.0, state.temperature_c - _GPU_HOT))


class _Working(NamedTuple):
    """How hard the parts of a GPU work, as shares of cycles in six decimals."""

    engine: float
    sm: float
    occupancy: float
    tensor: float
    dram: float
    fp32: float


def _working(job: Job, states: list[Latent], busy: float, percents: list[int]) -> list[_Working]:
    """How hard the GPUs of a node work."""
    card, first, made = _card(job), states[0], []
    hangs, dram_of_tensor = first.activity == "hang", card.dram_of_tensor
    usual = 0.921 + 0.008 * max(-2.0, min(2.0, first.common))
    tensor_mhz = busy * first.pace * card.tensor_mhz
    for state, percent in zip(states, percents, strict=True):
        off = max(-2.0, min(2.0, state.own))
        own, sm = 1.0 + 0.012 * off, 0.0
        if busy:
            sm = min(0.97, usual * own)
        elif hangs:  # one kernel of NCCL's spins on a few SMs
            sm = 0.1 * own
        tensor = min(sm, tensor_mhz / state.sm_clock_mhz * (1.0 + 0.006 * off))
        made.append(_Working(
            # Profiling counters are means over the interval, the utilization is one second's.
            round(1e6 * min(1.0, sm + 0.02)) / 1e6 if sm else percent / 250,
            round(1e6 * sm) / 1e6,
            round(0.2665e6 * sm) / 1e6,
            round(1e6 * tensor) / 1e6,
            min(_DRAM_PEAK, dram_of_tensor * tensor),
            round(0.0575e6 * sm * own) / 1e6,
        ))  # fmt: skip
    return made


def gauges(
    job: Job,
    ranks: range,
    at: float,
    states: list[Latent],
    joules: list[float],
    spent: tuple[Seconds, ...],
    faults: list[Fault],
) -> list[Gauges]:
    """All gauges of GPUs of one node that have had the same loads: their latent states, energies
    and faults are given one by one, and their common past.
    """
    activity, pace, card, total = states[0].activity, states[0].pace, _card(job), job.gpu.memory_mib
    has_hbm, reserved = card.has_hbm, card.reserved_mib
    busy, room = _BUSY.get(activity, 0.0), total - reserved
    percents = utilizations(job, ranks, at, activity)
    made = []
    for gpu, state, energy, percent, working, pcie, nvlink, held, reasons, fault in zip(
        ranks,
        states,
        joules,
        percents,
        _working(job, states, busy, percents),
        links.pcie(job, ranks, at, states, busy * pace),
        links.nvlink(job, ranks, at, states),
        _held_back(job, ranks, spent),
        _reasons(job, ranks, at, activity, doings(job, ranks, activity)),
        faults,
        strict=True,
    ):
        used, dram = min(state.memory_mib, room), working.dram
        made.append(Gauges(  # in the order of its fields: naming 40 takes as long as all else
            gpu,
            activity,
            round(1e3 * state.power_watts) / 1e3,
            energy,
            round(state.temperature_c),
            _memory_celsius(job, gpu, state, dram) if has_hbm else 0,
            state.sm_clock_mhz,
            card.memory_mhz,
            percent,
            min(percent, round(115 * dram)),
            used,
            room - used,
            reserved,
            total,
            working.engine,
            working.sm,
            working.occupancy,
            working.tensor,
            round(1e6 * dram) / 1e6,
            working.fp32,
            pcie[0],
            pcie[1],
            nvlink[0],
            nvlink[1],
            held[0],
            held[1],
            held[2],
            held[3],
            reasons | state.reasons,
            8 if activity == "idle" and not has_hbm else 0,
            chip_of(job, gpu).replays + fault.pcie_replays,
            fault.xid,
            fault.uncorrectable_errors,
            fault.remapped_rows,
            fault.remap_pending,
            fault.aggregate_errors,
            fault.correctable_errors,
            fault.crc_errors,
            fault.link_replays,
            fault.link_recoveries,
        ))  # fmt: skip
    return made
