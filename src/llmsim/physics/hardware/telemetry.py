"""The gauges of one GPU, all computed from one latent load.

    power        (context + (training - context) * load) * swings  W; training follows MFU
    energy       the integral of power over all that the GPU did, swings included
    temperature  inlet air + rise * w, w a first-order lag of power / TDP, tau 35-55 s; a card's own
                 fan evens it out (catalog.gpus.Warming)
    clock        the highest one, less where the power limit, heat or an incident holds it back
    memory       allocator's pages + CUDA context (allocator.py, memory.py)

GPUs move together (the same load, the hall's day, a common ripple) and are never identical:
each has its silicon, its place in the chassis and its own ripple. Sources: docs/physics.md
section 9, nvidia-smi tables under load: H100 698 W 56-63 C, 464 W 41-43 C, idle 71-76 W, 345 MHz.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import exp, pi, sin

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator, memory, ripples, sites, swings
from llmsim.physics.hardware.clocks import CAPPED, IDLE, THROTTLE, clock, held_heat
from llmsim.physics.hardware.sites import MOST_CHIPS, Chip, Site, chip_of, chips_of, site_of
from llmsim.physics.hardware.utilization import utilizations
from llmsim.typed import Literal, NamedTuple

Warmth = Literal["cool", "warm", "hot"]
Activity = Literal[
    "idle",  # no process yet
    "starting",  # processes with a CUDA context, NCCL coming up
    "loading",  # building and loading the model, preparing data
    "training",
    "validation",
    "checkpoint",
    "export",
    "hang",  # the collective's kernel spins and waits for a rank that does not come
    "stalled",  # no kernel runs: the data loader has nothing to give
]

# Power of an activity between that of a GPU with only a context (0) and of one that trains (1).
LOAD: dict[Activity, float] = {
    "idle": 0.0,
    "starting": 0.01,
    "loading": 0.08,
    "training": 1.0,
    "validation": 0.90,
    "checkpoint": 0.04,
    "export": 0.02,
    "hang": 0.10,  # of an H100: 120 to 200 W, estimated
    "stalled": 0.05,
}
ACTIVITIES: tuple[Activity, ...] = (*LOAD,)
_CONTEXT_SHARE = 0.176  # of the power limit: H100 111-150 of 700 W
# How far chips differ without work, by their leakage: H100 67 to 76 W idle, H200 78 W.
_IDLE_LEAK, _CONTEXT_LEAK = 0.09, 0.22
_WARM = 72.0  # degrees C above which a GPU is warmer than in a well-cooled room


class Load(NamedTuple):
    """An activity of the GPUs, and what is wrong with one of them meanwhile."""

    activity: Activity
    began: float  # simulated second
    pace: float = 1.0  # speed of the job's steps, as a share of the usual one
    clock: float = 1.0  # factor on this GPU's SM clock
    heat: float = 1.0  # factor on what its power heats it up: a fan that fails
    reasons: int = 0  # NVML's mask of why its clocks are lower


class Reading(NamedTuple):
    """The values that nvidia-smi would show for one GPU."""

    index: int  # type: ignore[assignment]  # rank in the job
    utilization: int  # utilization, per cent
    memory_mib: int
    temperature_c: int
    power_watts: int
    sm_clock_mhz: int
    link_gb_s: float  # what the GPU sends over NVLink, XGMI or PCIe, GB/s


class Doing(NamedTuple):
    """What an activity means for one GPU, whenever it is."""

    share: float  # of TDP: its mean power at full pace
    hot: bool  # whether it slows itself down for as long as it lasts, since it would get too hot
    memory_mib: int


@remembered(4 * MOST_CHIPS)
def doing(job: Job, index: int, activity: Activity) -> Doing:
    """The traits of a GPU in an activity, which the job remembers."""
    used = allocator.used_mib(job, range(index, index + 1), activity)
    return _doings(job, (chip_of(job, index),), activity, used)[0]


def doings(job: Job, ranks: range, activity: Activity) -> tuple[Doing, ...]:
    """The traits of GPUs of one node in an activity."""
    if len(ranks) == 1:
        return (doing(job, ranks.start, activity),)
    return _together(job, ranks, activity)


@remembered(MOST_CHIPS // 2)  # a node's GPUs in four activities
def _together(job: Job, ranks: range, activity: Activity) -> tuple[Doing, ...]:
    return _doings(job, chips_of(job, ranks), activity, allocator.used_mib(job, ranks, activity))


def _doings(
    job: Job, chips: Sequence[Chip], activity: Activity, used_mib: Iterable[int]
) -> tuple[Doing, ...]:
    """What an activity means for chips; their processes use these MiB, each chip some more."""
    site, most = site_of(job), memory.capacity(job.gpu) // memory.MIB
    own = activity != "idle"
    made = []
    for chip, share, used in zip(
        chips, _power_shares(site, chips, activity), used_mib, strict=True
    ):
        hot = site.inlet + chip.inlet + sites.warmed(site, site.rise * chip.rise * share)
        made.append(Doing(share, hot > THROTTLE, min(used + chip.memory, most) if own else used))
    return tuple(made)


def shares(job: Job, ranks: range, activity: Activity, pace: float) -> list[float]:
    """`share` of some GPUs."""
    if pace < 1.0 or len(ranks) == 1:
        return [share(job, index, activity, pace) for index in ranks]
    return [each.share for each in doings(job, ranks, activity)]


def share(job: Job, index: int, activity: Activity, pace: float) -> float:
    """The mean share of TDP that a GPU draws in an activity at a pace."""
    if pace == 1.0:
        return doing(job, index, activity).share
    return _power_share(site_of(job), chip_of(job, index), activity, pace)


def _power_share(site: Site, chip: Chip, activity: Activity, pace: float = 1.0) -> float:
    """The same of one chip."""
    return _power_shares(site, (chip,), activity, pace)[0]


def _power_shares(
    site: Site, chips: Sequence[Chip], activity: Activity, pace: float = 1.0
) -> list[float]:
    """Mean shares of TDP that chips draw in an activity: less where they would get too hot.

    At a lower pace they spin in a collective for the rest of the time, or run at a lower clock.
    """
    load = LOAD[activity]
    if pace < 1.0 and activity != "idle":
        load = LOAD["hang"] + (load - LOAD["hang"]) * pace
    found = []
    for chip in chips:
        share = site.idle * (1.0 + _IDLE_LEAK * chip.leak)
        if activity != "idle":
            context = _CONTEXT_SHARE * (1.0 + _CONTEXT_LEAK * chip.leak)
            share = context + (site.training - context) * load
        share = min(site.highest, share * chip.power)
        over = (
            site.inlet + chip.inlet + sites.warmed(site, site.rise * chip.rise * share) - THROTTLE
        )
        found.append(share * max(0.6, 1.0 - 0.02 * over) if over > 0.0 else share)
    return found


def recent(job: Job, loads: Iterable[Load], at: float) -> Iterator[Load]:
    """The loads that still matter for a temperature at `at`; the latest come first, as in `loads`.

    After 16 time constants of the lag a load has left e^-16 of its heat: less than 1e-5 C.
    """
    oldest = at - 16.0 * site_of(job).lag
    for load in loads:
        yield load
        if load.began <= oldest:
            return


@remembered(2)
def air(job: Job, at: float) -> float:
    """Degrees C of the hall's air: it follows the sun, and wavers."""
    site = site_of(job)
    day = sin(site.phase + 2.0 * pi * at / 86_400.0)
    return site.inlet + 1.2 * day + 0.5 * ripples.ripple(job.seed, "gpu air", at, 300.0)


def warmth(job: Job, at: float, loads: Sequence[Load]) -> list[tuple[float, Activity, float]]:
    """Of what a temperature is made: an activity, a pace, and the weight of the power that a GPU
    has in it, which all GPUs with these loads share.

    A first-order lag, w(t) = sum of p_i (exp(-(t - end_i) / tau) - exp(-(t - began_i) / tau)). The
    oldest load is taken to have lasted for ever.
    """
    kept, lag, last = 1.0, site_of(job).lag, len(loads) - 1
    parts: dict[tuple[Activity, float], float] = {}
    for number, load in enumerate(loads):
        left = exp(-max(0.0, at - load.began) / lag) if number < last else 0.0
        key = load.activity, load.pace
        parts[key] = parts.get(key, 0.0) + (kept - left) * load.heat
        kept = left
    return [(weight, *key) for key, weight in parts.items()]


def thermal_state(celsius: float) -> Warmth:
    """Whether a GPU is cool, warm or hot; a hot GPU lowers its clock."""
    return "hot" if celsius >= THROTTLE else "warm" if celsius >= _WARM else "cool"


def _swings(job: Job, ranks: range, at: float, load: Load) -> swings.Swings:
    return swings.swings(job, ranks, at, LOAD[load.activity], load.began)


def link(job: Job, load: Load) -> float:
    """GB/s that GPUs send to the others under a load, in the mean."""
    usual = site_of(job).link * load.pace
    return usual * {"training": 1.0, "validation": 0.95}.get(load.activity, 0.0)


Draw = tuple[int, float]  # watts, and GB/s that a GPU sends to the others


def draws(job: Job, ranks: range, at: float, load: Load) -> list[Draw]:
    """The watts and the GB/s of `readings` alone, which cost a tenth of it."""
    swing, tdp = _swings(job, ranks, at, load), job.gpu.tdp_watts
    powers, sent = _powers(job, ranks, load, swing), _sent(job, load, swing)
    return [(round(power * tdp), round(gb_s, 1)) for power, gb_s in zip(powers, sent, strict=True)]


def _powers(job: Job, ranks: range, load: Load, swing: swings.Swings) -> list[float]:
    """The shares of TDP that GPUs draw at a moment."""
    peak, means = site_of(job).peak, shares(job, ranks, load.activity, load.pace)
    return [min(mean * each, peak) for mean, each in zip(means, swing.factors, strict=True)]


def _sent(job: Job, load: Load, swing: swings.Swings) -> list[float]:
    """GB/s that GPUs send to the others at a moment."""
    usual, most = link(job, load), job.gpu.link_gb_s
    if not usual:
        return [0.0] * len(swing.owns)
    return [min(most, usual * (1.0 + 0.02 * swing.node + 0.02 * own)) for own in swing.owns]


class Latents(NamedTuple):
    """The states of GPUs of one node that have done the same: all of their gauges are views of it.
    What they differ in stands in lists.
    """

    activity: Activity
    pace: float  # speed of the job's steps, as a share of the usual one
    common: float  # the noise of the node's power, in standard deviations
    power_watts: list[float]
    temperature_c: list[float]
    sm_clock_mhz: list[int]
    reasons: list[int]  # NVML's masks of why clocks are lower
    memory_mib: list[int]
    link_gb_s: list[float]  # sent over NVLink, XGMI or PCIe, GB/s
    owns: list[float]  # the noise of each one's power
    air_c: list[float]  # of the air that cools it
    excess_c: list[float]  # of its temperature, what a cooling that fails adds


def latents(job: Job, ranks: range, at: float, loads: Sequence[Load]) -> Latents:
    """The states of GPUs of one node at simulated second `at`; `loads` is what they did, the
    latest first.

    power up to 1.03 TDP (A100: 1.10), temperature 20..95 C, memory within capacity.
    """
    site, load, hall, chips = site_of(job), loads[0], air(job, at), chips_of(job, ranks)
    swing, rise = _swings(job, ranks, at, load), site.rise
    powers, tdp = _powers(job, ranks, load, swing), job.gpu.tdp_watts
    warm, inlets = _warm(job, ranks, at, loads), [hall + chip.inlet for chip in chips]
    hot = [
        inlet + sites.warmed(site, rise * chip.rise * each)
        for inlet, chip, each in zip(inlets, chips, warm, strict=True)
    ]
    excess = [0.0] * len(ranks)
    if any(each.heat > 1.0 for each in loads):
        cool = _warm(job, ranks, at, [each._replace(heat=1.0) for each in loads])
        excess = [
            rise * chip.rise * (here - usual)
            for chip, here, usual in zip(chips, warm, cool, strict=True)
        ]
    clocks = _clocks(job, ranks, load, powers, hot)
    return Latents(
        activity=load.activity,
        pace=load.pace,
        common=swing.node,
        power_watts=[each * tdp for each in powers],
        temperature_c=[max(20.0, min(95.0, each)) for each in hot],
        sm_clock_mhz=[mhz for mhz, _ in clocks],
        reasons=[reasons for _, reasons in clocks],
        memory_mib=[each.memory_mib for each in doings(job, ranks, load.activity)],
        link_gb_s=_sent(job, load, swing),
        owns=swing.owns,
        air_c=inlets,
        excess_c=excess,
    )


def _clocks(
    job: Job, ranks: range, load: Load, powers: list[float], hot: list[float]
) -> list[tuple[int, int]]:
    """The SM clocks of GPUs, and NVML's masks: 345 MHz and idle without a process."""
    site = site_of(job)
    if load.activity == "idle":
        return [(site.idle_clock, IDLE)] * len(ranks)
    if load.clock < 1.0:
        return [(held_clock(job, index, load), load.reasons) for index in ranks]
    return [
        clock(site, chip, power, held_heat(celsius) if usual.hot else celsius)
        for chip, power, celsius, usual in zip(
            chips_of(job, ranks), powers, hot, doings(job, ranks, load.activity), strict=True
        )
    ]


def _warm(job: Job, ranks: range, at: float, loads: Sequence[Load]) -> list[float]:
    """The share of TDP that each temperature follows."""
    warm = [0.0] * len(ranks)
    for weight, activity, pace in warmth(job, at, loads):
        means = shares(job, ranks, activity, pace)
        warm = [before + weight * mean for before, mean in zip(warm, means, strict=True)]
    return warm


def held_clock(job: Job, index: int, load: Load) -> int:
    """The clock of a GPU that is held back: as much lower as the usual one of the activity is."""
    usual = doing(job, index, load.activity).share
    highest, _ = clock(site_of(job), chip_of(job, index), usual, 0.0)
    return min(site_of(job).clock - 15, round(highest * load.clock / 15.0) * 15)


def reading(job: Job, index: int, at: float, loads: Sequence[Load]) -> Reading:
    """What nvidia-smi shows of one GPU at simulated second `at`: its state in whole units."""
    return readings(job, range(index, index + 1), at, loads)[0]


def readings(job: Job, ranks: range, at: float, loads: Sequence[Load]) -> list[Reading]:
    """What nvidia-smi shows of GPUs of one node at simulated second `at`, in whole units."""
    seen = latents(job, ranks, at, loads)
    busy = utilizations(job, ranks, at, seen.activity)
    return [
        Reading(
            index=index,
            utilization=busy[place],
            memory_mib=seen.memory_mib[place],
            temperature_c=round(seen.temperature_c[place]),
            power_watts=round(seen.power_watts[place]),
            sm_clock_mhz=seen.sm_clock_mhz[place],
            link_gb_s=round(seen.link_gb_s[place], 1),
        )
        for place, index in enumerate(ranks)
    ]


def joules(job: Job, index: int, load: Load, seconds: float) -> float:
    """Joules that a GPU uses in this many seconds of `swung` under a load."""
    return share(job, index, load.activity, load.pace) * job.gpu.tdp_watts * seconds


def held_by_power(job: Job, index: int, activity: Activity) -> float:
    """The part of an activity's seconds in which the power limit holds a GPU's clock back."""
    load, mean = LOAD[activity], share(job, index, activity, 1.0)
    # Next to no second has more than half as much again, or less than half, of the mean power.
    if activity == "idle" or mean * 1.5 < CAPPED:
        return 0.0
    return swings.part_above(job, load, CAPPED / mean)


def swung(job: Job, ranks: range, load: Load, at: float) -> list[float]:
    """Seconds until a moment, each counted by the power that it has in it under a load, for some
    GPUs of one node.
    """
    return swings.integrals(job, ranks, at, LOAD[load.activity], load.began)
