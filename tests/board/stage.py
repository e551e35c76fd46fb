"""A terminal for the board's tests, and what it shows of a run.

python -m tests.board.stage    writes the golden screens anew: look at them afterwards
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import pyte

from llmsim.board.board import View
from llmsim.board.gauges import Cluster, Gauge, Trail
from llmsim.board.training import Training
from llmsim.hosts.keys import hint
from llmsim.options.table import Options
from llmsim.physics import noise
from llmsim.physics.hardware import telemetry
from llmsim.run.events import Event
from llmsim.run.simulation import events, run_of
from llmsim.run.timeline import Run
from llmsim.show.live_region import LiveRegion
from llmsim.show.pace import Pace
from llmsim.show.playback import Playback
from llmsim.show.player import play
from llmsim.text.screen import Screen
from tests.runs import job_of

GOLDEN = Path(__file__).parent / "golden"
DURATION = 30.0  # show seconds


class Golden(NamedTuple):
    """A screen that is kept: its size, how much of a run is over, and the run.

    `before` is the size from which it was resized; `keys` says that these are shown.
    """

    width: int
    height: int
    gpus: int
    part: float = 0.4
    unicode: bool = True
    color: bool = True
    seed: int = 7
    before: tuple[int, int] | None = None
    keys: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        kind = "" if self.unicode else "-ascii"
        kind += "-from-{}x{}".format(*self.before) if self.before else ""
        kind += "-keys" if self.keys else ""
        return GOLDEN / f"{self.width}x{self.height}-{self.gpus}-gpus-{self.part:.0%}{kind}.txt"


GOLDENS = (
    Golden(20, 5, 8),
    Golden(40, 12, 16),
    Golden(60, 20, 8),
    Golden(80, 24, 8, 0.0),
    Golden(80, 24, 8),
    Golden(80, 24, 64, 0.9),
    Golden(80, 24, 64, unicode=False, color=False),
    Golden(80, 24, 1024, 1.0),
    Golden(120, 40, 32, 0.05),
    Golden(120, 40, 1024, unicode=False, color=False),
    Golden(200, 50, 131_072),
    Golden(200, 50, 1024, color=False),
    Golden(400, 100, 64),
    Golden(20, 5, 8, keys=True),
    Golden(80, 24, 8, 0.0, keys=True),
    Golden(80, 24, 16, before=(200, 50)),
    Golden(200, 50, 16, before=(80, 24)),
    Golden(400, 100, 131_072, before=(20, 5)),
)


def still(seed: int, gpus: int, part: float) -> View:
    """What there could be to see when this part of a run is over.

    Made up, so that a golden screen stays as it is when the physics becomes better.
    """
    steps = 2000
    step = round(part * steps)

    def loss(first: int, last: int) -> float:
        luck = noise.normal(seed, "luck", last) / sqrt(last - first + 1)
        return 2.5 + 8.0 / (1.0 + last / 40) + 0.1 * luck

    def gauge(index: int) -> Gauge:
        luck = noise.uniform(seed, "gauge", index)
        watts = round(600 + 100 * luck)
        celsius = round(50 + 15 * luck)
        warmth = telemetry.thermal_state(celsius)
        return Gauge(0.98 + 0.02 * luck, 0.8, watts / 700, celsius, warmth, 64.0, watts)

    numbers = (("curve", "loss", f"{loss(step, step):.4f}"), ("number", "val", "2.8125"))
    return View(
        titles=("Parrot-7B", "quiet-gradient-42", "pretrain", f"{gpus:,} x H100"),
        phase="training" if step else "launch",
        phase_share=0.5,
        doing=f"step {step:>5,}/{steps:,}" if step else "Loading weights",
        also="epoch 1/2" if step else "",
        share=part or 0.3,
        left="2:31:12",
        training=Training(
            step=step,
            steps=steps,
            loss=loss,
            rate=lambda at: 3e-4 * min(at / 200, 1.0 - at / steps),
            throughput=lambda first, last: 1e6 * (1.0 - 0.1 * (last % 97 == 0) - first * 1e-6),
            numbers=numbers if step else (),
            rate_number="2.41e-04" if step else "-",
            throughput_number="1,012,345" if step else "-",
        ),
        cluster=Cluster(
            name="H100",
            gpus=gpus,
            per_node=min(gpus, 8),
            full=Gauge(1.0, 1.0, 1.0, 100, "hot", 80.0, 700),
            read=gauge,
            label=lambda node: f"toaster-{node + 1:02d}",
            moment=part,
            page=5,
            celsius=lambda gpus: [gauge(index).celsius for index in gpus],
            trail=lambda index, count: Trail(
                tuple(gauge(index + back) for back in range(count, 0, -1))
            ),
            power=lambda count: [gauge(back).watts * gpus / 1000 for back in range(count, 0, -1)],
        ),
    )


class Terminal(pyte.Screen):
    """A terminal that remembers the rows which have left it at the top."""

    def __init__(self, width: int, height: int) -> None:
        """An empty screen."""
        self.gone: list[str] = []
        super().__init__(width, height)
        self.set_mode(pyte.modes.LNM)  # what a tty makes of a line feed
        self.stream = pyte.Stream(self)

    def row(self, number: int) -> str:
        """A row of the screen without the blanks at its end."""
        cells = self.buffer[number]
        return "".join(cells[column].data for column in range(self.columns)).rstrip()

    def index(self) -> None:
        """Keep what scrolls away at the top, as terminals do when a region begins there."""
        bottom = self.margins.bottom if self.margins else self.lines - 1
        if self.cursor.y == bottom:
            self.gone.append(self.row(0))
        super().index()

    def grow_or_shrink(self, width: int, height: int) -> None:
        """Take another size as xterm and tmux do: rows below the cursor go first, then the top.

        pyte would take the topmost, and leave the cursor where it was.
        """
        surplus = max(0, self.cursor.y + 1 - height)
        self.gone += [self.row(number) for number in range(surplus)]
        position = self.cursor.y - surplus
        if surplus:
            self.cursor_position()
            self.delete_lines(surplus)
        if height < self.lines:
            self.cursor_position(height + 1)
            self.erase_in_display(0)
        rows = self.buffer.copy()
        self.resize(height, width)
        self.buffer.clear()
        self.buffer.update({number: row for number, row in rows.items() if number < height})
        self.cursor_position(position + 1)

    def shown(self) -> list[str]:
        """All rows from the first, without the empty ones at the bottom."""
        rows = self.gone + [self.row(number) for number in range(self.lines)]
        while rows and not rows[-1]:
            rows.pop()
        return rows


@cache
def timed(seed: int, gpus: int) -> tuple[Run, tuple[tuple[float, Event], ...]]:
    """A run in the default dialect, and its events with their seconds in a short show."""
    run = run_of(job_of(seed, gpus=gpus, recipe="pretrain", dialect="pytorch"))
    pace = Pace(run, DURATION)
    return run, tuple((pace.shown(event.at), event) for event in events(run))


def drawn(
    seed: int, gpus: int, screen: Callable[[], Screen], speed: float = 1.0
) -> Iterator[tuple[float, str]]:
    """The moment and the text of everything that is written in a run."""
    run, _ = timed(seed, gpus)
    clock, region = 0.0, LiveRegion(screen, Playback(0.0, speed))
    for frame in play(run, Options(duration=DURATION), screen, region=region):
        clock += frame.delay
        yield clock, frame.text


def picture(golden: Golden) -> str:
    """The screen as text, with a frame that shows where it ends."""
    width, height, gpus, part, unicode, color, seed, before, keys = golden
    screens = [Screen(width, height, color, unicode, live=True)]
    if before:
        screens.insert(0, screens[0]._replace(width=before[0], height=before[1]))
    terminal = Terminal(screens[0].width, screens[0].height)
    region, view = LiveRegion(lambda: screens[0], Playback(0.0)), still(seed, gpus, part)
    region.note = hint if keys else None

    def show(lines: Sequence[str] = ()) -> None:
        terminal.stream.feed(region.draw(lambda: view, lines))

    show()
    for number in range(screens[0].height):
        show([f"line {number} of the log"[: screens[0].width - 1]])
    if before:
        terminal.grow_or_shrink(width, height)
        del screens[0]
        show()
        show(["a line of the new size"[: width - 1]])
    edge = "+" + "-" * width + "+"
    return "\n".join([edge, *(f"|{row}|" for row in terminal.display), edge, ""])


def main() -> None:
    """Write the golden screens."""
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.txt"):
        old.unlink()
    for golden in GOLDENS:
        golden.path.write_text(picture(golden), encoding="utf-8")


if __name__ == "__main__":
    main()
