"""What TRL logs beside the loss, by its names and in its order (1.16); none in pretraining.

    share of tokens guessed right = exp(-0.31 loss)

of tokens with this loss in nats (public TRL logs: 0.83 at 0.6, 0.72 at 1.1, 0.56 at 2.0, 0.14 at
5.9). Which names there are, and their values, each objective's module says.
"""

from math import ceil, exp

from llmsim.job.records import Job
from llmsim.physics.learning import objectives
from llmsim.physics.learning.objectives import Metrics

GUESSED = 0.31  # ln(share of tokens guessed right) / loss
EMPTY = 0.008  # what packing leaves of a sequence at most


def metrics(job: Job, step: int, first: int | None = None) -> Metrics:
    """(name, value) of what a step's line shows beside the loss; none in pretraining.

    Of the loss it tells of: this step's, or the mean since the step `first`.
    """
    logged = objectives.of(job).metrics
    return logged(job, step, first or step) if logged else ()


def held_out(job: Job, step: int) -> Metrics:
    """The same of an evaluation after this step's update."""
    logged = objectives.of(job).held_out
    return logged(job, step) if logged else ()


def accuracy(job: Job, step: int) -> float | None:
    """The share of held-out pairs ranked right, or of problems solved; None where none is."""
    share = objectives.of(job).accuracy
    return share(job, step) if share else None


def token_accuracy(nats: float) -> float:
    """The share of tokens guessed right at this loss, 0..1."""
    return exp(-GUESSED * max(0.0, nats))


def row_tokens(job: Job) -> float:
    """Mean tokens of a row of the data: a conversation, a pair with its prompt, or a problem."""
    return job.dataset.tokens / job.dataset.rows


def samples(job: Job) -> int:
    """What an epoch of a fine-tuning reads: packed sequences, or pairs or problems: the rows."""
    if job.recipe.row_sequences:
        return job.dataset.rows
    return ceil(job.dataset.tokens / (job.schedule.sequence * (1.0 - EMPTY / 2.0)))
