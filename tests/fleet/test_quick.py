"""Samples by numpy: the plain functions' values to the digits that the table writes."""

from datetime import datetime
from typing import Any

import pytest

from llmsim import Options, plan, run_of
from llmsim.fleet import rows
from llmsim.run.timeline import Run, run_ended

START = datetime(2026, 1, 30, 12)
FIELDS = ("power", "temperature", "clock", "utilization", "memory", "tensor activity", "xid")


def a_run(seed: int, **more: object) -> Run:
    return run_of(plan(Options(seed=seed, start=START, incidents="chaos", steps=300, **more)))  # type: ignore[arg-type]


def compared(run: Run, points: int) -> int:
    """Compares about this many samples of a run; returns how many were compared."""
    import numpy as np

    from llmsim.fleet.quick import chunks

    seed, every = run.job.seed, max(7.0, run_ended(run) * min(512, run.job.layout.gpus) / points)
    plain = [*rows.sample_rows("run", run, rows.clock_of(START, "UTC"), every)]
    done = 0
    for chunk in chunks(run, every):
        columns = [column for column in chunk[3:] if column is not None]
        at: Any = np.repeat(chunk.at, chunk.gpus)
        gpu = np.tile(np.arange(chunk.gpus), len(chunk.at))
        if chunk.kept is not None:
            at, gpu = at[chunk.kept], gpu[chunk.kept]
        for index in range(len(at)):
            there = plain[done]
            wanted = (round(there[6] * 10), *there[7:11], round(there[11] * 1e4), there[12])
            told = [int(column[index]) for column in columns] + [0] * (chunk.xid is None)
            assert (there[3], there[4]) == (at[index], gpu[index]), f"seed {seed} row {done}"
            for field, here, right in zip(FIELDS, told, wanted, strict=True):
                assert here == right, f"seed {seed} at {there[3]} s, GPU {there[4]}: {field}"
            done += 1
    assert done == len(plain)
    return done


@pytest.mark.extras
@pytest.mark.parametrize(("seed", "more"), [(1, {}), (2, {}), (3, {"gpu": "RTX 4090"})])
def test_a_few_samples_are_those_of_the_plain_functions(seed: int, more: dict[str, str]) -> None:
    assert compared(a_run(seed, gpus=8, **more), 600) > 100


@pytest.mark.fleets
def test_a_hundred_thousand_samples_are_those_of_the_plain_functions() -> None:
    done, seed = 0, 0
    while done < 100_000:
        done += compared(a_run(seed, gpus=(8, 16, 64)[seed % 3]), 9_000)
        seed += 1


@pytest.mark.extras
def test_a_gpu_that_fell_off_the_bus_has_no_samples() -> None:
    from llmsim.fleet.quick import chunks

    run = run_of(plan(Options(seed=3, start=START, steps=300, gpus=8, incidents="none",
                              incident=("gpu-lost@50%",), gpu="H100-80GB-HBM3")))  # fmt: skip
    kept = [chunk.kept for chunk in chunks(run, 1.0) if chunk.kept is not None]
    assert kept, "no GPU was lost"
    assert sum(int((~each).sum()) for each in kept) > 0
