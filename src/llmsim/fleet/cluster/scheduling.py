"""A scheduler: priorities, quotas, backfill, pre-emption, requeue and nodes that fail.

It follows Slurm's in kind: who has the higher priority goes first, within a quota by kind and a
limit of each user (queues.py); it looks once a second at what has been handed in. A job that does
not fit gets a reservation, and others may start before it if they do not move it (EASY backfill,
by the limits that were asked for, every 30 s as bf_interval has it). Long jobs of low priority
leave some nodes free. Who waits may have jobs of a lower priority pre-empted that have run for two
hours. A job whose node fails comes again under its own number, from its last checkpoint.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from math import exp, floor, inf, log

from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.jobs import DAY, submitted
from llmsim.fleet.cluster.pool import Free, Pool
from llmsim.fleet.cluster.queues import Queues, Waiting
from llmsim.physics import noise
from llmsim.run.incident_kinds import KINDS, per_million_gpu_hours
from llmsim.typed import NamedTuple

BACKFILL_EVERY = 30.0  # seconds: Slurm's bf_interval
DEPTH = 40  # jobs of a kind that a backfill looks at
CHECKPOINT = 1_800.0  # seconds between two checkpoints of a job that comes again: ours

# What makes a node fail: the incidents that one node is to blame for and that end a job.
_CAUSES = {
    kind.name: per_million_gpu_hours(kind.name)
    for kind in KINDS
    if kind.node_fault and kind.consequence in ("death", "hang")
    if per_million_gpu_hours(kind.name) > 0
}


class Running(NamedTuple):
    """A job on its nodes."""

    waiting: Waiting
    began: float
    nodes: tuple[int, ...]
    mask: int  # of the GPUs of its node, if it has a part of one; 0: all GPUs of its nodes
    token: int  # distinguishes it from what ran under the same number before


class Started(NamedTuple):
    """A job has got its nodes."""

    at: float
    running: Running


class Ended(NamedTuple):
    """A job has left its nodes; it may come again under the same number."""

    at: float
    running: Running
    state: str  # as sacct writes it
    failed_node: int  # -1: none
    cause: str  # of a node's failure


class NodeChanged(NamedTuple):
    """A node has failed, or is there again."""

    at: float
    node: int
    up: bool
    cause: str
    until: float  # when it will be there again


Fact = Started | Ended | NodeChanged


def _nothing() -> None:
    """Nobody looks at the cluster at noon."""


class Scheduler:
    """The state of a cluster from its time zero on."""

    def __init__(self, pool: Pool) -> None:
        """Nothing runs yet, and all nodes are up."""
        self.pool, self.now = pool, 0.0
        self.free = Free(pool.nodes, pool.gpus_per_node)
        self.running: dict[int, Running] = {}
        self.queues = Queues(pool)
        self._order = sorted(
            range(len(traces.KINDS)), key=lambda place: (-traces.KINDS[place].priority, place)
        )
        self._looks = 0  # the whole second at which the scheduler looks next
        self._events: list[tuple[float, int, str, int, int]] = []
        self._ends: list[tuple[float, int, int]] = []  # limit's end, number, whole nodes
        self._on: list[set[int]] = [set() for _ in range(pool.nodes)]  # jobs of each node
        self._count, self._backfilled = 0, -BACKFILL_EVERY
        self._leaving: dict[int, int] = {}  # jobs that are being pre-empted, with their nodes
        self._failed: list[list[float]] = [[] for _ in range(pool.nodes)]
        for node in range(pool.nodes):
            self._push(self._lasts(node, 0), "down", node, 0)

    # --- the loop ------------------------------------------------------------------------------

    def facts(self, at_noon: Callable[[], object] = _nothing) -> Iterator[Fact]:
        """What happens, in order of time, until the last day is over.

        `at_noon` is called at each noon: then this object has the state of that moment.
        """
        end, noon = self.pool.days * DAY, (12 - self.pool.first_hour) % 24 * 3600.0
        coming = submitted(self.pool)
        job = next(coming, None)
        while job or self._events:
            at = min(job.at if job else inf, self._events[0][0] if self._events else inf)
            while noon <= min(at, end):
                self.now = noon
                at_noon()
                noon += DAY
            if job and job.at <= at:
                self.now = job.at
                self.queues.put(Waiting(job, job.at, 0, job.seconds))
                self._look_soon()
                job = next(coming, None)
                continue
            at, _, what, subject, detail = heappop(self._events)
            if at > end:
                return
            self.now = at
            yield from self._happened(what, subject, detail)

    def _happened(self, what: str, subject: int, detail: int) -> Iterator[Fact]:
        if what == "down":
            yield from self._falls(subject, detail)
        elif what == "up":
            self.free.rise(subject)
            yield NodeChanged(self.now, subject, True, "", self.now)
        elif what == "look":
            pass  # the reservation may be due
        else:
            running = self.running.get(subject)
            if running is None or running.token != detail:
                return  # it has ended in another way
            yield self._leaves(running, what)
        yield from self._pass()

    def _look_soon(self) -> None:
        """The scheduler sees a job that was handed in when the next whole second begins."""
        soon = floor(self.now) + 1
        if soon > self._looks:
            self._looks = soon
            self._push(float(soon), "look", 0, 0)

    def _push(self, at: float, what: str, subject: int, detail: int) -> None:
        self._count += 1
        heappush(self._events, (at, self._count, what, subject, detail))

    # --- starting ------------------------------------------------------------------------------

    def _pass(self) -> Iterator[Fact]:
        """Starts what can start: by priority, and then what moves nobody who waits before it."""
        blocked: Waiting | None = None
        for place in self._order:
            queue = self.queues.kinds[place]
            while queue and self.queues.allowed(queue[0].job):
                if blocked is not None or (made := self._take(queue[0], True)) is None:
                    blocked = blocked or queue[0]
                    break
                yield self._starts(queue.popleft(), *made)
        if blocked is None:
            return
        self._make_room()
        if self.now - self._backfilled >= BACKFILL_EVERY:
            self._backfilled = self.now
            yield from self._backfill(blocked)

    def _take(self, waiting: Waiting, whole: bool) -> tuple[tuple[int, ...], int] | None:
        """Nodes for a job, and the mask of a part of one; None if there are none.

        Without `whole`, a part of a node is taken of a node that has jobs already.
        """
        job, kept = waiting.job, self._kept(waiting)
        if job.nodes:
            nodes = None if self.free.whole - kept < job.nodes else self.free.take_whole(job.nodes)
            return None if nodes is None else (nodes, 0)
        part = self.free.take_part(job.gpus, whole and self.free.whole > kept)
        return None if part is None else ((part[0],), part[1])

    def _kept(self, waiting: Waiting) -> int:
        """Whole nodes that a job leaves free for jobs of a higher priority."""
        return int(traces.KINDS[waiting.job.kind].leaves * self.pool.nodes)

    def _starts(self, waiting: Waiting, nodes: tuple[int, ...], mask: int) -> Started:
        job, self._count = waiting.job, self._count + 1
        running = Running(waiting, self.now, nodes, mask, self._count)
        self.running[job.number] = running
        self.queues.started(job)
        for node in nodes:
            self._on[node].add(job.number)
        over, state = waiting.left, job.end if waiting.left <= job.limit else "TIMEOUT"
        self._push(self.now + min(over, job.limit), state, job.number, running.token)
        if not mask:
            insort(self._ends, (self.now + job.limit, job.number, len(nodes)))
        return Started(self.now, running)

    def _leaves(self, running: Running, state: str, node: int = -1, cause: str = "") -> Ended:
        """A job ends; if the cluster is to blame it comes again."""
        job = running.waiting.job
        del self.running[job.number]
        self._leaving.pop(job.number, None)
        self.queues.left(job)
        full = (1 << self.pool.gpus_per_node) - 1
        for each in running.nodes:
            self._on[each].discard(job.number)
            self.free.give_back(each, running.mask or full)
        if not running.mask:
            key = (running.began + job.limit, job.number, len(running.nodes))
            del self._ends[bisect_left(self._ends, key)]
        if state in ("NODE_FAIL", "PREEMPTED"):
            kept = (self.now - running.began) // CHECKPOINT * CHECKPOINT
            left = max(1.0, running.waiting.left - kept)
            again = Waiting(job, self.now, running.waiting.restarts + 1, left)
            self.queues.again(again)
        else:
            self.queues.ended(job)
        return Ended(self.now, running, state, node, cause)

    # --- who waits -----------------------------------------------------------------------------

    def _reserved(self, waiting: Waiting) -> tuple[float, int]:
        """When a job will have its nodes at the latest, and the whole nodes left over then."""
        needed, free = max(1, waiting.job.nodes) + self._kept(waiting), self.free.whole
        for ends, number, nodes in self._ends:
            free += nodes
            if number in self._leaving:
                continue
            if free >= needed:
                return ends, free - needed
        return self.now + traces.LONGEST, 0

    def _backfill(self, first: Waiting) -> Iterator[Fact]:
        """Starts jobs that do not move the reservation of the first that waits."""
        due, spare = self._reserved(first)
        for place in self._order:
            queue = self.queues.kinds[place]
            for waiting in [queue[index] for index in range(min(DEPTH, len(queue)))]:
                if waiting is first or not self.queues.allowed(waiting.job):
                    continue
                short = self.now + waiting.job.limit <= due
                if not short and waiting.job.nodes > spare:
                    continue
                before = self.free.whole
                made = self._take(waiting, short or spare > 0)
                if made is None:
                    continue
                spare -= 0 if short else before - self.free.whole
                queue.remove(waiting)
                yield self._starts(waiting, *made)
        self._push(self.now + BACKFILL_EVERY, "look", 0, 0)

    def _make_room(self) -> None:
        """Pre-empts jobs for who waits and has a higher priority, in the order of the queue."""
        coming, needed = self.free.whole + sum(self._leaving.values()), 0
        for place in self._order:
            priority = traces.KINDS[place].priority
            if priority < traces.PREEMPTING:
                return
            for waiting in self.queues.kinds[place]:
                if not self.queues.allowed(waiting.job):
                    break
                needed += waiting.job.nodes
                if needed > coming:
                    made = self._leave(needed - coming, priority)
                    if not made:
                        return
                    coming += made

    def _leave(self, needed: int, priority: int) -> int:
        """Gives notice to jobs on this many nodes: to the youngest that have run long enough.

        Returns how many nodes they have; 0 if there are not enough, and then nobody leaves.
        """
        leaving, nodes, old = list[Running](), 0, self.now - traces.PREEMPTED_AFTER
        candidates = [
            running
            for running in self.running.values()
            if not running.mask and running.began <= old
            if traces.KINDS[running.waiting.job.kind].preemptible
            if traces.KINDS[running.waiting.job.kind].priority < priority
            if running.waiting.job.number not in self._leaving
        ]
        for running in sorted(candidates, key=lambda each: (-each.began, each.token)):
            leaving.append(running)
            nodes += len(running.nodes)
            if nodes >= needed:
                break
        else:
            return 0
        for running in leaving:
            number = running.waiting.job.number
            self._leaving[number] = len(running.nodes)
            self._push(self.now + traces.GRACE, "PREEMPTED", number, running.token)
        return nodes

    # --- nodes ---------------------------------------------------------------------------------

    def jobs_on(self, node: int) -> int:
        """How many jobs a node has."""
        return len(self._on[node])

    def is_lemon(self, node: int) -> bool:
        """Whether a node fails far more often than the others."""
        return noise.uniform(self.pool.seed, "cluster lemon", node) < traces.LEMONS

    def _lasts(self, node: int, count: int) -> float:
        """Seconds until a node fails the next time: exponential."""
        rate = traces.FAILURES_PER_NODE_DAY / DAY
        rate *= traces.LEMON_FACTOR if self.is_lemon(node) else 1.0
        drawn = noise.uniform(self.pool.seed, "cluster failure", node * 1_000_003 + count)
        return -log(drawn) / rate

    def _falls(self, node: int, count: int) -> Iterator[Fact]:
        """A node fails: its jobs end and come again; it is repaired, or drained for a week."""
        index = node * 1_000_003 + count
        cause = noise.choose(self.pool.seed, "cluster cause", [*_CAUSES], [*_CAUSES.values()],
                             index)  # fmt: skip
        median, sigma = traces.REPAIR
        repair = median * exp(sigma * noise.normal(self.pool.seed, "cluster repair", index))
        month = [at for at in self._failed[node] if at > self.now - 30 * DAY]
        self._failed[node] = [*month, self.now]
        if len(self._failed[node]) >= traces.DRAINED_AFTER:
            repair = max(repair, 7 * DAY)
        self.free.fall(node)
        yield NodeChanged(self.now, node, False, cause, self.now + repair)
        for number in sorted(self._on[node]):
            yield self._leaves(self.running[number], "NODE_FAIL", node, cause)
        self._push(self.now + repair, "up", node, 0)
        self._push(self.now + repair + self._lasts(node, count + 1), "down", node, count + 1)
