"""samples(run, every): every gauge of steps, GPUs and nodes at even intervals.

All numbers are views of the one latent state of a moment (physics/hardware), so their identities
hold: energy is the integral of power, used + free + reserved memory is the total, tensor activity
follows MFU and clock, and traffic follows the layout.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import compress, groupby

from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.clocks import POWER_CAP, SW_THERMAL
from llmsim.physics.hardware.gauges import (
    Columns,
    Gauges,
    Seconds,
    columns_of,
    in_rows,
)
from llmsim.physics.hardware.host import CORES, Host, host
from llmsim.physics.hardware.troubles import CALM, HEALTHY, Fault, Trouble
from llmsim.run import cluster
from llmsim.run.complaints import faults, troubles
from llmsim.run.moment import all_loads, energies_of, odd
from llmsim.run.strains import HW_THERMAL, POWER_BRAKE
from llmsim.run.timeline import Run, owner, run_ended, step_at
from llmsim.telemetry import anew, hosts
from llmsim.telemetry.clock import Clock
from llmsim.telemetry.machines import counted_anew
from llmsim.typed import Any, NamedTuple

# GPUs that exports read, unless the run has fewer: 64 nodes of eight.
MOST_GPUS = 512


class Sample(NamedTuple):
    """All gauges at a moment."""

    at: float  # simulated seconds since the command
    activity: str
    step: int  # optimizer steps whose result the model holds
    gpus: tuple[Gauges, ...]
    nodes: tuple[Host, ...]


def spent(done: Iterable[telemetry.Load], at: float) -> tuple[Seconds, ...]:
    """How long each activity has lasted until a moment, from the loads, the latest first."""
    totals: dict[telemetry.Activity, list[float]] = {}
    ended = at
    for load in done:
        times = totals.get(load.activity)
        if times is None:
            times = totals[load.activity] = [0.0] * 6
        more = ended - load.began
        times[0] += more
        times[1] += more * load.pace
        if load.pace == 1.0:
            times[2] += more
        if load.reasons:
            times[3] += more if load.reasons & POWER_CAP else 0.0
            times[4] += more if load.reasons & (SW_THERMAL | HW_THERMAL) else 0.0
            times[5] += more if load.reasons & POWER_BRAKE else 0.0
        ended = load.began
    return tuple(Seconds(activity, *times) for activity, times in totals.items())


def sample(run: Run, at: float, most: int = MOST_GPUS) -> Sample:
    """All gauges at a moment, in simulated seconds; of a large cluster the first GPUs.

    The latest sample is remembered: several exports ask for the same moment.
    """
    known: tuple[tuple[float, int], Sample] | None = run.memo.get("sample")
    if known and known[0] == (at, most):
        return known[1]
    made = _sample(run, at, most)
    run.memo["sample"] = ((at, most), made)
    return made


def _sample(run: Run, at: float, most: int) -> Sample:
    job, tick = run.job, tick_of(run, at)
    seen = gauges_of(run, tick, range(min(job.layout.gpus, most)))
    nodes = range(-(-min(job.layout.gpus, most) // gpus_per_node(job)))
    found = (host_of(run, tick, node) for node in nodes)
    there = tuple([_on_its_machine(run, tick, each) for each in found if each])
    return Sample(at, tick.done[0].activity, step_at(run, at), seen, there)


class Tick(NamedTuple):
    """What all GPUs and nodes of a run share at a moment."""

    at: float
    done: tuple[telemetry.Load, ...]  # all that the GPUs did, the latest first
    past: tuple[Seconds, ...]
    felt: tuple[telemetry.Load, ...]  # the loads that temperatures still show
    faults: dict[int, Fault]  # of ranks whose GPU has or had something wrong
    troubles: dict[int, Trouble]  # of nodes
    odd: frozenset[int]  # ranks whose GPUs have had loads of their own
    # What was computed already, by node and by whether it has energies: as columns and as rows.
    known: dict[tuple[int, bool], Columns]
    rows: dict[tuple[int, bool], list[Gauges]]
    # The same of many nodes at once, by the first of them: see blocks.py. None of one node alone.
    blocks: dict[int, Any]
    usual: frozenset[int]  # the blocks of the latest moment, of which many nodes were asked for
    anew: dict[int, float]  # nodes whose counters began within the run, and when


def tick_of(run: Run, at: float) -> Tick:
    """What is common to all gauges of a moment; the latest is remembered.

    After the end of a run its nodes are idle.
    """
    known: Tick | None = run.memo.get("tick")
    if known and known.at == at:
        return known
    before = known.blocks.items() if known else ()
    usual = frozenset(first for first, block in before if block)
    made = run.memo["tick"] = _tick(run, at, usual)._replace(
        faults=faults(run, at), troubles=troubles(run, at), anew=counted_anew(run, at)
    )
    return made


def _tick(run: Run, at: float, usual: frozenset[int]) -> Tick:
    """A moment as if all GPUs and nodes were well, and had counted from the run's command on."""
    done = _done(run, at)
    felt = tuple(telemetry.recent(run.job, done, at))
    return Tick(at, done, spent(done, at), felt, {}, {}, odd(run, at), {}, {}, {}, usual, {})


def _done(run: Run, at: float, gpu: int | None = None) -> tuple[telemetry.Load, ...]:
    """All loads of a GPU until a moment, the latest first; after the end of a run it is idle. None
    is a GPU that has had no loads of its own.
    """
    done = all_loads(run, at, gpu)
    over = ended_by(run, at)
    return (telemetry.Load("idle", over), *done) if over else done


def ended_by(run: Run, at: float) -> float:
    """When the run ended, if that was before a moment; else 0."""
    number = run.timeline.number_at(at)
    ended = run.timeline[number].ended
    return ended if ended < at and not run.timeline.has(number + 1) else 0.0


def gauges_of(
    run: Run, tick: Tick, ranks: Iterable[int], *, energy: bool = True
) -> tuple[Gauges, ...]:
    """The gauges of some GPUs at a moment; one that has fallen off the bus has none.

    Without `energy` the joules are 0: they take as long as all others together.
    """
    size, seen = gpus_per_node(run.job), []
    wanted = ranks if isinstance(ranks, range) else frozenset(ranks)
    for node in sorted({gpu // size for gpu in wanted}):
        place = node, energy
        if place not in tick.rows:
            tick.rows[place] = in_rows(node_columns(run, tick, node, energy=energy))
        seen += [each for each in tick.rows[place] if each.gpu in wanted]
    return tuple(seen)


def node_columns(run: Run, tick: Tick, node: int, *, energy: bool = True) -> Columns:
    """The gauges of the GPUs of a node at a moment, a list a gauge; without GPUs off the bus, and
    without any where the node is dead. `energy` as in gauges_of.
    """
    place = node, energy
    if (made := tick.known.get(place)) is not None:
        return made
    # A block keeps its numbers in few objects, and lists of them are made anew in no time.
    quick = _in_block(run, tick, node) if energy else None
    if quick is not None and node not in tick.anew:
        return quick
    made = _node(run, tick, node, energy) if quick is None else quick
    if made["gpu"] and node in tick.anew:
        blocks = frozenset() if quick is None else frozenset((node // BLOCK * BLOCK,))
        surplus = _surplus(run, tick, node, blocks, energy=energy)
        made = anew.less(made, surplus, gpus_per_node(run.job))
    tick.known[place] = made
    return made


def _surplus(
    run: Run, tick: Tick, node: int, blocks: frozenset[int], *, energy: bool
) -> Columns:  # fmt: skip
    """What the counters of a node have too much, which began within the run."""
    known: dict[tuple[int, float, bool], Columns] = run.memo.setdefault("surplus", {})
    place = node, tick.anew[node], energy
    if place not in known:
        before = node_columns(run, _tick(run, tick.anew[node], blocks), node, energy=energy)
        known[place] = anew.surplus(run, tick.at, node, before)
    return known[place]


NOTHING: Columns = {name: [] for name in Gauges._fields}


def _node(run: Run, tick: Tick, node: int, energy: bool) -> Columns:
    """What node_columns remembers: the gauges of a node by itself."""
    ranks = ranks_on(run.job, node)
    if tick.troubles.get(node, CALM).silent:
        return NOTHING
    if tick.odd.isdisjoint(ranks):
        made = _alike(run, tick, ranks, (tick.done, tick.past, tick.felt), energy)
    else:
        made = _one_by_one(run, tick, ranks, energy)
    if any(tick.faults.get(gpu, HEALTHY).lost for gpu in ranks):
        there = [not tick.faults.get(gpu, HEALTHY).lost for gpu in ranks]
        return {name: [*compress(column, there)] for name, column in made.items()}
    return made


def _one_by_one(run: Run, tick: Tick, ranks: range, energy: bool) -> Columns:
    """The gauges of a node of which some GPUs have had loads of their own."""
    made: dict[str, list[Any]] = {name: [] for name in Gauges._fields}
    for gpu in ranks:
        pasts = _own(run, tick, gpu) if gpu in tick.odd else (tick.done, tick.past, tick.felt)
        for name, (value,) in _alike(run, tick, range(gpu, gpu + 1), pasts, energy).items():
            made[name].append(value)
    return made


BLOCK = 64  # nodes that are computed at once where numpy is installed
FEWEST = 16  # nodes of a run whose gauges are worth the import of numpy


def _in_block(run: Run, tick: Tick, node: int) -> Columns | None:
    """The gauges of a node's GPUs out of a block of nodes that numpy computes at once, from the
    second node on that is asked for, or the first if there were more at the moment before; None
    where they are to be computed one by one.
    """
    nodes, ranks = run.job.layout.nodes, ranks_on(run.job, node)
    if nodes < FEWEST or not (tick.odd.isdisjoint(ranks) and tick.faults.keys().isdisjoint(ranks)):
        return None
    if tick.troubles.get(node, CALM).silent:
        return None
    first = node // BLOCK * BLOCK
    if first not in tick.blocks:
        tick.blocks[first] = None
        if first not in tick.usual:
            return None
    if tick.blocks[first] is None and (made := _arrays(run)):
        gpus = range(first * len(ranks), min(first + BLOCK, nodes) * len(ranks))
        tick.blocks[first] = made(run, gpus, tick.at, (tick.done, tick.past, tick.felt))
    found = tick.blocks[first]
    columns: Columns | None = found.node(ranks) if found else None
    return columns


def _arrays(run: Run) -> Any:
    """blocks.block, or None where numpy is not installed."""
    if "arrays" not in run.memo:
        try:
            blocks = import_module("llmsim.telemetry.blocks")  # numpy takes a tenth of a second
        except ImportError:
            run.memo["arrays"] = None
        else:
            run.memo["arrays"] = blocks.block
    return run.memo["arrays"]


Pasts = tuple[tuple[telemetry.Load, ...], tuple[Seconds, ...], tuple[telemetry.Load, ...]]


def _alike(run: Run, tick: Tick, ranks: range, pasts: Pasts, energy: bool) -> Columns:
    """The gauges of GPUs of one node that have had the same loads."""
    done, past, felt = pasts
    states = telemetry.latents(run.job, ranks, tick.at, felt)
    joules = energies_of(run, tick.at, ranks, done) if energy else [0.0] * len(ranks)
    faults = [tick.faults.get(gpu, HEALTHY) for gpu in ranks]
    return columns_of(run.job, ranks, tick.at, states, joules, past, faults)


def _own(run: Run, tick: Tick, gpu: int) -> Pasts:
    """All loads of a GPU that has had some of its own, their seconds, and what it still feels."""
    done = _done(run, tick.at, gpu)
    return done, spent(done, tick.at), tuple(telemetry.recent(run.job, done, tick.at))


def is_silent(run: Run, node: int, at: float) -> bool:
    """Whether a node is dead at a moment, so that none of its pages answers."""
    return tick_of(run, at).troubles.get(node, CALM).silent


def host_of(run: Run, tick: Tick, node: int) -> Host | None:
    """A node's counters at a moment; a dead node has none."""
    trouble = tick.troubles.get(node, CALM)
    if trouble.silent:
        return None
    return host(run.job, node, tick.done[0].activity, tick.past, trouble)


def _on_its_machine(run: Run, tick: Tick, seen: Host) -> Host:
    """A node's counters since the run's command, or since a boot after that; a spare machine was
    idle until it joined.
    """
    since = tick.anew.get(seen.node)
    if since is None:
        return seen
    made = hosts.less(seen, counted_at(run, since, seen.node), hosts.BYTES + hosts.PROCESSORS)
    if seen.node in dict(owner(run, tick.at).boots):
        return hosts.less_downs(made, troubles(run, since).get(seen.node, CALM))
    return made._replace(cpu_idle_seconds=made.cpu_idle_seconds + CORES * since)


def counted_at(run: Run, at: float, node: int, clock: Clock | None = None) -> Host:
    """A node's counters at a moment, whether anybody can read them or not; with a clock, as if each
    second were one of the clock's.
    """
    known: dict[tuple[float, float], tuple[telemetry.Activity, tuple[Seconds, ...]]]
    known = run.memo.setdefault("counted", {})
    place = at, clock(at) if clock else at
    if place not in known:
        done, now = _done(run, at), at
        if clock:
            done, now = tuple(each._replace(began=clock(each.began)) for each in done), clock(at)
        if len(known) > _COUNTED:
            known.clear()
        known[place] = done[0].activity, spent(done, now)
    return host(run.job, node, *known[place])


_COUNTED = 64  # moments whose counters a run remembers: boots, and the latest scrapes


Span = tuple[int, int, Job]  # the first sample, the one behind the last, and the job


def spans_of(gpu: int, owners: list[Job]) -> list[Span]:
    """The samples in which a GPU was one card, one card after another; `owners` are the job at
    each sample, with the machines that it had then.
    """
    begun, spans = 0, list[Span]()
    for _, same in groupby(_machines(owners), key=lambda each: cluster.card(each[1], gpu)):
        counts = [*same]
        ended = begun + sum(count for count, _ in counts)
        spans.append((begun, ended, counts[0][1]))
        begun = ended
    return spans


def _machines(owners: list[Job]) -> Iterator[tuple[int, Job]]:
    """How many samples in a row have the same machines, and a job that has them."""
    for _, same in groupby(owners, key=lambda each: each.spares):
        jobs = [*same]
        yield len(jobs), jobs[0]


def samples(run: Run, every: float, most: int = MOST_GPUS) -> Iterator[Sample]:
    """All gauges at equal intervals of simulated time, from the command to the end of the run."""
    ended, number = run_ended(run), 0
    while number * every <= ended:
        yield sample(run, number * every, most)
        number += 1
