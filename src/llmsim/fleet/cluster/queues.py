"""Who waits: a queue by kind of job, and behind it what a user's limit holds back.

Slurm has a limit of a user's GPUs in a quality of service (MaxTRESPerUser). A sweep of one user
that is larger waits for itself, and the jobs of others pass it: this is where most of the
waiting of Acme's evaluations comes from, which are handed in by the hundred.
"""

from collections import deque
from collections.abc import Iterator

from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.jobs import Submitted
from llmsim.fleet.cluster.pool import Pool
from llmsim.typed import Literal, NamedTuple

Reason = Literal["Resources", "Priority", "QOSGrpGRES", "QOSMaxGRESPerUser"]


class Waiting(NamedTuple):
    """A job in the queue."""

    job: Submitted
    since: float  # it was handed in, or came again
    restarts: int
    left: float  # seconds that it would still run


class Queues:
    """The jobs that wait, and the GPUs that kinds and users have."""

    def __init__(self, pool: Pool) -> None:
        """Nobody waits."""
        self.kinds: list[deque[Waiting]] = [deque() for _ in traces.KINDS]
        self._gpus = pool.gpus
        self._used = [0] * len(traces.KINDS)  # GPUs by kind
        self._held: dict[tuple[int, int], deque[Waiting]] = {}  # by kind and user
        self._let: dict[tuple[int, int], int] = {}  # GPUs that the limit has let pass

    def put(self, waiting: Waiting) -> None:
        """A job comes to the end of its queue, or waits until its user's jobs have ended."""
        key = (waiting.job.kind, waiting.job.user)
        if key in self._held or not self._lets(key, waiting):
            self._held.setdefault(key, deque()).append(waiting)
        else:
            self._pass(key, waiting)

    def again(self, waiting: Waiting) -> None:
        """A job comes again: its user's limit has let it pass before."""
        self.kinds[waiting.job.kind].append(waiting)

    def started(self, job: Submitted) -> None:
        """A job has got its GPUs."""
        self._used[job.kind] += job.gpus

    def left(self, job: Submitted) -> None:
        """A job has given its GPUs back."""
        self._used[job.kind] -= job.gpus

    def ended(self, job: Submitted) -> None:
        """A job is over for good: the next ones of its user may pass."""
        key = (job.kind, job.user)
        self._let[key] -= job.gpus
        held = self._held.get(key)
        while held and self._lets(key, held[0]):
            self._pass(key, held.popleft())
        if held is not None and not held:
            del self._held[key]

    def allowed(self, job: Submitted) -> bool:
        """Whether the quota of its kind has room for a job."""
        most = traces.KINDS[job.kind].quota * self._gpus
        return self._used[job.kind] == 0 or self._used[job.kind] + job.gpus <= most

    def reasons(self) -> Iterator[tuple[Waiting, Reason]]:
        """All who wait, and why, as squeue says it: the first of them waits for GPUs."""
        first = True
        for queue in self.kinds:
            for waiting in queue:
                if not self.allowed(waiting.job):
                    yield waiting, "QOSGrpGRES"
                    continue
                yield waiting, "Resources" if first else "Priority"
                first = False
        for key in sorted(self._held):
            for waiting in self._held[key]:
                yield waiting, "QOSMaxGRESPerUser"

    def _lets(self, key: tuple[int, int], waiting: Waiting) -> bool:
        """Whether the limit of a user lets one more job pass; it never keeps a user's only job."""
        kind = traces.KINDS[key[0]]
        has, most = self._let.get(key, 0), max(kind.user_gpus, kind.user_share * self._gpus)
        return not has or has + waiting.job.gpus <= most

    def _pass(self, key: tuple[int, int], waiting: Waiting) -> None:
        self._let[key] = self._let.get(key, 0) + waiting.job.gpus
        self.kinds[key[0]].append(waiting)
