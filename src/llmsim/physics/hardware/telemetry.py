"""The gauges of one GPU, all computed from one latent load.

    power        (context + (training - context) * load) * ripples  W; training follows MFU
    energy       the integral of power over all that the GPU did, ripples included
    temperature  inlet air + rise * w, w a first-order lag of power / TDP, tau 35-55 s
    clock        falls as power nears the limit, and when hot
    memory       allocator's pages + CUDA context (allocator.py, memory.py)

GPUs move together (the same load, the hall's day, a common ripple) and are never identical:
each has its silicon, its place in the chassis and its own ripple. Sources: docs/physics.md
section 9, nvidia-smi tables under load: H100 698 W 56-63 C, 464 W 41-43 C, idle 71-76 W, 345 MHz.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from math import exp, fsum, log10, pi, sin

from llmsim.catalog import gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware import allocator, memory, ripples
from llmsim.physics.speed.collectives import flows, sent_per_byte
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import expected_mfu
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
]

# Power of an activity between that of a GPU with only a context (0) and of one that trains (1).
_LOAD: dict[Activity, float] = {
    "idle": 0.0,
    "starting": 0.03,
    "loading": 0.08,
    "training": 1.0,
    "validation": 0.90,
    "checkpoint": 0.04,
    "export": 0.02,
    "hang": 0.10,  # of an H100: 120 to 200 W, estimated
}
_UTILIZATION: dict[Activity, tuple[int, int]] = {  # lowest and highest, per cent
    "idle": (0, 0),
    "starting": (0, 6),
    "loading": (0, 18),
    "training": (70, 100),
    "validation": (95, 100),
    "checkpoint": (0, 28),
    "export": (0, 4),
    "hang": (100, 100),
}
_CONTEXT_SHARE = 0.175  # of the power limit: H100 111-150 of 700 W
_THROTTLE = 84.0  # degrees C at which clocks begin to fall
_WARM = 72.0  # degrees C above which a GPU is warmer than in a well-cooled room
_HIGHEST_MEAN = 0.99  # of TDP: the limit that a GPU's power control holds
PERIOD = 1.0  # seconds in which power keeps its level: it is white at 1 Hz
# Utilization of an 8B job on H100s, whose median is 91 to 92 and whose 5th percentile is 84 to 86;
# the larger the model, the closer to 100 (Acme's fleet: 75th percentile 99 to 100).
_BUSY, _BUSY_SPREAD = 91.5, 4.0
_SPINNING = 0.55  # part of the seconds of a save in which ranks spin in a collective, at 95 to 100

# An activity of the GPUs and the simulated second at which it began.
Load = tuple[Activity, float]


class Reading(NamedTuple):
    """The values that nvidia-smi would show for one GPU."""

    index: int  # type: ignore[assignment]  # rank in the job; tuple.index is not missed
    utilization: int  # per cent
    memory_mib: int
    temperature_c: int
    power_watts: int
    sm_clock_mhz: int
    link_gb_s: float  # sent over NVLink, XGMI or PCIe, GB/s


class _Site(NamedTuple):
    """Thermal and electrical constants that all GPUs of a run share."""

    idle: float  # share of TDP without a process
    training: float  # while training
    inlet: float  # degrees C of the air at the chassis
    rise: float  # degrees C above it at full power
    lag: float  # seconds
    clock: int  # MHz
    link: float  # GB/s while training
    phase: float  # of the day at the start, radians


class _Chip(NamedTuple):
    """Constants in which one GPU differs from the others."""

    rise: float  # factor
    inlet: float  # degrees C
    power: float  # factor
    clock: float  # factor
    memory: int  # MiB


@lru_cache(maxsize=4096)
def _chip(seed: int, index: int, local: int, node: int) -> _Chip:
    """The constants of a GPU by its silicon and its place: two rows of a chassis differ by degrees.

    A real 8-GPU node: 54 42 41 54 53 40 42 52 C. One GPU in about 300 has a weak fan.
    """
    row = 1.10 if local % 4 in (0, 3) else 0.90
    tired = 1.25 if noise.uniform(seed, "gpu fan", index) < 1 / 300 else 1.0
    return _Chip(
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
def _site(job: Job) -> _Site:
    typical = gpus.typical_mfu(job.gpu)
    reached = expected_mfu(job.architecture, job.gpu, job.layout, job.schedule.sequence) / typical

    start = job.start.hour * 3600 + job.start.minute * 60 + job.start.second
    return _Site(
        idle=gpus.idle_share(job.gpu),
        # H100: 690 W at the MFU of dense models, 550 W for a mixture of experts, 380 W where
        # the GPU mostly waits for the network (NCCL's kernels spin).
        training=0.50 + 0.47 * min(1.0, reached / 1.1),
        inlet=noise.between(job.seed, "gpu hall", 22.0, 27.0),
        # Degrees C above the air at full power: SXM 33-42.
        rise=noise.between(job.seed, "gpu cooling", 33.0, 42.0) * gpus.cooling(job.gpu),
        lag=noise.between(job.seed, "gpu lag", 35.0, 55.0),
        clock=job.gpu.clock_mhz,
        link=_link_rate(job),
        phase=2.0 * pi * (start / 86_400.0 - 9.0 / 24.0),  # warmest 6 h after 9:00
    )


def _power_share(site: _Site, chip: _Chip, activity: Activity) -> float:
    """Mean share of TDP that a GPU draws in an activity: less where it would get too hot."""
    share = site.idle
    if activity != "idle":
        share = _CONTEXT_SHARE + (site.training - _CONTEXT_SHARE) * _LOAD[activity]
    share = min(_HIGHEST_MEAN, share * chip.power)
    hot = site.inlet + chip.inlet + site.rise * chip.rise * share
    return share * max(0.6, 1.0 - 0.02 * max(0.0, hot - _THROTTLE))


def _swings(activity: Activity) -> tuple[float, float]:
    """Amplitudes of the common ripple and of a GPU's own one, as shares of its mean power.

    In steady training power has a standard deviation of 1.6 to 1.9 % from second to second,
    and the GPUs of a node correlate at 0.75 to 0.81.
    """
    load = _LOAD[activity]
    return 0.008 + 0.019 * load, 0.004 + 0.010 * load


def recent(job: Job, loads: Iterable[Load], at: float) -> Iterator[Load]:
    """The loads that still matter for a temperature at `at`; the latest come first, as in `loads`.

    After 16 time constants of the lag a load has left e^-16 of its heat: less than 1e-5 C.
    """
    oldest = at - 16.0 * _site(job).lag
    for load in loads:
        yield load
        if load[1] <= oldest:
            return


def _warmth(site: _Site, chip: _Chip, at: float, loads: Sequence[Load]) -> float:
    """The share of TDP that a GPU's temperature follows: its power through a first-order lag.

    w(t) = sum of p_i (exp(-(t - end_i) / tau) - exp(-(t - began_i) / tau)). The oldest load is
    taken to have lasted for ever.
    """
    kept, warmth, power = 1.0, 0.0, 0.0
    for activity, began in loads:
        power = _power_share(site, chip, activity)
        left = exp(-max(0.0, at - began) / site.lag)
        warmth += power * (kept - left)
        kept = left
    return warmth + power * kept


def _clock(site: _Site, chip: _Chip, activity: Activity, power: float, hot: float) -> int:
    """The SM clock, a multiple of 15 MHz: 345 idle, highest with a context, lower under full power.

    H100 in training: 1.4-1.75 of 1.98 GHz, limited by power.
    """
    if activity == "idle":
        return 345 if site.clock > 1900 else 210
    slower = 0.17 * min(1.0, max(0.0, (power - 0.55) / 0.45))
    clock = site.clock * (1.0 - slower)
    if slower > 0.0:
        clock *= chip.clock
    clock *= max(0.5, 1.0 - 0.03 * max(0.0, hot - _THROTTLE))
    return min(site.clock, round(clock / 15.0) * 15)


def utilization(job: Job, index: int, at: float, activity: Activity) -> int:
    """Per cent of the last second in which a kernel ran: nearly always 100 in training."""
    low, high = _UTILIZATION[activity]
    moment = int(at) * 1_000_003 + index
    draw = noise.uniform(job.seed, "gpu utilization", moment)
    if activity == "training":
        middle = _BUSY + 4.5 * log10(job.model.active_parameters / 8e9)
        middle = min(99.5, max(86.0, middle))
        spread = _BUSY_SPREAD * noise.normal(job.seed, "gpu busy", moment)
        return max(low, min(high, round(middle + spread)))
    if activity == "validation":  # mostly at the top
        return high - int((high - low + 1) * draw**3)
    if activity == "checkpoint" and draw < _SPINNING:
        return 95 + int(6 * draw / _SPINNING)
    return low + int((high - low + 1) * draw**2)


def _memory_mib(job: Job, chip: _Chip, index: int, activity: Activity) -> int:
    """MiB in use: first nothing, then the CUDA context, then also torch's pages (allocator.py)."""
    if activity == "idle":
        return min(4, job.gpu.memory_mib)
    layout = job.layout
    stage = index // (layout.gpus // layout.pp)
    step = 0 if activity in ("starting", "loading") else 2
    torch = 0 if activity == "starting" else allocator.reserved(job, step, stage)
    context = memory.estimate(job.architecture, layout, job.schedule.sequence).context
    used = (torch + context) // memory.MIB + chip.memory
    return min(used, memory.capacity(job.gpu) // memory.MIB)


def thermal_state(celsius: float) -> Warmth:
    """Whether a GPU is cool, warm or hot; a hot GPU lowers its clock."""
    return "hot" if celsius >= _THROTTLE else "warm" if celsius >= _WARM else "cool"


def _rippled(site: _Site, chip: _Chip, activity: Activity, common: float, own: float) -> float:
    """A GPU's power at a moment, as a share of TDP; `common` and `own` are its ripples."""
    swing, own_swing = _swings(activity)
    return _power_share(site, chip, activity) * (1.0 + swing * common + own_swing * own)


def power(job: Job, index: int, at: float, activity: Activity) -> float:
    """The watts that a GPU draws at a simulated second, in an activity."""
    common = ripples.flicker(job.seed, "gpu ripple", at, PERIOD)
    own = ripples.flicker(job.seed, "gpu own ripple", at, PERIOD, index)
    share = _rippled(_site(job), _chip_of(job, index), activity, common, own)
    return share * job.gpu.tdp_watts


class Latent(NamedTuple):
    """The state of one GPU that all of its gauges are views of."""

    activity: Activity
    power_watts: float
    temperature_c: float
    sm_clock_mhz: int
    memory_mib: int
    link_gb_s: float  # sent over NVLink, XGMI or PCIe, GB/s
    common: float  # the ripple that all GPUs share, about -1..1
    own: float  # the ripple of this one


def latent(job: Job, index: int, at: float, loads: Sequence[Load]) -> Latent:
    """The state of one GPU at simulated second `at`; `loads` is what it did, the latest first.

    power up to 1.05 TDP, temperature 20..95 C, memory within capacity.
    """
    site, chip = _site(job), _chip_of(job, index)
    activity = loads[0][0]
    common = ripples.flicker(job.seed, "gpu ripple", at, PERIOD)
    own = ripples.flicker(job.seed, "gpu own ripple", at, PERIOD, index)
    day = sin(site.phase + 2.0 * pi * at / 86_400.0)
    air = site.inlet + 1.2 * day + 0.5 * ripples.ripple(job.seed, "gpu air", at, 300.0)

    power = _rippled(site, chip, activity, common, own)
    hot = air + chip.inlet + site.rise * chip.rise * _warmth(site, chip, at, loads)
    sent = site.link * {"training": 1.0, "validation": 0.95}.get(activity, 0.0)
    return Latent(
        activity=activity,
        power_watts=power * job.gpu.tdp_watts,
        temperature_c=max(20.0, min(95.0, hot)),
        sm_clock_mhz=_clock(site, chip, activity, power, hot),
        memory_mib=_memory_mib(job, chip, index, activity),
        link_gb_s=min(job.gpu.link_gb_s, sent * (1.0 + 0.03 * common + 0.03 * own)),
        common=common,
        own=own,
    )


def reading(job: Job, index: int, at: float, loads: Sequence[Load]) -> Reading:
    """What nvidia-smi shows of one GPU at simulated second `at`: its state in whole units."""
    state = latent(job, index, at, loads)
    return Reading(
        index=index,
        utilization=utilization(job, index, at, state.activity),
        memory_mib=state.memory_mib,
        temperature_c=round(state.temperature_c),
        power_watts=round(state.power_watts),
        sm_clock_mhz=state.sm_clock_mhz,
        link_gb_s=round(state.link_gb_s, 1),
    )


def capped_share(job: Job, index: int, activity: Activity) -> float:
    """The share of an activity's time in which the power limit holds a GPU's clock back.

    A healthy H100 at full load is often at its limit: from 90 % of it on, more and more.
    """
    share = _power_share(_site(job), _chip_of(job, index), activity)
    return min(1.0, max(0.0, (share - 0.9) / 0.1))


def is_hot(job: Job, index: int, activity: Activity) -> bool:
    """Whether a GPU slows itself down because an activity would make it too hot."""
    site, chip = _site(job), _chip_of(job, index)
    hot = site.inlet + chip.inlet + site.rise * chip.rise * _power_share(site, chip, activity)
    return hot > _THROTTLE


def _chip_of(job: Job, index: int) -> _Chip:
    per_node = job.layout.gpus // job.layout.nodes
    node, local = divmod(index, per_node)
    return _chip(job.seed, index, local, node)


def energy(job: Job, index: int, load: Load, until: float) -> float:
    """Joules that a GPU uses from the start of a load until a moment: the integral of its power."""
    site, chip = _site(job), _chip_of(job, index)
    activity, began = load
    swing, own_swing = _swings(activity)

    def rippled(at: float) -> float:
        common = ripples.flicker_integral(job.seed, "gpu ripple", at, PERIOD)
        own = ripples.flicker_integral(job.seed, "gpu own ripple", at, PERIOD, index)
        return at + swing * common + own_swing * own

    mean = _power_share(site, chip, activity) * job.gpu.tdp_watts
    return mean * (rippled(until) - rippled(began))
