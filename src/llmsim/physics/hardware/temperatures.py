"""The temperatures of many GPUs at a moment, without their other gauges, and what brings a GPU to
one.
"""

from collections.abc import Sequence
from math import fsum

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.sites import chip_of, site_of, warmed


def temperatures(
    job: Job, at: float, loads: Sequence[telemetry.Load], gpus: tuple[int, ...]
) -> list[int]:
    """The temperatures of GPUs that have done the same, degrees C."""
    site, air = site_of(job), telemetry.air(job, at)
    terms = [
        [weight * share for share in _shares(job, gpus, activity, pace)]
        for weight, activity, pace in telemetry.warmth(job, at, loads)
    ]
    hot = [
        air + inlet + warmed(site, rise * fsum(each))
        for (inlet, rise), *each in zip(_warmings(job, gpus), *terms, strict=True)
    ]
    return [round(max(20.0, min(95.0, each))) for each in hot]


@remembered(2)
def _warmings(job: Job, gpus: tuple[int, ...]) -> list[tuple[float, float]]:
    """Degrees C of each GPU's air above the hall's, and of its rise at full power."""
    rise, chips = site_of(job).rise, [chip_of(job, index) for index in gpus]
    return [(chip.inlet, rise * chip.rise) for chip in chips]


@remembered(8)
def _shares(
    job: Job, gpus: tuple[int, ...], activity: telemetry.Activity, pace: float
) -> list[float]:
    """What GPUs draw in an activity at a pace."""
    return [telemetry.share(job, index, activity, pace) for index in gpus]


def heating(
    job: Job, index: int, celsius: float, pace: float, activity: telemetry.Activity = "training"
) -> float:
    """The factor on a GPU's heat with which an activity at a pace brings it to a temperature."""
    site, chip = site_of(job), chip_of(job, index)
    usual = site.rise * chip.rise * telemetry.share(job, index, activity, pace)
    over = celsius - site.inlet - chip.inlet
    quiet, least, slope = site.warming
    return max(1.0, max(over / quiet, (over - least) / slope) / usual)
