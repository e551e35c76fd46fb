"""Which runs a show has: each starts after the one before it has ended."""

from datetime import datetime, timedelta

import pytest

from llmsim.hosts import runs
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import simulate

START = datetime(2026, 1, 30, 12)


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
