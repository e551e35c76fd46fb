"""The training loop, with the validations and checkpoints that interrupt it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from llmsim.job.memo import remembered
from llmsim.job.microseconds import to_the_microsecond
from llmsim.job.milestones import (
    epoch_of,
    intervals,
    logged,
    logged_before,
    previous_logged,
    step_of_part,
    steps_per_epoch,
)
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.learning import loss
from llmsim.physics.learning.loss_scale import scaled, skips
from llmsim.physics.speed import slowdown, step_time, traffic
from llmsim.run.cluster import hostname
from llmsim.run.events import (
    Collectives,
    EpochEnded,
    EpochStarted,
    Event,
    PhaseEnded,
    PhaseStarted,
    Progress,
    Recovered,
    Slowed,
    Step,
    StepSkipped,
)
from llmsim.run.phases.checkpoint import in_background, noticed_at
from llmsim.run.phases.status import status
from llmsim.run.phases.step_records import moments, records
from llmsim.run.phases.timing import QUARTERS
from llmsim.run.timeline import (
    Run,
    Segment,
    first_step,
    learner,
    owner,
    step_began,
    step_ended,
    step_in,
    training_began,
)

# The records of this many intervals are made together.
BLOCK = 32

# Between two logged steps the epoch's bar moves this often.
BAR_MOVES = 4

# Collectives have an event at the second logged step, the first after compilation, and at every
# n-th logged step after it.
COLLECTIVES_EVERY = 25

# The moments of the status events, as parts of the run.
LOOKS = (0.04, 0.36, 0.7)


def training(run: Run, number: int, since: float, moving: Callable[[], bool]) -> Iterator[Event]:
    """What happens in a stretch of steps without a pause, from the interval of `since` on.

    `moving` says whether bars are drawn at every move just now; see simulation.events.
    """
    job, segment = run.job, run.timeline[number]
    if segment.fresh:
        yield PhaseStarted(segment.began, "training", step_time.training_seconds(job))
    first = _first(job, segment, since)
    if first == segment.first:
        ends, noticed = in_background(run, number)
    else:
        ends, noticed = in_background(run, number)[0], step_ended(job, segment, first - 1)
    begun = step_ended(job, segment, first - 1)
    size, in_fp16 = steps_per_epoch(job), job.layout.precision == "fp16"
    looks, slows = _look_steps(job), _may_slow(job, segment)
    for before, step, ended, record in _intervals(run, segment, first, moving):
        if before % size == 0:
            yield from _epochs(run, segment, begun, before, step)
        anew = before == first - 1 and (segment.fresh or first > segment.first)
        moves = _moves(job, size, before, step, anew, moving())
        bar = _bar(run, segment, begun, before, step, ended - begun, moves) if moves else ()
        due: list[Event] = []
        if ends and ends[-1].at > noticed:
            due += [noticed_at(end, max(begun, end.at)) for end in ends if end.at > noticed]
        if in_fp16:
            due = sorted((*due, *_skipped(run, segment, before, step)), key=lambda each: each.at)
        if due:
            bar = _merged(bar, due, ended)
        yield from bar
        if record:
            yield record
            if slows or step in looks or logged_before(job, step) % COLLECTIVES_EVERY == 1:
                yield from _beside(run, segment, record)
        begun = noticed = ended


def training_ended(run: Run, number: int) -> Iterator[Event]:
    """The end of the training, after the pauses that follow its last step."""
    segment, steps = run.timeline[number], run.job.schedule.steps
    at, attempt = segment.began, segment.attempt
    if steps % steps_per_epoch(run.job) == 0:
        yield _epoch_ended(run, segment, at, steps)
    yield PhaseEnded(at, "training", to_the_microsecond(at - training_began(run, attempt)))


def _first(job: Job, segment: Segment, since: float) -> int:
    """The first step of the logging interval that is going on at a moment."""
    if since <= segment.began:
        return segment.first
    return max(segment.first, previous_logged(job, step_in(job, segment, since)) + 1)


def _skipped(run: Run, segment: Segment, before: int, last: int) -> Iterator[StepSkipped]:
    """The steps of an interval in which gradients overflow in fp16."""
    taught = learner(run, segment)
    for step in skips(taught, before + 1, last):
        now, after = (scaled(taught, each) for each in (step, step + 1))
        at = step_ended(run.job, segment, step)
        yield StepSkipped(at, step, 2.0**now.exponent, 2.0**after.exponent, now.patience)


def _merged(bar: Iterable[Event], due: list[Event], ended: float) -> Iterator[Event]:
    """The moves of a bar, and before each of them what falls due by then in the interval."""
    for event in bar:
        while due and due[0].at <= event.at:
            yield due.pop(0)
        yield event
    while due and due[0].at <= ended:
        yield due.pop(0)


def _epochs(run: Run, segment: Segment, at: float, before: int, step: int) -> Iterator[Event]:
    """The end of an epoch, and the beginning of the next where the interval lies in it."""
    job = run.job
    if before >= first_step(run, segment.attempt):
        yield _epoch_ended(run, segment, at, before)
    if epoch_of(job, before + 1) == epoch_of(job, step):
        yield EpochStarted(at, epoch_of(job, step))


def _epoch_ended(run: Run, segment: Segment, at: float, step: int) -> EpochEnded:
    epoch = epoch_of(run.job, step)
    lasted = to_the_microsecond(at - _epoch_began(run, epoch, segment.attempt))
    return EpochEnded(at, epoch, loss.training(learner(run, segment), step), lasted)


def _epoch_began(run: Run, epoch: int, attempt: int) -> float:
    """When the first step of an epoch began in an attempt, which may begin within the epoch."""
    first = (epoch - 1) * steps_per_epoch(run.job) + 1
    return step_began(run, max(first, first_step(run, attempt)), attempt)


# The step before an interval, its last step, when that one is done, and its record if it is logged.
Interval = tuple[int, int, float, Step | None]


def _intervals(
    run: Run, segment: Segment, first: int, moving: Callable[[], bool]
) -> Iterator[Interval]:
    """The intervals of a segment from a step on. Their records are made a block at a time."""
    job = run.job
    coming = intervals(job, first, segment.last)
    while block := [*islice(coming, BLOCK)]:
        ends = moments(job, segment, [step for _, step in block])
        due = [(step, at) for (_, step), at in zip(block, ends, strict=True) if logged(job, step)]
        measured = job.framework.reads_metrics or moving()
        made = records(run, segment, [step for step, _ in due], measured, [at for _, at in due])
        known = {record.step: record for record in made}
        yield from [
            (before, step, at, known.get(step))
            for (before, step), at in zip(block, ends, strict=True)
        ]


def _may_slow(job: Job, segment: Segment) -> bool:
    """Whether a slowdown begins or ends in a segment, or in the interval that goes on in it."""
    before = segment.repeated + previous_logged(job, segment.first)
    return slowdown.changes(job, before + 1, segment.repeated + segment.last)


def _beside(run: Run, segment: Segment, record: Step) -> Iterator[Event]:
    """What is known beside a logged step's record."""
    job, at, step = run.job, record.at, record.step
    executed = segment.repeated + step
    before = segment.repeated + record.previous
    if executed <= job.schedule.steps and slowdown.changes(job, before + 1, executed):
        yield from _disturbances(owner(run, at), at, segment.repeated, before, executed)
    if logged_before(job, step) % COLLECTIVES_EVERY == 1:
        yield Collectives(at, step, traffic.step_transfers(job, step), record.step_seconds)
    if step in _look_steps(job):
        yield status(run, at, f"step {step:,}")


def _disturbances(job: Job, at: float, repeated: int, before: int, step: int) -> Iterator[Event]:
    """What slowed the executed steps of an interval, when it begins and when it is over.

    The events have the numbers of optimizer steps, which are `repeated` lower.
    """
    size = gpus_per_node(job)
    if slow := slowdown.begun(job, before + 1, step):
        host = hostname(job, slow.rank // size)
        part = slow.seconds / step_time.step_seconds(job, slow.first)
        yield Slowed(at, slow.first - repeated, slow.kind, slow.rank, host, slow.seconds, part)
    if over := slowdown.ended(job, before + 1, step):
        host, lost = hostname(job, over.rank // size), over.seconds * over.steps
        last = over.first + over.steps - 1 - repeated
        yield Recovered(at, last, over.rank, host, lost, over.steps)


@remembered()
def _look_steps(job: Job) -> frozenset[int]:
    every = job.schedule.log_every
    return frozenset(max(1, round(step_of_part(job, part) / every)) * every for part in LOOKS)


def _moves(job: Job, size: int, before: int, step: int, anew: bool, moving: bool) -> Iterable[int]:
    """The moves of the epoch's bar in an interval of steps that somebody shows, counted from 1;
    `size` is the steps of an epoch.

    A terminal shows all moves, a file the moves that the framework's trait names. `anew` says that
    an attempt's steps begin, or what is shown of them: then all moves are shown, so that a reader
    who compares each bar with the bar before it has one to begin with.
    """
    moves, shown = min(BAR_MOVES, step - before), job.framework.file_bar
    if moving or shown == "every":
        return range(1, moves + 1)
    if shown == "never":
        return ()
    if shown == "logged":
        return (moves,) if logged(job, step) else ()
    if anew or before % size == 0:
        return range(1, moves + 1)
    if step * QUARTERS // size == before * QUARTERS // size:
        return ()
    ends = [
        (before + (step - before) * move // moves) * QUARTERS // size for move in range(moves + 1)
    ]
    return [move for move in range(1, moves + 1) if ends[move] != ends[move - 1]]


def _bar(
    run: Run,
    segment: Segment,
    begun: float,
    before: int,
    step: int,
    seconds: float,
    shown: Iterable[int],
) -> Iterator[Event]:
    """Moves of the epoch's bar in an interval of steps; it counts optimizer steps."""
    job, clock = run.job, training_began(run, segment.attempt)
    per_epoch, epoch = steps_per_epoch(job), epoch_of(job, step)
    label, epoch_began = (
        f"Epoch {epoch}/{job.schedule.epochs}",
        _epoch_began(run, epoch, segment.attempt),
    )
    moves = min(BAR_MOVES, step - before)
    earlier = max(0, first_step(run, segment.attempt) - 1 - (epoch - 1) * per_epoch)
    for move in shown:
        done = before + (step - before) * move // moves - (epoch - 1) * per_epoch
        at = to_the_microsecond(begun + seconds * move / moves)
        elapsed, trained = to_the_microsecond(at - epoch_began), to_the_microsecond(at - clock)
        yield Progress(
            at,
            "epoch",
            label,
            done,
            per_epoch,
            "it",
            elapsed,
            epoch=epoch,
            training_seconds=trained,
            initial=earlier,
        )
