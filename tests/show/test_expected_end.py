"""How much of a run is done, where a time limit ends it and a failure gives it a new one."""

from datetime import datetime

import pytest

from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.show.dashboard import Dashboard

START = datetime(2026, 1, 30, 12)


def test_a_bar_is_not_full_while_a_later_attempt_has_time_left() -> None:
    """Each launch has the whole limit again: so the bar falls back after a failure, and is nearly
    full at the end of the last attempt.
    """
    wanted = Options(seed=43, start=START, gpus=1024, recipe="pretrain", incidents="none")
    run = run_of(plan(wanted._replace(incident=("gpu-lost@45%",))))
    assert run.job.schedule.time_limit
    trainings = [each for each in run.timeline if each.kind == "training"]
    attempts = {each.attempt for each in trainings}
    assert len(attempts) == 2
    shown, shares = Dashboard(run), dict[int, list[float]]()
    for segment in trainings:
        view = shown.view((segment.began + segment.ended) / 2, 1.0)
        shares.setdefault(segment.attempt, []).append(view.share)
        assert (view.left > "0:00:00") == (view.training.step < view.training.steps)
    for seen in shares.values():
        assert seen == sorted(seen)
    assert shares[2][0] < shares[1][-1]
    middle = [share for seen in shares.values() for share in seen[:-1]]
    assert max(middle) < 1.0
    assert 0.9 < shares[2][-1] <= 1.0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_run_has_no_more_time_left_than_its_limit_leaves(seed: int) -> None:
    """By the mean rate of steps of which the first was slow, it would end after the limit."""
    wanted = Options(seed=seed, start=START, gpus=1024, recipe="pretrain", incidents="none")
    run = run_of(plan(wanted))
    limit, shown = run.job.schedule.time_limit, Dashboard(run)
    assert limit
    training = next(each for each in run.timeline if each.kind == "training")
    later = [training.began + part * limit for part in (0.01, 0.02, 0.05, 0.2, 0.5)]
    seen = 0
    for at in later:
        if left := shown.view(at, 1.0).left:
            hours, minutes, seconds = map(int, left.split(":"))
            assert 3600 * hours + 60 * minutes + seconds <= limit - at + 1
            seen += 1
    assert seen >= 3
