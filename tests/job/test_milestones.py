"""After which steps a job saves, and which checkpoint goes."""

from hypothesis import given
from hypothesis import strategies as st

from llmsim.job.milestones import KEPT_SAVES, evicted_checkpoint, saved_steps
from llmsim.job.schedule import BatchStage
from tests.runs import job_of


@given(st.integers(1, 400), st.integers(1, 80), st.booleans(), st.lists(st.integers(2, 90)))
def test_a_save_evicts_the_one_that_so_many_saves_before_it_made(
    steps: int, every: int, first: bool, grows: list[int]
) -> None:
    """Of the list of all saves it is the one KEPT_SAVES places earlier."""
    job = job_of(1, recipe="pretrain")
    starts = [1, *sorted({step for step in grows if step <= steps})]
    ramp = tuple(BatchStage(start, 8, 0) for start in starts) if len(starts) > 1 else ()
    schedule = job.schedule._replace(steps=steps, save_every=every, ramp=ramp)
    framework = job.framework._replace(saves_first_step=first)
    job = job._replace(schedule=schedule, framework=framework)
    saves = saved_steps(job)
    for place, step in enumerate(saves):
        expected = saves[place - KEPT_SAVES] if place >= KEPT_SAVES else 0
        assert evicted_checkpoint(job, step) == expected, (step, saves)
