"""What is asked of a job is what the job is, or is refused with the arithmetic."""

import re
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.cli.flags import pairs
from llmsim.dialects.registry import NAMES, framework_of
from llmsim.errors import FLAG, PlanError
from llmsim.job.records import Job, batch_tokens
from llmsim.options.given import parse_options
from llmsim.options.table import Options
from llmsim.physics.hardware import memory
from llmsim.physics.learning.learning_rate import learning_rate
from llmsim.planning.parallelism import shardings
from llmsim.planning.plan import plan
from llmsim.run.events import Step
from llmsim.run.simulation import simulate
from tests.runs import START, job_of

H100 = {"gpu": "NVIDIA H100 80GB HBM3", "dialect": "pytorch"}


def asked(**options: Any) -> Job:
    """The job of what a test asks for."""
    return job_of(3, **(H100 | options))


def refusal(**options: Any) -> str:
    """The sentence that refuses it, as a terminal shows it."""
    with pytest.raises(PlanError) as error:
        asked(**options)
    return error.value.sentence(FLAG)


def test_a_job_is_as_it_is_asked_for() -> None:
    # Llama 3 8B on 64 H100 as torchtitan's benchmarks have it: 8,192 tokens, tensors over 8.
    job = asked(
        model="Llama-8B", recipe="pretrain", gpus=64, sequence=8192, batch=64, micro_batch=2, tp=8,
        pp=1, sharding="fsdp2", recompute="full", precision="bf16", steps=1234, lr=3e-4,
        log_every=7,
    )  # fmt: skip
    layout, schedule = job.layout, job.schedule
    assert (layout.gpus, layout.dp, layout.tp, layout.pp) == (64, 8, 8, 1)
    assert (layout.micro_batch, layout.accumulation, layout.recompute) == (2, 4, "full")
    assert (schedule.global_batch, schedule.sequence, schedule.ramp) == (64, 8192, ())
    assert (schedule.steps, schedule.peak_lr, schedule.log_every) == (1234, 3e-4, 7)
    assert max(learning_rate(job, step) for step in range(1, 300)) == 3e-4
    logged = [event.step for event in simulate(job) if isinstance(event, Step)]
    assert logged == [1, *range(7, 1235, 7)]


def test_tokens_are_steps() -> None:
    job = asked(tokens=10**9, sequence=4096, batch=256, model="X-1B", recipe="pretrain")
    assert job.schedule.steps == -(-(10**9) // (256 * 4096)) == 954


def test_ranks_alone_say_how_many_gpus_there_are() -> None:
    job = asked(tp=8, pp=16, model="X-405B")
    assert job.layout.gpus % 128 == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tp": 3, "gpus": 6, "model": "X-8B"}, "--tp 3 does not divide the model's 32 heads."),
        (
            {"tp": 16, "gpus": 64, "model": "X-8B"},
            "--tp 16 does not go with|--tp 16 does not divide the 8 GPUs of a node",
        ),
        ({"pp": 33, "model": "X-8B", "gpus": 33}, "--pp 33 are more stages than .* 32 layers."),
        ({"gpus": 12, "tp": 8, "model": "X-8B"}, "--gpus 12 is no multiple of tp 8."),
        (
            {"gpus": 8, "tp": 1, "pp": 1, "batch": 12, "model": "X-1B"},
            "--batch 12 is no multiple of 8 data ranks x 1 sequences of a micro-batch = 8.",
        ),
        ({"batch": 12, "micro_batch": 8}, "--batch 12 is no multiple of --micro-batch 8."),
        ({"dialect": "olmo", "tp": 2}, "--dialect olmo splits no model: leave out --tp 2."),
        (
            {"dialect": "deepspeed", "sharding": "fsdp2"},
            "--dialect deepspeed does not do --sharding fsdp2: give zero1, zero2 or zero3.",
        ),
        (
            {"dialect": "nanotron", "recompute": "selective"},
            "--dialect nanotron does not do --recompute selective: give none or full.",
        ),
        (
            {"dialect": "llmc", "gpu": "auto", "log_every": 10},
            "--dialect llmc logs every step: leave out --log-every 10.",
        ),
        (
            {"dialect": "nanogpt", "sequence": 2048},
            "--sequence 2048 is more than the 1,024 positions that GPT-2 learns.",
        ),
        (
            {"model": "X-70B", "gpus": 8, "sharding": "ddp", "tp": 1, "pp": 1},
            r"X-70B does not fit on 8 x .*: weights 14\d.* = .* GB per GPU, but .* has 85.0 GB",
        ),
        (
            {"steps": 10, "tokens": 10**9},
            "--steps 10 and --tokens 1000000000 both say how long the run is: give one of them.",
        ),
    ],
)  # fmt: skip
@pytest.mark.long
def test_what_cannot_be_is_refused_with_the_arithmetic(
    options: dict[str, Any], sentence: str
) -> None:
    assert re.search(sentence, refusal(**options)), refusal(**options)


@settings(max_examples=15, deadline=None)
@given(
    st.fixed_dictionaries(
        {"seed": st.integers(0, 50), "dialect": st.sampled_from(NAMES)},
        optional={
            "gpus": st.sampled_from((1, 2, 8, 24, 64, 512)),
            "sequence": st.sampled_from((256, 1000, 1024, 8192, 131_072)),
            "batch": st.sampled_from((1, 8, 96, 512, 4096)),
            "micro_batch": st.sampled_from((1, 2, 3, 8)),
            "tp": st.sampled_from((1, 2, 4, 8)),
            "pp": st.sampled_from((1, 2, 3, 8)),
            "sharding": st.sampled_from(("ddp", "zero1", "zero3", "fsdp2")),
            "recompute": st.sampled_from(("none", "selective", "full")),
            "steps": st.sampled_from((1, 2, 97, 1000)),
            "lr": st.sampled_from((1e-6, 3e-4)),
            "log_every": st.sampled_from((1, 3, 2000)),
        },
    )
)
@pytest.mark.long
def test_whatever_is_asked_for_is_planned_and_played_or_refused(options: dict[str, Any]) -> None:
    try:
        job = plan(Options(start=START)._replace(**options))
    except PlanError:
        return
    layout, schedule = job.layout, job.schedule
    assert layout.gpus == layout.dp * layout.tp * layout.pp
    assert schedule.global_batch == layout.dp * layout.micro_batch * layout.accumulation
    used = memory.total(memory.estimate(job.architecture, layout, schedule.sequence))
    assert used <= memory.USABLE * memory.capacity(job.gpu)
    assert layout.sharding in shardings(framework_of(job.framework.name).parallelism, True)
    became = {
        "gpus": layout.gpus, "sequence": schedule.sequence, "batch": schedule.global_batch,
        "micro_batch": layout.micro_batch, "tp": layout.tp, "pp": layout.pp,
        "sharding": layout.sharding, "recompute": layout.recompute, "steps": schedule.steps,
        "lr": schedule.peak_lr, "log_every": schedule.log_every,
    }  # fmt: skip
    for name, value in options.items():
        assert became.get(name, value) == value, (name, job.command)
    assert batch_tokens(job) == schedule.global_batch * schedule.sequence
    last = max(event.step for event in simulate(job) if isinstance(event, Step))
    assert last <= schedule.steps


def test_the_command_repeats_what_was_asked_for() -> None:
    job = asked(batch=64, sequence=4096, steps=100, lr=2.5e-5, log_every=10, micro_batch=1)
    again, complaints = parse_options(pairs(shlex.split(job.command)[1:]), prefix="--")
    assert complaints == []
    assert (again.lr, again.batch, again.steps) == (2.5e-5, 64, 100)
    assert plan(again) == job
