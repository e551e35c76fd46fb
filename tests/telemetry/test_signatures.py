"""What an incident shows in the gauges: in keeping with its label, its log and all identities.

Figures: public reports of hangs (utilization 100 %, 120 to 200 W on an H100), of hot GPUs (84 to
90 C, clocks of 1,200 to 1,400 of 1,980 MHz, NVML's reasons 0x8 0x20 0x40 0x80) and of lost ones
(the series end; they do not go to 0), and what DCGM's fields mean.
"""

from functools import cache
from itertools import pairwise
from statistics import mean, median

import pytest

from llmsim.job.records import Asked
from llmsim.physics.hardware.gauges import Gauges
from llmsim.run import hardware_ids
from llmsim.run.events import Incident, Symptom
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run, Segment, owner, step_began, training_began
from llmsim.telemetry.node_page import families
from llmsim.telemetry.samples import gauges_of, sample, tick_of
from tests.incidents.told import job_on
from tests.runs import job_of
from tests.telemetry.test_samples import violations

SEEDS = range(4)


@cache
def run_with(seed: int, kind: str) -> tuple[Run, Incident, Segment]:
    """A run, the label of its one incident, and the segment that has it."""
    run = run_of(
        job_on(seed, gpus=16, model="Basalt-8B")._replace(asked=(Asked(kind, "share", 0.5),))
    )
    for segment in run.timeline:
        for event in segment.events:
            if isinstance(event, Incident):
                return run, event, segment
    raise AssertionError((seed, kind))


def seen(run: Run, at: float) -> dict[int, Gauges]:
    """The gauges of all GPUs that can be read."""
    return {each.gpu: each for each in sample(run, at).gpus}


def links(run: Run, rank: int, begun: float, ended: float) -> float:
    """The mean traffic of a GPU's NVLinks, B/s: it wavers from one look to the next by a half."""
    looks = 200
    return mean(
        each.nvlink_sent_bytes_per_second
        for look in range(looks)
        for each in gauges_of(
            run, tick_of(run, begun + (ended - begun) * look / looks), (rank,), energy=False
        )
    )


def late(label: Incident) -> float:
    """A moment shortly before a slow GPU is taken out, or is as fast as before."""
    return label.detected - 1.0 if label.detected > label.at + 1.0 else label.over - 5.0


@pytest.mark.parametrize("kind", ["nccl-timeout", "gsp"])
def test_a_hang_is_busy_and_does_nothing(kind: str) -> None:
    for seed in SEEDS:
        run, label, segment = run_with(seed, kind)
        for each in seen(run, 0.5 * (label.at + segment.ended)).values():
            assert each.utilization_percent == 100, seed
            assert each.tensor_active == each.dram_active == 0.0, seed
            assert 100.0 < each.power_watts < 200.0, seed
            assert each.nvlink_sent_bytes_per_second == 0, seed
            assert each.used_mib > 1000, seed
        (usual, *_) = seen(run, label.at - 100.0).values()
        (later, *_) = seen(run, segment.ended - 1.0).values()
        assert later.temperature_c < usual.temperature_c - 8, seed


@pytest.mark.long
def test_a_hot_gpu_slows_all_and_only_it_says_so() -> None:
    braked, traffic = 0, list[float]()
    for seed in range(12):
        run, label, _ = run_with(seed, "thermal")
        usual, during = seen(run, label.at - 400.0), seen(run, late(label))
        culprit = during[label.rank]
        assert culprit.sm_clock_mhz < 0.95 * usual[label.rank].sm_clock_mhz, seed
        assert culprit.clock_event_reasons & 0x8, seed
        if culprit.clock_event_reasons & 0x80:
            braked += 1
            assert culprit.temperature_c < 80, seed
        else:
            assert culprit.clock_event_reasons & 0x60, seed
            assert 80 <= culprit.temperature_c <= 92, seed
            if culprit.temperature_c >= 88:
                assert 95 <= culprit.memory_temperature_c <= 101, seed
        others = [rank for rank in during if rank != label.rank]
        assert not any(during[rank].clock_event_reasons & 0xC8 for rank in others), seed
        for name in ("tensor_active", "power_watts"):
            now, then = (mean(getattr(page[rank], name) for rank in others)
                         for page in (during, usual))  # fmt: skip
            # Ranks that wait spin, so that their power falls less than their work.
            assert now < (0.985 if name == "power_watts" else 0.97) * then, (seed, name)
        before = links(run, others[0], label.at - 400.0, label.at - 1.0)
        traffic.append(links(run, others[0], label.at + 1.0, late(label)) / before)
        before_it = usual[label.rank]
        counted = (
            culprit.thermal_slowdown_seconds > before_it.thermal_slowdown_seconds,
            culprit.hardware_thermal_slowdown_seconds > 0.0,
            culprit.power_brake_slowdown_seconds > 0.0,
        )
        is_braked = bool(culprit.clock_event_reasons & 0x80)
        assert counted == (not is_braked, not is_braked, is_braked), seed
        after = seen(run, label.over + 600.0).get(label.rank)
        assert after is None or not after.clock_event_reasons & 0xC8, seed
    assert 0 < braked < 12
    # Traffic wavers for minutes on end, so that one run's mean says less than that of all.
    assert median(traffic) < 0.9


@pytest.mark.long
def test_a_gpu_is_hot_before_the_hardware_slows_it_down() -> None:
    """NVML's 0x40 is for a GPU at its slowdown mark, which is 87 degrees C on an H100: 84 to 90 in
    reports. Also where a validation of torchtitan comes just before the first slow step.
    """
    after_validations = 0
    for seed in range(6):
        options = {"gpu": "NVIDIA H100 80GB HBM3", "recipe": "pretrain", "steps": 600}
        job = job_of(seed, gpus=8, dialect="torchtitan", model="Basalt-1B", **options)
        run = run_of(job._replace(asked=(Asked("thermal", "step", 200),)))
        number, label = next(
            (number, event) for number, segment in enumerate(run.timeline)
            for event in segment.events if isinstance(event, Incident)
        )  # fmt: skip
        after_validations += run.timeline[number - 1].kind == "validation"
        found = [sample(run, label.at + 5.0 * look).gpus[label.rank] for look in range(-40, 20)]
        for each, later in pairwise(found):
            assert not each.clock_event_reasons & 0x40 or each.temperature_c >= 83, seed
            # Memory: 95 and more in reports of such GPUs.
            assert each.temperature_c < 88 or 95 <= each.memory_temperature_c <= 101, seed
            assert abs(later.memory_temperature_c - each.memory_temperature_c) <= 12, seed
            grown = (
                later.hardware_thermal_slowdown_seconds - each.hardware_thermal_slowdown_seconds,
                later.power_brake_slowdown_seconds - each.power_brake_slowdown_seconds,
            )
            both = each.clock_event_reasons & later.clock_event_reasons
            neither = ~(each.clock_event_reasons | later.clock_event_reasons)
            for seconds, bit in zip(grown, (0x40, 0x80), strict=True):
                assert not both & bit or seconds == pytest.approx(5.0), seed
                assert not neither & bit or seconds == 0.0, seed
            assert abs(later.temperature_c - each.temperature_c) <= 8, seed
    assert after_validations > 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("seconds", "reason"), [(5.0, 0x80), (40.0, 0x80), (75.0, 0x40), (130.0, 0x40)]
)
def test_a_gpu_that_has_just_begun_to_work_is_hot_where_it_says_so(
    seconds: float, reason: int
) -> None:
    """NVML's 0x40 is for a GPU at its slowdown mark, also soon after a launch; a GPU that has had
    no time to get hot can only have been braked, 0x80.
    """
    found = 0
    for seed in range(6):
        job = job_on(seed, gpus=16, model="Basalt-1B")
        healthy = run_of(job)
        step = 1
        while step_began(healthy, step + 1) < training_began(healthy) + seconds:
            step += 1
        run = run_of(job._replace(asked=(Asked("thermal", "step", step),)))
        label = next(
            event for segment in run.timeline for event in segment.events
            if isinstance(event, Incident)
        )  # fmt: skip
        looks = [seen(run, label.at + 2.0 * look)[label.rank] for look in range(30)]
        masks = {each.clock_event_reasons & 0xC0 for each in looks} - {0}
        if masks == {0x80} and reason == 0x40:
            continue  # three of ten are braked, whenever they are
        found += 1
        assert masks == {reason}, (seed, label.at)
        for each in looks:
            assert not each.clock_event_reasons & 0x40 or each.temperature_c >= 83, (seed, each)
    assert found > 1


@pytest.mark.long
def test_a_temperature_never_jumps() -> None:
    run, label, _ = run_with(2, "thermal")
    found = [
        seen(run, label.at - 200.0 + 2.0 * look)[label.rank].temperature_c for look in range(300)
    ]
    assert max(abs(one - other) for one, other in pairwise(found)) <= 3


@pytest.mark.long
def test_of_a_straggler_only_its_clock_tells() -> None:
    for seed in SEEDS:
        run, label, _ = run_with(seed, "straggler")
        usual, during = seen(run, label.at - 100.0), seen(run, 0.5 * (label.at + late(label)))
        before = mean(
            seen(run, label.at - 100.0 + 5.0 * look)[label.rank].sm_clock_mhz for look in range(15)
        )
        assert 0.90 < during[label.rank].sm_clock_mhz / before < 0.98, seed
        assert during[label.rank].clock_event_reasons == 0x4, seed
        others = [rank for rank in during if rank != label.rank]
        assert all(during[rank].tensor_active < usual[rank].tensor_active for rank in others), seed


def test_a_stall_of_the_data_leaves_gpus_idle_and_not_spinning() -> None:
    for seed in SEEDS:
        run, label, segment = run_with(seed, "data-stall")
        (delay,) = segment.delays
        begun = next(at for at in (label.at, label.at + 0.5) if at > 0)
        stalled = [
            look
            for look in (begun + 0.05 * part * delay.seconds for part in range(40))
            if sample(run, look).activity == "stalled"
        ]
        assert stalled, seed
        for each in seen(run, stalled[0]).values():
            assert each.utilization_percent <= 30, seed
            assert each.tensor_active == 0.0, seed


def test_a_lost_gpu_has_no_series_until_its_node_is_back() -> None:
    for seed in SEEDS:
        run, label, segment = run_with(seed, "gpu-lost")
        assert label.rank in seen(run, label.at - 1.0), seed
        for at in (label.at + 0.1, segment.ended - 0.1, segment.ended + 30.0):
            assert set(range(16)) - set(seen(run, at)) == {label.rank}, (seed, at)
        again = seen(run, label.over + 300.0)[label.rank]
        assert again.xid == 0, seed


def test_a_double_bit_error_counts_and_waits_for_a_reset() -> None:
    for seed in SEEDS:
        run, label, _ = run_with(seed, "hbm-ecc")
        before, after = (seen(run, at)[label.rank] for at in (label.at - 1.0, label.at + 0.05))
        assert (before.xid, after.xid) == (0, 94), seed
        for name in ("uncorrectable_errors", "aggregate_errors", "remapped_rows", "remap_pending"):
            assert (getattr(before, name), getattr(after, name)) == (0, 1), (seed, name)
        later = seen(run, label.over + 300.0)[label.rank]  # the same GPU
        assert later.aggregate_errors == later.remapped_rows == 1, seed
        waits = int(not resumed(run, label))  # for a reset
        assert later.uncorrectable_errors == later.remap_pending == waits, seed


def test_slurm_and_the_gauges_agree_on_whether_a_gpu_was_reset() -> None:
    """NVIDIA: a row that is marked for remapping is remapped by the next reset of the GPU. A node
    that was drained because a reset is required is resumed after it. One that was not drained has
    its job again at once, and waits for its next drain, for whatever reason that is.
    """
    pending = set()
    for seed in (0, 13, 37):  # 13 and 37 have an outage of less than 2 min
        asked = (
            Asked("hbm-ecc", "share", 0.3, rank=13), Asked("hbm-ecc", "share", 0.6, rank=13),
        )  # fmt: skip
        run = run_of(job_on(seed, gpus=16)._replace(asked=asked))
        labels = (each for each in events(run) if isinstance(each, Incident))
        for rows, label in enumerate(labels, 1):
            back = resumed(run, label)
            dying, later = (seen(run, at)[13] for at in (label.at + 0.1, label.over + 1.0))
            assert dying.remap_pending == 1, seed
            assert later.remapped_rows == later.aggregate_errors == rows, seed
            assert later.remap_pending == (0 if back else 1), seed
            assert bool(later.uncorrectable_errors) == (not back), seed
            pending.add(later.remap_pending)
    assert pending == {0, 1}


def resumed(run: Run, label: Incident) -> bool:
    """Whether Slurm has drained and resumed a node after an incident."""
    said = [each.name for each in events(run)
            if isinstance(each, Symptom) and label.at < each.at <= label.over]  # fmt: skip
    assert said.count("drained") == said.count("back") <= 1
    return "back" in said


@pytest.mark.long
def test_links_and_buses_complain_before_they_fail() -> None:
    omens = 0
    for seed in range(8):
        run, label, _ = run_with(seed, "nvlink")
        early, last = (seen(run, max(0.0, label.at - ago))[label.rank] for ago in (5400.0, 1.0))
        assert last.link_crc_errors >= early.link_crc_errors >= 0, seed
        omens += last.link_crc_errors > 100
        run, label, _ = run_with(seed, "gpu-lost")
        early, last = (seen(run, max(0.0, label.at - ago))[label.rank] for ago in (5400.0, 1.0))
        omens += last.pcie_replays > early.pcie_replays
    assert 5 < omens < 16


# Counts of errors that a reset of the GPU clears, and counts for its life.
VOLATILE = {
    "nvlink": ("link_crc_errors", "link_replays", "link_recoveries"),
    "hbm-ecc": ("correctable_errors", "uncorrectable_errors", "remap_pending"),
}
FOR_LIFE = {
    "nvlink": (),
    "hbm-ecc": ("aggregate_correctable_errors", "aggregate_errors", "remapped_rows"),
}


@pytest.mark.parametrize("kind", ["nvlink", "hbm-ecc"])
def test_only_a_reset_clears_a_count_of_errors(kind: str) -> None:
    """NVML: volatile counts are those since the driver was loaded, and aggregate ones are kept
    "across reboots". A double-bit error of the memory ends the run, and the GPU is reset where the
    node is drained; an error of NVLink is cured by a reset of all GPUs of the node.
    """
    names, risen = (*VOLATILE[kind], *FOR_LIFE[kind]), set()
    for seed in range(6):
        asked = (Asked(kind, "share", 0.3, rank=13), Asked("nvlink", "share", 0.7, rank=9))
        run = run_of(job_on(seed, gpus=16, model="Basalt-8B")._replace(asked=asked))
        told = (each for segment in run.timeline for each in segment.events)
        struck = [each for each in told if isinstance(each, Incident)]
        resets = [each.over for each in struck if each.kind == "nvlink" or resumed(run, each)]
        then, last = 0.0, dict.fromkeys(names, 0)
        for step in range(400):
            at = struck[-1].over * 1.02 * step / 399
            (now,) = gauges_of(run, tick_of(run, at), (13,), energy=False)
            reset = any(then < each <= at for each in resets)
            for name in names:
                value = getattr(now, name)
                cleared = reset and name in VOLATILE[kind]
                assert value == 0 if cleared else value >= last[name], (seed, at, name)
                risen |= {name} if value else set()
                last[name] = value
            then = at
    assert risen == set(names)


def values_of(run: Run, node: int, at: float, name: str) -> list[float]:
    """The values of a family on a node's page."""
    found = next(each for each in families(run, node, at) if each.name == name)
    return [value for _, value in found.samples]


def test_a_port_that_was_down_is_counted() -> None:
    for seed in SEEDS:
        run, label, _ = run_with(seed, "link-flap")
        node = label.rank // 8
        downs = [sum(values_of(run, node, at, "node_infiniband_link_downed_total"))
                 for at in (label.at - 1.0, label.at + 0.5, label.over + 60.0)]  # fmt: skip
        assert downs == [0, 1, 1], seed
        states = values_of(run, node, label.at + 0.5, "node_infiniband_state_id")
        assert sorted(states) == [1, *[4] * (len(states) - 1)], seed
        assert set(values_of(run, node, label.over + 60.0, "node_infiniband_state_id")) == {4}, seed


def test_a_dead_node_is_silent() -> None:
    for seed in SEEDS:
        run, label, segment = run_with(seed, "node-fail")
        node = label.rank // 8
        assert families(run, node, segment.ended - 1.0) == [], seed
        left = {gpu // 8 for gpu in seen(run, segment.ended - 1.0)}
        assert left == {0, 1} - {node}, seed


@pytest.mark.parametrize("kind", ["thermal", "straggler", "data-stall", "nccl-timeout", "hbm-ecc"])
@pytest.mark.long
def test_identities_hold_through_an_incident(kind: str) -> None:
    run, label, _ = run_with(1, kind)
    energies: dict[str, float] = {}  # of each card: a spare machine has others
    for look in range(60):
        at = label.at - 60.0 + look * (label.over - label.at + 120.0) / 60.0
        for gpu, each in seen(run, at).items():
            assert violations(run.job, each) == [], (kind, at, each)
            card = hardware_ids.gpu_uuid(owner(run, at), gpu)
            assert each.energy_joules > energies.get(card, 0.0), (kind, at, gpu)
            energies[card] = each.energy_joules


@pytest.mark.long
def test_energy_is_the_integral_of_power_through_a_throttle() -> None:
    run, label, _ = run_with(3, "thermal")
    begun = label.at - 50.0
    powers = [seen(run, begun + second)[label.rank] for second in range(240)]
    integral = sum(0.5 * (a.power_watts + b.power_watts) for a, b in pairwise(powers))
    assert powers[-1].energy_joules - powers[0].energy_joules == pytest.approx(integral, rel=0.01)
