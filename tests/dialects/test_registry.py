"""Which dialect suits which job, and what is imported to know it."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from llmsim.catalog import records
from llmsim.dialects import registry
from llmsim.dialects.registry import framework_of, lines_of
from llmsim.errors import OptionError, PlanError
from llmsim.job.recipes import RECIPES
from llmsim.options.given import parse_options
from llmsim.physics.speed import step_time
from llmsim.run.events import Event
from tests.runs import job_of


def test_every_framework_has_its_lines() -> None:
    for name in registry.NAMES:
        module = import_module(f"llmsim.dialects.{name}.lines")
        assert lines_of(name) is module.LINES
        assert all(issubclass(kind, Event) for kind in module.LINES)


def test_a_dialect_does_only_the_recipes_that_its_framework_does() -> None:
    for name in registry.NAMES:
        for recipe in RECIPES:
            if recipe in framework_of(name).recipes:
                assert job_of(1, dialect=name, recipe=recipe).recipe.name == recipe
            else:
                with pytest.raises(PlanError, match=f"dialect={name!r} does not do {recipe}"):
                    job_of(1, dialect=name, recipe=recipe)


@pytest.mark.long
def test_drawn_jobs_suit_their_dialect() -> None:
    drawn = [job_of(seed, dialect="auto") for seed in range(200)]
    for job in drawn:
        assert job.recipe.name in job.framework.recipes
        assert job.gpu.name.startswith("TPU") == (job.framework.device == "TPU")
    assert {job.framework.name for job in drawn} == set(registry.NAMES)
    house = [job for job in drawn if job.framework.name == "pytorch"]
    assert len(house) > 0.25 * len(drawn)


def test_a_recipe_or_a_gpu_chooses_among_the_dialects() -> None:
    for seed in range(30):
        assert "grpo" in job_of(seed, dialect="auto", recipe="grpo").framework.recipes
    gpu = records.gpu_named("NVIDIA H200")
    assert not any(framework_of(name).device == "TPU" for name in registry.suiting("auto", gpu))


H100 = "NVIDIA H100 80GB HBM3"


@pytest.mark.long
def test_nvidias_framework_is_for_nvidias_gpus() -> None:
    for seed in range(60):
        assert job_of(seed, dialect="nemo").gpu.name.startswith("NVIDIA ")
    with pytest.raises(PlanError, match=r"does not run on AMD Instinct MI300X: .* NVIDIA GPUs"):
        job_of(1, dialect="nemo", gpu="AMD Instinct MI300X")
    assert "nemo" not in registry.suiting("auto", records.gpu_named("AMD Instinct MI300X"))


@pytest.mark.parametrize("dialect", ["hf", "trl", "lightning", "olmo"])
@pytest.mark.long
def test_trainers_without_tensor_parallelism_split_no_model(dialect: str) -> None:
    for seed in range(40):
        layout = job_of(seed, dialect=dialect).layout
        assert (layout.tp, layout.pp, layout.dp * layout.cp) == (1, 1, layout.gpus)


def test_nemo_shards_adams_states_alone() -> None:
    """Megatron's DistributedDataParallel and its distributed optimizer."""
    layouts = [job_of(seed, dialect="nemo").layout for seed in range(40)]
    assert {layout.sharding for layout in layouts} == {"ddp", "zero1"}
    assert any(layout.tp > 1 for layout in layouts)


@pytest.mark.long
def test_who_splits_no_model_trains_small_dense_ones() -> None:
    """nanoGPT and llm.c have data parallelism alone, llm.c with ZeRO-1."""
    for name, shardings in (("nanogpt", {"ddp"}), ("llmc", {"ddp", "zero1"})):
        for seed in range(40):
            job = job_of(seed, dialect=name)
            layout = job.layout
            assert (layout.tp, layout.pp) == (1, 1)
            assert layout.sharding in shardings
            assert job.architecture.experts == 1
            assert job.model.parameters <= 1e9
            assert job.architecture.kv_heads == job.architecture.heads
        with pytest.raises(PlanError, match=rf"does not fit on 8 x .*dialect='{name}'.* = .* GB"):
            job_of(1, dialect=name, model="Basalt-405B", gpus=8, gpu=H100)
        with pytest.raises(PlanError, match=f"dialect={name!r} trains dense models"):
            job_of(1, dialect=name, model="Archipelago-8x7B")
        assert job_of(1, dialect=name, model="ButtGPT-3B", gpus=8, gpu=H100).layout.tp == 1


@pytest.mark.long
def test_auto_draws_nobody_who_could_not_do_it() -> None:
    for seed in range(60):
        job = job_of(seed, dialect="auto", model="Basalt-70B")
        assert job.framework.name not in ("nanogpt", "llmc")
    # FSDP fits where a whole copy would not: whoever was drawn, somebody does it.
    assert [
        job_of(seed, dialect="auto", model="Basalt-70B", gpus=16, gpu=H100) for seed in range(30)
    ]


@pytest.mark.long
def test_megatron_and_nanotron_shard_no_weights() -> None:
    for name in ("megatron", "nanotron"):
        for seed in range(40):
            layout = job_of(seed, dialect=name).layout
            assert layout.sharding in ("ddp", "zero1")
            assert layout.fp32_gradients


def test_deepspeed_cuts_weights_unless_it_has_stages() -> None:
    """Its pipeline engine takes ZeRO-1 at most, and no mixtures of experts."""
    for seed in range(40):
        job = job_of(seed, dialect="deepspeed")
        layout = job.layout
        if layout.pp > 1:
            assert layout.sharding == "zero1"
            assert job.architecture.experts == 1
        else:
            assert layout.tp == 1
            assert layout.sharding in ("zero1", "zero2", "zero3")


@pytest.mark.long
def test_benchmarks_in_training_are_for_those_who_run_them() -> None:
    """--evaluate takes minutes to hours of each validation; nobody's log leaves them unsaid."""
    for name in registry.NAMES:
        if framework_of(name).evaluates:
            assert job_of(3, dialect=name, evaluate=True).evaluates
        else:
            with pytest.raises(PlanError, match=f"dialect={name!r} does not do evaluate"):
                job_of(3, dialect=name, evaluate=True)
    assert {job_of(seed, evaluate=True).framework.name for seed in range(40)} == {"pytorch"}


@pytest.mark.long
def test_who_tells_every_step_does_not_take_minutes_for_one() -> None:
    for name in registry.NAMES:
        if framework_of(name).logs_every_step:
            assert (
                max(step_time.step_seconds(job_of(seed, dialect=name)) for seed in range(60)) <= 60
            )


@pytest.mark.parametrize(("dialect", "imported"), [("olmo", ["olmo"]), ("auto", [*registry.NAMES])])
def test_only_the_framework_that_is_asked_for_is_imported(
    dialect: str, imported: list[str]
) -> None:
    """The first line waits for nothing that it does not need; "auto" needs all to choose."""
    program = f"""
import sys
from datetime import datetime
from llmsim import Options, plan
plan(Options(seed=3, start=datetime(2026, 1, 30), dialect={dialect!r}))
print(*sorted(name for name in sys.modules if name.startswith("llmsim.dialects.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    modules = [name.split(".")[2:] for name in done.stdout.split()]
    assert sorted(name for name, *rest in modules if rest == ["framework"]) == sorted(imported)
    assert [name for name, *rest in modules if rest == ["lines"]] == []
    assert ["plugins"] not in modules


def test_the_name_of_a_framework_is_that_of_its_folder() -> None:
    assert [framework.name for framework in registry.frameworks()] == [*registry.NAMES]
    folders = {path.parent.name for path in Path(registry.__file__).parent.glob("*/framework.py")}
    assert folders == set(registry.NAMES)


def test_an_unknown_dialect_is_refused_by_the_flag_and_in_the_same_words_by_plan() -> None:
    options, (complaint,) = parse_options([("dialect", "megatorn")], prefix="--")
    assert options.dialect == registry.DEFAULT
    listed = "any, " + ", ".join(registry.NAMES[:-1]) + " or " + registry.NAMES[-1]
    sentence = f" cannot be 'megatorn': give {listed} (did you mean megatron?)."
    assert complaint == f"--dialect{sentence}"
    for ask in (lambda: job_of(1, dialect="megatorn"), lambda: lines_of("megatorn")):
        with pytest.raises(OptionError) as refused:
            ask()
        assert str(refused.value).removeprefix("--") == f"dialect{sentence}"
