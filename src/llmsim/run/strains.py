"""What incidents do to the loads of GPUs within a segment: who waits, who is hot, who has no data.

thermal      the GPU at fault gets hot, also through a validation or a save, then its clock falls;
             all others wait for it. In three cases of ten, and always within a minute after a
             launch, the chassis brakes its power instead: its clock falls, it stays cool
straggler    the node's slow GPU has a lower clock, since its power limit holds it back earlier;
             all others wait for it
link-flap    the collective hangs for as long as the port is down
data-stall   no GPU has anything to do at the beginning of some steps
a death      the others spin in the collective until they are ended
a hang       so do all, until the watchdog's abort
"""

from collections.abc import Iterator
from math import expm1

from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.hardware.clocks import POWER_CAP, SW_THERMAL, THROTTLE
from llmsim.physics.hardware.sites import site_of
from llmsim.physics.hardware.telemetry import Load
from llmsim.physics.hardware.temperatures import heating
from llmsim.physics.speed import step_time
from llmsim.run.events import Failed, Incident, Symptom
from llmsim.run.timeline import Delay, Run, Segment, step_ended
from llmsim.typed import NamedTuple

# NVML's reasons for lower clocks that only incidents have: hardware, its heat, the chassis.
HW_SLOWDOWN, HW_THERMAL, POWER_BRAKE = 0x8, 0x40, 0x80
_BRAKED = 0.3  # of the thermal incidents are power brakes; the others are heat
_HEATING = 150.0  # seconds that a GPU gets hotter before its clock falls
_LEAST_HEATING = 60.0  # a GPU that has worked for less than this cannot be hot yet
_WARM = ("training", "validation", "checkpoint")  # segments in which a GPU heats up before that
_HOT = (88.0, 89.6)  # degrees C: the hardware's brake, from 89 on, lets it get no hotter


class _Warming(NamedTuple):
    """A GPU that gets hot before its clock falls."""

    rank: int
    began: float  # simulated second, as is the next one
    ended: float  # when its clock falls
    celsius: float  # to which it gets


def strained(run: Run, number: int) -> tuple[int, ...]:
    """The ranks whose GPUs have loads of their own in a segment."""
    known: dict[int, tuple[int, ...]] = run.memo.setdefault("strained", {})
    if number not in known:
        own = [
            event.rank for event in run.timeline[number].events
            if isinstance(event, Incident) and event.kind in _OWN
        ]  # fmt: skip
        warming = (each.rank for each in _warmings(run, number))
        known[number] = tuple(dict.fromkeys((*own, *warming)))
    return known[number]


def parts(run: Run, number: int, gpu: int | None) -> tuple[Load, ...]:
    """The loads of a GPU in a training or failure segment, in order; None: of all the others."""
    known: dict[tuple[int, int | None], tuple[Load, ...]] = run.memo.setdefault("strains", {})
    if gpu is not None and gpu not in strained(run, number):
        gpu = None
    if (number, gpu) not in known:
        segment = run.timeline[number]
        made = [*(_failing(segment) if segment.kind == "failure" else _slowed(run, segment, gpu))]
        if gpu is not None:
            for warming in _warmings(run, number):
                made = [*_warmed(run.job, made, warming)] if warming.rank == gpu else made
        known[number, gpu] = tuple(made)
    return known[number, gpu]


def _warmings(run: Run, number: int) -> Iterator[_Warming]:
    """The GPUs that get hot in a segment; their clocks fall in it or soon after it."""
    here, following = run.timeline[number], number
    while run.timeline.has(following):
        segment = run.timeline[following]
        if segment.attempt != here.attempt or segment.kind not in _WARM:
            return
        if segment.began - _HEATING >= here.ended:
            return
        for event, delay in _slowing(segment):
            begun = step_ended(run.job, segment, delay.first - 1)
            if event.kind != "thermal" or _is_braked(run, event, begun):
                continue
            since = max(begun - _HEATING, _working_since(run, begun))
            if since < here.ended:
                warm = 0.5 * (_hottest(run.job, event) + THROTTLE)
                yield _Warming(event.rank, since, begun, warm)
        following += 1


def _working_since(run: Run, at: float) -> float:
    """When the GPUs began to work, of the time in which one of them can get hot before a moment."""
    number = run.timeline.number_at(at)
    attempt = run.timeline[number].attempt
    if run.timeline[number].kind not in _WARM:
        return at
    while number and run.timeline[number].began > at - _HEATING:
        before = run.timeline[number - 1]
        if before.attempt != attempt or before.kind not in _WARM:
            break
        number -= 1
    return run.timeline[number].began


def _warmed(job: Job, loads: list[Load], warming: _Warming) -> Iterator[Load]:
    """A GPU's loads in a segment, with the heat that comes before its clock falls.

    With less time than usual it gets hot faster: its temperature follows with a lag.
    """
    lag = site_of(job).lag
    faster = -expm1(-_HEATING / lag) / -expm1(-(warming.ended - warming.began) / lag)
    ends = (*(each.began for each in loads[1:]), warming.ended)
    for load, until in zip(loads, ends, strict=True):
        heat = faster * heating(job, warming.rank, warming.celsius, load.pace, load.activity)
        warm = load._replace(heat=max(load.heat, heat))
        if load.began >= warming.ended:
            yield load
        elif load.began >= warming.began:
            yield warm
        else:
            yield load
            if warming.began < until:
                yield warm._replace(began=warming.began)


# What a job says that has saved before it ends, because it was asked to or its time is over.
_IN_ORDER = ("stopped in order", "time is over")
# What launchers say when their last process has ended: no memory is used from then on.
_ENDED = ("failure", "all failed", "store gone", "signal exception")


def _failing(segment: Segment) -> Iterator[Load]:
    """The part of a step before the fault, and the wait of all that are left for the end; before
    the first step the launch, and of an end in order the save that goes on in the background.
    """
    struck = [event for event in segment.events if isinstance(event, Incident)]
    faults = [event.at for event in struck]
    fault = max(segment.began, min(faults, default=segment.events[0].at if segment.events else 0.0))
    gone = [event.at for event in segment.events if isinstance(event, Failed)]
    said = [e.at for e in segment.events if isinstance(e, Symptom) and e.name in _ENDED]
    gone = [min(*gone, max(said))] if gone and said else gone  # Slurm speaks after it
    if any(e.name in _IN_ORDER for e in segment.events if isinstance(e, Symptom)):
        yield Load("checkpoint", segment.began)
    elif any(event.kind == "init-fail" for event in struck):
        yield Load("idle", segment.began)
    else:
        if fault > segment.began:
            yield Load("training", segment.began)
        yield Load("hang", fault)
    if gone and gone[0] < segment.ended:
        yield Load("idle", gone[0])


def _slowed(run: Run, segment: Segment, gpu: int | None) -> Iterator[Load]:
    """Its activity, and the loads of each incident that slows it, one after another."""
    kind = segment.kind
    yield Load(kind if kind == "validation" or kind == "checkpoint" else "training", segment.began)
    for event, delay in _slowing(segment):
        usual = step_time.step_seconds(run.job, delay.first)
        pace = usual / (usual + delay.seconds)
        for load in _STRAINS[event.kind](run, segment, event, delay, pace, gpu):
            if segment.began <= load.began < segment.ended:
                yield load


def _slowing(segment: Segment) -> Iterator[tuple[Incident, Delay]]:
    """The incidents that slow a training segment, one after another, with their delays."""
    free = segment.began
    for event in segment.events:
        delay = _delay_of(segment, event) if isinstance(event, Incident) else None
        if delay is not None and event.at >= free:
            yield event, delay
            free = event.over


def _delay_of(segment: Segment, event: Incident) -> Delay | None:
    """The delay that an incident of a training segment causes; None where it causes none."""
    if event.kind not in _STRAINS:
        return None
    return next((each for each in segment.delays if each.first == event.step + 1), None)


def _hot(
    run: Run, segment: Segment, event: Incident, delay: Delay, pace: float, gpu: int | None
) -> Iterator[Load]:
    """A GPU that is hot by now or is braked; the others wait."""
    begun = step_ended(run.job, segment, delay.first - 1)
    ended = step_ended(run.job, segment, delay.last)
    if gpu is None:
        yield Load("training", begun, pace)
    elif _is_braked(run, event, begun):
        yield Load("training", begun, pace, pace, 1.0, POWER_BRAKE | HW_SLOWDOWN)
    else:
        reasons = HW_THERMAL | HW_SLOWDOWN
        heat = heating(run.job, gpu, _hottest(run.job, event), pace)
        yield Load("training", begun, pace, pace, heat, reasons | SW_THERMAL)
    yield Load("training", ended)


def _is_braked(run: Run, event: Incident, begun: float) -> bool:
    """Whether the chassis brakes the GPU's power, so that it stays cool, from a moment on."""
    drawn = noise.uniform(run.job.seed, "strain/braked", event.number)
    return drawn < _BRAKED or begun - _working_since(run, begun) < _LEAST_HEATING


def _hottest(job: Job, event: Incident) -> float:
    """Degrees C that the GPU at fault reaches."""
    return noise.between(job.seed, "strain/hot", *_HOT, event.number)


def _slow(
    run: Run, segment: Segment, event: Incident, delay: Delay, pace: float, gpu: int | None
) -> Iterator[Load]:
    """One GPU whose clock is lower; the others wait."""
    del event
    begun = step_ended(run.job, segment, delay.first - 1)
    if gpu is None:
        yield Load("training", begun, pace)
    else:
        yield Load("training", begun, pace, pace, 1.0, POWER_CAP)
    yield Load("training", step_ended(run.job, segment, delay.last))


def _down(
    run: Run, segment: Segment, event: Incident, delay: Delay, pace: float, gpu: int | None
) -> Iterator[Load]:
    """The collective waits for a port."""
    del run, segment, delay, pace, gpu
    yield Load("hang", event.at)
    yield Load("training", event.over)


def _starved(
    run: Run, segment: Segment, event: Incident, delay: Delay, pace: float, gpu: int | None
) -> Iterator[Load]:
    """Each of some steps begins with a wait for its batch."""
    del event, pace, gpu
    for step in range(delay.first, delay.last + 1):
        begun = step_ended(run.job, segment, step - 1)
        yield Load("stalled", begun)
        yield Load("training", begun + delay.seconds)


_STRAINS = {"thermal": _hot, "straggler": _slow, "link-flap": _down, "data-stall": _starved}
_OWN = ("thermal", "straggler")  # kinds in which the GPU at fault differs from the others
