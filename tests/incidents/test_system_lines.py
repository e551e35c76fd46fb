"""What kernel and C++ lines must agree with: the size of a page, control groups, libraries, paths.

Sources: the kernel's oom_kill.c, segfault line (arch/x86/mm/fault.c) and NFS client (clnt.c),
Slurm's cgroup documentation, torch's ProcessGroupNCCL.cpp and frames in its issue 126544.
"""

import re

import pytest

from llmsim.dialects.lightning.recovery import CODE as LIGHTNING
from llmsim.dialects.parts import packages, torchrun
from llmsim.dialects.parts.last_words import spoken
from llmsim.run.hangs import torch_release
from tests.dialects.logs import PIPE
from tests.incidents.told import job_on, lines, symptoms

SEEDS = range(8)
FRAME = re.compile(
    r"^frame #(\d+): (.+) \+ 0x([0-9a-f]+) \(0x([0-9a-f]+) in (\S+)\)$", re.MULTILINE
)


def told(seed: int, kind: str, stream: str, rank: int | None = None) -> str:
    """What a stream says of an incident."""
    return "".join(f"{line.text}\n" for line in lines(seed, kind, rank) if line.stream == stream)


def test_the_registers_of_a_segfault_have_sixteen_digits_and_its_stack_is_a_stack() -> None:
    for seed in SEEDS:
        text = told(seed, "segfault", "kernel")
        assert re.search(r" ip 00007f[0-9a-f]{10} sp 00007ff[0-9a-f]{9} error ", text), (seed, text)


def test_a_killed_process_has_whole_pages_and_a_page_table_of_its_size() -> None:
    tables, files = set(), set()
    for seed in SEEDS:
        text = told(seed, "data-killed", "kernel")
        kill = re.search(r"Killed process .*", text)
        assert kill, seed
        sizes = {name: int(size) for name, size in re.findall(r"([a-z-]+):(\d+)kB", kill[0])}
        assert all(size % 4 == 0 for size in sizes.values()), (seed, kill[0])
        assert 1 <= 512 * sizes["pgtables"] / sizes["anon-rss"] < 1.05, (seed, kill[0])
        tables.add(sizes["pgtables"])
        files.add(sizes["file-rss"])
        group = r"task_memcg=/system\.slice/slurmstepd\.scope/job_\d+/step_0/user/task_0,task="
        assert re.search(group, text), (seed, text)
    assert len(tables) > 1
    assert len(files) > 1


def test_a_server_that_comes_back_was_waited_for_by_the_process_that_saves() -> None:
    for seed in SEEDS:
        text = told(seed, "slow-fs", "kernel")
        assert "not responding, still trying\n" in text, seed
        assert "timed out" not in text, seed
        assert re.search(r"INFO: task pt_main_thread:\d+ blocked for more than", text), (seed, text)


def test_a_port_of_infiniband_has_a_name_of_infiniband() -> None:
    for seed in SEEDS:
        found = re.findall(
            r"mlx5_core 0000:(\w\w):00\.0 (\w+): Link", told(seed, "link-flap", "kernel")
        )
        assert found, seed
        assert all(name == f"ibp{int(bus, 16)}s0" for bus, name in found), (seed, found)


@pytest.mark.parametrize("kind", ["nccl-timeout", "hbm-ecc", "link-down"])
def test_a_library_begins_at_a_page_and_a_function_at_sixteen_bytes(kind: str) -> None:
    for seed in SEEDS:
        functions: dict[tuple[str, str], set[int]] = {}
        bases: dict[tuple[int, str], int] = {}
        for line in lines(seed, kind, 13):
            if line.symptom.mixed:  # several ranks' frames stand in one another
                continue
            for _, name, offset, address, library in FRAME.findall(line.text):
                start = int(address, 16) - int(offset, 16)
                # Compilers lay the parts of functions that rarely run at every second byte.
                step = 4096 if "unknown" in name else 2 if "CheckFail" in name else 16
                assert start % step == 0, (seed, line.text)
                if "unknown" in name:
                    process = line.symptom.rank, library
                    assert bases.setdefault(process, start) == start, (seed, line.text)
                functions.setdefault((name, library), set()).add(start % 4096)
        assert len(set(bases.values())) == len(bases) > 1, (seed, bases)
        assert all(len(places) == 1 for places in functions.values()), (seed, functions)


def test_a_broken_connection_is_found_where_torch_looks_for_it() -> None:
    for seed in SEEDS:
        text = told(seed, "link-down", "log")
        names = [name for number, name, *_ in FRAME.findall(text) if number in ("1", "2")]
        assert names[0].startswith("c10d::ProcessGroupNCCL::checkForNCCLErrorsInternal("), seed
        assert names[1] == "c10d::ProcessGroupNCCL::WorkNCCL::checkAndSetException()", seed
        assert "checkTimeout" not in text, seed


def test_the_watchdogs_of_two_ranks_do_not_keep_the_same_time() -> None:
    for seed in SEEDS:
        if torch_release(job_on(seed)) < (2, 7):  # there is no first signal of a dump
            continue
        gaps = set()
        for rank in (1, 2, 3):
            said = re.findall(
                rf"\[rank{rank}\]:\[E\d+ \d+:\d+:(\d+\.\d+) \S+\] (?:Stack trace|.*First PG on)",
                told(seed, "nccl-timeout", "log", 13),
            )
            gaps.add(round((float(said[1]) - float(said[0])) % 60, 6))
        assert len(gaps) == 3, (seed, gaps)
        assert all(0 < gap < 0.001 for gap in gaps), (seed, gaps)


def test_a_run_has_one_folder_of_packages_with_its_pythons_version() -> None:
    for seed in SEEDS:
        job = job_on(seed)
        folder = packages.folder(job.software)
        assert re.fullmatch(r"/usr/local/lib/python3\.\d+/dist-packages", folder), seed
        texts = [line.text for each in ("link-down", "data-killed", "disk-full", "nccl-timeout")
                 for line in lines(seed, each)]  # fmt: skip
        texts += torchrun.signalled(1805, job.software)
        texts += [
            line.text
            for each in symptoms(job, "cuda-oom") for line in spoken(LIGHTNING)(each, job, PIPE)
        ]  # fmt: skip
        found = {path for text in texts for path in re.findall(r"\S*(?:dist|site)-packages", text)}
        assert {path.lstrip('("') for path in found} == {folder}, (seed, found)
        assert not any(packages.PACKAGES in text for text in texts), seed
