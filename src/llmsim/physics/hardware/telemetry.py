"""The gauges of one GPU, all computed from one latent load.

    power        (context + (training - context) * load) * swings  W; training follows MFU
    energy       the integral of power over all that the GPU did, swings included
    temperature  inlet air + rise * w, w a first-order lag of power / TDP, tau 35-55 s
    clock        falls as power nears the limit, and when hot
    memory       allocator's pages + CUDA context (allocator.py, memory.py)

GPUs move together (the same load, the hall's day, a common ripple) and are never identical:
each has its silicon, its place in the chassis and its own ripple. Sources: docs/physics.md
section 9, nvidia-smi tables under load: H100 698 W 56-63 C, 464 W 41-43 C, idle 71-76 W, 345 MHz.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import exp, pi, sin

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics.hardware import allocator, memory, ripples, swings
from llmsim.physics.hardware.sites import MOST_CHIPS, Chip, Site, chip_of, site_of
from llmsim.physics.hardware.utilization import utilization
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
_LOAD: dict[Activity, float] = {
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
ACTIVITIES: tuple[Activity, ...] = (*_LOAD,)
_CONTEXT_SHARE = 0.176  # of the power limit: H100 111-150 of 700 W
# How far chips differ without work, by their leakage: H100 67 to 76 W idle, H200 78 W.
_IDLE_LEAK, _CONTEXT_LEAK = 0.09, 0.22
THROTTLE = 84.0  # degrees C at which clocks begin to fall
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

    index: int  # type: ignore[assignment]  # rank in the job; tuple.index is not missed
    utilization: int  # per cent
    memory_mib: int
    temperature_c: int
    power_watts: int
    sm_clock_mhz: int
    link_gb_s: float  # sent over NVLink, XGMI or PCIe, GB/s


class Doing(NamedTuple):
    """What an activity means for one GPU, whenever it is.

    A healthy H100 at full load is often at its limit: from 90 % of it on, more and more.
    """

    share: float  # of TDP: its mean power at full pace
    capped: float  # share of the time in which the power limit holds its clock back
    hot: bool  # whether it slows itself down, since it would get too hot
    memory_mib: int


def doing(job: Job, index: int, activity: Activity) -> Doing:
    """The traits of a GPU in an activity, which the job remembers."""
    known: dict[int, Doing] = job.memo.setdefault((doing, activity), {})
    made = known.get(index)
    if made is None:
        if len(known) >= MOST_CHIPS:
            known.clear()
        site, chip = site_of(job), chip_of(job, index)
        share = _power_share(site, chip, activity)
        hot = site.inlet + chip.inlet + site.rise * chip.rise * share
        made = known[index] = Doing(
            share,
            min(1.0, max(0.0, (share - 0.9) / 0.1)),
            hot > THROTTLE,
            _memory_mib(job, chip, index, activity),
        )
    return made


def doings(job: Job, ranks: range, activity: Activity) -> list[Doing]:
    """The same of some GPUs."""
    if len(ranks) == 1:
        return [doing(job, ranks.start, activity)]
    known: dict[int, Doing] = job.memo.get((doing, activity), {})
    found = [*map(known.get, ranks)]
    return [made or doing(job, index, activity) for made, index in zip(found, ranks, strict=True)]


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
    """Mean share of TDP that a GPU draws in an activity: less where it would get too hot.

    At a lower pace it spins in a collective for the rest of the time, or runs at a lower clock.
    """
    share = site.idle * (1.0 + _IDLE_LEAK * chip.leak)
    if activity != "idle":
        load = _LOAD[activity]
        if pace < 1.0:
            load = _LOAD["hang"] + (load - _LOAD["hang"]) * pace
        context = _CONTEXT_SHARE * (1.0 + _CONTEXT_LEAK * chip.leak)
        share = context + (site.training - context) * load
    share = min(site.highest, share * chip.power)
    hot = site.inlet + chip.inlet + site.rise * chip.rise * share
    return share * max(0.6, 1.0 - 0.02 * max(0.0, hot - THROTTLE))


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

    The power acts through a first-order lag, w(t) = sum of p_i (exp(-(t - end_i) / tau) -
    exp(-(t - began_i) / tau)). The oldest load is taken to have lasted for ever.
    """
    kept, lag, last = 1.0, site_of(job).lag, len(loads) - 1
    parts: dict[tuple[Activity, float], float] = {}
    for number, load in enumerate(loads):
        left = exp(-max(0.0, at - load.began) / lag) if number < last else 0.0
        key = load.activity, load.pace
        parts[key] = parts.get(key, 0.0) + (kept - left) * load.heat
        kept = left
    return [(weight, *key) for key, weight in parts.items()]


def _clock(site: Site, chip: Chip, activity: Activity, power: float, hot: float) -> int:
    """The SM clock, a multiple of 15 MHz: 345 idle, highest with a context, lower under full power.

    H100 in training: 1.4-1.75 of 1.98 GHz, limited by power.
    """
    if activity == "idle":
        return 345 if site.clock > 1900 else 210
    slower = 0.17 * min(1.0, max(0.0, (power - 0.55) / 0.45))
    clock = site.clock * (1.0 - slower)
    if slower > 0.0:
        clock *= chip.clock
    clock *= max(0.5, 1.0 - 0.03 * max(0.0, hot - THROTTLE))
    return min(site.clock, round(clock / 15.0) * 15)


@remembered()
def _unused_mib(job: Job) -> int:
    """MiB that count as used without a process: 0 from the driver's branch 570 on, 1 at 550, and 4
    before, as tables of nvidia-smi in public issues show.
    """
    branch = int(job.software.driver.partition(".")[0] or 0)
    return 0 if branch >= 570 else 1 if branch >= 550 else 4


def _memory_mib(job: Job, chip: Chip, index: int, activity: Activity) -> int:
    """MiB in use: first nothing, then the CUDA context, then also torch's pages (allocator.py)."""
    if activity == "idle":
        return _unused_mib(job)
    layout = job.layout
    stage = index // (layout.gpus // layout.pp)
    step = 0 if activity in ("starting", "loading") else 2
    torch = 0 if activity == "starting" else allocator.reserved(job, step, stage)
    context = memory.estimate(job.architecture, layout, job.schedule.sequence).context
    used = (torch + context) // memory.MIB + chip.memory
    return min(used, memory.capacity(job.gpu) // memory.MIB)


def thermal_state(celsius: float) -> Warmth:
    """Whether a GPU is cool, warm or hot; a hot GPU lowers its clock."""
    return "hot" if celsius >= THROTTLE else "warm" if celsius >= _WARM else "cool"


def power(job: Job, index: int, at: float, load: Load) -> float:
    """The watts that a GPU draws at a simulated second, under a load; at most what its power
    control lets pass.
    """
    return _power(job, index, load, _swing(job, index, at, load))


def _swings(job: Job, ranks: range, at: float, load: Load) -> list[swings.Swing]:
    return swings.swings(job, ranks, at, _LOAD[load.activity], load.began)


def _swing(job: Job, index: int, at: float, load: Load) -> swings.Swing:
    return _swings(job, range(index, index + 1), at, load)[0]


def _power(job: Job, index: int, load: Load, swing: swings.Swing) -> float:
    mean = share(job, index, load.activity, load.pace)
    return min(mean * swing.factor, site_of(job).peak) * job.gpu.tdp_watts


def _link(job: Job, load: Load) -> float:
    """GB/s that GPUs send to the others under a load, in the mean."""
    usual = site_of(job).link * load.pace
    return usual * {"training": 1.0, "validation": 0.95}.get(load.activity, 0.0)


def _sent(job: Job, usual: float, swing: swings.Swing) -> float:
    """GB/s that a GPU sends to the others at a moment."""
    return min(job.gpu.link_gb_s, usual * (1.0 + 0.02 * swing.node + 0.02 * swing.own))


def draw(job: Job, index: int, at: float, load: Load) -> tuple[int, float]:
    """The watts and the GB/s of `reading` alone, which cost a tenth of it."""
    swing = _swing(job, index, at, load)
    return round(_power(job, index, load, swing)), round(_sent(job, _link(job, load), swing), 1)


class Latent(NamedTuple):
    """The state of one GPU that all of its gauges are views of."""

    activity: Activity
    power_watts: float
    temperature_c: float
    sm_clock_mhz: int
    memory_mib: int
    link_gb_s: float  # sent over NVLink, XGMI or PCIe, GB/s
    common: float  # the noise of its node's power, in standard deviations
    own: float  # the noise of its own
    air_c: float  # of the air that cools it
    pace: float = 1.0  # speed of the job's steps, as a share of the usual one
    reasons: int = 0  # NVML's mask of an incident's reasons for lower clocks
    excess_c: float = 0.0  # of its temperature, what a cooling that fails adds


def latent(job: Job, index: int, at: float, loads: Sequence[Load]) -> Latent:
    """The state of one GPU at simulated second `at`; `loads` is what it did, the latest first.

    power up to 1.03 TDP (A100: 1.10), temperature 20..95 C, memory within capacity.
    """
    return latents(job, range(index, index + 1), at, loads)[0]


def latents(job: Job, ranks: range, at: float, loads: Sequence[Load]) -> list[Latent]:
    """The same of GPUs of one node that have done the same, in less time than one by one."""
    site, load, hall = site_of(job), loads[0], air(job, at)
    activity, pace, tdp, peak = load.activity, load.pace, job.gpu.tdp_watts, site.peak
    link, held, made = _link(job, load), load.clock < 1.0, []
    felt = cooled = _warm(job, ranks, at, loads)
    if any(each.heat > 1.0 for each in loads):
        cooled = _warm(job, ranks, at, [each._replace(heat=1.0) for each in loads])
    for index, swing, usual, mean, warm, cool in zip(
        ranks,
        _swings(job, ranks, at, load),
        doings(job, ranks, activity),
        shares(job, ranks, activity, pace),
        felt,
        cooled,
        strict=True,
    ):
        chip = chip_of(job, index)
        power = min(mean * swing.factor, peak)
        inlet = hall + chip.inlet
        hot = inlet + site.rise * chip.rise * warm
        clock = _held_clock(job, index, load) if held else _clock(site, chip, activity, power, hot)
        made.append(Latent(
            activity,
            power * tdp,
            max(20.0, min(95.0, hot)),
            clock,
            usual.memory_mib,
            _sent(job, link, swing),
            swing.node,
            swing.own,
            inlet,
            pace,
            load.reasons,
            site.rise * chip.rise * (warm - cool),
        ))  # fmt: skip
    return made


def _warm(job: Job, ranks: range, at: float, loads: Sequence[Load]) -> list[float]:
    """The share of TDP that each temperature follows."""
    warm = [0.0] * len(ranks)
    for weight, activity, pace in warmth(job, at, loads):
        means = shares(job, ranks, activity, pace)
        warm = [before + weight * mean for before, mean in zip(warm, means, strict=True)]
    return warm


def _held_clock(job: Job, index: int, load: Load) -> int:
    """The clock of a GPU that is held back: as much lower as the usual one of the activity is."""
    usual = doing(job, index, load.activity).share
    clock = _clock(site_of(job), chip_of(job, index), load.activity, usual, 0.0)
    return round(clock * load.clock / 15.0) * 15


def reading(job: Job, index: int, at: float, loads: Sequence[Load]) -> Reading:
    """What nvidia-smi shows of one GPU at simulated second `at`: its state in whole units."""
    return readings(job, range(index, index + 1), at, loads)[0]


def readings(job: Job, ranks: range, at: float, loads: Sequence[Load]) -> list[Reading]:
    """The same of GPUs of one node."""
    return [
        Reading(
            index=index,
            utilization=utilization(job, index, at, state.activity),
            memory_mib=state.memory_mib,
            temperature_c=round(state.temperature_c),
            power_watts=round(state.power_watts),
            sm_clock_mhz=state.sm_clock_mhz,
            link_gb_s=round(state.link_gb_s, 1),
        )
        for index, state in zip(ranks, latents(job, ranks, at, loads), strict=True)
    ]


def joules(job: Job, index: int, load: Load, seconds: float) -> float:
    """Joules that a GPU uses in this many seconds of `swung` under a load."""
    return share(job, index, load.activity, load.pace) * job.gpu.tdp_watts * seconds


def swung(job: Job, ranks: range, load: Load, at: float) -> list[float]:
    """Seconds until a moment, each counted by the power that it has in it under a load, for some
    GPUs of one node.
    """
    return swings.integrals(job, ranks, at, _LOAD[load.activity], load.began)
