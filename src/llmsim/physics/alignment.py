"""What preference tuning and reinforcement learning print beside the loss, by TRL's names.

DPO: the loss is -ln sigmoid(margin) averaged over pairs, so a mean margin m with spread s has
the loss of about -ln sigmoid(m) (Rafailov et al. 2023); margin = rewards/chosen -
rewards/rejected; accuracy is the share of pairs with a positive margin, Phi(m / s).

GRPO: reward as loss.reward has it; its spread within a group is that of right or wrong
answers, sqrt(r (1 - r)); completions grow longer as the model learns to reason
(DeepSeek-R1, figure 3); the loss is beta times the KL divergence from the reference.
"""

from math import erf, exp, log, sqrt

from llmsim.job import Job
from llmsim.physics import loss, noise

Metrics = tuple[tuple[str, float], ...]

MARGIN_SPREAD = 0.8  # of a pair's margin at the end, in units of the mean margin and one
BETA = 0.04  # GRPO's weight of the KL divergence (TRL's long-time default)


def metrics(job: Job, step: int) -> Metrics:
    """(name, value) of what this step's line shows beside the loss; none in other recipes."""
    if job.recipe == "dpo":
        return _preference(job, step)
    return _reinforcement(job, step) if job.recipe == "grpo" else ()


def accuracy(job: Job, step: int) -> float | None:
    """The share of held-out pairs ranked right, or of problems solved; None in other recipes."""
    if job.recipe == "dpo":
        return _share_positive(_margin(loss.validation(job, step)))
    return loss.expected_reward(job, step + 1) if job.recipe == "grpo" else None


def _margin(value: float) -> float:
    """The margin m for which -ln sigmoid(m) is this loss: m = -ln(exp(loss) - 1)."""
    return -log(max(1e-9, exp(max(value, 1e-6)) - 1.0))


def _share_positive(margin: float) -> float:
    """Phi(m / s): half of the pairs while the margin is nil."""
    spread = 0.05 + MARGIN_SPREAD * abs(margin) + 0.3 * sqrt(abs(margin))
    return 0.5 * (1.0 + erf(margin / spread / sqrt(2.0)))


def _preference(job: Job, step: int) -> Metrics:
    margin = _margin(loss.training(job, step))
    # Both rewards sink in a long run, the rejected ones faster.
    chosen = -0.6 * max(0.0, _margin(loss.expected(job, step))) + 0.4 * margin
    pairs = max(1, job.schedule.global_batch // 2)
    share = _share_positive(margin)
    luck = sqrt(share * (1.0 - share) / pairs) * noise.normal(job.seed, "dpo accuracy", step)
    right = round(min(1.0, max(0.0, share + luck)) * pairs) / pairs  # whole pairs
    return (
        ("rewards/chosen", chosen),
        ("rewards/rejected", chosen - margin),
        ("rewards/margins", margin),
        ("rewards/accuracies", right),
    )


def _reinforcement(job: Job, step: int) -> Metrics:
    reward = loss.reward(job, step)
    grown = loss.expected_reward(job, step) - loss.expected_reward(job, 1)
    longest = job.schedule.sequence
    length = longest * (0.28 + 0.45 * grown) * (1.0 + 0.03 * noise.normal(job.seed, "length", step))
    return (
        ("reward", reward),
        ("reward_std", sqrt(reward * (1.0 - reward)) * 0.8),
        ("kl", max(0.0, loss.expected(job, step)) / BETA),
        ("completions/mean_length", min(longest, length)),
    )
