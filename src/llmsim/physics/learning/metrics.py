"""What fine-tuning watches beside the loss, by TRL's names and in its order (1.16).

SFT: a calibrated model's entropy is the loss it expects; of tokens with a loss of l nats it
guesses exp(-0.31 l) right (public TRL logs: 0.83 at 0.6, 0.72 at 1.1, 0.56 at 2.0, 0.14 at 5.9).
Examples are packed into sequences, best fit first, which leaves next to nothing of them empty.

DPO: loss, margins and accuracies as preference.py has them. Pairs have tokens of their own,
log-normally many, and padding, which TRL does not count among num_tokens. Both rewards sink in a
long run, the rejected ones faster.

GRPO: as reinforcement.py has it.
"""

from functools import lru_cache
from itertools import accumulate
from math import ceil, exp, sqrt

from llmsim.job.records import PROMPT_TOKENS, Job
from llmsim.physics import noise
from llmsim.physics.learning import curve, loss, preference, reinforcement
from llmsim.physics.learning.reinforcement import Metrics

EASIEST, SIZE_PART = 0.56, 2.42  # nats of an answer's token: for all, and of A / N**alpha
GUESSED = 0.31  # ln(share of tokens guessed right) / loss
LENGTH_SPREAD = 0.5  # standard deviation of log(tokens of an example)
SHORTEST_ANSWER = 20.0  # tokens
EMPTY = 0.008  # what packing leaves of a sequence at most


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
    return reinforcement.metrics(job, step) if job.recipe == "grpo" else ()


def held_out(job: Job, step: int) -> Metrics:
    """The same of an evaluation after this step's update."""
    if job.recipe in ("sft", "lora"):
        return _supervised(job, step, loss.validation(job, step), "held-out ")
    if job.recipe == "dpo":
        seen = preference.pairs(job) * job.schedule.validation_batches
        return _preference(job, step, loss.validation(job, step), seen, "held-out ")
    if job.recipe == "grpo":
        return reinforcement.held_out(job, step)
    return ()


def accuracy(job: Job, step: int) -> float | None:
    """The share of held-out pairs ranked right, or of problems solved; None in other recipes."""
    if job.recipe == "dpo":
        _, spread = preference.expected(job, step)
        margin = preference.margin_of(loss.validation(job, step), spread)
        return preference.ranked_right(margin, spread)
    return reinforcement.expected_reward(job, step + 1) if job.recipe == "grpo" else None


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


def answer_nats(job: Job) -> float:
    """What each token of an answer costs the reference model, nats; Chinchilla's law in its size.

    Public logs: 0.9..1.1 at 7B (zephyr: logps -260..-290), 2.2..2.4 at 160M on HH-RLHF.
    """
    luck = 0.93 + 0.14 * noise.uniform(job.seed, "dpo nats")
    return (EASIEST + SIZE_PART * curve.capacity(job)) * luck


def _answer_tokens(job: Job) -> float:
    """Mean tokens of a pair's answers: what the pairs have besides prompts; cut to a sequence."""
    answers = (row_tokens(job) - PROMPT_TOKENS) / 2.0
    return max(SHORTEST_ANSWER, min(answers, job.schedule.sequence - PROMPT_TOKENS))


def _preference(job: Job, step: int, value: float, pairs: int, stream: str = "") -> Metrics:
    """Of a loss that is the mean of so many pairs."""
    mean, spread = preference.expected(job, step)
    margin = preference.margin_of(value, spread)
    chosen = -0.6 * mean + 0.4 * margin
    rejected = chosen - margin
    ranked = preference.ranked_right(margin, spread)

    def batch(what: str) -> float:
        return noise.normal(job.seed, f"{stream}dpo {what}", step) / sqrt(pairs)

    # Each of an answer's tokens costs the reference model so many nats.
    tokens, nats = _answer_tokens(job), answer_nats(job)
    logps = -tokens * nats * (1.0 + 0.35 * batch("chosen")) + chosen / preference.BETA
    worse = noise.between(job.seed, "dpo worse", 0.95, 1.2)
    other = -tokens * nats * worse * (1.0 + 0.35 * batch("rejected"))
    logits = noise.between(job.seed, "dpo logits", -2.8, -1.2)
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


# --- examples ----------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _tokens_seen(job: Job) -> tuple[int, ...]:
    """Tokens, padding left out, of all examples after each step, from step 0 on."""
    batch, steps = job.schedule.global_batch, range(1, job.schedule.steps + 1)
    return (0, *accumulate(round(batch * _example_length(job, step)) for step in steps))


def _example_length(job: Job, step: int) -> float:
    """Mean tokens of a step's sequences: the more of them, the closer to the mean of all."""
    sequence = job.schedule.sequence
    if job.recipe != "dpo":
        return sequence * (1.0 - EMPTY * noise.uniform(job.seed, "packed", step))
    mean = PROMPT_TOKENS + _answer_tokens(job)
    spread = sqrt((exp(LENGTH_SPREAD**2) - 1.0) / job.schedule.global_batch)
    length = mean * (1.0 + spread * noise.normal(job.seed, "example lengths", step))
    return min(float(sequence), max(0.2 * mean, length))


def row_tokens(job: Job) -> float:
    """Mean tokens of a row of the data: a conversation, a pair with its prompt, or a problem."""
    return job.dataset.tokens / job.dataset.rows


def samples(job: Job) -> int:
    """What an epoch of a fine-tuning reads: packed sequences, or in DPO and GRPO the rows."""
    if job.recipe in ("dpo", "grpo"):
        return job.dataset.rows
    return ceil(job.dataset.tokens / (job.schedule.sequence * (1.0 - EMPTY / 2.0)))
