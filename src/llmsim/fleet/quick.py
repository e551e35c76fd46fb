"""Samples of GPUs by numpy: the values of the plain functions, many at a time.

    physics/noise.py, physics/hardware/telemetry.py and gauges.py, written for arrays

The plain functions do the same operations in the same order, and so the table has their digits:
powers to 0.1 W, tensor activity to 0.0001, all else in whole numbers. A test compares 100,000.
"""

from collections.abc import Iterator
from math import pi

import numpy as np

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.array_noise import PLACES, Array, levels, normals, quarter, ripple, uniforms
from llmsim.physics.hardware import activities, swings, telemetry, utilization
from llmsim.physics.hardware.gauge_arrays import clocks_of
from llmsim.physics.hardware.sites import chip_of, site_of
from llmsim.run.complaints import faults, troubles
from llmsim.run.events import Symptom
from llmsim.run.moment import loads, odd
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry.samples import MOST_GPUS
from llmsim.typed import NamedTuple

ROWS = 49_152  # of a chunk: its arrays stay in a core's cache


class Chunk(NamedTuple):
    """Samples of some moments in order of time and GPU: an array a column."""

    at: Array  # the moments, in simulated seconds
    gpus: int  # GPUs that each moment has
    kept: Array | None  # which rows there are: a GPU that fell off the bus has none; None: all
    power_deciwatts: Array
    temp_c: Array
    sm_clock_mhz: Array
    utilization_percent: Array
    used_mib: Array
    tensor_active: Array  # in ten-thousandths
    xid: Array | None  # None: no GPU has an error


class _Group(NamedTuple):
    """GPUs that have had the same loads: their traits by load, and of each GPU of its own.

    Loads are numbered by what they are, whatever their beginning: activity, pace, clock, heat.
    """

    loads: tuple[telemetry.Load, ...]
    began: Array  # of each load in the past, the first first
    kinds: Array  # its number in `loads`
    share: Array  # mean power as a share of TDP: loads x GPUs, as are the next four
    warmth: Array  # the same for the temperature
    memory: Array  # MiB
    held: Array  # MHz of a clock that is held back; 0: it is not
    hot: Array  # whether it holds itself back, since it would get too hot
    work: Array  # of each load, 1 in training: how far its power swings
    busy: Array  # loads
    inlet: Array  # GPUs, and all below
    rise: Array
    clock: Array
    filled: Array
    ranks: Array


def _group(run: Run, ranks: list[int], odd_one: int | None) -> _Group:
    """These GPUs with their past; `odd_one` is the rank of one that has loads of its own."""
    job, site = run.job, site_of(run.job)
    done = [*reversed([*loads(run, run_ended(run) + 1.0, odd_one)])]
    what = [load._replace(began=0.0, reasons=0) for load in done]
    kinds = tuple(dict.fromkeys(what))
    chips = [chip_of(job, rank) for rank in ranks]
    most = job.gpu.memory_mib - gpus.reserved_mib(job.gpu)
    share = np.array([
        [telemetry._power_share(site, chip, load.activity, load.pace) for chip in chips]  # noqa: SLF001
        for load in kinds
    ])  # fmt: skip
    return _Group(
        loads=kinds,
        began=np.array([load.began for load in done]),
        kinds=np.array([kinds.index(load) for load in what]),
        share=share,
        warmth=share * np.array([[load.heat] for load in kinds]),
        memory=np.array([
            [min(most, telemetry.doing(job, rank, load.activity).memory_mib) for rank in ranks]
            for load in kinds
        ], dtype=np.int32),
        held=np.array([
            [telemetry.held_clock(job, rank, load) if load.clock < 1.0 else 0 for rank in ranks]
            for load in kinds
        ]),
        hot=np.array([
            [telemetry.doing(job, rank, load.activity).hot for rank in ranks] for load in kinds
        ]),
        work=np.array([telemetry.LOAD[load.activity] for load in kinds]),
        busy=np.array([
            activities.BUSY.get(load.activity, 0.0) * load.pace for load in kinds
        ]),
        inlet=np.array([chip.inlet for chip in chips]),
        rise=np.array([site.rise * chip.rise for chip in chips]),
        clock=np.array([chip.clock for chip in chips]),
        filled=np.array([chip.filled for chip in chips]),
        ranks=np.array(ranks, dtype=np.int64),
    )  # fmt: skip


def _lagged(group: _Group, number: Array, at: Array, lag: float) -> Array:
    """The weight of each load in a temperature, moments x loads: see telemetry.warmth."""
    began, kinds = group.began, group.kinds
    weights = np.zeros((len(at), len(group.loads)))
    rows = np.arange(len(at))
    kept, back = np.ones(len(at)), number.copy()
    going: Array = np.ones(len(at), dtype=bool)
    while going.any():
        left = np.exp(-np.maximum(0.0, at - began[back]) / lag)
        last = (began[back] <= at - 16.0 * lag) | (back == 0)
        # The oldest load is taken to have lasted for ever: what is left is its, too.
        part = np.where(last, kept, kept - left)
        weights[rows[going], kinds[back[going]]] += part[going]
        kept = np.where(going, left, kept)
        going &= ~last
        back = np.where(going, back - 1, back)
    return weights


class _Faults:
    """What the driver has said of GPUs, by the moments at which it changes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        changes = {0.0}
        for segment in run.timeline:
            changes.add(segment.began)
            changes |= {event.at for event in segment.events if isinstance(event, Symptom)}
        self._changes = np.array(sorted(changes))

    def read(self, at: Array, ranks: int) -> tuple[Array | None, Array | None]:
        """The error codes, moments x GPUs, and which GPUs can be read; None: no error, and all."""
        codes: Array = None
        there: Array = None
        spans = np.searchsorted(self._changes, at, side="right")
        per_node = gpus_per_node(self._run.job)
        for span in np.unique(spans):
            here = np.flatnonzero(spans == span)
            moment = float(at[here[0]])
            gone = [
                gpu
                for node, trouble in troubles(self._run, moment).items()
                if trouble.silent
                for gpu in range(node * per_node, (node + 1) * per_node)
            ]
            for rank, fault in faults(self._run, moment).items():
                if rank < ranks and fault.xid:
                    codes = np.zeros((len(at), ranks), dtype=np.int16) if codes is None else codes
                    codes[here, rank] = fault.xid
                if fault.lost:
                    gone.append(rank)
            for rank in gone:
                if rank < ranks:
                    there = np.ones((len(at), ranks), dtype=bool) if there is None else there
                    there[here, rank] = False
        return codes, there


def chunks(run: Run, every: float) -> Iterator[Chunk]:
    """The samples of a run's GPUs at equal intervals of simulated time."""
    end, count = run_ended(run), min(run.job.layout.gpus, MOST_GPUS)
    broken = _Faults(run)
    groups = [_group(run, [*range(count)], None)]
    groups += [_group(run, [rank], rank) for rank in sorted(odd(run, end)) if rank < count]
    moments = np.arange(int(end // every) + 2)
    moments = moments[moments * every <= end]
    size = max(1, ROWS // count)
    for first in range(0, len(moments), size):
        at = moments[first : first + size] * every
        columns = _columns(run.job, groups[0], at)
        for group in groups[1:]:
            for column, own in zip(columns, _columns(run.job, group, at), strict=True):
                column[:, group.ranks[0]] = own[:, 0]
        codes, there = broken.read(at, count)
        flat = [column.reshape(-1) for column in columns]
        flat.append(None if codes is None else codes.reshape(-1))
        kept = None if there is None else there.reshape(-1)
        if kept is not None:
            flat = [None if column is None else column[kept] for column in flat]
        yield Chunk(at, count, kept, *flat)


def _columns(job: Job, group: _Group, at: Array) -> list[Array]:
    """The gauges of a group of GPUs, moments x GPUs, in the order of Chunk."""
    # A load that begins at this very moment does not count yet.
    number = np.maximum(np.searchsorted(group.began, at, side="left") - 1, 0)
    load = group.kinds[number]
    power, common, own = _swings(job, group, at, load, group.began[number])
    power *= group.share[load]
    np.minimum(power, gpus.highest_power(job.gpu), out=power)
    hot = _lagged(group, number, at, site_of(job).lag) @ group.warmth
    hot *= group.rise
    quiet, least, slope = site_of(job).warming
    if quiet > 1.0:
        hot = np.minimum(quiet * hot, least + slope * hot)
    hot += _air(job, at)[:, None] + group.inlet
    clock = _clocks(job, group, load, power, hot)
    return [
        _tenths(power * job.gpu.tdp_watts * 1000.0),
        np.rint(np.clip(hot, 20.0, 95.0)).astype(np.int16),
        clock.astype(np.int16),
        _utilization(job, group, load, at),
        group.memory[load],
        _tensor(job, group, at, load, clock, (common, own)),
    ]


def _swings(
    job: Job, group: _Group, at: Array, load: Array, since: Array
) -> tuple[Array, Array, Array]:
    """The factor of each mean power, and the noise of the nodes and of the GPUs, moments x GPUs:
    see swings.swings.
    """
    law = swings.law_of(job)
    node, second, work = group.ranks // gpus_per_node(job), at.astype(np.int64), group.work[load]
    slow_second = np.floor_divide(at, swings.SLOW_SECONDS).astype(np.int64)
    nodes, places = np.unique(node, return_inverse=True)
    common = levels(job.seed, "gpu power", second, nodes)
    if law.lean and bool((work > 0.5).any()):
        leaning = levels(job.seed, "gpu power", second, nodes, law.lean)
        common = np.where((work > 0.5)[:, None], leaning, common)
    slow = levels(job.seed, "gpu slow power", slow_second, nodes)[:, places]
    common = common[:, places]
    own = levels(job.seed, "gpu own power", second, group.ranks)
    moved = law.node * common + law.slow * slow + law.own * own
    moved *= (swings.QUIET + (1.0 - swings.QUIET) * work)[:, None]
    if law.dip:
        dipped = _dipped(law, at - since) - _dipped(law, at - since - 1.0)
        moved += np.where((work > 0.5) & (at - since >= 1.0), dipped, 0.0)[:, None]
    return 1.0 + moved, common, own


def _dipped(law: swings.Law, seconds: Array) -> Array:
    within = np.mod(seconds, law.period)
    rise = law.dip_seconds / law.period * within
    return law.dip * (rise - np.minimum(within, law.dip_seconds))


def _tenths(values: Array) -> Array:
    """Whole hundredths of values that are first rounded to whole numbers, as rows.py rounds."""
    whole = np.rint(values).astype(np.int64)
    return ((whole + 50) // 100).astype(np.int32)


def _air(job: Job, at: Array) -> Array:
    site = site_of(job)
    day = np.sin(site.phase + 2.0 * pi * at / 86_400.0)
    return site.inlet + 1.2 * day + 0.5 * ripple(job.seed, "gpu air", at, 300.0)


def _clocks(job: Job, group: _Group, load: Array, power: Array, hot: Array) -> Array:
    """The SM clocks in MHz, moments x GPUs: see telemetry.latents."""
    site = site_of(job)
    clock, _ = clocks_of(site.clock, group.clock, power, hot, group.hot[load])
    for kind, each in enumerate(group.loads):
        if each.clock < 1.0:
            clock[load == kind] = group.held[kind]
        if each.activity == "idle":
            clock[load == kind] = site.idle_clock
    return clock


def _tensor(
    job: Job, group: _Group, at: Array, load: Array, clock: Array, noise: tuple[Array, Array]
) -> Array:
    """Tensor activity in ten-thousandths, moments x GPUs: see activities.py. `noise` is that of the
    nodes and of the GPUs.
    """
    common, own = (np.clip(each, -2.0, 2.0) for each in noise)
    places = at.astype(np.int64)[:, None] * PLACES + group.ranks[None, :]
    wavering = quarter(job.seed, "gauge activities", places) * activities.STEP - 1.0
    sm_active = activities.SM_USUAL + activities.SM_NODE * common
    sm_active *= 1.0 + (activities.SM_OWN * group.filled + activities.SM_WAVERS * wavering)
    np.minimum(sm_active, activities.SM_MOST, out=sm_active)
    tensor = (group.busy[load] * activities.work_of(job).tensor_mhz)[:, None] / clock
    tensor *= 1.0 + 0.006 * own
    np.minimum(tensor, sm_active, out=tensor)
    return _tenths(tensor * 1e6)


def _utilization(job: Job, group: _Group, load: Array, at: Array) -> Array:
    """Per cent, moments x GPUs: see utilization.utilizations."""
    made: Array = np.empty((len(at), len(group.ranks)), dtype=np.int16)
    moment = at.astype(np.int64)[:, None] * PLACES + group.ranks[None, :]
    for kind in np.unique(load):
        here = load == kind
        made[here] = _used_in(job, group.loads[int(kind)].activity, moment[here])
    return made


def _used_in(job: Job, activity: telemetry.Activity, moment: Array) -> Array:
    low, high = utilization.RANGES[activity]
    if activity == "training":
        spread = normals(job.seed, "gpu busy", moment)
        spread *= utilization.BUSY_SPREAD
        spread += utilization.usual_utilization(job)
        return np.clip(np.rint(spread), low, high)
    draw = uniforms(job.seed, "gpu utilization", moment)
    if activity == "validation":
        return high - ((high - low + 1) * draw**3).astype(np.int64)
    some = low + ((high - low + 1) * draw**2).astype(np.int64)
    if activity == "checkpoint":
        spinning = utilization.SPINNING
        return np.where(draw < spinning, 95 + (6 * draw / spinning).astype(np.int64), some)
    return some
