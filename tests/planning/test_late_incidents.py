"""An incident that is asked for after the end of its run."""

from datetime import datetime

import pytest

from llmsim.errors import PlanError
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.run.timeline import run_ended

ASKED = Options(seed=7, start=datetime(2026, 1, 30), dialect="pytorch", gpus=8, steps=2000,
                gpu="NVIDIA H100 80GB HBM3", model="Basalt-8B", recipe="pretrain",
                incidents="none")  # fmt: skip


def test_an_incident_after_the_last_step_or_second_is_one_sentence() -> None:
    calm = plan(ASKED)
    steps, ended = calm.schedule.steps, run_ended(run_of(calm))
    for late, said in (
        (f"cuda-oom@step={steps + 1}", f"at step {steps:,}."),
        (f"cuda-oom@{ended + 1.0:.0f}s", ", after "),
    ):
        with pytest.raises(PlanError) as refused:
            plan(ASKED._replace(incident=(late,)))
        assert f"{late} is too late: the run has ended by then" in str(refused.value)
        assert said in str(refused.value)
    for early in (f"cuda-oom@step={steps}", f"cuda-oom@{0.9 * ended:.0f}s", "cuda-oom@100%"):
        assert len(plan(ASKED._replace(incident=(early,))).asked) == 1


def test_an_incident_may_come_in_the_time_that_another_one_adds() -> None:
    ended = run_ended(run_of(plan(ASKED)))
    both = ("gpu-lost@50%", f"cuda-oom@{ended + 1.0:.0f}s")
    assert len(plan(ASKED._replace(incident=both)).asked) == 2
