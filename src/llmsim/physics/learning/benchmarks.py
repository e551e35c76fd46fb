"""Benchmark scores of the finished model, as an evaluation harness prints them.

    value = right / n,   stderr = sqrt(value * (1 - value) / n)

n is the true size of each test set. Pretrained models: straight lines through the scores
of published models over the loss that curve.py's law gives for their size and tokens,
from chance upwards; the kind of data does not count. GPT-2 124M on 10B tokens (law 3.01,
FineWeb 3.29) reached HellaSwag 0.2955 in llm.c; Pythia 1.4B, GPT-J 6B, LLaMA 7B, Llama 3
8B and 70B scored as their authors or the harness's users report, to about two digits.
What is trained further keeps what the released model can do, give or take 0.01..0.03 for
the new data. Fine-tuned models: ROUGE-L and BLEU over the final loss, means of one score a
text, whose spread is 0.17; preferences: the share of pairs ranked right; reinforcement: the
share of problems solved.
"""

from math import ceil, sqrt

from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.learning import curve, loss, metrics, reinforcement
from llmsim.physics.speed import step_time
from llmsim.typed import NamedTuple


class Score(NamedTuple):
    """One line of an evaluation table. Value and standard error are shares or per cent."""

    name: str
    metric: str
    value: float
    stderr: float
    questions: int
    percent: bool = False  # 0..100, as BLEU counts; else 0..1


class Effort(NamedTuple):
    """What an evaluation has to read: each question once for each of its answers."""

    questions: int
    tokens: int


class Benchmark(NamedTuple):
    """A test set, how many questions it has, and the scores reached at LOSSES."""

    name: str
    metric: str
    questions: int
    choices: int
    tokens: int  # of a question with one of its choices, without examples before it
    scores: tuple[float, ...]


# Nothing learnt; GPT-2 124M (10B tokens); Pythia 1.4B (0.3T); GPT-J 6B (0.4T); LLaMA 7B (1T);
# Llama 3 8B and 70B (15T); where the law ends.
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
GSM8K, PREFERENCE_PAIRS, ANSWERS = 1_319, 2_000, 1_000
PAIR_TOKENS, ANSWER_TOKENS = 1_000, 700  # of both answers; of a question and a long answer
TEXT_SPREAD = 0.17  # standard deviation of one text's ROUGE-L or BLEU
# Tokens a second, short padded sequences against training's full ones. Up to 1B a fifth: the
# GPUs wait for launches; from 56B on as fast, since forward alone is a third of the work.
SPEED, SPEED_EXPONENT = 0.2, 0.4
PATIENCE = 3600.0  # seconds, beyond which an evaluation takes more nodes


def scores(job: Job, step: int | None = None) -> tuple[Score, ...]:
    """The evaluation table of the model after a step; of the finished run by default."""
    last = step or job.schedule.steps
    if job.recipe in ("pretrain", "continue"):
        return tuple(_benchmark(job, test, last) for test in BENCHMARKS)
    if job.recipe == "grpo":
        solved = reinforcement.expected_reward(job, last)
        return (_score(job, last, "gsm8k", "exact_match", GSM8K, solved),)
    if job.recipe == "dpo":
        agreed = metrics.accuracy(job, last) or 0.0
        return (_score(job, last, "preference", "acc", PREFERENCE_PAIRS, agreed),)
    overlap = max(0.05, 0.52 - 0.2 * loss.expected(job, last))
    rouge, stderr = _mean(job, last, "rouge", overlap)
    bleu, _ = _mean(job, last, "bleu", 0.4 * overlap)
    return (
        Score("rouge", "rougeL", rouge, stderr, ANSWERS),
        Score("bleu", "bleu", 100.0 * bleu, 100.0 * stderr, ANSWERS, percent=True),
    )


def effort(job: Job) -> Effort:
    """How much the evaluation reads: lm-eval scores every choice of every question."""
    if job.recipe in ("pretrain", "continue"):
        tokens = sum(test.questions * test.choices * test.tokens for test in BENCHMARKS)
        return Effort(sum(test.questions for test in BENCHMARKS), tokens)
    if job.recipe == "dpo":
        return Effort(PREFERENCE_PAIRS, PREFERENCE_PAIRS * PAIR_TOKENS)
    questions = GSM8K if job.recipe == "grpo" else ANSWERS
    return Effort(questions, questions * ANSWER_TOKENS)


def seconds(job: Job) -> float:
    """Mean seconds of the evaluation, on one node unless that would take over an hour."""
    load = 20.0 + 20.0 * noise.uniform(job.seed, "evaluation-load")
    training = step_time.step_seconds(job) - step_time.rollout_seconds(job)
    size = max(1.0, job.model.active_parameters / 1e9)
    speed = min(1.0, SPEED * float(size**SPEED_EXPONENT))
    rate = speed * batch_tokens(job) / training / job.layout.nodes  # of one node
    alone = effort(job).tokens / rate
    return load + alone / min(job.layout.nodes, ceil(alone / PATIENCE))


def _benchmark(job: Job, test: Benchmark, last: int) -> Score:
    if job.recipe == "continue":
        luck = 2.0 * noise.uniform(job.seed, f"evaluation-nudge-{test.name}") - 1.0
        nudge = (0.01 if luck > 0 else -0.01) + 0.02 * luck
        known = _interpolated(curve.released(job), test.scores)
        share = max(test.scores[0], known + nudge * last / job.schedule.steps)
    else:
        shape = curve.curve(job)
        at = shape.floor + curve.lawful(shape, job, last) - curve.data_offset(job)
        share = _interpolated(at, test.scores)
    return _score(job, last, test.name, test.metric, test.questions, share)


def _luck(job: Job, name: str, step: int) -> float:
    """In standard errors: some of it is the run's, some that of the weights after this step."""
    moment = 0 if step == job.schedule.steps else step
    lasting = noise.normal(job.seed, f"evaluation-{name}")
    return 0.6 * lasting + 0.36 * noise.normal(job.seed, f"evaluation-step-{name}", moment)


def _mean(job: Job, step: int, name: str, mean: float) -> tuple[float, float]:
    """The mean of one score a text, and its standard error."""
    stderr = TEXT_SPREAD / sqrt(ANSWERS)
    return max(0.001, mean + _luck(job, name, step) * stderr), stderr


def _interpolated(at: float, values: tuple[float, ...]) -> float:
    """The value at this loss, on straight lines through LOSSES; flat outside."""
    if at >= LOSSES[0]:
        return values[0]
    for i, below in enumerate(LOSSES[1:]):
        if at >= below:
            part = (LOSSES[i] - at) / (LOSSES[i] - below)
            return values[i] + part * (values[i + 1] - values[i])
    return values[-1]


def _score(job: Job, step: int, name: str, metric: str, questions: int, share: float) -> Score:
    """A whole number of right answers: the model's share and its luck with these questions."""
    drawn = share + _luck(job, name, step) * sqrt(share * (1.0 - share) / questions)
    value = min(questions, max(0, round(drawn * questions))) / questions
    return Score(name, metric, value, sqrt(value * (1.0 - value) / questions), questions)
