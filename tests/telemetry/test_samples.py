"""Gauges: the identities that hold on a real page, and what real pages showed."""

from collections.abc import Iterator
from itertools import pairwise
from statistics import correlation, median

import pytest

from llmsim.catalog.gpus import highest_power
from llmsim.job.records import Job, batch_tokens
from llmsim.physics import noise
from llmsim.physics.hardware.gauges import Gauges
from llmsim.physics.speed.step_time import step_seconds
from llmsim.physics.speed.throughput import mfu
from llmsim.run.simulation import run_of
from llmsim.run.timeline import Run, run_ended
from llmsim.telemetry.samples import Sample, sample, samples
from tests.runs import job_of

RUNS = [
    {"seed": 4, "gpu": "H100 80GB HBM3", "gpus": 16, "recipe": "pretrain"},
    {"seed": 5, "gpu": "H200", "gpus": 8, "recipe": "sft"},
    {"seed": 6, "gpu": "A100-SXM4-80GB", "gpus": 64, "recipe": "pretrain"},
    {"seed": 7, "gpu": "RTX 4090", "gpus": 4, "recipe": "lora"},
    {"seed": 8, "gpu": "NVIDIA B200", "gpus": 32, "recipe": "pretrain"},
    {"seed": 9, "gpu": "MI300X", "gpus": 8, "recipe": "continue"},
]
MOMENTS = 200  # of each run; the first eight GPUs are looked at


def run_like(asked: dict[str, object]) -> Run:
    """A run of ours on some GPUs."""
    return run_of(job_of(**{"dialect": "pytorch", **asked}))  # type: ignore[arg-type]  # any option


def moments(run: Run, count: int) -> Iterator[float]:
    """Moments all over a run, the same ones each time."""
    ended = run_ended(run)
    for number in range(count):
        yield ended * noise.uniform(run.job.seed, "a test's moments", number)


def violations(job: Job, each: Gauges) -> list[str]:
    """What is inconsistent in the gauges of one GPU at one moment."""
    limit = job.gpu.tdp_watts
    steady = mfu(job, batch_tokens(job) / step_seconds(job))
    rules = {
        "memory adds up": each.used_mib + each.free_mib + each.reserved_mib == each.total_mib,
        "memory is there": min(each.used_mib, each.free_mib, each.reserved_mib) >= 0,
        "tensor, SM and engine": 0
        <= each.tensor_active
        <= each.sm_active
        <= each.gr_engine_active
        <= 1,
        "no kernel, no tensor": each.utilization_percent > 0 or each.tensor_active == 0,
        "power is limited": 0 < each.power_watts <= highest_power(job.gpu) * limit,
        "DRAM's practical peak": 0 <= each.dram_active <= 0.8,
        "memory is busy only at work": each.memory_utilization_percent <= each.utilization_percent,
        "heat is slowed": each.clock_event_reasons & 0x60 or each.temperature_c < 90,
        "clocks": 0 < each.sm_clock_mhz <= job.gpu.clock_mhz,
        "a lower clock has a reason": (each.sm_clock_mhz < job.gpu.clock_mhz)
        == bool(each.clock_event_reasons),
        "temperature": 20 <= each.temperature_c <= 95,
        # With what is recomputed, and the rated clock of Hopper's peak below its highest.
        "tensor activity is the MFU": each.activity != "training"
        or each.tensor_active * each.sm_clock_mhz / job.gpu.clock_mhz <= steady * 4 / 3 + 0.03,
    }
    return [name for name, holds in rules.items() if not holds]


@pytest.mark.parametrize("asked", RUNS, ids=lambda asked: str(asked["gpu"]))
@pytest.mark.long
def test_a_page_is_consistent_at_any_moment(asked: dict[str, object]) -> None:
    run = run_like(asked)
    for at in moments(run, MOMENTS):
        for each in sample(run, at, most=8).gpus:
            assert violations(run.job, each) == [], f"{asked}, {at} s: {each}"


@pytest.mark.parametrize("asked", RUNS, ids=lambda asked: str(asked["gpu"]))
@pytest.mark.long
def test_energy_is_the_integral_of_power(asked: dict[str, object]) -> None:
    """Trapezoids of one second, against the counter, over ten minutes of training."""
    run = run_like(asked)
    begun = 0.5 * run_ended(run)
    seen = [sample(run, begun + second, most=2).gpus for second in range(600)]
    for gpu in range(2):
        watts = [each[gpu].power_watts for each in seen]
        whole = sum((one + other) / 2 for one, other in pairwise(watts))
        taken = seen[-1][gpu].energy_joules - seen[0][gpu].energy_joules
        assert taken == pytest.approx(whole, rel=0.02), f"{asked}, GPU {gpu}"


def totals(each: Sample) -> list[float]:
    """All counters of a sample."""
    ours = [
        (
            gpu.energy_joules,
            gpu.power_capped_seconds,
            gpu.thermal_slowdown_seconds,
            gpu.hardware_thermal_slowdown_seconds,
            gpu.power_brake_slowdown_seconds,
        )
        for gpu in each.gpus
    ]
    theirs = [
        (node.cpu_user_seconds, node.cpu_idle_seconds, node.card_sent_bytes,
         node.card_received_bytes, node.disk_written_bytes, node.network_sent_bytes)
        for node in each.nodes
    ]  # fmt: skip
    return [value for values in (*ours, *theirs) for value in values]


@pytest.mark.parametrize("asked", RUNS[:3], ids=lambda asked: str(asked["gpu"]))
def test_counters_never_go_back(asked: dict[str, object]) -> None:
    run = run_like(asked)
    before: list[float] | None = None
    for each in samples(run, run_ended(run) / 60, most=8):
        now = totals(each)
        assert before is None or all(a <= b for a, b in zip(before, now, strict=True)), each.at
        before = now


def correlation_of(seen: list[Gauges], one: str, other: str) -> float:
    """How straight the line is that two gauges make in a scatter plot."""
    return correlation(
        [getattr(each, one) for each in seen], [getattr(each, other) for each in seen]
    )


def test_no_activity_is_a_fixed_part_of_another() -> None:
    """Two H100 of one job have DRAM activities of .76 and .65 of their tensor activities,
    occupancies of .268 and .266 and fp32 of .059 and .056 of their SM activities
    (guilbaults/slurm-job-exporter, issue 30).
    """
    run = run_like({**RUNS[0], "gpus": 64})
    begun = 0.5 * run_ended(run)
    looks = (begun + 7.0 * each for each in range(30))
    seen = [each for at in looks for each in sample(run, at).gpus if each.activity == "training"]
    for one, other, low, high in (
        ("dram_active", "tensor_active", 0.1, 0.2),
        ("sm_occupancy", "sm_active", 0.005, 0.02),
        ("fp32_active", "sm_active", 0.02, 0.07),
    ):
        ratios = [getattr(each, one) / getattr(each, other) for each in seen]
        spread = (max(ratios) - min(ratios)) / median(ratios)
        assert low < spread < 2 * high, (one, spread)
        assert abs(correlation_of(seen, one, other)) < 0.95, one
    gaps = [(each.gr_engine_active - each.sm_active) / (1.0 - each.sm_active) for each in seen]
    assert 0.0 <= min(gaps) < 0.4
    assert 0.6 < max(gaps) <= 1.0


def test_samples_come_at_even_intervals_from_the_command_to_the_end() -> None:
    run = run_like(RUNS[1])
    every = run_ended(run) / 10.5
    seen = [*samples(run, every, most=1)]
    assert [each.at for each in seen] == [number * every for number in range(11)]
    assert seen[0].activity == "idle"
    assert sample(run, run_ended(run)).step == run.job.schedule.steps


def test_a_large_cluster_is_sampled_in_part() -> None:
    run = run_of(job_of(1, dialect="pytorch", model="Basalt-405B", recipe="pretrain", gpus=16384))
    seen = sample(run, 0.5 * run_ended(run), most=24)
    assert len(seen.gpus) == 24
    assert {each.node for each in seen.nodes} == set(range(len(seen.nodes)))


# --- real pages ----------------------------------------------------------------------------------


def band(values: list[float]) -> tuple[float, float]:
    """Where nine tenths of the values lie."""
    ordered = sorted(values)
    return ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]


def training(gpu: str, field: str) -> list[float]:
    """A gauge of training GPUs in many runs."""
    found: list[float] = []
    for seed in range(24):
        run = run_like({"seed": seed, "gpu": gpu, "gpus": 8, "recipe": "pretrain"})
        middle = sample(run, 0.45 * run_ended(run))
        found += [getattr(each, field) for each in middle.gpus if each.activity == "training"]
    return found


# Two of the eight H100 of a training job (guilbaults/slurm-job-exporter, issue 30).
JOB_30 = {
    "sm_active": (0.9126, 0.9322),
    "sm_occupancy": (0.2445, 0.2477),
    "fp32_active": (0.052, 0.054),
}


@pytest.mark.parametrize("field", JOB_30)
@pytest.mark.long
def test_a_real_training_page_lies_in_our_band(field: str) -> None:
    low, high = band(training("H100 80GB HBM3", field))
    for value in JOB_30[field]:
        assert low <= value <= high, f"{field}: {value} is outside of {low}..{high}"


def test_memory_that_the_driver_keeps_is_that_of_real_pages() -> None:
    """Captures of utkuozdemir/nvidia_gpu_exporter: 479 MiB on an H100, 614 on an H200."""
    for gpu, real in (("H100 80GB HBM3", 479), ("H200", 614)):
        run = run_like({"seed": 1, "gpu": gpu, "gpus": 8})
        assert sample(run, 0.0).gpus[0].reserved_mib == pytest.approx(real, abs=2), gpu
