"""state(run, at) and readings(run, at): the cluster's activity and its gauges at a moment.

The gauges depend on all activities of the GPUs so far, most on the latest ones.
"""

from collections.abc import Callable, Iterable, Iterator
from math import inf

from llmsim.job.milestones import epoch_of
from llmsim.job.records import Job, gpus_per_node, ranks_on
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Activity, Load, Reading
from llmsim.physics.hardware.temperatures import temperatures
from llmsim.run import strains
from llmsim.run.events import Failed, Incident, ModelSharded, RankJoined, Symptom
from llmsim.run.phases.launch import launched
from llmsim.run.timeline import Run, Segment, step_in
from llmsim.typed import NamedTuple


class Moment(NamedTuple):
    """The state of the cluster at a moment."""

    at: float  # simulated seconds since the command
    activity: Activity
    since: float  # when that activity began
    segment: Segment  # the segment of the timeline at this moment
    step: int  # optimizer steps whose result the model holds
    executed: int  # steps that were run, repeated ones included
    epoch: int  # counted from 1
    attempt: int  # counted from 1


def state(run: Run, at: float) -> Moment:
    """The state of the cluster at a moment, in simulated seconds; after the end, its last state."""
    number = run.timeline.number_at(at)
    segment = run.timeline[number]
    step = step_in(run.job, segment, at) if segment.kind == "training" else segment.last
    latest = next(loads(run, at))
    return Moment(
        at=at,
        activity=latest.activity,
        since=latest.began,
        segment=segment,
        step=step,
        executed=step + segment.repeated,
        epoch=epoch_of(run.job, min(step + 1, run.job.schedule.steps)),
        attempt=segment.attempt,
    )


def loads(run: Run, at: float, gpu: int | None = None) -> Iterator[Load]:
    """The loads of a GPU until a moment: the latest first, the launch last.

    None is a GPU that is at fault in no incident.

    A gauge shows what has been: a load that begins at this very moment does not count yet.
    """
    for number in range(_number_before(run, at), -1, -1):
        yield from _loads_in(run, number, at, gpu)


def _number_before(run: Run, at: float) -> int:
    """The number of the last segment that has begun before a moment; the first one has always."""
    number = run.timeline.number_at(at)
    while number and run.timeline[number].began >= at:
        number -= 1
    return number


def _loads_in(run: Run, number: int, at: float, gpu: int | None) -> Iterable[Load]:
    """The loads of a GPU in a segment, until a moment: the latest first."""
    segment = run.timeline[number]
    if segment.kind == "launch":
        known: dict[int, tuple[Load, ...]] = run.memo.setdefault("launch loads", {})
        if number not in known:
            known[number] = launch_loads(launched(run, number), segment.began)
        ended, parts = min(at, segment.ended), known[number]  # a fault may have cut the launch
        return [load for load in parts if load.began < ended or load is parts[-1]]
    if segment.kind in ("training", "failure") and segment.events:
        is_strained = True
    elif segment.kind == "failure" or segment.kind == "outage":
        return (Load("idle", segment.began),)
    else:  # it may be heating up
        is_strained = gpu is not None and gpu in strains.strained(run, number)
    if not is_strained and segment.kind != "failure":
        return (Load(segment.kind, segment.began),)
    parts = strains.parts(run, number, gpu)
    return [load for load in parts[::-1] if load.began < at or load is parts[0]]


def all_loads(run: Run, at: float, gpu: int | None) -> tuple[Load, ...]:
    """All of `loads`. The run remembers what was before the latest segment: a wall asks four times
    a second, and a long run has hundreds of segments.
    """
    own = gpu if gpu in odd(run, at) else None
    number = _number_before(run, at)
    known: dict[int | None, tuple[int, tuple[Load, ...]]] = run.memo.setdefault("past loads", {})
    first, before = known.get(own, (0, ()))
    if first > number:
        first, before = 0, ()
    for passed in range(first, number):
        before = (*_loads_in(run, passed, inf, own), *before)
    known[own] = number, before
    return (*_loads_in(run, number, at, own), *before)


def launch_loads(events: Iterable[object], began: float = 0.0) -> tuple[Load, ...]:
    """What the GPUs do in a launch, by its events: the latest first."""
    parts: list[Load] = [Load("idle", began)]
    for event in events:
        if isinstance(event, RankJoined) and parts[-1].activity == "idle":
            parts.append(Load("starting", event.at))
        elif isinstance(event, ModelSharded):
            parts.append(Load("loading", event.at))
    return tuple(reversed(parts))


def readings(run: Run, at: float, gpus: Iterable[int] | None = None) -> tuple[Reading, ...]:
    """The gauges of GPUs, all of them unless some are named, at a moment in simulated seconds."""
    done, own = _done(run, at)
    wanted = range(run.job.layout.gpus) if gpus is None else gpus
    return tuple(telemetry.reading(run.job, gpu, at, own.get(gpu, done)) for gpu in wanted)


Loads = tuple[Load, ...]


def _done(run: Run, at: float) -> tuple[Loads, dict[int, Loads]]:
    """What all GPUs have done of late, and what some have done instead."""
    done = tuple(telemetry.recent(run.job, loads(run, at), at))
    own = {gpu: tuple(telemetry.recent(run.job, loads(run, at, gpu), at)) for gpu in odd(run, at)}
    return done, own


def node_readings(run: Run, at: float, nodes: Iterable[int]) -> list[list[Reading]]:
    """The gauges of all GPUs of each of these nodes at a moment."""
    done, own = _done(run, at)
    seen = list[list[Reading]]()
    for node in nodes:
        ranks = ranks_on(run.job, node)
        read = telemetry.readings(run.job, ranks, at, done)
        for gpu in own.keys() & set(ranks):
            read[gpu - ranks.start] = telemetry.reading(run.job, gpu, at, own[gpu])
        seen.append(read)
    return seen


def meter(run: Run, at: float) -> Callable[[int], Reading]:
    """A function that reads a GPU's gauges at a moment: for one that is asked again and again."""
    done, own = _done(run, at)
    return lambda gpu: telemetry.reading(run.job, gpu, at, own.get(gpu, done))


def draws(run: Run, at: float, gpus: range) -> tuple[Activity, list[telemetry.Draw]]:
    """What nearly all GPUs do at a moment, and what some of them draw."""
    job, usual = run.job, next(loads(run, at))
    own = {gpu: next(loads(run, at, gpu)) for gpu in odd(run, at) if gpu in gpus}
    seen = list[telemetry.Draw]()
    for ranks in _by_node(job, gpus):
        if own.keys().isdisjoint(ranks):
            seen += telemetry.draws(job, ranks, at, usual)
            continue
        for gpu in ranks:
            seen += telemetry.draws(job, range(gpu, gpu + 1), at, own.get(gpu, usual))
    return usual.activity, seen


def _by_node(job: Job, gpus: range) -> list[range]:
    """GPUs in order, in ranges within nodes: one range where GPUs of a node are neighbours."""
    if gpus.step > 1:
        return [range(gpu, gpu + 1) for gpu in gpus]
    size = gpus_per_node(job)
    nodes = range(gpus.start // size * size, gpus.stop, size)
    return [range(max(first, gpus.start), min(first + size, gpus.stop)) for first in nodes]


def celsius(run: Run, at: float, gpus: tuple[int, ...]) -> list[int]:
    """The temperatures of GPUs alone at a moment, which are much cheaper."""
    job, usual = run.job, tuple(telemetry.recent(run.job, loads(run, at), at))
    seen = temperatures(job, at, usual, gpus)
    own = odd(run, at)
    for place, gpu in enumerate(gpus) if not own.isdisjoint(gpus) else ():
        if gpu in own:
            done = tuple(telemetry.recent(job, loads(run, at, gpu), at))
            seen[place] = telemetry.reading(job, gpu, at, done).temperature_c
    return seen


def struck(run: Run, at: float) -> tuple[Incident, ...]:
    """The labels of the incidents up to a moment, in order."""
    known: list[tuple[Incident, ...]] = run.memo.setdefault("struck", [()])
    number = run.timeline.number_at(at)
    while len(known) <= number:
        told = run.timeline[len(known) - 1].events
        known.append(known[-1] + tuple([each for each in told if isinstance(each, Incident)]))
    now = (each for each in run.timeline[number].events if isinstance(each, Incident))
    return (*known[number], *(each for each in now if each.at <= at))


def how_failed(failure: Segment) -> Failed:
    """How the attempt ended that a failure ends."""
    return next(event for event in failure.events if isinstance(event, Failed))


def time_was_up(failure: Segment) -> float:
    """When the time was up of an attempt that a failure ends; infinity: something else ended it.

    An end in order begins with the save, after the time was up.
    """
    if how_failed(failure).wait > 0.0:  # another attempt follows
        return inf
    told = [e.at for e in failure.events if isinstance(e, Symptom) and e.name == "time limit"]
    return min(told, default=failure.began)


def is_orderly(failure: Segment) -> bool:
    """Whether the processes have saved and ended by themselves, as they were asked to."""
    stopped = "stopped in order"
    return any(isinstance(each, Symptom) and each.name == stopped for each in failure.events)


def odd(run: Run, at: float) -> frozenset[int]:
    """The ranks whose GPUs have had loads of their own until a moment."""
    known: list[frozenset[int]] = run.memo.setdefault("odd", [frozenset()])
    number = run.timeline.number_at(at)
    while len(known) <= number + 1:
        more = strains.strained(run, len(known) - 1)
        known.append(known[-1].union(more) if more else known[-1])
    return known[number + 1]


def energy(run: Run, at: float, gpu: int) -> float:
    """Joules that a GPU has taken up since the command: the integral of its power."""
    return energy_of(run, at, gpu, all_loads(run, at, gpu))


MARK_EVERY = 32  # loads from one remembered total to the next


def energy_of(run: Run, at: float, gpu: int, latest_first: tuple[Load, ...]) -> float:
    """Joules that a GPU has taken up since the command, by its loads until that moment, the latest
    first.
    """
    return energies_of(run, at, range(gpu, gpu + 1), latest_first)[0]


def energies_of(run: Run, at: float, ranks: range, latest_first: tuple[Load, ...]) -> list[float]:
    """Joules that GPUs of one node with the same loads have taken up since the command."""
    job, load = run.job, latest_first[0]
    swung, before = telemetry.swung(job, ranks, load, at), _before(run, ranks, latest_first)
    return [
        total + telemetry.joules(job, gpu, load, seconds - already)
        for gpu, seconds, (total, already) in zip(ranks, swung, before, strict=True)
    ]


class _Joules(NamedTuple):
    """What a GPU has taken up until one of its loads begins, counted from the launch."""

    load: int
    total: float
    swung: float  # what telemetry.swung says of that moment
    marks: list[float]  # totals before every 32nd load, so that time may go back as well


def _before(run: Run, ranks: range, latest_first: tuple[Load, ...]) -> list[tuple[float, float]]:
    """Joules of each GPU until its latest load begins, and what telemetry.swung says of then."""
    known: dict[int, _Joules] = run.memo.setdefault("energy", {})
    latest = [known[gpu] for gpu in ranks if gpu in known]
    if not latest:
        began = telemetry.swung(run.job, ranks, latest_first[-1], latest_first[-1].began)
        latest = [_Joules(0, 0.0, each, [0.0]) for each in began]
        known.update(zip(ranks, latest, strict=True))
    if len(latest) < len(ranks) or len({each.load for each in latest}) > 1:
        return [each for gpu in ranks for each in _before(run, range(gpu, gpu + 1), latest_first)]
    last = len(latest_first) - 1
    if latest[0].load == last:
        return [(each.total, each.swung) for each in latest]
    totals = _totals(run.job, ranks, latest, latest_first)
    swung = telemetry.swung(run.job, ranks, latest_first[0], latest_first[0].began)
    if last > latest[0].load:
        for gpu, total, seconds, each in zip(ranks, totals, swung, latest, strict=True):
            known[gpu] = _Joules(last, total, seconds, each.marks)
    return [*zip(totals, swung, strict=True)]


def _totals(
    job: Job, ranks: range, latest: list[_Joules], latest_first: tuple[Load, ...]
) -> list[float]:
    """Joules of each GPU until its latest load begins, from the nearest total that is known."""
    number, last = latest[0].load, len(latest_first) - 1
    totals = [each.total for each in latest]
    if number > last:
        number = last - last % MARK_EVERY
        totals = [each.marks[last // MARK_EVERY] for each in latest]
    for count in range(number, last):
        load, after = latest_first[last - count], latest_first[last - count - 1]
        totals = _later(job, ranks, totals, load, after.began)
        if (count + 1) % MARK_EVERY == 0:
            for each, total in zip(latest, totals, strict=True):
                if len(each.marks) == (count + 1) // MARK_EVERY:
                    each.marks.append(total)
    return totals


def _later(job: Job, ranks: range, totals: list[float], load: Load, until: float) -> list[float]:
    """The joules of GPUs at the end of a load, from the joules at its beginning."""
    began = telemetry.swung(job, ranks, load, load.began)
    ended = telemetry.swung(job, ranks, load, until)
    return [
        total + telemetry.joules(job, gpu, load, last - first)
        for gpu, total, first, last in zip(ranks, totals, began, ended, strict=True)
    ]
