"""samples(run, every): every gauge of steps, GPUs and nodes at even intervals.

All numbers are views of the one latent state of a moment (physics/hardware), so their identities
hold: energy is the integral of power, used + free + reserved memory is the total, tensor activity
follows MFU and clock, and traffic follows the layout.
"""

from collections.abc import Iterable, Iterator

from llmsim.job.records import gpus_per_node
from llmsim.physics.hardware import telemetry
from llmsim.physics.hardware.gauges import HEALTHY, Fault, Gauges, Seconds, gauges
from llmsim.physics.hardware.host import Host, host
from llmsim.run.events import Symptom
from llmsim.run.moment import energy_of, loads
from llmsim.run.timeline import Run, run_ended, step_at
from llmsim.typed import NamedTuple

# GPUs that exports read, unless the run has fewer: 64 nodes of eight.
MOST_GPUS = 512


# After this error a GPU has fallen off the bus: nobody can read its gauges.
LOST = 79


class Sample(NamedTuple):
    """All gauges at a moment."""

    at: float  # simulated seconds since the command
    activity: str
    step: int  # optimizer steps whose result the model holds
    gpus: tuple[Gauges, ...]
    nodes: tuple[Host, ...]


def spent(done: Iterable[telemetry.Load], at: float) -> tuple[Seconds, ...]:
    """How long each activity has lasted until a moment, from the loads, the latest first."""
    totals: dict[telemetry.Activity, float] = {}
    ended = at
    for activity, began in done:
        totals[activity] = totals.get(activity, 0.0) + ended - began
        ended = began
    return tuple(Seconds(activity, seconds) for activity, seconds in totals.items())


def faults(run: Run, at: float) -> dict[int, Fault]:
    """What the driver has said of GPUs in the attempt of a moment, by their ranks."""
    number, found = run.timeline.number_at(at), dict[int, Fault]()
    attempt = run.timeline[number].attempt
    begun = number
    while begun and run.timeline[begun - 1].attempt == attempt:
        begun -= 1
    for index in range(begun, number + 1):
        for event in run.timeline[index].told:
            if isinstance(event, Symptom) and event.stream == "kernel" and event.at <= at:
                found[event.rank] = _after(found.get(event.rank, HEALTHY), event.name)
    return found


def _after(fault: Fault, name: str) -> Fault:
    """A GPU's faults after the driver's line of this name, such as "xid 48"."""
    word, _, code = name.partition(" ")
    if word != "xid" or fault.xid == LOST:  # what is lost stays lost until the next attempt
        return fault
    xid = int(code.partition(" ")[0])
    return Fault(
        xid,
        fault.uncorrectable_errors + (xid == 48),
        fault.remapped_rows + (xid == 63),
    )


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
    hosts = tuple(host(job, node, tick.done[0][0], tick.past) for node in nodes)
    return Sample(at, tick.done[0][0], step_at(run, at), seen, hosts)


class Tick(NamedTuple):
    """What all GPUs and nodes of a run share at a moment."""

    at: float
    done: tuple[telemetry.Load, ...]  # all that the GPUs did, the latest first
    past: tuple[Seconds, ...]
    felt: tuple[telemetry.Load, ...]  # the loads that temperatures still show
    faults: dict[int, Fault]  # of ranks whose GPU the driver has complained of


def tick_of(run: Run, at: float) -> Tick:
    """What is common to all gauges of a moment; the latest is remembered.

    After the end of a run its nodes are idle.
    """
    known: Tick | None = run.memo.get("tick")
    if known and known.at == at:
        return known
    done = tuple(loads(run, at))
    if over := ended_by(run, at):
        done = (("idle", over), *done)
    felt = tuple(telemetry.recent(run.job, done, at))
    made = Tick(at, done, spent(done, at), felt, faults(run, at))
    run.memo["tick"] = made
    return made


def ended_by(run: Run, at: float) -> float:
    """When the run ended, if that was before a moment; else 0."""
    number = run.timeline.number_at(at)
    ended = run.timeline[number].ended
    return ended if ended < at and not run.timeline.has(number + 1) else 0.0


def gauges_of(run: Run, tick: Tick, ranks: Iterable[int]) -> tuple[Gauges, ...]:
    """The gauges of some GPUs at a moment; one that has fallen off the bus has none."""
    job, at, seen = run.job, tick.at, []
    for gpu in ranks:
        fault = tick.faults.get(gpu, HEALTHY)
        if fault.xid == LOST:
            continue
        state = telemetry.latent(job, gpu, at, tick.felt)
        joules = energy_of(run, at, gpu, tick.done)
        seen.append(gauges(job, gpu, at, state, joules, tick.past, fault))
    return tuple(seen)


def samples(run: Run, every: float, most: int = MOST_GPUS) -> Iterator[Sample]:
    """All gauges at equal intervals of simulated time, from the command to the end of the run."""
    ended, number = run_ended(run), 0
    while number * every <= ended:
        yield sample(run, number * every, most)
        number += 1
