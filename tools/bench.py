"""Speed and memory, as ratios within one run: a busy machine slows both sides of a ratio.

python -m tools.bench             all figures, each with its limit
python -m tools.bench --json      the same as JSON, for tools.bench_compare
"""

import json
import os
import pty
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

from llmsim.dialects.registry import DEFAULT, NAMES
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.simulation import run_of
from llmsim.show.live_region import LiveRegion
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tools import bench_fleet

REPEATS = 9
SCREEN = Screen(200, 40, color=True, unicode=True, live=False)
START = datetime(2026, 1, 30, 12)
RUNS = range(10)
PYTHON = [sys.executable]
# What a user has: modules that were compiled at the first start.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
WATCHED_SECONDS = 20
SCALARS = 5000
# A month is sampled every five minutes; some of the samples are taken.
MONTH_EVERY, MONTH_SAMPLES = 300.0, 40


class Figure(NamedTuple):
    """Something measured: in its unit, and as a ratio that has a limit."""

    name: str
    value: float
    unit: str
    ratio: float
    of: str  # what the ratio is to
    limit: float


def medians(*works: Callable[[], object], clock: Callable[[], float]) -> list[float]:
    """The median time of each work; they take turns, so that all meet the same weather."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for work, taken in zip(works, times, strict=True):
            begun = clock()
            work()
            taken.append(clock() - begun)
    return [median(taken) for taken in times]


def first_line() -> Figure:
    """From the start of the process to the first character of a run, against a bare interpreter."""

    def shown() -> None:
        command = [*PYTHON, "-m", "llmsim", "--seed", "7", "--instant-print-lines", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            process.kill()

    def bare() -> None:
        subprocess.run([*PYTHON, "-I", "-c", "pass"], check=True)

    shown()  # compiles
    line, interpreter = medians(shown, bare, clock=perf_counter)
    return Figure(
        "first line", line * 1e3, "ms", line / interpreter, "a bare interpreter's start", 3
    )


def lines_of(seed: int, gpus: int | None = None) -> int:
    """Plays a run as fast as it goes, into nothing; how many lines it had.

    A run on a given number of GPUs has no failures: 131,072 GPUs fail dozens of times where 8 never
    do, and each failure has its lines.
    """
    options = Options(seed=seed, start=START, dialect=DEFAULT)
    if gpus is not None:
        options = options._replace(recipe="pretrain", gpus=gpus, incidents="none")
    frames = play(plan(options), options, lambda: SCREEN)
    return sum(frame.text.count("\n") for frame in frames)


def lines_of_runs() -> int:
    """The lines of some runs, each planned anew."""
    return sum(lines_of(seed) for seed in RUNS)


def bare_line(step: int) -> str:
    """A line of the same shape, by one f-string."""
    return (
        f"{START:%Y-%m-%d %H:%M:%S},123 INFO step {step:6,}/{step:,}  ep 1/1  loss {2.5:7.4f}  "
        f"ppl {12.18:7.2f}  gnorm {0.1234:5.3f}  lr {3e-4:.2e}  {123456.7:9,.0f} tok/s  "
        f"mem {61.2:6.2f}GiB {0.77:3.0%}  mfu {0.4123:6.2%}  eta {1234:>8}"
    )


def a_line() -> Figure:
    """A line of the log at full speed, all that made it included."""
    count = lines_of_runs()
    ours, bare = medians(
        lines_of_runs, lambda: [bare_line(step) for step in range(count)], clock=process_time
    )
    return Figure("a line", ours / count * 1e6, "us", ours / bare, "a bare f-string", 8)


def rows_of(dialect: str) -> int:
    """Plays a run of a dialect on a terminal; how many lines it had and bars it drew."""
    options = Options(seed=1, start=START, dialect=dialect, view="log")
    frames = play(plan(options), options, lambda: SCREEN._replace(live=True))
    return sum(frame.text.count("\n") + frame.text.endswith("\r") for frame in frames)


def dialects() -> list[Figure]:
    """A line, or a bar that is drawn anew, of each dialect against a line of the default
    dialect.
    """
    names = [name for name in NAMES if name != DEFAULT]
    counts = [lines_of(1), *map(rows_of, names)]
    works = [partial(lines_of, 1), *(partial(rows_of, name) for name in names)]
    times = medians(*works, clock=process_time)
    house, *others = [taken / count for taken, count in zip(times, counts, strict=True)]
    return [
        Figure(f"line: {name}", taken * 1e6, "us", taken / house, "the default dialect's line", 1.5)
        for name, taken in zip(names, others, strict=True)
    ]


def peak(gpus: int) -> int:
    """The peak of the bytes that a run on this number of GPUs allocates."""
    tracemalloc.start()
    lines_of(7, gpus=gpus)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def large_cluster() -> list[Figure]:
    """Runs on 131,072 GPUs against the same on 8: time of the processor for a line, and memory.

    Line for line: 131,072 GPUs fail more often, so a run saves a few times as often, and its log
    is a third longer.
    """

    def played(gpus: int) -> int:
        return sum(lines_of(seed, gpus=gpus) for seed in RUNS)

    counts = played(8), played(131_072)
    times = medians(lambda: played(8), lambda: played(131_072), clock=process_time)
    few, many = (taken / count for taken, count in zip(times, counts, strict=True))
    small, large = peak(8), peak(131_072)
    return [
        Figure("131,072 GPUs", many * 1e6, "us", many / few, "a line's time on 8", 1.3),
        Figure("its memory", large / 1e6, "MB", large / small, "the memory of 8", 1.3),
    ]


def long_run() -> Figure:
    """The most memory that sixty runs take, months of simulated time, against three."""

    def resident(runs: int) -> int:
        command = [*PYTHON, "-m", "llmsim", "--seed", "7", "--runs", f"{runs}", "-s", "max"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        _, process.returncode, usage = os.wait4(process.pid, 0)
        return usage.ru_maxrss

    few, many = resident(3), resident(60)
    return Figure("sixty runs", many / 1024, "MiB", many / few, "the memory of three", 1.1)


def watched() -> Figure:
    """The share of a core that a show with the board takes at speed 1, on a pseudo-terminal."""
    master, slave = pty.openpty()
    command = [*PYTHON, "-m", "llmsim", "--seed", "7", "--exit-after-time", f"{WATCHED_SECONDS}s"]
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, env=environment)
    os.close(slave)
    begun = time.monotonic()
    while True:
        try:
            os.read(master, 65_536)
        except OSError:  # the other end is closed
            break
    shown = time.monotonic() - begun
    _, process.returncode, usage = os.wait4(process.pid, 0)
    os.close(master)
    share = (usage.ru_utime + usage.ru_stime) / shown
    return Figure("the board", share * 100, "%", share, "a core", 0.03)


def a_seek() -> Figure:
    """CPU time from a key that seeks to the whole screen of that moment, board and log."""
    options = Options(seed=5, start=START)
    run, screen = run_of(plan(options)), Screen(200, 50, color=True, unicode=True, live=True)

    def shown(since: float) -> float:
        region = LiveRegion(lambda: screen, Playback(since))
        begun = process_time()
        next(play(run, options, lambda: screen, since, region=region))
        return process_time() - begun

    taken = median(shown(20.0 + 15.0 * place) for place in range(REPEATS))
    return Figure("a seek by key", taken * 1000, "ms", taken / 0.050, "50 ms", 1.0)


def exports() -> list[Figure]:
    """Events as JSON lines, TensorBoard's scalars, and a month of 64 GPUs as OpenMetrics."""
    from llmsim.run.simulation import events, run_of
    from llmsim.telemetry import openmetrics
    from llmsim.telemetry.kinds import Export
    from llmsim.telemetry.sinks import Exports
    from llmsim.telemetry.tensorboard import scalar
    from llmsim.telemetry.writer import Settings

    run = run_of(plan(Options(seed=7, start=START, dialect="pytorch")))
    told = [*events(run)]

    def jsonl() -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = Exports([Export("jsonl", f"{folder}/run")], run, Settings())
            for _ in made.tee(told):
                pass
            made.close()

    def scalars() -> None:
        for step in range(SCALARS):
            scalar(1.8e9 + step, step, "loss_metrics/global_avg_loss", 2.5)

    writing, tracking = medians(jsonl, scalars, clock=process_time)
    options = Options(seed=7, start=START, dialect="pytorch", gpu="H100 80GB HBM3", gpus=64)
    month = run_of(plan(options._replace(recipe="pretrain")))
    taken = openmetrics.begin(month, Settings(MONTH_EVERY)).sample
    assert taken is not None
    begun = process_time()
    for number in range(MONTH_SAMPLES):
        for _ in taken(number * MONTH_EVERY):
            pass
    seconds = (process_time() - begun) * 30 * 86_400 / (MONTH_SAMPLES * MONTH_EVERY)
    events_each, scalars_each = len(told) / writing, SCALARS / tracking
    return [
        Figure("jsonl", events_each / 1e3, "k/s", 60e3 / events_each, "60,000 events a second", 1),
        Figure("tensorboard", scalars_each / 1e3, "k/s", 40e3 / scalars_each,
               "40,000 scalars a second", 1),
        Figure("openmetrics", seconds, "s", seconds / 60, "a minute for 30 days x 64 GPUs", 1),
    ]  # fmt: skip


def pages() -> list[Figure]:
    """A node's live page, and a large cluster that is scraped every 15 seconds for a day."""
    from tools.bench_pages import measured, new_pages, page_microseconds

    (known, alone), (new, plain) = page_microseconds(), new_pages()
    day = measured()
    share, memory = max(day["share 12"], day["share 24"]), day["MB 24"]
    return [
        Figure("a live page", known, "us", known / 100, "100 us, of gauges that are known", 1),
        Figure("a new page", new, "us", new / 100, "100 us, of 256 nodes, each with new gauges", 1),
        Figure("without numpy", plain, "us", plain / 100, "100 us, of the same", 1),
        Figure("of one node", alone, "us", alone / 100, "100 us, whose gauges nobody shares", 1),
        Figure("2,048 nodes", share * 100, "%", share / 0.25, "a quarter of a core", 1),
        Figure("their memory", memory, "MB", memory / 300, "300 MB after a day", 1),
        Figure("its growth", memory - day["MB 12"], "MB", memory / day["MB 12"],
               "the memory after half a day", 1.2),
    ]  # fmt: skip


def figures() -> list[Figure]:
    """Everything that is measured."""
    return [
        first_line(),
        a_line(),
        *dialects(),
        *large_cluster(),
        long_run(),
        watched(),
        a_seek(),
        *exports(),
        *pages(),
        *(Figure(*each) for each in bench_fleet.figures()),
    ]


def main() -> None:
    """Prints each figure with its ratio and its limit."""
    measured = figures()
    if "--json" in sys.argv:
        print(json.dumps({each.name.strip(): (each.value, each.ratio) for each in measured}))
        return
    for name, value, unit, ratio, of, limit in measured:
        verdict = "" if ratio <= limit else "  over!"
        print(f"{name:18}{value:8.1f} {unit:3}{ratio:7.2f} x {of} (limit {limit:g}){verdict}")


if __name__ == "__main__":
    main()
