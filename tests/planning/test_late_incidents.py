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


def test_an_incident_after_the_training_is_one_sentence() -> None:
    export = run_of(plan(ASKED)).timeline.last()
    assert (export.kind, export.ended - export.began > 20.0) == ("export", True)
    ended = export.began
    for moment in (ended + 1.0, export.ended + 1.0):  # nothing breaks in an export
        late = f"cuda-oom@{moment:.0f}s"
        said = f"^{late} is too late: the training has ended by then, after "
        with pytest.raises(PlanError, match=said):
            plan(ASKED._replace(incident=(late,)))
    early = f"cuda-oom@{0.9 * ended:.0f}s"
    assert len(plan(ASKED._replace(incident=(early,))).asked) == 1


def test_an_incident_may_come_in_the_time_that_another_one_adds() -> None:
    ended = run_ended(run_of(plan(ASKED)))
    both = ("gpu-lost@50%", f"cuda-oom@{ended + 1.0:.0f}s")
    assert len(plan(ASKED._replace(incident=both)).asked) == 2
