"""state(run, at) and readings(run, at): the cluster's activity and its gauges at a moment.

The gauges depend on all activities of the GPUs so far, most on the latest ones.
"""

from collections.abc import Iterable, Iterator

from llmsim.job.milestones import epoch_of
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.telemetry import Activity, Load, Reading
from llmsim.run.events import Incident, ModelSharded, RankJoined
from llmsim.run.incident_kinds import kind_named
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
    activity, since = next(loads(run, at))
    return Moment(
        at=at,
        activity=activity,
        since=since,
        segment=segment,
        step=step,
        executed=step + segment.repeated,
        epoch=epoch_of(run.job, min(step + 1, run.job.schedule.steps)),
        attempt=segment.attempt,
    )


def loads(run: Run, at: float) -> Iterator[Load]:
    """The loads of the GPUs until a moment: the latest first, the launch last.

    A gauge shows what has been: a load that begins at this very moment does not count yet.
    """
    number = run.timeline.number_at(at)
    while number and run.timeline[number].began >= at:
        number -= 1
    while number >= 0:
        segment = run.timeline[number]
        if segment.kind == "launch":
            parts = launch_loads(launched(run, number), segment.began)
            yield from (load for load in parts if load[1] < at or load is parts[-1])
        elif segment.kind == "failure":
            yield ("hang" if _hangs(segment) else "idle"), segment.began
        elif segment.kind == "outage":
            yield "idle", segment.began
        else:
            yield segment.kind, segment.began
        number -= 1


def _hangs(segment: Segment) -> bool:
    """Whether the GPUs spin in a collective that does not end, until the watchdog ends it."""
    kinds = [each.kind for each in segment.told if isinstance(each, Incident)]
    return any(kind_named(kind).consequence == "hang" for kind in kinds)


def launch_loads(events: Iterable[object], began: float = 0.0) -> tuple[Load, ...]:
    """What the GPUs do in a launch, by its events: the latest first."""
    parts: list[Load] = [("idle", began)]
    for event in events:
        if isinstance(event, RankJoined) and parts[-1][0] == "idle":
            parts.append(("starting", event.at))
        elif isinstance(event, ModelSharded):
            parts.append(("loading", event.at))
    return tuple(reversed(parts))


def readings(run: Run, at: float, gpus: Iterable[int] | None = None) -> tuple[Reading, ...]:
    """The gauges of GPUs, all of them unless some are named, at a moment in simulated seconds."""
    done = tuple(telemetry.recent(run.job, loads(run, at), at))
    wanted = range(run.job.layout.gpus) if gpus is None else gpus
    return tuple(telemetry.reading(run.job, gpu, at, done) for gpu in wanted)


def energy(run: Run, at: float, gpu: int) -> float:
    """Joules that a GPU has taken up since the command: the integral of its power."""
    return energy_of(run, at, gpu, tuple(loads(run, at)))


def energy_of(run: Run, at: float, gpu: int, latest_first: tuple[Load, ...]) -> float:
    """The same, for callers that have asked for the loads until that moment already."""
    known: dict[int, list[float]] = run.memo.setdefault("energy", {})
    totals = known.setdefault(gpu, [0.0])
    done = latest_first[::-1]
    for index in range(len(totals) - 1, len(done) - 1):
        totals.append(totals[-1] + telemetry.energy(run.job, gpu, done[index], done[index + 1][1]))
    last = len(done) - 1
    return totals[last] + telemetry.energy(run.job, gpu, done[last], at)
