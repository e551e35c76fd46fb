"""Since when the machines of a run's nodes count: a boot clears counters that a kernel, a driver or
a card keeps in memory, and a spare machine has counters of its own.
"""

from llmsim.job.records import Job
from llmsim.run.timeline import Run, owner


def begun(run: Run, job: Job, node: int) -> tuple[float | None, float | None]:
    """When a node's machine joined the run, and when it was booted in the run; None: not at all.

    `job` has the machines of the moment that is asked about (timeline.owner).
    """
    machine = dict(job.spares).get(node)
    joined = None if machine is None else _joined(run, node, machine)
    return joined, next((when for each, when in job.boots if each == node), None)


def counted_anew(run: Run, at: float) -> dict[int, float]:
    """The nodes whose counters began within the run, and when: by what they are at a moment."""
    job = owner(run, at)
    about = job.spares, job.boots
    if about == ((), ()):
        return {}
    known: dict[object, dict[int, float]] = run.memo.setdefault("counted anew", {})
    if about not in known:
        known.clear()
        joined = {node: _joined(run, node, machine) for node, machine in job.spares}
        known[about] = {**joined, **dict(job.boots)}
    return known[about]


def _joined(run: Run, node: int, machine: int) -> float:
    """When a spare machine came: the attempt's launch."""
    known: dict[tuple[int, int], float] = run.memo.setdefault("joined", {})
    seen: list[int] = run.memo.setdefault("joined until", [0])  # segments that were looked at
    while (node, machine) not in known:
        segment = run.timeline[seen[0]]
        for pair in segment.spares:
            known.setdefault(pair, segment.began)
        seen[0] += 1
    return known[node, machine]
