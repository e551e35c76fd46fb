"""fp16: the loss scale of torch.amp.GradScaler, step by step, and its collapse."""

from math import isfinite, isinf

import pytest

from llmsim.errors import PlanError
from llmsim.job.records import Asked, Job
from llmsim.options.table import Options
from llmsim.physics.learning import bends, gradient
from llmsim.physics.learning.loss_scale import bears, collapses, scaled, skipped_steps
from llmsim.run import events
from llmsim.run.attempts import bent
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.show.player import play
from tests.dialects.logs import PIPE
from tests.incidents.told import job_on
from tests.runs import job_of


def job(seed: int, asked: bool = False) -> Job:
    made = job_on(seed, gpus=16, precision="fp16")
    return bent(made._replace(asked=(Asked("scale-collapse", "share", 0.5),))) if asked else made


def grad_scaler(overflows_above: float, steps: int) -> list[tuple[float, bool]]:
    """What torch/amp/grad_scaler.py does: (scale, whether the step is skipped) of each step."""
    scale, tracker, told = 65536.0, 0, []
    for _ in range(steps):
        overflow = scale > overflows_above
        told.append((scale, overflow))
        if overflow:
            scale, tracker = scale * 0.5, 0
        else:
            tracker += 1
            if tracker == 2000:
                scale, tracker = scale * 2.0, 0
    return told


def test_the_scale_of_any_step_is_that_of_torchs_scaler() -> None:
    seen = set()
    for seed in range(40):
        made = job(1)._replace(seed=seed)
        if bears(made) in seen:
            continue
        seen.add(bears(made))
        for step, (scale, skipped) in enumerate(grad_scaler(2.0 ** bears(made), 9000), 1):
            now = scaled(made, step)
            assert (2.0**now.exponent, now.skipped) == (scale, skipped), (seed, step)
    assert len(seen) > 4


def test_a_skipped_step_has_an_infinite_norm_and_no_other_has() -> None:
    for seed in range(4):
        made = job(seed)
        for step in [*range(1, 30), *range(1990, 2030)]:
            norm = gradient.norm(made, step)
            assert isinf(norm) == scaled(made, step).skipped, (seed, step)
        assert skipped_steps(made, 1, 30) == max(0, 16 - bears(made)), seed


@pytest.mark.long
def test_a_run_in_bf16_scales_nothing() -> None:
    made = job_on(1, gpus=16)
    assert all(isfinite(gradient.norm(made, step)) for step in range(1, 30))
    with pytest.raises(PlanError, match="it needs a loss scale, which --precision fp16 has"):
        job_of(1, dialect="pytorch", incident=("scale-collapse@50%",))


def test_the_norm_climbs_for_hundreds_of_steps_and_the_scale_halves_to_its_end() -> None:
    """OPT-175B's chronicles: the norm climbs, then the scale falls step by step to its minimum."""
    for seed in range(20):
        made = job(seed, asked=True)
        onset = made.bends[0].onset
        raised = [step for step in range(1, onset) if bends.gradient_factor(made, step) > 1.0]
        assert min(100, onset - 1) <= len(raised) <= 400, seed
        assert raised == list(range(raised[0], onset)), seed
        end = collapses(made, onset)
        found = [scaled(made, step) for step in range(onset, end + 1)]
        assert all(each.skipped for each in found), seed
        exponents = [each.exponent for each in found]
        assert exponents == list(range(exponents[0], -1, -1)), seed
        assert 11 < len(found) < 20, seed


@pytest.mark.transcripts
def test_a_collapse_ends_the_run_and_the_next_attempt_is_without_it() -> None:
    for seed in range(3):
        made = job(seed, asked=True)
        run, onset = run_of(made), made.bends[0].onset
        told = tuple(events_of(run))
        (label,) = [each for each in told if isinstance(each, events.Incident)]
        (failed,) = [each for each in told if isinstance(each, events.Failed)]
        (resumed,) = [each for each in told if isinstance(each, events.Resumed)]
        assert label.kind == failed.kind == "scale-collapse", seed
        assert label.at <= label.visible <= label.detected <= failed.at, seed
        assert failed.step == collapses(made, onset) - 1, seed
        assert resumed.step <= label.step, seed
        again = made._replace(cured=(label.number,))
        assert isfinite(gradient.norm(again, onset)) != scaled(again, onset).skipped, seed
        assert isinstance(told[-2], events.Summary), seed


@pytest.mark.transcripts
def test_the_log_has_the_scale_in_fp16_alone() -> None:
    made = job(2, asked=True)
    text = "".join(frame.text for frame in play(made, Options(view="log"), lambda: PIPE))
    steps = [line for line in text.splitlines() if " INFO step " in line]
    assert all("  scale " in line for line in steps)
    assert "RuntimeError: gradients overflow at every loss scale down to 1, last at step" in text
    assert "Precision: fp16 with a loss scale from 65,536" in text or "products in fp16" in text
