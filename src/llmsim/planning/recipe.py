"""The recipe of a job, with what a job file says of it."""

from llmsim.errors import PlanError, Setting
from llmsim.job.recipes import Recipe
from llmsim.options.wanted import Wanted


def asked_recipe(recipe: Recipe, wanted: Wanted) -> Recipe:
    """The recipe with the beta and the group that are asked for.

    Raises PlanError for a recipe that has no reference, or that samples no completions.
    """
    speaker = Setting("recipe", recipe.name)
    if wanted.beta is not None and not recipe.beta:
        raise PlanError(speaker, " has no reference that a beta could bind it to: leave it out.")
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
