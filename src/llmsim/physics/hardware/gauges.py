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
from llmsim.job.records import Job, batch_tokens, gpus_per_node
from llmsim.physics import noise
from llmsim.physics.hardware import storage
from llmsim.physics.hardware.sites import chip_of
from llmsim.physics.hardware.telemetry import (
    Activity,
    Doing,
    Latent,
    doing,
    utilization,
)
from llmsim.physics.speed.collectives import flows, sent_per_byte
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import mfu
from llmsim.typed import NamedTuple

# Hardware FLOPs for a model's FLOPs: what recomputation adds.
_RECOMPUTED = {"none": 1.0, "selective": 1.03, "full": 4 / 3}
_DRAM_OF_TENSOR = 0.70  # on an H100, which has 989 TFLOP/s and 3.35 TB/s
_H100_FLOPS_PER_BYTE = 989 / 3.35
_DRAM_PEAK = 0.8  # practical peak of the ratio
_STEP = 2.0 / 0xFFFF
_BUSY = {"training": 1.0, "validation": 0.9}
_PCIE_IDLE = 3.0e6  # B/s
# B/s that a training process gets from its host, batches and kernels' arguments, and how far that
# wavers from one second to the next; and the same of what it sends.
_PCIE_HOST, _PCIE_HOST_WAVERS = 5.4e8, 0.8
_PCIE_BACK, _PCIE_BACK_WAVERS = 4.9e7, 0.6
# How far the links' traffic wavers from one look to the next: 12 to 25 GB/s in four looks at a
# training, while its GPUs differ by 1 % (KempnerInstitute/kempnerpulse, issues 10 and 11).
_NVLINK_WAVERS = 0.5
# Degrees C of HBM over the air: of its own when idle, for each unit of its activity, and for each
# degree that the GPU beside it is above the air; by how much stacks differ.
_HBM_IDLE, _HBM_BUSY, _HBM_BESIDE = 7.2, 18.0, 0.42
_HBM_IDLE_SPREAD, _HBM_BESIDE_SPREAD = 2.0, 0.09


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
    thermal_slowdown_seconds: float
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
    hot: float = 0.0  # of them, seconds that heat or a brake held its clock back


class _Card(NamedTuple):
    """What is the same for all GPUs of a run at all times."""

    tensor_mhz: float  # tensor activity in a steady step, times the SM clock
    dram_of_tensor: float
    memory_mhz: int
    reserved_mib: int
    has_hbm: bool
    has_fast_link: bool
    pcie_bytes_per_second: float


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
        has_fast_link=gpus.has_fast_link(gpu),
        pcie_bytes_per_second=(32 if gpus.generation(gpu) == "Ampere" else 64) * 1e9,
    )


@remembered()
def network_bytes_per_second(job: Job) -> float:
    """What one GPU's network card sends while training, B/s; rings carry it, a part each."""
    per_node = gpus_per_node(job) * gpus.linked_nodes(job.gpu)
    sent = fsum(
        flow.calls * flow.size * sent_per_byte(flow.operation, flow.ranks) / flow.ranks_per_node
        for flow in flows(job.architecture, job.gpu, job.layout, job.schedule.sequence)
        if flow.ranks > min(per_node, flow.ranks_per_node)
    )
    return min(job.gpu.nic_gb_s * 1e9, sent / step_seconds(job))


def _wavering(job: Job, stream: str, index: int, at: float) -> tuple[float, float, float, float]:
    """Four numbers from -1 to 1 that are others in each second: rates between two looks waver."""
    word = noise.bits(job.seed, stream, int(at) * 1_000_003 + index)
    return (
        (word & 0xFFFF) * _STEP - 1.0,
        (word >> 16 & 0xFFFF) * _STEP - 1.0,
        (word >> 32 & 0xFFFF) * _STEP - 1.0,
        (word >> 48) * _STEP - 1.0,
    )


def _pcie(job: Job, gpu: int, at: float, state: Latent, busy: float) -> tuple[int, int]:
    """Bytes per second over the GPU's PCIe link, sent and received."""
    idle, back, host, cards = _wavering(job, "gauge pcie", gpu, at)
    card = _card(job)
    sent = received = _PCIE_IDLE * (1.0 + 0.9 * idle)
    if busy:
        network = network_bytes_per_second(job) * busy * (1.0 + 0.3 * cards)
        sent += network + _PCIE_BACK * (1.0 + _PCIE_BACK_WAVERS * back)
        received += network + _PCIE_HOST * (1.0 + _PCIE_HOST_WAVERS * host)
        if not card.has_fast_link:
            sent += state.link_gb_s * 1e9
            received += state.link_gb_s * 1e9
    elif state.activity == "checkpoint":
        seconds = storage.save_seconds(job, job.schedule.save_every)
        sent += storage.checkpoint_bytes(job) / job.layout.gpus / seconds
    elif state.activity == "loading":
        received += 1.2e9 * (1.0 + 0.5 * host)
    limit = card.pcie_bytes_per_second
    return int(min(sent, limit)), int(min(received, limit))


def _nvlink(job: Job, gpu: int, at: float, state: Latent) -> tuple[int, int]:
    """Bytes per second over the GPU's NVLinks, sent and received: all ranks move in one rhythm."""
    if not state.link_gb_s or not _card(job).has_fast_link:
        return 0, 0
    rhythm = _wavering(job, "gauge nvlink rhythm", 0, at)[0]
    sent, received, _, _ = _wavering(job, "gauge nvlink", gpu, at)
    rate = state.link_gb_s * 1e9 * (1.0 + _NVLINK_WAVERS * rhythm)
    return int(rate * (1.0 + 0.01 * sent)), int(rate * (1.0 + 0.01 * received))


def _reasons(job: Job, gpu: int, at: float, activity: Activity, usual: Doing) -> int:
    """NVML's mask of why clocks are not higher: idle 1, power limit 4, heat 0x20."""
    if activity == "idle":
        return 0x1
    mask = 0x20 if usual.hot else 0
    if usual.capped:
        draw = noise.uniform(job.seed, "gauge capped", int(at) * 1_000_003 + gpu)
        mask |= 0x4 if draw < usual.capped else 0
    return mask


def _held_back(job: Job, gpu: int, spent: tuple[Seconds, ...]) -> tuple[float, float]:
    """Seconds in which the power limit has held the clock back, and in which heat has."""
    capped, hot = [], []
    for each in spent:
        usual = doing(job, gpu, each.activity)
        capped.append(each.seconds * usual.capped)
        hot.append(each.hot + (0.3 * each.seconds if usual.hot else 0.0))
    return fsum(capped), fsum(hot)


def _memory_celsius(job: Job, gpu: int, state: Latent, dram: float) -> int:
    """Degrees C of the memory: the air's, its own heat, and what the GPU beside it gives.

    H100: 48 at 41 C of the idle GPU, 59 at 65 C with little traffic; H200: 32 at 28, 42 at 54.
    """
    stacks = chip_of(job, gpu).stacks
    beside = (_HBM_BESIDE + _HBM_BESIDE_SPREAD * stacks) * (state.temperature_c - state.air_c)
    own = _HBM_IDLE + _HBM_IDLE_SPREAD * stacks + _HBM_BUSY * dram
    return round(state.air_c + own + beside)


def gauges(
    job: Job,
    gpu: int,
    at: float,
    state: Latent,
    joules: float,
    spent: tuple[Seconds, ...],
    fault: Fault = HEALTHY,
) -> Gauges:
    """All gauges of a GPU whose latent state, energy, past and faults are given."""
    activity, card, total = state.activity, _card(job), job.gpu.memory_mib
    busy = _BUSY.get(activity, 0.0)
    small = 1.0 + 0.006 * max(-2.0, min(2.0, state.own))
    own = 1.0 + 0.012 * max(-2.0, min(2.0, state.own))
    sm_active = (
        min(0.97, (0.921 + 0.008 * max(-2.0, min(2.0, state.common))) * own) if busy else 0.0
    )
    if activity == "hang":  # one kernel of NCCL's spins on a few SMs
        sm_active = 0.1 * own
    tensor = min(sm_active, busy * state.pace * card.tensor_mhz / state.sm_clock_mhz * small)
    dram = min(_DRAM_PEAK, card.dram_of_tensor * tensor)
    used = min(state.memory_mib, total - card.reserved_mib)
    pcie_sent, pcie_received = _pcie(job, gpu, at, state, busy * state.pace)
    sent, received = _nvlink(job, gpu, at, state)
    power_capped, thermal_slowdown = _held_back(job, gpu, spent)
    percent = utilization(job, gpu, at, activity)
    celsius = round(state.temperature_c)
    return Gauges(
        gpu=gpu,
        activity=activity,
        power_watts=round(state.power_watts, 3),
        energy_joules=joules,
        temperature_c=celsius,
        memory_temperature_c=_memory_celsius(job, gpu, state, dram) if card.has_hbm else 0,
        sm_clock_mhz=state.sm_clock_mhz,
        memory_clock_mhz=card.memory_mhz,
        utilization_percent=percent,
        memory_utilization_percent=min(percent, round(115 * dram)),
        used_mib=used,
        free_mib=total - card.reserved_mib - used,
        reserved_mib=card.reserved_mib,
        total_mib=total,
        # Profiling counters are means over the interval, the utilization is that of one second.
        gr_engine_active=round(min(1.0, sm_active + 0.02), 6) if sm_active else percent / 250,
        sm_active=round(sm_active, 6),
        sm_occupancy=round(0.2665 * sm_active, 6),
        tensor_active=round(tensor, 6),
        dram_active=round(dram, 6),
        fp32_active=round(0.0575 * sm_active * own, 6),
        pcie_sent_bytes_per_second=pcie_sent,
        pcie_received_bytes_per_second=pcie_received,
        nvlink_sent_bytes_per_second=sent,
        nvlink_received_bytes_per_second=received,
        power_capped_seconds=power_capped,
        thermal_slowdown_seconds=thermal_slowdown,
        clock_event_reasons=_reasons(job, gpu, at, activity, doing(job, gpu, activity))
        | state.reasons,
        performance_state=8 if activity == "idle" and not card.has_hbm else 0,
        pcie_replays=chip_of(job, gpu).replays + fault.pcie_replays,
        xid=fault.xid,
        uncorrectable_errors=fault.uncorrectable_errors,
        remapped_rows=fault.remapped_rows,
        remap_pending=fault.remap_pending,
        aggregate_errors=fault.aggregate_errors,
        correctable_errors=fault.correctable_errors,
        link_crc_errors=fault.crc_errors,
        link_replays=fault.link_replays,
        link_recoveries=fault.link_recoveries,
    )
