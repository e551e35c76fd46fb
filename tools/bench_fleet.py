"""What a fleet costs: samples of GPUs into Parquet, and a run after few runs and after many."""

import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median
from time import process_time

from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.typed import NamedTuple

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
PART = 10  # runs that are played between two looks at the clock
YOUNG, OLD = 50, 450  # runs that two processes have played before they play the same ones
FULL = 100  # runs after which a process has imported and cached what every fleet needs
TURNS = 11  # times that each of the two plays the same runs


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


# A worker is told the number of a part, writes it, and says how many seconds of a core that took
# and how many KiB of memory it has now.
WORKER = """
import sys
from pathlib import Path
from statistics import median
from time import process_time
from llmsim.fleet.parts import write_part
from llmsim.fleet.places import Places
from llmsim.fleet.processes import lightened
from llmsim.fleet.spec import spec_of
lightened()
spec, folder = spec_of(sys.argv[1]), sys.argv[2]
for turn, line in enumerate(sys.stdin):
    places, begun = Places(f"{folder}/{turn}", "", "bench"), process_time()
    write_part(spec, places, spec.runs_a_part, int(line), {}, lambda run: None)
    passed = process_time() - begun
    print(passed, int(Path("/proc/self/statm").read_text().split()[1]) * 4, flush=True)
"""


class Worker:
    """A process that plays a fleet's runs, part by part."""

    def __init__(self, spec: Path) -> None:
        """Starts it; it writes its parts beside the SPEC."""
        folder = tempfile.mkdtemp(dir=spec.parent)
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(spec), folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def plays(self, part: int) -> tuple[float, int]:
        """The seconds of a core that a part takes, and the KiB of memory after it."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(f"{part}\n")
        asked.flush()
        seconds, memory = told.readline().split()
        return float(seconds), int(memory)

    def end(self) -> None:
        """Waits until it has ended."""
        self._process.communicate()


class Ageing(NamedTuple):
    """What a run costs a process that has played many, beside one that has played few."""

    seconds: float  # of a run, in the old process
    ratio: float  # to the same run in the young one: the median of turns
    memory: int  # KiB of the old process at its end
    before: int  # the same after its first runs


def ageing() -> Ageing:
    """Two workers play the same runs in turns: what else the machine does slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "fleet.toml"
        spec.write_text(SPEC.format(runs=OLD + PART, part=PART), encoding="utf-8")
        old, young = Worker(spec), Worker(spec)
        grown = [old.plays(part)[1] for part in range(1, OLD // PART + 1)]
        for part in range(1, YOUNG // PART + 1):
            young.plays(part)
        turns = [(old.plays(0), young.plays(0)) for _ in range(TURNS + 1)][1:]
        old.end()
        young.end()
    return Ageing(
        seconds=median(each[0] for each, _ in turns) / PART,
        ratio=median(each[0] / other[0] for each, other in turns),
        memory=turns[-1][0][1],
        before=grown[FULL // PART - 1],
    )


def figures() -> list[tuple[str, float, str, float, str, float]]:
    """Name, value, unit, ratio, what the ratio is to, limit; none without numpy and pyarrow."""
    try:
        samples = samples_a_second()
    except ImportError:
        return []
    aged = ageing()
    return [
        ("GPU samples", samples / 1e6, "M/s", 3e6 / samples, "3,000,000 a second and core", 1),
        ("a fleet's run", aged.seconds * 1e3, "ms", aged.ratio,
         f"the same run in a process {OLD - YOUNG} runs younger", 1.05),
        ("a fleet's memory", aged.memory / 1024, "MiB", aged.memory / aged.before,
         f"that of {OLD - FULL + PART * (TURNS + 1)} runs before", 1.1),
    ]  # fmt: skip


if __name__ == "__main__":
    for name, value, unit, ratio, of, limit in figures():
        print(f"{name:18}{value:8.1f} {unit:3}{ratio:7.2f} x {of} (limit {limit:g})")
