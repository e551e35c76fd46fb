"""The identities of test_simulation.py, for whatever somebody asks for that fits."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.errors import PlanError
from llmsim.job.recipes import RECIPES
from llmsim.run import events
from llmsim.run.simulation import simulate
from tests.run import test_simulation as identities
from tests.runs import Run, job_of

pytestmark = pytest.mark.long

CHECKS: tuple[Callable[[tuple[Run, ...]], None], ...] = (
    identities.test_time_never_goes_back,
    identities.test_five_phases_follow_each_other_and_two_nest_in_training,
    identities.test_phases_take_as_long_as_they_announce,
    identities.test_between_logged_steps_passes_the_time_that_they_took,
    identities.test_rates_follow_from_tokens_time_and_the_model,
    identities.test_memory_fits_into_the_gpu,
    identities.test_the_learning_rate_is_that_of_the_schedule,
    identities.test_steps_are_logged_at_the_first_and_at_each_interval,
    identities.test_epochs_start_and_end_once_and_in_order,
    identities.test_validation_comes_at_its_interval_and_at_the_end,
    identities.test_progress_goes_forward_and_ends_at_its_total,
    identities.test_the_summary_agrees_with_the_run,
    identities.test_a_step_is_the_same_when_asked_for_alone,
)

wishes = st.fixed_dictionaries(
    {
        "recipe": st.sampled_from(tuple(RECIPES)),
        "model": st.sampled_from([model.name for model in records.models()]),
        "dataset": st.sampled_from([dataset.name for dataset in records.datasets()]),
        "gpu": st.sampled_from([gpu.name for gpu in records.gpus()]),
        "gpus": st.one_of(st.none(), st.integers(1, 64), st.integers(1, 131_072)),
    }
)


def run_asked_for(seed: int, asked: dict[str, Any]) -> Run | None:
    """The run of these options; None if no job can be made of them."""
    try:
        job = job_of(seed, **asked)
    except PlanError:
        return None
    return Run(job, tuple(simulate(job)))


@pytest.mark.transcripts
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.integers(0, 2**32), wishes)
def test_any_plan_that_fits_makes_a_run_in_which_all_agrees(
    seed: int, asked: dict[str, Any]
) -> None:
    run = run_asked_for(seed, asked)
    assume(run is not None)
    assert run is not None
    for check in CHECKS:
        check((run,))
    floor = 1.0 if run.job.recipe.name == "pretrain" else float("-inf")
    assert min(step.loss for step in run.all(events.Step)) >= floor
    limit = run.job.gpu.tdp_watts * 1.05
    for status in run.all(events.Status):
        for reading in status.gpus:
            assert 0 <= reading.utilization <= 100
            assert 0 <= reading.power_watts <= limit
            assert 20 <= reading.temperature_c <= 95
            assert 0 <= reading.memory_mib <= run.job.gpu.memory_mib
        for node in status.nodes:
            assert 0 <= node.utilization_min <= node.utilization <= 100
            assert 0 <= node.power_watts <= limit * node.gpus
            assert 20 <= node.temperature_min <= node.temperature_max <= 95
            assert 0 <= node.memory_mib <= run.job.gpu.memory_mib
