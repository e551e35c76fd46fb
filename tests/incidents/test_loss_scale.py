"""fp16: the loss scale of torch.amp.GradScaler, step by step, and its collapse."""

import itertools
import re
from math import isfinite, isinf

import pytest

from llmsim.dialects.registry import NAMES, framework_of
from llmsim.errors import PlanError
from llmsim.job.records import Asked, Job
from llmsim.options.table import Options
from llmsim.physics.learning import bends, gradient
from llmsim.physics.learning.loss_scale import bears, collapses, scaled, skipped_steps, skips
from llmsim.run import events
from llmsim.run.attempts import bent
from llmsim.run.simulation import events as events_of
from llmsim.run.simulation import run_of
from llmsim.show.player import play
from tests.dialects.logs import PIPE, log_of, unmarked
from tests.dialects.transcripts import log
from tests.dialects.walk import walked
from tests.incidents.told import job_on
from tests.runs import job_of


def job(seed: int, asked: bool = False) -> Job:
    made = job_on(seed, gpus=16, precision="fp16")
    return bent(made._replace(asked=(Asked("scale-collapse", "share", 0.5),))) if asked else made


Told = list[tuple[float, bool]]  # of each step the scale, and whether the step is skipped


def grad_scaler(most: float, steps: int) -> Told:
    """What torch/amp/grad_scaler.py does where gradients overflow above a scale."""
    scale, tracker, told = 65536.0, 0, []
    for _ in range(steps):
        overflow = scale > most
        told.append((scale, overflow))
        if overflow:
            scale, tracker = scale * 0.5, 0
        else:
            tracker += 1
            if tracker == 2000:
                scale, tracker = scale * 2.0, 0
    return told


def deepspeed(most: float, steps: int) -> Told:
    """What deepspeed/runtime/fp16/loss_scaler.py does at v0.16.5 (update_scale)."""
    scale, hysteresis, last, told = 2.0**16, 2, -1, []
    for iteration in range(steps):
        overflow = scale > most
        told.append((scale, overflow))
        if overflow:
            if hysteresis == 1:
                scale = max(scale / 2.0, 1.0)
            else:
                hysteresis -= 1
            last = iteration
        elif (iteration - last) % 1000 == 0:
            scale, hysteresis = scale * 2.0, 2
    return told


def megatron(most: float, steps: int) -> Told:
    """What megatron/core/optimizer/grad_scaler.py does at core_v0.12.0 (update)."""
    scale, tracker, hysteresis, told = 2.0**32, 0, 2, []
    for _ in range(steps):
        overflow = scale > most
        told.append((scale, overflow))
        if overflow:
            tracker, hysteresis = 0, hysteresis - 1
            scale = max(scale * 0.5, 1.0) if hysteresis <= 0 else scale
        else:
            tracker += 1
            if tracker == 1000:
                tracker, hysteresis, scale = 0, 2, scale * 2.0
    return told


SCALERS = {"pytorch": grad_scaler, "deepspeed": deepspeed, "megatron": megatron}


# The first of them is in the fast loop, too.
SLOW = [pytest.param(dialect, marks=pytest.mark.long) for dialect in [*SCALERS][1:]]


@pytest.mark.parametrize("dialect", [next(iter(SCALERS)), *SLOW])
def test_the_scale_of_any_step_is_that_of_the_frameworks_scaler(dialect: str) -> None:
    seen, steps = set(), 6000  # three times as many as the longest interval of growth
    for seed in range(40):
        made = job(1)._replace(seed=seed, framework=framework_of(dialect))
        if bears(made) in seen:
            continue
        seen.add(bears(made))
        skipped = 0
        for step, told in enumerate(SCALERS[dialect](2.0 ** bears(made), steps), 1):
            now = scaled(made, step)
            assert (2.0**now.exponent, now.skipped) == told, (dialect, seed, step)
            skipped += told[1]
            assert skipped_steps(made, step) == skipped, (dialect, seed, step)
        assert len([*skips(made, 1, steps)]) == skipped, (dialect, seed)
    assert len(seen) > 4


def test_a_skipped_step_has_an_infinite_norm_and_no_other_has() -> None:
    for seed in range(4):
        made = job(seed)
        for step in [*range(1, 30), *range(1990, 2030)]:
            norm = gradient.norm(made, step)
            assert isinf(norm) == scaled(made, step).skipped, (seed, step)
        assert skipped_steps(made, 30) == max(0, 16 - bears(made)), seed


@pytest.mark.long
def test_a_run_in_bf16_scales_nothing() -> None:
    made = job_on(1, gpus=16)
    assert all(isfinite(gradient.norm(made, step)) for step in range(1, 30))
    with pytest.raises(PlanError, match="it needs a loss scale, which precision='fp16' has"):
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


# --- logs --------------------------------------------------------------------------------------

FP16 = {"gpus": 16, "recipe": "pretrain", "precision": "fp16", "steps": 2400, "log_every": 20,
        "gpu": "NVIDIA A100-SXM4-80GB"}  # fmt: skip


@pytest.mark.transcripts
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("dialect", "release"), [("deepspeed", ""), ("megatron", ""), ("megatron", "core_v0.8.0")]
)
def test_every_line_in_fp16_is_a_statements(dialect: str, release: str, seed: int) -> None:
    asked = FP16 | ({"release": release} if release else {})
    told = log(dialect, seed, tidy=True, incidents="none", **asked)
    faults = walked(dialect, told.job, told.lines, release)
    assert not faults, "\n".join(faults[:10])


OVERFLOW = re.compile(
    r".*\[INFO\] \[loss_scaler\.py:(?:183|190):update_scale\] \[deepspeed\] OVERFLOW! Rank 0 "
    r"Skipping step\. Attempted loss scale: (\d+), "
    r"(?:reducing to (\d+)|but hysteresis is 2\. Reducing hysteresis to 1)"
)


@pytest.mark.transcripts
def test_deepspeeds_scale_falls_to_one_and_the_run_is_over() -> None:
    for seed in range(3):
        lines = unmarked(
            log_of("deepspeed", seed, **FP16, incidents="none", incident=("scale-collapse@70%",))
        )
        end = "Exception: Current loss scale already at minimum - cannot decrease scale anymore."
        (died,) = [n for n, line in enumerate(lines) if end in line][:1]
        found = [m for line in lines[:died] if (m := OVERFLOW.fullmatch(line))]
        scales = [(int(m[1]), int(m[2] or m[1])) for m in found]
        for (_, now), (then, _) in itertools.pairwise(scales[-10:]):
            assert now == then, (seed, scales)
        assert scales[-1] == (2, 1), (seed, scales)
        told = re.search(r"step=(\d+), skipped=(\d+), lr=", [
            line for line in lines[:died] if "skipped=" in line and "step=0" not in line
        ][-1])  # fmt: skip
        assert told, seed
        assert int(told[2]) <= len(found), seed


@pytest.mark.transcripts
def test_megatron_skips_on_at_a_scale_of_one_until_a_person_ends_it() -> None:
    """A skipped iteration has no norm, and an interval of them no loss (training.py:1552)."""
    line = re.compile(
        r".* iteration +(\d+)/.* loss scale: (\d+\.0) \|(?: grad norm: (\S+) \|)? number of "
        r"skipped iterations: +(\d+) \| number of nan iterations: +(\d+) \|"
    )
    for seed in range(3):
        lines = unmarked(
            log_of("megatron", seed, **FP16, incidents="none", incident=("scale-collapse@70%",))
        )
        told = [(m, "lm loss" in text) for text in lines if (m := line.fullmatch(text))]
        first, has_loss = told[0]
        assert int(first[4]) == min(20, 33 - bears(job(seed)._replace(seed=seed))), seed
        assert has_loss == (int(first[4]) < 20), seed
        lost = [m for m, has_loss in told[2:] if not has_loss]
        assert lost, f"seed {seed}: no interval is lost"
        assert all(m[3] is None and m[4] == "20" for m in lost), seed
        assert lost[-1][2] == "1.0", seed
        assert any("CANCELLED" in text for text in slurm_of("megatron", seed)), seed


def slurm_of(dialect: str, seed: int) -> list[str]:
    """What Slurm says of the same run."""
    made = job_of(seed, dialect=dialect, **FP16, incidents="none",
                  incident=("scale-collapse@70%",))  # fmt: skip
    frames = play(made, Options(view="log", stream="slurm"), lambda: PIPE)
    return "".join(frame.text for frame in frames).splitlines()


@pytest.mark.parametrize("dialect", sorted({*NAMES} - {*SCALERS}))
def test_a_dialect_without_a_loss_scale_refuses_fp16_in_a_sentence(dialect: str) -> None:
    with pytest.raises(PlanError, match="fp16") as refused:
        job_of(1, dialect=dialect, precision="fp16")
    assert str(refused.value).endswith("."), refused.value
