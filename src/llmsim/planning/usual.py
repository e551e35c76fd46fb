"""The jobs that people run: draws one of data/llm_jobs.txt's kinds, and fills in the options.

What the options give is kept: only kinds that it goes with are drawn from, and only what is open is
filled in. Where no kind goes with it, the planner leaves more to chance (draw.py).
"""

from collections.abc import Mapping
from math import ceil, exp, log, log2, sqrt

from llmsim.catalog import gpus, records
from llmsim.catalog.job_kinds import JobKind
from llmsim.catalog.records import Dataset, Gpu, Model
from llmsim.dialects import registry
from llmsim.job.framework import Framework
from llmsim.job.recipes import RECIPES, Recipe
from llmsim.options.table import Options
from llmsim.options.wanted import ANYTHING, Wanted, wanted
from llmsim.physics import noise
from llmsim.planning.draw import kinds_of_data
from llmsim.planning.kinds import models_of, offered, stretch
from llmsim.planning.models import asked_model, is_sized
from llmsim.typed import Any

LARGEST_WHOLE = 6.0  # times the size of the kind's models, which a GPU of 80 GB still holds whole
MOST_SLICES = 4  # chips of a TPU's host, over which people cut tensors


def usual(
    options: Options,
    seed: int,
    index: int,
    framework: Framework,
    kinds: Mapping[str, JobKind],
    *,
    stretched: bool = False,
) -> Options | None:
    """The options with a usual job's values where they leave them open; None if nothing suits.

    The job is of one of the kinds, which are more than none: suiting(), or nearest() for a job
    that is `stretched` to the GPUs that are asked for. With n times as many GPUs as the kind has,
    its model and its batch are larger by the square root of n: so it is trained in the same time,
    if each parameter learns from as many tokens (Hoffmann et al. 2022).
    """
    asked = wanted(options)
    weights = [kind.weight for kind in kinds.values()]
    kind = kinds[noise.choose(seed, "plan/kind", kinds, weights, index)]
    recipe = RECIPES[kind.recipe]
    count = options.gpus or noise.pick(seed, "plan/gpus", kind.gpus, index)
    scale = 1.0 if framework.target_loss else sqrt(stretch(kind, count))
    if framework.max_parameters:  # each GPU has the whole model
        scale = min(scale, LARGEST_WHOLE)
    model = asked_model(asked) or _model(options, kind, framework, scale, seed, index)
    gpu = _gpu(options, kind, framework, count, seed, index)
    if model is None or gpu is None:
        return None
    sequence = asked.sequence or _sequence(kind, framework, seed, index)
    values: dict[str, Any] = {"recipe": kind.recipe, "gpu": gpu.name, "sequence": sequence}
    options = options._replace(dialect=framework.name)  # the one that the kind was drawn for
    if not is_sized(asked) and asked.model is None:
        values["model"] = model.name
    if not _spread(asked):
        values["gpus"] = count
        values["batch"] = asked.batch or _batch(kind, sequence, count, gpu, framework, stretched)
        if not stretched and gpus.holds_models_whole(gpu):
            values |= {"tp": 1, "pp": 1}
    if kind.tokens and not (asked.steps or asked.tokens or asked.epochs):
        low, high = (log(each) for each in kind.tokens)
        share = noise.uniform(seed, "plan/tokens", index)
        tokens = model.active_parameters * exp(low + (high - low) * share)
        if "batch" in values:
            values["steps"] = _two_digits(tokens / (values["batch"] * sequence))
        else:
            values["tokens"] = _two_digits(tokens)
        if asked.dataset is None and asked.data_tokens is None:
            data = _dataset(options, asked, recipe, model, tokens, seed, index)
            if data is None:
                return None
            values["dataset"] = data.name
    return _filled(options, asked, kind, values)


def _filled(options: Options, asked: Wanted, kind: JobKind, values: dict[str, Any]) -> Options:
    """The options with these values and what the kind asks for; what they give themselves stays."""
    beside = {name: _value(value) for name, value in kind.asks if value != "yes"}
    fields: dict[str, Any] = values | beside
    given = {name for name in fields if getattr(asked, name, None) is not None}
    free = {name: value for name, value in fields.items() if name not in given}
    flags = {name: value for name, value in free.items() if name in Options._fields}
    keys = {name: value for name, value in free.items() if name not in flags}
    if keys:
        job = (options.job or ANYTHING)._replace(**keys, lifted=True)
        options = options._replace(job=job)
    return options._replace(**flags)


def _value(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _spread(asked: Wanted) -> bool:
    """Whether the options say how the model is spread: a usual number of GPUs may not suit it."""
    return any((asked.dp, asked.tp, asked.pp, asked.accumulation, asked.micro_batch))


def _model(
    options: Options, kind: JobKind, framework: Framework, scale: float, seed: int, index: int
) -> Model | None:
    by_name = {model.name: model for model in models_of(options, kind, framework, scale)}
    return by_name[noise.choose(seed, "plan/model", by_name, index=index)] if by_name else None


def _gpu(
    options: Options, kind: JobKind, framework: Framework, count: int, seed: int, index: int
) -> Gpu | None:
    """A GPU of a kind's forms; cards stay within a node."""
    if options.gpu != "auto":
        return records.gpu_named(options.gpu)
    precision = dict(kind.asks).get("precision", "bf16")
    suiting = [
        gpu
        for gpu in records.gpus()
        if gpus.is_built(gpu, kind.forms)
        and registry.is_usual(framework, gpu)
        and gpus.multiplies(gpu, precision)
        and (not gpus.is_card(gpu) or count <= gpu.per_node)
    ]
    if not suiting:
        return None
    by_name = {gpu.name: gpu for gpu in suiting}
    return by_name[noise.choose(seed, "plan/gpu", by_name, [g.weight for g in suiting], index)]


def _sequence(kind: JobKind, framework: Framework, seed: int, index: int) -> int:
    if framework.sequence:
        return framework.sequence
    if framework.model_family == "gpt2":
        return min(kind.sequences[0], 1024)
    sequence: int = noise.pick(seed, "plan/sequence", kind.sequences, index)
    return sequence


def _dataset(
    options: Options,
    asked: Wanted,
    recipe: Recipe,
    model: Model,
    tokens: float,
    seed: int,
    index: int,
) -> Dataset | None:
    """A set that has enough tokens for the run; None if none has."""
    kinds = kinds_of_data(recipe, model, asked)
    by_name = {
        data.name: data
        for data in offered(options, records.datasets())
        if data.kind in kinds and data.tokens >= tokens
    }
    return by_name[noise.choose(seed, "plan/dataset", by_name, index=index)] if by_name else None


def _batch(
    kind: JobKind, sequence: int, count: int, gpu: Gpu, framework: Framework, stretched: bool
) -> int:
    """The sequences of a batch: as many tokens as the kind has, evenly shared by the GPUs.

    In a job that is stretched each GPU gets one or more, if the framework splits no model. If
    nobody cuts the layers over these GPUs, each group of GPUs that cut the tensors gets one or
    more.
    """
    larger = 2.0 ** round(log2(stretch(kind, count)) / 2)  # batches are powers of two
    batch = max(1, int(kind.batch * larger) // sequence)
    if stretched and not framework.parallelism.split:
        batch = max(batch, count)
    elif stretched and gpus.holds_models_whole(gpu):
        batch = max(batch, count // MOST_SLICES)
    return _shared(batch, count)


def _shared(batch: int, gpus: int) -> int:
    """About this many sequences, which the GPUs share evenly, or else groups of 2, 4, 8 ... GPUs.

    512 sequences cannot be shared by 1,000 GPUs as they are, and 500 can by pairs.
    """
    share = gpus
    while share > 1.5 * batch and share % 2 == 0:
        share //= 2
    return max(1, round(batch / share)) * share if share <= 1.5 * batch else batch


def _two_digits(number: float) -> int:
    """This number or a little more, as people type it."""
    whole = max(1, ceil(number))
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // unit) * unit
