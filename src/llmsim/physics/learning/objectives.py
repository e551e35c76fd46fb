"""The objectives of training. Each is a module of this folder with the same functions.

A recipe (job/recipes.py) names its objective, and the objective's module has a record OBJECTIVE
with the functions for its loss, its metrics, its benchmarks and its tokens. Other modules call
them through this one and need no recipe's name. A module is imported when the first job needs it.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module

from llmsim.job.memo import remembered
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.recipes import RECIPES, objective_missing
from llmsim.job.records import Job, batch_tokens
from llmsim.physics.learning.curve import Curve, Law, law
from llmsim.physics.speed import batch_ramp
from llmsim.typed import NamedTuple

Metrics = tuple[tuple[str, float], ...]


class GradientShape(NamedTuple):
    """The mean gradient norm of a job; see gradient.py."""

    base: float  # the norm at the end
    warm: float  # added during the warmup; it disappears soon after
    early: float  # excess of the first step; 0 for weights that were trained before
    warmup: float  # steps
    spread: float  # standard deviation of log norm
    drift: float = 0.0  # relative change from the first step to the last
    transient: float = 0.0  # what the first step of a fine-tuning lies above the level, relative
    with_loss: float = 0.17  # correlation with the noise of the loss
    outliers: float = 0.0165  # share of the steps
    outlier_power: float = 0.0  # of their power law; 0: an exponential


class Score(NamedTuple):
    """One line of an evaluation table. Value and standard error are shares or per cent."""

    name: str
    metric: str
    value: float
    stderr: float
    questions: int
    percent: bool = False  # true: the value is 0..100, as BLEU counts; false: 0..1


class Effort(NamedTuple):
    """The amount that an evaluation reads: each question once for each of its answers."""

    questions: int
    tokens: int


class Objective(NamedTuple):
    """The functions of an objective. Losses are in nats; optimizer steps count from 1."""

    # The noise-free loss: its own constants; `curve_of` below adds what all objectives share.
    curve: Callable[[Job], Curve]
    # Standard deviation of a loss averaged over steps first..last: (job, curve, clean loss, ...).
    sigma: Callable[[Job, Curve, float, int, int], float]
    # The parameters of the gradient norm in steps with this many tokens.
    gradient: Callable[[Job, int], GradientShape]
    # The loss on a part of the held-out data after a step, by the part's name.
    held_out_loss: Callable[[Job, int, str], float]
    # The benchmark scores after a step, and how much the benchmarks read.
    scores: Callable[[Job, int], tuple[Score, ...]]
    effort: Effort
    # Metrics beside the loss: of steps first..step as (job, step, first), and of an evaluation.
    metrics: Callable[[Job, int, int], Metrics] | None = None
    held_out: Callable[[Job, int], Metrics] | None = None
    # Of a single step's metrics the few that have room in a short line, in the same order.
    headlines: Callable[[Job, int], Metrics] | None = None
    # The share of held-out examples that are right after a step.
    accuracy: Callable[[Job, int], float] | None = None
    # Tokens of steps first..last, and of a validation after a step, where sequences are not full.
    tokens: Callable[[Job, int, int], int] = batch_ramp.tokens
    held_out_tokens: Callable[[Job, int], int] | None = None
    # A factor on the gradient norm of a step: the share of its samples that still teach.
    signal: Callable[[Job, int], float] | None = None
    # The mean loss of steps first..last where it is no curve with noise on it.
    training: Callable[[Job, int, int], float] | None = None
    # Whether the loss spikes now and then; see spikes.py.
    spikes: bool = False


@lru_cache(maxsize=64)
def _named(name: str) -> Objective:
    objective: Objective = import_module(f"llmsim.physics.learning.{name}").OBJECTIVE
    return objective


def of(job: Job) -> Objective:
    """The functions of the job's objective. Raises CatalogError if no module has them."""
    try:
        return _named(job.recipe.objective)
    except (ModuleNotFoundError, AttributeError):
        if _is_there(job.recipe.objective):
            raise  # a module has a mistake of its own
        known = {each.objective for each in RECIPES.values() if _is_there(each.objective)}
        raise objective_missing(job.recipe, sorted(known)) from None


def _is_there(name: str) -> bool:
    """Whether a module has this objective, or has a mistake of its own."""
    module = f"llmsim.physics.learning.{name}"
    try:
        return hasattr(import_module(module), "OBJECTIVE")
    except ModuleNotFoundError as error:
        return error.name != module
    except AttributeError:
        return True


@remembered()
def curve_of(job: Job) -> Curve:
    """The parameters of the job's noise-free loss."""
    epochs = job.schedule.epochs
    made = of(job).curve(job)
    return made._replace(epoch=max(1, steps_per_epoch(job)), last_epoch=epochs - 1)


@remembered()
def law_of(job: Job) -> Law:
    """The job's noise-free loss in nats as a function of the step, counted from 1; it keeps its
    latest values, which metrics ask for after the loss.
    """
    return lru_cache(64)(law(curve_of(job), job))


@remembered()
def held_out_law(job: Job) -> Law:
    """The noise-free loss in nats on held-out data, as a function of the step: without what a model
    gains on data that it reads again in a second epoch.
    """
    return law(curve_of(job)._replace(epoch_gain=1.0), job)


def signal(job: Job, step: int) -> float:
    """A factor on the gradient norm of this step: 1, but where samples cease to teach."""
    share = of(job).signal
    return share(job, step) if share else 1.0


def tokens(job: Job, first: int, last: int) -> int:
    """Tokens that the steps first..last train on, both included; padding does not count."""
    return of(job).tokens(job, first, last)


def held_out_tokens(job: Job, step: int) -> int:
    """Tokens of a validation after a step; padding does not count."""
    count = of(job).held_out_tokens
    return count(job, step) if count else job.schedule.validation_batches * batch_tokens(job)
