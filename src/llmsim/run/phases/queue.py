"""What Slurm's controller says while a job waits for its next attempt.

slurmctld.log has the requeue, the node that is taken out with the reason, why the job is pending,
the node's return, and the nodes that the job gets. All but the last are said in the outage.
"""

from collections.abc import Iterator

from llmsim.job.microseconds import to_the_microsecond
from llmsim.physics import noise
from llmsim.run.events import Failed, Symptom
from llmsim.run.incident_kinds import kind_named
from llmsim.run.timeline import Run

CYCLE = 30.0  # seconds between two rounds of the backfill scheduler (bf_interval)
BEGINS = 120.0  # seconds that a requeued job waits for at least
_OFTEN = 3600.0  # seconds between two lines about a job that stays pending


def waiting(run: Run, number: int) -> Iterator[Symptom]:
    """The controller's words in an outage, in order of time."""
    job, outage = run.job, run.timeline[number]
    failed = next(each for each in run.timeline[number - 1].events if isinstance(each, Failed))
    began, ended = outage.began, outage.ended
    place, out = outage.attempt, is_taken_out(run, number)

    def said(at: float, name: str, code: int = 0) -> Symptom:
        return Symptom(to_the_microsecond(at), "slurm", name, failed.rank, code, failed.kind)

    def drawn(name: str, low: float, high: float) -> float:
        return noise.between(job.seed, f"controller/{name}", low, high, place)

    told = [said(began + min(drawn("requeued", 0.02, 0.3), 0.5 * (ended - began)), "requeuing")]
    if failed.kind == "node-fail":  # it is down before its job is put into the queue again
        told.append(said(began, "not responding"))
    elif out:
        told.append(said(began + drawn("drained", 2.0, 25.0), "drained"))
    at = began + drawn("cycle", 1.0, CYCLE)
    while ended - at > BEGINS:
        told.append(said(at, "pending", int(at - began < BEGINS)))
        at += drawn(f"cycle {len(told)}", 0.0, CYCLE)
        at += _OFTEN if told[-1].code == 0 else BEGINS
    if out and not _has_spare(run, number) and ended - began > BEGINS:
        told.append(said(ended - drawn("back", 3.0, 60.0), "back"))
    yield from sorted(told, key=lambda each: each.at)


def is_taken_out(run: Run, number: int) -> bool:
    """Whether the node at fault leaves the pool in an outage: it is to blame, and the job does not
    go on at once.
    """
    outage = run.timeline[number]
    failed = next(each for each in run.timeline[number - 1].events if isinstance(each, Failed))
    blamed = kind_named(failed.kind).node_fault
    return blamed and (_has_spare(run, number) or outage.ended - outage.began > BEGINS)


def _has_spare(run: Run, number: int) -> bool:
    """Whether another machine has the node's place after an outage."""
    following = run.timeline.has(number + 1)
    return following and run.timeline[number + 1].spares != run.timeline[number].spares
