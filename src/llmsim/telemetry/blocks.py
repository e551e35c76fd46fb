"""The gauges of a block of nodes at once, by numpy: the same values as one node after the other.

    block(run, ranks, at, pasts)  ->  Block, whose node(ranks) gives the gauges of one node

Energies are sums over all loads of a run, in the order in which the loads were: totals are kept
where the latest load began, and at every 32nd load, so that time may go back as well.
"""

import numpy as np

from llmsim.physics.array_noise import Array
from llmsim.physics.hardware import gauge_arrays
from llmsim.physics.hardware.gauges import Seconds
from llmsim.physics.hardware.swing_arrays import swung
from llmsim.physics.hardware.telemetry import Load
from llmsim.run.moment import MARK_EVERY
from llmsim.run.timeline import Run
from llmsim.typed import NamedTuple

Loads = tuple[Load, ...]


class _Joules(NamedTuple):
    """What the GPUs of a block have taken up until one of their loads begins."""

    load: int  # counted from the launch
    total: Array
    before: Array  # what swing_arrays.swung says of that moment
    marks: list[Array]  # totals before every 32nd load


def block(
    run: Run, ranks: range, at: float, pasts: tuple[Loads, tuple[Seconds, ...], Loads]
) -> gauge_arrays.Block | None:
    """The gauges of GPUs that begin and end with a node and have had the same loads: all loads,
    their seconds, and what is still felt. None where an incident holds all of them back.
    """
    done, spent, felt = pasts
    if any(each.heat > 1.0 or each.clock < 1.0 for each in felt):
        return None
    return gauge_arrays.block(run.job, ranks, at, felt, _energies(run, ranks, at, done), spent)


def _energies(run: Run, ranks: range, at: float, latest_first: Loads) -> Array:
    """moment.energies_of of a block's GPUs."""
    load = latest_first[0]
    seconds = swung(run.job, ranks, load, at)
    total, before = _before(run, ranks, latest_first)
    made: Array = total + gauge_arrays.joules(run.job, ranks, load, seconds - before)
    return made


def _before(run: Run, ranks: range, latest_first: Loads) -> tuple[Array, Array]:
    """Joules of each GPU until its latest load begins, and what swung says of that moment."""
    job, last = run.job, len(latest_first) - 1
    known: dict[range, _Joules] = run.memo.setdefault("energy of blocks", {})
    none: Array = np.zeros(len(ranks))
    latest = known.get(ranks) or _Joules(-1, none, none, [none])
    if latest.load == last:
        return latest.total, latest.before
    number, total, marks = max(0, latest.load), latest.total, latest.marks
    if number > last:
        number = last - last % MARK_EVERY
        total = marks[last // MARK_EVERY]
    for count in range(number, last):
        load, after = latest_first[last - count], latest_first[last - count - 1]
        began = swung(job, ranks, load, load.began)
        ended = swung(job, ranks, load, after.began)
        total = total + gauge_arrays.joules(job, ranks, load, ended - began)
        if (count + 1) % MARK_EVERY == 0 and len(marks) == (count + 1) // MARK_EVERY:
            marks.append(total)
    seconds = swung(job, ranks, latest_first[0], latest_first[0].began)
    if last > latest.load:
        known[ranks] = _Joules(last, total, seconds, marks)
    return total, seconds
