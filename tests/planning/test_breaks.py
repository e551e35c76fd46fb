"""An incident that is asked for happens, or is refused in a sentence."""

from datetime import datetime

import pytest

from llmsim.errors import PlanError
from llmsim.options.table import Options
from llmsim.options.wanted import Wanted
from llmsim.planning.plan import plan
from llmsim.run.events import Failed, Incident, Restarted, Step
from llmsim.run.simulation import events, run_of

ASKED = Options(seed=7, start=datetime(2026, 1, 30), dialect="megatron", gpus=16, steps=100,
                gpu="NVIDIA H100 80GB HBM3", recipe="pretrain", incidents="none")  # fmt: skip
UNSAVED = ASKED._replace(job=Wanted(saves=False))


@pytest.mark.parametrize(
    ("options", "incident", "why"),
    [
        (ASKED, "gpu-lost@launch", "give gpu-lost@training, gpu-lost@validation or gpu-lost@ch"),
        (ASKED, "init-fail@checkpoint", "give init-fail@launch."),
        (ASKED, "disk-full@training", "give disk-full@checkpoint."),
        (ASKED, "thermal@validation", "give thermal@training."),
        (ASKED, "preempt@launch", "give preempt@training, preempt@validation or preempt@checkpoi"),
        (UNSAVED, "slow-fs@50%", "this run saves no checkpoint."),
        (UNSAVED, "disk-full@step=20", "this run saves no checkpoint."),
        (UNSAVED, "hbm-ecc@checkpoint", "this run saves no checkpoint."),
    ],
)
def test_what_never_comes_is_refused(options: Options, incident: str, why: str) -> None:
    """A test of somebody's detector that waits for it would test nothing."""
    with pytest.raises(PlanError) as refused:
        plan(options._replace(incident=(incident,)))
    assert str(refused.value).startswith(f"{incident} cannot happen: {why}")


def test_a_slow_save_of_chance_needs_saves() -> None:
    """It ended in an IndexError where the job saves nothing."""
    for seed in range(40):
        told = events(run_of(plan(UNSAVED._replace(seed=seed, incidents="chaos"))))
        assert "slow-fs" not in {each.kind for each in told if isinstance(each, Incident)}, seed


@pytest.mark.parametrize("kind", ["gpu-lost", "thermal", "preempt", "link-flap", "data-stall"])
def test_what_is_due_where_it_cannot_happen_comes_soon_after(kind: str) -> None:
    """5 s after the command nothing trains yet, and the incident once never came."""
    run = run_of(plan(ASKED._replace(incident=(f"{kind}@5s",))))
    (label,) = [each for each in events(run) if isinstance(each, Incident)]
    launched = run.timeline[0].ended
    first = next(each for each in events(run) if isinstance(each, Step))
    assert (label.kind, label.step) == (kind, 0)
    assert launched < label.at < launched + first.step_seconds


@pytest.mark.parametrize("incident", ["sdc@100%", "straggler@99%", "nan@100%", "thermal@98%"])
def test_what_begins_in_the_last_step_before_a_failure_has_its_label(incident: str) -> None:
    """A failure without a label would be a false alarm of a good detector."""
    for seed in range(12):
        options = ASKED._replace(seed=seed, dialect="pytorch", steps=20, incident=(incident,))
        told = [*events(run_of(plan(options)))]
        labels = [each for each in told if isinstance(each, Incident)]
        assert [each.kind for each in labels] == [incident.partition("@")[0]], seed
        for failed in (each for each in told if isinstance(each, Failed)):
            assert failed.kind == labels[0].kind, seed
        assert labels[0].at <= labels[0].detected <= labels[0].over, seed


def test_a_part_of_a_run_goes_back_to_the_checkpoint_that_it_began_with() -> None:
    """Its first steps are soon spoilt. It once began anew from step 1, and had no label."""
    part = Wanted(first_step=4001, horizon=20_000)
    for seed in range(6):
        options = ASKED._replace(seed=seed, steps=4400, job=part, incident=("nan@1s",))
        told = [*events(run_of(plan(options)))]
        assert [each.kind for each in told if isinstance(each, Incident)] == ["nan"], seed
        assert [each.step for each in told if isinstance(each, Restarted)] == [4000], seed
