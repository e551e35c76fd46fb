"""Whether people would run a job: what a planner's draw has to meet before it is shown."""

from math import inf

from llmsim.catalog.gpus import holds_models_whole, is_card
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import whole_run
from llmsim.model.architecture import parameter_count
from llmsim.options.table import Options
from llmsim.options.wanted import wanted
from llmsim.physics.speed import step_time, throughput
from llmsim.planning import hyperparameters
from llmsim.planning.kinds import is_benchmark
from llmsim.planning.models import is_sized
from llmsim.planning.possible import wish_of
from llmsim.planning.schedule import LONGEST_RUN_SECONDS, MOST_EPOCHS, step_range
from llmsim.planning.wish import FREE

# Auto-planned runs take at least this long per step.
SHORTEST_STEP_SECONDS = 0.1
# The longest time between two lines of a log that is worth watching.
LONGEST_LINE_SECONDS = 60
# The lowest MFU at which people run a cluster.
LOWEST_MFU = 0.12
# A pretraining that is over sooner than this is not worth a cluster.
SHORTEST_RUN_SECONDS = 1200
# Of the jobs that people run: the longest step, in training and with rollouts; the shortest whole
# run; the longest of a pretraining (Llama 3 405B took 54 days, BLOOM 117) and of a fine-tuning.
LONGEST_STEP, LONGEST_ROLLOUT = 45.0, 400.0
SHORTEST_TUNING = 600.0
_PATIENCE = 4.0  # longest steps of people: a longer one deserves a remark
LONGEST_PRETRAINING, LONGEST_TUNING = 120 * 86_400, 5 * 86_400
SHORTEST_ON_CLUSTER = 0.25  # seconds of a step; a smaller cluster would do
STAGED = 12e9  # parameters; a smaller model needs no pipeline
# Parameters for each GPU: no kind of job in data/llm_jobs.txt has fewer. Tokens for each parameter
# (the optimum of Hoffmann et al. 2022 is 20).
LEAST_SHARE, LEAST_TEXT = 2e6, 19.0
SMALLEST_TUNED = 4e8  # parameters; people tune no smaller model to follow instructions
# Llama 3 405B took 1.2 million steps; the reports of the other runs have fewer than a million.
MOST_USUAL_STEPS = 999_000
# One GPU adds up as many micro-batches as it has to; on a cluster a batch is spread instead.
MOST_ACCUMULATION, MOST_ALONE = 32, 512


def is_usual(job: Job, options: Options) -> bool:
    """Whether people run a job like this one: as fast, as long, with as many micro-batches.

    A length that the options give is not judged.
    """
    recipe, layout = job.recipe, job.layout
    seconds = step_time.step_seconds(job)
    whole = seconds * whole_run(job.schedule)
    longest = LONGEST_PRETRAINING if recipe.relative else LONGEST_TUNING
    shortest = SHORTEST_RUN_SECONDS if recipe.relative else SHORTEST_TUNING
    most = MOST_ACCUMULATION if layout.gpus > 8 else MOST_ALONE
    mfu = throughput.mfu(job, batch_tokens(job) / seconds)
    return (
        SHORTEST_STEP_SECONDS <= seconds <= (LONGEST_ROLLOUT if recipe.generates else LONGEST_STEP)
        and (_timed(options) or shortest <= whole <= longest)
        and (_timed(options) or whole_run(job.schedule) <= MOST_USUAL_STEPS)
        and layout.accumulation <= max(most, 4 * layout.pp)
        and (layout.pp == 1 or job.model.parameters >= STAGED)
        and (seconds >= SHORTEST_ON_CLUSTER or layout.gpus <= 8)
        and job.schedule.epochs <= MOST_EPOCHS
        and (mfu >= LOWEST_MFU or recipe.generates)
    )


def oddities(job: Job, options: Options) -> int:
    """How many traits of a job an expert would laugh at, if its GPUs are asked for."""
    recipe, layout, generates = job.recipe, job.layout, job.recipe.generates
    seconds = step_time.step_seconds(job)
    steps = whole_run(job.schedule)
    free = not _timed(options) and not job.framework.target_loss
    text = steps * batch_tokens(job) / job.model.active_parameters
    share = job.model.parameters / layout.gpus if layout.gpus > 8 else inf
    return sum((
        is_card(job.gpu) and layout.nodes > 1,
        not generates and throughput.mfu(job, batch_tokens(job) / seconds) < LOWEST_MFU,
        seconds > (LONGEST_ROLLOUT if generates else LONGEST_LINE_SECONDS),
        recipe.released and job.model.parameters < SMALLEST_TUNED,
        bool(job.framework.target_loss) and not is_benchmark(job.model),
        (share < LEAST_SHARE) + (share < LEAST_SHARE / 8),
        layout.gpus > 8 and recipe.adapter_rank > 0,
        layout.pp > 1 and (job.model.parameters < STAGED or holds_models_whole(job.gpu)),
        job.schedule.epochs > MOST_EPOCHS,
        free and not recipe.released and text < LEAST_TEXT and not is_named(options),
        free and seconds * steps > LONGEST_PRETRAINING,
    ))  # fmt: skip


def is_named(options: Options) -> bool:
    """Whether the options say which model it is, or how large."""
    asked = wanted(options)
    return asked.model is not None or is_sized(asked)


def remark(job: Job) -> str:
    """What to say of a job that fits into the memory and that nobody would wait for; or ""."""
    seconds = step_time.step_seconds(job)
    if seconds <= _PATIENCE * (LONGEST_ROLLOUT if job.recipe.generates else LONGEST_STEP):
        return ""
    from llmsim.text import units  # a plan says nothing

    step = units.seconds(seconds)
    return f"it fits, so it plays; nobody who pays for the power waits {step} for a step"


def sensible(job: Job, options: Options) -> bool:
    """Whether people would run this job, which is of no usual kind; values that options give are
    not judged.
    """
    recipe = job.recipe
    fewest = step_range(job.framework, recipe)[0]
    if job.framework.target_loss:
        from llmsim.planning.target import FEWEST  # other plans do without

        fewest = FEWEST
    asked, timed = wanted(options), _timed(options)
    seconds = step_time.step_seconds(job)
    usual = hyperparameters.usual_batch_tokens(recipe, parameter_count(job.architecture))
    lasts = (timed or job.schedule.steps >= fewest) and job.schedule.epochs <= MOST_EPOCHS
    mfu = throughput.mfu(job, batch_tokens(job) / seconds)
    runs_well = (
        seconds >= SHORTEST_STEP_SECONDS
        and (seconds <= LONGEST_LINE_SECONDS or not job.framework.logs_every_step)
        and (seconds * job.schedule.steps <= LONGEST_RUN_SECONDS or timed)
        and (batch_tokens(job) <= 2 * usual or options.batch is not None)
        and (mfu >= LOWEST_MFU or recipe.generates)
        and (seconds * job.schedule.steps >= SHORTEST_RUN_SECONDS or not recipe.relative or timed)
    )
    spread = options.gpus is not None or wish_of(asked) != FREE
    return bool((lasts or asked.dataset) and (runs_well or spread))


def _timed(options: Options) -> bool:
    """Whether the options say how long the run is."""
    asked = wanted(options)
    return bool(asked.steps or asked.tokens or asked.epochs or asked.first_step)
