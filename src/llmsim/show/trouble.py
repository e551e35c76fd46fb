"""What a board says of a failure and of the outage after it, in words to be read from afar."""

from llmsim.run.events.incidents import Incident
from llmsim.run.incident_kinds import kind_named
from llmsim.run.moment import Moment, how_failed, is_orderly, struck, time_was_up
from llmsim.run.timeline import Run, Segment
from llmsim.text import units
from llmsim.typed import NamedTuple

IN_ORDER = ("stop", "drain")  # consequences after which nothing is broken: the job was asked to end
LOST = ("gpu-lost", "node-fail")
# Phases in which no step is made for a while: the speed on the screen is that before them.
BEFORE = {"validation": "before the validation", "checkpoint": "before the save"}


class Trouble(NamedTuple):
    """Why the job does nothing."""

    word: str  # one word for large letters
    letters: str  # the role of these
    role: str  # of the band across the screen
    phase: str  # the word for the phase


def stands(moment: Moment) -> bool:
    """Whether the job does nothing because something has failed."""
    return moment.segment.kind in ("failure", "outage")


def cause(run: Run, moment: Moment) -> Incident | None:
    """The incident of a failure, or of the outage after one, once somebody can know it."""
    failed = how_failed(_failure(run, moment))
    for each in reversed(struck(run, moment.at)):
        if (each.kind, each.rank) == (failed.kind, failed.rank):
            return each if each.detected <= moment.at else None
    return None


def _failure(run: Run, moment: Moment) -> Segment:
    """The failure at a moment, or before the outage at it."""
    number = run.timeline.number_at(moment.at)
    return run.timeline[number - (moment.segment.kind == "outage")]


def culprit(run: Run, moment: Moment) -> int:
    """The rank at fault in a failure, once it is known, and in the outage after it; else -1. Where
    nodes are taken away nobody is.
    """
    if not stands(moment):
        return -1
    known = cause(run, moment)
    return known.rank if known and kind_named(known.kind).consequence != "stop" else -1


def became(run: Run, moment: Moment) -> str:
    """What has become of the rank at fault, in a word."""
    word = _word(cause(run, moment))
    return {"hang": "hung", "lost": "lost"}.get(word, "failed")


def in_order(run: Run, moment: Moment) -> bool:
    """Whether the job was asked to end, and did."""
    failure = _failure(run, moment)
    return is_orderly(failure) or kind_named(how_failed(failure).kind).consequence in IN_ORDER


def trouble(run: Run, moment: Moment) -> Trouble | None:
    """What is wrong at a moment; None while the job does something."""
    if not stands(moment):
        return None
    if in_order(run, moment):
        return Trouble("STOP", "outage", "stopped", "stopped")
    if moment.segment.kind == "outage":
        return Trouble("DOWN", "failure", "down", "outage")
    return Trouble(_word(cause(run, moment)).upper(), "failure", "down", "failure")


def _word(known: Incident | None) -> str:
    """What has happened, in a word: without a cause nobody knows more than that no step comes."""
    if known is None:
        return "stall"
    if known.kind in LOST:
        return "lost"
    kind = kind_named(known.kind)
    return {"hang": "hang", "numbers": "nan"}.get(kind.consequence, "failed")


def details(run: Run, moment: Moment) -> tuple[str, str, float]:
    """What is known of a failure or an outage: how long it lasts, what comes next, and the part
    that is over of the time after which the watchdog ends a hang; -1 of nothing.
    """
    at, job = moment.at, run.job
    if moment.segment.kind == "outage":
        began = _failure(run, moment).began
        down = units.hours(at - began).strip()
        return f"down for {down}", f"waiting for attempt {moment.attempt + 1}", -1.0
    silent, failed = at - moment.segment.began, how_failed(moment.segment)
    since = f"no step for {units.hours(silent).strip()}"
    if at < time_was_up(moment.segment) and cause(run, moment) is None:  # nobody knows more yet
        teller, limit = "watchdog", job.framework.collective_timeout
        if failed.kind == "init-fail":  # the processes look for each other
            teller, limit = "timeout", job.framework.start_timeout
        if job.layout.gpus == 1 or not limit:
            return since, "", -1.0
        return since, f"{teller} at {units.hours(limit).strip()}", min(1.0, silent / limit)
    if is_orderly(moment.segment):
        return f"{failed.kind}, ended in order", since, -1.0
    if kind_named(failed.kind).consequence == "stop":
        return f"{failed.kind}, ended by Slurm", since, -1.0
    return f"{failed.kind}, rank {failed.rank:,} on {failed.hostname}", since, -1.0
