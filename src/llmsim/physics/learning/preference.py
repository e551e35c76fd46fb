"""Preference tuning (DPO): loss, reward margins and accuracy as three views of the same pairs.

    loss     = E[softplus(-(m + s z))]      margins of pairs are normal: mean m, deviation s
    accuracy = Phi(m / s)                   the share of pairs with a positive margin
    s        = k m + 0.3 sqrt(m)            of the noise-free course; k = 0.7 .. 1.15 by the run

m and s without units (beta times nats), loss in nats; DPO's loss is -ln sigmoid(margin) averaged
over pairs (Rafailov et al. 2023), so a mean margin alone, by Jensen's inequality, says less than
the loss. Model cards bear the normal law out: zephyr-7b-alpha m = 1.3699, accuracy 0.7812, loss
0.4605 (by the law 0.462); juanako-7b 1.2037, 0.7964, 0.4594 (0.437); zephyr-7b-gemma 0.5934,
0.7708, 0.5287 (0.509); zephyr-7b-beta 3.7963, 0.7812, 0.7496 (0.710). The spread fits these and
the first steps of these runs (m = 0.0048, accuracy 0.5385).

Pairs have tokens of their own, log-normally many, and padding, which TRL does not count among
num_tokens. Both rewards fall in a long run, the rejected ones faster. The noise of a batch moves
m, not s. margin = rewards/chosen - rewards/rejected; a reward is beta times the gain of the
answer's log-probability over the reference model's: logps = reference + reward / beta.
"""

from itertools import accumulate
from math import exp, expm1, fsum, log, log1p, sqrt

from llmsim.job.memo import remembered
from llmsim.job.recipes import PROMPT_TOKENS
from llmsim.job.records import Job, step_rows
from llmsim.physics import noise
from llmsim.physics.learning import benchmarks, gradient, loss, metrics
from llmsim.physics.learning.curve import Curve, capacity, value
from llmsim.physics.learning.objectives import (
    Effort,
    GradientShape,
    Metrics,
    Objective,
    Score,
    curve,
)

BETA = 0.1  # TRL's default
EARLY = 0.3  # factor of sqrt(m) in the spread
LEAST, MOST = 0.7, 1.15  # k
EASIEST, SIZE_PART = 0.56, 2.42  # nats of an answer's token: a constant, a factor of A / N**alpha
LENGTH_SPREAD = 0.5  # standard deviation of log(tokens of an example)
SHORTEST_ANSWER = 20.0  # tokens
TEST_PAIRS, PAIR_TOKENS = 2_000, 1_000  # of the benchmark; tokens of both answers

# The trapezoidal rule over a smooth density that ends in zeros: exact to about 1e-6.
_NODES = tuple(i / 4 for i in range(-20, 21))
_WEIGHTS = tuple(exp(-0.5 * z * z) for z in _NODES)
_WEIGHT = fsum(_WEIGHTS)


def preference_loss(margin: float, spread: float) -> float:
    """The mean of softplus(-x) over x ~ N(margin, spread**2), nats."""
    costs = [w * _softplus(-margin - spread * z) for z, w in zip(_NODES, _WEIGHTS, strict=True)]
    return fsum(costs) / _WEIGHT


@remembered(256)
def loss_spread(job: Job, step: int) -> float:
    """Standard deviation of the losses of single pairs, nats; 0 while all of them cost ln 2."""
    margin, spread = expected(job, step)
    if not spread:
        return 0.0
    costs = [_softplus(-margin - spread * z) for z in _NODES]
    mean = fsum([w * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
    square = fsum([w * cost * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
    return sqrt(max(0.0, square - mean * mean))


def pairs(job: Job) -> int:
    """Preference pairs in a batch: two sequences are one."""
    return step_rows(job)


def _softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


def _slope(job: Job) -> float:
    """The factor k of this run, chosen so that its lowest loss lies below the loss at its end.

    The lowest loss that s = k m + 0.3 sqrt(m) allows is about 0.409 + 0.42 (k - 0.9).
    """
    shape = curve(job)
    most = 0.9 + (shape.floor + shape.rest - 0.424) / 0.42
    slope = most - 0.15 * noise.uniform(job.seed, "dpo spread")
    return min(MOST, max(LEAST, slope))


@remembered(256)
def expected(job: Job, step: int) -> tuple[float, float]:
    """The noise-free margin and its spread in this step; both 0 while the policy is the reference.

    Found by halving: up to its lowest loss, at m = 1.5 / k**2, the loss falls with m.
    """
    wanted, slope = value(curve(job), job, step), _slope(job)

    def spread(margin: float) -> float:
        return slope * margin + EARLY * sqrt(margin)

    low, high = 0.0, 1.48 / slope**2
    if wanted >= log(2.0):
        return 0.0, 0.0
    for _ in range(26):
        middle = 0.5 * (low + high)
        if preference_loss(middle, spread(middle)) > wanted:
            low = middle
        else:
            high = middle
    return high, spread(high)


def margin_of(mean_loss: float, spread: float) -> float:
    """The mean margin whose pairs, of this spread, have this mean loss.

    Newton's steps on a convex falling function, from the left: without any spread the margin
    would be -ln(exp(loss) - 1), with it it is larger.
    """
    margin = -log(expm1(max(mean_loss, 1e-6))) + 0.0  # never -0
    for _ in range(50 if spread else 0):
        costs = [_sigmoid(-margin - spread * z) for z in _NODES]
        slope = fsum([w * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
        further = (preference_loss(margin, spread) - mean_loss) / slope
        margin += further
        if further < 1e-9:
            break
    return margin


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-x)) if x > -700.0 else 0.0


def ranked_right(margin: float, spread: float) -> float:
    """The share of pairs with a positive margin; none while the policy is the reference."""
    return noise.normal_share(margin / spread) if spread else 0.0


# --- the doors of the objective ----------------------------------------------------------


def _curve(job: Job) -> Curve:
    """The loss is ln 2 while the policy equals the reference model; it ends at 0.4 to 0.6."""
    end = noise.between(job.seed, "loss-end", 0.42, 0.58)
    start = log(2.0)
    return Curve(
        floor=0.0,
        rest=end,
        start=start,
        terms=((start - end, 4.0 / job.schedule.steps),),
        epoch_gain=0.9,
    )


def _sigma(job: Job, shape: Curve, clean: float, first: int, last: int) -> float:
    """Standard deviation of the mean loss over all pairs of these steps, nats."""
    return loss_spread(job, last) / sqrt(pairs(job) * (last - first + 1))


def _gradient(job: Job, tokens: int) -> GradientShape:
    return gradient.tuned(job, 3.0)


def _metrics(job: Job, step: int, first: int) -> Metrics:
    seen = pairs(job) * (step - first + 1)
    return _logged_metrics(job, step, loss.averaged(job, first, step), seen)


def _held_out(job: Job, step: int) -> Metrics:
    seen = pairs(job) * job.schedule.validation_batches
    return _logged_metrics(job, step, loss.validation(job, step), seen, "held-out ")


def _accuracy(job: Job, step: int) -> float:
    """The share of held-out pairs ranked right."""
    _, spread = expected(job, step)
    return ranked_right(margin_of(loss.validation(job, step), spread), spread)


def _scores(job: Job, step: int) -> tuple[Score, ...]:
    agreed = _accuracy(job, step)
    return (benchmarks.score(job, step, "preference", "acc", TEST_PAIRS, agreed),)


# --- metrics -----------------------------------------------------------------------------


def answer_nats(job: Job) -> float:
    """The reference model's loss per token of an answer, nats, by Chinchilla's law in its size.

    Public logs: 0.9..1.1 at 7B (zephyr: logps -260..-290), 2.2..2.4 at 160M on HH-RLHF.
    """
    luck = 0.93 + 0.14 * noise.uniform(job.seed, "dpo nats")
    return (EASIEST + SIZE_PART * capacity(job)) * luck


def _answer_tokens(job: Job) -> float:
    """Mean tokens of an answer: half of a pair without its prompt, cut to a sequence."""
    answers = (metrics.row_tokens(job) - PROMPT_TOKENS) / 2.0
    return max(SHORTEST_ANSWER, min(answers, job.schedule.sequence - PROMPT_TOKENS))


def _logged_metrics(job: Job, step: int, value: float, pairs: int, stream: str = "") -> Metrics:
    """The metrics that belong to a mean loss of this many pairs."""
    mean, spread = expected(job, step)
    margin = margin_of(value, spread)
    chosen = -0.6 * mean + 0.4 * margin
    rejected = chosen - margin
    ranked = ranked_right(margin, spread)

    def batch(what: str) -> float:
        return noise.normal(job.seed, f"{stream}dpo {what}", step) / sqrt(pairs)

    # The reference model's loss per token of an answer.
    tokens, nats = _answer_tokens(job), answer_nats(job)
    logps = -tokens * nats * (1.0 + 0.35 * batch("chosen")) + chosen / BETA
    worse = noise.between(job.seed, "dpo worse", 0.95, 1.2)
    other = -tokens * nats * worse * (1.0 + 0.35 * batch("rejected"))
    logits = noise.between(job.seed, "dpo logits", -2.8, -1.2)
    return (
        ("entropy", nats * (0.95 + 0.1 * batch("entropy")) / (1.0 + 0.05 * max(0.0, margin))),
        ("num_tokens", float(_tokens_seen(job)[step])),
        ("logits/chosen", logits + 0.1 * chosen + 0.2 * batch("logits")),
        ("logits/rejected", logits + 0.08 + 0.1 * rejected + 0.2 * batch("other logits")),
        ("mean_token_accuracy", metrics.token_accuracy(-logps / tokens)),
        ("rewards/chosen", chosen),
        ("rewards/rejected", rejected),
        ("rewards/accuracies", noise.part(job.seed, f"{stream}dpo accuracy", ranked, pairs, step)),
        ("rewards/margins", margin),
        ("logps/chosen", logps),
        ("logps/rejected", other + rejected / BETA),
    )  # fmt: skip


@remembered()
def _tokens_seen(job: Job) -> tuple[int, ...]:
    """Tokens, padding left out, of all examples after each step, from step 0 on."""
    batch, steps = job.schedule.global_batch, range(1, job.schedule.steps + 1)
    return (0, *accumulate(round(batch * _example_length(job, step)) for step in steps))


def _example_length(job: Job, step: int) -> float:
    """Mean tokens of a step's sequences; in a larger batch it is closer to the mean of all data."""
    mean = PROMPT_TOKENS + _answer_tokens(job)
    spread = sqrt((exp(LENGTH_SPREAD**2) - 1.0) / job.schedule.global_batch)
    length = mean * (1.0 + spread * noise.normal(job.seed, "example lengths", step))
    return min(float(job.schedule.sequence), max(0.2 * mean, length))


OBJECTIVE = Objective(
    curve=_curve,
    sigma=_sigma,
    gradient=_gradient,
    held_out_loss=loss.held_out,
    scores=_scores,
    effort=Effort(TEST_PAIRS, TEST_PAIRS * PAIR_TOKENS),
    metrics=_metrics,
    held_out=_held_out,
    accuracy=_accuracy,
)
