"""Reinforcement learning with verifiable rewards (GRPO): rewards, divergence and what TRL logs.

    problem  solved with probability sigmoid(c + 0.35 w + 2.2 z)     z its own, w its batch's
    kl       its course times exp(v z - v**2 / 2), v = 0.2 to 1.2 by the run;  loss = beta kl

n = 8 answers to each problem are right or wrong by themselves. So some groups are all right or
all wrong: they have no spread and teach nothing, and the gradient norm follows the share of the
others (public runs: correlation with reward_std 0.31 to 0.96, with frac_reward_zero_std -0.36 to
-0.94), down to exactly 0 where no group has any spread. Answers to hard problems are longer: length
and reward correlate at -0.68 to +0.09, whether completions grow (DeepSeek-R1, figure 3) or
shrink in the run; a completion that reaches the limit is cut.
Entropy falls as the reward grows, r = b - a exp(H) (Cui et al. 2025, arXiv 2505.22617). The loss
is beta times the KL divergence from the reference, since advantages cancel (public runs: 0.998);
the divergence of a step varies by 0.19 to 1.8 of its level. Each batch of completions is used
once, so that the probability ratio is exactly 1 and nothing is ever clipped. Names and order are
TRL's (1.16): reward_std is the mean of the groups' own.

completions.py has the mean reward that is expected, the lengths and the tokens. Tokens are counted
in prompts and completions, as in TRL's num_tokens: padding is removed before the model runs, so
that the time of a step is proportional to its tokens.
"""

from bisect import bisect_left
from functools import lru_cache
from itertools import pairwise
from math import ceil, comb, exp, fsum, log, pi, sqrt
from operator import mul
from struct import unpack_from

from llmsim.job.memo import remembered
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning import benchmarks, gradient, loss
from llmsim.physics.learning.benchmarks import ANSWER_TOKENS, GSM8K
from llmsim.physics.learning.completions import (
    HELD_OUT,
    batch_luck,
    expected_reward,
    held_out_tokens,
    limit,
    mean_length,
    problems,
    tokens,
    tokens_seen,
)
from llmsim.physics.learning.curve import Curve
from llmsim.physics.learning.objectives import (
    Effort,
    GradientShape,
    Metrics,
    Objective,
    Score,
    held_out_law,
    law_of,
)
from llmsim.typed import NamedTuple

USUAL_BETA = 0.04  # weight of the KL divergence (TRL's long-time default)
DIFFICULTY = 2.2  # standard deviation of the problems' log-odds
BATCH_DIFFICULTY = 0.35  # of the batches', beside that of their problems
GROUP_STD = 0.43  # mean standard deviation of the rewards in a group that has any
LENGTH_SPREAD = 0.5  # standard deviation of log(length) of completions
KL_LEFT = 2e-5  # nats: the advantages of a batch do not quite cancel


# --- rewards -----------------------------------------------------------------------------


class Answers(NamedTuple):
    """The rewards of a step's completions."""

    mean: float
    group_std: float  # mean of the groups' own standard deviations
    same: float  # share of the groups that are all right or all wrong


@lru_cache(maxsize=16)
def _spreads(size: int) -> tuple[float, ...]:
    """The standard deviation of a group's rewards, by how many of its answers are right."""
    return tuple(sqrt(right * (size - right) / (size * (size - 1))) for right in range(size + 1))


def reward(job: Job, step: int) -> float:
    """The mean reward of this step's completions in reinforcement learning, 0..1."""
    return answers(job, step).mean


# The odds of a step's problems for which `_at_most` is known are this far apart, on a logarithmic
# scale; between them it is a straight line, which is right to 0.0003.
_ODDS_APART = 0.25
_FARTHEST = 4.5  # standard deviations of the problems' own: beyond lie seven in a million


@lru_cache(maxsize=128)
def _at_most(size: int, place: int) -> tuple[float, ...]:
    """The chance that at most 0, 1, .. size - 1 of a group's answers are right, in parts of 65,536.

    A problem is solved with probability p = sigmoid(place / 4 + 2.2 z), so that k answers of n are
    right with C(n, k) p**k (1 - p)**(n - k), in the mean over z. That is a bell in z of a width of
    2 / (2.2 sqrt(n)) or more, so a sum over z that is 1 / sqrt(n) apart is right to 2e-5.
    """
    apart = ceil(sqrt(size))
    most = int(_FARTHEST * apart)
    deviations = [number / apart for number in range(-most, most + 1)]
    weights = [exp(-0.5 * z * z) for z in deviations]
    odds = [exp(place * _ODDS_APART + DIFFICULTY * z) for z in deviations]
    whole, total, chances = 65_536.0 / fsum(weights), 0.0, list[float]()
    # p**k (1 - p)**(n - k) = odds**k / (1 + odds)**n
    terms = [weight * (1.0 + each) ** -size for weight, each in zip(weights, odds, strict=True)]
    for right in range(size):
        total += comb(size, right) * fsum(terms) * whole
        chances.append(total)
        terms = [term * each for term, each in zip(terms, odds, strict=True)]
    return tuple(chances)


@remembered(64)  # gradients of a block of steps ask for them, then metrics and lines
def answers(job: Job, step: int) -> Answers:
    """The rewards of this step, group by group."""
    size, groups = job.recipe.row_sequences, problems(job)
    mean = expected_reward(job, step)
    spread = sqrt(1.0 + pi * (DIFFICULTY**2 + BATCH_DIFFICULTY**2) / 8.0)
    centre = log(mean / (1.0 - mean)) * spread + BATCH_DIFFICULTY * batch_luck(job, step)
    place, between = divmod(centre / _ODDS_APART, 1.0)
    words = -(-groups // 4)  # each has the luck of four groups
    lucks = noise.packed(job.seed, "answers", words * step, words)
    drawn = sorted(unpack_from(f"<{groups}H", lucks))
    # Groups with at most 0, 1, .. size - 1 right answers.
    poor = [
        bisect_left(drawn, low + between * (high - low))
        for low, high in zip(
            _at_most(size, int(place)), _at_most(size, int(place) + 1), strict=True
        )
    ]
    counts = [after - before for before, after in pairwise((0, *poor, groups))]
    return Answers(
        (size * groups - sum(poor)) / (size * groups),
        fsum(map(mul, counts, _spreads(size))) / groups,
        (counts[0] + counts[-1]) / groups,
    )


def _logged_metrics(job: Job, step: int, found: Answers, kl: float, stream: str = "") -> Metrics:
    count = job.schedule.global_batch
    spread = sqrt(found.mean * (1.0 - found.mean) * count / max(1, count - 1))
    return (
        ("num_tokens", float(tokens_seen(job, step))),
        *_lengths(job, step, stream),
        ("rewards/accuracy_reward/mean", found.mean),
        ("rewards/accuracy_reward/std", spread),
        ("reward", found.mean),
        ("reward_std", found.group_std),
        ("frac_reward_zero_std", found.same),
        ("kl", kl),
        ("entropy", _entropy(job, step, stream)),
        ("clip_ratio/low_mean", 0.0),
        ("clip_ratio/high_mean", 0.0),
        ("clip_ratio/region_mean", 0.0),
        ("clip_ratio/low_min", 0.0),
        ("clip_ratio/high_max", 0.0),
    )


@remembered()
def _wildness(job: Job) -> float:
    """The relative deviation of the divergence of a step."""
    return min(1.2, max(0.2, exp(noise.between(job.seed, "kl noise", log(0.2), log(1.2)))))


@remembered(64)  # the loss and the metrics of a step
def divergence(job: Job, first: int, last: int) -> float:
    """The mean KL divergence of steps first..last from the reference, in nats."""
    wild, law, total = _wildness(job), law_of(job), 0.0
    for step in range(first, last + 1):
        z = noise.normal(job.seed, "kl", step)
        clean = max(0.0, law(step)) / job.recipe.beta
        total += clean * exp(wild * z - 0.5 * wild * wild)
    return total / (last - first + 1)


@remembered()
def _entropies(job: Job) -> tuple[float, float, float]:
    """The first entropy's exponential less 1, the first expected reward, and the highest."""
    start = 0.35 + 0.5 * noise.uniform(job.seed, "grpo entropy")
    most = expected_reward(job, 100 * job.schedule.steps) * 1.08
    return exp(start) - 1.0, expected_reward(job, 1), most


def _entropy(job: Job, step: int, stream: str) -> float:
    """The policy's entropy H by r = b - a exp(H): H0 at the first step, 0 near the highest
    reward.
    """
    start, low, most = _entropies(job)
    left = (most - expected_reward(job, step)) / (most - low)
    unsure = 1.0 + 0.02 * noise.normal(job.seed, f"{stream}entropy", step)
    return log(1.0 + start * left) * unsure


# --- completions -------------------------------------------------------------------------


def _lengths(job: Job, step: int, stream: str) -> Metrics:
    """Lengths are log-normal, cut at the longest: mean = cut * longest + (1 - cut) * terminated.

    The longest of the n completions that ended by themselves lies at the quantile u**(1/n) of all
    that do, u a uniform number; the shortest likewise at the other end.
    """
    answers, longest = job.schedule.global_batch, limit(job)
    mean = mean_length(job, step, stream)
    median = mean * exp(-0.5 * LENGTH_SPREAD**2)
    ends = noise.normal_share(log(longest / median) / LENGTH_SPREAD)
    cut = noise.part(job.seed, f"{stream}cut", 1.0 - ends, answers, step)
    terminated = (mean - cut * longest) / (1.0 - cut)

    def extreme(share: float) -> int:
        return int(median * exp(LENGTH_SPREAD * noise.normal_quantile(ends * share)))

    root = 1.0 / max(1, round((1.0 - cut) * answers))
    most = noise.uniform(job.seed, f"{stream}longest length", step) ** root
    least = 1.0 - noise.uniform(job.seed, f"{stream}shortest length", step) ** root
    last = float(min(longest - 1, max(ceil(terminated), extreme(most))))
    shortest = float(max(1, min(int(terminated), extreme(least))))
    return (
        ("completions/mean_length", mean),
        ("completions/min_length", shortest),
        ("completions/max_length", float(longest) if cut else last),
        ("completions/clipped_ratio", cut),
        ("completions/mean_terminated_length", terminated),
        ("completions/min_terminated_length", shortest),
        ("completions/max_terminated_length", last),
    )


# --- the doors of the objective ----------------------------------------------------------


def _curve(job: Job) -> Curve:
    """The advantages cancel, so the loss is the KL penalty, which grows from 0 to about 0.01."""
    end = noise.between(job.seed, "loss-end", 0.004, 0.02) * job.recipe.beta / USUAL_BETA
    return Curve(
        floor=-0.5,
        rest=0.5 + end,
        start=0.0,
        terms=((-end, 3.0 / job.schedule.steps),),
    )


def _sigma(job: Job, curve: Curve, clean: float, first: int, last: int) -> float:
    """What the advantages of a batch leave, nats: the loss itself is `_training`."""
    return KL_LEFT / sqrt(last - first + 1)


def _training(job: Job, first: int, last: int) -> float:
    """Beta times the divergence, and what the advantages leave."""
    distance = divergence(job, first, last)
    left = KL_LEFT * noise.normal(job.seed, "loss", last) if distance else 0.0
    return job.recipe.beta * distance + left


def _gradient(job: Job, tokens: int) -> GradientShape:
    return gradient.tuned(job, 0.6)._replace(spread=0.2)


def _signal(job: Job, step: int) -> float:
    """The share of the groups whose answers differ: the others have no advantages."""
    return 1.0 - answers(job, step).same


def _held_out_loss(job: Job, step: int, part: str) -> float:
    """The KL penalty of the held-out problems; the choice of the set adds no noise."""
    return held_out_law(job)(step + 1)


def _metrics(job: Job, step: int, first: int) -> Metrics:
    """The means of the rewards and of the divergence over the steps; the lengths of the last."""
    steps = [answers(job, each) for each in range(first, step + 1)]
    means = Answers(*(fsum(each) / len(steps) for each in zip(*steps, strict=True)))
    return _logged_metrics(job, step, means, divergence(job, first, step))


def _headlines(job: Job, step: int) -> Metrics:
    return (
        ("completions/mean_length", mean_length(job, step)),
        ("reward", reward(job, step)),
    )


def _held_out(job: Job, step: int) -> Metrics:
    """The held-out problems are many: their shares are the expected ones, in whole answers."""
    groups = problems(job) * job.schedule.validation_batches
    count = groups * job.recipe.row_sequences
    mean = round(expected_reward(job, step + 1) * count) / count
    same = round(answers(job, step).same * groups) / groups
    found = Answers(mean, GROUP_STD * (1.0 - same), same)
    kl = max(0.0, loss.expected(job, step)) / job.recipe.beta
    return _logged_metrics(job, step, found, kl, HELD_OUT)


def _accuracy(job: Job, step: int) -> float:
    """The share of held-out problems that are solved."""
    return expected_reward(job, step + 1)


def _scores(job: Job, step: int) -> tuple[Score, ...]:
    solved = expected_reward(job, step)
    return (benchmarks.score(job, step, "gsm8k", "exact_match", GSM8K, solved),)


OBJECTIVE = Objective(
    curve=_curve,
    sigma=_sigma,
    gradient=_gradient,
    held_out_loss=_held_out_loss,
    scores=_scores,
    effort=Effort(GSM8K, GSM8K * ANSWER_TOKENS),
    metrics=_metrics,
    held_out=_held_out,
    headlines=_headlines,
    accuracy=_accuracy,
    tokens=tokens,
    held_out_tokens=held_out_tokens,
    signal=_signal,
    training=_training,
)
