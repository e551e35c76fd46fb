"""What is remembered of a job belongs to the job, and two jobs share nothing."""

import pickle
from datetime import datetime
from time import process_time

import pytest

from llmsim import Options, plan, simulate
from llmsim.job.memo import remembered
from llmsim.job.recipes import RECIPES
from llmsim.job.records import Job
from tests.physics.jobs import job as make_job


def test_a_job_remembers_the_latest_values_of_a_function() -> None:
    asked: list[tuple[int, int]] = []

    @remembered(2)
    def square(job: Job, number: int) -> int:
        asked.append((job.seed, number))
        return number * number

    one, other = make_job(seed=1), make_job(seed=2)
    assert [square(one, 3), square(other, 3), square(one, 3)] == [9, 9, 9]
    assert asked == [(1, 3), (2, 3)]
    assert [square(one, number) for number in (4, 5, 3)] == [16, 25, 9]
    assert asked[2:] == [(1, 4), (1, 5), (1, 3)]  # 3 was the oldest of three


def test_what_a_job_remembers_is_no_part_of_it() -> None:
    job, same = make_job(seed=5), make_job(seed=5)
    job.memo["something"] = {(): 1}
    assert (job, hash(job)) == (same, hash(same))
    assert not job._replace(seed=5).memo
    loaded = pickle.loads(pickle.dumps(job))
    assert (loaded, type(loaded), loaded.memo) == (job, Job, {})


def test_the_jobs_of_a_sweep_have_different_hashes() -> None:
    job = make_job(seed=5)
    rates = [job.schedule._replace(peak_lr=rate * 1e-5) for rate in range(1, 101)]
    sweep = [job._replace(schedule=schedule) for schedule in rates]
    assert len({hash(each) for each in sweep}) == 100
    assert hash(job._replace(recipe=RECIPES["sft"])) != hash(job)


@pytest.mark.long
def test_runs_in_turns_cost_what_they_cost_one_after_another() -> None:
    """Twelve GRPO runs, whose tokens are counted once a run; a shared cache made this 28 times."""
    start = datetime(2026, 1, 30, 12)
    drawn = [
        plan(Options(seed=s, start=start, dialect="pytorch", recipe="grpo")) for s in range(12)
    ]

    def seconds(in_turns: bool) -> float:
        runs = [simulate(job._replace()) for job in drawn]  # copies remember nothing
        began = process_time()
        if in_turns:
            for _ in range(60):
                for run in runs:
                    next(run)
        else:
            for run in runs:
                for _ in range(60):
                    next(run)
        return process_time() - began

    seconds(in_turns=True)
    after = min(seconds(in_turns=False) for _ in range(3))
    turns = min(seconds(in_turns=True) for _ in range(3))
    # 1.2 is what a quiet machine keeps to; a busy one has its own noise.
    assert turns < 2 * after
