"""What follows from a fault that ends an attempt: its failure, what is kept, the next attempt."""

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics import noise
from llmsim.physics.speed import step_time
from llmsim.run import numbers
from llmsim.run.events.incidents import Failed, Symptom
from llmsim.run.events.incidents import Incident as Label
from llmsim.run.faults import Fault
from llmsim.run.incidents import boots, is_planned, replaced
from llmsim.run.labels import label_of, relabelled, said
from llmsim.run.later import Later
from llmsim.run.stretches import Attempt, Durable, pausing
from llmsim.run.symptoms import Story, story
from llmsim.run.timeline import Segment


@remembered()  # the omens of a fault are followed by its end
def story_of(job: Job, fault: Fault, done: int) -> Story:
    """What follows from a fault; a node is taken out as for maintenance."""
    incident = fault.incident._replace(kind="maintenance") if fault.drains else fault.incident
    return story(job, incident, step_time.step_seconds(job, max(1, done)))


def ended(job: Job, stretch: Segment, fault: Fault) -> Segment:
    """A training segment whose label knows when a person ends what slows it."""
    if not fault.drains:
        return stretch
    dead = to_the_microsecond(fault.at + story_of(job, fault, stretch.last).over)
    return relabelled(stretch, fault, dead + to_the_microsecond(fault.incident.repair))


def failing(
    job: Job, attempt: Attempt, fault: Fault, at: float, done: int, since: float
) -> Segment:
    """The failure, which begins at `at` with `done` steps made; `since` is when the first line
    about it may have come.
    """
    told = story_of(job, fault, done)
    dead, wait = to_the_microsecond(fault.at + told.over), to_the_microsecond(fault.incident.repair)

    def events() -> list[Label | Symptom | Failed]:
        label = label_of(job, attempt, fault, told, done, since, dead + wait)
        if fault.drains:  # a slow node, which no line shows
            slow = fault.slow_since
            label = label._replace(at=slow, visible=slow, detected=fault.at)
        spoken = said(fault, told, at, done - attempt.resumed, done)
        kept = _kept(fault, attempt.durable, fault.at)
        failed = Failed(dead, attempt.number, done, label.kind, label.rank, label.hostname, wait,
                        kept.step if kept else 0)  # fmt: skip
        before = _noted_before(job, attempt, fault, at, done)
        labels = () if before or is_planned(fault.incident) else (label,)
        return sorted((*labels, *spoken, failed), key=lambda event: event.at)

    return pausing(attempt, "failure", at, dead, done)._replace(events=Later(events))


def next_attempt(
    job: Job, attempt: Attempt, fault: Fault, failure: Segment, unseen: tuple[int, ...]
) -> Attempt:
    """Where the attempt after a failure begins; `unseen` are the incidents of the numbers that
    nobody has seen yet.
    """
    done, dead = failure.last, failure.ended
    # An orderly end, which comes after the fault, has waited for its save.
    whole = dead if failure.began > fault.at else fault.at
    kept = _kept(fault, attempt.durable, whole)
    resumed = kept.step if kept else 0
    cured = (*attempt.cured, fault.incident.number) if fault.shows else attempt.cured
    spares, began = (
        _swapped(job, attempt, fault),
        to_the_microsecond(dead + to_the_microsecond(fault.incident.repair)),
    )
    return Attempt(
        attempt.number + 1,
        began,
        resumed,
        attempt.repeated + done - resumed,
        attempt.uptime + fault.at - attempt.began,
        kept,
        cured,
        max(attempt.reached, done),
        unseen,
        attempt.lost + 1 if resumed == attempt.resumed else 0,
        spares,
        _booted(job, attempt, fault, spares, dead, began),
    )


def _swapped(job: Job, attempt: Attempt, fault: Fault) -> tuple[tuple[int, int], ...]:
    """The nodes that are not the first machines after a fault: a spare has come, or none."""
    if not replaced(job, fault.incident, drains=fault.drains):
        return attempt.spares
    node = fault.incident.rank // gpus_per_node(job)
    spare = max((used for _, used in attempt.spares), default=job.layout.nodes - 1) + 1
    return (*(each for each in attempt.spares if each[0] != node), (node, spare))


def _booted(
    job: Job, attempt: Attempt, fault: Fault, spares: tuple[tuple[int, int], ...], dead: float,
    began: float,
) -> tuple[tuple[int, float], ...]:  # fmt: skip
    """The nodes whose kernels count from a boot within the run: one may boot in the outage from
    `dead` to `began`, and is back some time before the launch; a spare has a clock of its own.
    """
    incident = fault.incident
    node = incident.rank // gpus_per_node(job)
    others = tuple(each for each in attempt.boots if each[0] != node)
    if spares != attempt.spares:
        return others
    if not boots(job, incident):
        return attempt.boots
    share = noise.between(job.seed, "incident/boot", 0.2, 0.5, incident.number)
    return (*others, (node, to_the_microsecond(dead + share * (began - dead))))


def _kept(fault: Fault, latest: Durable | None, until: float) -> Durable | None:
    """The latest checkpoint that can be loaded after a fault."""
    while latest and not _usable(fault, latest, until):
        latest = latest.before
    return latest


def _usable(fault: Fault, saved: Durable, until: float) -> bool:
    """Whether a checkpoint can be loaded: it was durable, and none of its weights are spoilt."""
    return saved.at <= until and (not fault.shows or saved.step < fault.shows)


def _noted_before(job: Job, attempt: Attempt, fault: Fault, at: float, done: int) -> bool:
    """Whether the incident's label stands before the failure, which begins `at` a moment after
    `done` steps: where its numbers began to bend, or its node to be slow. What began in the very
    step that is cut off has its label in the failure.
    """
    if fault.drains:
        return fault.slow_since <= at
    bent = 0 < fault.shows <= max(done, attempt.reached)
    return bent and not numbers.raises(job, fault.incident.kind)
