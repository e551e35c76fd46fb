"""A run that is a part of a longer one: it begins after a checkpoint, and everything goes on."""

import re
import tomllib
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from llmsim.errors import FLAG, LlmsimError, PlanError
from llmsim.job.milestones import part_done, saved_steps, validated_steps
from llmsim.job.records import Job
from llmsim.job.schedule import last_step
from llmsim.options.job_keys import wanted_of
from llmsim.options.table import Options
from llmsim.physics.learning.learning_rate import learning_rate
from llmsim.run.events import (
    CheckpointSaved,
    Failed,
    PhaseEnded,
    Resumed,
    Step,
    Summary,
    Validated,
)
from llmsim.run.simulation import events, run_of, simulate
from llmsim.run.timeline import step_began
from llmsim.show.player import play
from llmsim.show.seek import moment_of
from tests.dialects.logs import PIPE
from tests.runs import job_of

LATE = """
[schedule]
steps = 5000
first_step = 4001
log_every = 10
save_every = 200
validate_every = 250
"""


def late(dialect: str = "pytorch", text: str = LATE, **options: Any) -> Job:
    """A job that begins with step 4,001 of 5,000."""
    wanted = wanted_of(tomllib.loads(text), "job.toml")
    usual = {"model": "X-1B", "recipe": "pretrain", "gpu": "NVIDIA H100 80GB HBM3", "gpus": 8}
    return job_of(3, dialect=dialect, job=wanted, **(usual | options))


def whole(dialect: str = "pytorch", **options: Any) -> Job:
    """The same job from its first step on."""
    return late(dialect, LATE.replace("first_step = 4001\n", ""), **options)


def test_the_counters_and_the_loss_go_on() -> None:
    part, all_of_it = late(), whole()
    assert part.schedule._replace(first_step=1) == all_of_it.schedule
    assert part_done(part, 4500, last_step(part.schedule)) == 0.5
    steps = {e.step: e for e in simulate(part) if isinstance(e, Step)}
    others = {e.step: e for e in simulate(all_of_it) if isinstance(e, Step) if e.step > 4000}
    assert list(steps) == list(others) == list(range(4010, 5001, 10))
    for step, event in steps.items():
        other = others[step]
        assert (event.loss, event.gradient_norm) == (other.loss, other.gradient_norm)
        assert event.learning_rate == other.learning_rate == learning_rate(part, step)
        assert event.tokens == other.tokens
    seconds = [event.step_seconds for event in list(steps.values())[1:]]
    others_seconds = [event.step_seconds for event in list(others.values())[1:]]
    assert median(seconds) == pytest.approx(median(others_seconds), rel=1e-2)


def test_it_begins_with_the_checkpoint_before_its_first_step() -> None:
    job = late()
    told = [*simulate(job)]
    (loaded,) = [event for event in told if isinstance(event, Resumed)]
    assert (loaded.step, loaded.lost) == (4000, 0)
    assert loaded.seconds > 0
    first = next(event for event in told if isinstance(event, Step))
    assert first.at > loaded.at
    saved = [event.step for event in told if isinstance(event, CheckpointSaved)]
    assert sorted(saved) == list(saved_steps(job)) == [4200, 4400, 4600, 4800, 5000]
    checked = [event.step for event in told if isinstance(event, Validated)]
    assert checked == list(validated_steps(job)) == [4250, 4500, 4750, 5000]
    assert all(a.at <= b.at for a, b in pairwise(told))
    (summary,) = [event for event in told if isinstance(event, Summary)]
    (ended,) = [e for e in told if isinstance(e, PhaseEnded) and e.phase == "training"]
    assert summary.training_seconds == pytest.approx(ended.lasted, rel=0.01)
    assert summary.checkpoints == 5


def test_a_fault_before_its_first_save_leads_back_to_where_it_began() -> None:
    job = late(incident=("gpu-lost@10%",))
    told = [*simulate(job)]
    (failed,) = [event for event in told if isinstance(event, Failed)]
    assert 4090 <= failed.step <= 4110
    first, second = [event for event in told if isinstance(event, Resumed)]
    assert (first.step, second.step) == (4000, 4000)
    assert second.lost == failed.step - 4000


def test_any_moment_of_it_can_be_asked_for() -> None:
    run = run_of(late())
    assert moment_of(run, "step=4100") == step_began(run, 4100)
    assert moment_of(run, "50%") == step_began(run, 4501)
    with pytest.raises(LlmsimError, match="goes on from step 4,001"):
        moment_of(run, "step=100")
    tail = [event for event in events(run, moment_of(run, "step=4900")) if isinstance(event, Step)]
    assert [event.step for event in tail] == list(range(4900, 5001, 10))
    with pytest.raises(IndexError):
        step_began(run, 4000)


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("pytorch", r"Resumed after step 4,000 from "),
        ("torchtitan", r"Training starts at step 4001"),
        ("torchtitan", r"Loading the checkpoint from \S+/step-4000\."),
        ("megatron", r"loading distributed checkpoint from \S+ at iteration 4000"),
        ("megatron", r"iteration     4010/    5000"),
        ("olmo", r"\[step=4010/5000"),
        ("hf", r"global step 4000"),
    ],
)
def test_a_log_says_where_it_goes_on(dialect: str, line: str) -> None:
    job = late(dialect)
    text = "".join(frame.text for frame in play(job, Options(view="log"), lambda: PIPE))
    assert re.search(line, text), text[-3000:]
    assert not re.search(r"will start from random", text)
    steps = [int(step.replace(",", "")) for step in re.findall(r"\bstep[ :=]+([\d,]*\d)", text)]
    assert not [step for step in steps if 1 < step < 3999]


@pytest.mark.parametrize("dialect", ["nanogpt", "llmc", "deepspeed", "maxtext", "nemo", "trl"])
@pytest.mark.long
def test_every_framework_plays_one_to_its_end(dialect: str) -> None:
    options: dict[str, Any] = {}
    if dialect in ("nanogpt", "llmc"):
        options = {"model": "X-124M"}
    if dialect == "maxtext":
        options = {"gpu": "TPU v5p"}
    if dialect == "trl":
        options = {"recipe": "sft"}
    kept = ("steps", "first_step")
    text = "\n".join(
        line for line in LATE.splitlines() if line.split(" ")[0] in ("[schedule]", *kept)
    )
    told = [*simulate(late(dialect, text, **options))]
    assert any(isinstance(event, Summary) for event in told)
    logged = [event.step for event in told if isinstance(event, Step)]
    assert logged[0] > 4000
    assert logged[-1] == 5000


def test_a_beginning_after_the_end_is_refused() -> None:
    with pytest.raises(PlanError) as error:
        late(text="[schedule]\nsteps = 100\nfirst_step = 101\n")
    assert "first_step = 101 is not before the run's 100 steps." in error.value.sentence(FLAG)
    job = late(text="[schedule]\nfirst_step = 250001\n")  # how long it goes on is the planner's
    assert job.schedule.steps > 250_001
    assert job.schedule.validate_every <= 1000


def test_it_may_end_before_its_schedule() -> None:
    job = late(text=LATE + "horizon = 20000\nwarmup = 500\ndecay = 'cosine'\n")
    longer = late(text=LATE.replace("steps = 5000", "steps = 20000") + "warmup = 500\n")
    for step in (4001, 4500, 5000):
        assert learning_rate(job, step) == learning_rate(longer, step)
    assert [event.step for event in simulate(job) if isinstance(event, Step)][-1] == 5000
