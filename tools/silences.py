"""Measure how long a show stands still: a table of silences, and the rows a screen has at first.

    python -m tools.silences --seeds 12
    python -m tools.silences --seeds 2 --incidents pytorch megatron

For each dialect and phase the longest time, in show seconds at speed 1, in which nothing on the
screen changed, and the longest without a new line of the log; how long a launch takes of three
minutes; and of the screens' rows the least share that is filled a second after the first line.
With --incidents a row for each kind of incident, with the phases that it adds.
"""

import argparse
from datetime import datetime

import pyte

from llmsim.dialects.registry import NAMES, framework_of
from llmsim.options.table import Options
from llmsim.planning.plan import plan
from llmsim.run.incident_kinds import NAMES as KINDS
from llmsim.run.incident_kinds import kind_named
from llmsim.run.moment import state
from llmsim.run.simulation import run_of
from llmsim.show.dashboard import phase_of
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import Pace
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text.screen import TRUECOLOR, Screen

START = datetime(2026, 1, 30, 12)
SIZES = ((80, 24), (120, 40), (200, 50), (40, 15))
PHASES = ("launch", "training", "validation", "checkpoint", "failure", "relaunch", "export")


def screen_of(width: int, height: int) -> Screen:
    """A terminal with true colours."""
    return Screen(width, height, color=True, unicode=True, live=True, colors=TRUECOLOR)


def longest(options: Options) -> tuple[dict[str, tuple[float, float]], float]:
    """For each phase the longest time without a change and without a line; the launch's seconds."""
    screen = screen_of(*SIZES[0])
    run = run_of(plan(options))
    pace = Pace(run, options.duration)
    found: dict[str, tuple[float, float]] = {}
    changed = told = 0.0
    region = LiveRegion(lambda: screen, Playback(0.0))
    for frame in play(run, options, lambda: screen, region=region):
        if not frame.text:
            continue
        middle = pace.simulated((changed + frame.shown) / 2)
        phase = phase_of(state(run, middle))
        still, silent = found.get(phase, (0.0, 0.0))
        quiet = frame.shown - told if frame.lines else 0.0
        found[phase] = max(still, frame.shown - changed), max(silent, quiet)
        changed = frame.shown
        told = frame.shown if frame.lines else told
    return found, pace.shown(run.timeline[0].ended)


def filled(options: Options, width: int, height: int) -> float:
    """The share of rows with something on them a second after the first line."""
    terminal, first = pyte.Screen(width, height), -1.0
    terminal.set_mode(pyte.modes.LNM)
    stream, screen = pyte.Stream(terminal), screen_of(width, height)
    region = LiveRegion(lambda: screen, Playback(0.0))
    for frame in play(plan(options), options, lambda: screen, region=region):
        if first >= 0.0 and frame.shown > first + 1.0:
            break
        first = frame.shown if frame.lines and first < 0.0 else first
        stream.feed(frame.text)
    return sum(bool(row.strip()) for row in terminal.display) / height


STRICKEN = ("training", "checkpoint", "failure", "outage", "relaunch")


def stricken(dialect: str, seeds: int) -> None:
    """Print a row for each kind of incident: 64 GPUs, of which one breaks after 40 %."""
    print(f"{dialect:<16}" + "".join(f"{phase:>14}" for phase in STRICKEN))
    for kind in KINDS:
        worst: dict[str, tuple[float, float]] = {}
        for seed in range(1, seeds + 1):
            asked = Options(start=START, dialect=dialect, seed=seed, gpus=64, recipe="pretrain",
                            gpu="NVIDIA H100 80GB HBM3", incidents="none",
                            incident=(f"{kind}@40%",))  # fmt: skip
            if kind_named(kind).needs == "fp16":
                if framework_of(dialect).loss_scaler is None:
                    break
                asked = asked._replace(precision="fp16")
            add(worst, longest(asked)[0])
        print(f"{kind:<16}" + cells(worst, STRICKEN), flush=True)


def add(worst: dict[str, tuple[float, float]], found: dict[str, tuple[float, float]]) -> None:
    """Keep the longest times of each phase."""
    for phase, pair in found.items():
        known = worst.get(phase, (0.0, 0.0))
        worst[phase] = max(known[0], pair[0]), max(known[1], pair[1])


def cells(worst: dict[str, tuple[float, float]], phases: tuple[str, ...]) -> str:
    """The times of these phases, in columns."""
    told = ("{:.1f} / {:.1f}".format(*worst[phase]) if phase in worst else "-" for phase in phases)
    return "".join(f"{cell:>14}" for cell in told)


def main() -> None:
    """Print a row for each dialect."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--incidents", action="store_true", help="a row for each kind of incident")
    parser.add_argument("dialects", nargs="*", help="which ones, if not all")
    given = parser.parse_args()
    print(
        "longest show seconds without a change / without a line of the log, of",
        given.seeds,
        "seeds",
    )
    if given.incidents:
        for dialect in given.dialects or NAMES:
            stricken(dialect, given.seeds)
        return
    print(
        f"{'':<12}"
        + "".join(f"{phase:>14}" for phase in PHASES)
        + "   launch   rows filled after 1 s"
    )
    for dialect in given.dialects or NAMES:
        worst: dict[str, tuple[float, float]] = {}
        launch, shares = 0.0, [1.0] * len(SIZES)
        for seed in range(1, given.seeds + 1):
            options = Options(start=START, dialect=dialect, seed=seed)
            found, took = longest(options)
            launch = max(launch, took)
            add(worst, found)
            shares = [
                min(share, filled(options, *size))
                for share, size in zip(shares, SIZES, strict=True)
            ]
        rows = "  ".join(f"{share:4.0%}" for share in shares)
        print(
            f"{dialect:<12}" + cells(worst, PHASES),
            f" {launch:6.1f}   {rows}",
            flush=True,
        )


if __name__ == "__main__":
    main()
