"""Which runs a show has: each starts after the one before it has ended."""

from datetime import datetime, timedelta

import pytest

from llmsim.hosts import runs
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import simulate

START = datetime(2026, 1, 30, 12)


@pytest.mark.parametrize(("left", "flag"), [(1, ""), (2, " --runs 2"), (0, " --runs 0")])
def test_a_stop_names_the_runs_that_are_left(left: int, flag: str) -> None:
    asked = Options(runs=3 if left else 0, view="wall")
    job = plan(asked._replace(seed=7, start=START))
    command = f"Same run again: {job.command}"
    assert runs.again(asked, job, ended=False, left=left) == f"{command} --view wall{flag}"
    hf = job._replace(framework=job.framework._replace(name="hf"))
    assert runs.again(asked, hf, ended=True, left=left) == command  # each run has its own


@pytest.mark.parametrize("start", [START, None])
def test_a_next_run_starts_after_the_one_before_it(
    monkeypatch: pytest.MonkeyPatch, start: datetime | None
) -> None:
    monkeypatch.setattr(runs, "_now", lambda: START)
    shown = runs.runs_of(Options(seed=7, start=start, runs=3))
    first, second, third = (each.options for each in shown)
    assert (first.seed, second.seed, third.seed) == (7, 8, 9)
    for one, other in ((first, second), (second, third)):
        job = plan(one)
        last = max(event.at for event in simulate(job))
        assert one.start is not None
        assert other.start is not None
        gap = other.start - (one.start + timedelta(seconds=last))
        assert timedelta(0) < gap <= timedelta(seconds=2)


def test_each_run_is_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host, the moment of --from and the start of the next run ask for the same plan."""
    planned = list[int | None]()

    def noted(options: Options) -> Job:
        planned.append(options.seed)
        return plan(options)

    monkeypatch.setattr(runs, "plan", noted)
    for shown in runs.runs_of(Options(seed=7, start=START, runs=3, from_="50%")):
        assert shown.run.job == shown.job
    assert planned == [7, 8, 9]
