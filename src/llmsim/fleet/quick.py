"""Samples of GPUs by numpy: the values of the plain functions, many at a time.

    physics/noise.py, physics/hardware/telemetry.py and gauges.py, written for arrays

The plain functions do the same operations in the same order, and so the table has their digits:
powers to 0.1 W, tensor activity to 0.0001, all else in whole numbers. A test compares 100,000.
"""

from collections.abc import Iterator
from math import log10, pi, sqrt

import numpy as np

from llmsim.catalog import gpus
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware import gauges as plain
from llmsim.physics.hardware import ripples, telemetry
from llmsim.run.events import Symptom
from llmsim.run.moment import loads
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry.samples import LOST, MOST_GPUS, faults
from llmsim.typed import Any, NamedTuple

ROWS = 49_152  # of a chunk: its arrays stay in a core's cache
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_PLACES = 1_000_003  # indices of two GPUs do not meet
ACTIVITIES = tuple(telemetry._LOAD)  # noqa: SLF001  # the same physics, for arrays
_TRAINING = ACTIVITIES.index("training")

Array = Any  # numpy's, whose types are not worth their words here


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


class _Cards(NamedTuple):
    """What a run's GPUs have in common, and what each has of its own, by activity and GPU."""

    share: Array  # mean power as a share of TDP: activities x GPUs
    memory: Array  # MiB: activities x GPUs
    swing: Array  # of the common ripple: activities
    own_swing: Array
    busy: Array  # activities
    low: Array  # utilization: activities
    high: Array
    inlet: Array  # GPUs, and all below
    rise: Array
    clock: Array
    ranks: Array


def _mix(value: Array) -> Array:
    """splitmix64's output function, in place."""
    value ^= value >> np.uint64(30)
    value *= _FIRST
    value ^= value >> np.uint64(27)
    value *= _SECOND
    value ^= value >> np.uint64(31)
    return value


def _unit(counter: Array) -> Array:
    """Uniform numbers in (0, 1) of these counters, which are used up."""
    made = (_mix(counter) >> np.uint64(12)).astype(np.float64)
    made += 0.5
    made *= 2.0**-52
    return made


def _counters(seed: int, stream: str, index: Array, times: int = 1) -> Array:
    with np.errstate(over="ignore"):
        return index.astype(np.uint64) * (_GOLDEN * np.uint64(times)) + np.uint64(
            noise.key(seed, stream)
        )


def _uniform(seed: int, stream: str, index: Array) -> Array:
    with np.errstate(over="ignore"):
        return _unit(_counters(seed, stream, index))


def uniforms(seed: int, stream: str, index: Array) -> Array:
    """Uniform numbers in (0, 1) of many indices of a stream: noise.uniform for arrays."""
    return _uniform(seed, stream, index)


def _normal(seed: int, stream: str, index: Array) -> Array:
    """Box-Muller, as noise.normal has it."""
    with np.errstate(over="ignore"):
        counter = _counters(seed, stream, index, 2)
        other = _unit(counter + _GOLDEN)
        radius = np.log(_unit(counter))
    radius *= -2.0
    np.sqrt(radius, out=radius)
    other *= 2.0 * pi
    radius *= np.cos(other, out=other)
    return radius


def _flicker(seed: int, stream: str, at: Array, ranks: Array) -> Array:
    """White noise about -1..1 of every moment and GPU; each level is drawn once."""
    knot = np.floor_divide(at, telemetry.PERIOD).astype(np.int64)
    earlier = knot - ripples._LEVELS_APART  # noqa: SLF001  # as above
    knots, places = np.unique(np.concatenate([knot, earlier]), return_inverse=True)
    drawn = _uniform(seed, stream, knots[:, None] + ranks[None, :] * _PLACES)
    drawn *= 2.0
    drawn -= 1.0
    made = drawn[places[: len(at)]]
    made -= drawn[places[len(at) :]]
    made *= 1.0 / sqrt(2.0)
    return made


def _ripple(seed: int, stream: str, at: Array, period: float) -> Array:
    """Smooth noise about -1..1 of every moment."""
    knot = np.floor_divide(at, period).astype(np.int64)
    apart = ripples._KNOTS_APART  # noqa: SLF001  # as above
    scale = 1.0 / sqrt(2.0)

    def drawn(index: Array) -> Array:
        return 2.0 * _uniform(seed, stream, index) - 1.0

    here = (drawn(knot) - drawn(knot - apart)) * scale
    there = (drawn(knot + 1) - drawn(knot + 1 - apart)) * scale
    return here + (there - here) * (at / period - knot)


def _cards(job: Job) -> _Cards:
    site = telemetry._site(job)  # noqa: SLF001  # as above
    ranks = range(min(job.layout.gpus, MOST_GPUS))
    chips = [telemetry._chip_of(job, rank) for rank in ranks]  # noqa: SLF001
    swings = [telemetry._swings(activity) for activity in ACTIVITIES]  # noqa: SLF001
    spans = [telemetry._UTILIZATION[activity] for activity in ACTIVITIES]  # noqa: SLF001
    most = job.gpu.memory_mib - gpus.reserved_mib(job.gpu)
    return _Cards(
        share=np.array([
            [telemetry._power_share(site, chip, activity) for chip in chips]  # noqa: SLF001
            for activity in ACTIVITIES
        ]),
        memory=np.array([
            [min(most, telemetry._memory_mib(job, chip, rank, activity))  # noqa: SLF001
             for rank, chip in zip(ranks, chips, strict=True)]
            for activity in ACTIVITIES
        ], dtype=np.int32),
        swing=np.array([swing for swing, _ in swings]),
        own_swing=np.array([own for _, own in swings]),
        busy=np.array([plain._BUSY.get(activity, 0.0) for activity in ACTIVITIES]),  # noqa: SLF001
        low=np.array([low for low, _ in spans]),
        high=np.array([high for _, high in spans]),
        inlet=np.array([chip.inlet for chip in chips]),
        rise=np.array([site.rise * chip.rise for chip in chips]),
        clock=np.array([chip.clock for chip in chips]),
        ranks=np.arange(len(chips), dtype=np.int64),
    )  # fmt: skip


def _lagged(began: Array, kinds: Array, number: Array, at: Array, lag: float) -> Array:
    """The weight of each activity in a temperature, moments x activities: see telemetry._warmth."""
    weights = np.zeros((len(at), len(ACTIVITIES)))
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
            changes |= {event.at for event in segment.told if isinstance(event, Symptom)}
        self._changes = np.array(sorted(changes))

    def xids(self, at: Array, ranks: int) -> Array | None:
        """The error codes, moments x GPUs; None if there is none at all."""
        made: Array = None
        spans = np.searchsorted(self._changes, at, side="right")
        for span in np.unique(spans):
            here = np.flatnonzero(spans == span)
            for rank, fault in faults(self._run, float(at[here[0]])).items():
                if rank < ranks and fault.xid:
                    made = np.zeros((len(at), ranks), dtype=np.int16) if made is None else made
                    made[here, rank] = fault.xid
        return made


def chunks(run: Run, every: float) -> Iterator[Chunk]:
    """The samples of a run's GPUs at equal intervals of simulated time."""
    job, end = run.job, run_ended(run)
    cards, broken = _cards(job), _Faults(run)
    done = [*reversed([*loads(run, end + 1.0)])]
    began = np.array([load[1] for load in done])
    kinds = np.array([ACTIVITIES.index(load[0]) for load in done])
    count = int(end // every) + 2
    moments = np.arange(count)
    moments = moments[moments * every <= end]
    size = max(1, ROWS // len(cards.ranks))
    for first in range(0, len(moments), size):
        at = moments[first : first + size] * every
        # A load that begins at this very moment does not count yet.
        number = np.maximum(np.searchsorted(began, at, side="left") - 1, 0)
        yield _chunk(job, cards, broken, at, (began, kinds, number))


def _chunk(job: Job, cards: _Cards, broken: _Faults, at: Array, done: tuple[Array, ...]) -> Chunk:
    began, kinds, number = done
    activity = kinds[number]
    common = _flicker(job.seed, "gpu ripple", at, cards.ranks[:1])[:, 0]
    own = _flicker(job.seed, "gpu own ripple", at, cards.ranks)
    power = cards.own_swing[activity][:, None] * own
    power += (1.0 + cards.swing[activity] * common)[:, None]
    power *= cards.share[activity]
    weights = _lagged(began, kinds, number, at, telemetry._site(job).lag)  # noqa: SLF001
    hot = weights @ cards.share
    hot *= cards.rise
    hot += _air(job, at)[:, None] + cards.inlet
    clock = _clocks(job, cards, activity, power, hot)
    tensor = _tensor(job, cards, activity, clock, common, own)
    watts = np.minimum(power * job.gpu.tdp_watts, 1.03 * job.gpu.tdp_watts)
    xids = broken.xids(at, power.shape[1])
    kept = None if xids is None or not (xids == LOST).any() else (xids != LOST).reshape(-1)
    columns = (
        _tenths(watts * 1000.0),
        np.rint(np.clip(hot, 20.0, 95.0)).astype(np.int16),
        clock.astype(np.int16),
        _utilization(job, cards, activity, at),
        cards.memory[activity],
        tensor,
    )
    flat = [column.reshape(-1) for column in columns]
    flat.append(None if xids is None else xids.reshape(-1))
    if kept is not None:
        flat = [column[kept] for column in flat]
    return Chunk(at, power.shape[1], kept, *flat)


def _tenths(values: Array) -> Array:
    """Whole hundredths of values that are first rounded to whole numbers, as rows.py rounds."""
    whole = np.rint(values).astype(np.int64)
    return ((whole + 50) // 100).astype(np.int32)


def _air(job: Job, at: Array) -> Array:
    site = telemetry._site(job)  # noqa: SLF001  # as above
    day = np.sin(site.phase + 2.0 * pi * at / 86_400.0)
    return site.inlet + 1.2 * day + 0.5 * _ripple(job.seed, "gpu air", at, 300.0)


def _clocks(job: Job, cards: _Cards, activity: Array, power: Array, hot: Array) -> Array:
    """The SM clocks in MHz, moments x GPUs: see telemetry._clock."""
    top = telemetry._site(job).clock  # noqa: SLF001  # as above
    slower = 0.17 * np.clip((power - 0.55) / 0.45, 0.0, 1.0)
    clock = top * (1.0 - slower)
    clock *= np.where(slower > 0.0, cards.clock, 1.0)
    highest = float(hot.max())
    if highest > telemetry._THROTTLE:  # noqa: SLF001
        clock *= np.maximum(0.5, 1.0 - 0.03 * np.maximum(0.0, hot - telemetry._THROTTLE))  # noqa: SLF001
    clock = np.minimum(top, np.rint(clock / 15.0) * 15)
    idle = activity == ACTIVITIES.index("idle")
    if idle.any():
        clock[idle] = 345 if top > 1900 else 210
    return clock


def _tensor(
    job: Job, cards: _Cards, activity: Array, clock: Array, common: Array, own: Array
) -> Array:
    """Tensor activity in ten-thousandths, moments x GPUs: see gauges.gauges."""
    busy = cards.busy[activity]
    small = np.clip(own, -1.0, 1.0)
    sm_active = (0.921 + 0.014 * np.clip(common, -1.0, 1.0))[:, None] * (1.0 + 0.02 * small)
    np.minimum(sm_active, 0.97, out=sm_active)
    tensor = (busy * plain._card(job).tensor_mhz)[:, None] / clock  # noqa: SLF001  # as above
    tensor *= 1.0 + 0.01 * small
    np.minimum(tensor, sm_active, out=tensor)
    return _tenths(tensor * 1e6)


def _utilization(job: Job, cards: _Cards, activity: Array, at: Array) -> Array:
    """Per cent, moments x GPUs: see telemetry.utilization."""
    made: Array = np.empty((len(at), len(cards.ranks)), dtype=np.int16)
    moment = at.astype(np.int64)[:, None] * _PLACES + cards.ranks[None, :]
    for kind in np.unique(activity):
        here = activity == kind
        made[here] = _used_in(job, int(kind), cards, moment[here])
    return made


def _used_in(job: Job, kind: int, cards: _Cards, moment: Array) -> Array:
    low, high = int(cards.low[kind]), int(cards.high[kind])
    if kind == _TRAINING:
        middle = telemetry._BUSY + 4.5 * log10(job.model.active_parameters / 8e9)  # noqa: SLF001
        middle = min(99.5, max(86.0, middle))
        spread = _normal(job.seed, "gpu busy", moment)
        spread *= telemetry._BUSY_SPREAD  # noqa: SLF001
        spread += middle
        return np.clip(np.rint(spread), low, high)
    draw = _uniform(job.seed, "gpu utilization", moment)
    if ACTIVITIES[kind] == "validation":
        return high - ((high - low + 1) * draw**3).astype(np.int64)
    some = low + ((high - low + 1) * draw**2).astype(np.int64)
    if ACTIVITIES[kind] == "checkpoint":
        spinning = telemetry._SPINNING  # noqa: SLF001  # as above
        return np.where(draw < spinning, 95 + (6 * draw / spinning).astype(np.int64), some)
    return some
