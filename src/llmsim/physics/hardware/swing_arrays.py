"""How the power of many nodes' GPUs moves, by numpy: swings.py, bit for bit."""

from collections.abc import Callable

import numpy as np

from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import balanced
from llmsim.physics.array_noise import Array, Levels, drawn_levels, level_of, total_of
from llmsim.physics.hardware import swings, telemetry
from llmsim.physics.hardware.telemetry import Load
from llmsim.typed import Any, NamedTuple


def _nodes(job: Job, ranks: range) -> range:
    """The nodes of GPUs that begin and end with a node."""
    size = gpus_per_node(job)
    return range(ranks.start // size, ranks.stop // size)


@remembered(3)
def _levels(job: Job, stream: str, group: int, series: range) -> Levels:
    return drawn_levels(job.seed, stream, group, series)


class _Reading(NamedTuple):
    """How a swing is read: as its level at a second, or as all of it up to a moment."""

    one: Callable[..., float]  # of one node
    block: Callable[[Levels, Any], Array]


_LEVEL = _Reading(balanced.level, level_of)
_TOTAL = _Reading(balanced.total, total_of)


def _read(reading: _Reading, job: Job, stream: str, place: float, series: range) -> Array:
    """A swing of each of a block's nodes or GPUs at a place, which counts the swing's seconds."""
    group = int(place // 1.0) // balanced.GROUP
    return reading.block(_levels(job, stream, group, series), place)


def _common(reading: _Reading, job: Job, place: float, nodes: range, load: Load) -> Array:
    """The swing that the GPUs of each node have in common; it leans where they work."""
    lean = swings.law_of(job).lean
    if lean and telemetry.LOAD[load.activity] > 0.5:
        return np.array([reading.one(job.seed, "gpu power", place, node, lean) for node in nodes])
    return _read(reading, job, "gpu power", place, nodes)


class Noise(NamedTuple):
    """Where the power of a block's GPUs is: see swings.Swings."""

    factors: Array
    common: Array  # of each GPU's node
    owns: Array


def noise_of(job: Job, ranks: range, at: float, load: Load) -> Noise:
    """telemetry's swings of a block's GPUs at a moment, under a load."""
    law, nodes, second = swings.law_of(job), _nodes(job, ranks), int(at)
    work_of_load, size = telemetry.LOAD[load.activity], gpus_per_node(job)
    slow = _read(_LEVEL, job, "gpu slow power", int(at // swings.SLOW_SECONDS), nodes)
    common = _common(_LEVEL, job, second, nodes, load)
    shared: Array = np.repeat(law.node * common + law.slow * slow, size)
    owns = _read(_LEVEL, job, "gpu own power", second, ranks)
    scale = swings.QUIET + (1.0 - swings.QUIET) * work_of_load
    dip = swings.dipped(law, work_of_load, at, load.began)
    factors = 1.0 + ((shared + law.own * owns) * scale + dip)
    return Noise(factors, np.repeat(common, size), owns)


def swung(job: Job, ranks: range, load: Load, at: float) -> Array:
    """telemetry.swung of a block's GPUs."""
    law, nodes, work_of_load = swings.law_of(job), _nodes(job, ranks), telemetry.LOAD[load.activity]
    slow = _read(_TOTAL, job, "gpu slow power", at / swings.SLOW_SECONDS, nodes)
    common = _common(_TOTAL, job, at, nodes, load)
    shared = law.node * common + law.slow * (swings.SLOW_SECONDS * slow)
    owns = _read(_TOTAL, job, "gpu own power", at, ranks)
    scale = swings.QUIET + (1.0 - swings.QUIET) * work_of_load
    dip = swings.dipped_integral(law, work_of_load, at, load.began)
    made: Array = at + (np.repeat(shared, gpus_per_node(job)) + law.own * owns) * scale + dip
    return made
