"""Prints how far the physics lies from what was published: the tables of docs/physics.md.

    python -m tools.truth [--rows]

With --rows each row of throughput and memory is printed, the worst first.
"""

import argparse
from collections.abc import Callable, Sequence
from statistics import median, quantiles

from tools import truth_machines, truth_others, truth_series, truth_tuning
from tools.truth_curves import points
from tools.truth_rows import Row, predicted, rows

SPEED = ("tok/s/GPU", "TFLOP/s/GPU")


def _within(ratios: Sequence[float], limit: float) -> float:
    """The share of ratios that are at most so far from 1, per cent."""
    return 100.0 * sum(abs(ratio - 1.0) <= limit for ratio in ratios) / len(ratios)


def _table(title: str, found: Sequence[tuple[str, float]], limits: tuple[float, float]) -> None:
    """A line for each name and one for all: number, shares within the limits, median."""
    near, far = (f"<={limit:.0%}" for limit in limits)
    print(f"{title:34} rows  {near:>6} {far:>6} median")
    names = sorted({name for name, _ in found}, key=str.lower)
    groups = [(name, [ratio for key, ratio in found if key == name]) for name in names]
    for name, ratios in (*groups, ("all", [ratio for _, ratio in found])):
        shares = " ".join(f"{_within(ratios, limit):6.1f}" for limit in limits)
        print(f"{name:34} {len(ratios):4}  {shares} {median(ratios):6.3f}")
    print()


def _ratios(metrics: Sequence[str]) -> list[tuple[Row, float]]:
    chosen = [row for row in rows() if row.metric in metrics]
    return [(row, predicted(row) / row.value) for row in chosen]


def throughput_tables() -> None:
    """Throughput by source and by GPU."""
    found = _ratios(SPEED)
    _table("throughput by source", [(row.source, ratio) for row, ratio in found], (0.1, 0.2))
    _table("throughput by GPU", [(row.gpu.name, ratio) for row, ratio in found], (0.1, 0.2))


def others_table() -> None:
    """Throughput of jobs of other sources, as the planner plans them."""
    for title, file in (("jobs of other sources", "jobs"), ("jobs collected later", "unseen")):
        found, refused = truth_others.ratios(f"{file}.jsonl")
        speeds = [(each.source, each.speed) for each in found if each.speed]
        _table(title, speeds, (0.1, 0.2))
        peaks = [(each.source, each.memory) for each in found if each.memory]
        if peaks:
            _table(f"memory of {title}", peaks, (0.15, 0.3))
        if refused:
            print(f"refused: {', '.join(refused)}\n")


def memory_tables() -> None:
    """Peak memory by source; whether jobs fit."""
    found = _ratios(("mem_GiB",))
    _table("memory by source", [(row.source, ratio) for row, ratio in found], (0.15, 0.3))
    asked = [(bool(row.value), bool(predicted(row))) for row in rows() if row.metric == "fits"]
    right = sum(ran == said for ran, said in asked)
    refused = sum(ran and not said for ran, said in asked)
    print(
        f"fits: {right} of {len(asked)} right ({100 * right / len(asked):.1f} %), "
        f"{refused} false refusals ({100 * refused / len(asked):.1f} %)\n"
    )


def all_rows() -> None:
    """Each row of throughput and memory with its ratio, the farthest first."""
    found = sorted(_ratios((*SPEED, "mem_GiB")), key=lambda pair: -abs(pair[1] - 1.0))
    for row, ratio in found:
        print(f"{ratio:6.3f} {row.value:10.2f} {row.metric:11} {row.source}: {row.name}")
    print()


def curve_table() -> None:
    """Each curve's median error and its worst point."""
    found = points()
    print(f"{'loss curves':46} median  worst (step)")
    for name in dict.fromkeys(point.curve for point in found):
        errors = [(p.ours / p.real - 1.0, p.step) for p in found if p.curve == name]
        middle = median([abs(error) for error, _ in errors])
        worst, step = max(errors, key=lambda pair: abs(pair[0]))
        print(f"{name:46} {middle:6.1%} {worst:+6.1%} ({step})")
    print()


def series_table() -> None:
    """Noise, gradient norms, tuning, step times and telemetry beside public logs, 30 seeds."""
    print(f"{'series':44} {'public logs':>16}  ours: {'median':>7} (quartiles)")
    out = 0
    for each in (*truth_series.lines(), *truth_tuning.lines(), *truth_machines.lines()):
        low, middle, high = quantiles(each.ours, n=4, method="inclusive")
        outside = "" if each.low <= middle <= each.high else "  OUTSIDE"
        out += bool(outside)
        real = f"{each.low:g} .. {each.high:g}"
        print(f"{each.name:44} {real:>16}  {middle:13.3f} ({low:.3f} .. {high:.3f}){outside}")
    print(f"{out} medians outside\n")


TABLES: tuple[Callable[[], None], ...] = (
    throughput_tables,
    others_table,
    memory_tables,
    curve_table,
    series_table,
)


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", action="store_true", help="print each row, too")
    if parser.parse_args().rows:
        all_rows()
    for table in TABLES:
        table()


if __name__ == "__main__":
    main()
