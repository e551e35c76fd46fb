"""Preference tuning (DPO): loss, reward margins and accuracy as three views of the same pairs.

    loss     = E[softplus(-(m + s z))]      margins of pairs are normal: mean m, deviation s
    accuracy = Phi(m / s)                   the share of pairs with a positive margin

m and s without units (beta times nats), loss in nats; DPO's loss is -ln sigmoid(margin) averaged
over pairs (Rafailov et al. 2023), so a mean margin alone, by Jensen's inequality, says less than
the loss. Model cards bear the normal law out: zephyr-7b-alpha m = 1.3699, accuracy 0.7812, loss
0.4605 (by the law 0.462); juanako-7b 1.2037, 0.7964, 0.4594 (0.437); zephyr-7b-gemma 0.5934,
0.7708, 0.5287 (0.509); zephyr-7b-beta 3.7963, 0.7812, 0.7496 (0.710). m lies above the margin
that the loss alone would need: not at all at first (m = 0.0048, accuracy 0.5385 after some steps
of one run), 1.6 to 2.6 times as high at the end of these. The loss falls in the first third of a
run, to 0.45 to 0.62 or, where pairs are easy, to 0.10 to 0.2; margins go on growing.

A batch has a loss of its own and margins of its own: over public runs the two correlate at -0.43
to -0.68. The gradient norm follows the mean of sigmoid(-margin), the weight that DPO gives a pair:
its correlation with the loss is 0.6 to 0.77, and it falls to a tenth in runs that end at 0.12.

Pairs have tokens of their own, log-normally many, and padding, which TRL does not count among
num_tokens. Both rewards fall in a long run, the rejected ones faster.
margin = rewards/chosen - rewards/rejected; a reward is beta times the gain of the
answer's log-probability over the reference model's: logps = reference + reward / beta.
"""

from math import exp, expm1, fsum, log, log1p, sqrt

from llmsim.job.memo import remembered
from llmsim.job.recipes import PROMPT_TOKENS
from llmsim.job.records import Job, step_rows
from llmsim.physics import balanced, noise
from llmsim.physics.learning import benchmarks, epochs, gradient, loss, metrics
from llmsim.physics.learning.curve import Curve, capacity
from llmsim.physics.learning.objectives import (
    Effort,
    GradientShape,
    Metrics,
    Objective,
    Score,
    law_of,
)
from llmsim.typed import NamedTuple

EASY = 0.35  # share of the runs whose pairs are easy to tell apart
KNOTS = 32  # of a run's course; denser at its beginning
ROUGHNESS = 1.8  # pairs of one batch are alike: its noise is larger than that of independent pairs
SHARPNESS = 1.5  # power of the weight in the gradient norm
EASIEST, SIZE_PART = 0.56, 2.42  # nats of an answer's token: a constant, a factor of A / N**alpha
LENGTH_SPREAD = 0.5  # standard deviation of log(tokens of an example)
SHORTEST_ANSWER = 20.0  # tokens
TEST_PAIRS, PAIR_TOKENS = 2_000, 1_000  # of the benchmark; tokens of both answers

# The trapezoidal rule over a smooth density that ends in zeros: exact to about 1e-6.
_NODES = tuple(i / 4 for i in range(-20, 21))
_WEIGHTS = tuple(exp(-0.5 * z * z) for z in _NODES)
_WEIGHT = fsum(_WEIGHTS)
_GRID = tuple(zip(_NODES, _WEIGHTS, strict=True))


def preference_loss(margin: float, spread: float) -> float:
    """The mean of softplus(-x) over x ~ N(margin, spread**2), nats."""
    # _softplus, written out: a course of pairs asks for it some thirty thousand times.
    costs = [
        w * (x + log1p(exp(-x)) if (x := -margin - spread * z) > 0.0 else log1p(exp(x)))
        for z, w in _GRID
    ]
    return fsum(costs) / _WEIGHT


def pairs(job: Job) -> int:
    """Preference pairs in a batch: two sequences are one."""
    return step_rows(job)


def _softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


class Pairs(NamedTuple):
    """The margins of the pairs at a moment, and what their losses have for a deviation."""

    margin: float
    spread: float
    loss_spread: float  # nats


LEAST = 1e-6  # nats: a mean loss below it is that of pairs learnt by heart, over hundreds of epochs
_SAME = Pairs(0.0, 0.0, 0.0)  # while the policy is the reference


def pairs_with(mean_loss: float, margin: float) -> Pairs:
    """The pairs of this mean margin whose mean loss is given; by halving, since it grows with the
    spread.
    """
    low, high = 0.0, 4.0 + 8.0 * margin
    for _ in range(20):
        middle = 0.5 * (low + high)
        below = preference_loss(margin, middle) < mean_loss
        low, high = (middle, high) if below else (low, middle)
    costs = [_softplus(-margin - high * z) for z in _NODES]
    square = fsum([w * cost * cost for w, cost in zip(_WEIGHTS, costs, strict=True)]) / _WEIGHT
    return Pairs(margin, high, sqrt(max(0.0, square - mean_loss * mean_loss)))


@remembered()
def _course(job: Job) -> tuple[Pairs, ...]:
    """The pairs at moments of the run, which lie closer together at its beginning."""
    steps, law = job.schedule.steps, law_of(job)
    growth = noise.between(job.seed, "dpo margins", 0.6, 1.6)
    made = []
    for knot in range(KNOTS + 1):
        part = (knot / KNOTS) ** 2
        wanted = max(LEAST, law(1 + round(part * (steps - 1))))
        if wanted >= log(2.0) - 1e-9:
            made.append(_SAME)
            continue
        alone = -log(expm1(wanted))  # the margin without any spread
        made.append(pairs_with(wanted, alone * (1.0 + growth * (0.3 + 0.7 * part))))
    return tuple(made)


@remembered(64)
def expected(job: Job, step: int) -> Pairs:
    """The noise-free pairs of this step: on straight lines between the moments of the course."""
    if law_of(job)(step) >= log(2.0) - 1e-9:
        return _SAME
    course = _course(job)
    place = KNOTS * sqrt(min(1.0, (step - 1) / max(1, job.schedule.steps - 1)))
    knot = min(KNOTS - 1, int(place))
    here, there, share = course[knot], course[knot + 1], place - knot
    return Pairs(*(a + (b - a) * share for a, b in zip(here, there, strict=True)))


def _margin(job: Job, step: int, mean_loss: float, seen: int) -> float:
    """The mean margin of pairs with this mean loss: partly its mirror, partly their own."""
    found = expected(job, step)
    if not found.spread:
        return 0.0
    clean = law_of(job)(step)
    mirrored = noise.between(job.seed, "dpo mirror", 0.2, 0.45)
    luck = (mean_loss - clean) / (ROUGHNESS * found.loss_spread / sqrt(seen))
    own = noise.normal(job.seed, "dpo margin", step)
    moved = -mirrored * max(-4.0, min(4.0, luck)) + sqrt(1.0 - mirrored**2) * own
    margin = found.margin + ROUGHNESS * found.spread / sqrt(seen) * moved
    # Whatever the pairs, their mean loss is no less than that of their mean margin (Jensen).
    return max(margin, 0.02 * found.spread - log(expm1(min(700.0, max(mean_loss, 1e-6)))))


def ranked_right(margin: float, spread: float) -> float:
    """The share of pairs with a positive margin; none while the policy is the reference."""
    return noise.normal_share(margin / spread) if spread else 0.0


# --- the doors of the objective ----------------------------------------------------------


def _curve(job: Job) -> Curve:
    """The loss is ln 2 while the policy equals the reference model; it ends where pairs allow."""
    easy = noise.uniform(job.seed, "dpo ease") < EASY
    end = noise.between(job.seed, "loss-end", *((0.10, 0.20) if easy else (0.45, 0.62)))
    start = log(2.0)
    return Curve(
        floor=0.0,
        rest=end,
        start=start,
        terms=(
            (0.8 * (start - end), 12.0 / job.schedule.steps),
            (0.2 * (start - end), 3.0 / job.schedule.steps),
        ),
        epoch_gain=0.9,
    )


def _sigma(job: Job, curve: Curve, clean: float, first: int, last: int) -> float:
    """Standard deviation of the mean loss over all pairs of these steps, nats."""
    seen = pairs(job) * (last - first + 1)
    return min(0.35 * clean, ROUGHNESS * expected(job, last).loss_spread / sqrt(seen))


def _gradient(job: Job, tokens: int) -> GradientShape:
    transient = 0.4 + 1.6 * noise.uniform(job.seed, "gradient-transient")
    return gradient.tuned(job, 12.0)._replace(
        spread=0.25, transient=transient, with_loss=0.1, outliers=0.005
    )


def _signal(job: Job, step: int) -> float:
    """The mean weight of the pairs, sigmoid(-margin) = 1 - exp(-loss), against that at first."""
    weight = 2.0 * (1.0 - exp(-loss.training(job, step)))
    return float(weight**SHARPNESS)


def _metrics(job: Job, step: int, first: int) -> Metrics:
    seen = pairs(job) * (step - first + 1)
    return _logged_metrics(job, step, loss.averaged(job, first, step), seen)


def _headlines(job: Job, step: int) -> Metrics:
    named = ("rewards/accuracies", "rewards/margins")
    return tuple(each for each in _metrics(job, step, step) if each[0] in named)


def _held_out(job: Job, step: int) -> Metrics:
    value, found = loss.validation(job, step), held_out_pairs(job, step)
    seen = pairs(job) * max(1, job.schedule.validation_batches)
    return _logged_metrics(job, step, value, seen, "held-out ", found)


def held_out_pairs(job: Job, step: int) -> Pairs:
    """The held-out pairs: their margins grow less, and spread as far as their loss says."""
    trained = expected(job, step)
    if not trained.spread:
        return _SAME
    value = min(600.0, loss.validation(job, step))
    return pairs_with(value, max(0.85 * trained.margin, 1.05 * -log(expm1(value))))


def _accuracy(job: Job, step: int) -> float:
    """The share of held-out pairs ranked right."""
    found = held_out_pairs(job, step)
    return ranked_right(found.margin, found.spread)


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


def _logged_metrics(
    job: Job, step: int, value: float, pairs: int, stream: str = "", held_out: Pairs | None = None
) -> Metrics:
    """The metrics that belong to a mean loss of this many pairs."""
    found = held_out or expected(job, step)
    margin = held_out.margin if held_out else _margin(job, step, value, pairs)
    chosen = 0.4 * margin - noise.between(job.seed, "dpo chosen", 0.2, 0.9) * found.margin
    rejected = chosen - margin
    ranked = ranked_right(0.5 * (margin + found.margin), found.spread)

    def batch(what: str) -> float:
        return noise.normal(job.seed, f"{stream}dpo {what}", step) / sqrt(pairs)

    # The reference model's loss per token of an answer.
    tokens, nats = _answer_tokens(job), answer_nats(job)
    logps = -tokens * nats * (1.0 + 0.35 * batch("chosen")) + chosen / job.recipe.beta
    worse = noise.between(job.seed, "dpo worse", 0.95, 1.2)
    other = -tokens * nats * worse * (1.0 + 0.35 * batch("rejected"))
    logits = noise.between(job.seed, "dpo logits", -2.8, -1.2)
    return (
        ("entropy", nats * (0.95 + 0.1 * batch("entropy")) / (1.0 + 0.05 * max(0.0, margin))),
        ("num_tokens", float(_tokens_seen(job, step))),
        ("logits/chosen", logits + 0.1 * chosen + 0.2 * batch("logits")),
        ("logits/rejected", logits + 0.08 + 0.1 * rejected + 0.2 * batch("other logits")),
        ("mean_token_accuracy", metrics.token_accuracy(-logps / tokens)),
        ("rewards/chosen", chosen),
        ("rewards/rejected", rejected),
        ("rewards/accuracies", noise.part(job.seed, f"{stream}dpo accuracy", ranked, pairs, step)),
        ("rewards/margins", margin),
        ("logps/chosen", logps),
        ("logps/rejected", other + rejected / job.recipe.beta),
    )  # fmt: skip


def _tokens_seen(job: Job, step: int) -> int:
    """Tokens, padding left out, of all examples up to a step.

    In a larger batch their mean is closer to that of all data. It lies between a fifth of that and
    a whole sequence.
    """
    mean = PROMPT_TOKENS + _answer_tokens(job)
    spread = sqrt((exp(LENGTH_SPREAD**2) - 1.0) / job.schedule.global_batch)
    room = min(0.8, job.schedule.sequence / mean - 1.0)
    luck = min(spread, room / balanced.FARTHEST) * balanced.total(job.seed, "example lengths", step)
    filled = step - epochs.unfilled(job, 1, step)
    return round(job.schedule.global_batch * mean * (filled + luck))


OBJECTIVE = Objective(
    curve=_curve,
    sigma=_sigma,
    gradient=_gradient,
    held_out_loss=loss.held_out,
    scores=_scores,
    effort=Effort(TEST_PAIRS, TEST_PAIRS * PAIR_TOKENS),
    metrics=_metrics,
    held_out=_held_out,
    headlines=_headlines,
    accuracy=_accuracy,
    signal=_signal,
)
