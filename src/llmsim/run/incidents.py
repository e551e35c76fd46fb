"""incidents(job, ...): what breaks a run, and when, as a pure function of the job.

Time is uptime: seconds in which the job's processes exist, launches included and repairs left
out. Incidents are a Poisson process in GPU-hours with three departures that fleets report:

    clusters   one in seven is followed by another within minutes: 73 % of failed tasks die in
               their first ten minutes (Aegis, NSDI 2025)
    lemons     two nodes in a hundred are at fault in a third of the cases (Meta, arXiv 2410.21680)
    repairs    most are automatic and take minutes; some wait for a person, which makes the mean
               ten times the median (OLMo: 3 min 42 s and 38 min 54 s)

On top of what hardware does, every job breaks for its people's reasons whatever its size: eight
GPUs last 47.7 days, where the rate per GPU-hour gives 264 (same paper).
"""

from bisect import bisect_right, insort
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import accumulate, count, takewhile
from math import exp, log

from llmsim.catalog import gpus
from llmsim.job.memo import remembered
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.run.incident_kinds import (
    CAUSES,
    GPU_HOURS_EACH,
    KINDS,
    RUNS,
    Kind,
    Need,
    all_per_million_gpu_hours,
    kind_named,
)
from llmsim.typed import NamedTuple, timedelta

FOLLOWED = 1 / 7  # of the incidents are followed by another soon
SOON = 240.0  # mean seconds of uptime until then
LEMONS = 1 / 50  # of the nodes
LEMON_SHARE = 1 / 3  # of the incidents that a node is to blame for
PEOPLE_DAYS = 58.0  # between two that no hardware is to blame for: 1 / (1/47.7 - 1/264)
BY_PEOPLE = ("cuda-oom", "data-killed", "device-assert", "init-fail", "nan", "scale-collapse")

# A repair that a person makes: 3 of Llama 3's 419 on 16,384 GPUs; OLMo's mean needs 17 % on 1,024.
PERSON_SHARE, PERSON_GPUS = 0.175, 1024
PERSON_MEDIAN, PERSON_SPREAD, LONGEST = 7200.0, 1.0, 18 * 3600.0  # BLOOM lost up to 18 h a time
REPAIR_SPREAD = 0.5

# What the levels of --incidents expect of a run: times the real rate, and at least as many.
LEVELS = {"none": (0.0, 0.0), "rare": (1.0, 0.0), "typical": (1.0, 1.5), "chaos": (3.0, 6.0)}


# Numbers of incidents that were asked for: no draw of a run comes so far.
ASKED = 1_000_000_000
LIMIT = 2 * ASKED  # the number of the planned end by the clock


class Incident(NamedTuple):
    """Something breaks, or bends."""

    number: int  # counts the draws of a run: streams of noise are asked with it
    kind: str  # a name from incident_kinds.NAMES
    cause: str  # the row of Llama 3's table it stands for; empty where it has none
    at: float  # seconds of uptime
    rank: int  # of the GPU at fault, or of the process that meets it
    repair: float  # seconds from the death to the next launch; 0 where nothing dies
    by_person: bool  # whether the repair waited for one


def is_planned(incident: Incident) -> bool:
    """Whether it is the job's own end by the clock: it is labelled nowhere, nor launched again."""
    return incident.number == LIMIT


class Due(NamedTuple):
    """An incident of which only the kind and the moment are known: most of a long run's incidents
    need no more. `placed` adds the rest.
    """

    number: int
    kind: str
    cause: str
    at: float  # seconds of uptime
    beside: int  # number of the earlier incident on whose node it strikes; -1: chance says where


def possible(kind: Kind, job: Job) -> bool:
    """Whether a job has what a kind needs."""
    return kind.needs in _offers(job)


@remembered()
def _offers(job: Job) -> tuple[Need, ...]:
    """What kinds may need, and this job has."""
    layout = job.layout
    nvidia, several = gpus.is_nvidia(job.gpu), layout.gpus > 1
    has: dict[Need, bool] = {
        "anything": True,
        "NVIDIA": nvidia,
        "ECC": nvidia and gpus.counts_errors(job.gpu),
        "NVLink": gpus.fabric(job.gpu) == "NVLink",
        "ranks": several and gpus.is_a(job.gpu, "GPU"),
        "NVIDIA ranks": nvidia and several,
        "nodes": layout.nodes > 1,
        "fp16": layout.precision == "fp16",
    }
    return tuple(need for need, there in has.items() if there)


@remembered(2)
def incidents(job: Job, planned: float, seconds: float) -> tuple[Incident, ...]:
    """What happens in the first `seconds` of uptime, in order of time.

    `planned` is how long the run takes undisturbed, in seconds: "typical" and "chaos" expect
    a number of incidents in it. A longer time only adds incidents at the end.
    """
    due = takewhile(lambda each: each.at < seconds, endless(job, planned))
    return tuple(placed(job, each) for each in due)


def endless(job: Job, planned: float) -> Iterator[Due]:
    """When it happens, without an end, unless a job has no incidents; each is drawn when it is
    first asked for, and kept for who asks again.
    """
    drawn, coming = _drawn(job, rate_per_second(job, planned))
    for number in count():
        if number == len(drawn):
            upcoming = next(coming, None)
            if upcoming is None:
                return
            drawn.append(upcoming)
        yield drawn[number]


@remembered(2)
def _drawn(job: Job, rate: float) -> tuple[list[Due], Iterator[Due]]:
    """The incidents that have been asked for, and the ones after them."""
    return [], _in_order(job, rate * (1.0 - FOLLOWED))


def of_kinds(job: Job, planned: float, wanted: Collection[str]) -> list[Incident]:
    """The incidents of some kinds within the planned uptime, in order of their clusters."""
    found = list[Incident]()
    for at, number, alone in _heads(job, rate_per_second(job, planned) * (1.0 - FOLLOWED)):
        if at >= planned:
            break
        if alone is None or alone[0] in wanted:
            cluster = _cluster(job, at, number)
            due = [each for each in cluster if each.kind in wanted and each.at < planned]
            found += [placed(job, each) for each in due]
    return found


def _in_order(job: Job, rate: float) -> Iterator[Due]:
    """The incidents of all clusters by their time.

    A cluster may last until after the next has begun, whose incidents then come between its own.
    """
    waiting: list[tuple[float, int, Due]] = []  # by time
    for each in _clusters(job, rate):
        begun = each[0].at
        while waiting and waiting[0][:2] < (begun, each[0].number):
            yield waiting.pop(0)[-1]
        for incident in each:
            insort(waiting, (incident.at, incident.number, incident))


def rate_per_second(job: Job, planned: float) -> float:
    """How many incidents a job expects in a second of uptime."""
    times, at_least = LEVELS[job.incidents]
    hardware = all_per_million_gpu_hours() / 1e6 * job.layout.gpus / 3600.0
    people = 1.0 / (PEOPLE_DAYS * 86_400.0)
    return max(times * (hardware + people), at_least / planned if planned > 0.0 else 0.0)


# How far apart the numbers of two clusters are: no cluster is as long.
_LONGEST_CLUSTER = 64


_AT_ONCE = 32  # clusters of which something is drawn at once

# Seconds of uptime at which a cluster begins, and the number of its first incident; the kind and
# the cause of this incident where it is alone, and hardware is to blame.
Head = tuple[float, int, tuple[str, str] | None]


def _heads(job: Job, rate: float) -> Iterator[Head]:
    """The beginnings of all clusters. Most clusters are one incident, and need nothing more."""
    if rate <= 0.0:
        return
    (upto, rows), at, people = _table(_offers(job)), 0.0, 1.0 / (_by_hardware(job) + 1.0)
    for first in count(0, _AT_ONCE):
        gaps, mistakes, kinds, followers = _head_draws(job, first)
        for index, gap in enumerate(gaps):
            at -= log(gap) / rate
            alone = followers[index] > FOLLOWED and mistakes[index] > 1.001 * people
            row = rows[bisect_right(upto, kinds[index] * upto[-1])] if alone else None
            yield at, (first + index) * _LONGEST_CLUSTER, row


@remembered(64)
def _head_draws(job: Job, first: int) -> tuple[list[float], ...]:
    """Of some clusters from the first on: their draws of the gap before, and of the first incident
    the draws of whether people cause it, of its kind, and of whether it is followed.
    """
    streams = ("incident/people", "incident/kind", "incident/followed")
    return noise.uniforms(job.seed, "incident/gap", first, _AT_ONCE), *(
        noise.uniforms(job.seed, stream, first * _LONGEST_CLUSTER, 1, _AT_ONCE, _LONGEST_CLUSTER)
        for stream in streams
    )


def _clusters(job: Job, rate: float) -> Iterator[tuple[Due, ...]]:
    """The incidents of each cluster."""
    for at, number, alone in _heads(job, rate):
        yield (Due(number, *alone, at, -1),) if alone else tuple(_cluster(job, at, number))


def _cluster(job: Job, at: float, first: int) -> Iterator[Due]:
    """An incident, and its followers within minutes of uptime, on the same node."""
    beside = -1
    for number in range(first, first + _LONGEST_CLUSTER):
        kind, cause = _breaks(job, number)
        yield Due(number, kind, cause, at, beside)
        if noise.uniform(job.seed, "incident/followed", number) > FOLLOWED:
            return
        at -= SOON * log(noise.uniform(job.seed, "incident/soon", number))
        if not kind_named(kind).node_fault:
            beside = -1
        elif beside < 0:
            beside = number


def _breaks(job: Job, number: int) -> tuple[str, str]:
    """The kind of an incident by the rates, and the row of Llama 3's table."""
    if noise.uniform(job.seed, "incident/people", number) * (_by_hardware(job) + 1.0) < 1.0:
        able = [name for name in BY_PEOPLE if possible(kind_named(name), job)]
        return noise.pick(job.seed, "incident/mistake", able, number), ""
    return _weighted(job, noise.uniform(job.seed, "incident/kind", number))


def placed(job: Job, due: Due) -> Incident:
    """An incident with its place and its repair."""
    rank = None if due.beside < 0 else _victim(job, due.beside, node_fault=True)
    return place(job, due.number, due.kind, due.cause, due.at, rank)


@remembered()
def _by_hardware(job: Job) -> float:
    """How many incidents hardware causes for each that people cause."""
    return all_per_million_gpu_hours() / 1e6 * job.layout.gpus * 24.0 * PEOPLE_DAYS


def place(
    job: Job, number: int, kind: str, cause: str, at: float, rank: int | None = None
) -> Incident:
    """An incident of a kind at a second of uptime, on a rank or where chance says."""
    if rank is None:
        rank = _victim(job, number, kind_named(kind).node_fault)
        rank = _of_start(job, number, rank) if kind == "init-fail" else rank
    seconds, by_person = repair(job, number, kind)
    return Incident(number, kind, cause, at, rank, seconds, by_person)


def _of_start(job: Job, number: int, rank: int) -> int:
    """The rank with which a launch fails: in one case of two it is the one that cannot listen for
    the others, and else one that does not reach it. Of JAX's processes all say who has not come.
    """
    listens = noise.uniform(job.seed, "incident/listens", number) < 0.5
    if listens or job.layout.gpus == 1 or not gpus.is_a(job.gpu, "GPU"):
        return 0
    return rank or noise.integer(job.seed, "incident/joins", 1, job.layout.gpus - 1, number)


def repair(job: Job, number: int, kind: str) -> tuple[float, bool]:
    """Seconds from the death to the next launch, and whether a person was waited for."""
    median = 60.0 * kind_named(kind).repair_minutes
    if median == 0.0:
        return 0.0, False
    share = PERSON_SHARE * min(1.0, PERSON_GPUS / job.layout.gpus)
    by_person = noise.uniform(job.seed, "incident/person", number) < share
    luck = noise.normal(job.seed, "incident/repair", number)
    if by_person:
        return min(LONGEST, PERSON_MEDIAN * exp(PERSON_SPREAD * luck)), True
    return min(LONGEST, median * exp(REPAIR_SPREAD * luck)), False


# People are slower at night, by the clock of the cluster: BLOOM lost 7 to 18 hours a time so. The
# mean over a day stays.
NIGHT = (22, 7)  # o'clock
AWAKE, ASLEEP = 0.64, 1.6  # times the mean repair


def by_the_clock(job: Job, incident: Incident, at: float) -> Incident:
    """An incident with the repair that it has at a second of the run: who waits for a person waits
    longer at night.
    """
    if not incident.by_person:
        return incident
    hour = (job.start + timedelta(seconds=at)).hour
    times = ASLEEP if hour >= NIGHT[0] or hour < NIGHT[1] else AWAKE
    return incident._replace(repair=min(LONGEST, times * incident.repair))


# Kinds after which another machine takes the node's place; others leave it where it is: a GPU is
# reset, a cable is seated, a program is mended.
_REPLACED = ("gpu-lost", "link-down", "node-fail", "sdc")
_GSP_BOOTS = 0.5  # share of the GSP timeouts after which a reset is not enough; an estimate
_FEW = 50  # nodes: of fewer, two in a hundred are less than one


def replaced(job: Job, incident: Incident, *, drains: bool = False) -> bool:
    """Whether a spare machine takes the place of the node that an incident is due to.

    A node that will fail again passes its tests after a boot and comes back, which is how
    lemons stay in a cluster. A person who takes out a slow node knows better.
    """
    if drains:
        return True
    if incident.kind not in _REPLACED or job.layout.nodes == 1 or _strikes_again(job, incident):
        return False
    node = incident.rank // gpus_per_node(job)
    return job.layout.nodes < _FEW or node not in lemon_nodes(job)


def boots(job: Job, incident: Incident) -> bool:
    """Whether the node that an incident is due to is booted before the next launch, if it stays.

    Power was lost, a person maintained the host, or the GPU came back only with a boot.
    """
    if incident.kind == "gsp":
        return noise.uniform(job.seed, "incident/gsp boot", incident.number) < _GSP_BOOTS
    return incident.kind in (*_REPLACED, "maintenance")


def _strikes_again(job: Job, incident: Incident) -> bool:
    """Whether a drawn incident is followed by another on the same node."""
    number = incident.number
    if number >= ASKED or not kind_named(incident.kind).node_fault:
        return False
    return noise.uniform(job.seed, "incident/followed", number) <= FOLLOWED


@remembered()
def lemon_nodes(job: Job) -> tuple[int, ...]:
    """The nodes that fail again and again: two in a hundred, and one of a small cluster."""
    return tuple(_lemon(job, which) for which in range(_lemons(job)))


def _lemons(job: Job) -> int:
    return max(1, round(job.layout.nodes * LEMONS))


def _lemon(job: Job, which: int) -> int:
    """One of the lemons; the same node may be drawn twice."""
    return noise.integer(job.seed, "incident/lemon", 0, job.layout.nodes - 1, which)


def _victim(job: Job, number: int, node_fault: bool) -> int:
    """The rank at fault: of a lemon in a third of the faults of nodes, else any."""
    size, seed = gpus_per_node(job), job.seed
    if node_fault and noise.uniform(seed, "incident/lemon struck", number) < LEMON_SHARE:
        which = noise.integer(seed, "incident/which lemon", 0, _lemons(job) - 1, number)
        return _lemon(job, which) * size + noise.integer(seed, "incident/gpu", 0, size - 1, number)
    return noise.integer(seed, "incident/rank", 0, job.layout.gpus - 1, number)


def _weighted(job: Job, chance: float) -> tuple[str, str]:
    """The kind, and the row of Llama 3's table, that this part of all rates falls to."""
    upto, rows = _table(_offers(job))
    return rows[bisect_right(upto, chance * upto[-1])]


@lru_cache(maxsize=16)
def _table(offered: tuple[Need, ...]) -> tuple[tuple[float, ...], tuple[tuple[str, str], ...]]:
    """Of the kinds that are possible: the rates up to and including each, and (kind, cause).

    Rates are counts in Llama 3's 54 days, into which the other kinds' are turned.
    """
    hours = RUNS * GPU_HOURS_EACH / 1e6
    rows = [(float(weight), kind, cause) for cause, _, kinds in CAUSES for kind, weight in kinds]
    rows += [(kind.extra_rate * hours, kind.name, "") for kind in KINDS if kind.extra_rate]
    able = [row for row in rows if kind_named(row[1]).needs in offered]
    upto = tuple(accumulate([weight for weight, _, _ in able]))
    return upto, tuple([(name, cause) for _, name, cause in able])
