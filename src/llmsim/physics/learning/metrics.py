"""What TRL logs beside the loss, by its names and in its order (1.16); none in pretraining.

    share of tokens guessed right = exp(-0.31 loss)

of tokens with this loss in nats (public TRL logs: 0.83 at 0.6, 0.72 at 1.1, 0.56 at 2.0, 0.14 at
5.9). The module of each objective has the names and their values.
"""

from collections.abc import Callable
from math import exp, nan

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics.learning import bends, objectives
from llmsim.physics.learning.objectives import Metrics

GUESSED = 0.31  # ln(share of tokens guessed right) / loss


def metrics(job: Job, step: int, first: int | None = None) -> Metrics:
    """Pairs (name, value) that a step's line shows beside the loss; none in pretraining.

    They belong to the loss that the line shows: this step's, or the mean of steps first..step.
    """
    return _of(job, objectives.of(job).metrics, step, first or step)


def headlines(job: Job, step: int) -> Metrics:
    """The few of a step's metrics that have room in a line beside the loss; none for most
    objectives.
    """
    return _of(job, objectives.of(job).headlines, step)


def held_out(job: Job, step: int) -> Metrics:
    """Pairs (name, value) of an evaluation after this step's update."""
    return _of(job, objectives.of(job).held_out, step, updated=True)


def _of(
    job: Job, logged: Callable[..., Metrics] | None, step: int, *more: int, updated: bool = False
) -> Metrics:
    """What an objective logs of a step, if it logs any: no numbers where the run is broken.

    `updated` says that the model is the one after this step's update, which the next step meets.
    """
    if not logged:
        return ()
    if bends.broken(job, step + updated):
        return _nans(logged(_unbent(job), step, *more))
    return logged(job, step, *more)


@remembered()
def _unbent(job: Job) -> Job:
    """The job without bends, which keeps what its metrics have computed."""
    return job._replace(bends=())


# Of a model whose weights are not numbers, TRL compares, and no comparison with nan is true: no
# token and no pair is right, and no problem is solved. What it counts are numbers as before.
_COUNTED = ("num_tokens", "completions/", "clip_ratio/")
_NONE_RIGHT = {
    "mean_token_accuracy": 0.0, "rewards/accuracies": 0.0, "reward": 0.0, "reward_std": 0.0,
    "rewards/accuracy_reward/mean": 0.0, "rewards/accuracy_reward/std": 0.0,
    "frac_reward_zero_std": 1.0,
}  # fmt: skip


def _nans(values: Metrics) -> Metrics:
    """The same metrics of a model whose weights are not numbers any more."""
    return tuple(
        (name, value if name.startswith(_COUNTED) else _NONE_RIGHT.get(name, nan))
        for name, value in values
    )


def accuracy(job: Job, step: int) -> float | None:
    """The share of held-out pairs ranked right, or of problems solved; None for other
    objectives.
    """
    share = objectives.of(job).accuracy
    if share and bends.broken(job, step + 1):  # the update of this step has broken it
        return 0.0  # nothing that is not a number is right
    return share(job, step) if share else None


def token_accuracy(nats: float) -> float:
    """The share of tokens guessed right at this loss, 0..1."""
    return exp(-GUESSED * max(0.0, nats))


def row_tokens(job: Job) -> float:
    """Mean tokens of a row of the data: a conversation, a pair with its prompt, or a problem."""
    return job.dataset.tokens / job.dataset.rows
