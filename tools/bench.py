"""Speed and memory, as ratios within one run: a busy machine slows both sides.

python -m tools.bench
"""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from statistics import median
from time import perf_counter

from llmsim.job import Job
from llmsim.options import Options
from llmsim.planning import plan
from llmsim.player import play
from llmsim.terminal.screen import Screen
from llmsim.voices import NAMES

REPEATS = 9
SCREEN = Screen(200, 40, color=True, unicode=True, live=False)
START = datetime(2026, 1, 30, 12)


def seconds(work: Callable[[], object]) -> float:
    """The median time of some repetitions."""
    times = []
    for _ in range(REPEATS):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return median(times)


def start_up() -> tuple[float, float]:
    """Seconds until the first line of a run, and of a bare interpreter."""

    def first_line() -> None:
        command = [sys.executable, "-m", "llmsim", "--seed", "7", "--speed-factor", "max"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()

    bare = [sys.executable, "-I", "-c", "pass"]
    return seconds(first_line), seconds(lambda: subprocess.run(bare, check=True))


def lines_of_a_run(gpus: int | None = None) -> int:
    """Plays a run in the house dialect as fast as it goes; how many lines it had."""
    options = Options(seed=7, start=START, dialect="pytorch", recipe="pretrain", gpus=gpus)
    frames = play(plan(options), options, lambda: SCREEN)
    return sum(frame.text.count("\n") for frame in frames)


def line_of(dialect: str) -> float:
    """Seconds of a line, mean over some runs that a dialect tells to a pipe."""
    surface, spent, lines = SCREEN._replace(color=False), 0.0, 0
    for seed in range(3):
        options = Options(seed=seed, start=START, dialect=dialect)
        job = plan(options)

        def tell(job: Job = job, options: Options = options) -> int:
            return sum(frame.text.count("\n") for frame in play(job, options, lambda: surface))

        lines += tell()  # which fills the caches
        spent += seconds(tell)
    return spent / lines


def print_dialects() -> None:
    """What a line costs in each dialect, against the house dialect's."""
    house = line_of("pytorch")
    for dialect in NAMES:
        each = line_of(dialect)
        print(f"  {dialect:12}{each * 1e6:8.1f} us {each / house:6.2f} x the house dialect's line")


def bare_line(step: int) -> str:
    """A line of the same shape, by one f-string."""
    return (
        f"{START:%Y-%m-%d %H:%M:%S},123 INFO step {step:6,}/{step:,}  ep 1/1  loss {2.5:7.4f}  "
        f"ppl {12.18:7.2f}  gnorm {0.1234:5.3f}  lr {3e-4:.2e}  {123456.7:9,.0f} tok/s  "
        f"mem {61.2:6.2f}GiB {0.77:3.0%}  mfu {0.4123:6.2%}  eta {1234:>8}"
    )


def peak(gpus: int) -> int:
    """Bytes that a run of so many GPUs has allocated at most."""
    tracemalloc.start()
    lines_of_a_run(gpus)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main() -> None:
    """Prints each figure with its ratio."""
    first, bare = start_up()
    print(f"first line    {first * 1e3:8.1f} ms {first / bare:6.2f} x a bare interpreter")
    lines = lines_of_a_run()
    per_line = seconds(lines_of_a_run) / lines
    per_bare = seconds(lambda: [bare_line(step) for step in range(1000)]) / 1000
    print(f"a line        {per_line * 1e6:8.1f} us {per_line / per_bare:6.2f} x an f-string")
    print_dialects()
    few, many = seconds(lambda: lines_of_a_run(8)), seconds(lambda: lines_of_a_run(131_072))
    print(f"131,072 GPUs  {many * 1e3:8.1f} ms {many / few:6.2f} x the time of 8")
    small, large = peak(8), peak(131_072)
    print(f"              {large / 1e6:8.1f} MB {large / small:6.2f} x the memory of 8")


if __name__ == "__main__":
    main()
