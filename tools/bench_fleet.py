"""What a fleet costs: samples of GPUs into Parquet, and a run at one fleet size and at another."""

import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
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
FEW, MANY = 25, 250


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


def fleet(runs: int) -> tuple[float, int]:
    """The seconds of a core that a fleet takes, and its peak memory in KiB, in a process."""
    script = (
        "import resource, sys\n"
        "from llmsim.fleet.parts import write_part\n"
        "from llmsim.fleet.places import Places\n"
        "from llmsim.fleet.spec import spec_of\n"
        "spec = spec_of(sys.argv[1])\n"
        "for part in range(spec.runs // spec.runs_a_part):\n"
        "    places = Places(sys.argv[2], '', 'bench')\n"
        "    write_part(spec, places, spec.runs_a_part, part, {}, lambda run: None)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "fleet.toml"
        spec.write_text(SPEC.format(runs=max(1, runs), part=FEW), encoding="utf-8")
        before = getrusage(RUSAGE_CHILDREN)
        words = [sys.executable, "-c", script, str(spec), f"{folder}/out"]
        peak = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        after = getrusage(RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent, int(peak)


def figures() -> list[tuple[str, float, str, float, str, float]]:
    """Name, value, unit, ratio, what the ratio is to, limit; none without numpy and pyarrow."""
    try:
        samples = samples_a_second()
    except ImportError:
        return []
    empty, _ = fleet(0)
    (few, small), (many, large) = fleet(FEW), fleet(MANY)
    each, all_of_them = (few - empty) / FEW, (many - empty) / MANY
    return [
        ("GPU samples", samples / 1e6, "M/s", 3e6 / samples, "3,000,000 a second and core", 1),
        ("a fleet's run", all_of_them * 1e3, "ms", all_of_them / each,
         f"a run of a fleet of {FEW}, at {MANY}", 1.05),
        ("a fleet's memory", large / 1024, "MiB", large / small,
         f"that of a fleet of {FEW}, at {MANY}", 1.1),
    ]  # fmt: skip


if __name__ == "__main__":
    for name, value, unit, ratio, of, limit in figures():
        print(f"{name:18}{value:8.1f} {unit:3}{ratio:7.2f} x {of} (limit {limit:g})")
