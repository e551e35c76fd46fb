"""Benchmark scores follow from loss and size, with the standard errors of the real test sets."""

from itertools import pairwise
from math import sqrt

import pytest

from llmsim.job.layout import Layout
from llmsim.job.records import Job
from llmsim.model.architecture import Architecture
from llmsim.physics.learning import benchmarks, objectives
from llmsim.physics.speed import step_time
from tests.physics import jobs
from tests.physics.loss_jobs import gpt2_124m, make_job

SIZES = {
    "hellaswag": 10_042,
    "mmlu": 14_042,
    "arc_easy": 2_376,
    "arc_challenge": 1_172,
    "piqa": 1_838,
    "winogrande": 1_267,
}


def _table(job: Job) -> dict[str, objectives.Score]:
    return {score.name: score for score in benchmarks.scores(job)}


def test_gpt2_124m_reaches_its_hellaswag() -> None:
    """llm.c, 10B tokens of FineWeb: acc_norm 0.2955."""
    values = [_table(gpt2_124m(seed))["hellaswag"].value for seed in range(20)]
    assert sum(values) / 20 == pytest.approx(0.2955, abs=0.005)


def test_llama3_8b_reaches_its_scores() -> None:
    """Llama 3 8B after 15T tokens: HellaSwag 79, MMLU 65 to 66."""
    table = _table(make_job(global_batch=1024, steps=3_500_000, warmup=2000))
    assert table["hellaswag"].value == pytest.approx(0.79, abs=0.02)
    assert table["mmlu"].value == pytest.approx(0.65, abs=0.04)


def test_a_run_that_learnt_nothing_guesses() -> None:
    table = _table(make_job(steps=20, warmup=1))
    for name, score in table.items():
        chance = 0.5 if name in ("piqa", "winogrande") else 0.25
        assert abs(score.value - chance) < 4 * score.stderr


def test_standard_errors_are_binomial_with_the_true_sizes() -> None:
    table = _table(make_job())
    assert set(table) == set(SIZES)
    for name, score in table.items():
        p = score.value
        assert score.stderr == pytest.approx(sqrt(p * (1 - p) / SIZES[name]))
        assert p * SIZES[name] == pytest.approx(round(p * SIZES[name]))


def test_scores_rise_as_the_loss_falls() -> None:
    for parameters in (1_000_000_000, 70_000_000_000):
        tables = [
            _table(make_job(parameters=parameters, steps=steps, warmup=200))
            for steps in (500, 2000, 10_000, 100_000, 1_000_000)
        ]
        for before, after in pairwise(tables):
            assert all(before[name].value <= after[name].value for name in SIZES)


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("sft", ["rouge", "bleu"]),
        ("lora", ["rouge", "bleu"]),
        ("dpo", ["preference"]),
        ("grpo", ["gsm8k"]),
    ],
)
def test_other_recipes_have_their_own_tables(recipe: str, names: list[str]) -> None:
    table = _table(make_job(recipe=recipe, steps=500, warmup=10, epochs=2))
    assert list(table) == names
    for score in table.values():
        assert 0.0 < score.value < (100.0 if score.percent else 1.0)


@pytest.mark.parametrize("kind", ["web", "code"])
def test_continued_pretraining_keeps_what_the_released_model_can_do(kind: str) -> None:
    """An 8B model of 2T tokens: HellaSwag about 0.77, whatever the loss on the new data."""
    tables = [_table(make_job(seed=s, recipe="continue", kind=kind, steps=500)) for s in range(20)]
    for name in SIZES:
        values = [table[name].value for table in tables]
        assert 0.02 < max(values) - min(values) < 0.10
    values = [table["hellaswag"].value for table in tables]
    assert sum(values) / 20 == pytest.approx(0.75, abs=0.03)


def test_code_does_not_make_a_model_wiser() -> None:
    web, code = (_table(make_job(kind=kind, steps=100_000)) for kind in ("web", "code"))
    assert all(abs(web[name].value - code[name].value) < 0.01 for name in SIZES)


def test_overlaps_are_means_over_texts() -> None:
    for seed in range(20):
        table = _table(make_job(seed=seed, recipe="sft", kind="chat", steps=500, warmup=10))
        rouge, bleu = table["rouge"], table["bleu"]
        assert 0.2 < rouge.value < 0.5
        assert 8.0 < bleu.value < 20.0
        assert rouge.stderr == pytest.approx(0.17 / sqrt(rouge.questions))
        assert bleu.stderr == pytest.approx(17.0 / sqrt(bleu.questions))
        assert rouge.value * rouge.questions != pytest.approx(
            round(rouge.value * rouge.questions), abs=1e-9
        )


@pytest.mark.parametrize(
    ("config", "spread", "low", "high"),
    [
        (jobs.LLAMA_1B, jobs.layout(8, micro_batch=8), 1, 10),
        (jobs.LLAMA_8B, jobs.layout(8, micro_batch=2), 5, 20),
        (jobs.LLAMA_405B, jobs.layout(1024, tp=8, recompute="full"), 30, 75),
    ],
)
def test_an_evaluation_takes_minutes(
    config: Architecture, spread: Layout, low: float, high: float
) -> None:
    """Six test sets with about 117,000 choices, on a node; on more where it would take hours."""
    job = jobs.job(config, spread=spread)
    assert benchmarks.effort(job).questions == sum(SIZES.values())
    assert low < step_time.evaluation_seconds(job) / 60 < high
