"""A run that is ended after its last save: the next attempt has nothing left to train."""

from datetime import datetime

import pytest

from llmsim import Options, events, plan, run_of
from llmsim.run.events import CheckpointSaved, Step, Summary, Validated


@pytest.mark.parametrize("kind", ["preempt", "maintenance"])
def test_an_attempt_without_a_step_exports_what_was_saved(kind: str) -> None:
    options = Options(seed=3, start=datetime(2026, 1, 30), steps=300, gpus=8, recipe="pretrain",
                      incidents="none", incident=(f"{kind}@step=300",))  # fmt: skip
    run = run_of(plan(options))
    assert [segment.kind for segment in run.timeline][-2:] == ["launch", "export"], "seed 3"
    told = [*events(run)]
    steps = [event.step for event in told if isinstance(event, Step)]
    assert steps[-1] == 300
    assert [event.attempts for event in told if isinstance(event, Summary)] == [2]


@pytest.mark.parametrize("dialect", ["pytorch", "nemo"])
@pytest.mark.parametrize("kind", ["preempt", "maintenance", "time-limit"])
def test_a_save_at_a_signal_is_reported_once(dialect: str, kind: str) -> None:
    """Also where it runs in the background, and the processes wait for its end."""
    for seed in range(1, 7):
        options = Options(dialect, seed=seed, start=datetime(2026, 1, 30), gpus=512, steps=400,
                          recipe="pretrain", incidents="none",
                          incident=(f"{kind}@50%",))  # fmt: skip
        job = plan(options)._replace(background_saves=True)
        told = [(event.at, event.step) for event in events(run_of(job))
                if isinstance(event, CheckpointSaved)]  # fmt: skip
        assert told, f"seed {seed}, dialect {dialect}"
        assert len(told) == len(set(told)), f"seed {seed}, dialect {dialect}: {told}"


@pytest.mark.parametrize("kind", ["preempt", "maintenance"])
def test_the_summary_knows_the_saves_and_validations_that_there_were(kind: str) -> None:
    """A save at a signal counts, and a validation that no attempt has come to does not."""
    for seed in range(3, 9):
        options = Options(seed=seed, start=datetime(2026, 1, 30), steps=300, gpus=8,
                          recipe="pretrain", incidents="none",
                          incident=(f"{kind}@40%", f"{kind}@step=300"))  # fmt: skip
        told = [*events(run_of(plan(options)))]
        (summary,) = [event for event in told if isinstance(event, Summary)]
        saved = {event.step for event in told if isinstance(event, CheckpointSaved)}
        seen = [event for event in told if isinstance(event, Validated)]
        assert summary.checkpoints == len(saved), f"seed {seed}: {sorted(saved)}"
        assert summary.final_validation == seen[-1].loss, f"seed {seed}: {seen[-1].step}"
        assert summary.best_validation == min(each.loss for each in seen), f"seed {seed}"
