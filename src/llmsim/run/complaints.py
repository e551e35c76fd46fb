"""What drivers and counters have seen of GPUs and ports until a moment: errors, and their omens.

    faults(run, at)   -> {rank: Fault}     of GPUs: error codes, ECC, NVLink and PCIe counters
    troubles(run, at) -> {node: Trouble}   of nodes: ports, tasks that are stuck, memory, the disk

A counter rises before some incidents: PCIe replays before a GPU is lost, CRC errors of a link
before NVLink fails, single-bit errors before half of the double-bit ones. What is volatile goes
back to 0 when the GPU is reset, which a restart does after what its cure says, and a drain of the
node where a remap is pending; aggregates stay.
"""

from collections.abc import Iterator

from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.physics.hardware.troubles import CALM, HEALTHY, Fault, Trouble
from llmsim.run.events import Incident, Symptom
from llmsim.run.moment import how_failed
from llmsim.run.phases.queue import is_taken_out
from llmsim.run.timeline import Run, Segment
from llmsim.typed import NamedTuple

OMENS = 5400.0  # seconds: no omen comes earlier
_LOST = 79  # after this error a GPU has fallen off the bus
# Kinds after which the node's GPUs are reset or the node is booted before the next attempt.
_RESETS = ("gpu-lost", "nvlink", "gsp", "node-fail", "maintenance", "link-down")


class _Known(NamedTuple):
    """What is known at the beginning of a segment."""

    faults: dict[int, Fault]  # by rank
    # By node: when its machine joined the run, and when its GPUs were last reset or joined.
    joined: dict[int, float]
    reset: dict[int, float]


def faults(run: Run, at: float) -> dict[int, Fault]:
    """What is known of each GPU that has or had something wrong, by its rank."""
    number = run.timeline.number_at(at)
    known = _before(run, number)
    found = dict(known.faults)
    for event in run.timeline[number].events:
        if event.at <= at:
            _take(found, event)
            if isinstance(event, Incident):
                _foretell(run.job, found, event, event.at, known)
    for omen in _coming(run, number, at):
        _foretell(run.job, found, omen, at, known)
    return found


def _before(run: Run, number: int) -> _Known:
    """The same at the beginning of a segment; each beginning is worked out once."""
    known: list[_Known] = run.memo.setdefault("faults", [_Known({}, {}, {})])
    while len(known) <= number:
        segment, after = run.timeline[len(known) - 1], known[-1]
        if segment.events or segment.kind == "outage":
            after = _Known(dict(after.faults), dict(after.joined), dict(after.reset))
        for event in segment.events:
            _take(after.faults, event)
            if isinstance(event, Incident):
                _foretell(run.job, after.faults, event, event.at, after)
        if segment.kind == "outage":
            _mended(run, len(known) - 1, after)
        known.append(after)
    return known[number]


def _mended(run: Run, number: int, after: _Known) -> None:
    """What a reset of the node clears while the job waits for its next attempt."""
    size, gone, ended = gpus_per_node(run.job), swapped(run, number), run.timeline[number].ended
    reset = booted(run, number) | {
        event.rank // size
        for event in run.timeline[number - 1].events
        if isinstance(event, Incident) and event.kind in _RESETS
    }
    reset |= _reset_for_rows(run, number, after)
    after.joined.update(dict.fromkeys(gone, ended))
    after.reset.update(dict.fromkeys(gone | reset, ended))
    for rank, kept in [*after.faults.items()]:
        if rank // size in gone:
            del after.faults[rank]  # the spare's cards have seen nothing yet
        elif rank // size in reset:
            after.faults[rank] = Fault(
                aggregate_errors=kept.aggregate_errors,
                aggregate_correctable_errors=kept.aggregate_correctable_errors,
                remapped_rows=kept.remapped_rows,
            )


def _reset_for_rows(run: Run, number: int, known: _Known) -> set[int]:
    """The nodes that Slurm drains and resumes in an outage, and on which a remap is pending: a GPU
    that has one is reset at the node's next drain.
    """
    size = gpus_per_node(run.job)
    pending = {rank // size for rank, fault in known.faults.items() if fault.remap_pending}
    if not pending or not is_taken_out(run, number):
        return set()
    return pending & {how_failed(run.timeline[number - 1]).rank // size}


def swapped(run: Run, number: int) -> frozenset[int]:
    """The nodes that have another machine after an outage than before it."""
    if not run.timeline.has(number + 1):
        return frozenset()
    before, after = run.timeline[number].spares, run.timeline[number + 1].spares
    if before == after:
        return frozenset()
    return frozenset({after[-1][0]})  # an outage brings one spare, which comes last


def booted(run: Run, number: int) -> frozenset[int]:
    """The nodes that were booted in an outage, and stay."""
    if not run.timeline.has(number + 1):
        return frozenset()
    before, after = run.timeline[number].boots, run.timeline[number + 1].boots
    if before == after:
        return frozenset()
    return frozenset(node for node, _ in {*after} - {*before})


def _take(found: dict[int, Fault], event: object) -> None:
    """The driver's line of a name such as "xid 48" counts for its GPU."""
    if not isinstance(event, Symptom) or not event.name.startswith("xid "):
        return
    code, fault = int(event.name.split(" ")[1]), found.get(event.rank, HEALTHY)
    found[event.rank] = fault._replace(
        xid=code,
        lost=fault.lost or code == _LOST,
        uncorrectable_errors=fault.uncorrectable_errors + (code == 48),
        aggregate_errors=fault.aggregate_errors + (code == 48),
        remapped_rows=fault.remapped_rows + (code == 63),
        remap_pending=int(fault.remap_pending or code == 63),
        link_recoveries=fault.link_recoveries + (code in (74, 149)),
    )


# --- omens -------------------------------------------------------------------------------


def _coming(run: Run, number: int, at: float) -> Iterator[Incident]:
    """The incidents after a moment whose omens show by then: on machines that are still there."""
    last, size = run.timeline.number_at(at + OMENS), gpus_per_node(run.job)
    here = run.timeline[number].spares
    for index in range(number, last + 1):
        there = run.timeline[index].spares
        for event in run.timeline[index].events:
            if isinstance(event, Incident) and at < event.at < at + OMENS:
                node = event.rank // size
                if here == there or dict(here).get(node) == dict(there).get(node):
                    yield event


def _lead(job: Job, event: Incident) -> float:
    """Seconds that an incident's omen shows before it; 0 for one that comes without."""
    share, low, high = _OMENS.get(event.kind, (0.0, 0.0, 0.0))
    if noise.uniform(job.seed, "omen/shown", event.number) >= share:
        return 0.0
    return noise.between(job.seed, "omen/lead", low, high, event.number)


# Share of the incidents with an omen, and its least and longest time.
_OMENS = {
    "gpu-lost": (0.6, 300.0, OMENS),
    "nvlink": (0.9, 600.0, OMENS),
    "hbm-ecc": (0.5, 1800.0, OMENS),
}


def _foretell(
    job: Job, found: dict[int, Fault], event: Incident, at: float, known: _Known
) -> None:  # fmt: skip
    """Add what rises before an incident to its GPU's counters."""
    lead, node = _lead(job, event), event.rank // gpus_per_node(job)
    begun = event.at - lead
    risen = at - max(begun, known.reset.get(node, begun))
    of_card = at - max(begun, known.joined.get(node, begun))
    if not lead or of_card <= 0.0:
        return
    fault = found.get(event.rank, HEALTHY)
    rate = noise.between(job.seed, "omen/rate", 0.3, 3.0, event.number)
    risen = max(0.0, risen)
    minutes = rate * risen / 60.0
    if event.kind == "gpu-lost":
        more = {"pcie_replays": int(rate * risen / 6.0)}
    elif event.kind == "nvlink":
        more = {"crc_errors": int(100.0 * minutes), "link_replays": int(minutes)}
    else:
        more = {
            "correctable_errors": int(minutes),
            "aggregate_correctable_errors": int(rate * of_card / 60.0),
        }
    found[event.rank] = fault._replace(
        **{name: getattr(fault, name) + count for name, count in more.items()}
    )


# --- nodes -------------------------------------------------------------------------------


def troubles(run: Run, at: float) -> dict[int, Trouble]:
    """What is wrong with nodes at a moment, and how often their ports have been down."""
    number = run.timeline.number_at(at)
    found = dict(_troubles_before(run, number))
    for event in run.timeline[number].events:
        if isinstance(event, Incident) and event.at <= at:
            _befallen(run.job, found, event)
            _now(run.job, found, event, at)
    for coming in _coming(run, number, at):
        if coming.kind in ("data-killed", "disk-full"):
            _filling(run.job, found, coming, at)
    return _whole(run, number, found)


def _troubles_before(run: Run, number: int) -> dict[int, Trouble]:
    known: list[dict[int, Trouble]] = run.memo.setdefault("troubles", [{}])
    while len(known) <= number:
        segment, after = run.timeline[len(known) - 1], known[-1]
        if segment.events or segment.kind == "outage":
            after = dict(after)
        for event in segment.events:
            if isinstance(event, Incident):
                _befallen(run.job, after, event)
        if segment.kind == "outage":
            for node in swapped(run, len(known) - 1):
                after.pop(node, None)
        known.append(after)
    return known[number]


def _befallen(job: Job, found: dict[int, Trouble], event: Incident) -> None:
    """Counters of a port that has been down, which a node keeps."""
    if event.kind in ("link-flap", "link-down"):
        node = event.rank // gpus_per_node(job)
        trouble = found.get(node, CALM)
        rail = event.rank % gpus_per_node(job)
        downs = [*(trouble.downs or (0,) * gpus_per_node(job))]
        downs[rail] += 1
        back = trouble.recoveries + (event.kind == "link-flap")
        found[node] = trouble._replace(downs=tuple(downs), recoveries=back)


def _now(job: Job, found: dict[int, Trouble], event: Incident, at: float) -> None:
    """What lasts only until the incident is over: a port that is down, tasks that are stuck."""
    if at >= event.over:
        return
    node = event.rank // gpus_per_node(job)
    if event.kind in ("link-flap", "link-down"):
        trouble = found.get(node, CALM)
        found[node] = trouble._replace(down=event.rank % gpus_per_node(job))
    elif event.kind in ("data-stall", "slow-fs"):
        stuck = noise.integer(job.seed, "omen/stuck", 2, 16, event.number)
        for each in range(job.layout.nodes):
            found[each] = found.get(each, CALM)._replace(stuck_tasks=stuck)


def _filling(job: Job, found: dict[int, Trouble], event: Incident, at: float) -> None:
    """Memory or a disk that is full when the incident comes."""
    share = 1.0 - (event.at - at) / OMENS
    node = event.rank // gpus_per_node(job)
    if event.kind == "data-killed":
        found[node] = found.get(node, CALM)._replace(memory_share=0.97 * share)
    else:
        found[node] = found.get(node, CALM)._replace(disk_share=share)


def _whole(run: Run, number: int, found: dict[int, Trouble]) -> dict[int, Trouble]:
    """A node that has died is silent from the fault until the next attempt."""
    for index in (number, number - 1):
        segment: Segment = run.timeline[max(0, index)]
        if segment.kind == "failure" and (index == number or run.timeline[number].kind == "outage"):
            for event in segment.events:
                if isinstance(event, Incident) and event.kind == "node-fail":
                    node = event.rank // gpus_per_node(run.job)
                    found[node] = found.get(node, CALM)._replace(silent=True)
    return found
