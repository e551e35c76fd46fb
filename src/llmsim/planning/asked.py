"""The parts of the schedule that options set, in the place of the planner's choice."""

from collections.abc import Iterator
from math import ceil

from llmsim.errors import PlanError, Setting
from llmsim.job.framework import Framework
from llmsim.job.schedule import BatchStage, Schedule, whole_minutes, whole_run
from llmsim.options.wanted import Wanted
from llmsim.planning.draw import Candidate

MOST_PAUSES = 1_000_000  # validations of a run, and saves


def as_asked(candidate: Candidate, schedule: Schedule, ramp: tuple[BatchStage, ...]) -> Schedule:
    """The schedule with the values of the options. Raises PlanError if the framework cannot do
    it.
    """
    wanted = candidate.wanted
    if wanted.batch or wanted.accumulation or wanted.steps or wanted.tokens or wanted.epochs:
        ramp = ()
    peak = wanted.lr or schedule.peak_lr
    final = float(f"{peak * (schedule.final_lr / schedule.peak_lr):.6g}")
    if wanted.final_lr is not None and wanted.final_lr > peak:
        raise PlanError(
            f"final_lr = {wanted.final_lr:g} is above the peak learning rate {peak:g}: "
            "give a smaller final_lr."
        )
    asked = {
        "log_every": wanted.log_every,
        "warmup": wanted.warmup,
        "validates": wanted.validates,
        "validate_every": wanted.validate_every,
        "validation_batches": wanted.validation_batches,
        "saves": wanted.saves,
        "save_every": wanted.save_every,
        "first_step": wanted.first_step,
        "horizon": wanted.horizon,
        "time_limit": wanted.time_limit and whole_minutes(wanted.time_limit),
        "exit_after": wanted.exit_after and whole_minutes(wanted.exit_after),
        "final_lr": final if wanted.final_lr is None else wanted.final_lr,
    }
    if candidate.framework.saves_with_validation and not wanted.save_every:
        asked["save_every"] = wanted.validate_every
    given = {name: value for name, value in asked.items() if value is not None}
    made = schedule._replace(peak_lr=peak, ramp=_stages(wanted, schedule) or ramp)
    made = made._replace(**given)  # type: ignore[arg-type]  # the keys give the fields' types
    made = made._replace(
        validate_every=min(made.steps, made.validate_every),
        save_every=min(made.steps, made.save_every),
    )
    for sentence in _beyond(candidate, made):
        raise PlanError(*sentence)
    return made


def _stages(wanted: Wanted, schedule: Schedule) -> tuple[BatchStage, ...]:
    """The ramp that is asked for: stages that grow from step 1 to the full batch."""
    stages: list[BatchStage] = []
    before = 0
    pairs = wanted.ramp or ()
    for index, (first, batch) in enumerate(pairs):
        if index:
            before += (first - pairs[index - 1][0]) * pairs[index - 1][1]
        stages.append(BatchStage(first, batch, before))
    if not stages:
        return ()
    firsts, batches = [stage.first for stage in stages], [stage.batch for stage in stages]
    grows = sorted(set(firsts)) == firsts and sorted(set(batches)) == batches
    if firsts[0] != 1 or not grows or batches[-1] != schedule.global_batch:
        full = f"{schedule.global_batch:,} sequences"
        raise PlanError(f"[batch] ramp has to grow from step 1 on to the full batch of {full}.")
    return tuple(stages)


def _beyond(candidate: Candidate, schedule: Schedule) -> Iterator[tuple[str | Setting, ...]]:
    """The sentence that refuses a schedule which the framework cannot run or no show can hold."""
    wanted, framework = candidate.wanted, candidate.framework
    speaker = Setting("dialect", framework.name)
    if schedule.steps == 1:
        shown = Setting("tokens", f"{wanted.tokens:,}") if wanted.tokens else Setting("steps", "1")
        size = f"{schedule.global_batch * schedule.sequence:,} tokens"
        yield shown, f" would be one step of {size}, and a run has at least two steps."
    elif schedule.first_step >= schedule.steps:
        first = f"[schedule] first_step = {schedule.first_step:,} is not before the run's"
        yield (f"{first} {schedule.steps:,} steps.",)
    if schedule.warmup > whole_run(schedule):
        warmup = f"[schedule] warmup = {schedule.warmup:,} is more than the run's"
        yield (f"{warmup} {schedule.steps:,} steps.",)
    yield from _unvalidated(framework, schedule)
    if framework.saves_with_validation and schedule.save_every != schedule.validate_every:
        yield speaker, " saves with each validation: leave out [schedule] save_every."
    if wanted.background_saves and framework.blocking_checkpoints:
        yield speaker, " waits for every save: leave out [schedule] background_saves."
    if framework.logs_every_step and wanted.log_every not in (None, 1):
        asked = Setting("log-every", str(wanted.log_every))
        yield speaker, " logs every step: leave out ", asked, "."
    yield from _ramp_beyond(candidate, schedule)
    for pause, every in (("validations", schedule.validate_every), ("saves", schedule.save_every)):
        done = schedule.steps - schedule.first_step + 1
        if (times := ceil(done / every)) > MOST_PAUSES:
            made = f"{done:,} steps with {pause} every {every:,} are {times:,} of them"
            yield (f"{made}, and a run has at most {MOST_PAUSES:,}.",)


def _unvalidated(framework: Framework, schedule: Schedule) -> Iterator[tuple[str | Setting, ...]]:
    """What the framework cannot do of its validations, or without its saves."""
    speaker = Setting("dialect", framework.name)
    if not (schedule.validates or framework.may_skip_validation):
        yield speaker, " always validates: leave out [schedule] validates."
    if not (schedule.saves or framework.may_skip_saves):
        yield speaker, " always saves: leave out [schedule] saves."
    if not framework.validates and schedule.validate_every != schedule.steps:
        yield speaker, " does not validate between steps: leave out [schedule] validate_every."


def _ramp_beyond(candidate: Candidate, schedule: Schedule) -> Iterator[tuple[str | Setting, ...]]:
    """What the framework cannot do of a batch that grows, or what does not come out even."""
    speaker = Setting("dialect", candidate.framework.name)
    if schedule.ramp and not candidate.framework.ramps_batch:
        yield speaker, " lets no batch grow: leave out [batch] ramp."
    per_pass = candidate.layout.dp * candidate.layout.micro_batch
    for stage in schedule.ramp:
        if stage.batch % per_pass:
            ranks = f"dp {candidate.layout.dp} x micro {candidate.layout.micro_batch} = {per_pass}"
            yield (f"[batch] ramp: {stage.batch} sequences are no multiple of {ranks}.",)
