"""The SM clock: the highest one at work, unless the power limit or heat holds it back, and NVML's
reasons.

Each second has one clock, which is 15 MHz or more below the highest one exactly if a reason is set.
"""

from llmsim.physics.hardware.sites import Chip, Site

THROTTLE = 84.0  # degrees C at which clocks begin to fall
# The power limit holds the clock back in seconds whose mean is above this share of TDP: peaks of
# milliseconds are at the limit by then. An H100 in gpu-burn has its highest clock at 632 W, .90 of
# its limit (captures of nvidia_gpu_exporter); an RTX 3090 is held back in 27 % of the samples at a
# mean of .89 of its limit, and in 86 % at .98 (noonghunna/club-3090, issue 104).
CAPPED = 0.90
# How much lower the clock is for each share of TDP above that, and at the most. At 700 W an H200
# does not hold 1,830 MHz under full load, but 1,500 (tile-ai/TileOPs, issue 1587).
STEEP, STEEPEST = 2.0, 0.22
# NVML's reasons for lower clocks.
IDLE, POWER_CAP, SW_THERMAL = 0x1, 0x4, 0x20


def clock(site: Site, chip: Chip, power: float, hot: float) -> tuple[int, int]:
    """The SM clock of a GPU that has a process, in steps of 15 MHz, and NVML's mask of why it is
    lower than the highest one.

    H100 in training: 1.4 to 1.85 of 1.98 GHz where it is limited by power.
    """
    if power <= CAPPED and hot <= THROTTLE:
        return site.clock, 0
    mhz, reasons = float(site.clock), 0
    if power > CAPPED:
        mhz = mhz * (1.0 - min(STEEPEST, STEEP * (power - CAPPED))) * chip.clock
        reasons = POWER_CAP
    if hot > THROTTLE:
        mhz *= max(0.5, 1.0 - 0.03 * (hot - THROTTLE))
        reasons |= SW_THERMAL
    return min(site.clock - 15, round(mhz / 15.0) * 15), reasons


def held_heat(celsius: float) -> float:
    """What the heat control acts on, degrees C, of a GPU that would get too hot: it holds the
    clock back shortly before THROTTLE, too, and so keeps the GPU there.
    """
    return max(celsius, THROTTLE + 0.01) if celsius > THROTTLE - 2.0 else celsius
