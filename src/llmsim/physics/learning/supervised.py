"""Supervised fine-tuning on conversations, of all weights or of low-rank adapters.

The entropy of a calibrated model equals its expected loss; metrics.py has the share of tokens that
it guesses right. Examples are packed into sequences by best fit, which leaves less than 1 % of
them empty. The benchmarks ROUGE-L and BLEU follow from the final loss.

Of 31 public runs: first loss 2.23 (quartiles 1.64 to 2.44), end 0.70 (0.33 to 1.34), mostly by
the data; the noise of a logged row is 0.084 (0.05 to 0.15) of its level, since conversations
differ more than pages of text do. With each epoch full fine-tuning falls by 0.09 to 0.47 nats,
adapters by 0 to 0.08, one in ten by 0.24 to 0.36.
"""

from math import exp, log

from llmsim.job.memo import remembered
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import balanced, noise
from llmsim.physics.learning import benchmarks, epochs, gradient, loss, metrics
from llmsim.physics.learning.benchmarks import ANSWER_TOKENS, ANSWERS
from llmsim.physics.learning.curve import Curve
from llmsim.physics.learning.epochs import EMPTY
from llmsim.physics.learning.objectives import Effort, GradientShape, Metrics, Objective, Score

ROW_NOISE, ROW_SPREAD = 0.084, 0.33  # of the level; of its logarithm from run to run
ROW_BATCH, ROW_POWER = 128, 0.25  # falls slowly with sequences and steps: rows are no mixture
LOUDEST = 0.2  # of the loss


def _curve(job: Job) -> Curve:
    """The loss of the answers falls within tens of steps, then a little with each epoch.

    What it ends at is the data's: answers of mathematics or code cost a third of a chat's. The
    larger model answers better from the start. Adapters learn more slowly.
    """
    adapters = job.recipe.adapter_rank > 0
    floor = 0.1
    size = log(job.model.parameters / 8e9)
    data = noise.normal(0, f"conversations of {job.dataset.name}")
    end = 0.85 * exp(0.5 * data + 0.25 * noise.normal(job.seed, "loss-end") - 0.03 * size)
    end = min(1.9, max(0.28, end * (1.08 if adapters else 1.0)))
    start = 2.05 * exp(0.12 * data + 0.18 * noise.normal(job.seed, "loss-start") - 0.09 * size)
    start = max(end + 0.25, start)
    slow = 0.1 * (start - end)  # nats of the fall that take the whole run
    return Curve(
        floor=floor,
        rest=end - floor,
        start=start,
        terms=(
            (start - end - slow, 1.0 / (30.0 if adapters else 12.0)),
            (slow, 3.0 / job.schedule.steps),
        ),
        epoch_gain=_epoch_gain(job, adapters),
    )


def _epoch_gain(job: Job, adapters: bool) -> float:
    """The factor on the loss above its floor after each epoch."""
    u = noise.uniform(job.seed, "loss-epoch")
    if not adapters:
        return 0.55 + 0.32 * u
    return 0.92 + 0.09 * u if u < 0.9 else 0.65


def _sigma(job: Job, curve: Curve, clean: float, first: int, last: int) -> float:
    """Standard deviation of the loss of a logged row, nats."""
    rows = job.schedule.global_batch * (last - first + 1) / ROW_BATCH
    return clean * min(LOUDEST, _loudness(job) / float(rows**ROW_POWER))


@remembered()
def _loudness(job: Job) -> float:
    """How noisy the run's rows are, a part of their level."""
    return ROW_NOISE * exp(ROW_SPREAD * max(-2.0, min(2.0, noise.normal(job.seed, "row noise"))))


def _gradient(job: Job, tokens: int) -> GradientShape:
    return gradient.supervised(job, 0.6 if job.recipe.adapter_rank else 1.0)


def _metrics(job: Job, step: int, first: int) -> Metrics:
    return _logged_metrics(job, step, loss.averaged(job, first, step))


def _held_out(job: Job, step: int) -> Metrics:
    return _logged_metrics(job, step, loss.validation(job, step), "held-out ")


def _logged_metrics(job: Job, step: int, value: float, stream: str = "") -> Metrics:
    unsure = 1.0 + 0.004 * noise.normal(job.seed, f"{stream}entropy", step)
    return (
        ("entropy", loss.expected(job, step) * unsure),
        ("mean_token_accuracy", metrics.token_accuracy(value)),
        ("num_tokens", float(_tokens_seen(job, step))),
    )


def _tokens_seen(job: Job, step: int) -> int:
    """Tokens in all packed sequences up to a step, without their empty ends.

    The empty part of a batch's sequences lies around half of the largest.
    """
    filled = step - epochs.unfilled(job, 1, step)
    empty = 0.5 * filled + 0.5 / balanced.FARTHEST * balanced.total(job.seed, "packed", step)
    return round(batch_tokens(job) * (filled - EMPTY * empty))


def _scores(job: Job, step: int) -> tuple[Score, ...]:
    overlap = max(0.05, 0.52 - 0.2 * loss.expected(job, step))
    rouge, stderr = benchmarks.mean(job, step, "rouge", overlap)
    bleu, _ = benchmarks.mean(job, step, "bleu", 0.4 * overlap)
    return (
        Score("rouge", "rougeL", rouge, stderr, ANSWERS),
        Score("bleu", "bleu", 100.0 * bleu, 100.0 * stderr, ANSWERS, percent=True),
    )


OBJECTIVE = Objective(
    curve=_curve,
    sigma=_sigma,
    gradient=_gradient,
    held_out_loss=loss.held_out,
    scores=_scores,
    effort=Effort(ANSWERS, ANSWERS * ANSWER_TOKENS),
    metrics=_metrics,
    held_out=_held_out,
)
