"""C++ frames and the watchdog's statements against public logs of torch's wheels.

A release is the same file for everyone, so where a call lies is a fact. The logs: verl and aslora
runs (2.6), instructlab/training #520 (2.6), a Kubernetes job (2.7), vllm #29374 (2.8),
sglang #20855 and NeMo-RL (2.9), runs of an inference benchmark (2.11 and 2.13).
"""

import re
from itertools import pairwise

import pytest

from llmsim.dialects.maxtext.recovery import LINES
from llmsim.dialects.parts import kernel, native_frames
from llmsim.dialects.parts.last_words import spoken
from llmsim.job.records import gpus_per_node
from llmsim.run import hardware_ids
from llmsim.run.events import Symptom
from llmsim.run.hangs import torch_release
from llmsim.run.incident_kinds import kind_named
from llmsim.run.incidents import possible
from tests.dialects.logs import PIPE
from tests.incidents.told import CODE, FAULT, job_on, lines, symptoms

FRAME = re.compile(r"frame #\d+: (.+) \+ (0x[0-9a-f]+) \((0x[0-9a-f]+) in \S+/(\S+)\)")

# release, path, function's last part, offset in it, the last three digits of the address
REAL = (
    ("2.6.0+cu124", "timeout", "Error", "0x96", "1b6"),
    ("2.6.0+cu124", "timeout", "checkTimeout", "0x2b4", "c74"),
    ("2.6.0+cu124", "timeout", "watchdogHandler", "0x890", "7d0"),
    ("2.6.0+cu124", "timeout", "ncclCommWatchdog", "0x14d", "6ed"),
    ("2.6.0+cu124", "cuda", "torchCheckFail", "0x64", "a76"),
    ("2.6.0+cu124", "cuda", "c10_cuda_check_implementation", "0x118", "918"),
    ("2.6.0+cu124", "cuda", "finishedGPUExecutionInternal", "0x56", "556"),
    ("2.6.0+cu124", "cuda", "isCompleted", "0xa0", "8c0"),
    ("2.6.0+cu124", "cuda", "watchdogHandler", "0x617", "557"),
    ("2.7.1+cu126", "timeout", "Error", "0x98", "5e8"),
    ("2.7.1+cu126", "timeout", "checkTimeout", "0x23d", None),
    ("2.7.1+cu126", "timeout", "watchdogHandler", "0xc80", None),
    ("2.7.1+cu126", "cuda", "torchCheckFail", "0xe0", "4a2"),
    ("2.7.1+cu126", "cuda", "finishedGPUExecutionInternal", "0x56", "5a6"),
    ("2.7.1+cu126", "cuda", "watchdogHandler", "0x782", "3d2"),
    ("2.8.0+cu128", "cuda", "Error", "0x80", "eb0"),
    ("2.8.0+cu128", "cuda", "<unknown", "0x111c7", "1c7"),
    ("2.8.0+cu128", "cuda", "finishedGPUExecutionInternal", "0x50", "640"),
    ("2.8.0+cu128", "cuda", "isCompleted", "0x68", "e28"),
    ("2.9.1+cu128", "timeout", "Error", "0x80", "b80"),
    ("2.9.1+cu128", "timeout", "checkTimeout", "0x247", "9d7"),
    ("2.9.1+cu128", "timeout", "runLoop", "0x1691", "5e1"),
    ("2.9.1+cu128", "timeout", "run", "0xdf", "82f"),
    ("2.11.0+cu130", "timeout", "checkTimeout", "0x2a7", "ba7"),
    ("2.11.0+cu130", "timeout", "runLoop", "0x17b1", "fc1"),
    ("2.11.0+cu130", "timeout", "run", "0x157", "3b7"),
    ("2.13.0+cu130", "timeout", "Error", "0x9d", "fad"),
    ("2.13.0+cu130", "timeout", "checkTimeout", "0x2b1", "611"),
    ("2.13.0+cu130", "timeout", "runLoop", "0x14f1", "3b1"),
    ("2.13.0+cu130", "timeout", "run", "0x157", "847"),
)
# release, text, the line of ProcessGroupNCCL.cpp that a public log shows for it
STATEMENTS = (
    ("2.6.0+cu124", "Watchdog caught", 629), ("2.6.0+cu124", "failure detected", 2168),
    ("2.6.0+cu124", "Stack trace of", 667), ("2.6.0+cu124", "Some NCCL operations", 681),
    ("2.6.0+cu124", "To avoid data", 695), ("2.6.0+cu124", "watchdog thread terminated", 1895),
    ("2.7.1+cu126", "Watchdog caught", 632), ("2.7.1+cu126", "failure detected", 2271),
    ("2.7.1+cu126", "First PG on", 2106), ("2.7.1+cu126", "Received a dump", 1746),
    ("2.7.1+cu126", "preparing to dump", 1536), ("2.7.1+cu126", "To avoid data", 698),
    ("2.8.0+cu128", "Watchdog caught", 685), ("2.8.0+cu128", "watchdog thread terminated", 2068),
    ("2.9.1+cu128", "Watchdog caught", 683), ("2.9.1+cu128", "failure detected", 2241),
    ("2.9.1+cu128", "Stack trace of", 730), ("2.9.1+cu128", "First PG on", 2573),
    ("2.9.1+cu128", "Received a dump", 1858), ("2.9.1+cu128", "preparing to dump", 1575),
    ("2.9.1+cu128", "Observed flight", 1794), ("2.9.1+cu128", "Some NCCL operations", 744),
    ("2.9.1+cu128", "watchdog thread terminated", 2057),
    ("2.11.0+cu130", "Stack trace of the failed collective: ", 733),
    ("2.13.0+cu130", "Stack trace of the failed collective: ", 801),
    ("2.11.0+cu130", "Watchdog caught", 689), ("2.11.0+cu130", "Received a dump", 1914),
    ("2.11.0+cu130", "To avoid data", 764), ("2.11.0+cu130", "watchdog thread terminated", 2119),
    ("2.13.0+cu130", "Watchdog caught", 757), ("2.13.0+cu130", "failure detected", 2395),
    ("2.13.0+cu130", "First PG on", 2732), ("2.13.0+cu130", "Received a dump", 1987),
    ("2.13.0+cu130", "Observed flight", 1922), ("2.13.0+cu130", "Some NCCL operations", 818),
    ("2.13.0+cu130", "watchdog thread terminated", 2197),
)  # fmt: skip
# where the exception of a timeout is raised: below the statement that logs it
RAISED = {"2.6.0+cu124": 632, "2.7.1+cu126": 635, "2.9.1+cu128": 686, "2.11.0+cu130": 692,
          "2.13.0+cu130": 760}  # fmt: skip


def hang(torch: str) -> list[str]:
    """What all ranks say of a hang with a release of torch."""
    job = job_on(3, capture="all")
    job = job._replace(software=job.software._replace(torch=torch))
    told = symptoms(job, "nccl-timeout", 13)
    return [line.text for each in told for line in spoken(CODE)(each, job, PIPE)]


@pytest.mark.parametrize(("torch", "path", "function", "offset", "last"), REAL)
def test_a_call_lies_where_a_release_has_it(
    torch: str, path: native_frames.Path, function: str, offset: str, last: str | None
) -> None:
    job = job_on(3)
    job = job._replace(software=job.software._replace(torch=torch))
    found = [FRAME.fullmatch(line) for line in native_frames.listed(job, 5, path)]
    calls = [each for each in found if each and re.search(rf"(^|::){function}\b", each[1])]
    assert calls, (torch, path, function)
    assert calls[0][2] == offset
    assert last is None or calls[0][3].endswith(last), calls[0][0]


@pytest.mark.parametrize("path", ["timeout", "network", "cuda"])
def test_the_libraries_of_a_process_lie_near_each_other(path: native_frames.Path) -> None:
    """In the logs: within some gigabytes, at the same distances in all processes of a job."""
    firsts = set()
    for seed in range(8):
        places = []
        for rank in (0, 1, 9):
            frames = native_frames.listed(job_on(seed), rank, path)
            told = [FRAME.fullmatch(line) for line in frames]
            assert all(told), (seed, told)
            calls = [(each[4], int(each[3], 16)) for each in told if each]
            assert max(at for _, at in calls) - min(at for _, at in calls) < 12 << 30, (seed, calls)
            assert all(at < 0x7FFF_FFFF_F000 for _, at in calls), (seed, calls)  # x86's user space
            torch = [at for name, at in calls if "libc10" in name]
            assert max(torch) - min(torch) < 0x200000, (seed, calls)  # libc10 is small
            places.append([at - calls[0][1] for _, at in calls])
            firsts.add(calls[0][1])
        assert places[0] == places[1] == places[2], seed
    assert len(firsts) == 24


def test_statements_stand_where_public_logs_have_them() -> None:
    told = {torch: hang(torch) for torch in RAISED}
    for torch, text, line in STATEMENTS:
        ends = [each for each in told.get(torch) or hang(torch) if "thread terminated" in each]
        rest = [each for each in told.get(torch) or hang(torch) if "thread terminated" not in each]
        said = [each for each in (ends if "terminated" in text else rest) if text in each]
        numbers = {found for each in said for found in re.findall(r"NCCL\.cpp:(\d+)\] ", each)}
        assert numbers == {str(line)}, (torch, text, numbers)
    for torch, line in RAISED.items():
        raised = re.compile(r"from checkTimeout at (\S+)")
        places = {each for text in told[torch] for each in raised.findall(text)}
        assert {place.rpartition(":")[2] for place in places} == {str(line)}, (torch, places)


def test_a_release_before_2_7_signals_no_dump() -> None:
    old, new = hang("2.6.0+cu124"), hang("2.7.1+cu126")
    for text in ("First PG on", "Received a dump", "preparing to dump", "Observed flight"):
        assert not [line for line in old if text in line], text
        assert [line for line in new if text in line], text


def test_the_stopped_rank_hears_of_it_and_has_asked_for_one_collective_less() -> None:
    """In a public log of 2.13, the seven that wait had asked for 59,998 and rank 7 for 59,957."""
    told = [line for line in hang("2.13.0+cu130") if line.startswith("[rank13]:")]
    assert len(told) == 3, told
    assert "] [PG ID 0 PG GUID 0(default_pg) Rank 13] Observed flight recorder dump" in told[0]
    assert re.search(r"collective timeout from  rank \d+ and we will", told[1])
    enqueued, completed = re.findall(r"NCCL work: (\d+)", told[1])
    assert enqueued == completed


def test_signals_have_names_in_a_failure_block_since_2_13() -> None:
    """`exitcode  : -6 (pid: 1734)` in logs of 2.11, `-6 (pid: 1137)  (SIGABRT)` in ones of 2.13."""
    for torch, end in (("2.11.0+cu130", ")"), ("2.13.0+cu130", ")  (SIGABRT)")):
        block = [line for line in hang(torch) if line.startswith("  exitcode  : -6 (pid: ")]
        assert block, torch
        assert all(re.fullmatch(r"  exitcode  : -6 \(pid: \d+\S*" + re.escape(end[1:]), line)
                   for line in block), (torch, block)  # fmt: skip


def test_a_broken_connection_is_logged_and_a_minute_later_ends_the_process() -> None:
    """checkAndSetException logs it; the loop then does with any exception what it does with
    a timeout: it says how far the group is, signals the dump, waits and throws.
    """
    for seed in range(12):
        job = job_on(seed)
        told = symptoms(job, "link-down", 13)
        found = min(each.at for each in told if each.name == "network error")
        (ended,) = [each for each in told if each.name == "network abort"]
        minute = torch_release(job) >= (2, 7)
        assert 60.0 * minute <= ended.at - found < 60.0 * minute + 0.2, seed
        text = [line.text for line in lines(seed, "link-down", 13) if line.stream == "log"]
        first = next(line for line in text if "async exception" in line)
        assert "Process group watchdog" not in first, (seed, first)
        after = text[text.index("Last error:") + 1]
        peer = r"NET/IB ?: Got completion from peer 10\.\d+\.\d+\.\d+<\d+> with status="
        assert re.match(peer, after), (seed, after)
        thrown = next(line for line in text if "watchdog thread terminated" in line)
        assert "with exception: NCCL error: remote process exited" in thrown, (seed, thrown)
        frames = [line.partition(" + ")[0] for line in text if line.startswith("frame #3")]
        assert all(frame.endswith("WorkNCCL::isCompleted()") for frame in frames), (seed, frames)


@pytest.mark.parametrize("kind", ["hbm-ecc", "gpu-lost", "nvlink", "gsp", "link-flap", "link-down",
                                  "data-killed", "illegal-memory", "slow-fs"])  # fmt: skip
def test_no_delay_between_two_lines_of_the_kernel_is_always_the_same(kind: str) -> None:
    """A constant gap in every incident of a kind would tell a made log from a real one."""
    gaps: dict[tuple[str, str], list[float]] = {}
    for seed in range(12):
        told = [each for each in symptoms(job_on(seed), kind, 13) if each.stream == "kernel"]
        for one, two in pairwise(told):
            if one.name == "aer" or two.name in ("aer", "xid 45") or "gpu seen" in one.name:
                continue
            gaps.setdefault((one.name, two.name), []).append(round(two.at - one.at, 6))
    assert gaps, kind
    for pair, seen in gaps.items():
        assert len(set(seen)) > 0.8 * len(seen), (kind, pair, seen)


def test_bad_rows_lie_anywhere_in_the_memory_and_are_not_the_same_twice() -> None:
    """A row that was remapped is not used any more; 80 GB need more than 32 bits."""
    rows = []
    for seed in range(12):
        for executed in (300, 7000):
            job = job_on(seed)
            told = [each._replace(executed=executed) for each in symptoms(job, "hbm-ecc", 13)]
            said = "".join(text for each in told if each.stream == "kernel"
                           for text in kernel.lines(each, job))  # fmt: skip
            (bad,) = re.findall(r"physAddr (0x[0-9a-f]+) ", said)
            (remapped,) = re.findall(r"New row \((0x[0-9a-f]{16})\)", said)
            assert int(bad, 16) == int(remapped, 16), (seed, said)
            rows.append(int(bad, 16))
    assert len(set(rows)) == len(rows)
    assert all(row % 32 == 0 and row < 80 << 30 for row in rows)
    assert sum(row >= 1 << 32 for row in rows) > len(rows) // 2


def test_a_program_without_torch_ends_at_once_when_its_network_is_gone() -> None:
    """llm.c's ncclCheck exits at NCCL's error: no watchdog waits a minute."""
    for seed in range(6):
        job = job_on(seed, dialect="llmc", model="GPT-2-124M", gpu="A100-SXM4-80GB")
        told = symptoms(job, "link-down", 13)
        found = min(each.at for each in told if each.name == "network error")
        (block,) = [each.at for each in told if each.name == "failure"]
        assert block - found < 3.0, seed


def test_nothing_of_torch_speaks_on_a_tpu() -> None:
    """JAX's page on fault tolerance: the processes share the fate of one without heartbeats."""
    for seed in range(4):
        job = job_on(seed, dialect="maxtext", gpu="TPU v5p")
        assert not possible(kind_named("nccl-timeout"), job)
        size = gpus_per_node(job)
        for kind in ("node-fail", "link-down"):
            told = symptoms(job, kind, 2 * size + 1)
            text = [line.text for each in told if each.stream == "log"
                    for line in LINES[Symptom](each, job, PIPE)]  # fmt: skip
            assert any("Terminating process because the JAX distributed" in each for each in text)
            assert "/job:jax_worker/replica:0/task:2" in text, (seed, kind)
            assert not any("c10d" in each or "NCCL" in each for each in text), (seed, kind)
            assert min(each.at for each in told if each.name == "network abort") > FAULT + 100.0


def test_maxtext_speaks_of_a_full_disk_and_a_failed_launch_as_jax_does() -> None:
    """MaxText v0.1.0: checkpointing.py:500 and train.py:453, data in threads (tfds). Jaxlib 0.7's
    coordination service counts the tasks at its barrier of the launch, and names the late ones.
    """
    for seed in range(6):
        job = job_on(seed, dialect="maxtext", gpu="TPU v5p", gpus=16)
        told = {kind: [line.text for each in symptoms(job, kind, 2) if each.stream == "log"
                       for line in LINES[Symptom](each, job, PIPE)]
                for kind in ("disk-full", "data-killed", "init-fail")}  # fmt: skip
        assert told["disk-full"] == [
            "Training stopped: Checkpointing failed. [Errno 28] No space left on device"
        ]
        assert told["data-killed"] == []
        text = "\n".join(told["init-fail"])
        assert "torch" not in text, seed
        assert "[rank" not in text, seed
        found = re.search(
            r"DEADLINE_EXCEEDED: Barrier timed out\. Id: \[Init\]\S+::0\. .*\n# of tasks that "
            r"reached the barrier: (\d+)/(\d+)\.\nThe first task at the barrier: (\S+)\. Some "
            r"timed out task names:\n(\S+)\n\n\nRPC: /tensorflow\.CoordinationService/Register",
            text,
        )  # fmt: skip
        assert found, text
        assert int(found[1]) == int(found[2]) - 1 == job.layout.nodes - 1
        assert found[3] != found[4]
        killed = [text for each in symptoms(job, "data-killed", 2) if each.stream == "kernel"
                  for text in kernel.lines(each, job)]  # fmt: skip
        assert any("(python3) total-vm" in each for each in killed), killed
        assert not any("pt_" in each for each in killed)


def test_no_two_devices_of_a_node_have_one_address() -> None:
    for seed in range(30):
        gpus = {hardware_ids.pci(job_on(seed), rank) for rank in range(8)}
        told = {line.text for line in lines(seed, "nvlink", 3) if "SXid" in line.text}
        cards = {line.text for line in lines(seed, "link-down", 3) if "mlx5_core" in line.text}
        others = {each for text in (*told, *cards)
                  for each in re.findall(r"0000:[0-9a-f]{2}:00", text)}  # fmt: skip
        assert told, seed
        assert cards, seed
        assert len(others) == 2, (seed, others)
        assert not gpus & others, (seed, gpus, others)
