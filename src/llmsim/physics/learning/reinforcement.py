"""Reinforcement learning with verifiable rewards (GRPO): rewards, completions and their tokens.

    reward   r = high - (high - low) exp(-3 s / steps)    s steps at full rate
    noise    sqrt(r (1 - r) (1 + (n - 1) / (a + 1)) / answers)
    length   0.28 + 0.45 (r - r(1)) of the longest, times 1 + 0.03 z

A problem is solved with probability p ~ Beta(a r, a (1 - r)), a = 1.5: answers to the same one,
n = 8 of them, are correlated. This makes a step's reward about twice as noisy as independent
answers would, and gives the share of groups that are all right or all wrong and teach nothing.
Answers are right or wrong, so their rewards spread by sqrt(r (1 - r)). Completions grow longer as
the model learns to reason (DeepSeek-R1, figure 3); a completion that reaches the limit is cut.
Entropy falls as the reward grows, r = b - a exp(H) (Cui et al. 2025, arXiv 2505.22617). The loss
is beta times the KL
divergence from the reference. Each batch of completions is used once, so that the probability
ratio is exactly 1 and nothing is ever clipped. Names and order are TRL's (1.16).

Tokens are counted in prompts and completions, as in TRL's num_tokens: padding is removed before
the model runs, so that the time of a step is proportional to its tokens.
"""

from itertools import accumulate
from math import ceil, exp, log, prod, sqrt

from llmsim.job.memo import remembered
from llmsim.job.recipes import COMPLETIONS, PROMPT_TOKENS
from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning import benchmarks, gradient, learning_rate, loss
from llmsim.physics.learning.benchmarks import ANSWER_TOKENS, GSM8K
from llmsim.physics.learning.curve import Curve, value
from llmsim.physics.learning.objectives import (
    Effort,
    GradientShape,
    Metrics,
    Objective,
    Score,
    curve,
)

BETA = 0.04  # weight of the KL divergence (TRL's long-time default)
DIFFICULTY = 1.5  # a, sum of the parameters of the beta distribution of problems
LENGTH_SPREAD = 0.5  # standard deviation of log(length) of completions
KL_NOISE = 0.004  # nats: the advantages of a batch do not quite cancel
PROMPT_SPREAD = 0.45  # of the prompts' lengths, a part of their mean


# --- rewards -----------------------------------------------------------------------------


def reward(job: Job, step: int) -> float:
    """The mean reward of this step's completions in reinforcement learning, 0..1."""
    mean = expected_reward(job, step)
    together = 1.0 + (COMPLETIONS - 1) / (DIFFICULTY + 1.0)
    sigma = sqrt(mean * (1.0 - mean) * together / job.schedule.global_batch)
    return min(1.0, max(0.0, mean + sigma * noise.normal(job.seed, "reward", step)))


def expected_reward(job: Job, step: int) -> float:
    """The noise-free reward of this step: from 0.10..0.35 towards 0.60..0.85."""
    low = 0.10 + 0.25 * noise.uniform(job.seed, "reward-start")
    high = 0.60 + 0.25 * noise.uniform(job.seed, "reward-end")
    moved = max(0, step - 1 - job.framework.lr_lag_steps)
    done = learning_rate.full_rate_steps(moved, job.schedule.warmup)
    return high - (high - low) * exp(-3.0 * done / job.schedule.steps)


def _logged_metrics(job: Job, step: int, mean: float, stream: str = "") -> Metrics:
    answers = job.schedule.global_batch
    reward = round(mean * answers) / answers
    spread = sqrt(reward * (1.0 - reward) * answers / max(1, answers - 1))
    groups = max(1, answers // COMPLETIONS)
    same = noise.part(job.seed, f"{stream}same answers", _unanimous(reward), groups, step)
    return (
        ("num_tokens", float(tokens_seen(job)[step])),
        *_lengths(job, step, stream),
        ("rewards/accuracy_reward/mean", reward),
        ("rewards/accuracy_reward/std", spread),
        ("reward", reward),
        ("reward_std", spread),
        ("frac_reward_zero_std", same),
        ("kl", max(0.0, loss.expected(job, step)) / BETA),
        ("entropy", _entropy(job, step, stream)),
        ("clip_ratio/low_mean", 0.0),
        ("clip_ratio/high_mean", 0.0),
        ("clip_ratio/region_mean", 0.0),
        ("clip_ratio/low_min", 0.0),
        ("clip_ratio/high_max", 0.0),
    )


def _unanimous(reward: float) -> float:
    """The share of groups in which all answers are right or all are wrong.

    A problem is solved with probability p ~ Beta(a r, a (1 - r)); E[p^n] is a product.
    """

    def all_of(part: float) -> float:
        return prod((DIFFICULTY * part + i) / (DIFFICULTY + i) for i in range(COMPLETIONS))

    return all_of(reward) + all_of(1.0 - reward)


def _entropy(job: Job, step: int, stream: str) -> float:
    """The policy's entropy H by r = b - a exp(H): H0 at the first step, 0 near the highest
    reward.
    """
    start = 0.35 + 0.5 * noise.uniform(job.seed, "grpo entropy")
    low, now = expected_reward(job, 1), expected_reward(job, step)
    most = expected_reward(job, 100 * job.schedule.steps) * 1.08
    left = (most - now) / (most - low)
    unsure = 1.0 + 0.02 * noise.normal(job.seed, f"{stream}entropy", step)
    return log(1.0 + (exp(start) - 1.0) * left) * unsure


# --- completions -------------------------------------------------------------------------


def _longest(job: Job) -> int:
    """Tokens that a completion may have."""
    return max(2, job.schedule.sequence - PROMPT_TOKENS)


def _mean_length(job: Job, step: int, stream: str = "") -> float:
    """Mean tokens of a step's completions; their sum is a whole number."""
    grown = expected_reward(job, step) - expected_reward(job, 1)
    luck = 1.0 + 0.03 * noise.normal(job.seed, f"{stream}length", step)
    length = min(0.9, (0.28 + 0.45 * grown) * luck) * _longest(job)
    return round(length * job.schedule.global_batch) / job.schedule.global_batch


def _prompt_length(job: Job, step: int, stream: str = "") -> float:
    """Mean tokens of a step's prompts: problems differ, and COMPLETIONS answers share each of
    them.
    """
    groups = max(1, job.schedule.global_batch // COMPLETIONS)
    spread = PROMPT_SPREAD / sqrt(groups)
    luck = max(-2.5, min(2.5, noise.normal(job.seed, f"{stream}prompt length", step)))
    return PROMPT_TOKENS * max(0.3, 1.0 + spread * luck)


@remembered()
def tokens_seen(job: Job) -> tuple[int, ...]:
    """Tokens of all prompts and completions after each step, from step 0 on."""
    answers, steps = job.schedule.global_batch, range(1, job.schedule.steps + 1)
    lengths = (_prompt_length(job, step) + _mean_length(job, step) for step in steps)
    return (0, *accumulate(round(answers * length) for length in lengths))


def tokens(job: Job, first: int, last: int) -> int:
    """Tokens of all prompts and completions of steps first..last, both included."""
    seen = tokens_seen(job)
    return seen[last] - seen[first - 1]


def held_out_tokens(job: Job, step: int) -> int:
    """Tokens of all prompts and completions of an evaluation after this step."""
    answers = job.schedule.global_batch * job.schedule.validation_batches
    stream = "held-out "
    length = _prompt_length(job, step, stream) + _mean_length(job, step, stream)
    return round(answers * length)


def _lengths(job: Job, step: int, stream: str) -> Metrics:
    """Lengths are log-normal, cut at the longest: mean = cut * longest + (1 - cut) * terminated.

    The longest of the n completions that ended by themselves lies at the quantile u**(1/n) of all
    that do, u a uniform number; the shortest likewise at the other end.
    """
    answers, longest = job.schedule.global_batch, _longest(job)
    mean = _mean_length(job, step, stream)
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
    end = noise.between(job.seed, "loss-end", 0.004, 0.02)
    return Curve(
        floor=-0.5,
        rest=0.5 + end,
        start=0.0,
        terms=((-end, 3.0 / job.schedule.steps),),
    )


def _sigma(job: Job, shape: Curve, clean: float, first: int, last: int) -> float:
    return KL_NOISE / sqrt(last - first + 1)


def _gradient(job: Job, tokens: int) -> GradientShape:
    return gradient.tuned(job, 0.3)


def _held_out_loss(job: Job, step: int, part: str) -> float:
    """The KL penalty of the held-out problems; the choice of the set adds no noise."""
    return value(curve(job)._replace(epoch_gain=1.0), job, step + 1)


def _metrics(job: Job, step: int, first: int) -> Metrics:
    """The metrics of this step alone, even where the loss is a mean over several steps."""
    return _logged_metrics(job, step, reward(job, step))


def _held_out(job: Job, step: int) -> Metrics:
    return _logged_metrics(job, step, expected_reward(job, step + 1), "held-out ")


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
    accuracy=_accuracy,
    tokens=tokens,
    held_out_tokens=held_out_tokens,
)
