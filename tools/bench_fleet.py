"""What a fleet costs: samples of GPUs into Parquet, and a run at one fleet size and at another."""

import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from time import process_time

from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of

START = datetime(2026, 1, 30, 12)
SPEC = """runs = {runs}
seed = 1
runs_a_part = {part}
[export]
kinds = ["parquet", "labels"]
[[mix]]
steps = 1000
recipe = "pretrain"
gpus = 8
"""
PART, PARTS = 50, 8  # runs of a part, and parts of the fleet
# Parts after which the caches of the physics, which have a size, are full: until then memory grows.
WARM = 4


def samples_a_second() -> float:
    """GPU samples that a core makes and writes into Parquet in a second of its time."""
    from llmsim.fleet import rows
    from llmsim.fleet.columns import SAMPLES
    from llmsim.fleet.parquet_files import TableFile
    from llmsim.fleet.quick import chunks
    from llmsim.fleet.sample_columns import SampleColumns
    from llmsim.job.records import gpus_per_node

    run = run_of(plan(Options(seed=5, start=START, steps=3000, gpus=64, incidents="none")))
    hosts, clock = rows.hostnames(run.job), rows.clock_of(START, "UTC")
    best = 0.0
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            table = TableFile(SAMPLES, f"{folder}/samples.parquet")
            columns = SampleColumns("run", clock, hosts, gpus_per_node(run.job))
            begun = process_time()
            for chunk in chunks(run, 1.0):
                table.add_samples(chunk, columns)
                if table.rows > 3_000_000:
                    break
            table.close()
            best = max(best, table.rows / (process_time() - begun))
    return best


def fleet() -> list[tuple[float, int]]:
    """The seconds of a core and the memory in KiB at the end of each part, in a process that has
    the first part twice, and twice as its last one again: runs differ, so that only the same runs
    can be compared, and the faster of two is less disturbed by what else the machine does.
    """
    script = (
        "import sys\n"
        "from time import process_time\n"
        "from llmsim.fleet.parts import write_part\n"
        "from llmsim.fleet.places import Places\n"
        "from llmsim.fleet.processes import lightened\n"
        "from llmsim.fleet.spec import spec_of\n"
        "lightened()\n"
        "spec, folder = spec_of(sys.argv[1]), sys.argv[2]\n"
        "first = spec._replace(runs=3)\n"
        "write_part(first, Places(f'{folder}/warm', '', 'x'), 3, 0, {}, lambda run: None)\n"
        "for turn, part in enumerate([0, *range(spec.runs // spec.runs_a_part), 0, 0]):\n"
        "    begun, places = process_time(), Places(f'{folder}/{turn}', '', 'bench')\n"
        "    write_part(spec, places, spec.runs_a_part, part, {}, lambda run: None)\n"
        "    pages = int(open('/proc/self/statm').read().split()[1])\n"
        "    print(process_time() - begun, pages * 4)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "fleet.toml"
        spec.write_text(SPEC.format(runs=PART * PARTS, part=PART), encoding="utf-8")
        words = [sys.executable, "-c", script, str(spec), folder]
        told = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [(float(row.split()[0]), int(row.split()[1])) for row in told.splitlines()]


def figures() -> list[tuple[str, float, str, float, str, float]]:
    """Name, value, unit, ratio, what the ratio is to, limit; none without numpy and pyarrow."""
    try:
        samples = samples_a_second()
    except ImportError:
        return []
    parts = fleet()
    first, again = (min(parts[place][0], parts[place + 1][0]) for place in (0, -2))
    small, large = parts[WARM][1], parts[-1][1]
    return [
        ("GPU samples", samples / 1e6, "M/s", 3e6 / samples, "3,000,000 a second and core", 1),
        ("a fleet's run", again / PART * 1e3, "ms", again / first,
         f"the same run, {PART * PARTS} runs before", 1.05),
        ("a fleet's memory", large / 1024, "MiB", large / small,
         f"that of {PART * (PARTS + 2 - WARM)} runs before, its caches full", 1.1),
    ]  # fmt: skip


if __name__ == "__main__":
    for name, value, unit, ratio, of, limit in figures():
        print(f"{name:18}{value:8.1f} {unit:3}{ratio:7.2f} x {of} (limit {limit:g})")
