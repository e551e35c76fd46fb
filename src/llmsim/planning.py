"""plan(options): draws a job from the seed and checks that it fits.

What the options leave open is drawn again and again (each draw has its own index) until
model, data set, GPU and cluster suit each other; what they force is taken as it is, and
refused with the arithmetic when it cannot fit.
"""

from collections.abc import Callable
from math import ceil, exp, log
from typing import NamedTuple, TypeVar

from llmsim import catalog, naming, recipes, voices
from llmsim.architecture import Architecture, parameter_count, shape_for
from llmsim.catalog import Dataset, Gpu, Model
from llmsim.job import Decay, Job, Layout, Schedule, batch_tokens, step_data_tokens
from llmsim.layout import fitting_layout, leanest_layout
from llmsim.options import MOST_GPUS, Options, command
from llmsim.physics import compute, memory, noise, schedule
from llmsim.recipes import RECIPES, Recipe
from llmsim.software import drawn_software
from llmsim.voices import VOICES, Voice, device_of, voice_named

T = TypeVar("T")

# Draws before an odd but possible combination is taken.
DRAWS = 60

# Auto-sized clusters; a model that is asked for by name may need more.
CLUSTERS = (8, 16, 32, 64)

# A run shows about this many logged steps
LOGGED_STEPS = 210
# and about this many validations.
VALIDATIONS = 8
# A checkpoint comes every two hours or so, but a run has at most about so many.
SAVE_SECONDS, MOST_SAVES = 2 * 3600, 12

# Auto-planned runs end within four days and take at least this long per step.
LONGEST_RUN_SECONDS = 4 * 86_400
SHORTEST_STEP_SECONDS = 0.1
# Nobody would leave a cluster at less than this.
LOWEST_MFU = 0.12

# Passes over the data up to which repeated tokens are worth nearly as much as fresh ones
# (Muennighoff et al. 2023, "Scaling data-constrained language models").
MOST_EPOCHS = 4

# At least so many steps, however small the data or slow the cluster.
FEWEST_STEPS = 100

SMALLEST_MODEL = 20_000_000
ROUND_NUMBERS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000)

# Marks of models that somebody has fine-tuned: they are not trained from random weights.
TUNED = ("Instruct", "Chat", "-it")
CODE, CODE_KINDS = "Code", ("code",)

# The largest auto-sized cluster for little work: adapters, fine-tuning, and small models.
LITTLE_WORK = {"lora": 8, "sft": 32, "dpo": 32, "grpo": 32}
SMALL_MODEL, SMALL_CLUSTER = 3_000_000_000, 16
# A pretraining that is over sooner than this is not worth a cluster.
SHORTEST_RUN_SECONDS = 1200


class PlanError(ValueError):
    """Options that no job satisfies; says why, with the arithmetic."""


class _Draft(NamedTuple):
    """One draw: what trains on what, before the schedule."""

    dialect: str
    recipe: str
    model: Model
    shape: Architecture
    dataset: Dataset
    gpu: Gpu
    layout: Layout
    sequence: int
    decay: Decay


def plan(options: Options) -> Job:
    """The job that the options and their seed name. `seed` and `start` must be set.

    Raises PlanError or CatalogError, a sentence that says what would be right.
    """
    if options.seed is None or options.start is None:
        raise PlanError("plan() needs a seed and a start: the host draws them.")
    refusal: PlanError | None = None
    odd: Job | None = None
    for index in range(DRAWS):
        try:
            job = _job(options, options.seed, index)
        except PlanError as error:
            refusal = error
            continue
        if _sensible(job, options):
            return job
        odd = odd or job
    if odd is not None:
        return odd
    raise refusal or PlanError("nothing fits.")


def _draft(options: Options, seed: int, index: int) -> _Draft:
    dialect = _dialect(options, seed)
    voice = voice_named(dialect) or VOICES["pytorch"]
    name = _recipe(options, seed, dialect, voice)
    recipe = RECIPES[name]

    def drawn(stream: str, items: tuple[T, ...]) -> T:
        return noise.pick(seed, f"plan/{stream}", items, index)

    models = tuple(m for m in catalog.models() if not (recipe.relative and is_tuned(m)))
    model = (
        drawn("model", models) if options.model == "auto" else catalog.model_named(options.model)
    )
    if model.parameters < SMALLEST_MODEL:
        raise PlanError(f"--model {model.name} is too small: give a size of 20M or more.")
    kinds = CODE_KINDS if recipe.relative and is_for_code(model) else recipe.kinds
    dataset = (
        drawn("dataset", tuple(d for d in catalog.datasets() if d.kind in kinds))
        if options.dataset == "auto"
        else catalog.dataset_named(options.dataset)
    )
    devices = tuple(gpu for gpu in catalog.gpus() if device_of(gpu) == voice.device)
    gpu = _gpu(options, dialect, voice, lambda: drawn("gpu", devices))
    shape = shape_for(model.parameters, model.active_parameters, model.experts)
    shape = shape._replace(adapter_rank=recipe.adapter_rank)
    sequence = min(shape.context, recipe.longest_sequence)
    need = _Need(model, shape, gpu, sequence, name, recipe)
    layout = _cluster(options, need, noise.bits(seed, "plan/cluster", index))
    # One pretraining in five holds its rate and decays at the end.
    stable = recipe.relative and noise.uniform(seed, "plan/decay") < 0.2
    decay = "wsd" if stable else recipe.decay
    return _Draft(dialect, name, model, shape, dataset, gpu, layout, sequence, decay)


def _dialect(options: Options, seed: int) -> str:
    """The dialect that is asked for, or one that suits what is asked for."""
    if options.dialect != "auto":
        return options.dialect
    gpu = None if options.gpu == "auto" else catalog.gpu_named(options.gpu)
    suiting = voices.suiting(options.recipe, gpu)
    return noise.pick(seed, "plan/dialect", suiting or ("pytorch",))


def is_tuned(model: Model) -> bool:
    """Whether a model's name says that it has been fine-tuned."""
    return any(mark in model.name for mark in TUNED)


def is_for_code(model: Model) -> bool:
    """Whether a model's name says that it writes programs."""
    return CODE in model.name


def _recipe(options: Options, seed: int, dialect: str, voice: Voice) -> str:
    """The recipe that is asked for, or one of those that the dialect is for."""
    if options.recipe == "auto":
        suiting = [recipe for recipe in recipes.AUTO if recipe in voice.recipes]
        return noise.pick(seed, "plan/recipe", suiting or voice.recipes)
    if options.recipe not in voice.recipes:
        known = ", ".join(voice.recipes)
        raise PlanError(f"--dialect {dialect} does not do {options.recipe}: it does {known}.")
    return options.recipe


def _gpu(options: Options, dialect: str, voice: Voice, drawn: Callable[[], Gpu]) -> Gpu:
    """The accelerator that is asked for, which the dialect must know, or a drawn one."""
    if options.gpu == "auto":
        return drawn()
    gpu = catalog.gpu_named(options.gpu)
    if device_of(gpu) != voice.device:
        raise PlanError(f"--dialect {dialect} does not run on {gpu.name}: give a {voice.device}.")
    return gpu


class _Need(NamedTuple):
    """What a cluster has to hold."""

    model: Model
    shape: Architecture
    gpu: Gpu
    sequence: int
    recipe_name: str
    recipe: Recipe

    def layout_on(self, gpus: int) -> Layout | None:
        """How it is spread over so many GPUs, if it fits."""
        wanted = recipes.batch_tokens(self.recipe, parameter_count(self.shape)) / self.sequence
        return fitting_layout(
            self.shape, self.gpu, gpus, max(1, round(wanted)), self.sequence, self.recipe.reference
        )

    def refusal(self, gpus: int) -> PlanError:
        """Why it cannot train on these GPUs, with the arithmetic of the leanest layout."""
        leanest = leanest_layout(self.shape, self.gpu, gpus, self.sequence, self.recipe.reference)
        arithmetic = memory.explain(self.shape, leanest, self.sequence, self.gpu)
        return PlanError(
            f"{self.model.name} does not fit on {gpus:,} x {self.gpu.name}: {arithmetic}."
        )


def _cluster(options: Options, need: _Need, draw: int) -> Layout:
    """A layout on as many GPUs as asked for; else on one of the small clusters that fit."""
    if options.gpus:
        layout = need.layout_on(options.gpus)
        if layout is None:
            raise need.refusal(options.gpus)
        return layout
    layouts = [need.layout_on(gpus) for gpus in CLUSTERS]
    fitting = [layout for layout in layouts if layout]
    if fitting:
        most = LITTLE_WORK.get(need.recipe_name, CLUSTERS[-1])
        if need.model.active_parameters < SMALL_MODEL:
            most = min(most, SMALL_CLUSTER)
        enough = [layout for layout in fitting if layout.gpus <= most] or fitting[:1]
        return enough[draw % len(enough)]
    gpus = CLUSTERS[-1]
    while options.model != "auto" and (gpus := gpus * 2) <= MOST_GPUS:
        if layout := need.layout_on(gpus):
            return layout
    raise need.refusal(min(gpus, MOST_GPUS))


def _sensible(job: Job, options: Options) -> bool:
    """Whether somebody would run this; what is asked for is not held against it."""
    recipe = RECIPES[job.recipe]
    fewest = step_range(job.dialect, recipe)[0]
    seconds = compute.step_seconds(job)
    usual = recipes.batch_tokens(recipe, parameter_count(job.architecture))
    lasts = job.schedule.steps >= fewest and job.schedule.epochs <= MOST_EPOCHS
    mfu = compute.mfu(job, batch_tokens(job) / seconds)
    runs_well = (
        seconds >= SHORTEST_STEP_SECONDS
        and seconds * job.schedule.steps <= LONGEST_RUN_SECONDS
        and batch_tokens(job) <= 2 * usual
        and (mfu >= LOWEST_MFU or job.recipe == "grpo")
        and (seconds * job.schedule.steps >= SHORTEST_RUN_SECONDS or not recipe.relative)
    )
    return (lasts or options.dataset != "auto") and (runs_well or options.gpus is not None)


def _job(options: Options, seed: int, index: int) -> Job:
    assert options.start is not None
    draft = _draft(options, seed, index)
    layout, per_node = draft.layout, noise.uniform(seed, "plan/storage")
    job = Job(
        seed=seed,
        start=options.start,
        recipe=draft.recipe,
        model=draft.model,
        architecture=draft.shape,
        dataset=draft.dataset,
        gpu=draft.gpu,
        layout=layout,
        schedule=_schedule(draft, FEWEST_STEPS, epochs=1),  # only to time a step
        software=drawn_software(seed, draft.gpu, options.start),
        run_name=naming.run_name(seed),
        cluster=naming.cluster_name(seed),
        # A parallel file system grows with the cluster: 2 to 5 GB/s a node, up to
        # the 2 TB/s that Llama 3's storage sustained (Llama 3 paper, section 3.3.1).
        storage_gb_s=min(2000.0, round(layout.nodes * (2 + 3 * per_node), 1)),
        command=command(options),
        dialect=draft.dialect,
        tidy=options.tidy,
        # One run in three saves in the background, if its framework can.
        background_saves=noise.uniform(seed, "plan/saves") < 1 / 3
        and not (voice_named(draft.dialect) or VOICES["pytorch"]).waits_for_saves,
    )
    steps, epochs = _length(job, noise.uniform(seed, "plan/steps", index))
    return job._replace(schedule=_schedule(draft, steps, epochs, compute.step_seconds(job)))


def _length(job: Job, draw: float) -> tuple[int, int]:
    """As many steps and epochs as can be shown, the data lasts for and the GPUs can do.

    Text is read once, if there is enough; sets for fine-tuning are read as a whole, some times.
    """
    recipe = RECIPES[job.recipe]
    fewest, most = step_range(job.dialect, recipe)
    affordable = LONGEST_RUN_SECONDS / compute.step_seconds(job)
    supply = job.dataset.tokens / step_data_tokens(job)  # steps in one pass over all of the data
    epochs = 1 + noise.bits(job.seed, "plan/epochs") % recipe.epochs
    if not recipe.relative and FEWEST_STEPS <= supply * epochs <= min(most, affordable):
        return int(supply * epochs), epochs
    wanted = exp(log(fewest) + draw * log(most / fewest))  # log-uniform
    steps = max(FEWEST_STEPS, min(wanted, affordable, supply * MOST_EPOCHS))
    return round(steps), ceil(steps / supply)


def tells_every_step(dialect: str) -> bool:
    """Whether the dialect logs each step of a run."""
    voice = voice_named(dialect)
    return voice is not None and voice.every_step


def step_range(dialect: str, recipe: Recipe) -> tuple[int, int]:
    """The fewest and most steps of a run; no more than can be shown if each step is told."""
    fewest, most = recipe.steps
    if tells_every_step(dialect):
        return LOGGED_STEPS, 2 * LOGGED_STEPS
    return fewest, most


def round_number(value: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 25, 50 ... that is not above the value; at least 1."""
    return max(number for number in ROUND_NUMBERS if number <= max(1, value))


def _schedule(draft: _Draft, steps: int, epochs: int, step_seconds: float = 1.0) -> Schedule:
    """About `steps` steps, with the intervals that somebody would type.

    Epochs and validations are whole logging intervals, so that all of them end on logged steps.
    """
    layout, recipe = draft.layout, RECIPES[draft.recipe]
    parameters = parameter_count(draft.shape)
    log_every = 1 if tells_every_step(draft.dialect) else round_number(steps / LOGGED_STEPS)
    # Down, never up: an epoch has no more tokens than the data set.
    per_epoch = max(1, int(steps / epochs / log_every)) * log_every
    if epochs == 1:
        per_epoch = _two_digits(per_epoch, log_every)
    steps = per_epoch * epochs
    validate_every = near_number(steps / VALIDATIONS, log_every)
    hours = min(steps / 4, SAVE_SECONDS / step_seconds)
    save_every = near_number(max(hours, steps / MOST_SAVES), log_every)
    warmup = min(steps * recipe.warmup, schedule.warmup_steps(parameters, steps))
    peak = recipes.peak_rate(recipe, parameters)
    global_batch = layout.data * layout.micro_batch * layout.accumulation
    return Schedule(
        steps=steps,
        warmup=near_number(warmup, 1),
        peak_lr=peak,
        final_lr=peak * recipe.final_rate,
        decay=draft.decay,
        sequence=draft.sequence,
        global_batch=global_batch,
        epochs=epochs,
        log_every=log_every,
        validate_every=min(steps, validate_every),
        validation_batches=max(4, round(recipe.held_out / (global_batch * draft.sequence))),
        save_every=min(steps, save_every),
    )


def _two_digits(steps: int, log_every: int) -> int:
    """The steps cut to two digits, where that leaves whole logging intervals."""
    unit = 10 ** max(0, len(str(steps)) - 2)
    cut = steps // unit * unit
    return cut if cut and cut % log_every == 0 else steps


def near_number(value: float, multiple: int) -> int:
    """The number that is nearest to the value, of 1, 2, 5, 10 ... times powers of ten and such.

    It is a whole multiple of `multiple`; at least that.
    """
    round_numbers = [number for number in ROUND_NUMBERS if number % multiple == 0]
    return min(round_numbers, key=lambda number: abs(log(number / max(value, 1.0))))
