"""With --jokes no a seed draws no name that is a joke; what is asked for is kept."""

import re
import shlex

import pytest

from llmsim.catalog import records
from llmsim.cli.flags import pairs
from llmsim.dialects.registry import NAMES, framework_of
from llmsim.job.records import Job
from llmsim.options.given import parse_options
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from tests.runs import START, job_of

SEEDS = range(60)
FUNNY = {model.name for model in records.models() if model.funny}
FUNNY |= {data.name for data in records.datasets() if data.funny}


def is_sober(job: Job) -> bool:
    """Whether no drawn name is a joke."""
    plain = re.fullmatch(r"run-\d{6}", job.run_name) and job.cluster == "node"
    return bool(plain) and FUNNY.isdisjoint((job.model.name, job.dataset.name))


def test_both_lists_mark_names_and_have_sober_ones_of_each_kind() -> None:
    """These two made people laugh where they needed a sober screen."""
    assert {"ButtGPT-420B", "cookie-banners-multilingual"} <= FUNNY
    assert FUNNY.isdisjoint(("Basalt-8B", "FineWeb", "GSM8K-train"))
    sober = [row for row in records.datasets() if row.name not in FUNNY]
    assert {row.kind for row in sober} == {row.kind for row in records.datasets()}


def test_a_seed_draws_sober_names_alone_and_by_default_the_others_too() -> None:
    drawn = {seed: job_of(seed, jokes=False) for seed in SEEDS}
    assert [seed for seed, job in drawn.items() if not is_sober(job)] == []
    assert len({job.run_name for job in drawn.values()}) == len(SEEDS)
    usual = [job_of(seed) for seed in SEEDS]
    assert sum(job.model.name in FUNNY for job in usual) > len(SEEDS) / 10
    assert any(job.dataset.name in FUNNY for job in usual)


@pytest.mark.parametrize("dialect", NAMES)
def test_each_framework_has_sober_models_for_each_recipe(dialect: str) -> None:
    for recipe in framework_of(dialect).recipes:
        assert is_sober(job_of(5, dialect=dialect, recipe=recipe, jokes=False)), recipe


def test_names_that_are_asked_for_are_kept() -> None:
    job = {"run": {"name": "grumpy-optimizer-725"}, "cluster": {"hosts": "toaster"}}
    asked = {"model": "ButtGPT-420B", "dataset": "reply-all-emails", "job": job}
    made = job_of(3, recipe="pretrain", jokes=False, **asked)
    names = made.model.name, made.dataset.name, made.run_name, made.cluster
    assert names == ("ButtGPT-420B", "reply-all-emails", "grumpy-optimizer-725", "toaster")


def test_the_command_of_a_sober_run_plays_it_again() -> None:
    made = plan(Options(seed=4, start=START, jokes=False))
    program, *words = shlex.split(made.command)
    assert (program, words[:2]) == ("llmsim", ["--jokes", "no"])
    options, complaints = parse_options(pairs(words), "--")
    assert complaints == []
    assert plan(options) == made
