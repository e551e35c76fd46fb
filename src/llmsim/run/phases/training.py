"""The training loop, with the validations and checkpoints that interrupt it."""

from collections.abc import Generator, Iterator

from llmsim.job.milestones import (
    logged_steps,
    saved_steps,
    steps_per_epoch,
    validated_steps,
    waits_for_save,
)
from llmsim.job.records import Job, gpus_per_node
from llmsim.physics.hardware import allocator, memory
from llmsim.physics.learning import gradient, learning_rate, loss, metrics
from llmsim.physics.speed import batch_ramp, slowdown, step_time, throughput, traffic
from llmsim.run.cluster import hostname
from llmsim.run.events import (
    BatchGrew,
    CheckpointSaved,
    CheckpointStaged,
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
    Validated,
)
from llmsim.run.phases import checkpoint, validation
from llmsim.run.phases.checkpoint import Saving
from llmsim.run.phases.status import status
from llmsim.run.phases.timing import Phase
from llmsim.typed import NamedTuple

# Between two logged steps the epoch's bar moves this often.
BAR_MOVES = 4

# Collectives are told at the second logged step, the first after compilation, and at every
# so many after it.
COLLECTIVES_EVERY = 25

# What says how long the training has been going on.
CLOCKED = (Progress, Step, Validated, CheckpointStaged, CheckpointSaved)

# When somebody looks at the GPUs, as parts of the run.
LOOKS = (0.04, 0.36, 0.7)


class Trained(NamedTuple):
    """What the export has to know of the training before it."""

    began: float
    at: float  # its end
    in_steps: float  # seconds spent in optimizer steps
    best: float  # lowest validation loss


def epoch_of(job: Job, step: int) -> int:
    """The epoch that a step belongs to, counted from 1."""
    return min((step - 1) // steps_per_epoch(job) + 1, job.schedule.epochs)


def training(job: Job, at: float) -> Generator[Event, None, Trained]:
    """Steps, epochs, and at their intervals validations and checkpoints."""
    return (yield from _clocked(_loop(job, at), at))


def _clocked(
    events: Generator[Event, None, Trained], began: float
) -> Generator[Event, None, Trained]:
    """The events with the seconds since the training began, for the frameworks that tell them."""
    while True:
        try:
            event = next(events)
        except StopIteration as stop:
            trained: Trained = stop.value
            return trained
        if isinstance(event, CLOCKED):
            event = event._replace(training_seconds=round(event.at - began, 6))
        yield event


def _loop(job: Job, at: float) -> Generator[Event, None, Trained]:
    yield PhaseStarted(at, "training", step_time.training_seconds(job))
    looks, saves, began = _look_steps(job), saved_steps(job), at
    validated = set(validated_steps(job))
    in_steps, epoch_began, best = 0.0, at, float("inf")
    saving: list[Saving] = []  # what saves in the background will say
    # A host that runs ahead: when it handed out the last step, and when it had waited enough.
    handed = free = at
    for index, (before, step) in enumerate(logged_steps(job)):
        epoch = epoch_of(job, step)
        if before % steps_per_epoch(job) == 0 and epoch_of(job, before + 1) == epoch:
            epoch_began = at
            yield EpochStarted(at, epoch)
        begun, seconds = at, step_time.interval_seconds(job, before + 1, step)
        bar = _bar(job, at, epoch_began, before, step, seconds)
        yield from _with_noticed(bar, saving, at)
        at, in_steps = at + seconds, in_steps + seconds
        handing = (
            step_time.dispatch_seconds(job, step) if before else step_time.compile_seconds(job)
        )
        host_seconds = max(handed, free) + handing - handed
        handed, ended = handed + host_seconds, at
        yield _step(job, at, in_steps, before, step, seconds, host_seconds)
        yield from _disturbances(job, at, before, step)
        if index % COLLECTIVES_EVERY == 1:
            transfers = traffic.step_transfers(job, step)
            yield Collectives(at, step, transfers, seconds / (step - before))
        if step in looks:
            yield status(job, at, "training", at - in_steps, "loading", f"step {step:,}")
        if step in validated and job.framework.validates:
            at = yield from validation.validation(job, at, step, best)
        yield from _growth(job, at, step)
        if step in saves:
            at = yield from _checkpoint(job, at, step, saving)
        if step in validated and not job.framework.validates:
            at = yield from validation.validation(job, at, step, best)
        if step in validated:
            best = min(best, loss.validation(job, step))
        # It reads the metrics of the step before, and whatever a pause is for.
        free = at if at > ended else begun
        if step % steps_per_epoch(job) == 0:
            final = loss.training(job, step)
            yield EpochEnded(at, epoch, final, round(at - epoch_began, 6))
    yield PhaseEnded(at, "training", round(at - began, 6))
    return Trained(began, at, in_steps, best)


def _checkpoint(job: Job, at: float, step: int, saving: list[Saving]) -> Phase:
    """A save, which waits for the one before it, should that still be going on."""
    before = tuple(saving)
    saving.clear()
    if not waits_for_save(job, step):
        started = max([at, *(event.at for event in before)])
        saving += checkpoint.finished(job, step, started)
    return (yield from checkpoint.checkpoint(job, at, step, before))


def _with_noticed(events: Iterator[Event], saving: list[Saving], begun: float) -> Iterator[Event]:
    """The events, and between them what is due of the background's; it leaves the list.

    What fell due before `begun`, during a validation, is noticed then.
    """
    for event in events:
        while saving and saving[0].at <= event.at:
            yield saving[0]._replace(at=max(begun, saving.pop(0).at))
        yield event


def _disturbances(job: Job, at: float, before: int, step: int) -> Iterator[Event]:
    """What slowed the steps of an interval, when it begins and when it is over."""
    size = gpus_per_node(job)
    if slow := slowdown.begun(job, before + 1, step):
        host = hostname(job, slow.rank // size)
        part = slow.seconds / step_time.step_seconds(job, slow.first)
        yield Slowed(at, slow.first, slow.kind, slow.rank, host, slow.seconds, part)
    if over := slowdown.ended(job, before + 1, step):
        host, lost = hostname(job, over.rank // size), over.seconds * over.steps
        last = over.first + over.steps - 1
        yield Recovered(at, last, over.rank, host, lost, over.steps)


def _growth(job: Job, at: float, step: int) -> Iterator[BatchGrew]:
    """The batch of the next step, if a stage of the ramp ends with this one."""
    plan = job.schedule
    before, after = batch_ramp.batch(plan, step), batch_ramp.batch(plan, step + 1)
    if before != after:
        accumulation = batch_ramp.layout_at(job, step + 1).accumulation
        yield BatchGrew(at, step + 1, before, after, accumulation)


def _look_steps(job: Job) -> set[int]:
    every = job.schedule.log_every
    return {max(1, round(part * job.schedule.steps / every)) * every for part in LOOKS}


def _bar(
    job: Job, begun: float, epoch_began: float, before: int, step: int, seconds: float
) -> Iterator[Event]:
    """The epoch's bar between two logged steps; it counts optimizer steps."""
    per_epoch, epoch = steps_per_epoch(job), epoch_of(job, step)
    label = f"Epoch {epoch}/{job.schedule.epochs}"
    moves = min(BAR_MOVES, step - before)
    for move in range(1, moves + 1):
        done = before + (step - before) * move // moves - (epoch - 1) * per_epoch
        at = begun + round(seconds * move / moves, 6)
        elapsed = round(at - epoch_began, 6)
        yield Progress(at, "epoch", label, done, per_epoch, "it", elapsed, epoch=epoch)


def _step(
    job: Job,
    at: float,
    in_steps: float,
    before: int,
    step: int,
    seconds: float,
    host_seconds: float,
) -> Step:
    plan = job.schedule
    rate = step_time.tokens(job, before + 1, step) / seconds
    sequences, whole = batch_ramp.consumed(plan, step), batch_ramp.consumed(plan, plan.steps)
    return Step(
        at=at,
        step=step,
        previous=before,
        epoch=epoch_of(job, step),
        loss=loss.training(job, step),
        gradient_norm=gradient.norm(job, step),
        learning_rate=learning_rate.learning_rate(job, step),
        step_seconds=seconds / (step - before),
        tokens=step_time.tokens(job, 1, step),
        host_seconds=host_seconds,
        tokens_per_second=rate,
        samples_per_second=(sequences - batch_ramp.consumed(plan, before)) / seconds,
        mfu=throughput.mfu(job, rate),
        allocated=allocator.allocated(job, step),
        reserved=allocator.reserved(job, step),
        capacity=memory.capacity(job.gpu),
        remaining=in_steps / sequences * (whole - sequences),
        metrics=metrics.metrics(job, step),
    )
