"""The labels of incidents, with which a monitor can be graded, and what is said of incidents."""

from collections.abc import Iterator

from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import next_logged
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.speed import step_time
from llmsim.run import numbers
from llmsim.run.cluster import machine_name
from llmsim.run.events.incidents import Incident as Label
from llmsim.run.events.incidents import Symptom
from llmsim.run.faults import Fault
from llmsim.run.later import Later
from llmsim.run.stretches import Attempt, with_step
from llmsim.run.symptoms import Story, story
from llmsim.run.timeline import Segment, step_ended, step_in


def placed(job: Job, attempt: Attempt, rank: int) -> str:
    """The name of the machine that a rank runs on in an attempt."""
    node = rank // gpus_per_node(job)
    return machine_name(job, dict(attempt.spares).get(node, node) if attempt.spares else node)


def label_of(
    job: Job, attempt: Attempt, fault: Fault, told: Story, step: int, since: float, over: float
) -> Label:
    """The label of an incident: the truth with which a monitor can be graded.

    `since` is the moment from which on its lines are in the streams. An incident without lines is
    visible from the fault on, though a gauge may have risen before, as in a GPU that gets hot.
    """
    rank, size = fault.incident.rank, gpus_per_node(job)
    streams = tuple(dict.fromkeys(each.stream for each in told.symptoms))
    seen = next((each.at for each in said(fault, told, since, 0, step)), fault.at)
    return Label(
        at=fault.at,
        kind=fault.incident.kind,
        attempt=attempt.number,
        step=step,
        rank=rank,
        hostname=placed(job, attempt, rank),
        local_rank=rank % size,
        streams=streams,
        visible=to_the_microsecond(seen),
        detected=to_the_microsecond(fault.at + told.detected),
        over=to_the_microsecond(over),
        number=fault.incident.number,
    )


def relabelled(segment: Segment, fault: Fault, over: float) -> Segment:
    """A segment whose incident a person ends by taking the node out: that is when it is over."""

    def events() -> list[Label | Symptom]:
        return [
            each._replace(detected=fault.at, over=to_the_microsecond(over))
            if isinstance(each, Label) and each.number == fault.incident.number
            else each
            for each in segment.events
        ]

    return segment._replace(events=Later(events))


def said(fault: Fault, told: Story, since: float, executed: int, step: int) -> Iterator[Symptom]:
    """What is said of a fault from `since` on, as events of the run."""
    for each in told.symptoms:
        if each.at >= 0.0 or fault.at + each.at >= since:
            at = to_the_microsecond(max(since, fault.at + each.at))
            yield Symptom(at, *each[1:5], fault.incident.kind, executed, step, *each[8:])


def foretold(job: Job, attempt: Attempt, fault: Fault, told: Story, segment: Segment) -> Segment:
    """A training segment with what is said in it of a fault that comes after its end."""
    early = [each for each in told.symptoms if fault.at + each.at < segment.ended]
    if not early:
        return segment

    def events() -> list[Label | Symptom]:
        lines: list[Symptom] = []
        for each in said(fault, told._replace(symptoms=tuple(early)), segment.began, 0, 0):
            step = step_in(job, segment, each.at)
            lines.append(each._replace(executed=step - attempt.resumed, step=step))
        return sorted((*segment.events, *lines), key=lambda event: event.at)

    return segment._replace(events=Later(events))


def held_up(
    job: Job, attempt: Attempt, segment: Segment, slow: tuple[numbers.SlowSave, ...]
) -> Segment:
    """A save with the label and the lines of the incident that makes it longer, if one does."""
    for each in slow:
        if each.step == segment.last and each.step > attempt.reached:
            began = to_the_microsecond(segment.ended - each.seconds - 1e-3)
            fault = Fault(max(segment.began, began), each.incident)
            told, step = story(job, each.incident, 1.0), segment.last
            label = label_of(job, attempt, fault, told, step, segment.began, segment.ended)
            lines = said(fault, told, segment.began, step - attempt.resumed, step)
            events: list[Label | Symptom] = sorted((label, *lines), key=lambda event: event.at)
            return segment._replace(
                events=tuple(each for each in events if each.at <= segment.ended)
            )
    return segment


def noted(
    job: Job, attempt: Attempt, segment: Segment, free: float, met: tuple[numbers.Course, ...]
) -> Segment:
    """A training segment with the labels of the incidents that begin to bend its numbers."""
    shown = [
        course
        for course in met
        if segment.first <= course.shows <= segment.last
        and (course.shows > attempt.reached or course.incident.number in attempt.unseen)
        and course.incident.number not in attempt.cured
        and not numbers.raises(job, course.incident.kind)
    ]
    if not shown:
        return segment

    def events() -> list[Label | Symptom]:
        labels = (_bending(job, attempt, segment, course, free) for course in shown)
        return sorted((*segment.events, *labels), key=lambda event: event.at)

    return segment._replace(events=Later(events))


def _bending(
    job: Job, attempt: Attempt, segment: Segment, course: numbers.Course, free: float
) -> Label:
    """The label of an incident of the numbers that the framework lets pass.

    Its moments are right if no other incident comes before the end of this one.
    """
    at = step_ended(job, segment, course.shows)
    seen, known = (
        step_ended(job, with_step(job, attempt, segment, free, step), step)
        for step in (next_logged(job, each) for each in (course.shows, course.onset))
    )
    told, shown = Story((), 0.0, 0.0), course.shows
    if course.heals:
        last = max(course.heals, next_logged(job, course.onset))
        over = step_ended(job, with_step(job, attempt, segment, free, last), last)
    else:
        later = with_step(job, attempt, segment, free, course.until)
        known = numbers.struck(job, course, later)
        told = story(job, course.incident, step_time.step_seconds(job, course.until - 1))
        over = to_the_microsecond(known + told.over) + to_the_microsecond(course.incident.repair)
    fault = Fault(at, course.incident, shows=shown)
    label = label_of(job, attempt, fault, told, shown - 1, at, over)
    streams = tuple(dict.fromkeys(("log", *label.streams)))
    return label._replace(streams=streams, visible=seen, detected=known)
