"""What makes the GPUs of a run alike, the hall and the card, and what makes each of them differ."""

from functools import lru_cache
from math import fsum, pi

from llmsim.catalog import gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.speed.collectives import flows, sent_per_byte
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import expected_mfu
from llmsim.typed import NamedTuple

# Of TDP, the mean that a GPU's power control holds: lower where it lets peaks pass.
HIGHEST_MEAN, HIGHEST_MEAN_OF_PEAKS = 0.99, 0.982


class Site(NamedTuple):
    """Thermal and electrical constants that all GPUs of a run share."""

    idle: float  # share of TDP without a process
    training: float  # while training
    highest: float  # mean that its power control holds
    inlet: float  # degrees C of the air at the chassis
    rise: float  # degrees C above it at full power
    lag: float  # seconds
    clock: int  # MHz
    link: float  # GB/s while training
    phase: float  # of the day at the start, radians


class Chip(NamedTuple):
    """Constants in which one GPU differs from the others."""

    rise: float  # factor
    inlet: float  # degrees C
    power: float  # factor
    clock: float  # factor
    memory: int  # MiB


@lru_cache(maxsize=4096)
def _chip(seed: int, index: int, local: int, node: int) -> Chip:
    """The constants of a GPU by its silicon and its place: two rows of a chassis differ by degrees.

    A real 8-GPU node: 54 42 41 54 53 40 42 52 C. One GPU in about 300 has a weak fan.
    """
    row = 1.10 if local % 4 in (0, 3) else 0.90
    tired = 1.25 if noise.uniform(seed, "gpu fan", index) < 1 / 300 else 1.0
    return Chip(
        rise=row * tired * (0.95 + 0.10 * noise.uniform(seed, "gpu rise", index)),
        inlet=2.4 * (noise.uniform(seed, "gpu inlet", node) - 0.5),
        power=0.975 + 0.05 * noise.uniform(seed, "gpu power", index),
        clock=0.985 + 0.03 * noise.uniform(seed, "gpu clock", index),
        memory=2 * noise.integer(seed, "gpu memory", 0, 24, index) + (420 if index == 0 else 0),
    )


def _link_rate(job: Job) -> float:
    """GB/s that a GPU sends to the others of its node while training."""
    sent = fsum(
        flow.calls * flow.size * sent_per_byte(flow.operation, flow.ranks)
        for flow in flows(job.architecture, job.gpu, job.layout, job.schedule.sequence)
        if flow.ranks_per_node > 1
    )
    return min(job.gpu.link_gb_s, sent / step_seconds(job) / 1e9)


@remembered()
def site_of(job: Job) -> Site:
    """The constants of the job's hall and cards."""
    typical = gpus.typical_mfu(job.gpu)
    reached = expected_mfu(job.architecture, job.gpu, job.layout, job.schedule.sequence) / typical

    start = job.start.hour * 3600 + job.start.minute * 60 + job.start.second
    return Site(
        idle=gpus.idle_share(job.gpu),
        # H100: 690 W at the MFU of dense models, 550 W for a mixture of experts, 380 W where
        # the GPU mostly waits for the network (NCCL's kernels spin). Adapters leave it waiting.
        training=(0.50 + 0.47 * min(1.0, reached / 1.1)) * (0.87 if job.recipe.adapter_rank else 1),
        highest=HIGHEST_MEAN if gpus.highest_power(job.gpu) < 1.05 else HIGHEST_MEAN_OF_PEAKS,
        inlet=noise.between(job.seed, "gpu hall", 22.0, 27.0),
        # Degrees C above the air at full power: SXM 33-42.
        rise=noise.between(job.seed, "gpu cooling", 33.0, 42.0) * gpus.cooling(job.gpu),
        lag=noise.between(job.seed, "gpu lag", 35.0, 55.0),
        clock=job.gpu.clock_mhz,
        link=_link_rate(job),
        phase=2.0 * pi * (start / 86_400.0 - 9.0 / 24.0),  # warmest 6 h after 9:00
    )


def chip_of(job: Job, index: int) -> Chip:
    """The constants of a GPU of the job."""
    per_node = job.layout.gpus // job.layout.nodes
    node, local = divmod(index, per_node)
    return _chip(job.seed, index, local, node)
