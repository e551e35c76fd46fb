"""The jobs that people hand to a cluster: arrivals by the hour, and what each asks for and does."""

from bisect import bisect_left
from collections.abc import Iterator
from math import fsum, log, sqrt

from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.pool import Pool
from llmsim.physics import noise
from llmsim.typed import Literal, NamedTuple

HOUR, DAY = 3_600.0, 86_400.0
# How a job would end if nothing came between: the scheduler adds TIMEOUT, NODE_FAIL, PREEMPTED.
End = Literal["COMPLETED", "CANCELLED", "FAILED", "OUT_OF_MEMORY"]


class Submitted(NamedTuple):
    """A job as it is handed in."""

    number: int  # its id less the first one
    at: float  # seconds since the cluster's time zero
    kind: int  # a place in traces.KINDS
    user: int
    gpus: int
    nodes: int  # whole ones; 0 for a part of one
    seconds: float  # it would run
    limit: float  # seconds that were asked for
    end: End


def _rate(pool: Pool, hour: int) -> float:
    """Submissions an hour, of all kinds."""
    day = pool.weekday + hour // 24
    busy = traces.WEEKEND if day % 7 >= 5 else 1.0
    week = (5 + 2 * traces.WEEKEND) / 7
    jobs = pool.jobs_a_gpu_day * pool.gpus / 24.0
    return jobs * traces.HOURS[(pool.first_hour + hour) % 24] * busy / week


def submitted(pool: Pool) -> Iterator[Submitted]:
    """All jobs in order of time. What comes in an hour depends on no other hour.

    Poisson arrivals at the hour's rate would be too smooth: a submission brings a batch of its
    kind, from one user and at one moment.
    """
    number = 0
    for hour in range(int(pool.days * 24)):
        moments = [
            (hour + noise.uniform(pool.seed, f"{_stream(kind)} at", _of(hour, index)), place, index)
            for place, kind in enumerate(traces.KINDS)
            for index in range(_submissions(pool, kind, hour))
        ]
        for at, place, index in sorted(moments):
            for job in _batch(pool, at * HOUR, place, _of(hour, index)):
                yield job._replace(number=number)
                number += 1


def _stream(kind: traces.Kind) -> str:
    return f"cluster {kind.name}"


def _submissions(pool: Pool, kind: traces.Kind, hour: int) -> int:
    """How many submissions of a kind come in an hour."""
    mean = _rate(pool, hour) * kind.share / kind.batch
    return _poisson(pool.seed, _stream(kind), mean, hour)


def _of(hour: int, index: int) -> int:
    """One number for a submission of an hour: hours have fewer than a million."""
    return hour * 1_000_003 + index


def _poisson(seed: int, stream: str, mean: float, index: int) -> int:
    """A Poisson number: gaps until the hour is over; of a large mean, a rounded normal one."""
    if mean > 200.0:
        return max(0, round(mean + sqrt(mean) * noise.normal(seed, stream, index)))
    count, passed = 0, 0.0
    while True:
        passed -= log(noise.uniform(seed, stream, index * 1_000_003 + count))
        if passed > mean:
            return count
        count += 1


def _batch(pool: Pool, at: float, place: int, index: int) -> Iterator[Submitted]:
    """The jobs of one submission: of one user, size and limit; each has its own duration."""
    kind, seed = traces.KINDS[place], pool.seed
    stream = _stream(kind)
    # Geometric, with the kind's mean.
    size = 1
    if kind.batch > 1.0:
        size += int(log(noise.uniform(seed, f"{stream} size", index)) / log(1 - 1 / kind.batch))
    gpus = _gpus(pool, kind, noise.uniform(seed, f"{stream} gpus", index))
    user = _user(noise.uniform(seed, f"{stream} user", index))
    for one in range(min(size, 200)):
        each = index * 211 + one
        seconds = traces.duration_at(kind, noise.uniform(seed, f"{stream} seconds", each))
        yield Submitted(
            number=0,
            at=round(at, 3),
            kind=place,
            user=user,
            gpus=gpus,
            nodes=gpus // pool.gpus_per_node if gpus >= pool.gpus_per_node else 0,
            seconds=round(max(1.0, seconds), 3),
            limit=_limit(seed, f"{stream} limit", each, seconds),
            end=_end(seed, f"{stream} end", each, gpus),
        )


def _gpus(pool: Pool, kind: traces.Kind, drawn: float) -> int:
    """GPUs by the kind's weights; nobody asks for more than half of what the kind may have."""
    most = kind.quota * pool.gpus / 2
    possible = [each for each in kind.gpus if each[0] <= most] or [kind.gpus[0]]
    left = drawn * fsum(weight for _, weight in possible)
    for gpus, weight in possible:
        left -= weight
        if left <= 0:
            return min(gpus, pool.gpus)
    return possible[-1][0]


_USERS = [rank**-traces.ZIPF for rank in range(1, traces.USERS + 1)]
_BELOW = [fsum(_USERS[: rank + 1]) / fsum(_USERS) for rank in range(traces.USERS)]


def _user(drawn: float) -> int:
    """A user by Zipf's law: the first have most."""
    return min(bisect_left(_BELOW, drawn), traces.USERS - 1)


def _limit(seed: int, stream: str, index: int, seconds: float) -> float:
    """The limit that was asked for: a round value, mostly far above what the job takes.

    One job in 160 asks for too little, which ends it as TIMEOUT (RSC-1: .6 %).
    """
    fitting = [limit for limit in traces.LIMITS if limit > seconds] or [traces.LIMITS[-1]]
    if noise.uniform(seed, f"{stream} short", index) < 1 / 160 and seconds > 60.0:
        return float(max(60.0, seconds * 0.8 // 60.0 * 60.0))
    more = int(3 * noise.uniform(seed, stream, index))
    return float(fitting[min(more, len(fitting) - 1)])


def _end(seed: int, stream: str, index: int, gpus: int) -> End:
    """How it ends by itself, by its size: big jobs are cancelled rather than failed."""
    _, completed, cancelled, _ = next(row for row in traces.STATES if gpus <= row[0])
    drawn = 100.0 * noise.uniform(seed, stream, index)
    if drawn < completed:
        return "COMPLETED"
    if drawn < completed + cancelled:
        return "CANCELLED"
    memory = noise.uniform(seed, f"{stream} memory", index)
    return "OUT_OF_MEMORY" if memory < traces.OUT_OF_MEMORY else "FAILED"
