"""Benchmark scores of the finished model, as an evaluation harness prints them.

    value = right / n,   stderr = sqrt(value * (1 - value) / n)

n is the true size of each test set. Pretrained models: straight lines through the scores
of published models over the loss that curve.py's law gives for their size and tokens,
from chance upwards; the kind of data does not count. GPT-2 124M on 10B tokens (law 3.01,
FineWeb 3.29) reached HellaSwag 0.2955 in llm.c; Pythia 1.4B, GPT-J 6B, LLaMA 7B, Llama 3
8B and 70B scored as their authors or the harness's users report, to about two digits.
Fine-tuned models: ROUGE-L and BLEU over the final loss; preferences: the share of pairs
ranked right; reinforcement: the share of problems solved.
"""

from math import sqrt
from typing import NamedTuple

from llmsim.job import Job
from llmsim.physics import alignment, curve, loss, noise


class Score(NamedTuple):
    """One line of an evaluation table. Value and standard error are shares, 0..1."""

    name: str
    metric: str
    value: float
    stderr: float
    questions: int


class Benchmark(NamedTuple):
    """A test set, how many questions it has, and the scores reached at LOSSES."""

    name: str
    metric: str
    questions: int
    scores: tuple[float, ...]


# Nothing learnt; GPT-2 124M (10B tokens); Pythia 1.4B (0.3T); GPT-J 6B (0.4T); LLaMA 7B (1T);
# Llama 3 8B and 70B (15T); where the law ends.
LOSSES = (5.0, 3.01, 2.27, 2.126, 2.085, 2.02, 1.93, 1.82)
BENCHMARKS = (
    Benchmark("hellaswag", "acc_norm", 10_042, (0.25, 0.2955, 0.52, 0.66, 0.73, 0.79, 0.85, 0.90)),
    Benchmark("mmlu", "acc", 14_042, (0.25, 0.25, 0.26, 0.28, 0.35, 0.65, 0.79, 0.87)),
    Benchmark("arc_easy", "acc_norm", 2_376, (0.25, 0.40, 0.54, 0.62, 0.67, 0.78, 0.86, 0.91)),
    Benchmark("arc_challenge", "acc_norm", 1_172, (0.25, 0.25, 0.28, 0.37, 0.45, 0.53, 0.64, 0.71)),
    Benchmark("piqa", "acc_norm", 1_838, (0.50, 0.625, 0.71, 0.76, 0.78, 0.81, 0.84, 0.87)),
    Benchmark("winogrande", "acc", 1_267, (0.50, 0.516, 0.57, 0.64, 0.70, 0.735, 0.80, 0.86)),
)
GSM8K, PREFERENCE_PAIRS, ANSWERS = 1_319, 2_000, 1_000


def scores(job: Job, step: int | None = None) -> tuple[Score, ...]:
    """The evaluation table of the model after a step; of the finished run by default."""
    last = step or job.schedule.steps
    final = loss.expected(job, last)
    if job.recipe in ("pretrain", "continue"):
        at = final - curve.data_offset(job)
        return tuple(_score(job, *b[:3], _interpolated(at, b.scores)) for b in BENCHMARKS)
    if job.recipe == "grpo":
        return (_score(job, "gsm8k", "exact_match", GSM8K, loss.expected_reward(job, last)),)
    if job.recipe == "dpo":
        agreed = alignment.accuracy(job, last) or 0.0
        return (_score(job, "preference", "acc", PREFERENCE_PAIRS, agreed),)
    overlap = max(0.05, 0.52 - 0.2 * final)
    return (
        _score(job, "rouge", "rougeL", ANSWERS, overlap),
        _score(job, "bleu", "bleu", ANSWERS, 0.4 * overlap),
    )


def _interpolated(at: float, values: tuple[float, ...]) -> float:
    """The value at this loss, on straight lines through LOSSES; flat outside."""
    if at >= LOSSES[0]:
        return values[0]
    for i, below in enumerate(LOSSES[1:]):
        if at >= below:
            part = (LOSSES[i] - at) / (LOSSES[i] - below)
            return values[i] + part * (values[i + 1] - values[i])
    return values[-1]


def _score(job: Job, name: str, metric: str, questions: int, share: float) -> Score:
    """A whole number of right answers: the model's share and its luck with these questions."""
    luck = 0.7 * noise.normal(job.seed, f"evaluation-{name}")
    drawn = share + luck * sqrt(share * (1.0 - share) / questions)
    value = min(questions, max(0, round(drawn * questions))) / questions
    return Score(name, metric, value, sqrt(value * (1.0 - value) / questions), questions)
