"""A plan suits itself: what trains on what fits, divides evenly and would be run by somebody."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.catalog import records
from llmsim.errors import FLAG, OptionError, PlanError
from llmsim.job.milestones import steps_per_epoch
from llmsim.job.recipes import RECIPES
from llmsim.job.records import Job, gpus_per_node, step_data_tokens
from llmsim.job.schedule import last_step, whole_run
from llmsim.model.architecture import parameter_count
from llmsim.options.table import Options
from llmsim.physics.hardware import memory
from llmsim.physics.hardware.memory import USABLE
from llmsim.planning import draw
from llmsim.planning import plan as planner
from llmsim.planning.plan import plan
from llmsim.planning.schedule import round_number
from llmsim.run import names
from tests.runs import PLANNED, START, job_of

PRIMES = (2, 3, 5, 7, 13, 61, 127, 1021, 8191, 65_537, 131_071)


@pytest.fixture(scope="module", params=[60, pytest.param(300, marks=pytest.mark.long)])
def jobs(request: pytest.FixtureRequest) -> list[Job]:
    """The jobs of some seeds, and of many with the longer tests."""
    return [job_of(seed) for seed in range(request.param)]


def fits(job: Job) -> bool:
    used = memory.total(memory.estimate(job.architecture, job.layout, job.schedule.sequence))
    return used <= USABLE * memory.capacity(job.gpu)


def divides(job: Job) -> bool:
    """Whether GPUs, batch, epochs and intervals come out even."""
    layout, schedule = job.layout, job.schedule
    return (
        layout.gpus == layout.dp * layout.cp * layout.tp * layout.pp
        and layout.gpus == layout.nodes * gpus_per_node(job)
        and gpus_per_node(job) % layout.tp == 0
        and gpus_per_node(job) <= job.gpu.per_node
        and schedule.global_batch == layout.dp * layout.micro_batch * layout.accumulation
        and whole_run(schedule) == schedule.epochs * steps_per_epoch(job)
        and steps_per_epoch(job) % schedule.log_every == 0
        and schedule.validate_every % schedule.log_every == 0
        and schedule.save_every % schedule.log_every == 0
        and schedule.warmup < whole_run(schedule)
    )


def test_every_plan_fits_its_memory_and_divides_evenly(jobs: list[Job]) -> None:
    assert [job.seed for job in jobs if not fits(job)] == []
    assert [job.seed for job in jobs if not divides(job)] == []


def test_default_runs_have_usual_numbers_of_gpus_and_lines_that_can_be_watched(
    jobs: list[Job],
) -> None:
    usual = {count for kind in records.job_kinds() for count in kind.gpus}
    assert {job.layout.gpus for job in jobs} <= usual
    for job in jobs:
        own = last_step(job.schedule) - job.schedule.first_step + 1
        # Of a log with a line for each step, a queue's time decides: see planning/part.py.
        assert 70 <= own // job.schedule.log_every <= 1100, job.seed


@pytest.mark.long
@pytest.mark.parametrize("jobs", [300], indirect=True)
def test_the_seed_draws_from_all_of_the_lists(jobs: list[Job]) -> None:
    for drawn, listed in (
        ({job.model.name for job in jobs}, records.models()),
        ({job.dataset.name for job in jobs}, records.datasets()),
        ({job.gpu.name for job in jobs}, records.gpus()),
    ):
        assert len(drawn) > 0.6 * len(listed)
    assert {job.recipe.name for job in jobs} >= {"pretrain", "continue", "sft", "lora"}


def test_a_recipe_trains_on_its_own_kind_of_data(jobs: list[Job]) -> None:
    assert all(job.dataset.kind in job.recipe.kinds for job in jobs)


def test_nobody_repeats_more_data_than_there_is(jobs: list[Job]) -> None:
    for job in jobs:
        tokens = steps_per_epoch(job) * step_data_tokens(job)
        assert tokens <= 1.1 * job.dataset.tokens, job.seed


def test_the_model_keeps_its_size(jobs: list[Job]) -> None:
    assert all(
        abs(parameter_count(job.architecture) / job.model.parameters - 1) <= 0.03 for job in jobs
    )


def test_the_same_seed_gives_the_same_job_and_another_one_another(jobs: list[Job]) -> None:
    PLANNED.clear()
    assert [job_of(seed) for seed in range(0, len(jobs), 10)] == jobs[::10]
    assert len({(job.model, job.dataset, job.gpu, job.run_name) for job in jobs}) == len(jobs)


def test_versions_go_together(jobs: list[Job]) -> None:
    # From the wheels' metadata and the CUDA release notes.
    table = {
        "2.6.0+cu124": ("2.21.5+cuda12.4", 550),
        "2.7.1+cu126": ("2.26.2+cuda12.2", 560),
        "2.8.0+cu128": ("2.27.3+cuda12.9", 570),
        "2.9.1+cu128": ("2.27.5+cuda12.9", 570),
        "2.10.0+cu128": ("2.27.5+cuda12.9", 570),
        "2.11.0+cu130": ("2.28.9+cuda13.0", 580),
        "2.13.0+cu130": ("2.29.7+cuda13.2", 580),
    }
    for job in jobs:
        software = job.software
        if job.gpu.name.startswith("AMD"):
            assert (software.platform, software.collectives) == ("ROCm", "RCCL")
            assert "+rocm" in software.torch
            continue
        nccl, oldest = table[software.torch]  # a new torch is to be looked up for this table
        assert (software.platform, software.collectives) == ("CUDA", "NCCL")
        assert software.collectives_version == nccl
        assert int(software.driver.split(".")[0]) >= oldest
        assert software.torch.endswith("+cu" + software.platform_version.replace(".", ""))
        if re.search("B200|B300|5090|Blackwell", job.gpu.name):  # compute capability 10 and 12
            assert software.platform_version >= "12.8"


@pytest.mark.long
@pytest.mark.parametrize("model", records.models(), ids=lambda model: model.name)
def test_any_listed_model_can_be_forced(model: records.Model) -> None:
    job = job_of(1, model=model.name)
    assert job.model == model
    assert fits(job)
    assert divides(job)


@pytest.mark.parametrize("gpu", records.gpus(), ids=lambda gpu: gpu.name)
def test_any_listed_gpu_can_be_forced(gpu: records.Gpu) -> None:
    job = job_of(2, gpu=gpu.name)
    assert job.gpu == gpu
    assert fits(job)
    assert divides(job)


@pytest.mark.long
@pytest.mark.parametrize("dataset", records.datasets(), ids=lambda dataset: dataset.name)
def test_any_listed_data_set_can_be_forced(dataset: records.Dataset) -> None:
    job = job_of(3, dataset=dataset.name, recipe="pretrain")
    assert job.dataset == dataset
    assert fits(job)
    assert divides(job)


@pytest.mark.parametrize("recipe", ["sft", "lora", "dpo", "grpo"])
@pytest.mark.parametrize("dataset", ["FineWeb-Edu", "Alpaca-52k", "HH-RLHF", "GSM8K-train"])
def test_whatever_is_read_in_rows_has_rows(recipe: str, dataset: str) -> None:
    """Text has rows of a usual length, where somebody insists on it."""
    data = job_of(1, recipe=recipe, dataset=dataset).dataset
    assert 50 < data.tokens / data.rows < 1000


@pytest.mark.long
@given(st.integers(0, 2**64 - 1), st.one_of(st.integers(1, 131_072), st.sampled_from(PRIMES)))
@settings(max_examples=60)
def test_any_number_of_gpus_gets_a_job(seed: int, gpus: int) -> None:
    job = job_of(seed, gpus=gpus)
    assert job.layout.gpus == gpus
    assert fits(job)
    assert divides(job)


@pytest.mark.long
@pytest.mark.parametrize("gpus", [1, 7, 128, 131_071, 131_072])
@pytest.mark.parametrize("recipe", RECIPES)
def test_any_recipe_runs_on_any_number_of_gpus(recipe: str, gpus: int) -> None:
    job = job_of(4, recipe=recipe, gpus=gpus)
    assert (job.recipe.name, job.layout.gpus) == (recipe, gpus)
    assert fits(job)
    assert divides(job)


@pytest.mark.parametrize(
    ("model", "gpu", "gpus"),
    [
        ("Basalt-405B", "NVIDIA H100 80GB HBM3", 8),
        ("Basalt-70B", "NVIDIA GeForce RTX 4090", 8),
        ("Basalt-8B", "NVIDIA A10G", 1),
        ("Fathom-671B-A37B", "NVIDIA H200", 16),
        ("FooGPT-100T", "NVIDIA B200", 131_072),
    ],
)
def test_what_cannot_fit_is_refused_with_the_arithmetic(model: str, gpu: str, gpus: int) -> None:
    with pytest.raises(PlanError) as refusal:
        job_of(5, recipe="pretrain", model=model, gpu=gpu, gpus=gpus)
    sentence = str(refusal.value)
    assert sentence.startswith(f"{model} does not fit on {gpus:,} x {gpu}")
    parts, total, has = re.match(  # type: ignore[union-attr]  # a test: it is to match
        r".*: (.*) = ([\d,.]+) GB per GPU, .*?([\d,.]+) GB", sentence
    ).groups()
    numbers = [float(number.replace(",", "")) for number in re.findall(r"([\d,.]+) GB", parts)]
    assert parts.startswith("weights ")
    assert sum(numbers) == pytest.approx(float(total.replace(",", "")), abs=0.051)
    assert float(has) == pytest.approx(records.gpu_named(gpu).memory_mib * 2**20 / 1e9, rel=0.03)
    assert float(total.replace(",", "")) > 0.95 * float(has)
    assert sentence.endswith(".")


def test_an_incident_after_the_last_step_is_refused_and_one_at_it_is_not() -> None:
    options = Options(gpus=8, gpu="NVIDIA H200", steps=100, seed=1, start=START)
    with pytest.raises(PlanError, match=r"no step 101 .* gpu-lost .* the last step is 100\."):
        plan(options._replace(incident=("gpu-lost@step=101",)))
    assert plan(options._replace(incident=("gpu-lost@step=100",))).schedule.steps == 100


def test_a_model_that_is_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="20M to 100T"):
        job_of(6, model="TinyGPT-5M")


def test_a_plan_needs_the_seed_and_the_start_that_the_host_draws() -> None:
    with pytest.raises(PlanError, match="seed"):
        plan(Options(start=START))
    with pytest.raises(PlanError, match="start"):
        plan(Options(seed=1))


@given(st.floats(0, 1e6))
def test_intervals_are_round_numbers(value: float) -> None:
    number = round_number(value)
    assert number in (1, 2, 5) or number % 10 == 0 or number == 25
    assert 1 <= number <= max(1, value)


def test_two_jobs_of_a_sweep_have_names_of_their_own() -> None:
    sweep = [
        job_of(4, gpus=gpus, recipe=recipe) for gpus in (8, 16, 32) for recipe in ("sft", "lora")
    ]
    assert len({job.run_name for job in sweep}) == len(sweep)
    assert len({names.run_id(job) for job in sweep}) == len(sweep)
    assert len({job.cluster for job in sweep}) > 1


def test_a_run_that_its_seed_alone_names_is_called_by_its_seed() -> None:
    for dialect in ("pytorch", "megatron"):
        assert job_of(4, dialect=dialect).run_name == names.run_name(4)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"tp": 16, "gpus": 8}, "8 is no multiple of tp 16"),
        ({"dialect": "nanogpt", "cp": 2}, "shares no sequence between ranks"),
        ({"dialect": "any", "tp": 16, "gpus": 8}, "8 is no multiple of tp 16"),
        ({"precision": "fp8", "gpu": "NVIDIA A100-SXM4-80GB"}, "fp8 came with Ada"),
    ],
)
def test_what_no_draw_can_change_is_refused_after_a_few(
    asked: dict[str, object], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To draw what is left open again would be hundreds of draws for the same sentence."""
    drawn: list[int] = []

    def counted(options: Options, seed: int, index: int) -> draw.Candidate:
        drawn.append(index)
        return draw.draw_candidate(options, seed, index)

    monkeypatch.setattr(planner, "draw_candidate", counted)
    with pytest.raises(PlanError) as refused:
        plan(Options(seed=1, start=START)._replace(**asked))  # type: ignore[arg-type]  # any option
    assert sentence in refused.value.sentence(FLAG)
    assert len(drawn) <= 2 * (planner.USUAL_DRAWS + 1)
