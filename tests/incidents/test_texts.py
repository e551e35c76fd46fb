"""What is said of an incident: by the detectors of public tools, and by the laws of a death."""

import re
from datetime import datetime

import pytest

from llmsim.dialects.parts.last_words import spoken
from llmsim.run.cluster import hostname
from llmsim.run.hangs import torch_release
from llmsim.run.incident_kinds import NAMES
from tests.dialects.logs import PIPE
from tests.incidents.detectors import DETECTORS, NVRX_HARDWARE_IN_LOG, Detector
from tests.incidents.told import CODE, EXECUTED, FAULT, heard, job_on, lines, symptoms
from tests.runs import START

SEEDS = range(5)
# Ten seeds with the quick tests, and the others with all.
FIFTY = pytest.mark.parametrize(
    "seeds", [range(10), pytest.param(range(10, 50), marks=pytest.mark.long)], ids=["few", "others"]
)
ORDERLY = [kind for kind in NAMES if kind not in (
    "thermal", "straggler", "sdc", "loss-spike", "nan", "scale-collapse",
)]  # fmt: skip  # the others show in numbers alone


@pytest.mark.parametrize("detector", DETECTORS, ids=[each.tool for each in DETECTORS])
def test_a_detector_fires_on_what_it_is_for_and_on_nothing_else(detector: Detector) -> None:
    for seed in SEEDS:
        for kind in NAMES:
            told = [
                line.text
                for line in lines(seed, kind, heard(kind))
                if line.stream == detector.stream
            ]
            fired = any(map(detector.finds, told))
            assert fired or kind not in detector.catches, (seed, kind, told)
            if detector.stream == "kernel":  # in the log, many kinds end in the same words
                assert not fired or kind in detector.catches, (seed, kind)


def test_the_blind_spot_of_a_real_tool_stays_one() -> None:
    for seed in SEEDS:
        told = [each.text for each in lines(seed, "hbm-ecc") if each.stream == "log"]
        # torch 2.9 and later add a line that names the error's constant, which the tool does see.
        error = [text for text in told if "uncorrectable ECC error encountered" in text]
        assert error, seed
        assert not any(map(NVRX_HARDWARE_IN_LOG.finds, error)), seed


@pytest.mark.parametrize("kind", ORDERLY)
def test_no_line_of_the_driver_stands_in_the_training_log(kind: str) -> None:
    for seed in SEEDS:
        for told in lines(seed, kind):
            assert told.stream == "kernel" or "Xid" not in told.text, (seed, told)
            assert told.stream == "log" or "Watchdog" not in told.text, (seed, told)


# --- the order of Xids -----------------------------------------------------------------------


def xids(seed: int, kind: str) -> list[tuple[float, int]]:
    """When each Xid comes, in seconds after the fault, and its number."""
    found = []
    for told in lines(seed, kind):
        match = re.search(r"Xid \(PCI:[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\): (\d+),", told.text)
        if match:
            found.append((told.at - FAULT, int(match[1])))
    return found


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("hbm-ecc", [48, 63, 94, 45]),
        ("gpu-lost", [79, 119]),
        ("nvlink", [74, 45]),
        ("gsp", [119]),
        ("illegal-memory", [31, 43, 45]),
    ],
)
@pytest.mark.long
def test_xids_follow_each_other_as_the_driver_has_them(kind: str, order: list[int]) -> None:
    for seed in range(50):
        numbers = [number for _, number in xids(seed, kind) if number != 154]
        first_of_each = list(dict.fromkeys(numbers))
        assert first_of_each == order, seed


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("gpu-lost", ["Xid (", "GPU has fallen off the bus.\n", ": 119, ", ": 154, "]),
        ("nvlink", [": 74, ", "SXid (", ": 154, ", ": 45, "]),
        ("gsp", [": 119, ", "Rate limiting GSP RPC error prints", ": 154, "]),
    ],
)
@FIFTY
def test_what_the_driver_recommends_comes_after_its_error(
    kind: str, texts: list[str], seeds: range
) -> None:
    """79, then 119 of who asks, then 154; 74, the switch's SXid, and last the channels."""
    for seed in seeds:
        told = "".join(f"{each.text}\n" for each in lines(seed, kind) if each.stream == "kernel")
        # Drivers before 570 know no 154, "GPU recovery action changed".
        shown = [text for text in texts if ": 154, " in told or text != ": 154, "]
        places = [told.find(text) for text in shown]
        assert -1 not in places, (seed, places)
        assert places == sorted(places), (seed, places)


@FIFTY
def test_a_double_bit_error_takes_as_long_as_was_measured(seeds: range) -> None:
    """63 came 23.3 ms after 48 on an H100 and 94 1.6 ms later, and on an A100 4 ms."""
    remapped, contained = [], []
    for seed in seeds:
        times = {number: at for at, number in reversed(xids(seed, "hbm-ecc"))}
        remapped.append(times[63] - times[48])
        contained.append(times[94] - times[63])
    assert all(0.002 < each < 0.05 for each in remapped)
    assert all(0.0002 < each < 0.005 for each in contained)
    assert len({round(each, 6) for each in remapped}) > 0.8 * len(seeds)


@FIFTY
def test_a_cuda_error_comes_after_its_xid(seeds: range) -> None:
    for seed in seeds:
        for kind in ("hbm-ecc", "gpu-lost", "nvlink", "illegal-memory", "device-assert"):
            told = lines(seed, kind)
            fault = next(each.at for each in told if "Xid" in each.text)
            error = next(each.at for each in told if "CUDA error" in each.text)
            assert error > fault, (seed, kind)


# --- hangs -----------------------------------------------------------------------------------


@FIFTY
def test_all_that_wait_report_a_hang_and_the_culprit_does_not(seeds: range) -> None:
    for seed in seeds:
        job = job_on(seed)
        told = [each for each in symptoms(job, "nccl-timeout", rank=13) if each.stream == "log"]
        speakers = sorted(each.rank for each in told if each.name == "watchdog timeout")
        assert speakers == [rank for rank in range(32) if rank != 13], seed
        silence = min(each.at for each in told) - FAULT
        assert silence == pytest.approx(600.0, abs=1.0), seed


@FIFTY
def test_a_hang_is_found_after_the_timeout_and_ended_a_minute_later(seeds: range) -> None:
    for seed in seeds:
        job = job_on(seed)
        told = symptoms(job, "nccl-timeout", rank=13)
        found = min(each.at for each in told if each.name == "watchdog timeout")
        ended = min(each.at for each in told if each.name == "watchdog abort")
        # Public logs: 2.7 and 2.8 wait 4 x 15 s for dumps, and 2.6 some milliseconds.
        least, most = (60.0, 62.0) if torch_release(job) >= (2, 7) else (0.0, 0.2)
        assert least <= ended - found <= most, seed


def group_of(line: str) -> str:
    """The group that a watchdog's summary names, without the rank inside it."""
    found = re.search(r"\[PG ID \d+ PG GUID (\d+(?:\(\w+\))?) Rank \d+\]  failure detected", line)
    assert found, line
    return found[1]


def waits_of(seed: int, rank: int, **layout: object) -> dict[str, list[tuple[int, ...]]]:
    """What watchdogs say, by group: work that failed, last enqueued, last completed."""
    found: dict[str, list[tuple[int, ...]]] = {}
    for line in lines(seed, "nccl-timeout", rank, **layout):
        if "failure detected by" in line.text:
            told = re.search(r"id: (\d+) PG .* enqueued work: (\d+), .* work: (\d+)$", line.text)
            assert told, line.text
            found.setdefault(group_of(line.text), []).append(tuple(map(int, told.groups())))
    return found


@pytest.mark.long
def test_sequence_numbers_are_equal_in_a_group_and_grow_with_the_steps() -> None:
    """Public logs: work 7753, last enqueued 7755, last completed 7752 (LlamaFactory #6269)."""
    for seed in range(50):
        groups = waits_of(seed, 13)
        assert groups, seed
        for group, told in groups.items():
            assert len(set(told)) == 1, (seed, group)
            work, enqueued, completed = told[0]
            assert work > EXECUTED, (seed, group)
            assert completed == work - 1, (seed, group)
            assert enqueued > work, (seed, group)


def test_sequence_numbers_count_each_micro_batch_where_shards_are_gathered_for_it() -> None:
    """FSDP gathers its weights in each micro-batch, and ZeRO-1 reduces its gradients in one."""
    for sharding, grows in (("fsdp2", True), ("zero1", False)):
        numbers = []
        for batch in (16, 32, 64):
            layout = {"gpus": 16, "sharding": sharding, "batch": batch, "micro_batch": 1}
            ((told, *_),) = waits_of(3, 5, model="Pebble-410M", tp=1, pp=1, cp=1, **layout).values()
            numbers.append(told[0])
        ratios = [number / numbers[0] for number in numbers]
        assert ratios == pytest.approx([1.0, 2.0, 4.0] if grows else [1.0] * 3, rel=0.1), sharding


def test_whoever_waits_for_a_rank_waits_in_a_group_that_knows_it() -> None:
    """8 x 2 x 2: the culprit's tensor rank, its other stage, and all data ranks wait apart."""
    groups = waits_of(3, 5, gpus=32, tp=2, pp=2, dialect="megatron", model="Basalt-7B")
    names = {name.partition("(")[2].rstrip(")") for name in groups}
    # megatron/core/parallel_state.py
    assert names == {
        "TENSOR_MODEL_PARALLEL_GROUP", "PIPELINE_MODEL_PARALLEL_GROUP",
        "DATA_PARALLEL_GROUP_WITH_CP",
    }  # fmt: skip
    assert sum(map(len, groups.values())) == 31  # of all nodes
    (alone,) = [told for name, told in groups.items() if "TENSOR" in name]
    assert len(alone) == 1


def test_what_repeats_the_exception_whole() -> None:
    """The text of a timeout stands in the log, in the exception and in what()."""
    for seed in SEEDS:
        text = [each.text for each in lines(seed, "nccl-timeout", rank=3)]
        caught = [line for line in text if "Watchdog caught" in line and "[rank0]:" in line]
        ran_for = re.findall(r"ran for (\d+) milliseconds", " ".join(caught))
        assert len(caught) == 2, seed
        assert len(set(ran_for)) == 1, seed
        assert 600_000 < int(ran_for[0]) <= 600_100, seed
        what = [line for line in text if line.startswith("  what():") and "Rank 0]" in line]
        assert len(what) == 1, seed
        assert what[0].endswith(f"ran for {ran_for[0]} milliseconds before timing out."), seed


def last_words(seed: int, **options: object) -> list[str]:
    """What C++ says of exceptions that nobody catches, rank after rank."""
    told = lines(seed, "nccl-timeout", 13, **options)
    return [each.text for each in told if each.symptom.name == "watchdog throw"]


@FIFTY
def test_last_words_of_ranks_that_end_at_once_stand_in_one_another(seeds: range) -> None:
    """libstdc++'s vterminate.cc writes five pieces; a public log of several ranks is torn so
    (open-r1 #620). Nothing is lost, and nothing else is torn.
    """
    torn = 0
    for seed in seeds:
        found, whole = last_words(seed), last_words(seed, tidy=True)
        assert sorted("".join(found)) == sorted("".join(whole)), seed
        torn += found != whole
        begins = [line for line in whole if line.startswith("terminate called")]
        thrown = "terminate called after throwing an instance of 'c10::DistBackendError'"
        assert begins == [thrown] * 31, seed
        for line in lines(seed, "nccl-timeout", 13):
            if "Watchdog caught" in line.text and line.symptom.name != "watchdog throw":
                rank = line.symptom.rank
                assert line.text.startswith(f"[rank{rank}]:[E"), (seed, line.text)
                assert line.text.endswith(" milliseconds before timing out."), (seed, line.text)
    assert torn > len(seeds) / 2


def test_ranks_whose_launcher_keeps_their_lines_apart_are_not_torn() -> None:
    """torchrun --tee copies line by line."""
    for seed in range(10):
        job = job_on(seed)
        told = [
            line.text
            for each in symptoms(job, "nccl-timeout", 13) if each.stream == "log"
            for line in spoken(CODE._replace(tee=True))(each, job, PIPE)
        ]  # fmt: skip
        begins = [line for line in told if "terminate called" in line]
        assert len(begins) == 31, seed
        assert all(re.fullmatch(r"\[rank\d\]:term.* of 'c10::DistB\w+'", each) for each in begins)


# --- launchers -------------------------------------------------------------------------------


@FIFTY
def test_the_first_failure_of_a_block_is_the_earliest_one(seeds: range) -> None:
    for seed in seeds:
        for kind in ("hbm-ecc", "nccl-timeout", "cuda-oom", "data-killed"):
            told = [each.text for each in lines(seed, kind) if each.stream == "log"]
            times = [line.split(" : ")[1] for line in told if line.startswith("  time  ")]
            blocks = sum(line.startswith("Root Cause") for line in told)
            # A launcher that waits for a stuck worker is interrupted by Slurm's SIGTERM.
            assert blocks == (3 if kind == "nccl-timeout" else 1), (seed, kind)
            size = len(times) // max(1, blocks)
            for block in range(blocks):
                own = times[block * size : (block + 1) * size]
                assert own[-1] == min(own), (seed, kind)  # the root cause stands at the end


def stamped(line: str) -> float | None:
    """The second of a launcher's line, counted from the job's start."""
    found = re.match(r"[WE](\d\d)(\d\d) (\d\d):(\d\d):(\d\d\.\d{6}) \d+ torch/", line)
    if not found:
        return None
    month, day, hours, minutes = map(int, found.groups()[:4])
    at = datetime(START.year, month, day, hours, minutes) - START
    return at.total_seconds() + float(found[5])


@FIFTY
def test_a_launchers_lines_stand_at_their_own_time(seeds: range) -> None:
    """No line of the log comes half a minute after its stamp: SIGTERM's lines did."""
    for seed in seeds:
        for rank in (3, 13):
            told = lines(seed, "nccl-timeout", rank)
            stamps = [(each.at, at) for each in told if (at := stamped(each.text)) is not None]
            assert stamps, seed
            for at, stamp in stamps:
                assert at - 0.3 < stamp < at + 0.05, (seed, rank, at, stamp)


@FIFTY
def test_a_launcher_that_waits_for_a_stuck_worker_is_interrupted_and_waits_again(
    seeds: range,
) -> None:
    """torchrun waits 30 s for its workers; srun --kill-on-bad-exit does not wait for torchrun."""
    for seed in seeds:
        told = lines(seed, "nccl-timeout", 13)
        at = {each.symptom.name: each.at for each in told}
        text = [each.text for each in told]
        assert at["all failed"] < at["step cancelled"] < at["terminated"], seed
        assert at["killing"] - at["terminated"] == pytest.approx(30.0, abs=0.1), seed
        assert at["signal exception"] > at["killing"], seed
        assert sum("] Received " in line and " death signal" in line for line in text) == 1, seed
        assert sum("Unable to shutdown process" in line for line in text) == 1, seed
        assert at["requeued"] == max(at.values()), seed


def test_signals_are_written_as_the_python_of_the_job_writes_them() -> None:
    """From 3.11 on str(signal.SIGTERM) is its number (docs.python.org, enum.IntEnum)."""
    seen = set()
    for seed in range(12):
        new = int(job_on(seed).software.python.split(".")[1]) >= 11
        seen.add(new)
        text = "\n".join(each.text for each in lines(seed, "nccl-timeout", 13))
        assert ("via 15, forcefully exiting via 9" in text) == new, seed
        assert ("via Signals.SIGTERM, forcefully exiting via Signals.SIGKILL" in text) != new, seed
    assert seen == {False, True}


def test_launchers_without_a_store_end_before_slurm_has_come_to_them() -> None:
    """elastic/rendezvous/c10d_rendezvous_backend.py: the store is in the first node's launcher."""
    told = lines(3, "cuda-oom", 3, gpus=32, tp=2, pp=4, dialect="megatron", model="Basalt-7B")
    at = {each.symptom.name: each.at for each in told}
    text = "\n".join(each.text for each in told)
    assert at["failure"] < at["store gone"]
    assert "due to an error of type RendezvousConnectionError." in text
    assert "RendezvousConnectionError: The connection to the C10d store has failed." in text
    assert "Received" not in text


@FIFTY
def test_sigterm_is_sent_before_the_launcher_reports_the_failure(seeds: range) -> None:
    for seed in seeds:
        told = [each.text for each in lines(seed, "cuda-oom") if each.stream == "log"]
        sent = [at for at, line in enumerate(told) if "closing signal SIGTERM" in line]
        (failed,) = [at for at, line in enumerate(told) if "failed (exitcode: 1)" in line]
        # Seven of its own, and as many as the other nodes have, whose launchers Slurm ends.
        assert sum(at < failed for at in sent) == 7, seed
        assert len(sent) == 31, seed


@FIFTY
def test_numbers_of_a_full_memory_add_up(seeds: range) -> None:
    """total - free = in use >= allocated + unallocated, with a context of 0.2 to 3 GiB between."""
    for seed in seeds:
        told = [each.text for each in lines(seed, "cuda-oom")]
        text = next(line for line in told if "CUDA out of memory" in line)
        found = [
            float(number) * (1.0 if unit == "GiB" else 1 / 1024)
            for number, unit in re.findall(r"(\d+\.\d\d) ([GM]iB)", text)
        ]
        asked, total, free, used, allocated, spare = found
        assert total - free == pytest.approx(used, abs=0.02), seed
        assert 0.2 < used - allocated - spare < 3.0, seed
        assert asked > free, seed
        assert asked > spare, seed


@pytest.mark.parametrize("kind", ORDERLY)
@pytest.mark.parametrize("rank", [3, 27])
def test_slurmstepd_names_the_node_that_speaks(kind: str, rank: int) -> None:
    """slurmstepd of the first node speaks for all (slurmd/slurmstepd/req.c: nodeid ==
    msg_target_node_id), whichever node is at fault: that of the batch script.
    """
    for seed in SEEDS:
        job = job_on(seed)
        speaks = hostname(job, 0)
        for told in lines(seed, kind, rank):
            match = re.search(r"\*\*\* (?:JOB|STEP) [\d.]+ ON (\S+) CANCELLED", told.text)
            assert not match or match[1] == speaks, (seed, told)


def test_a_dead_node_is_found_then_cancels_the_job_then_it_is_requeued() -> None:
    """slurmctld calls a node down after SlurmdTimeout, 300 s; a step ends once."""
    for seed in SEEDS:
        told = [each for each in lines(seed, "node-fail", 27) if each.stream == "slurm"]
        text = [each.text for each in told]
        found, ended, requeued = told[-3:]
        assert "Node failure on" in found.text, seed
        assert found.at - FAULT == pytest.approx(300.0), seed
        assert "*** JOB" in ended.text, seed
        assert "DUE TO NODE FAILURE" in ended.text, seed
        assert "DUE TO JOB REQUEUE" in requeued.text, seed
        assert sum("*** STEP" in line for line in text) == 1, seed
        assert sum("JOB REQUEUE" in line for line in text) == 1, seed
        # srun and the batch script's output are on the first node, and are gone with it.
        assert not [each for each in lines(seed, "node-fail", 3) if each.stream == "slurm"], seed


def test_every_captured_node_speaks_of_a_failure() -> None:
    """torchrun reports on each node; srun folds the tasks that end together (hostlist, bit_fmt)."""
    for seed in SEEDS:
        job = job_on(seed, capture="all")
        hang = symptoms(job, "nccl-timeout", 13)
        speakers = sorted(each.rank for each in hang if each.name == "watchdog timeout")
        assert speakers == [rank for rank in range(32) if rank != 13], seed
        launchers = sorted(each.rank // 8 for each in hang if each.name == "all failed")
        assert launchers == [0, 2, 3], seed
        blocks = [each.at for each in hang if each.name == "all failed"]
        assert max(blocks) < next(each.at for each in hang if each.name == "step cancelled"), seed
        told = [each.text for each in lines(seed, "hbm-ecc", 13, capture="all")]
        assert sum("] Received " in line and " death signal" in line for line in told) == 3, seed
        host = job.cluster
        folded = f"srun: error: {host}-[01,03-04]: tasks 0,2-3: Exited with exit code 1"
        assert folded in told, seed
        large = job_on(seed, gpus=128, capture="all")
        nodes = {each.rank // 8 for each in symptoms(large, "nccl-timeout", 13)}
        assert nodes <= {0, 1}, seed


# gpud, components/accelerator/nvidia/xid/kmsg.go: RegexNVRMXidExtended, for NVLink 5.
UNIT = re.compile(
    r"NVRM: Xid \(PCI:([0-9a-fA-F:]+)\): (\d+)(?:, pid=(\d+), name=([^,]+))?, "
    r"([A-Z_]+(?:/[A-Z_]+)?)\s+(Nonfatal|Fatal)\s+(XC[01])\s+(i\d+)\s+Link\s+(-?\d+)\s+"
    r"\((0x[0-9a-fA-F]+)\s+(0x[0-9a-fA-F]+)(?:\s+(0x[0-9a-fA-F]+))?"
)


@pytest.mark.parametrize("gpu", ["NVIDIA B200", "NVIDIA GB200"])
def test_blackwells_links_have_errors_of_their_units(gpu: str) -> None:
    """NVIDIA's catalogue: 144 to 150 are NVLink 5's, 74 is of NVLinks before; bits 20 to 25 of the
    first word are a fatal NETIR_LINK_EVT's cause, 33 and 37 in gpud's and NVSentinel's tests.
    """
    for seed in range(10):
        told = [each.text for each in lines(seed, "nvlink", gpu=gpu, gpus=16)
                if each.stream == "kernel"]  # fmt: skip
        found = [match for text in told if (match := UNIT.search(text))]
        assert [(each[2], each[5], each[6]) for each in found] == [
            ("149", "NETIR_LINK_EVT", "Fatal"), ("145", "RLW_SRC_TRACK", "Nonfatal"),
        ]  # fmt: skip
        assert found[0][1] != found[1][1], "a peer of the GPU misses it"
        assert int(found[0][10], 16) >> 20 & 0x3F in (33, 37)
        assert not any("SXid" in text or ": 74, " in text for text in told), seed
        (action,) = [text for text in told if ": 154, " in text]
        assert action.endswith("from 0x0 (None) to 0x4 (Drain and Reset)")
        torn = [text for text in told if ": 45, " in text]
        assert torn
        assert all(text.endswith("caused by previous Xid 149") for text in torn), seed
