"""The model of a job: a listed one, one of a name that says its size, or one given by its sizes."""

from collections.abc import Iterator

from llmsim.catalog import records
from llmsim.catalog.records import LARGEST_MODEL, SMALLEST_MODEL, Model
from llmsim.errors import CatalogError, PlanError, Setting
from llmsim.job.framework import Framework
from llmsim.job.recipes import Recipe
from llmsim.model.architecture import (
    Architecture,
    active_parameter_count,
    config_for,
    latent_config,
    parameter_count,
)
from llmsim.options.wanted import Wanted
from llmsim.typed import Any

# Keys of a job file that are fields of an architecture under another name or the same.
_SIZES = {
    "layers": "layers",
    "hidden_size": "hidden_size",
    "heads": "heads",
    "kv_heads": "kv_heads",
    "head_dim": "head_dim",
    "ffn": "feed_forward",
    "vocabulary": "vocabulary",
    "context": "context",
    "experts": "experts",
    "active_experts": "active_experts",
    "shared_experts": "shared_experts",
    "dense_layers": "dense_layers",
    "kv_latent": "latent_width",
    "query_latent": "query_latent_width",
    "rope_dim": "rope_width",
    "tied": "tied",
}

# Megatron-LM's --make-vocab-size-divisible-by, by default.
PADDING = 128

# Marks in the names of fine-tuned models, which are not trained from random weights.
TUNED = ("Instruct", "Chat", "-it")

# A name's size counts where the exact count of weights is as near as this.
NEAR = 0.1


def config_of(framework: Framework, model: Model, wanted: Wanted) -> Architecture:
    """A model's architecture, of the family that the framework builds, with the sizes asked for.

    Raises PlanError for sizes that do not go together, or that the framework does not build.
    """
    if wanted.family not in (None, framework.model_family, *framework.families):
        family = f" builds models of the family {framework.model_family}, not {wanted.family}."
        raise PlanError(Setting("dialect", framework.name), family)
    if (wanted.family or framework.model_family) == "gpt2":
        from llmsim.model.gpt2 import gpt2_config

        asked = wanted.biases if framework.families else None  # by an argument, not in its code
        biased = framework.has_biases if asked is None else asked
        config = gpt2_config(model.parameters, biases=biased)
    else:
        size = model.parameters, model.active_parameters, model.experts
        builds = framework.parallelism.latent_attention
        config = (latent_config(*size) if builds else None) or config_for(*size)
    if wanted.biases not in (None, config.biases):
        biases = " gives its models biases." if config.biases else " gives its models no biases."
        raise PlanError(Setting("dialect", framework.name), biases)
    sizes = {
        field: value for key, field in _SIZES.items() if (value := getattr(wanted, key)) is not None
    }
    return _completed(config, sizes) if sizes else config


def padded(framework: Framework, config: Architecture, tensor_ranks: int) -> Architecture:
    """GPT-2's architecture with the rows that its embedding has on these tensor ranks.

    A trainer that is written for GPT-2 does not split it. Megatron-LM pads for each rank. MaxText
    takes the vocabulary as it is.
    """
    if config.family != "gpt2" or not framework.families or not framework.pads_gpts:
        return config
    return config._replace(padding=PADDING * tensor_ranks)


def _completed(config: Architecture, sizes: dict[str, Any]) -> Architecture:
    """The architecture with these sizes; a size that follows from another follows."""
    width, heads = sizes.get("hidden_size"), sizes.get("heads")
    if width and width != config.hidden_size:
        head = sizes.get("head_dim") or (64 if width < 2048 else 128)
        heads = heads or max(1, width // head)
        sizes = {"heads": heads, "feed_forward": _inner(config, width)} | sizes
    if heads and "head_dim" not in sizes:
        sizes["head_dim"] = (width or config.hidden_size) // heads or 1
    if heads and "kv_heads" not in sizes:
        same = config.kv_heads == config.heads or heads % config.kv_heads
        sizes["kv_heads"] = heads if same else config.kv_heads
    config = config._replace(**sizes)
    if config.heads % config.kv_heads:
        raise PlanError(f"{config.heads} heads are no multiple of kv_heads = {config.kv_heads}.")
    for sentence in _odd(config):
        raise PlanError(sentence)
    return config


def _odd(config: Architecture) -> Iterator[str]:
    """What of experts and latents does not go together."""
    if config.active_experts > config.experts:
        visited = f"active_experts = {config.active_experts}"
        yield f"{visited} are more than experts = {config.experts}."
    if config.dense_layers > config.layers:
        dense = f"dense_layers = {config.dense_layers}"
        yield f"{dense} are more than the model's {config.layers} layers."
    if (config.shared_experts or config.dense_layers) and config.experts == 1:
        yield "shared_experts and dense_layers are of a mixture: give experts, too."
    if config.family == "gpt2" and config.latent_width:
        yield "GPT-2 has no latent attention: leave out kv_latent."
    if (config.query_latent_width or config.rope_width) and not config.latent_width:
        yield "query_latent and rope_dim are of latent attention: give kv_latent, too."


def _inner(config: Architecture, width: int) -> int:
    """The feed-forward width of a model of this width in the proportion of another."""
    return max(1, round(config.feed_forward * width / config.hidden_size / 128)) * 128


def asked_model(wanted: Wanted) -> Model | None:
    """The model that is asked for by name; None where it is the planner's to choose.

    A name that says no size may stand beside sizes. Raises PlanError where it stands alone.
    """
    sized = wanted.layers is not None and wanted.hidden_size is not None
    if wanted.model is None:
        return Model("Custom", 10**9, 10**9, wanted.experts or 1) if sized else None
    try:
        return records.model_named(wanted.model)
    except CatalogError as error:
        if not sized:
            where = wanted.source or "the job"
            raise PlanError(f"[model] name in {where}: ", *error.args) from None
        return Model(wanted.model, 10**9, 10**9, wanted.experts or 1)


def counted(model: Model, config: Architecture, wanted: Wanted) -> Model:
    """The model with the weights that its sizes make, where its name says another number or none.

    Raises PlanError for a model of a size that the physics has no figures for.
    """
    exact = parameter_count(config)
    if abs(exact / model.parameters - 1) <= NEAR and wanted.model is not None:
        return model
    if not SMALLEST_MODEL <= exact <= LARGEST_MODEL:
        made = f"a model of these sizes has {exact:,} parameters"
        raise PlanError(f"{made}, but a model has 20M to 100T.")
    name = model.name if wanted.model is not None else f"Custom-{_short(exact)}"
    return Model(name, exact, active_parameter_count(config), config.experts)


def _short(count: int) -> str:
    """A count of weights as names have it: 124M, 1.1B, 405B."""
    scaled, unit = (count / 1e9, "B") if count >= 10**9 else (count / 1e6, "M")
    return f"{scaled:.3g}{unit}" if scaled < 1000 else f"{scaled:.0f}{unit}"


def is_sized(wanted: Wanted) -> bool:
    """Whether any of the model's sizes is asked for."""
    return any(getattr(wanted, key) is not None for key in _SIZES)


def rank_of(recipe: Recipe, wanted: Wanted) -> int:
    """The rank of the adapters that train; 0 where all weights do."""
    if wanted.rank and not recipe.adapter_rank:
        rank = f" trains all weights: leave out [recipe] rank = {wanted.rank}."
        raise PlanError(Setting("recipe", recipe.name), rank)
    return wanted.rank or recipe.adapter_rank


def is_tuned(model: Model) -> bool:
    """Whether a model's name says that it has been fine-tuned."""
    return any(mark in model.name for mark in TUNED)
