"""Incidents of the numbers: how they bend the loss and the gradient's norm, and who ends them.

A course is decided by optimizer steps, so that it needs no timeline: the step at which the
incident shows, and the step in which the attempt ends because of it, if it does.

    loss-spike   fast: +0.1 to +3 nats, gone after 20 to 40 steps; slow: +0.05 to +0.3 for 200 to
                 2,000 steps; permanent: +0.015 to +0.1, until a person goes back
    nan          the norm is not a number one step before the loss, or together with it; a
                 framework that checks ends the run at once, else a person does
    collapse     fp16's gradients overflow in every step; the trainer ends when they do at a scale
                 of 1, or a person ends it, where the framework goes on. So does nan in fp16
    sdc          one data rank computes wrongly: the norm jumps, the loss drifts away; found within
                 the hour where the jump is one that monitors call an error, else hours later; the
                 run goes back to a checkpoint from before

Sources: BLOOM 176B's spike (norm .24 .95 2.4 16 145 960 in the steps before a loss of 5.1),
Marin 32B's that never healed (1.96 to 1.975 nats), PaLM's way back past the batches, and
Llama 3's six cases of silent corruption in 54 days, in which no spike asked for anybody.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from math import ceil, exp, inf, nan, sqrt

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import saved_steps, step_of_part
from llmsim.job.records import Asked, Bend, Job
from llmsim.job.schedule import last_step
from llmsim.physics import noise
from llmsim.physics.speed import step_time
from llmsim.run.incident_kinds import KINDS
from llmsim.run.incidents import ASKED, Incident, of_kinds, place
from llmsim.run.timeline import Segment, step_ended
from llmsim.typed import NamedTuple

SHAPES = ("fast", "slow", "permanent")
# Of the spikes are fast, and fast or slow. The rest stays: at our rate Llama 3's 54 days have 44
# spikes, and "did not require interventions" (arXiv 2407.21783, section 3.4): 7 % at the most.
_SHARES = (0.7, 0.97)
# Median seconds until a person who sees the curve stops the run, and spread of the logarithm.
_PATIENCE = {"nan": 900.0, "scale-collapse": 900.0, "loss-spike": 7200.0, "sdc": 14_400.0}
_SPREAD = 0.8
# Times the usual gradient norm that a monitor calls an error (Megatron-LM's rerun state machine; 5
# in ByteRobust, arXiv 2509.16293), and median seconds until somebody has stopped the run then.
_FLAGGED, _WARNED = 10.0, 1800.0
_LONGEST = 0.12  # of the whole run: nobody looks away for longer


class Course(NamedTuple):
    """An incident of the numbers in one job."""

    incident: Incident
    onset: int  # the first optimizer step whose loss is off
    shows: int  # the step in which the norm begins to rise
    heals: int  # the last step that is off; 0 where the attempt ends before
    until: int  # the step in which the attempt ends; 0: it does not
    bends: tuple[Bend, ...]


# What turns a moment into the steps done by then in a run without incidents: (job, unit, seconds,
# phase).
Steps = Callable[[Job, str, float, str], int]


def order(each: Course) -> tuple[int, int]:
    """What orders courses: their onset, and of one onset which was drawn first."""
    return each.onset, each.incident.number


@remembered()
def courses(job: Job, steps: Steps, planned: float) -> tuple[Course, ...]:
    """The incidents of the numbers that a run may meet, in order of their steps.

    `planned` is the run's uptime without incidents, in seconds.
    """
    if job.incidents == "none" and not any(is_of_numbers(asked.kind) for asked in job.asked):
        return ()
    found = [course(job, each, onset) for each, onset in _found(job, steps, planned)]
    return tuple(sorted(found, key=order))


def _found(job: Job, steps: Steps, planned: float) -> list[tuple[Incident, int]]:
    """Pairs (incident, onset), in no order."""
    found: list[tuple[Incident, int]] = []
    if job.incidents != "none":
        for each in _drawn(job, planned):
            if each.kind == "slow-fs":
                continue
            onset = _about(job, each.at, planned) + 1
            if job.schedule.first_step < onset < last_step(job.schedule):
                found.append((each, onset))
    for index, asked in enumerate(job.asked):
        if is_of_numbers(asked.kind):
            each = place(job, ASKED + index, asked.kind, "", 0.0, asked.rank)
            found.append((each, _asked_onset(job, asked, steps)))
    return found


@remembered()
def _drawn(job: Job, planned: float) -> list[Incident]:
    """The random incidents of the numbers, and the ones that hold up saves, in no order."""
    return of_kinds(job, planned, (*_OF_NUMBERS, "slow-fs"))


def _about(job: Job, uptime: float, planned: float) -> int:
    """The steps done after some uptime, if all steps took equally long: chance needs no more."""
    launched = planned - step_time.training_seconds(job)
    share = max(0.0, uptime - launched) / (planned - launched)
    begun = job.schedule.first_step - 1
    return begun + int(share * (last_step(job.schedule) - begun))


_OF_NUMBERS = frozenset(kind.name for kind in KINDS if kind.consequence == "numbers")


def is_of_numbers(kind: str) -> bool:
    """Whether a kind of incident bends numbers, and ends no process by itself."""
    return kind in _OF_NUMBERS


def struck(job: Job, each: Course, segment: Segment) -> float:
    """When the attempt ends in a training segment that has the course's last step."""
    begun, ended = (step_ended(job, segment, step) for step in (each.until - 1, each.until))
    if each.until > each.onset and not gives_up(job, each.incident.kind):
        return to_the_microsecond(
            begun + 0.4 * (ended - begun)
        )  # a person does not wait for a step
    if job.framework.prints_nan_step:
        return to_the_microsecond(ended + 0.002)  # the step is printed
    return to_the_microsecond(begun + 0.9 * (ended - begun))


def hidden(every: Iterable[Course], cured: tuple[int, ...], each: Course) -> bool:
    """Whether the loss is no number any more where an incident begins to show: then nobody sees
    it, and it ends no attempt, until the attempts leave the cause behind (`cured`).
    """
    return any(
        other.incident.kind == "nan"
        and other.incident.number not in cured
        and other.onset <= each.shows
        and order(other) < order(each)
        for other in every
    )


def ending(met: tuple[Course, ...], cured: tuple[int, ...], segment: Segment) -> Course | None:
    """The course that ends an attempt in a segment, if one does."""
    if segment.kind != "training":
        return None
    for each in met:
        if each.incident.number not in cured and segment.first <= each.until <= segment.last:
            return each
    return None


def _asked_onset(job: Job, asked: Asked, steps: Steps) -> int:
    if asked.unit in ("share", "step"):
        done = asked.value if asked.unit == "step" else step_of_part(job, asked.value)
    else:
        done = steps(job, asked.unit, asked.value, asked.phase)
    return min(max(job.schedule.first_step + 1, round(done) + 1), last_step(job.schedule))


def course(job: Job, incident: Incident, onset: int) -> Course:
    """What becomes of an incident that shows at a step."""
    asked = job.asked[incident.number - ASKED] if incident.number >= ASKED else None
    shape = (asked.shape if asked else "") or _shape(job, incident)
    # No number of an earlier part of the run is bent, since its last checkpoint is sound.
    before = onset - job.schedule.first_step
    lead = min(noise.integer(job.seed, "incident/lead", 1, 5, incident.number), before)
    made = _BENDS[incident.kind](job, incident, onset, lead, shape)
    until = _until(job, incident, onset, shape)
    longest = max(max(each.recovery, each.settling, each.rise) for each in made[:1])
    heals = 0 if until else min(job.schedule.steps, onset + ceil(3.0 * longest))
    shows = min(each.onset - each.lead for each in made)
    return Course(incident, onset, shows, heals, until, made)


def _shape(job: Job, incident: Incident) -> str:
    chance = noise.uniform(job.seed, "incident/shape", incident.number)
    return SHAPES[sum(chance >= share for share in _SHARES)]


def _until(job: Job, incident: Incident, onset: int, shape: str) -> int:
    """The step in which the framework or a person ends the attempt."""
    if incident.kind == "loss-spike" and shape != "permanent":
        return 0
    if raises(job, incident.kind):
        return onset
    if gives_up(job, incident.kind):
        from llmsim.physics.learning import loss_scale  # few runs are in fp16

        return min(loss_scale.collapses(job, onset), job.schedule.steps)
    luck = noise.normal(job.seed, "incident/patience", incident.number)
    flagged = incident.kind == "sdc" and _jump(job, incident) >= _FLAGGED
    seconds = (_WARNED if flagged else _PATIENCE[incident.kind]) * exp(_SPREAD * luck)
    seconds = min(seconds, _LONGEST * step_time.training_seconds(job))
    steps = max(2, ceil(seconds / step_time.step_seconds(job, onset)))
    return min(onset + steps, job.schedule.steps)


def raises(job: Job, kind: str) -> bool:
    """Whether the framework itself ends the run at this kind of incident.

    In fp16 numbers that are none are a sign to the loss scaler, and nobody else looks for them.
    """
    return kind == "nan" and job.framework.stops_at_nan and not _overflows(job, kind)


def gives_up(job: Job, kind: str) -> bool:
    """Whether the trainer ends the run some steps later, since no loss scale helps."""
    scaler = job.framework.loss_scaler
    return _overflows(job, kind) and scaler is not None and scaler.ends


def _overflows(job: Job, kind: str) -> bool:
    """Whether a kind makes every step overflow that has a loss scale."""
    return kind in ("nan", "scale-collapse") and job.layout.precision == "fp16"


# --- saves -------------------------------------------------------------------------------


class SlowSave(NamedTuple):
    """A save for which the file system takes 130 to 400 seconds longer, 5 to 30 times the usual."""

    incident: Incident
    step: int  # after which it is made
    seconds: float  # that it takes longer


@remembered()
def slow_saves(job: Job, steps: Steps, planned: float) -> tuple[SlowSave, ...]:
    """The saves that are held up, in order; `planned` is the uptime without incidents."""
    due: list[tuple[Incident, int]] = []
    if job.incidents != "none":
        slow = [each for each in _drawn(job, planned) if each.kind == "slow-fs"]
        slow.sort(key=lambda each: (each.at, each.number))
        due += [(each, _about(job, each.at, planned)) for each in slow]
    for index, asked in enumerate(job.asked):
        if asked.kind == "slow-fs":
            incident = place(job, ASKED + index, asked.kind, "", 0.0, asked.rank)
            due.append((incident, _asked_onset(job, asked, steps) - 1))
    found: dict[int, SlowSave] = {}
    saves = saved_steps(job) if due else ()
    for incident, done in due if saves else ():
        from llmsim.run.symptoms import story  # not on the way to the first line

        step = saves[min(bisect_left(saves, done), len(saves) - 1)]
        found.setdefault(step, SlowSave(incident, step, story(job, incident, 1.0).over))
    return tuple(found[step] for step in sorted(found))


# --- shapes ------------------------------------------------------------------------------


def _between(job: Job, name: str, incident: Incident, low: float, high: float) -> float:
    return noise.between(job.seed, f"incident/{name}", low, high, incident.number)


def _size(job: Job, onset: int) -> float:
    """Losses below two nats, as in fine-tuning, spike by as much less."""
    from llmsim.physics.learning import loss  # few runs have an incident of the numbers

    return min(1.0, abs(loss.expected(job._replace(bends=()), onset)) / 2.0)


def _spike(job: Job, incident: Incident, onset: int, lead: int, shape: str) -> tuple[Bend, ...]:
    """A spike heals to nearly its old value; what is left of it wears off twenty times slower."""
    number, size = incident.number, _size(job, onset)
    if shape == "fast":
        luck = noise.uniform(job.seed, "incident/height", number)
        height = size * min(3.0, 0.2 / sqrt(luck))
        recovery = _between(job, "recovery", incident, 5.0, 12.0)
        peak = 1.0 + 500.0 * (height / size) ** 2
        return (
            Bend(number, onset, lead, height, 0.0, recovery, peak, recovery),
            Bend(number, onset, 0, 0.02 * height, 0.0, 20.0 * recovery),
        )
    if shape == "slow":
        recovery = _between(job, "recovery", incident, 70.0, 650.0)
        height = size * _between(job, "height", incident, 0.085, 0.49)
        peak = 1.0 + 12.0 * height / size
        return (Bend(number, onset, lead, height, 0.15 * recovery, recovery, peak, recovery),)
    height = size * _between(job, "height", incident, 0.015, 0.1)
    rise = _between(job, "rise", incident, 5.0, 60.0)
    return (Bend(number, onset, lead, height, rise, inf, 8.0, 12.0, 1.15),)


def _not_a_number(
    job: Job, incident: Incident, onset: int, lead: int, shape: str
) -> tuple[Bend, ...]:
    """The norm rises for some steps, is none a step before the loss is none, or with it."""
    del shape
    number, early = incident.number, noise.bits(job.seed, "incident/nan", incident.number) & 1
    rising = Bend(number, onset, lead, 0.0, norm=40.0) if lead > early else None
    broken = Bend(number, onset, early if onset > 2 else 0, nan, norm=nan, after=nan)
    return (broken, rising) if rising else (broken,)


def _overflowing(
    job: Job, incident: Incident, onset: int, lead: int, shape: str
) -> tuple[Bend, ...]:
    """The norm climbs for hundreds of steps, and then no gradient fits into fp16 any more."""
    del lead, shape
    climb = noise.integer(job.seed, "incident/climb", 100, 400, incident.number)
    lead = min(climb, onset - 1)
    return (Bend(incident.number, onset, lead, 0.0, norm=30.0, after=inf),)


def _corrupted(job: Job, incident: Incident, onset: int, lead: int, shape: str) -> tuple[Bend, ...]:
    """Nothing leads; the norm stays higher, and the loss leaves its curve slowly."""
    del lead, shape
    height = _size(job, onset) * _between(job, "drift", incident, 0.02, 0.12)
    rise = _between(job, "rise", incident, 100.0, 600.0)
    jump = _jump(job, incident)
    return (Bend(incident.number, onset, 0, height, rise, inf, jump, 4.0, 1.25),)


def _jump(job: Job, incident: Incident) -> float:
    """By how much silent corruption multiplies the gradient norm in its first step."""
    return _between(job, "jump", incident, 3.0, 30.0)


_BENDS = {
    "loss-spike": _spike,
    "nan": _not_a_number,
    "sdc": _corrupted,
    "scale-collapse": _overflowing,
}
