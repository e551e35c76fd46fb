"""What makes the GPUs of a run alike, the hall and the card, and what makes each of them differ."""

from math import fsum, pi

from llmsim.catalog import boards, gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.speed.collectives import flows, sent_per_byte
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import expected_mfu
from llmsim.typed import NamedTuple

# Of TDP, the mean that a GPU's power control holds: lower where it lets peaks pass.
HIGHEST_MEAN, HIGHEST_MEAN_OF_PEAKS = 0.99, 0.982
# Degrees C of the air at the GPUs: what ASHRAE's class A3 allows, warmed by what stands before them
# in the chassis. Fans turn faster in warm air, so that a GPU rises less over it. An H100 at 41 C
# idle and 65 C at 634 W has air of 38 C and rises by 28 at its limit; an H200 at 28 and 54 C has
# air of 24 C and rises by 33 (captures of nvidia_gpu_exporter).
_AIR = (17.0, 40.0)
_USUAL_AIR, _FANS = 24.5, 0.6  # degrees C less for each degree above the usual air


# GPUs whose constants a job remembers: all of a cluster of 4,096 nodes of eight.
MOST_CHIPS = 32_768


class Site(NamedTuple):
    """Thermal and electrical constants that all GPUs of a run share."""

    idle: float  # share of TDP without a process
    training: float  # while training
    highest: float  # mean that its power control holds
    peak: float  # the highest reading
    inlet: float  # degrees C of the air at the chassis
    rise: float  # degrees C above it at full power, with its fan at the speed of full power
    warming: gpus.Warming  # what of it is left with a fan of its own
    lag: float  # seconds
    clock: int  # MHz, the highest one at work
    idle_clock: int  # MHz, without a process
    link: float  # GB/s while training
    phase: float  # of the day at the start, radians


def warmed(site: Site, degrees: float) -> float:
    """How many degrees C a GPU is above the air, if it would be `degrees` above it with its fan at
    one speed.
    """
    quiet, least, slope = site.warming
    return min(quiet * degrees, least + slope * degrees)


class Chip(NamedTuple):
    """Constants in which one GPU differs from the others."""

    rise: float  # factor
    inlet: float  # degrees C
    power: float  # factor
    clock: float  # factor
    memory: int  # MiB
    leak: float  # -1..1, how much current flows without work: with the clocks low, and high
    replays: int  # of its PCIe link, before the run: see replays_of
    stacks: float  # -1..1, how warm its memory gets beside others
    filled: float  # -1..1, how long its SMs have a warp
    engine: float  # -1..1, how long it has a kernel but no warp
    occupied: float  # -1..1, how many warps its SMs have
    traffic: float  # -1..1, how much of its memory's traffic its caches do not take


def _chips(seed: int, ranks: range, size: int) -> list[Chip]:
    """The constants of GPUs of one node of this size, by their silicon and their places: two rows
    of a chassis differ by degrees.

    A real 8-GPU node: 54 42 41 54 53 40 42 52 C. One GPU in about 300 has a weak fan.
    """

    def drawn(stream: str) -> list[float]:
        return noise.uniforms(seed, stream, ranks.start, len(ranks))

    inlet = 2.4 * (noise.uniform(seed, "gpu inlet", ranks.start // size) - 0.5)
    # Cards of one delivery are alike: a node idles at 67 to 71 W, another one at 74 to 78.
    batch = 1.3 * noise.uniform(seed, "gpu batch")
    activities = noise.quarters(seed, "gpu activities", ranks.start, len(ranks))
    return [
        Chip(
            rise=(1.10 if index % size % 4 in (0, 3) else 0.90)
            * (1.25 if fan < 1 / 300 else 1.0)
            * (0.95 + 0.10 * rise),
            inlet=inlet,
            power=0.975 + 0.05 * power,
            clock=0.985 + 0.03 * clock,
            memory=2 * (memory % 25) + (420 if index == 0 else 0),
            leak=batch + 0.7 * leak - 1.0,
            replays=replays,
            stacks=2.0 * stacks - 1.0,
            filled=filled * (2.0 / 0xFFFF) - 1.0,
            engine=engine * (2.0 / 0xFFFF) - 1.0,
            occupied=occupied * (2.0 / 0xFFFF) - 1.0,
            traffic=traffic * (2.0 / 0xFFFF) - 1.0,
        )
        for (
            index, fan, rise, power, clock, leak, stacks, memory, replays,
            filled, engine, occupied, traffic,
        ) in zip(
            ranks,
            drawn("gpu fan"),
            drawn("gpu rise"),
            drawn("gpu power"),
            drawn("gpu clock"),
            drawn("gpu leak"),
            drawn("gpu stacks"),
            noise.words(seed, "gpu memory", ranks.start, len(ranks)),
            replays_of(seed, ranks),
            *activities,
            strict=True,
        )
    ]  # fmt: skip


def replays_of(seed: int, cards: range) -> list[int]:
    """How often the PCIe links of cards have sent something again before a run."""
    return [word % 4 for word in noise.words(seed, "gauge replays", cards.start, len(cards))]


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

    inlet = noise.between(job.seed, "gpu hall", *_AIR)
    start = job.start.hour * 3600 + job.start.minute * 60 + job.start.second
    return Site(
        idle=gpus.idle_share(job.gpu),
        # H100: 690 W at the MFU of dense models, 550 W for a mixture of experts, 380 W where
        # the GPU mostly waits for the network (NCCL's kernels spin). Adapters leave it waiting.
        training=(0.50 + 0.47 * min(1.0, reached / 1.1)) * (0.87 if job.recipe.adapter_rank else 1),
        highest=HIGHEST_MEAN if gpus.highest_power(job.gpu) < 1.05 else HIGHEST_MEAN_OF_PEAKS,
        peak=gpus.highest_power(job.gpu),
        inlet=inlet,
        # Degrees C above the air at full power: SXM 33-42 in usual air.
        rise=(noise.between(job.seed, "gpu cooling", 33.0, 42.0) - _FANS * (inlet - _USUAL_AIR))
        * gpus.cooling(job.gpu),
        warming=gpus.warming(job.gpu),
        lag=noise.between(job.seed, "gpu lag", 35.0, 55.0),
        clock=job.gpu.clock_mhz,
        idle_clock=boards.clocks(job.gpu).idle,
        link=_link_rate(job),
        phase=2.0 * pi * (start / 86_400.0 - 9.0 / 24.0),  # warmest 6 h after 9:00
    )


def chips_of(job: Job, ranks: range) -> tuple[Chip, ...]:
    """The constants of GPUs of one node."""
    if len(ranks) == 1:
        return (chip_of(job, ranks.start),)
    return _node_chips(job, ranks)


@remembered(MOST_CHIPS // 8)
def _node_chips(job: Job, ranks: range) -> tuple[Chip, ...]:
    return tuple(_chips(job.seed, ranks, job.layout.gpus // job.layout.nodes))


@remembered(MOST_CHIPS)
def chip_of(job: Job, index: int) -> Chip:
    """The constants of a GPU of the job, which remembers them."""
    size = job.layout.gpus // job.layout.nodes
    place = index % size
    return _node_chips(job, range(index - place, index - place + size))[place]
