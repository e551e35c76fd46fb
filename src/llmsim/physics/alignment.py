"""What fine-tuning watches beside the loss, by TRL's names and in its order (1.16).

SFT: a calibrated model's entropy is the loss it expects; of tokens with a loss of l nats it
guesses exp(-0.31 l) right (public TRL logs: 0.83 at 0.6, 0.72 at 1.1, 0.56 at 2.0, 0.14 at 5.9).
Examples are not packed: they have tokens of their own, log-normally many, and padding, which TRL
does not count among num_tokens.

DPO: loss, margins and accuracies as preference.py has them. Both rewards sink in a long run, the
rejected ones faster.

GRPO: reward as loss.reward has it, of whole answers; its spread is that of right or wrong
answers, sqrt(r (1 - r)); groups whose answers are all right or all wrong teach nothing: how
many follows from problems of beta-distributed difficulty. Completions grow longer as the model
learns to reason (DeepSeek-R1, figure 3); those that reach the limit are cut. Entropy is spent
for reward, r = b - a exp(H) (Cui et al. 2025, arXiv 2505.22617). The loss is beta times the KL
divergence from the reference. Each batch of completions is used once, so that the probability
ratio is exactly 1 and nothing is ever clipped.
"""

from functools import lru_cache
from itertools import accumulate
from math import exp, log, prod, sqrt

from llmsim.job import COMPLETIONS, PROMPT_TOKENS, Job
from llmsim.physics import loss, noise, preference

Metrics = tuple[tuple[str, float], ...]

BETA = 0.04  # GRPO's weight of the KL divergence (TRL's long-time default)
GUESSED = 0.31  # ln(share of tokens guessed right) / loss
DIFFICULTY = 1.5  # sum of the parameters of the beta distribution of problems
LENGTH_SPREAD = 0.5  # standard deviation of log(length) of completions and examples
FILLED = (0.15, 0.5)  # the mean part of a sequence that an example takes, unpacked


def metrics(job: Job, step: int, first: int | None = None) -> Metrics:
    """(name, value) of what a step's line shows beside the loss; none in pretraining.

    Of the loss it tells of: this step's, or the mean since the step `first`.
    """
    if job.recipe in ("sft", "lora"):
        return _supervised(job, step, loss.averaged(job, first or step, step))
    if job.recipe == "dpo":
        first = first or step
        seen = preference.pairs(job) * (step - first + 1)
        return _preference(job, step, loss.averaged(job, first, step), seen)
    return _reinforcement(job, step, loss.reward(job, step)) if job.recipe == "grpo" else ()


def held_out(job: Job, step: int) -> Metrics:
    """The same of an evaluation after this step's update."""
    if job.recipe in ("sft", "lora"):
        return _supervised(job, step, loss.validation(job, step), "held-out ")
    if job.recipe == "dpo":
        seen = preference.pairs(job) * job.schedule.validation_batches
        return _preference(job, step, loss.validation(job, step), seen, "held-out ")
    if job.recipe == "grpo":
        return _reinforcement(job, step, loss.expected_reward(job, step + 1), "held-out ")
    return ()


def accuracy(job: Job, step: int) -> float | None:
    """The share of held-out pairs ranked right, or of problems solved; None in other recipes."""
    if job.recipe == "dpo":
        _, spread = preference.expected(job, step)
        margin = preference.margin_of(loss.validation(job, step), spread)
        return preference.ranked_right(margin, spread)
    return loss.expected_reward(job, step + 1) if job.recipe == "grpo" else None


def token_accuracy(nats: float) -> float:
    """The share of tokens guessed right at this loss, 0..1."""
    return exp(-GUESSED * max(0.0, nats))


# --- supervised fine-tuning --------------------------------------------------------------


def _supervised(job: Job, step: int, value: float, stream: str = "") -> Metrics:
    unsure = 1.0 + 0.004 * noise.normal(job.seed, f"{stream}entropy", step)
    return (
        ("entropy", loss.expected(job, step) * unsure),
        ("mean_token_accuracy", token_accuracy(value)),
        ("num_tokens", float(_tokens_seen(job)[step])),
    )


# --- preferences -------------------------------------------------------------------------


def _answer_tokens(job: Job) -> float:
    """Mean tokens of a pair's answers."""
    return 150.0 + 200.0 * noise.uniform(job.seed, "dpo tokens")


def _preference(job: Job, step: int, value: float, pairs: int, stream: str = "") -> Metrics:
    """Of a loss that is the mean of so many pairs."""
    mean, spread = preference.expected(job, step)
    margin = preference.margin_of(value, spread)
    chosen = -0.6 * mean + 0.4 * margin
    rejected = chosen - margin
    ranked = preference.ranked_right(margin, spread)

    def between(what: str, low: float, high: float) -> float:
        return low + (high - low) * noise.uniform(job.seed, f"dpo {what}")

    def batch(what: str) -> float:
        return noise.normal(job.seed, f"{stream}dpo {what}", step) / sqrt(pairs)

    # Each of an answer's tokens costs the reference model so many nats.
    tokens, nats = _answer_tokens(job), between("nats", 0.9, 1.3)
    logps = -tokens * nats * (1.0 + 0.35 * batch("chosen")) + chosen / preference.BETA
    other = -tokens * nats * between("worse", 0.95, 1.2) * (1.0 + 0.35 * batch("rejected"))
    logits = between("logits", -2.8, -1.2)
    return (
        ("entropy", nats * (0.95 + 0.1 * batch("entropy")) / (1.0 + 0.05 * max(0.0, margin))),
        ("num_tokens", float(_tokens_seen(job)[step])),
        ("logits/chosen", logits + 0.1 * chosen + 0.2 * batch("logits")),
        ("logits/rejected", logits + 0.08 + 0.1 * rejected + 0.2 * batch("other logits")),
        ("mean_token_accuracy", token_accuracy(-logps / tokens)),
        ("rewards/chosen", chosen),
        ("rewards/rejected", rejected),
        ("rewards/accuracies", noise.part(job.seed, f"{stream}dpo accuracy", ranked, pairs, step)),
        ("rewards/margins", margin),
        ("logps/chosen", logps),
        ("logps/rejected", other + rejected / preference.BETA),
    )  # fmt: skip


# --- reinforcement -----------------------------------------------------------------------


def _reinforcement(job: Job, step: int, mean: float, stream: str = "") -> Metrics:
    answers = job.schedule.global_batch
    reward = round(mean * answers) / answers
    spread = sqrt(reward * (1.0 - reward) * answers / max(1, answers - 1))
    groups = max(1, answers // COMPLETIONS)
    same = noise.part(job.seed, f"{stream}same answers", _unanimous(reward), groups, step)
    return (
        ("num_tokens", float(_tokens_seen(job)[step])),
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
    """H of r = b - a exp(H), from H0 at the first step; at H = 0 little reward is left to gain."""
    start = 0.35 + 0.5 * noise.uniform(job.seed, "grpo entropy")
    low, now = loss.expected_reward(job, 1), loss.expected_reward(job, step)
    most = loss.expected_reward(job, 100 * job.schedule.steps) * 1.08
    left = (most - now) / (most - low)
    unsure = 1.0 + 0.02 * noise.normal(job.seed, f"{stream}entropy", step)
    return log(1.0 + (exp(start) - 1.0) * left) * unsure


def _longest(job: Job) -> int:
    """Tokens that a completion may have."""
    return max(2, job.schedule.sequence - PROMPT_TOKENS)


def _mean_length(job: Job, step: int, stream: str = "") -> float:
    """Mean tokens of a step's completions: a whole number of them in all."""
    grown = loss.expected_reward(job, step) - loss.expected_reward(job, 1)
    luck = 1.0 + 0.03 * noise.normal(job.seed, f"{stream}length", step)
    length = min(0.9, (0.28 + 0.45 * grown) * luck) * _longest(job)
    return round(length * job.schedule.global_batch) / job.schedule.global_batch


@lru_cache(maxsize=4)
def _tokens_seen(job: Job) -> tuple[int, ...]:
    """Tokens, padding left out, of all examples after each step, from step 0 on."""
    batch, steps = job.schedule.global_batch, range(1, job.schedule.steps + 1)
    mean = _reinforced_length if job.recipe == "grpo" else _example_length
    return (0, *accumulate(round(batch * mean(job, step)) for step in steps))


def _reinforced_length(job: Job, step: int) -> float:
    return PROMPT_TOKENS + _mean_length(job, step)


def _example_length(job: Job, step: int) -> float:
    """Mean tokens of a step's examples: the more of them, the closer to the mean of all."""
    low, high = FILLED
    sequence = job.schedule.sequence
    filled = low + (high - low) * noise.uniform(job.seed, "example length")
    mean = PROMPT_TOKENS + _answer_tokens(job) if job.recipe == "dpo" else filled * sequence
    spread = sqrt((exp(LENGTH_SPREAD**2) - 1.0) / job.schedule.global_batch)
    length = mean * (1.0 + spread * noise.normal(job.seed, "example lengths", step))
    return min(float(sequence), max(0.2 * mean, length))


def _lengths(job: Job, step: int, stream: str) -> Metrics:
    """Lengths are log-normal, cut at the longest: mean = cut * longest + (1 - cut) * terminated."""
    answers, longest = job.schedule.global_batch, _longest(job)
    mean = _mean_length(job, step, stream)
    over = noise.normal_share(log(mean / longest) / LENGTH_SPREAD)
    cut = noise.part(job.seed, f"{stream}cut", over, answers, step)
    terminated = (mean - cut * longest) / (1.0 - cut)
    # The extremes of n draws lie about sqrt(2 ln n) standard deviations out.
    luck = 1.0 + 0.1 * noise.normal(job.seed, f"{stream}extreme length", step)
    far = exp(LENGTH_SPREAD * sqrt(2.0 * log(max(2, answers))) * max(0.3, luck))
    shortest, last = float(int(terminated / far) + 1), min(longest - 1.0, float(int(mean * far)))
    return (
        ("completions/mean_length", mean),
        ("completions/min_length", shortest),
        ("completions/max_length", float(longest) if cut else last),
        ("completions/clipped_ratio", cut),
        ("completions/mean_terminated_length", terminated),
        ("completions/min_terminated_length", shortest),
        ("completions/max_terminated_length", last),
    )
