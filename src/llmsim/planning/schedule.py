"""The length of a job and its intervals, in round numbers as people type them."""

from bisect import bisect_right
from math import ceil, exp, log, sqrt

from llmsim.errors import PlanError, Setting
from llmsim.job.framework import Framework
from llmsim.job.recipes import Recipe
from llmsim.job.records import Job, batch_tokens, step_data_tokens
from llmsim.job.schedule import BatchStage, Schedule, whole_minutes
from llmsim.model.architecture import parameter_count
from llmsim.options.job_options import MOST_STEPS
from llmsim.options.wanted import Wanted
from llmsim.physics import noise
from llmsim.physics.learning import usual_rate
from llmsim.physics.speed import step_time
from llmsim.planning import hyperparameters
from llmsim.planning.draw import SMALL_MODEL, Candidate

# A run shows about this many logged steps
LOGGED_STEPS = 210
# and about this many validations.
VALIDATIONS = 8
# Seconds between two checkpoints, and about the largest number of checkpoints in a run.
SAVE_SECONDS, MOST_SAVES = 2 * 3600, 12
# GPUs from which on a job saves at the interval that is best for its failures, and its most saves.
LARGE_CLUSTER, MOST_SAVES_LARGE = 1024, 60

# Auto-planned runs end within four days.
LONGEST_RUN_SECONDS = 4 * 86_400

# Passes over the data up to which repeated tokens are worth nearly as much as fresh ones
# (Muennighoff et al. 2023, "Scaling data-constrained language models").
MOST_EPOCHS = 4

# The least number of steps, even with little data or a slow cluster.
FEWEST_STEPS = 100

ROUND_NUMBERS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000)


def length(job: Job, wanted: Wanted, draw: float) -> tuple[int, int]:
    """Steps and epochs as they are asked for, or as many as can be shown, the data lasts for and
    the GPUs can do.

    Text is read once, if there is enough, else as a whole, some times, as sets for fine-tuning.
    """
    recipe = job.recipe
    fewest, most = step_range(job.framework, recipe)
    affordable = LONGEST_RUN_SECONDS / step_time.step_seconds(job)
    supply = job.dataset.tokens / step_data_tokens(job)  # steps in one pass over all of the data
    asked = _asked(job, wanted) or round(supply * (wanted.epochs or 0))
    if asked or wanted.epochs:
        made = min(max(asked, wanted.epochs or 1), MOST_STEPS)
        return made, min(made, wanted.epochs or ceil(made / max(1, round(supply))))
    if wanted.first_step:  # the planner draws the steps that are left
        return _left(wanted.first_step, fewest, most, draw)
    epochs = 1 + noise.bits(job.seed, "plan/epochs") % recipe.epochs
    if not recipe.relative and FEWEST_STEPS <= supply * epochs <= min(most, affordable):
        return int(supply * epochs), epochs
    drawn = exp(log(fewest) + draw * log(most / fewest))  # log-uniform
    steps = max(FEWEST_STEPS, min(drawn, affordable, supply * MOST_EPOCHS))
    passes = int(steps / supply)
    if not passes:
        return round(steps), 1
    passes = max(passes, ceil(FEWEST_STEPS / supply))
    return int(supply * passes), passes


def _left(first: int, fewest: int, most: int, draw: float) -> tuple[int, int]:
    """Steps and epochs of a run that begins with a later step than 1: its own length is drawn."""
    drawn = round(exp(log(fewest) + draw * log(most / fewest)))
    return min(MOST_STEPS, first - 1 + drawn), 1


def _asked(job: Job, wanted: Wanted) -> int:
    """The given number of steps, or the steps of the given tokens; 0 if neither is given."""
    if wanted.steps and wanted.tokens:
        both = Setting("steps", str(wanted.steps)), " and ", Setting("tokens", str(wanted.tokens))
        raise PlanError(*both, " both say how long the run is: give one of them.")
    steps = wanted.steps or ceil((wanted.tokens or 0) / batch_tokens(job))
    if steps > MOST_STEPS:
        made = f" are {steps:,} steps of {batch_tokens(job):,} tokens: give {MOST_STEPS:,} at most."
        raise PlanError(Setting("tokens", str(wanted.tokens)), made)
    return steps


def step_range(framework: Framework, recipe: Recipe) -> tuple[int, int]:
    """The least and the largest number of steps; fewer if the framework logs each step."""
    fewest, most = recipe.steps
    if framework.logs_every_step:
        return LOGGED_STEPS, 2 * LOGGED_STEPS
    return fewest, most


def round_number(value: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 25, 50 ... that is not above the value; at least 1."""
    return max(number for number in ROUND_NUMBERS if number <= max(1, value))


def scheduled(
    candidate: Candidate, steps: int, epochs: int, step_seconds: float = 1.0, shown: int = 0
) -> Schedule:
    """A schedule of about `steps` steps, with intervals as people type them.

    Epochs and validations are whole logging intervals, so that all of them end on logged steps.
    Intervals suit the steps that are `shown`, if that is only a part of them.
    """
    layout, recipe = candidate.layout, candidate.recipe
    parameters = parameter_count(candidate.config)
    framework = candidate.framework
    # A resumed run shows its own steps.
    shown = shown or max(1, steps - (candidate.wanted.first_step or 1) + 1)
    for limit in (candidate.wanted.time_limit, candidate.wanted.exit_after):
        shown = min(shown, ceil(whole_minutes(limit) / step_seconds)) if limit else shown
    log_every = 1 if framework.logs_every_step else round_number(shown / LOGGED_STEPS)
    # Rounded down: an epoch has no more tokens than the data set.
    per_epoch = max(1, int(steps / epochs / log_every)) * log_every
    wanted = candidate.wanted
    asked = wanted.steps or wanted.tokens or wanted.epochs or wanted.first_step
    if epochs == 1 and not asked:
        per_epoch = two_digits(per_epoch, log_every)
    steps = steps if asked else per_epoch * epochs
    validate_every = min(steps, near_number(shown / VALIDATIONS, log_every))
    if not framework.validates:
        validate_every = steps
    hours = min(shown / 4, SAVE_SECONDS / step_seconds)
    save_every = near_number(max(hours, shown / MOST_SAVES), log_every)
    if framework.saves_with_validation:
        save_every = validate_every
    warmup = min(steps * recipe.warmup, usual_rate.warmup_steps(parameters, steps))
    peak = hyperparameters.peak_rate(recipe, parameters)
    global_batch = layout.dp * layout.micro_batch * layout.accumulation
    return Schedule(
        steps=steps,
        warmup=near_number(warmup, 1),
        peak_lr=peak,
        final_lr=float(f"{peak * recipe.final_rate:.6g}"),  # as a person types it
        decay=candidate.decay,
        sequence=candidate.sequence,
        global_batch=global_batch,
        epochs=epochs,
        log_every=log_every,
        validate_every=validate_every,
        validation_batches=max(4, round(recipe.held_out / (global_batch * candidate.sequence))),
        save_every=min(steps, save_every),
    )


def often_saved(job: Job, shown: int) -> Schedule:
    """The schedule with more saves on a large cluster, which breaks more often than once a day.

    The best interval is sqrt(2 x pause x mean time to failure), for Young (1974) and Daly (2006);
    one in 50,700 GPU-hours is Llama 3's rate. `shown` steps are a part of the run; 0: all of it.
    """
    schedule, layout = job.schedule, job.layout
    if layout.gpus < LARGE_CLUSTER or job.framework.saves_with_validation:
        return schedule
    from llmsim.physics.hardware import storage  # the plans of small jobs do without

    waits = storage.staging_seconds if job.background_saves else storage.save_seconds
    best = sqrt(
        2.0 * waits(job, schedule.save_every) * seconds_to_failure(layout.gpus)
    ) / step_time.step_seconds(job)
    best = max(best, (shown or schedule.steps) / MOST_SAVES_LARGE)
    if best >= schedule.save_every:
        return schedule
    return schedule._replace(save_every=near_number(best, schedule.log_every))


def seconds_to_failure(gpus: int) -> float:
    """Mean seconds until a cluster of this size breaks, by Llama 3's rate."""
    from llmsim.run.incident_kinds import GPU_HOURS_EACH  # the plans of small jobs do without

    return GPU_HOURS_EACH * 3600.0 / gpus


def ramped(candidate: Candidate, schedule: Schedule, seed: int) -> tuple[BatchStage, ...]:
    """The stages of a growing batch: one in four pretrainings from 3B on has them if it can."""
    able = (
        candidate.framework.ramps_batch and not candidate.recipe.released and schedule.epochs == 1
    )
    if (
        not able
        or candidate.model.parameters < SMALL_MODEL
        or noise.uniform(seed, "plan/ramp") > 0.25
    ):
        return ()
    from llmsim.physics.speed import batch_ramp  # most plans do without

    share = 0.06 + 0.12 * noise.uniform(seed, "plan/ramp share")
    draw = noise.bits(seed, "plan/ramp parts")
    return batch_ramp.planned(candidate.layout, schedule.steps, schedule.log_every, share, draw)


def two_digits(steps: int, log_every: int) -> int:
    """The steps cut to two digits, where that leaves whole logging intervals."""
    unit = 10 ** max(0, len(str(steps)) - 2)
    cut = steps // unit * unit
    return cut if cut and cut % log_every == 0 else steps


def near_number(value: float, multiple: int) -> int:
    """The round number (1, 2, 5, 10 ...) nearest to the value that `multiple` divides."""
    round_numbers = [number for number in ROUND_NUMBERS if number % multiple == 0]
    place = max(1, bisect_right(round_numbers, value))
    below, *above = round_numbers[place - 1 : place + 1]
    return above[0] if above and value * value > below * above[0] else below
