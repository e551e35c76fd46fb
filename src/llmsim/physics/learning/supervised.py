"""Supervised fine-tuning on conversations, of all weights or of low-rank adapters.

The entropy of a calibrated model equals its expected loss; metrics.py has the share of tokens that
it guesses right. Examples are packed into sequences by best fit, which leaves less than 1 % of
them empty. The benchmarks ROUGE-L and BLEU follow from the final loss.
"""

from itertools import accumulate
from math import log

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning import benchmarks, gradient, loss, metrics
from llmsim.physics.learning.benchmarks import ANSWER_TOKENS, ANSWERS
from llmsim.physics.learning.curve import Curve, data_offset
from llmsim.physics.learning.objectives import Effort, GradientShape, Metrics, Objective, Score


def _curve(job: Job) -> Curve:
    """The loss of the answers falls to about 1 within tens of steps, then a little with each epoch.

    The larger model answers better from the start: 1.6..2.0 at 1B, 1.1..1.4 at 34B. Adapters
    learn more slowly, and end a little higher.
    """
    adapters = job.recipe.adapter_rank > 0
    floor = 0.2
    size = log(job.model.parameters / 1e9)
    start = max(1.1, 1.8 - 0.156 * size) * noise.between(job.seed, "loss-start", 0.89, 1.11)
    end = min(1.05, max(0.8, 1.0 - 0.05 * size)) + 0.5 * max(-0.5, data_offset(job))
    end += noise.between(job.seed, "loss-end", -0.05, 0.05) + (0.08 if adapters else 0.0)
    end = min(end, start - (0.2 if adapters else 0.25))
    slow = 0.12  # nats of the fall that take the whole run
    return Curve(
        floor=floor,
        rest=end - floor,
        start=start,
        terms=(
            (start - end - slow, 1.0 / (30.0 if adapters else 12.0)),
            (slow, 3.0 / job.schedule.steps),
        ),
        epoch_gain=0.93 if adapters else 0.82,
    )


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
        ("num_tokens", float(_tokens_seen(job)[step])),
    )


@remembered()
def _tokens_seen(job: Job) -> tuple[int, ...]:
    """Tokens in all packed sequences after each step, from step 0 on, without their empty ends."""
    full, seed = job.schedule.sequence, job.seed
    batch, steps = job.schedule.global_batch, range(1, job.schedule.steps + 1)
    lengths = (full * (1.0 - metrics.EMPTY * noise.uniform(seed, "packed", s)) for s in steps)
    return (0, *accumulate(round(batch * length) for length in lengths))


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
    sigma=loss.batch_sigma,
    gradient=_gradient,
    held_out_loss=loss.held_out,
    scores=_scores,
    effort=Effort(ANSWERS, ANSWERS * ANSWER_TOKENS),
    metrics=_metrics,
    held_out=_held_out,
)
