"""Draws everything that the options leave open from the seed: one candidate for each draw.

A given value is kept, and refused with the arithmetic when it cannot fit.
"""

from collections.abc import Callable, Iterable, Iterator

from llmsim.catalog import records
from llmsim.catalog.gpus import multiplies
from llmsim.catalog.records import Dataset, Gpu, Model
from llmsim.dialects import registry
from llmsim.dialects.registry import DEFAULT, framework_of, is_usual, runs_on
from llmsim.errors import PlanError, Setting
from llmsim.job.framework import Framework
from llmsim.job.layout import Layout, Parallelism
from llmsim.job.recipes import AUTO, RECIPES, Recipe
from llmsim.job.schedule import Decay
from llmsim.model.architecture import Architecture, parameter_count
from llmsim.options.job_options import MOST_GPUS
from llmsim.options.table import Options
from llmsim.options.wanted import Wanted, wanted
from llmsim.physics import noise
from llmsim.physics.hardware import memory
from llmsim.planning import hyperparameters
from llmsim.planning.given import (
    asked_dataset,
    asked_recipe,
    changed_gpu,
    decay_of,
    framework_of_release,
    refuse_uneven_groups,
)
from llmsim.planning.kinds import offered, runs_clusters
from llmsim.planning.models import (
    asked_model,
    config_of,
    counted,
    is_sized,
    is_tuned,
    padded,
    rank_of,
)
from llmsim.planning.parallelism import fits, fitting_layout, leanest_layout
from llmsim.planning.possible import (
    can_do,
    refuse_beyond,
    refuse_impossible,
    refuse_positions,
    refuse_uneven,
    wish_of,
)
from llmsim.planning.wish import FREE, Wish, unit
from llmsim.typed import NamedTuple, TypeVar

Row = TypeVar("Row", Model, Dataset, Gpu)

# Auto-sized clusters; a model that is asked for by name may need more.
CLUSTERS = (8, 16, 32, 64)
# Further cluster sizes that are tried if the batch or the layout is given.
SMALLER_CLUSTERS = (4, 2, 1)

# The largest auto-sized cluster for small models; a recipe has a limit of its own.
SMALL_MODEL, SMALL_CLUSTER = 3_000_000_000, 16

CODE, CODE_KINDS = "Code", ("code",)


class Candidate(NamedTuple):
    """One draw: framework, recipe, model, data, GPUs and layout; its schedule comes later."""

    framework: Framework
    recipe: Recipe
    model: Model
    config: Architecture
    dataset: Dataset
    gpu: Gpu
    layout: Layout
    sequence: int
    decay: Decay
    wanted: Wanted


def draw_candidate(options: Options, seed: int, index: int) -> Candidate:
    """The candidate of this index. Raises PlanError or CatalogError if nothing fits."""
    asked = wanted(options)
    framework = framework_of_release(framework_for(options, seed, asked), asked.release)
    if options.evaluate and not framework.evaluates:
        speaker, able = Setting("dialect", framework.name), Setting("dialect", DEFAULT)
        wish = Setting("evaluate")
        raise PlanError(speaker, " does not do ", wish, ": leave it out, or give ", able, ".")
    recipe = asked_recipe(RECIPES[_recipe(options, seed, framework)], asked)

    def drawn(stream: str, rows: Iterable[Row]) -> Row:
        by_name = {row.name: row for row in rows}
        return by_name[noise.choose(seed, f"plan/{stream}", by_name, index=index)]

    named = asked_model(asked)
    model = named or drawn("model", _models(options, recipe, framework))
    if framework.dense_only and (asked.experts or model.experts) > 1:
        reason = f" trains dense models, not {model.name}, a mixture of experts."
        raise PlanError(Setting("dialect", framework.name), reason)
    kinds = kinds_of_data(recipe, model, asked)
    dataset = asked_dataset(asked, kinds[0]) or drawn(
        "dataset", (each for each in offered(options, records.datasets()) if each.kind in kinds)
    )
    dataset = records.in_rows(dataset, recipe.kinds[0])
    precision = asked.precision or "bf16"
    devices = tuple(
        gpu for gpu in records.gpus() if is_usual(framework, gpu) and multiplies(gpu, precision)
    )
    if not devices:
        reason = f" runs on no GPU that multiplies in {precision}."
        raise PlanError(Setting("dialect", framework.name), reason)
    gpu = changed_gpu(_gpu(options, framework, lambda: drawn("gpu", devices)), asked)
    config = config_of(framework, model, asked)._replace(adapter_rank=rank_of(recipe, asked))
    model = counted(model, config, asked) if named or is_sized(asked) else model
    usual = framework.sequence or min(config.context, recipe.longest_sequence)
    sequence = asked.sequence or usual
    refuse_beyond(framework, config, wish_of(asked))
    refuse_positions(config, sequence)
    refuse_uneven(config, sequence, gpu, wish_of(asked))
    if config.family != "gpt2":  # rotary positions go on as far as a sequence does
        config = config._replace(context=max(config.context, sequence))
    demand = Demand(model, config, gpu, sequence, recipe, framework, wish_of(asked))
    layout = _cluster(options, demand, noise.bits(seed, "plan/cluster", index))
    config = padded(framework, config, layout.tp)
    if asked.group:
        refuse_uneven_groups(recipe, layout.dp * layout.micro_batch * layout.accumulation)
    # One pretraining in five keeps its learning rate and decays only at the end.
    stable = recipe.relative and noise.uniform(seed, "plan/decay") < 0.2
    decay = decay_of(framework, asked.decay, "wsd" if stable else recipe.decay)
    return Candidate(framework, recipe, model, config, dataset, gpu, layout, sequence, decay, asked)


def _models(options: Options, recipe: Recipe, framework: Framework) -> Iterator[Model]:
    """The listed models that a recipe can begin with and that suit a framework."""
    for model in offered(options, records.models()):
        if not (recipe.relative and is_tuned(model)) and registry.suits(framework, model):
            yield model


def framework_for(options: Options, seed: int, asked: Wanted) -> Framework:
    """The given framework, or one that suits the other given options."""
    if options.dialect not in registry.DRAWN:
        return framework_of(options.dialect)
    gpu = None if options.gpu == "auto" else records.gpu_named(options.gpu)
    model, wish = asked_model(asked), wish_of(asked)
    suiting = registry.suiting(options.recipe, gpu, model)
    if options.evaluate:
        suiting = {name: each for name, each in suiting.items() if framework_of(name).evaluates}
    if asked.family:
        suiting = {
            name: weight
            for name, weight in suiting.items()
            if asked.family in (framework_of(name).model_family, *framework_of(name).families)
        }
    if wish != FREE:
        suiting = {name: w for name, w in suiting.items() if can_do(framework_of(name), wish)}
    if options.gpus:
        clusters = {n: w for n, w in suiting.items() if runs_clusters(options, framework_of(n))}
        suiting = clusters or suiting
    suiting = suiting or {DEFAULT: 1}
    return framework_of(noise.choose(seed, "plan/dialect", suiting, [*suiting.values()]))


def kinds_of_data(recipe: Recipe, model: Model, asked: Wanted) -> tuple[str, ...]:
    """The kinds of data that the recipe trains this model on, or the kind that is asked for."""
    if asked.kind:
        return (asked.kind,)
    return CODE_KINDS if recipe.relative and is_for_code(model) else recipe.kinds


def is_for_code(model: Model) -> bool:
    """Whether a model's name says that it writes programs."""
    return CODE in model.name


def _recipe(options: Options, seed: int, framework: Framework) -> str:
    """The given recipe, or one of the framework's recipes."""
    if options.recipe == "auto":
        suiting = {name: AUTO[name] for name in framework.recipes if name in AUTO}
        suiting = suiting or dict.fromkeys(framework.recipes, 1)
        return noise.choose(seed, "plan/recipe", suiting, [*suiting.values()])
    if options.recipe not in framework.recipes:
        known = ", ".join(framework.recipes)
        reason = f" does not do {options.recipe}: it does {known}."
        raise PlanError(Setting("dialect", framework.name), reason)
    return options.recipe


def _gpu(options: Options, framework: Framework, drawn: Callable[[], Gpu]) -> Gpu:
    """The given accelerator, on which the framework must run, or a drawn one."""
    if options.gpu == "auto":
        return drawn()
    gpu = records.gpu_named(options.gpu)
    if not runs_on(framework, gpu):
        reason = f" does not run on {gpu.name}: it is for {framework.device}s."
        raise PlanError(Setting("dialect", framework.name), reason)
    return gpu


class Demand(NamedTuple):
    """A demand: the model, batch and layout for which a cluster needs room."""

    model: Model
    config: Architecture
    gpu: Gpu
    sequence: int
    recipe: Recipe
    framework: Framework
    wish: Wish

    @property
    def able(self) -> Parallelism:
        """How the framework can split a model."""
        return self.framework.parallelism

    def layout_on(self, gpus: int) -> Layout | None:
        """The layout on this number of GPUs; None if nothing fits."""
        reference = self.recipe.reference
        return fitting_layout(
            self.config, self.gpu, gpus, self._batch(), self.sequence, reference, self.able,
            self.wish,
        )  # fmt: skip

    def fits_on(self, gpus: int) -> bool:
        """Whether any layout fits on this number of GPUs."""
        reference = self.recipe.reference
        return fits(
            self.config, self.gpu, gpus, self._batch(), self.sequence, reference, self.able,
            self.wish,
        )  # fmt: skip

    def _batch(self) -> int:
        """Sequences of the global batch: the given number, or the recipe's usual one."""
        tokens = hyperparameters.usual_batch_tokens(self.recipe, parameter_count(self.config))
        return self.wish.batch or max(1, round(tokens / self.sequence))

    def refusal(self, gpus: int, asked: bool) -> PlanError:
        """The error that these GPUs cannot train it, with the arithmetic of the leanest layout.

        If the number of GPUs was not `asked` for, the sentence calls it the largest possible one.
        """
        refuse_impossible(self.config, self.gpu, gpus, self.wish, self.able)
        leanest = leanest_layout(
            self.config, self.gpu, gpus, self.sequence, self.recipe.reference, self.able, self.wish
        )
        if leanest is None or self._has_room(leanest):
            return self._undivided(gpus)
        arithmetic = explained(self.config, leanest, self.sequence, self.gpu)
        cluster = f"{gpus:,} x" if asked else f"any cluster of up to {gpus:,} x"
        speaker = Setting("dialect", self.framework.name)
        whole = () if self.able.split else (" with ", speaker, ", which splits no model")
        sentence = f"{self.model.name} does not fit on {cluster} {self.gpu.name}"
        return PlanError(sentence, *whole, f": {arithmetic}.")

    def _has_room(self, layout: Layout) -> bool:
        needed = memory.total(memory.estimate(self.config, layout, self.sequence))
        return needed <= memory.USABLE * memory.capacity(self.gpu)

    def _undivided(self, gpus: int) -> PlanError:
        """The error that no layout matches the given values, although the memory suffices."""
        batch = f"a batch of {self._batch():,} sequences"
        layout = f"any layout of {gpus:,} GPUs that you ask for"
        return PlanError(
            f"{batch} cannot be divided evenly on {layout}: leave out one of the numbers."
        )


def _cluster(options: Options, demand: Demand, draw: int) -> Layout:
    """A layout on the given number of GPUs, or on one of the small clusters that fit."""
    if gpus := _given_gpus(options, demand.wish):
        refuse_impossible(demand.config, demand.gpu, gpus, demand.wish, demand.able)
        layout = demand.layout_on(gpus)
        if layout is None:
            raise demand.refusal(gpus, asked=True)
        return layout
    fitting = [gpus for gpus in CLUSTERS if demand.fits_on(gpus)]
    if fitting:
        most = demand.recipe.largest_cluster
        if demand.model.active_parameters < SMALL_MODEL:
            most = min(most, SMALL_CLUSTER)
        enough = [gpus for gpus in fitting if gpus <= most] or fitting[:1]
        if layout := demand.layout_on(enough[draw % len(enough)]):
            return layout
    if demand.wish != FREE:
        return _wished(demand)
    gpus = CLUSTERS[-1]
    while (options.model != "auto" or options.job) and (gpus := gpus * 2) <= MOST_GPUS:
        if layout := demand.layout_on(gpus):
            return layout
    raise demand.refusal(min(gpus, MOST_GPUS), asked=False)


def _given_gpus(options: Options, wish: Wish) -> int:
    """The number of GPUs, if it is given or follows from the given ranks; otherwise 0."""
    if options.gpus:
        return options.gpus
    return unit(wish) if wish.dp and wish.tp and wish.pp else 0


def _wished(demand: Demand) -> Layout:
    """The smallest cluster, beside the usual ones, that has a layout with the given values."""
    each = unit(demand.wish)
    larger, gpus = [], each
    while gpus <= MOST_GPUS:
        larger.append(gpus)
        gpus *= 2
    for gpus in (*SMALLER_CLUSTERS, *larger):
        if layout := demand.layout_on(gpus):
            return layout
    if each > MOST_GPUS:
        raise PlanError(f"{each:,} GPUs are too many: a job has at most {MOST_GPUS:,}.")
    raise demand.refusal(larger[-1] if each > CLUSTERS[-1] else larger[0], asked=True)


def _tenths(size: int) -> int:
    """Tenths of a GB, rounded up, so that a sum that is too large never looks as if it fits."""
    return -(-size * 10 // memory.GB)


def explained(config: Architecture, layout: Layout, sequence: int, gpu: Gpu) -> str:
    """One sentence with the arithmetic; the parts shown add up to the total shown. GB = 1e9."""
    estimate = memory.estimate(config, layout, sequence)
    parts = {
        "weights": estimate.weights,
        "gradients": estimate.gradients,
        "optimizer": estimate.optimizer,
        "activations": estimate.activations,
        "logits": estimate.logits,
        "gathered": estimate.gathered,
        "CUDA context": estimate.context,
    }
    shown = {name: _tenths(size) for name, size in parts.items() if size}
    listed = " + ".join(f"{name} {tenths / 10:,.1f} GB" for name, tenths in shown.items())
    limit = memory.capacity(gpu)
    link = "but" if memory.total(estimate) > memory.USABLE * limit else "and"
    whole, have = sum(shown.values()) / 10, limit * 10 // memory.GB / 10
    return (
        f"{listed} = {whole:,.1f} GB per GPU, "
        f"{link} {gpu.name} has {have:,.1f} GB, of which 5 % stay free"
    )
