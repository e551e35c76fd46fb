"""What a run notices of its slow steps: stragglers, data stalls, network retries.

They are jitter.py's episodes, already part of compute.interval_seconds: a straggler slows dozens
of steps by 2-6 % (BLOOM: 105.2 -> 111.1 s), a stall one step by up to 2.3 times, a retry by some
seconds (docs/physics.md section 9). Seconds; steps count from 1.
"""

from math import fsum

from llmsim.job.records import Job
from llmsim.physics.speed import batch_ramp, jitter, throughput
from llmsim.typed import NamedTuple


class Disturbance(NamedTuple):
    """Why steps are slow."""

    kind: jitter.Kind
    seconds: float  # lost in each of its steps, already part of interval_seconds
    rank: int  # where it came from
    first: int  # its first step
    steps: int  # how many it slows


def begun(job: Job, first: int, last: int) -> Disturbance | None:
    """The notable disturbance that begins in these steps; None in almost all intervals."""
    return _told(
        jitter.begun(
            throughput.rhythm(job, batch_ramp.stage_number(job.schedule, last)), first, last
        )
    )


def ended(job: Job, first: int, last: int) -> Disturbance | None:
    """The lasting disturbance that ends in these steps; None in almost all intervals.

    What it cost is the mean of its steps, should their batches differ.
    """
    number = batch_ramp.stage_number(job.schedule, last)
    found = jitter.ended(throughput.rhythm(job, number), first, last)
    if found is None or batch_ramp.stage_number(job.schedule, found.first) == number:
        return _told(found)
    index = throughput.rhythm(job, number).episodes.index(found)
    steps = range(found.first, found.first + found.length)
    stages = [batch_ramp.stage_number(job.schedule, step) for step in steps]
    lost = fsum([throughput.rhythm(job, stage).episodes[index].extra for stage in stages])
    return _told(found._replace(extra=lost / found.length))


def _told(episode: jitter.Episode | None) -> Disturbance | None:
    if episode is None:
        return None
    seconds = round(episode.extra, 6)
    return Disturbance(episode.kind, seconds, episode.rank, episode.first, episode.length)
