"""A cluster's days beside the figures of public traces: states, waits, sizes, failures."""

from array import array
from collections.abc import Iterator

from llmsim.fleet.cluster import traces
from llmsim.fleet.cluster.jobs import DAY
from llmsim.fleet.cluster.pool import Pool
from llmsim.fleet.cluster.scheduling import Ended, Fact, NodeChanged, Started

_SIZES = (1, 2, 4, 8, 16, 32, 10**9)


class Tally:
    """What has been counted of a cluster's facts."""

    def __init__(self, pool: Pool) -> None:
        """Nothing has been counted yet."""
        self._pool = pool
        self.jobs = 0
        self._long = 0  # jobs that run long enough to be pre-empted
        self._states: dict[str, int] = {}
        self._by_size: dict[tuple[int, str], int] = {}
        self._waits = [array("d") for _ in traces.KINDS]
        self._seconds = [0.0] * len(traces.KINDS)  # GPU-seconds by kind
        self._sizes: dict[int, int] = {}
        self._causes: dict[str, int] = {}

    def heard(self, fact: Fact) -> None:
        """Counts a fact."""
        if isinstance(fact, NodeChanged):
            if not fact.up:
                self._causes[fact.cause] = self._causes.get(fact.cause, 0) + 1
            return
        running, job = fact.running, fact.running.waiting.job
        if isinstance(fact, Started):
            if not running.waiting.restarts:
                self.jobs += 1
                self._waits[job.kind].append(int(fact.at) - int(job.at))
                self._long += min(job.seconds, job.limit) > traces.PREEMPTED_AFTER
                self._sizes[job.gpus] = self._sizes.get(job.gpus, 0) + 1
            return
        self.used(fact)
        self._states[fact.state] = self._states.get(fact.state, 0) + 1
        size = next(most for most in _SIZES if job.gpus <= most)
        key = (size, fact.state)
        self._by_size[key] = self._by_size.get(key, 0) + 1

    def used(self, ended: Ended) -> None:
        """Counts the GPU time of a job, also of one that runs when the days are over."""
        running = ended.running
        job = running.waiting.job
        self._seconds[job.kind] += (ended.at - running.began) * job.gpus

    def text(self) -> str:
        """The comparison, to be read by a person."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        pool, total = self._pool, sum(self._states.values())
        offered = pool.gpus * pool.days * DAY
        rate = self.jobs / pool.gpus / pool.days
        yield (f"{pool.nodes:,} nodes, {pool.gpus:,} GPUs, {pool.days:g} days, {self.jobs:,} jobs"
               f" ({rate:.2f} a GPU and day; RSC-1 .45, Seren 1.58)")  # fmt: skip
        used = sum(round(each) for each in self._seconds)
        yield f"utilisation {100 * used / offered:.1f} % of GPU time ({traces.UTILIZATION})"
        yield ""
        yield from self._waited(used)
        yield ""
        yield f"{'state':<14} {'records %':>9}   RSC-1 %"
        for state, count in sorted(self._states.items(), key=lambda each: (-each[1], each[0])):
            yield f"{state:<14} {100 * count / max(1, total):>9.2f}   {traces.RSC_STATES[state]}"
        share = 100 * self._long / max(1, self.jobs)
        yield (f"PREEMPTED can be few: {share:.1f} % of the jobs outlast the"
               f" {traces.PREEMPTED_AFTER / 3600:g} h before which none is pre-empted")  # fmt: skip
        yield ""
        yield f"{'GPUs':<6} {'completed/cancelled/failed %':<30} Helios"
        for most, *shares in traces.STATES:
            yield f"{_size(most):<6} {self._ended(most):<30} {'/'.join(map(str, shares))}"
        yield ""
        yield f"{'GPUs <=':<8} {'jobs %':>6}   Seren"
        for most, share in traces.GPU_SHARES.items():
            below = sum(count for gpus, count in self._sizes.items() if gpus <= most)
            yield f"{most:<8} {100 * below / max(1, self.jobs):>6.1f}   {share}"
        yield ""
        yield from self._failures()

    def _waited(self, used: int) -> Iterator[str]:
        """What each kind has, and the seconds that its jobs waited."""
        parts = "/".join(f"{100 * part:g}" for part in traces.WAITS)
        yield (f"{'kind':<12} {'jobs %':>6} {'GPU time %':>10} {'mean wait':>9}"
               f"   {f'seconds at {parts} %':<28} Seren's")  # fmt: skip
        for kind, waits, seconds in zip(traces.KINDS, self._waits, self._seconds, strict=True):
            looked = sorted(waits)
            ours = "/".join(f"{_at(looked, part):.0f}" for part in traces.WAITS)
            mean = sum(int(each) for each in looked) / max(1, len(looked))
            yield (f"{kind.name:<12} {100 * len(waits) / max(1, self.jobs):>6.1f}"
                   f" {100 * seconds / max(1, used):>10.1f} {mean:>9.0f}   {ours:<28}"
                   f" {'/'.join(map(str, kind.waits))}".rstrip())  # fmt: skip
        all_of_them = [wait for waits in self._waits for wait in waits]
        mean = sum(int(each) for each in all_of_them) / max(1, len(all_of_them))
        median = _at(sorted(all_of_them), 0.5)
        yield (f"all jobs: {mean:.0f} s in the mean, {median:.0f} s in the median"
               f" ({traces.WAITED})")  # fmt: skip

    def _ended(self, most: int) -> str:
        counts = [self._by_size.get((most, state), 0)
                  for state in ("COMPLETED", "CANCELLED", "FAILED")]  # fmt: skip
        return "/".join(f"{100 * count / max(1, sum(counts)):.1f}" for count in counts)

    def _failures(self) -> Iterator[str]:
        count = sum(self._causes.values())
        rate = 1000 * count / (self._pool.nodes * self._pool.days)
        yield (f"{count:,} failures of nodes, {rate:.2f} in 1,000 node-days"
               " (RSC-1 6.50, Llama 3 3.8, RSC-2 2.34)")  # fmt: skip
        for cause, times in sorted(self._causes.items(), key=lambda each: (-each[1], each[0])):
            yield f"  {cause:<16} {100 * times / count:>5.1f} %"


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def _size(most: int) -> str:
    return f"{most}" if most < 10**9 else "64+"
