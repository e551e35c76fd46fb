"""The temperatures of many GPUs at a moment, without their other gauges."""

from collections.abc import Callable, Iterable, Sequence
from math import exp, fsum

from llmsim.job.records import Job
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.sites import Site, chip_of, site_of


def temperatures(job: Job, at: float, loads: Sequence[telemetry.Load]) -> Callable[[int], int]:
    """A function for the temperature of a GPU, for many that have done the same."""
    site, air, kept = site_of(job), telemetry.air(job, at), 1.0
    parts: dict[tuple[telemetry.Activity, float, float], float] = {}  # of the warmth
    for load, left in zip(loads, [*_left(site, at, loads[:-1]), 0.0], strict=True):
        key = load.activity, load.pace, load.heat
        parts[key] = parts.get(key, 0.0) + kept - left
        kept = left

    def celsius(index: int) -> int:
        chip = chip_of(job, index)
        terms = [
            part * heat * telemetry.share(job, index, activity, pace)
            for (activity, pace, heat), part in parts.items()
        ]
        hot = air + chip.inlet + site.rise * chip.rise * fsum(terms)
        return round(max(20.0, min(95.0, hot)))

    return celsius


def _left(site: Site, at: float, loads: Iterable[telemetry.Load]) -> list[float]:
    """The parts of the warmth of a moment that are older than each load."""
    return [exp(-max(0.0, at - load.began) / site.lag) for load in loads]
