"""How the power of many nodes' GPUs moves, by numpy: swings.py, bit for bit."""

import numpy as np

from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import balanced
from llmsim.physics.array_noise import Array, Levels, drawn_levels, level_of, total_of
from llmsim.physics.hardware import swings, telemetry
from llmsim.physics.hardware.telemetry import Load
from llmsim.typed import NamedTuple


def _nodes(job: Job, ranks: range) -> range:
    """The nodes of GPUs that begin and end with a node."""
    size = gpus_per_node(job)
    return range(ranks.start // size, ranks.stop // size)


@remembered(3)
def _levels(job: Job, stream: str, group: int, series: range) -> Levels:
    return drawn_levels(job.seed, stream, group, series)


class Noise(NamedTuple):
    """Where the power of a block's GPUs is: see swings.Swings."""

    factors: Array
    common: Array  # of each GPU's node
    owns: Array


def noise_of(job: Job, ranks: range, at: float, load: Load) -> Noise:
    """telemetry's swings of a block's GPUs at a moment, under a load."""
    law, nodes, second = swings.law_of(job), _nodes(job, ranks), int(at)
    work_of_load, size = telemetry.LOAD[load.activity], gpus_per_node(job)
    slow_second = int(at // swings.SLOW_SECONDS)
    slow = level_of(
        _levels(job, "gpu slow power", slow_second // balanced.GROUP, nodes), slow_second
    )
    group = second // balanced.GROUP
    if law.lean and work_of_load > 0.5:
        common = np.array([
            balanced.level(job.seed, "gpu power", second, node, law.lean) for node in nodes
        ])  # fmt: skip
    else:
        common = level_of(_levels(job, "gpu power", group, nodes), second)
    shared: Array = np.repeat(law.node * common + law.slow * slow, size)
    owns = level_of(_levels(job, "gpu own power", group, ranks), second)
    scale = swings.QUIET + (1.0 - swings.QUIET) * work_of_load
    dip = swings.dipped(law, work_of_load, at, load.began)
    factors = 1.0 + ((shared + law.own * owns) * scale + dip)
    return Noise(factors, np.repeat(common, size), owns)


def swung(job: Job, ranks: range, load: Load, at: float) -> Array:
    """telemetry.swung of a block's GPUs."""
    law, nodes, slow_at = swings.law_of(job), _nodes(job, ranks), at / swings.SLOW_SECONDS
    work_of_load, group = telemetry.LOAD[load.activity], int(at // 1.0) // balanced.GROUP
    slow = total_of(
        _levels(job, "gpu slow power", int(slow_at // 1.0) // balanced.GROUP, nodes), slow_at
    )
    if law.lean and work_of_load > 0.5:
        common = np.array([
            balanced.total(job.seed, "gpu power", at, node, law.lean) for node in nodes
        ])  # fmt: skip
    else:
        common = total_of(_levels(job, "gpu power", group, nodes), at)
    shared = law.node * common + law.slow * (swings.SLOW_SECONDS * slow)
    owns = total_of(_levels(job, "gpu own power", group, ranks), at)
    scale = swings.QUIET + (1.0 - swings.QUIET) * work_of_load
    dip = swings.dipped_integral(law, work_of_load, at, load.began)
    made: Array = at + (np.repeat(shared, gpus_per_node(job)) + law.own * owns) * scale + dip
    return made
