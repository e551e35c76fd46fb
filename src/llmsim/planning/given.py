"""What options and a job file say of the data, the recipe and the framework; what is left open
stays the planner's choice."""

from llmsim.catalog import records
from llmsim.catalog.power_limits import limited
from llmsim.catalog.records import Dataset, Gpu
from llmsim.errors import CatalogError, PlanError, Setting
from llmsim.job.framework import CAPTURES, Capture, Framework
from llmsim.job.layout import Layout
from llmsim.job.recipes import Recipe
from llmsim.job.schedule import Decay
from llmsim.options.wanted import Wanted
from llmsim.text.wording import either, one_of
from llmsim.typed import Any


def changed_gpu(gpu: Gpu, wanted: Wanted) -> Gpu:
    """The GPU with the power limit and the network that are asked for.

    Raises PlanError for a power limit above the usual one.
    """
    watts = wanted.power_limit_watts
    if watts and watts > gpu.tdp_watts:
        most = f"the most that {gpu.name} may draw is {gpu.tdp_watts} W"
        raise PlanError(f"[cluster] power_limit_watts = {watts}: {most}.")
    if watts and watts < gpu.tdp_watts:
        gpu = limited(gpu, watts)
    return gpu._replace(nic_gb_s=wanted.nic_gb_s) if wanted.nic_gb_s else gpu


def asked_dataset(wanted: Wanted, kind: str) -> Dataset | None:
    """The data set that is asked for by name or size; None where it is the planner's to choose.

    `kind` is that of a set which does not say its own. Raises PlanError for a name that is not
    listed and has no tokens beside it.
    """
    if wanted.dataset is None and wanted.data_tokens is None:
        if wanted.rows is not None:
            raise PlanError("[data] rows needs a data set: give its name or its tokens.")
        return None
    listed = _listed(wanted)
    changed: dict[str, Any] = {
        "tokens": wanted.data_tokens,
        "kind": wanted.kind,
        "rows": wanted.rows,
    }
    made = listed or Dataset(wanted.dataset or "custom", 1, kind)
    dataset = made._replace(**{name: value for name, value in changed.items() if value is not None})
    if dataset.rows > dataset.tokens:
        more = f"[data] has {dataset.rows:,} rows, more than its {dataset.tokens:,} tokens"
        raise PlanError(f"{more}: a row has one or more.")
    return dataset


def _listed(wanted: Wanted) -> Dataset | None:
    """The listed set of this name; None where tokens say how large another one is."""
    if wanted.dataset is None:
        return None
    try:
        return records.dataset_named(wanted.dataset)
    except CatalogError as error:
        if wanted.data_tokens is None:
            where = wanted.source or "the job"
            raise PlanError(f"[data] name in {where}: ", *error.args) from None
        return None


def asked_recipe(recipe: Recipe, wanted: Wanted) -> Recipe:
    """The recipe with the beta and the group that are asked for.

    Raises PlanError for a recipe that has no reference, or that samples no completions.
    """
    speaker = Setting("recipe", recipe.name)
    if wanted.beta is not None and not recipe.beta:
        raise PlanError(speaker, " has no reference model, so it takes no beta: leave it out.")
    if wanted.group is not None and not recipe.generates:
        raise PlanError(speaker, " samples no completions: leave out [recipe] group.")
    changed = recipe._replace(beta=recipe.beta if wanted.beta is None else wanted.beta)
    return changed._replace(row_sequences=wanted.group) if wanted.group else changed


def refuse_uneven_groups(recipe: Recipe, sequences: int) -> None:
    """Raises PlanError for a batch that is no whole number of groups of completions."""
    if recipe.generates and sequences % recipe.row_sequences:
        batch = f"a batch of {sequences:,} completions"
        groups = f"[recipe] group = {recipe.row_sequences}"
        raise PlanError(f"{batch} is no multiple of {groups}: give a batch that is.")


def release_of(framework: Framework, asked: str | None) -> str:
    """The name of the release: the given one, or the dialect's usual one.

    Raises PlanError for a release that the dialect does not speak.
    """
    known = tuple(filter(None, (framework.release, *(name for name, _ in framework.older))))
    if asked is None or asked == "auto":
        return framework.release
    if asked in known:
        return asked
    speaker = Setting("dialect", framework.name)
    if not known:
        raise PlanError(
            speaker, " has no releases to choose from: leave ", Setting("release"), " out."
        )
    raise PlanError(speaker, f" does not speak release {asked}: {one_of(known, asked)}")


def framework_of_release(framework: Framework, asked: str | None) -> Framework:
    """The framework as the given release of it is: an older one has some traits of its own."""
    if asked not in [name for name, _ in framework.older]:
        return framework
    traits: dict[str, Any] = dict(framework.older_traits)
    return framework._replace(**traits)


def decay_of(framework: Framework, asked: Decay | None, drawn: Decay) -> Decay:
    """How the learning rate falls: as asked, or as drawn if the framework's schedules can do it.

    Raises PlanError for what is asked for and cannot be.
    """
    if asked and asked not in framework.decays:
        reason = f" has no learning rate that falls as {asked}: give {either(framework.decays)}."
        raise PlanError(Setting("dialect", framework.name), reason)
    return asked or (drawn if drawn in framework.decays else framework.decays[0])


def capture_of(framework: Framework, layout: Layout, asked: str | None) -> Capture:
    """What the log holds: the given output; or one node's, which is all that a small job has; or
    of several nodes what people of this framework keep.
    """
    for capture in CAPTURES:
        if asked == capture:
            return capture
    most = framework.streams_nodes or layout.nodes
    return "node" if layout.nodes == 1 or layout.nodes > most else framework.capture
