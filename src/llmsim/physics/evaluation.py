"""Benchmark scores at the end of a run. First version: see below."""

from math import sqrt
from typing import NamedTuple

from llmsim.job import Job
from llmsim.physics import curve as curves
from llmsim.physics import loss


class Score(NamedTuple):
    """One line of an evaluation table. Value and standard error are shares, 0..1."""

    name: str
    metric: str
    value: float
    stderr: float


class Benchmark(NamedTuple):
    """A test set: its questions and the score that models of a known loss reached."""

    name: str
    metric: str
    questions: int
    scores: tuple[float, ...]  # at the losses in LOSSES


# Chinchilla-law loss of: no training; GPT-2 124M on 10B tokens; Pythia-1.4B on 300B;
# Llama 3 8B and 70B on 15T.
LOSSES = (4.5, 3.01, 2.27, 2.02, 1.93, 1.82)
BENCHMARKS = (
    Benchmark("hellaswag", "acc_norm", 10_042, (0.25, 0.2955, 0.52, 0.79, 0.85, 0.90)),
    Benchmark("mmlu", "acc", 14_042, (0.25, 0.25, 0.26, 0.655, 0.79, 0.86)),
    Benchmark("arc_easy", "acc_norm", 2_376, (0.25, 0.40, 0.54, 0.78, 0.86, 0.91)),
    Benchmark("arc_challenge", "acc_norm", 1_172, (0.25, 0.25, 0.285, 0.533, 0.64, 0.70)),
    Benchmark("piqa", "acc_norm", 1_838, (0.50, 0.625, 0.71, 0.81, 0.84, 0.87)),
    Benchmark("winogrande", "acc", 1_267, (0.50, 0.515, 0.57, 0.735, 0.80, 0.85)),
)


def _interpolate(x: float, ys: tuple[float, ...]) -> float:
    if x >= LOSSES[0]:
        return ys[0]
    for i in range(1, len(LOSSES)):
        if x >= LOSSES[i]:
            part = (LOSSES[i - 1] - x) / (LOSSES[i - 1] - LOSSES[i])
            return ys[i - 1] + part * (ys[i] - ys[i - 1])
    return ys[-1]


def score(name: str, metric: str, value: float, questions: int) -> Score:
    """A share of right answers, as a whole number of them, with its binomial standard error."""
    right = round(value * questions) / questions
    return Score(name, metric, right, sqrt(right * (1.0 - right) / questions))


def scores(job: Job) -> tuple[Score, ...]:
    """The evaluation table of a finished run."""
    final = loss.expected(job, job.schedule.steps)
    if job.recipe in ("pretrain", "continue"):
        at = final - curves.data_offset(job)
        return tuple(
            score(b.name, b.metric, _interpolate(at, b.scores), b.questions) for b in BENCHMARKS
        )
    if job.recipe == "grpo":
        return (score("gsm8k", "exact_match", loss.reward(job, job.schedule.steps), 1_319),)
    quality = max(0.05, min(0.6, 0.75 - 0.4 * final))
    return (score("rouge", "rougeL", quality, 1_000), score("bleu", "bleu", quality / 2, 1_000))
