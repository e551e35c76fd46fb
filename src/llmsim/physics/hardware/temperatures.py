"""The temperatures of many GPUs at a moment, without their other gauges, and what brings a GPU to
one.
"""

from collections.abc import Callable, Sequence
from math import fsum

from llmsim.job.records import Job
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.sites import chip_of, site_of, warmed


def temperatures(job: Job, at: float, loads: Sequence[telemetry.Load]) -> Callable[[int], int]:
    """A function for the temperature of a GPU, for many that have done the same."""
    site, air, parts = site_of(job), telemetry.air(job, at), telemetry.warmth(job, at, loads)

    def celsius(index: int) -> int:
        chip = chip_of(job, index)
        terms = [
            weight * telemetry.share(job, index, activity, pace) for weight, activity, pace in parts
        ]
        hot = air + chip.inlet + warmed(site, site.rise * chip.rise * fsum(terms))
        return round(max(20.0, min(95.0, hot)))

    return celsius


def heating(
    job: Job, index: int, celsius: float, pace: float, activity: telemetry.Activity = "training"
) -> float:
    """The factor on a GPU's heat with which an activity at a pace brings it to a temperature."""
    site, chip = site_of(job), chip_of(job, index)
    usual = site.rise * chip.rise * telemetry.share(job, index, activity, pace)
    over = celsius - site.inlet - chip.inlet
    quiet, least, slope = site.warming
    return max(1.0, max(over / quiet, (over - least) / slope) / usual)
