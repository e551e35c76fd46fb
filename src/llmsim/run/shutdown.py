"""How the processes of a job end after one has failed: its launcher, Slurm, the other launchers.

By torchrun's source (torch/distributed/elastic: multiprocessing/api.py, agent/server/api.py), a
launcher looks at its workers every 0.1 s. When one has failed, it sends SIGTERM to the others,
waits up to 30 s for them, kills the rest, and says what has failed. It does not look at other
nodes' workers. Slurm ends them: srun --kill-on-bad-exit cancels the step when a launcher
has ended, and the others get SIGTERM, pass it on and end with a SignalException. A launcher that
SIGTERM meets while it waits for a worker stuck in the driver begins these 30 s again. When the
launcher of the first node has ended, its store is gone, and the others find that out at their next
look, before Slurm has come to them.
"""

from collections.abc import Iterator, Sequence

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job, gpus_per_node, ranks_on, speaking_node
from llmsim.physics import noise
from llmsim.run.events.incidents import Symptom
from llmsim.run.incidents import Incident
from llmsim.typed import NamedTuple

POLL = 0.1  # seconds between two looks of the watchdog, and of the launcher at its workers
KILL_WAIT = 30.0  # seconds from SIGTERM to SIGKILL
_MOST_NODES = 8  # of a larger cluster the launch shows few nodes, and so does a failure
# Seconds until a launcher of torchrun, whose last word is said, has ended: longer than the ranks of
# one hang are apart, so that srun ends no launcher in the middle of its own report.
_LEAVING = (1.05, 1.9)
_APART = 4096  # indices between the draws of two incidents
_SHUTDOWN = 0.2  # seconds from the death of a worker to the launcher's last word on all of them


class Fault(NamedTuple):
    """The values from which the story of an incident is made."""

    job: Job
    incident: Incident
    step_seconds: float  # of the steps when it happens


def draw(fault: Fault, name: str, low: float, high: float, index: int = 0) -> float:
    """A delay between two numbers of seconds, to the microsecond."""
    place = fault.incident.number * _APART + index
    return to_the_microsecond(noise.between(fault.job.seed, f"incident/{name}", low, high, place))


def draws(fault: Fault, name: str, low: float, high: float, count: int) -> list[float]:
    """The delays of `draw` for the indices 0, 1, 2 ..., in seconds, in less time."""
    place = fault.incident.number * _APART
    made = noise.uniforms(fault.job.seed, f"incident/{name}", place, count)
    return [to_the_microsecond(low + (high - low) * each) for each in made]


def told_nodes(job: Job, rank: int) -> tuple[int, ...]:
    """Whose launchers are heard: all that the log holds, or the node's where the log is, and the
    node's at fault.
    """
    if job.capture == "all" and job.layout.nodes <= _MOST_NODES:
        return tuple(range(job.layout.nodes))
    heard = 0 if job.capture == "rank0" else speaking_node(job)
    return tuple(sorted({heard, rank // gpus_per_node(job)}))


def told_ranks(job: Job, rank: int) -> list[int]:
    """The ranks whose lines appear: all of these nodes, in random order."""
    size = gpus_per_node(job)
    ranks = [node * size + local for node in told_nodes(job, rank) for local in range(size)]
    return sorted(ranks, key=lambda each: noise.bits(job.seed, "incident/arrival", each))


# --- one launcher --------------------------------------------------------------------------


class Endings(NamedTuple):
    """How the workers of a launcher end, in simulated seconds."""

    told: float  # when it sends SIGTERM to the ones that live
    ended: dict[int, float]  # by rank


def endings(job: Job, exits: dict[int, int], at: float) -> Endings:
    """How workers end of which the first of `exits` has failed; all have ended by `at`.

    `exits` has their exit codes by rank. The launcher looks at them every 0.1 s; the others take
    some time to end, and one that SIGTERM does not reach is killed.
    """
    first, *_ = exits
    begun, told = _noticed(job, first, at, killed=-9 in exits.values())
    ended = {first: begun}
    for rank, code in exits.items():
        if code == -9:
            ended[rank] = told + KILL_WAIT + 0.01
        elif rank != first:
            since = told + 0.01 if code == -15 else begun + 0.001  # or it dies by itself
            until = begun + _SHUTDOWN - 2e-3
            ended[rank] = noise.between(job.seed, "launcher/ended", since, until, rank)
    return Endings(told, ended)


def _noticed(job: Job, rank: int, at: float, *, killed: bool) -> tuple[float, float]:
    """When a worker has failed, and when its launcher tells the others, one of which may have to be
    killed before all have ended at `at`.
    """
    begun = at - _SHUTDOWN - (KILL_WAIT if killed else 0.0)
    return begun, begun + noise.between(job.seed, "launcher/poll", 0.01, 0.09, rank)


def living(job: Job, exits: dict[int, int]) -> list[int]:
    """The ranks that get SIGTERM: the ones that live when the launcher sees the first one's end."""
    told, ended = endings(job, exits, 0.0)
    return [rank for rank in exits if ended[rank] > told]


def exits_of(job: Job, rank: int, code: int, stuck: int = -1) -> dict[int, int]:
    """The exit codes of a node's workers of which one has ended with a code.

    Its neighbours end by SIGTERM. In a hang all end with that code, but for the stuck one, which
    is killed.
    """
    others = [each for each in ranks_on(job, rank // gpus_per_node(job)) if each != rank]
    if stuck < 0:
        return {rank: code} | dict.fromkeys(others, -15)
    found = {rank: code} | {each: code for each in others if each != stuck}
    return found | ({stuck: -9} if stuck in others else {})


def _launcher(
    fault: Fault, name: str, gone: float, rank: int, code: int, stuck: int = -1
) -> Iterator[Symptom]:
    """A launcher's SIGTERM lines, and when all workers have ended its block of failures."""
    size = gpus_per_node(fault.job)
    killed = stuck // size == rank // size and stuck != rank
    _, told = _noticed(fault.job, rank, gone, killed=killed)
    yield Symptom(told, "log", "closing", rank, code, peer=stuck)
    yield Symptom(gone, "log", name, rank, code, peer=stuck)


# --- all of them ---------------------------------------------------------------------------


def shut_down(fault: Fault, at: float, exits: dict[int, int]) -> Iterator[Symptom]:
    """The end of a job after processes of one node have ended by themselves: the earliest first."""
    rank = next(iter(exits))
    node = rank // gpus_per_node(fault.job)
    gone = at + POLL * 0.5 + draw(fault, "grace", 0.2, 1.8, node)
    yield from _launcher(fault, "failure", gone, rank, exits[rank])
    others = [each for each in told_nodes(fault.job, fault.incident.rank) if each != node]
    if fault.incident.kind == "node-fail":  # it has no launcher any more
        dead = fault.incident.rank // gpus_per_node(fault.job)
        others = [each for each in others if each != dead]
    ended = cancelled(fault, gone, rank, others)
    silent = srun_is_gone(fault)
    yield from (each for each in ended if each.stream != "slurm" or not silent)


def srun_is_gone(fault: Fault) -> bool:
    """Whether the host of the batch script has died, on which srun and its output were."""
    return fault.incident.kind == "node-fail" and fault.incident.rank < gpus_per_node(fault.job)


def hung(fault: Fault, aborts: Sequence[tuple[float, int]]) -> Iterator[Symptom]:
    """The end of a job after the watchdogs' aborts, pairs (moment, rank). The culprit is stuck."""
    job, culprit = fault.job, fault.incident.rank
    size = gpus_per_node(job)
    at_fault, ended = culprit // size, list[tuple[float, int]]()
    for node in told_nodes(job, culprit):
        of_node = sorted(each for each in aborts if each[1] // size == node)
        begun, first = of_node[0] if of_node else (max(aborts)[0], culprit)
        gone = max(each for each, _ in of_node or aborts) + draw(fault, "grace", 0.25, 0.45, node)
        if node != at_fault:
            yield from _launcher(fault, "all failed", gone, first, -6, culprit)
            ended.append((gone, first))
        elif job.layout.nodes == 1:
            yield from _launcher(fault, "all failed", gone + KILL_WAIT, first, -6, culprit)
            ended.append((gone + KILL_WAIT, first))
        elif size > 1:
            poll = draw(fault, "poll", 0.01, 0.09, size)
            yield Symptom(begun + poll, "log", "closing", first, -9, peer=culprit)
    if not ended:  # nodes that nobody listens to have ended
        after = draw(fault, "grace", 0.3, 0.6, at_fault)
        ended = [(max(aborts)[0] + after, (at_fault + 1) % job.layout.nodes * size)]
    stuck = [at_fault] if job.layout.nodes > 1 else []
    after = draw(fault, "leaving", *_LEAVING)
    yield from cancelled(fault, *min(ended), stuck, culprit, after)


def cancelled(
    fault: Fault, at: float, rank: int, others: Sequence[int], stuck: int = -1, after: float = 0.0
) -> Iterator[Symptom]:
    """srun's lines when a launcher has ended with an error, and the end of the others told.

    srun folds the tasks that end together: all nodes but the first to end and a stuck or dead one.
    """
    size, nodes = gpus_per_node(fault.job), fault.job.layout.nodes
    exited = at + (after or draw(fault, "srun", 0.05, 0.8))
    yield Symptom(exited, "slurm", "task exit", rank, 1)
    if nodes > 1:
        yield Symptom(exited + 0.004, "slurm", "terminating", rank)
        yield Symptom(exited + 0.031, "slurm", "step cancelled", rank)
    storeless = (rank < size or srun_is_gone(fault)) and stuck < 0  # the first node had the store
    ends = [exited + 0.04 + draw(fault, "others", 0.01, 0.2)]
    for node in others:
        moment = at + draw(fault, "look", 0.005, POLL, node) if storeless else exited + 0.031
        told = [*_interrupted(fault, moment, node, "store gone" if storeless else "", stuck)]
        yield from told
        ends.append(told[-1].at + draw(fault, "srun", 0.05, 0.3, node + 1))
    last = max(ends) if others or nodes > 1 else exited
    kept = (
        stuck if stuck >= 0 else fault.incident.rank if fault.incident.kind == "node-fail" else -1
    )
    if nodes > len({rank // size, kept // size} - {-1}):
        yield Symptom(ends[0] if stuck >= 0 else last, "slurm", "others exit", rank, 1, peer=kept)
    if stuck >= 0 and others:
        yield Symptom(last, "slurm", "task exit", stuck, 1)
    if fault.incident.kind != "node-fail":  # slurmctld does not know yet why the step has ended
        yield Symptom(last + 0.04, "slurm", "requeued", rank)


def _interrupted(fault: Fault, at: float, node: int, name: str, stuck: int) -> Iterator[Symptom]:
    """The end of a launcher whose own workers have not failed."""
    rank = node * gpus_per_node(fault.job)
    heard = at + draw(fault, "heard", 0.005, 0.05, node)
    over = heard + draw(fault, "grace", 0.2, 1.2, node)
    if name:
        yield Symptom(heard, "log", "closing", rank, -15, peer=-2)
        yield Symptom(over, "log", name, rank, 1)
    else:
        yield Symptom(heard, "log", "terminated", rank, -15, peer=stuck)
        if stuck >= 0:
            over = heard + KILL_WAIT + 0.01
            yield Symptom(over, "log", "killing", rank, -9, peer=stuck)
        yield Symptom(over + 0.02, "log", "signal exception", rank, -15, peer=stuck)
