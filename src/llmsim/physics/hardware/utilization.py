"""How long a GPU has had a kernel within the last second, as nvidia-smi's utilization says."""

from math import log10

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise

RANGES: dict[str, tuple[int, int]] = {  # lowest and highest, per cent
    "idle": (0, 0),
    "starting": (0, 6),
    "loading": (0, 18),
    "training": (70, 100),
    "validation": (95, 100),
    "checkpoint": (0, 28),
    "export": (0, 4),
    "hang": (100, 100),
    "stalled": (0, 30),
}
# Utilization of an 8B job on H100s, whose median is 91 to 92 and whose 5th percentile is 84 to 86;
# the larger the model, the closer to 100 (Acme's fleet: 75th percentile 99 to 100).
BUSY, BUSY_SPREAD = 91.5, 4.0
SPINNING = 0.55  # part of the seconds of a save in which ranks spin in a collective, at 95 to 100


@remembered()
def usual_utilization(job: Job) -> float:
    """Per cent in training: the larger the model, the more."""
    middle = BUSY + 4.5 * log10(job.model.active_parameters / 8e9)
    return min(99.5, max(86.0, middle))


def utilizations(job: Job, ranks: range, at: float, activity: str) -> list[int]:
    """Per cent of the last second in which a kernel ran on each of some GPUs: nearly always 100 in
    training.
    """
    low, high = RANGES[activity]
    moment = int(at) * 1_000_003 + ranks.start
    if activity == "training":
        usual = usual_utilization(job)
        drawn = noise.normals(job.seed, "gpu busy", moment, len(ranks))
        return [max(low, min(high, round(usual + BUSY_SPREAD * each))) for each in drawn]
    draws = noise.uniforms(job.seed, "gpu utilization", moment, len(ranks))
    if activity == "validation":  # mostly at the top
        return [high - int((high - low + 1) * draw**3) for draw in draws]
    if activity == "checkpoint":
        return [
            95 + int(6 * draw / SPINNING)
            if draw < SPINNING
            else low + int((high - low + 1) * draw**2)
            for draw in draws
        ]
    return [low + int((high - low + 1) * draw**2) for draw in draws]
