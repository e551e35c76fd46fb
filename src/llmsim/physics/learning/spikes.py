"""Loss spikes: rare, led by the gradient norm, gone after some tens of steps.

A run is cut into blocks of 1000 steps. A hash of (seed, block) says whether the
block holds a spike, where, how high and how fast it heals:

    loss excess      a * exp(-k / r)                       k >= 0 steps after the onset
    gradient factor  F ** (1 - d / (lead + 1))             d = 1 .. lead steps before it
                     1 + (F - 1) * exp(-k / r)             from it on;  F = 1 + 500 * a**2

a in nats, r in steps. The anatomy is that of BLOOM-176B, iterations 31214 to 31251:
loss 2.2 to 5.1 (a = 2.9), gradient norm .24, .95, 2.4, 16, 145, 960 (F = 4000) in the
five steps before, both back after about 30 steps. Its first spike came at iteration
31,200, hence one in 30,000 steps; most are far smaller and do no harm. Public runs of 10B and more
have 0 to 1 in 10,000 steps; at twice the usual learning rate there are 3 to 15, of 0.3 to 3.7 nats
and 40 to 100 steps long, so the rate grows with the learning rate.
"""

from math import exp, sqrt

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning import objectives
from llmsim.physics.learning.usual_rate import peak_learning_rate
from llmsim.typed import NamedTuple

BLOCK = 1000  # steps; a spike begins and ends within its block
LARGE = 10_000_000_000  # parameters; smaller models spike less often
CHANCE_LARGE, CHANCE_SMALL = 1 / 30, 1 / 90  # of a block holding one: one in 30,000 steps
# Above 1.3 times the usual rate spikes are more frequent: at twice the rate a small model has 0.2
# in a block, a large one 0.7.
BORNE, RATE_POWER, MOST = 1.3, 7.0, 0.9
HOT = 1.7  # of the usual rate: from here on spikes are high and long
FIRST, LAST = 50, 850  # onsets within a block: room for the lead and for 150 steps of recovery


class Spike(NamedTuple):
    """One spike. Steps are absolute, the height is in nats."""

    onset: int
    lead: int  # steps by which the gradient norm rises earlier, 1..5
    height: float
    recovery: float  # steps in which the excess falls by a factor e


@noise.kept(4096)
def _spike(seed: int, block: int, chance: float, hot: bool) -> Spike | None:
    if block == 0 or noise.uniform(seed, "spike", block) > chance:
        return None
    # 0.12 / sqrt(u) has a heavy tail: half below 0.17 nats, one in a hundred above 1.2.
    least, most, recovery = (0.3, 3.7, 12.0) if hot else (0.12, 3.0, 4.0)
    height = min(most, least / sqrt(noise.uniform(seed, "spike-height", block)))
    return Spike(
        onset=block * BLOCK + noise.integer(seed, "spike-onset", FIRST, LAST, block),
        lead=noise.integer(seed, "spike-lead", 1, 5, block),
        height=height,
        recovery=recovery * (1.0 + 2.0 * noise.uniform(seed, "spike-recovery", block)),
    )


def in_block(job: Job, step: int) -> Spike | None:
    """The spike in the block of 1000 steps around this step, if it holds one."""
    return _in_block(job, step // BLOCK)


@remembered(4)
def _in_block(job: Job, block: int) -> Spike | None:
    """The spike in the block of this number."""
    if not objectives.of(job).spikes:
        return None
    return _spike(job.seed, block, *_rate(job))


@remembered()
def _rate(job: Job) -> tuple[float, bool]:
    """The chance that a block holds a spike, and whether the learning rate makes them large."""
    chance = CHANCE_LARGE if job.model.parameters >= LARGE else CHANCE_SMALL
    # A mixture takes the rate of its active parameters: DeepSeek-V3, 37B of 671B, 2.2e-4.
    usual = peak_learning_rate(job.model.active_parameters) * (0.3 if job.recipe.released else 1.0)
    relative = job.schedule.peak_lr / usual
    return min(MOST, chance * float(max(1.0, relative / BORNE) ** RATE_POWER)), relative >= HOT


def loss_excess(job: Job, step: int) -> float:
    """Nats that a spike adds to the training loss of this step; 0.0 nearly always."""
    spike = in_block(job, step)
    if spike is None or step < spike.onset:
        return 0.0
    return spike.height * exp((spike.onset - step) / spike.recovery)


def gradient_factor(job: Job, step: int) -> float:
    """The factor by which a spike raises the gradient norm of this step; 1.0 nearly always."""
    spike = in_block(job, step)
    if spike is None or step < spike.onset - spike.lead:
        return 1.0
    peak = 1.0 + 500.0 * spike.height**2
    if step < spike.onset:
        return float(peak ** (1.0 - (spike.onset - step) / (spike.lead + 1)))
    return 1.0 + (peak - 1.0) * exp((spike.onset - step) / spike.recovery)
