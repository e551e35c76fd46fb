"""Language modelling on text: pretraining from random weights, and further training.

Pretraining has the three regimes of curve.py. In further training the loss first rises as the
learning rate warms up again, then falls slowly. gradient.py has the gradient norms. A run from
random weights has no noise at first: under the uniform distribution every token costs ln V.
"""

from math import exp, log, sqrt

from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.learning import batch_noise, benchmarks, gradient, loss, usual_rate
from llmsim.physics.learning.benchmarks import BENCHMARKS, Benchmark
from llmsim.physics.learning.curve import (
    ANNEAL,
    DATA_EXPONENT,
    DATA_SCALE,
    ENTROPY,
    Curve,
    capacity,
    data_offset,
    early,
    entropy,
    power_law,
    released,
    unclamped,
)
from llmsim.physics.learning.objectives import Effort, GradientShape, Objective, Score, curve_of

TOKEN_SHARE = 0.446  # part of the nats between unigram and asymptote that falls with the tokens
DOMAIN_TOKENS = 100e6  # tokens in which a trained model adapts to new data


def _curve(job: Job) -> Curve:
    return _further(job) if job.recipe.released else _from_scratch(job)


def _from_scratch(job: Job) -> Curve:
    """The curve of a run from random weights: unigrams, context, power law."""
    uniform = log(job.architecture.vocabulary)  # the loss of a model that knows nothing
    start = uniform + _first_excess(job)
    floor, below = entropy(job)
    rest = capacity(job) - below
    unigram = min(1.36 + 0.531 * uniform, 0.8 * uniform)
    to_learn = unigram - floor - rest - ANNEAL
    by_tokens = TOKEN_SHARE * to_learn
    # At D0 the law's B / D**beta is worth by_tokens: from there on the ladder follows it.
    scale = (DATA_SCALE / by_tokens) ** (1.0 / DATA_EXPONENT)
    usual = usual_rate.peak_learning_rate(job.model.parameters)
    return Curve(
        floor=floor,
        rest=rest,
        start=start,
        terms=power_law(by_tokens, batch_tokens(job), scale),
        early=early(job, start - unigram, to_learn - by_tokens),
        drop=start - unigram,
        anneal=ANNEAL,
        pace=min(1.0, job.schedule.peak_lr / usual),
        softplus_floor=below > 0.0,
    )


def _first_excess(job: Job) -> float:
    """Nats by which the first loss lies above ln V: .06 to .26 for GPT-2, .45 to .79 for 7B and 8B,
    1.44 for one mixture, .22 to .50 for 15B and 8x7B.
    """
    size = min(1.0, max(0.0, log(job.model.parameters / 300e6) / log(10.0)))
    luck = max(-1.8, min(1.8, noise.normal(job.seed, "loss-start")))
    return (0.15 + 0.27 * size) * exp((0.35 - 0.13 * size) * luck)


def _further(job: Job) -> Curve:
    """The curve of a trained model on new data."""
    floor, below = entropy(job)
    rest = released(job) - ENTROPY - below
    shift = noise.between(job.seed, "loss-shift", 0.10, 0.25)
    return Curve(
        floor=floor,
        rest=rest,
        start=floor + rest + shift,
        terms=power_law(shift, batch_tokens(job), DOMAIN_TOKENS),
        anneal=ANNEAL,
        rewarm=True,
        softplus_floor=below > 0.0,
    )


def _sigma(job: Job, curve: Curve, clean: float, first: int, last: int) -> float:
    """Standard deviation by the batch's tokens, nats; from random weights it first grows from 0."""
    full = batch_noise.sigma(job, curve, clean, first, last)
    if job.recipe.released:
        return full
    return full * min(1.0, max(0.0, (curve.start - clean) / curve.drop))


def _gradient(job: Job, tokens: int) -> GradientShape:
    luck, warmup = gradient.level(job), gradient.warmup(job)
    # 30M .59 to .71, 124M .27, 254M .23, BLOOM-176B .13 to .25.
    relative = job.model.parameters / 124e6
    size = float(relative**-0.62) if relative < 1.0 else float(min(8.0, relative) ** -0.225)
    if job.recipe.released:
        base = 0.3 * size * luck
        return GradientShape(base, 0.0, 0.0, warmup, 0.055, gradient.drift(job))
    # First steps: 30M 6.5, 124M 14.5, 254M 21; models of some billions, with a head of their own
    # and smaller initial weights, 4 to 12.
    early = 16.0 * (0.75 + 0.5 * noise.uniform(job.seed, "gradient-start"))
    early *= float(min(2.1, relative) ** 0.55) * float(max(1.0, min(16.0, relative / 4.0)) ** -0.45)
    # Half of the squared norm is the batch's own noise and shrinks with its tokens.
    base = 0.26 * size * sqrt(0.5 + 0.5 * 524_288 / tokens) * luck
    return GradientShape(base, 0.56 * luck, early, warmup, 0.055)


def _scores(job: Job, step: int) -> tuple[Score, ...]:
    return tuple(_benchmark(job, test, step) for test in BENCHMARKS)


def _benchmark(job: Job, test: Benchmark, step: int) -> Score:
    """A benchmark's score. Further training changes a released model's score by 0.01 to 0.03."""
    if job.recipe.released:
        luck = 2.0 * noise.uniform(job.seed, f"evaluation-nudge-{test.name}") - 1.0
        nudge = (0.01 if luck > 0 else -0.01) + 0.02 * luck
        known = benchmarks.interpolated(released(job), test.scores)
        share = max(test.scores[0], known + nudge * step / job.schedule.steps)
    else:
        curve = curve_of(job)
        at = curve.floor + unclamped(curve, job)(step) - data_offset(job)
        share = benchmarks.interpolated(at, test.scores)
    return benchmarks.score(job, step, test.name, test.metric, test.questions, share)


# lm-eval scores every choice of every question.
_EFFORT = Effort(
    sum(test.questions for test in BENCHMARKS),
    sum(test.questions * test.choices * test.tokens for test in BENCHMARKS),
)

OBJECTIVE = Objective(
    curve=_curve,
    sigma=_sigma,
    gradient=_gradient,
    held_out_loss=loss.held_out,
    scores=_scores,
    effort=_EFFORT,
    spikes=True,
)
