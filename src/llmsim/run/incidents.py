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
LEMONS, LEMON_SHARE = (
    1 / 50,
    1 / 3,
)  # of the nodes, and of the incidents that a node is to blame for
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
LIMIT = 2 * ASKED  # the number of the end by Slurm's time limit, after which nothing is launched


class Incident(NamedTuple):
    """Something breaks, or bends."""

    number: int  # counts the draws of a run: streams of noise are asked with it
    kind: str  # a name from incident_kinds.NAMES
    cause: str  # the row of Llama 3's table it stands for; empty where it has none
    at: float  # seconds of uptime
    rank: int  # of the GPU at fault, or of the process that meets it
    repair: float  # seconds from the death to the next launch; 0 where nothing dies
    by_person: bool  # whether the repair waited for one
    lemon: bool  # whether the node has failed before


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
    return tuple(takewhile(lambda each: each.at < seconds, endless(job, planned)))


def endless(job: Job, planned: float) -> Iterator[Incident]:
    """The same without an end, unless a job has no incidents; each is drawn when it is first
    asked for, and kept for who asks again.
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
def _drawn(job: Job, rate: float) -> tuple[list[Incident], Iterator[Incident]]:
    """The incidents that have been asked for, and the ones after them."""
    return [], _in_order(job, rate * (1.0 - FOLLOWED))


_AT_ONCE = 32  # clusters of which something is drawn at once


def of_kinds(job: Job, planned: float, wanted: Collection[str]) -> list[Incident]:
    """The incidents of some kinds within the planned uptime, in order of their clusters.

    A cluster is drawn whole where it may have one of them. Most have none, and cost a few draws.
    """
    rate = rate_per_second(job, planned) * (1.0 - FOLLOWED)
    if rate <= 0.0:
        return []
    upto, rows = _table(_offers(job))
    fit = [name in wanted for name, _ in rows]
    found, at, seed, people = list[Incident](), 0.0, job.seed, 1.0 / (_by_hardware(job) + 1.0)
    for first in count(0, _AT_ONCE):
        gaps = noise.uniforms(seed, "incident/gap", first, _AT_ONCE)
        mistakes, kinds, followers = (
            noise.uniforms(seed, stream, first * _LONGEST_CLUSTER, 1, _AT_ONCE, _LONGEST_CLUSTER)
            for stream in ("incident/people", "incident/kind", "incident/followed")
        )
        for index, gap in enumerate(gaps):
            at -= log(gap) / rate
            if at >= planned:
                return found
            alone = followers[index] > FOLLOWED and mistakes[index] > 1.001 * people
            if not alone or fit[bisect_right(upto, kinds[index] * upto[-1])]:
                cluster = _cluster(job, at, (first + index) * _LONGEST_CLUSTER)
                found += [each for each in cluster if each.kind in wanted and each.at < planned]
    return found


def _in_order(job: Job, rate: float) -> Iterator[Incident]:
    """The incidents of all clusters by their time.

    A cluster may last until after the next has begun, whose incidents then come between its own.
    """
    if rate <= 0.0:
        return
    waiting: list[tuple[float, int, Incident]] = []  # by time
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


def _clusters(job: Job, rate: float) -> Iterator[tuple[Incident, ...]]:
    at = 0.0
    for cluster in count():
        at -= log(noise.uniform(job.seed, "incident/gap", cluster)) / rate
        yield tuple(_cluster(job, at, cluster * _LONGEST_CLUSTER))


def _cluster(job: Job, at: float, number: int) -> Iterator[Incident]:
    """An incident, and its followers within minutes of uptime, on the same node."""
    rank = None
    for follower in range(_LONGEST_CLUSTER):
        incident = draw(job, number + follower, at, rank)
        yield incident
        if noise.uniform(job.seed, "incident/followed", number + follower) > FOLLOWED:
            return
        at -= SOON * log(noise.uniform(job.seed, "incident/soon", number + follower))
        rank = incident.rank if kind_named(incident.kind).node_fault else None


def draw(job: Job, number: int, at: float, rank: int | None = None) -> Incident:
    """The incident of a number: its kind by the rates, its place and its repair by chance."""
    if noise.uniform(job.seed, "incident/people", number) * (_by_hardware(job) + 1.0) < 1.0:
        able = [name for name in BY_PEOPLE if possible(kind_named(name), job)]
        kind, cause = noise.pick(job.seed, "incident/mistake", able, number), ""
    else:
        kind, cause = _weighted(job, noise.uniform(job.seed, "incident/kind", number))
    return place(job, number, kind, cause, at, rank)


@remembered()
def _by_hardware(job: Job) -> float:
    """How many incidents hardware causes for each that people cause."""
    return all_per_million_gpu_hours() / 1e6 * job.layout.gpus * 24.0 * PEOPLE_DAYS


def place(
    job: Job, number: int, kind: str, cause: str, at: float, rank: int | None = None
) -> Incident:
    """An incident of a kind at a second of uptime, on a rank or where chance says."""
    lemon = rank is not None
    if rank is None:
        rank, lemon = _victim(job, number, kind_named(kind).node_fault)
    seconds, by_person = repair(job, number, kind)
    return Incident(number, kind, cause, at, rank, seconds, by_person, lemon)


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
    nodes = job.layout.nodes
    count = max(1, round(nodes * LEMONS))
    return tuple(noise.integer(job.seed, "incident/lemon", 0, nodes - 1, i) for i in range(count))


def _victim(job: Job, number: int, node_fault: bool) -> tuple[int, bool]:
    """The rank at fault, and whether its node is a lemon."""
    size, seed = gpus_per_node(job), job.seed
    if node_fault and noise.uniform(seed, "incident/lemon struck", number) < LEMON_SHARE:
        lemons = max(1, round(job.layout.nodes * LEMONS))
        which = noise.integer(seed, "incident/which lemon", 0, lemons - 1, number)
        node = noise.integer(seed, "incident/lemon", 0, job.layout.nodes - 1, which)
        return node * size + noise.integer(seed, "incident/gpu", 0, size - 1, number), True
    return noise.integer(seed, "incident/rank", 0, job.layout.gpus - 1, number), False


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
