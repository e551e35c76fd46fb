"""The stack of a failed collective, as public logs of torch 2.11 and FlightRecorder.hpp have it.

FlightRecorder.hpp: getCvarInt({"TORCH_FR_BUFFER_SIZE", "TORCH_NCCL_TRACE_BUFFER_SIZE"}, 0) up to
2.10.0, and 2000 from 2.11.0 on (pytorch #172843); torchtitan asks for 20,000 (trace_buf_size).
"""

import re

import pytest

from llmsim.dialects.parts.flight_recorder import Callers, stack
from llmsim.dialects.parts.groups import Wait
from llmsim.dialects.parts.last_words import Code, spoken
from llmsim.dialects.torchtitan.recovery import CODE as TITAN
from llmsim.job.records import Job
from tests.dialects.logs import PIPE
from tests.incidents.told import CODE, job_on, symptoms

FRAME = re.compile(r"#(\d+) (\S+) from (\S+):(\d+)")  # oss << "#" << idx << " " << funcname ...
TORCH = ("2.6.0+cu124", "2.7.1+cu126", "2.8.0+cu128", "2.9.1+cu128", "2.10.0+cu128",
         "2.11.0+cu130", "2.13.0+cu130")  # fmt: skip


def job_with(torch: str, seed: int = 3) -> Job:
    job = job_on(seed, capture="all")
    return job._replace(software=job.software._replace(torch=torch))


def hang(code: Code, torch: str, seed: int = 3) -> list[str]:
    job = job_with(torch, seed)
    told = symptoms(job, "nccl-timeout", 13)
    return [line.text for each in told for line in spoken(code)(each, job, PIPE)]


@pytest.mark.parametrize("torch", TORCH)
def test_a_stack_stands_where_the_recorder_is_on(torch: str) -> None:
    newer = TORCH.index(torch) >= TORCH.index("2.11.0+cu130")
    for code, on in ((CODE, newer), (TITAN, True)):
        said = "\n".join(hang(code, torch))
        assert ("Stack trace of the failed collective: \n" in said) == on, (torch, code.script)
        assert ("FlightRecorder is disabled" in said) != on, (torch, code.script)


@pytest.mark.parametrize("torch", TORCH)
def test_a_stack_goes_from_the_collective_outwards(torch: str) -> None:
    """The watchdog ends it with an empty line, since each frame ends its own."""
    for seed in (0, 2, 3, 4, 5):
        if job_with(torch, seed).layout.sharding == "ddp":
            continue
        told = [line.removeprefix("[rank0]:") for line in hang(TITAN, torch, seed)]
        starts = [at for at, line in enumerate(told) if line.endswith("failed collective: ")]
        assert starts, (torch, seed)
        for start in starts:
            end = told.index("", start)
            frames = [FRAME.fullmatch(line) for line in told[start + 1 : end]]
            assert all(frames), told[start:end]
            found = [each.groups() for each in frames if each]
            assert [int(each[0]) for each in found] == [*range(len(found))]
            assert found[-1][1] in ("<module>", "apply"), (torch, seed, found[-1])


def test_an_all_reduce_lies_where_a_public_log_of_2_11_has_it() -> None:
    """#0 all_reduce from ...distributed_c10d.py:3068, #1 wrapper from ...c10d_logger.py:83."""
    wait = Wait("[PG ID 4 PG GUID 17 Rank 3]", 3, "ALLREDUCE", 4096, 4096, 39_892, 39_893)
    job = job_with("2.11.0+cu130")
    first, second, *own, last = stack(job, "2.11", wait, Callers(CODE.step, CODE.forward))
    assert re.fullmatch(r"#0 all_reduce from \S+/torch/distributed/distributed_c10d.py:3068", first)
    assert re.fullmatch(r"#1 wrapper from \S+/torch/distributed/c10d_logger.py:83", second)
    assert [line.split()[0] for line in own] == [f"#{2 + at}" for at in range(len(CODE.forward))]
    assert last == ""


def test_gradients_of_ddp_have_no_stack() -> None:
    """DDP's reducer is C++, in autograd's thread: an empty stack reads as none (2.11)."""
    wait = Wait("[PG ID 0 PG GUID 0(default_pg) Rank 3]", 3, "ALLREDUCE", 4096, 4096, 9, 9)
    job = job_with("2.11.0+cu130")
    job = job._replace(layout=job.layout._replace(sharding="ddp"))
    assert stack(job, "2.11", wait, Callers(CODE.step, CODE.forward)) == []
    assert stack(job, "2.9", wait, Callers(CODE.step, CODE.forward, records=True)) == [""]
    one = wait._replace(numel_in=1)
    assert stack(job, "2.11", one, Callers(CODE.step, CODE.forward))
