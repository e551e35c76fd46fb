"""Which of data/llm_jobs.txt's kinds of job go with a framework and with what is given."""

from collections.abc import Mapping
from math import log

from llmsim.catalog import gpus, records
from llmsim.catalog.job_kinds import JobKind
from llmsim.catalog.records import Dataset, Model
from llmsim.dialects import registry
from llmsim.job.framework import Framework
from llmsim.job.recipes import NAMES, RECIPES
from llmsim.options.table import Options
from llmsim.options.wanted import wanted
from llmsim.planning.models import asked_model, is_tuned
from llmsim.typed import TypeVar

# Times the size: with sixteen times as many GPUs as a kind has, no model that people usually train
# with nanoGPT or llm.c has work for all of them.
MUCH_LARGER = 4.0

Named = TypeVar("Named", Model, Dataset)


def suiting(options: Options, framework: Framework) -> dict[str, JobKind]:
    """The kinds of job that go with the framework and with what is given, by their names."""
    return {
        name: kind
        for name, kind in _but_for_count(options, framework).items()
        if not options.gpus or stretch(kind, options.gpus) == 1.0
    }


def nearest(options: Options, framework: Framework) -> dict[str, JobKind]:
    """The kinds of job whose numbers of GPUs are the nearest to the given number, by their names,
    of the kinds that go with the framework and with what else is given.
    """
    able = {
        name: kind
        for name, kind in _but_for_count(options, framework).items()
        if asked_model(wanted(options)) or models_of(options, kind, framework)
    }
    far = {name: abs(log(stretch(kind, options.gpus or 1))) for name, kind in able.items()}
    return {name: kind for name, kind in able.items() if far[name] == min(far.values())}


def runs_clusters(options: Options, framework: Framework) -> bool:
    """Whether people run jobs with the given number of GPUs under the framework.

    One that splits no model needs a sequence for each GPU, and people give each two or more.
    """
    count = options.gpus or 1
    return any(
        asked_model(wanted(options)) or models_of(options, kind, framework)
        for kind in suiting(options, framework).values()
        if framework.parallelism.split or 2 * count <= kind.batch // min(kind.sequences)
    )


def stretch(kind: JobKind, count: int) -> float:
    """How many times as many GPUs these are as the nearest number of the kind; 1 within it."""
    return count / min(max(count, min(kind.gpus)), max(kind.gpus))


def _but_for_count(options: Options, framework: Framework) -> dict[str, JobKind]:
    """The kinds of job that go with all but the number of GPUs."""
    model = asked_model(wanted(options))
    gpu = None if options.gpu == "auto" else records.gpu_named(options.gpu)
    devices = [each for each in records.gpus() if registry.is_usual(framework, each)]
    return {
        kind.name: kind
        for kind in records.job_kinds(NAMES)
        if kind.recipe in framework.recipes
        and options.recipe in ("auto", kind.recipe)
        and (model is None or holds(kind, model))
        and any(gpus.is_built(each, kind.forms) for each in ([gpu] if gpu else devices))
        and _able(framework, dict(kind.asks))
    }


def _able(framework: Framework, asks: Mapping[str, str]) -> bool:
    """Whether a framework has what a kind asks for."""
    able = framework.parallelism
    has = {
        "mixture": not framework.dense_only,
        "ep": able.experts,
        "cp": able.context,
        "precision": asks.get("precision") in able.precisions,
        "base": able.four_bit_base,
    }
    ends = bool(framework.target_loss) == ("benchmark" in asks)
    return ends and all(has.get(name, True) for name in asks)


def holds(kind: JobKind, model: Model) -> bool:
    """Whether the model is of a kind's size, and a mixture where the kind is for them."""
    low, high = kind.models
    mixture = "mixture" in dict(kind.asks)
    return low <= model.active_parameters <= high and mixture == (model.experts > 1)


def is_benchmark(model: Model) -> bool:
    """Whether a benchmark's rules have a model of this size: a rule names its model."""
    kinds = records.job_kinds(NAMES)
    return any(holds(kind, model) for kind in kinds if "benchmark" in dict(kind.asks))


def offered(options: Options, rows: tuple[Named, ...]) -> tuple[Named, ...]:
    """The rows of a list from which a seed chooses: without jokes, the rows with sober names."""
    return rows if options.jokes else tuple(row for row in rows if not row.funny)


def models_of(
    options: Options, kind: JobKind, framework: Framework, scale: float = 1.0
) -> list[Model]:
    """The listed models of a kind's size that suit the framework. `scale` makes the size larger or
    smaller; if no model is as large or as small, it is the nearest one. If it is much larger, so
    are the models that suit the framework.
    """
    suiting = [
        model
        for model in offered(options, records.models())
        if ("mixture" in dict(kind.asks)) == (model.experts > 1)
        and registry.suits(framework, model, scale if scale >= MUCH_LARGER else 1.0)
        and not (RECIPES[kind.recipe].relative and is_tuned(model))
    ]
    low, high = (each * scale for each in kind.models)
    found = [model for model in suiting if low <= model.active_parameters <= high]
    if found or scale == 1.0 or not suiting:
        return found
    middle = log(low * high) / 2
    return [min(suiting, key=lambda model: abs(log(model.active_parameters) - middle))]
