"""A million random samples of the gauges of a GPU, in health and through incidents: no violation.

python -m tools.consistency [--samples 1000000] [--processes 2]

The rules are those of tests/telemetry/test_samples.py: memory adds up, tensor <= SM <= engine,
power within its limit, tensor activity is the MFU, and others that hold on a real page. Counters
never go back between two moments.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

from llmsim.job.records import Asked
from llmsim.physics import noise
from llmsim.run.simulation import run_of
from llmsim.run.timeline import run_ended
from llmsim.telemetry.samples import sample
from llmsim.typed import Any
from tests.runs import job_of
from tests.telemetry.test_samples import RUNS, violations

BROKEN = (
    "", "nccl-timeout", "hbm-ecc", "gpu-lost", "nvlink", "thermal", "straggler", "data-stall",
    "link-flap", "node-fail", "preempt", "nan",
)  # fmt: skip
GPUS, MOMENTS = 64, 120  # of each run
COUNTERS = ("energy_joules", "power_capped_seconds", "thermal_slowdown_seconds",
            "hardware_thermal_slowdown_seconds", "power_brake_slowdown_seconds",
            "aggregate_errors", "remapped_rows")  # fmt: skip


def checked(number: int) -> tuple[int, Counter[str]]:
    """How many samples of a run were looked at, and what was wrong how often."""
    asked: dict[str, Any] = dict(RUNS[number % len(RUNS)]) | {"seed": number, "dialect": "pytorch"}
    job = job_of(**asked)
    kind = BROKEN[number // len(RUNS) % len(BROKEN)]
    if kind and "H100" in job.gpu.name:
        job = job._replace(asked=(Asked(kind, "share", 0.5),))
    run = run_of(job)
    ended = run_ended(run)
    at = sorted(ended * noise.uniform(number, "consistency", look) for look in range(MOMENTS))
    found: Counter[str] = Counter()
    looked, before = 0, dict[int, tuple[float, ...]]()
    for moment in at:
        for each in sample(run, moment, most=GPUS).gpus:
            looked += 1
            found.update(violations(run.job, each))
            counted = tuple(getattr(each, name) for name in COUNTERS)
            for name, now, earlier in zip(COUNTERS, counted, before.get(each.gpu, counted),
                                          strict=True):  # fmt: skip
                found[f"{name} goes back"] += now < earlier
            before[each.gpu] = counted
    return looked, +found


def main(args: list[str]) -> int:
    """Print what was found; the exit status is 1 if anything was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(args)
    begun, looked, found = perf_counter(), 0, Counter[str]()
    with ProcessPoolExecutor(given.processes) as pool:
        number = 0
        while looked < given.samples:
            block = range(number, number + 20 * given.processes)
            for count, wrong in pool.map(checked, block):
                looked += count
                found += wrong
            number = block.stop
    print(f"{looked:,} samples of {number} runs in {perf_counter() - begun:.0f} s")
    for name, count in found.most_common():
        print(f"{count:8,}  {name}")
    print(f"{found.total():,} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
