"""Measure how long a show stands still: a table of silences, and the rows a screen has at first.

    python -m tools.silences --seeds 12
    python -m tools.silences --seeds 2 --size 40x15 trl
    python -m tools.silences --seeds 2 --incidents pytorch megatron

For each dialect and phase the longest time, in show seconds at speed 1, in which no cell of a
terminal with the board changed, and the longest without a new line of the log; how long a launch
takes of three minutes; and of the screens' rows the least share that is filled a second after the
first line, and after a stroke the same if an empty line that the framework prints counts as filled.
With --incidents a row for each kind of incident, with the phases that it adds.
"""

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime

import pyte

from llmsim.board.board import View
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
from llmsim.text.log_lines import rows_for
from llmsim.text.screen import TRUECOLOR, Screen

START = datetime(2026, 1, 30, 12)
SIZES = ((80, 24), (120, 40), (200, 50), (40, 15))
PHASES = ("launch", "training", "validation", "checkpoint", "failure", "relaunch", "export")


def screen_of(width: int, height: int) -> Screen:
    """A terminal with true colours."""
    return Screen(width, height, color=True, unicode=True, live=True, colors=TRUECOLOR)


def shown_on(width: int, height: int) -> tuple[pyte.Screen, pyte.Stream]:
    """An empty terminal, and the stream that it reads."""
    terminal = pyte.Screen(width, height)
    terminal.set_mode(pyte.modes.LNM)
    return terminal, pyte.Stream(terminal)


def changes(terminal: pyte.Screen, seen: dict[int, tuple[pyte.screens.Char, ...]]) -> bool:
    """Whether a cell is another one than was seen last, which is noted."""
    changed = False
    for number in terminal.dirty:
        row = tuple(terminal.buffer[number][column] for column in range(terminal.columns))
        changed = changed or seen.get(number) != row
        seen[number] = row
    terminal.dirty.clear()
    return changed


def longest(
    options: Options, size: tuple[int, int]
) -> tuple[dict[str, tuple[float, float]], float]:
    """For each phase the longest time without a change and without a line; the launch's seconds."""
    screen, (terminal, stream) = screen_of(*size), shown_on(*size)
    seen: dict[int, tuple[pyte.screens.Char, ...]] = {}
    run = run_of(plan(options))
    pace = Pace(run, options.duration)
    found: dict[str, tuple[float, float]] = {}
    changed = told = 0.0
    region = LiveRegion(lambda: screen, Playback(0.0))
    for frame in play(run, options, lambda: screen, region=region):
        stream.feed(frame.text)
        if not changes(terminal, seen):
            continue
        middle = pace.simulated((changed + frame.shown) / 2)
        phase = phase_of(state(run, middle))
        still, silent = found.get(phase, (0.0, 0.0))
        quiet = frame.shown - told if frame.lines else 0.0
        found[phase] = max(still, frame.shown - changed), max(silent, quiet)
        changed = frame.shown
        told = frame.shown if frame.lines else told
    return found, pace.shown(run.timeline[0].ended)


class Counted(LiveRegion):
    """A live region that counts the rows of its log."""

    rows = 0

    def draw(self, view: Callable[[], View], lines: Sequence[str] = ()) -> str:
        """The text that shows the view on the board, and lines above it."""
        self.rows += rows_for(lines, self._ask().width)
        return super().draw(view, lines)


def filled(options: Options, width: int, height: int) -> tuple[float, float]:
    """The share of rows with something on them a second after the first line; and the share of
    these and of the log's empty lines together.
    """
    (terminal, stream), first = shown_on(width, height), -1.0
    screen = screen_of(width, height)
    region = Counted(lambda: screen, Playback(0.0))
    for frame in play(plan(options), options, lambda: screen, region=region):
        if first >= 0.0 and frame.shown > first + 1.0:
            break
        first = frame.shown if frame.lines and first < 0.0 else first
        stream.feed(frame.text)
    full = [bool(row.strip()) for row in terminal.display]
    board = next(number for number, row in enumerate(terminal.display) if row.startswith("── "))
    log = min(region.rows, board)
    return sum(full) / height, (log + sum(full[log:])) / height


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
            add(worst, longest(asked, SIZES[0])[0])
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
    parser.add_argument("--size", default="80x24", help="of the terminal for the silences")
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
        launch, shares = 0.0, [(1.0, 1.0)] * len(SIZES)
        for seed in range(1, given.seeds + 1):
            options = Options(start=START, dialect=dialect, seed=seed)
            wide, high = map(int, given.size.split("x"))
            found, took = longest(options, (wide, high))
            launch = max(launch, took)
            add(worst, found)
            more = [filled(options, *size) for size in SIZES]
            shares = [
                (min(share, least), min(told, other))
                for (share, told), (least, other) in zip(shares, more, strict=True)
            ]
        rows = "  ".join(f"{share:4.0%}/{told:.0%}" for share, told in shares)
        print(
            f"{dialect:<12}" + cells(worst, PHASES),
            f" {launch:6.1f}   {rows}",
            flush=True,
        )


if __name__ == "__main__":
    main()
