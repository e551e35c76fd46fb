"""The gauges of many nodes at a moment by numpy: the values of gauges.py, bit for bit.

    telemetry.latents, clocks, activities, links, gauges: the same operations in the same order

Sums, products, quotients and roots of numpy are the same as Python's; logarithms and cosines may
differ in their last bits, and so Python computes them (array_noise.py). This is for GPUs that have
had the same loads, without a fault or an incident's load.
"""

import numpy as np

from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.array_noise import Array, exact_normals, quarters
from llmsim.physics.hardware import activities as work
from llmsim.physics.hardware import clocks, gauges, links, telemetry, utilization
from llmsim.physics.hardware.gauges import Columns, Seconds
from llmsim.physics.hardware.sites import chips_of, site_of
from llmsim.physics.hardware.swing_arrays import Noise, noise_of
from llmsim.physics.hardware.telemetry import Activity, Load
from llmsim.typed import Any, NamedTuple

BLOCKS = 512  # that a job remembers constants of: 32,768 nodes
PLACES = 1_000_003


class Block(NamedTuple):
    """The gauges of nodes that follow one another: a row a gauge, a column a GPU."""

    start: int  # the first GPU's rank
    floats: Array
    wholes: Array
    same: dict[str, list[Any]]  # of each node: gauges that are the same for all of its GPUs

    def node(self, ranks: range) -> Columns:
        """The gauges of one of the nodes."""
        here = slice(ranks.start - self.start, ranks.stop - self.start)
        columns = self.same.copy()
        columns.update(zip(FLOATS, self.floats[:, here].tolist(), strict=True))
        columns.update(zip(WHOLES, self.wholes[:, here].tolist(), strict=True))
        return columns


FLOATS = (
    "power_watts", "energy_joules", *work.NAMES, "power_capped_seconds", "thermal_slowdown_seconds",
)  # fmt: skip
WHOLES = (
    "gpu", "temperature_c", "memory_temperature_c", "sm_clock_mhz", "clock_event_reasons",
    "utilization_percent", "memory_utilization_percent", "used_mib", "free_mib",
    "pcie_sent_bytes_per_second", "pcie_received_bytes_per_second",
    "nvlink_sent_bytes_per_second", "nvlink_received_bytes_per_second", "pcie_replays",
)  # fmt: skip


class _Chips(NamedTuple):
    """Constants of the GPUs of a block."""

    inlet: Array
    rise: Array
    clock: Array
    stacks: Array
    filled: Array
    engine: Array
    occupied: Array
    traffic: Array
    replays: Array


@remembered(BLOCKS)
def _chips(job: Job, ranks: range) -> _Chips:
    size = gpus_per_node(job)
    chips = [chip for first in ranks[::size] for chip in chips_of(job, range(first, first + size))]
    return _Chips(*(np.array([getattr(chip, name) for chip in chips]) for name in _Chips._fields))


class _Usual(NamedTuple):
    """What an activity means for the GPUs of a block: see telemetry.Doing."""

    hot: Array
    memory_mib: Array


@remembered(4 * BLOCKS)
def _usual(job: Job, ranks: range, activity: Activity) -> _Usual:
    found = telemetry.doings(job, ranks, activity)
    return _Usual(
        np.array([each.hot for each in found]), np.array([each.memory_mib for each in found])
    )


@remembered(4 * BLOCKS)
def _means(job: Job, ranks: range, activity: Activity, pace: float) -> Array:
    """The mean shares of TDP: see telemetry.shares."""
    return np.array(telemetry.shares(job, ranks, activity, pace))


@remembered(BLOCKS)
def _held(job: Job, ranks: range) -> dict[Activity, tuple[Array, Array]]:
    """See gauges.held_in."""
    size, found = gpus_per_node(job), dict[Activity, tuple[Array, Array]]()
    for first in ranks[::size]:
        for activity, capped, hot in gauges.held_in(job, range(first, first + size)):
            if activity not in found:
                found[activity] = np.zeros(len(ranks)), np.zeros(len(ranks))
            here = slice(first - ranks.start, first - ranks.start + size)
            found[activity][0][here], found[activity][1][here] = capped, hot
    return found


def joules(job: Job, ranks: range, load: Load, seconds: Array) -> Array:
    """telemetry.joules of a block's GPUs."""
    made: Array = _means(job, ranks, load.activity, load.pace) * job.gpu.tdp_watts * seconds
    return made


def _clocks(
    job: Job, ranks: range, load: Load, power: Array, hot: Array
) -> tuple[Array, Array]:  # fmt: skip
    """The SM clocks, and NVML's masks: see telemetry.latents."""
    site = site_of(job)
    if load.activity == "idle":
        return np.full(len(ranks), site.idle_clock), np.full(len(ranks), clocks.IDLE)
    return clocks_of(site.clock, _chips(job, ranks).clock, power, hot,
                     _usual(job, ranks, load.activity).hot)  # fmt: skip


def clocks_of(top: int, chip: Array, power: Array, hot: Array, held: Array) -> tuple[Array, Array]:
    """clocks.clock for arrays; `held` says which GPUs get too hot in this activity."""
    near = held & (hot > clocks.THROTTLE - 2.0)
    hot = np.where(near, np.maximum(hot, clocks.THROTTLE + 0.01), hot)
    capped, heated = power > clocks.CAPPED, hot > clocks.THROTTLE
    lower = 1.0 - np.minimum(clocks.STEEPEST, clocks.STEEP * (power - clocks.CAPPED))
    mhz = np.where(capped, top * lower * chip, float(top))
    reasons = np.where(capped, clocks.POWER_CAP, 0)
    if heated.any():
        cooler = np.maximum(0.5, 1.0 - 0.03 * (hot - clocks.THROTTLE))
        mhz = np.where(heated, mhz * cooler, mhz)
        reasons = reasons | np.where(heated, clocks.SW_THERMAL, 0)
    slow = np.minimum(top - 15, np.rint(mhz / 15.0).astype(np.int64) * 15)
    return np.where(reasons != 0, slow, top), reasons


def _percents(job: Job, ranks: range, at: float, activity: Activity) -> Array:
    """See utilization.utilizations."""
    if activity != "training":
        return np.array(utilization.utilizations(job, ranks, at, activity))
    low, high = utilization.RANGES[activity]
    drawn = exact_normals(job.seed, "gpu busy", int(at) * PLACES + ranks.start, len(ranks))
    usual = utilization.usual_utilization(job)
    return np.clip(np.rint(usual + utilization.BUSY_SPREAD * drawn).astype(np.int64), low, high)


def _activities(
    job: Job, ranks: range, at: float, load: Load, noise: Noise, mhz: Array, percents: Array
) -> list[Array]:
    """In the order of activities.NAMES."""
    busy, hangs = work.BUSY.get(load.activity, 0.0), load.activity == "hang"
    if not busy and not hangs:
        return [percents / 250, *[np.zeros(len(ranks))] * (len(work.NAMES) - 1)]
    one, two, three, four = (
        each * work.STEP - 1.0
        for each in quarters(
            job.seed, "gauge activities", int(at) * PLACES + ranks.start, len(ranks)
        )
    )
    card, chips = work.work_of(job), _chips(job, ranks)
    usual: Any = work.HANGING
    if not hangs:
        usual = work.SM_USUAL + work.SM_NODE * np.maximum(-2.0, np.minimum(2.0, noise.common))
    tensor_mhz = busy * load.pace * card.tensor_mhz
    gap = work.GAP_HANGING if hangs else work.GAP
    sm = np.minimum(
        work.SM_MOST, usual * (1.0 + (work.SM_OWN * chips.filled + work.SM_WAVERS * one))
    )
    engine = sm + (1.0 - sm) * (
        gap + (work.GAP_OWN * chips.engine + work.GAP_WAVERS * two) * (1.0 - gap)
    )
    full = work.OCCUPANCY * sm * (1.0 + (0.006 * chips.occupied + 0.004 * three))
    fp32 = work.FP32 * sm * (1.0 + (0.02 * chips.engine - 0.015 * three))
    off = np.maximum(-2.0, np.minimum(2.0, noise.owns))
    tensor = np.minimum(sm, tensor_mhz / mhz * (1.0 + 0.006 * off))
    dram = np.minimum(work.DRAM_PEAK, card.dram_of_tensor * tensor * (
        1.0 + (work.TRAFFIC_OWN * chips.traffic + work.TRAFFIC_WAVERS * four)
    ))  # fmt: skip
    return [np.rint(1e6 * each) / 1e6 for each in (engine, sm, full, tensor, dram, fp32)]


def _pcie(job: Job, ranks: range, at: float, load: Load, sent: Array) -> tuple[Array, Array]:
    """See links.pcie; `sent` is what goes over the faster link."""
    limit, fast = links.link(job)
    busy = work.BUSY.get(load.activity, 0.0) * load.pace
    idle, back, host, cards = (
        each * work.STEP - 1.0
        for each in quarters(job.seed, "gauge pcie", int(at) * PLACES + ranks.start, len(ranks))
    )
    out = received = links.PCIE_IDLE * (1.0 + 0.9 * idle)
    if busy:
        network = links.network_bytes_per_second(job) * busy
        carried = out + network * (1.0 + 0.3 * cards) + (0.0 if fast else sent * 1e9)
        out = carried + links.PCIE_BACK * (1.0 + links.PCIE_BACK_WAVERS * back)
        received = carried + links.PCIE_HOST * (1.0 + links.PCIE_HOST_WAVERS * host)
    elif load.activity == "loading":
        received = out + links.PCIE_LOADING * (1.0 + 0.5 * host)
    elif load.activity == "checkpoint":
        out = out + links.saved_bytes_per_second(job)
    return np.minimum(out, limit).astype(np.int64), np.minimum(received, limit).astype(np.int64)


def _nvlink(job: Job, ranks: range, at: float, sent: Array) -> tuple[Array, Array]:
    """See links.nvlink."""
    if not sent[0] or not links.link(job)[1]:
        none: Array = np.zeros(len(ranks), dtype=np.int64)
        return none, none
    rates = sent * 1e9 * links.rhythm(job, int(at))
    out, back, *_ = (
        (rates * (1.0 + 0.01 * (each * work.STEP - 1.0))).astype(np.int64)
        for each in quarters(job.seed, "gauge nvlink", int(at) * PLACES + ranks.start, len(ranks))
    )
    return out, back


def block(
    job: Job, ranks: range, at: float, loads: tuple[Load, ...], energies: Array,
    spent: tuple[Seconds, ...],
) -> Block:  # fmt: skip
    """The gauges of nodes that have had the same loads, of which the latest comes first; their
    joules and their common past are given.
    """
    site, load, chips, card = site_of(job), loads[0], _chips(job, ranks), gauges.card_of(job)
    noise, activity, count = noise_of(job, ranks, at, load), load.activity, len(ranks)
    usual, room = _usual(job, ranks, activity), job.gpu.memory_mib - card.reserved_mib
    power = np.minimum(_means(job, ranks, activity, load.pace) * noise.factors, site.peak)
    warm: Array = np.zeros(count)
    for weight, kind, pace in telemetry.warmth(job, at, loads):
        warm = warm + weight * _means(job, ranks, kind, pace)
    air = telemetry.air(job, at) + chips.inlet
    over = site.rise * chips.rise * warm
    quiet, least, slope = site.warming
    hot = air + np.minimum(quiet * over, least + slope * over)
    mhz, reasons = _clocks(job, ranks, load, power, hot)
    celsius = np.maximum(20.0, np.minimum(95.0, hot))
    percents = _percents(job, ranks, at, activity)
    active = _activities(job, ranks, at, load, noise, mhz, percents)
    dram, link = active[4], telemetry.link(job, load)
    sent = np.zeros(count)
    if link:
        sent = np.minimum(job.gpu.link_gb_s, link * (1.0 + 0.02 * noise.common + 0.02 * noise.owns))
    capped, slowed, used = *_held_back(job, ranks, spent), usual.memory_mib
    floats = [np.rint(1e3 * (power * job.gpu.tdp_watts)) / 1e3, energies, *active, capped, slowed]
    wholes = [
        np.arange(ranks.start, ranks.stop),
        np.rint(celsius),
        _memory_celsius(job, ranks, air, celsius, dram),
        mhz,
        reasons,
        percents,
        np.minimum(percents, np.rint(115 * dram)),
        used,
        room - used,
        *_pcie(job, ranks, at, load, sent),
        *_nvlink(job, ranks, at, sent),
        chips.replays,
    ]
    return Block(
        ranks.start,
        np.array(floats),
        np.array([each.astype(np.int64) for each in wholes]),
        dict(gauges.same(job, activity, spent, gpus_per_node(job))),
    )


def _memory_celsius(job: Job, ranks: range, air: Array, celsius: Array, dram: Array) -> Array:
    """See gauges.py: of GPUs whose cooling works."""
    if not gauges.card_of(job).has_hbm:
        return np.zeros(len(ranks))
    stacks = _chips(job, ranks).stacks
    beside = (gauges.HBM_BESIDE + gauges.HBM_BESIDE_SPREAD * stacks) * (celsius - air)
    own = gauges.HBM_IDLE + gauges.HBM_IDLE_SPREAD * stacks + gauges.HBM_BUSY * dram
    return np.rint(air + own + beside)


def _held_back(job: Job, ranks: range, spent: tuple[Seconds, ...]) -> tuple[Array, Array]:
    """Seconds in which the power limit and heat have held each clock back: see gauges.py."""
    capped = np.full(len(ranks), gauges.limited(spent))
    hot = np.full(len(ranks), gauges.burning(spent))
    for activity, (limited, heated) in _held(job, ranks).items():
        for each in spent:
            if each.activity == activity:
                capped = capped + limited * each.steady
                hot = hot + heated * each.seconds
    return capped, hot
