"""Telemetry against nvidia-smi tables: docs/physics.md section 9."""

from itertools import pairwise
from statistics import fmean, median, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsim.catalog import boards, gpus, records
from llmsim.catalog.records import Gpu
from llmsim.job.layout import Layout
from llmsim.job.records import Job
from llmsim.physics.hardware import clocks, memory, nodes, swings, telemetry
from llmsim.physics.hardware.telemetry import Activity, Load, Reading
from tests.physics import jobs
from tests.physics.jobs import H100, layout

TRAINING: tuple[Load, ...] = (Load("training", 100.0), Load("loading", 50.0), Load("idle", 0.0))
STARTED = (Load("training", 1000.0), Load("idle", 0.0))
AT_ONCE = (Load("training", 0.0), Load("idle", 0.0))
ACTIVITIES: tuple[Activity, ...] = tuple(telemetry.LOAD)


def training(job: Job, at: float = 4000.0) -> list[Reading]:
    return [telemetry.reading(job, index, at, TRAINING) for index in range(job.layout.gpus)]


def correlation(one: list[float], other: list[float]) -> float:
    a, b = fmean(one), fmean(other)
    both = sum((x - a) * (y - b) for x, y in zip(one, other, strict=True))
    own = sum((x - a) ** 2 for x in one) * sum((y - b) ** 2 for y in other)
    return float(both / own**0.5)


@settings(max_examples=300, deadline=None)
@given(
    jobs.jobs(),
    st.sampled_from(ACTIVITIES),
    st.sampled_from(ACTIVITIES),
    st.floats(0, 1e7),
    st.floats(0, 1e4),
    st.data(),
)
@pytest.mark.long
def test_readings_stay_within_the_card(
    job: Job, activity: Activity, before: Activity, since: float, later: float,
    data: st.DataObject,
) -> None:  # fmt: skip
    index = data.draw(st.integers(0, job.layout.gpus - 1))
    found = telemetry.reading(job, index, since + later, (Load(activity, since), Load(before, 0.0)))
    assert found == telemetry.reading(
        job, index, since + later, (Load(activity, since), Load(before, 0.0))
    )
    assert found.index == index
    assert 0 <= found.utilization <= 100
    assert 0 < found.power_watts <= 1.05 * job.gpu.tdp_watts
    assert 20 <= found.temperature_c <= 95
    assert 0 <= found.memory_mib <= memory.capacity(job.gpu) / 2**20
    assert 120 <= found.sm_clock_mhz <= 3000
    assert 0 <= found.link_gb_s <= job.gpu.link_gb_s


@pytest.mark.parametrize("seed", range(8))
def test_h100s_in_training(seed: int) -> None:
    """600-699 W, 55 to 75 C, busy for 91 to 92 % in the middle, clocks held down by power.

    At 700 W an H200, which is the same chip, holds 1,500 MHz and not 1,830 under full load
    (tile-ai/TileOPs, issue 1587); in gpu-burn both have their highest clock, 1,980, at 627 to 632 W
    (captures of nvidia_gpu_exporter).
    """
    found = training(jobs.job(spread=layout(64), seed=seed))
    assert 600 <= fmean(each.power_watts for each in found) <= 699
    assert 52 <= fmean(each.temperature_c for each in found) <= 75
    assert 90 <= median(each.utilization for each in found) <= 93
    assert all(1400 <= each.sm_clock_mhz <= 1980 for each in found)
    assert all(each.sm_clock_mhz % 15 == 0 for each in found)
    assert all(each.sm_clock_mhz < 1830 for each in found if each.power_watts >= 690)
    assert all(each.sm_clock_mhz == 1980 for each in found if each.power_watts <= 627)


def test_the_power_limit_holds_clocks_back_as_often_as_on_a_real_card() -> None:
    """An RTX 3090: in 27 % of the samples at a mean of .89 of its limit, in 86 % at .98
    (noonghunna/club-3090, issue 104); in 98 % at 314 of 315 W (ashalliants/ninfer-3090, 72).
    """
    job = jobs.job()
    near, at_limit = (swings.part_above(job, 1.0, clocks.CAPPED / mean) for mean in (0.89, 0.98))
    assert 0.1 < near < 0.45
    assert at_limit > 0.86


def test_a_lower_clock_has_its_reason_and_its_seconds() -> None:
    """NVML's SW power cap is set in those seconds in which the limit holds the clock back, and its
    counter says what part of the seconds that is.
    """
    for seed in range(2):
        job, ranks = jobs.job(seed=seed, spread=layout(8)), range(8)
        seen = [telemetry.latents(job, ranks, 2000.4 + each, AT_ONCE) for each in range(900)]
        for gpu in ranks:
            capped = [bool(each.reasons[gpu] & clocks.POWER_CAP) for each in seen]
            lower = [each.sm_clock_mhz[gpu] < job.gpu.clock_mhz for each in seen]
            assert capped == lower, (seed, gpu)
            part = telemetry.held_by_power(job, gpu, "training")
            assert fmean(capped) == pytest.approx(part, abs=0.06), (seed, gpu)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        # RTX 4090: 2,520 to 2,745 MHz; RTX 3090: 1,605 to 1,965; RTX 5090: 2,400 to 2,572.
        ("RTX 4090", 2520, 2745),
        ("RTX 3090", 1605, 1980),
        ("RTX 5090", 2392, 2572),
    ],
)
def test_a_geforce_works_below_its_highest_clock(name: str, low: int, high: int) -> None:
    """Public captures under load: the voltage ends before the driver's highest clock."""
    gpu = records.gpu_named(name)
    for seed in range(4):
        found = training(jobs.job(seed=seed, gpu=gpu, spread=layout(8)))
        clock = median(each.sm_clock_mhz for each in found)
        assert low <= clock <= high < boards.clocks(gpu).top, seed


# Cards in training, by their share of the power limit: what public tables of nvidia-smi have.
# docs/physics.md names the sources.
RTX_A6000 = jobs.RTX_4090._replace(
    name="NVIDIA RTX A6000", memory_mib=49_140, tdp_watts=300, form="workstation", clock_mhz=1800
)
ALONE = layout(1, micro_batch=4)


@pytest.mark.parametrize(
    ("gpu", "spread", "shares", "celsius", "turning"),
    [
        # RTX 3090: 66 C at 342 W, 69 and 65 at 328 and 325 W, 76 at 309 W, of 350 W; with fans at
        # 58, 72 and 65 %. Reviews: 62 C (RTX 3090), 75 to 77 C (RTX 5090).
        (jobs.RTX_4090, ALONE, (0.88, 1.03), (62, 77), (58, 72)),
        # RTX 4090: 60 C at 324 W, 61 at 362 W, 72 at 307 and 311 W, of 450 W; 39 to 71 %.
        (jobs.RTX_4090, layout(8), (0.6, 0.8), (60, 72), (39, 71)),
        # 85 C and 71 % at 295 W; 59 and 75 C, 30 and 48 %, at 204 W of 300 W.
        (RTX_A6000, ALONE, (0.88, 1.03), (70, 85), (48, 71)),
        (RTX_A6000, layout(8), (0.6, 0.8), (59, 75), (30, 48)),
    ],
)
def test_cards_with_fans_in_training(
    gpu: Gpu, spread: Layout, shares: tuple[float, float], celsius: tuple[int, int],
    turning: tuple[int, int],
) -> None:  # fmt: skip
    """The middle half and the usual fan lie within 2 of published figures. Few cards get too hot:
    an RTX A6000 has 84 C as its target (mrirecon/bart, issue 323), and one had 85 C.
    """
    shape = jobs.LLAMA_1B if spread is ALONE else jobs.LLAMA_3B
    found = [each for seed in range(32) for each in training(jobs.job(shape, gpu, spread, seed))]
    low, high = (share * gpu.tdp_watts for share in shares)
    assert fmean(low <= each.power_watts <= high for each in found) > 0.9
    hot = sorted(each.temperature_c for each in found)
    quarter = len(hot) // 4
    assert celsius[0] - 2 <= hot[quarter] < hot[-quarter - 1] <= celsius[1] + 2
    usual = gpus.fan(gpu, hot[2 * quarter], 0) or 0
    assert turning[0] - 2 <= usual <= turning[1] + 2
    assert fmean(each >= clocks.THROTTLE for each in hot) < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_idle_h100s(seed: int) -> None:
    """True idle: 64-76 W, 21-42 C (tables of nvidia-smi in public issues, captures of
    nvidia_gpu_exporter). With a context: 111-150 W and more.
    """
    job = jobs.job(seed=seed)
    idle = [telemetry.reading(job, index, 9.0, (Load("idle", 0.0),)) for index in range(8)]
    assert all(61 <= each.power_watts <= 79 for each in idle)
    assert all(18 <= each.temperature_c <= 47 for each in idle)
    assert all(each.utilization == 0 and each.memory_mib < 10 for each in idle)
    context = telemetry.reading(job, 0, 9.0, (Load("starting", 0.0), Load("idle", 0.0)))
    assert 105 <= context.power_watts <= 155
    assert 1000 <= context.memory_mib <= 3100


def test_a_checkpoint_shows() -> None:
    """Ranks wait, or spin in a collective at 95 % and more, at 0.20 to 0.22 of the limit."""
    job = jobs.job()
    saving = [
        telemetry.reading(job, i, 4030.0, (Load("checkpoint", 4000.0), *TRAINING)) for i in range(8)
    ]
    for before, during in zip(training(job), saving, strict=True):
        assert during.utilization <= 30 or during.utilization >= 95
        assert during.power_watts < 0.4 * before.power_watts
        assert during.temperature_c < before.temperature_c
        assert during.memory_mib == before.memory_mib
        assert during.link_gb_s == 0


def test_temperature_lags_behind_power() -> None:
    """A first-order lag: most of the way after two minutes, hardly any after two seconds."""
    job = jobs.job()
    temperatures = [
        telemetry.reading(job, 0, 1000.0 + t, STARTED).temperature_c
        for t in (0, 2, 15, 45, 120, 600)
    ]
    first, soon, *_, last = temperatures
    assert temperatures == sorted(temperatures)
    assert soon - first <= 3
    assert last - first > 20
    assert temperatures[4] - first > 0.8 * (last - first)
    powers = [telemetry.reading(job, 0, 1000.0 + t, STARTED).power_watts for t in (1, 600)]
    assert powers[0] == pytest.approx(powers[1], rel=0.08)


def test_a_node_has_a_hot_and_a_cool_row() -> None:
    """A real node: 54 42 41 54 53 40 42 52 C."""
    hot = [each.temperature_c for each in training(jobs.job())]
    assert min(hot[i] for i in (0, 3, 4, 7)) > max(hot[i] for i in (1, 2, 5, 6))


def test_gpus_move_together_and_differ() -> None:
    job = jobs.job(spread=layout(16))
    times = [2000.0 + 3.7 * k for k in range(300)]
    power = [[telemetry.reading(job, i, at, AT_ONCE).power_watts for at in times] for i in range(4)]
    for one, other in pairwise(power):
        series = [float(x) for x in one], [float(x) for x in other]
        assert 0.65 < correlation(*series) < 0.9  # measured: 0.75 to 0.81
    found = training(job)
    assert len({each.power_watts for each in found}) > 8
    assert len({each[1:] for each in found}) == 16


def test_power_is_white_from_second_to_second() -> None:
    """Public logs at 1 Hz: standard deviation 1.6 to 1.9 %, autocorrelation 0.02 to 0.10."""
    job = jobs.job()
    power = [float(telemetry.reading(job, 3, 2000.4 + t, AT_ONCE).power_watts) for t in range(600)]
    assert 0.014 < pstdev(power) / fmean(power) < 0.021
    assert abs(correlation(power[:-1], power[1:])) < 0.13


def test_a_mixture_draws_less_power() -> None:
    """Power follows what the GPU computes: 607 W of an H200, 434 W at 68 %."""
    dense = training(jobs.job(gpu=jobs.H200))
    mixture = training(jobs.job(jobs.MIXTRAL, gpu=jobs.H200))
    assert fmean(m.power_watts for m in mixture) < 0.9 * fmean(d.power_watts for d in dense)


@pytest.mark.long
def test_hot_gpus_slow_down() -> None:
    """Among 20,000 GPUs some sit behind tired fans; they stay below 90 C by clocking down."""
    job = jobs.job(spread=layout(20_000), seed=6)
    found = training(job, 30_000.0)[:6000]
    hottest = max(found, key=lambda each: each.temperature_c)
    assert 70 < hottest.temperature_c < 90
    assert hottest.temperature_c - fmean(each.temperature_c for each in found) > 8


def test_a_node_sums_its_gpus() -> None:
    job = jobs.job(spread=layout(64))
    found = training(job)[24:32]
    node = nodes.node_summary(3, found)
    assert node.node == 3
    assert node.gpus == 8
    assert node.power_watts == sum(each.power_watts for each in found)
    assert node.temperature_max == max(each.temperature_c for each in found)
    assert node.temperature_min == min(each.temperature_c for each in found)
    assert node.temperature_min <= node.temperature_c <= node.temperature_max
    assert node.utilization_min <= node.utilization <= 100
    assert node.memory_mib == max(each.memory_mib for each in found)


def test_pipeline_stages_fill_differently() -> None:
    spread = layout(64, pp=8, accumulation=16)
    found = training(jobs.job(jobs.LLAMA_8B, H100, spread))
    assert found[1].memory_mib > found[30].memory_mib + 500
