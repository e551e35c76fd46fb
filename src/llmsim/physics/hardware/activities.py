"""How hard the parts of a GPU work, as DCGM's profiling counters say: shares of cycles, 0 to 1.

    tensor activity   MFU x peak clock / clock, and what is recomputed on top (hardware FLOPs)
    DRAM activity     0.7 of the tensor activity on an H100, less where memory is faster; each GPU
                      has a part of its own, as it has of the next three
    SM activity       how long a step has any warp on an SM: collectives spin there, too
    engine activity   how long there is any kernel

Each GPU has ratios of its own, which waver a little from second to second: no gauge is a fixed part
of another. Anchors are the public scrapes that gauges.py names.
"""

from llmsim.catalog import gpus
from llmsim.catalog.power_limits import unlimited
from llmsim.job.memo import remembered
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.hardware.sites import chips_of
from llmsim.physics.hardware.telemetry import Latents
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import mfu
from llmsim.typed import NamedTuple

# Hardware FLOPs for a model's FLOPs: what recomputation adds.
_RECOMPUTED = {"none": 1.0, "selective": 1.03, "full": 4 / 3}
_DRAM_OF_TENSOR = 0.70  # on an H100, which has 989 TFLOP/s and 3.35 TB/s
_H100_FLOPS_PER_BYTE = 989 / 3.35
DRAM_PEAK = 0.8  # practical peak of the ratio
# By how much DRAM activity for the same tensor activity differs from GPU to GPU, and wavers: the
# two H100 of the scrape below have .76 and .65 of it.
TRAFFIC_OWN, TRAFFIC_WAVERS = 0.10, 0.03
# SM activity: usual, of a node's noise, of each GPU, wavering, at the most; and while it hangs.
SM_USUAL, SM_NODE, SM_OWN, SM_WAVERS, SM_MOST = 0.921, 0.008, 0.012, 0.008, 0.97
HANGING = 0.1  # one kernel of NCCL's spins on a few SMs
# Part of the time without a warp on an SM in which the engine is active: a kernel is there, but
# ends, begins, or waits. NCCL's kernel, which hangs, is always there.
GAP, GAP_HANGING, GAP_OWN, GAP_WAVERS = 0.5, 0.98, 0.4, 0.3
OCCUPANCY, FP32 = 0.2665, 0.0575  # for each unit of SM activity
STEP = 2.0 / 0xFFFF  # of numbers of 16 bits, as numbers from 0 to 2
BUSY = {"training": 1.0, "validation": 0.9}
NAMES = (
    "gr_engine_active", "sm_active", "sm_occupancy", "tensor_active", "dram_active", "fp32_active"
)  # fmt: skip
Column = list[float]


class Work(NamedTuple):
    """What is the same for all GPUs of a run at all times."""

    tensor_mhz: float  # tensor activity in a steady step, times the SM clock
    dram_of_tensor: float


@remembered()
def work_of(job: Job) -> Work:
    """How hard tensor cores and memory work in a steady step."""
    steady = mfu(job, batch_tokens(job) / step_seconds(job))
    flops_per_byte = job.gpu.tflops / job.gpu.hbm_tb_s
    return Work(
        steady * _RECOMPUTED[job.layout.recompute] * gpus.peak_clock_mhz(unlimited(job.gpu)),
        _DRAM_OF_TENSOR * flops_per_byte / _H100_FLOPS_PER_BYTE,
    )


def activities(
    job: Job, ranks: range, at: float, states: Latents, percents: list[int]
) -> dict[str, Column]:
    """How hard the parts of GPUs work, as shares of cycles.

    Each GPU has ratios of its own, which waver a little from second to second. Profiling counters
    are means over the interval, the utilization is one second's.
    """
    card, chips, busy = work_of(job), chips_of(job, ranks), BUSY.get(states.activity, 0.0)
    hangs = states.activity == "hang"
    if not busy and not hangs:
        idle = [0.0] * len(ranks)
        engine = [each / 250 for each in percents]
        return dict.fromkeys(NAMES, idle) | {"gr_engine_active": engine}
    drawn = noise.quarters(
        job.seed, "gauge activities", int(at) * 1_000_003 + ranks.start, len(ranks)
    )
    usual = HANGING if hangs else SM_USUAL + SM_NODE * max(-2.0, min(2.0, states.common))
    tensor_mhz, gap = busy * states.pace * card.tensor_mhz, GAP_HANGING if hangs else GAP
    made: list[tuple[float, ...]] = []
    for chip, mhz, own, one, two, three, four in zip(
        chips, states.sm_clock_mhz, states.owns, *drawn, strict=True
    ):
        sm = min(SM_MOST, usual * (1.0 + (SM_OWN * chip.filled + SM_WAVERS * (one * STEP - 1.0))))
        engine = sm + (1.0 - sm) * (
            gap + (GAP_OWN * chip.engine + GAP_WAVERS * (two * STEP - 1.0)) * (1.0 - gap)
        )
        wavering, moving = three * STEP - 1.0, four * STEP - 1.0
        full = OCCUPANCY * sm * (1.0 + (0.006 * chip.occupied + 0.004 * wavering))
        fp32 = FP32 * sm * (1.0 + (0.02 * chip.engine - 0.015 * wavering))
        tensor = min(sm, tensor_mhz / mhz * (1.0 + 0.006 * max(-2.0, min(2.0, own))))
        dram = min(DRAM_PEAK, card.dram_of_tensor * tensor * (
            1.0 + (TRAFFIC_OWN * chip.traffic + TRAFFIC_WAVERS * moving)
        ))  # fmt: skip
        made.append((engine, sm, full, tensor, dram, fp32))
    columns = zip(*made, strict=True)
    return {
        name: [round(1e6 * each) / 1e6 for each in column]
        for name, column in zip(NAMES, columns, strict=True)
    }
