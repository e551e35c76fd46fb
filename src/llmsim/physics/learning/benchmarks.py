"""Benchmark scores of the finished model, as an evaluation harness prints them.

    value = right / n,   stderr = sqrt(value * (1 - value) / n)

n is the true size of each test set. The score of a pretrained model is interpolated between
published models by the loss that curve.py's law gives for their size and tokens, from
chance upwards; the kind of data does not count. GPT-2 124M on 10B tokens (law 3.01,
FineWeb 3.29) reached HellaSwag 0.2955 in llm.c; Pythia 1.4B, GPT-J 6B, LLaMA 7B, Llama 3
8B and 70B scored as their authors or the harness's users report, to about two digits.
The module of each objective chooses its benchmarks. Fine-tuned models have ROUGE-L and BLEU,
which are means over texts whose scores spread by 0.17; preference tuning has the share of pairs
ranked right, reinforcement learning the share of problems solved.
"""

from math import sqrt

from llmsim.job.records import Job
from llmsim.physics import noise
from llmsim.physics.learning import objectives
from llmsim.physics.learning.objectives import Effort, Score
from llmsim.typed import NamedTuple


class Benchmark(NamedTuple):
    """A test set, how many questions it has, and the scores reached at LOSSES."""

    name: str
    metric: str
    questions: int
    choices: int
    tokens: int  # of a question with one of its choices, without few-shot examples
    scores: tuple[float, ...]


# An untrained model; GPT-2 124M (10B tokens); Pythia 1.4B (0.3T); GPT-J 6B (0.4T); LLaMA 7B (1T);
# Llama 3 8B and 70B (15T); the lowest loss that the law allows.
LOSSES = (5.0, 3.01, 2.27, 2.126, 2.085, 2.02, 1.93, 1.82)
BENCHMARKS = (
    Benchmark("hellaswag", "acc_norm", 10_042, 4, 100,
              (0.25, 0.2955, 0.52, 0.66, 0.73, 0.79, 0.85, 0.90)),
    Benchmark("mmlu", "acc", 14_042, 4, 150,
              (0.25, 0.25, 0.26, 0.28, 0.35, 0.65, 0.79, 0.87)),
    Benchmark("arc_easy", "acc_norm", 2_376, 4, 100,
              (0.25, 0.40, 0.54, 0.62, 0.67, 0.78, 0.86, 0.91)),
    Benchmark("arc_challenge", "acc_norm", 1_172, 4, 100,
              (0.25, 0.25, 0.28, 0.37, 0.45, 0.53, 0.64, 0.71)),
    Benchmark("piqa", "acc_norm", 1_838, 2, 100,
              (0.50, 0.625, 0.71, 0.76, 0.78, 0.81, 0.84, 0.87)),
    Benchmark("winogrande", "acc", 1_267, 2, 100,
              (0.50, 0.516, 0.57, 0.64, 0.70, 0.735, 0.80, 0.86)),
)  # fmt: skip
GSM8K, ANSWERS = 1_319, 1_000  # questions
ANSWER_TOKENS = 700  # of a question and a long answer
TEXT_SPREAD = 0.17  # standard deviation of one text's ROUGE-L or BLEU


def scores(job: Job, step: int | None = None) -> tuple[Score, ...]:
    """The benchmark scores of the model after a step; after the last one by default."""
    return objectives.of(job).scores(job, step or job.schedule.steps)


def effort(job: Job) -> Effort:
    """The questions and tokens that one evaluation reads."""
    return objectives.of(job).effort


def _luck(job: Job, name: str, step: int) -> float:
    """The random part of a score, in standard errors: one part of the run, one of this step."""
    moment = 0 if step == job.schedule.steps else step
    lasting = noise.normal(job.seed, f"evaluation-{name}")
    return 0.6 * lasting + 0.36 * noise.normal(job.seed, f"evaluation-step-{name}", moment)


def mean(job: Job, step: int, name: str, expected: float) -> tuple[float, float]:
    """The mean score over all texts, near the expected one, and its standard error."""
    stderr = TEXT_SPREAD / sqrt(ANSWERS)
    return max(0.001, expected + _luck(job, name, step) * stderr), stderr


def interpolated(at: float, values: tuple[float, ...]) -> float:
    """The value at this loss, on straight lines through LOSSES; flat outside."""
    if at >= LOSSES[0]:
        return values[0]
    for i, below in enumerate(LOSSES[1:]):
        if at >= below:
            part = (LOSSES[i] - at) / (LOSSES[i] - below)
            return values[i] + part * (values[i + 1] - values[i])
    return values[-1]


def score(job: Job, step: int, name: str, metric: str, questions: int, share: float) -> Score:
    """A score from a whole number of right answers: the expected share plus binomial noise."""
    drawn = share + _luck(job, name, step) * sqrt(share * (1.0 - share) / questions)
    value = min(questions, max(0, round(drawn * questions))) / questions
    return Score(name, metric, value, sqrt(value * (1.0 - value) / questions), questions)
