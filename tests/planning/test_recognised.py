"""Of 300 plans none is one that an expert laughs at, and those that everybody runs are there."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import product

import pytest

from llmsim.dialects import registry
from llmsim.job.records import Job, batch_tokens
from llmsim.job.schedule import whole_run
from llmsim.options.table import Options
from llmsim.physics.speed import step_time, throughput
from llmsim.planning.plan import plan

SEEDS = range(1, 301)
CARDS = ("pcie", "geforce", "workstation")


def seconds(job: Job) -> float:
    """Seconds of a step."""
    return step_time.step_seconds(job)


def per_parameter(job: Job) -> float:
    """Tokens of the whole run for each active parameter: a log may hold its first hours alone."""
    return whole_run(job.schedule) * batch_tokens(job) / job.model.active_parameters


def mfu(job: Job) -> float:
    """Model FLOPs utilization."""
    return throughput.mfu(job, batch_tokens(job) / seconds(job))


def scratch(job: Job) -> bool:
    """Whether the weights are random at first."""
    return not job.recipe.released


def is_small_benchmark(job: Job) -> bool:
    """Whether a model is about as large as gpt-oss-20b (3.6B active) or Llama 3.1 8B."""
    return 1e9 <= job.model.active_parameters <= 9e9 and job.model.parameters >= 6e9


# What an expert laughs at; each rule has been drawn by a planner that drew evenly.
LAUGHING: dict[str, Callable[[Job], bool]] = {
    # 70B from scratch for 10.9B tokens. Practice is 20 (Hoffmann et al. 2022) to 2,000 (Llama 3);
    # MLPerf's benchmark of Llama 3.1 8B ends at its target loss after about 0.2.
    "pretraining on next to nothing": lambda job: (
        scratch(job) and not job.framework.target_loss and not 20 <= per_parameter(job) <= 2050
    ),
    # MLPerf Training has gpt-oss-20b and Llama 3.1 8B, submitted on 8 GPUs and more, and Llama 3.1
    # 405B, submitted on hundreds and thousands.
    "a benchmark of no size that there is": lambda job: (
        job.framework.target_loss > 0
        and not (is_small_benchmark(job) and job.layout.gpus >= 8)
        and not (job.model.parameters >= 300e9 and job.layout.gpus >= 512)
    ),
    # 70B from scratch on 16 GB200, 235B on 16 B300. MLPerf's gpt-oss-20b is over within an hour or
    # two, and submitted on 8 GPUs.
    "a large model from scratch on a handful of GPUs": lambda job: (
        scratch(job)
        and not job.framework.target_loss
        and job.model.parameters >= 25e9
        and job.layout.gpus < 64
    ),
    # 212 s on 16 B300, 189 s on 8 L40.
    "steps of minutes": lambda job: seconds(job) > 60 and not job.recipe.generates,
    "years of training": lambda job: seconds(job) * whole_run(job.schedule) > 130 * 86_400,
    # 64 RTX 4090 under NeMo.
    "a cluster of cards": lambda job: job.gpu.form in CARDS and job.layout.nodes > 1,
    "slices or stages over PCIe": lambda job: (
        job.gpu.form in CARDS and job.layout.tp * job.layout.pp > 1
    ),
    "a pipeline inside a TPU slice": lambda job: job.gpu.form == "tpu" and job.layout.pp > 1,
    "a pipeline for a model that fits without": lambda job: (
        job.layout.pp > 1 and job.model.parameters < 10e9
    ),
    "GPT-2 on a rack": lambda job: (
        job.model.parameters < 400e6 and (job.gpu.form == "superchip" or job.layout.gpus > 8)
    ),
    # SFT of 160M on 8 H100.
    "a toy fine-tuned on a node": lambda job: (
        not job.recipe.relative and job.model.parameters < 400e6 and job.layout.gpus > 1
    ),
    "a cluster that waits": lambda job: mfu(job) < 0.12 and not job.recipe.generates,
    "dozens of micro-batches on a cluster": lambda job: (
        job.layout.gpus > 8 and job.layout.accumulation > max(32, 4 * job.layout.pp)
    ),
    "adapters on a cluster": lambda job: job.recipe.adapter_rank > 0 and job.layout.gpus > 8,
    "the same text five times": lambda job: job.schedule.epochs > 4,
}


@pytest.fixture(scope="module")
def plans() -> list[Job]:
    """What the seeds draw where nothing is asked for."""
    return [plan(Options(seed=seed, start=START, dialect="any")) for seed in SEEDS]


@pytest.mark.long
@pytest.mark.parametrize("rule", LAUGHING)
def test_nobody_laughs(plans: list[Job], rule: str) -> None:
    found = [(job.seed, job.framework.name, job.model.name, job.gpu.name, job.layout.gpus)
             for job in plans if LAUGHING[rule](job)]  # fmt: skip
    assert found == []


START = datetime(2026, 1, 30, 12)
# Rules that hold at any number of GPUs. One GPU that tries a benchmark is no submission: that rule
# is for the plans above.
AT_ANY_COUNT: dict[str, Callable[[Job], bool]] = {
    **{name: rule for name, rule in LAUGHING.items() if "benchmark" not in name},
    "a small model on a large cluster": lambda job: (
        job.layout.gpus >= 1024 and job.model.parameters < 2e6 * job.layout.gpus
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("gpus", [8, 64, 1024, 4096, 16_384, 131_072])
def test_nobody_laughs_at_what_is_drawn_for_a_number_of_gpus(gpus: int) -> None:
    """nanoGPT trained 410M on 131,072 GPUs. A cluster's framework is one that runs it."""
    for seed in range(1, 13):
        job = plan(Options(seed=seed, start=START, dialect="any", gpus=gpus))
        found = [name for name, rule in AT_ANY_COUNT.items() if rule(job)]
        assert found == [], f"seed {seed}: {job.framework.name}, {job.model.name}"


@pytest.mark.long
@pytest.mark.parametrize("dialect", registry.NAMES)
def test_a_framework_makes_the_best_of_a_number_of_gpus_that_it_seldom_has(dialect: str) -> None:
    """A framework for one node can be given 131,072 GPUs. It then has no cluster of gaming cards,
    no steps of minutes, no pipeline over TPUs, and a model as large as its GPUs can hold.
    """
    framework = registry.framework_of(dialect)
    largest = 2e9 if framework.max_parameters else 1e12  # under DDP, each GPU holds all of it
    for gpus, seed in product((1, 2, 64, 1024, 16_384, 131_072), (1, 4, 7, 8)):
        job = plan(Options(seed=seed, start=START, dialect=dialect, gpus=gpus))
        who = f"{dialect} on {gpus}, seed {seed}: {job.model.name} on {job.gpu.name}"
        assert not LAUGHING["a cluster of cards"](job), who
        assert not LAUGHING["steps of minutes"](job), who
        assert not LAUGHING["a toy fine-tuned on a node"](job), who
        assert not LAUGHING["adapters on a cluster"](job), who
        assert not LAUGHING["a pipeline inside a TPU slice"](job), who
        if gpus >= 1024 and not framework.target_loss:
            assert job.model.parameters >= min(2e6 * gpus, largest), who


@pytest.mark.long
@pytest.mark.parametrize("gpus", [1, 2, 4, 8, 64, 1024, 2048, 16_384, 131_072])
def test_a_benchmark_has_the_model_of_a_benchmark_at_any_number_of_gpus(gpus: int) -> None:
    """MLPerf's rules name its models. It once drew 410M on one GPU, and 0.6B on 131,072."""
    for seed in range(1, 8):
        job = plan(Options(seed=seed, start=START, dialect="mlperf", gpus=gpus))
        large = job.model.parameters >= 300e9
        assert large or is_small_benchmark(job), f"seed {seed}: {job.model.name}"
        assert large or gpus <= 1024, f"seed {seed}: {job.model.name}"
        assert gpus > 64 or not large, f"seed {seed}: {job.model.name}"


@pytest.mark.long
def test_what_everybody_runs_is_there(plans: list[Job]) -> None:
    """The jobs that a collection of 300 evenly drawn plans had not a single one of."""
    recipes = Counter(job.recipe.name for job in plans)
    assert set(recipes) == {"pretrain", "continue", "sft", "lora", "dpo", "grpo"}
    assert 0.4 <= recipes["pretrain"] / len(plans) <= 0.7
    assert any(job.layout.gpus == 1 and job.layout.four_bit_base for job in plans)
    assert any(job.layout.gpus == 1 and job.recipe.adapter_rank for job in plans)
    assert any(job.layout.gpus == 8 and job.recipe.name == "sft" for job in plans)
    seven = [job for job in plans if scratch(job) and 6e9 <= job.model.parameters <= 9e9]
    assert any(128 <= job.layout.gpus <= 1024 and per_parameter(job) > 100 for job in seven)
    assert any(job.layout.gpus >= 1024 for job in plans)
    assert any(job.layout.precision == "fp8" for job in plans)
    assert any(job.layout.cp > 1 and job.schedule.sequence >= 32_768 for job in plans)
    assert any(job.layout.ep > 1 for job in plans)


@pytest.mark.long
def test_gpus_are_drawn_as_people_have_them(plans: list[Job]) -> None:
    """H100 and A100 with NVLink carry more than half, and no gaming card is the most frequent."""
    cards = Counter(job.gpu.name for job in plans)
    servers = sum(n for name, n in cards.items() if "H100 80GB HBM3" in name or "A100-SXM4" in name)
    assert servers > 0.4 * len(plans)
    assert "GeForce" not in cards.most_common(1)[0][0]
