"""Who says what when ranks wait for one that does not come, or for a network that is gone.

Both are found by the watchdogs of the ranks that wait. Torch 2.7 and newer then tells the
monitoring threads of all ranks to dump what they know, and ends the process a minute later; 2.6
ends it at once, as public logs of both show.
"""

from collections.abc import Iterator, Sequence

from llmsim.catalog import gpus
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.run.events.incidents import Symptom
from llmsim.run.shutdown import POLL, Fault, draw, hung, shut_down, told_nodes, told_ranks

_HEARD = (0.02, 0.98)  # the monitoring thread looks once a second whether somebody has timed out
_HEARTBEATS = 100.0  # jax.distributed.initialize, heartbeat_timeout_seconds
PAUSE = 60.0  # between the watchdog's finding and the abort, torch 2.7 and newer: 4 x 15 s
_AT_ONCE = (0.0004, 0.004)  # the same in 2.6, which signals no dump


def torch_release(job: Job) -> tuple[int, int]:
    """Torch's version in two numbers: (2, 9)."""
    major, minor, *_ = job.software.torch.split(".")
    return int(major), int(minor)


def nccl_retries(job: Job) -> float:
    """Seconds until a broken connection is reported: 4.096 us x 2^timeout x 8 tries.

    NCCL_IB_TIMEOUT is 18 up to 2.21 and 20 from 2.23 on. Sockets tell at once. TPUs have no NCCL:
    JAX's coordination service misses a process's heartbeats.
    """
    if not gpus.is_a(job.gpu, "GPU"):
        return _HEARTBEATS
    major, minor, *_ = job.software.collectives_version.split(".")
    timeout = 20 if (int(major), int(minor)) >= (2, 23) else 18
    return 4.096e-6 * 2.0**timeout * 8.0


def _waits_a_minute(job: Job) -> bool:
    """Whether a watchdog signals a dump to all ranks, and gives them a minute for it."""
    return job.framework.has_watchdog and torch_release(job) >= (2, 7)


def hang(fault: Fault) -> Iterator[Symptom]:
    """Silence, the watchdogs of all ranks that wait, the abort; the culprit's has nothing to say.

    A collective is enqueued by each rank when it gets there; the watchdog counts from then on.
    The culprit is stuck in the driver: SIGTERM does not reach it, and SIGKILL ends it after 30 s.
    Its monitoring thread hears of the others' timeout.
    """
    job, culprit = fault.job, fault.incident.rank
    told = told_ranks(job, culprit)
    waiting = [rank for rank in told if rank != culprit]
    waiting = waiting or [(culprit + 1) % job.layout.gpus]  # of nodes with a single GPU
    spread, size = 0.06 * min(fault.step_seconds, 10.0), gpus_per_node(job)
    minute, found_at, aborts = _waits_a_minute(job), {}, list[tuple[float, int, int]]()
    for rank in waiting:
        # The ranks of a node get there within milliseconds: its launcher finds all of them dead.
        late = draw(fault, "late", 0.0, spread, rank // size)
        late += draw(fault, "enqueued", 0.0, 0.02, rank)
        # Without the minute the first death would come before the other ranks' looks.
        poll = rank if minute else rank // size
        waited = job.framework.collective_timeout + draw(fault, "poll", 0.001, POLL, poll)
        found, ran = late + waited, round(1000.0 * waited)
        summed = draw(fault, "summed", 0.0002, 0.06, rank)
        pause = PAUSE if minute else summed + draw(fault, "at once", *_AT_ONCE, rank)
        ended = found + pause + draw(fault, "abort", 0.004, 0.03, rank)
        aborts.append((ended, rank, ran))
        found_at[rank] = found
        for name, after in (
            ("watchdog timeout", 0.0),
            ("watchdog summary", summed),
            *((("watchdog dump", _heard(fault, rank)),) if minute else ()),
            ("watchdog abort", ended - found),
        ):
            yield Symptom(found + after, "log", name, rank, ran, peer=culprit)
    if minute and culprit in told:
        first = min(found_at, key=lambda rank: (found_at[rank], rank))
        heard = found_at[first] + _heard(fault, culprit)
        yield Symptom(heard, "log", "watchdog observed", culprit, peer=first)
    yield from _thrown(fault, aborts)
    yield from hung(fault, [(ended, rank) for ended, rank, _ in aborts])


def _heard(fault: Fault, rank: int) -> float:
    """Seconds until a rank's monitoring thread looks: the processes of a node began together."""
    together = draw(fault, "monitor", *_HEARD, rank // gpus_per_node(fault.job))
    return 0.062 + together + draw(fault, "looks", 0.0, 0.004, rank)


_TOGETHER, _MOST_MIXED = 0.004, 3  # seconds apart, and ranks, whose last words mix


def _thrown(fault: Fault, aborts: Sequence[tuple[float, int, int]]) -> Iterator[Symptom]:
    """The exceptions that nobody catches. C++ prints them in pieces, and the pieces of a node's
    ranks that end within milliseconds stand in one another.
    """
    size = gpus_per_node(fault.job)
    groups: list[list[tuple[float, int, int]]] = []
    for each in sorted(aborts, key=lambda abort: (abort[1] // size, abort)):
        near = groups and groups[-1][-1][1] // size == each[1] // size
        close = near and each[0] - groups[-1][-1][0] < _TOGETHER
        if close and len(groups[-1]) < _MOST_MIXED:
            groups[-1].append(each)
        else:
            groups.append([each])
    for group in groups:
        (at, rank, ran), *others = group[::-1]
        mixed = tuple((other, code) for _, other, code in others)
        at += draw(fault, "thrown", 0.0005, 0.004, rank)
        yield Symptom(at, "log", "watchdog throw", rank, ran, peer=fault.incident.rank, mixed=mixed)


def peers(fault: Fault, at: float, *, gone: bool = False) -> Iterator[Symptom]:
    """Half of a node that talks to one without a network gets an error, SIGTERM the rest.

    The node where the log is says so if it can: a node that is gone says nothing.
    """
    job, size = fault.job, gpus_per_node(fault.job)
    failed = fault.incident.rank // size
    node = next((each for each in told_nodes(job, fault.incident.rank) if each != failed), failed)
    if gone and node == failed:
        node = (failed + 1) % job.layout.nodes
    first = node * size  # the first rank of a node that is there
    peer = fault.incident.rank if node != failed else (first + size) % job.layout.gpus
    # Which rings go through the lost card or node: half of the node's ranks, and no fixed half.
    turn = noise.integer(job.seed, "incident/rings", 0, size - 1, fault.incident.number)
    moments = sorted(
        (at + draw(fault, "retries", 0.0, 0.8, rank), rank)
        for rank in (first + (turn + each) % size for each in range(max(1, size // 2)))
    )
    found, ends = moments[0]
    pause = PAUSE if _waits_a_minute(job) else draw(fault, "at once", *_AT_ONCE, ends)
    dead = found + pause + draw(fault, "abort", 0.004, 0.03, ends)
    for moment, rank in moments:
        if moment < dead + 0.5 * POLL:  # the launcher ends the ones that have not looked yet
            yield Symptom(moment, "log", "network error", rank, -6, peer=peer)
            if _waits_a_minute(job):
                heard = moment + _heard(fault, rank)
                yield Symptom(heard, "log", "watchdog dump", rank, peer=peer)
    yield Symptom(dead, "log", "network abort", ends, -6, peer=peer)
    yield from shut_down(fault, dead, {ends: -6})
