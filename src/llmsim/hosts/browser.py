"""Plays runs in the page. The only asynchronous module: in a browser nothing may block.

web/worker.js makes a Page, calls main() and passes on what the page says. Text goes out in
batches, and no more than the terminal can take in; pauses are timers of the event loop,
so that a resize or a stop is heard in every one of them.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import inf

from llmsim.errors import PARAMETER, LlmsimError
from llmsim.hosts.runs import fresh_seed, runs_of
from llmsim.hosts.status import ExitStatus
from llmsim.job.records import Job
from llmsim.options.table import Options, command, from_query, identity
from llmsim.planning.plan import plan
from llmsim.run.events import Event
from llmsim.run.simulation import simulate
from llmsim.show.dashboard import Watch
from llmsim.show.live_region import Stage
from llmsim.show.player import farewell, play, shows_board
from llmsim.text.screen import TRUECOLOR, Screen, blank_row, fitted
from llmsim.text.style import colored

# A browser paints once in this time (seconds), so what is due within it is sent together.
# Timers below some 4 ms do not wait at all, and keep the page's messages out.
TICK = 0.016
# Characters in a batch, about: xterm.js takes these without a long task.
BATCH = 32_768
# No timer is longer than this: the browser's overflow after 24 days and fire at once.
LONGEST_SLEEP = 3600.0
# Characters sent and not yet drawn. Above it the show waits, so that a stop is seen at once.
WINDOW = 131_072
# Seconds at speed 1 to look at a summary before the next run begins.
PAUSE = 5.0
# A suspended machine or a hidden tab is not caught up with, but for this many seconds.
ARREARS = 1.0


class Pace:
    """The wait before the next frame: paid off at the speed of the moment, not while paused."""

    def __init__(self, speed: float = 1.0) -> None:
        """Nothing is owed yet."""
        self.speed, self._paused = speed, False
        self._changed = asyncio.Event()
        self.clear()

    def clear(self) -> None:
        """Begin anew: what was owed is forgotten."""
        self._owed = 0.0  # show seconds
        self._paid = time.monotonic()

    def owe(self, delay: float) -> None:
        """Add the delay, in show seconds."""
        self._owed += delay

    def change(self, speed: float | None = None, paused: bool | None = None) -> None:
        """Go on at another speed, pause or resume; it takes hold at once."""
        self.left()
        self.speed = self.speed if speed is None else speed
        self._paused = self._paused if paused is None else paused
        self._changed.set()

    def left(self) -> float:
        """Seconds until the next frame is due; below zero when it is late."""
        now = time.monotonic()
        past, self._paid = now - self._paid, now
        if self._paused:
            return inf
        if self.speed == inf:
            self._owed = 0.0
            return 0.0
        self._owed = max(self._owed - past * self.speed, -ARREARS * self.speed)
        return self._owed / self.speed

    async def wait(self) -> None:
        """Wait until the next frame is due."""
        await asyncio.sleep(0)  # messages come in even when there is no time to sleep
        while (left := self.left()) >= TICK:
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left, LONGEST_SLEEP))


class Page:
    """The page's terminal as Python sees it.

    `post` sends it a text and the text's length, `announce` as JSON what else it is to know:
    what run begins, and how far it is.
    """

    def __init__(
        self,
        post: Callable[[str, int], object],
        columns: int,
        rows: int,
        announce: Callable[[str], object] = lambda _: None,
    ) -> None:
        """A terminal of this size that has drawn all it was sent, with the board."""
        self.post = post
        self._announce = announce
        self._reached = ("", -1)
        self.pace = Pace()
        self._board = True
        self._stage: Stage | None = None
        self.resize(columns, rows)
        self._undrawn = 0
        self._room = asyncio.Event()
        self._room.set()
        self._show: asyncio.Task[object] | None = None

    def resize(self, columns: int, rows: int) -> None:
        """Take the window's new size."""
        width, height = fitted(columns), max(rows, 1)
        self._screen = Screen(width, height, color=True, unicode=True, live=True, colors=TRUECOLOR)

    def screen(self) -> Screen:
        """The screen as it is now."""
        return self._screen

    def stage(self, options: Options) -> Stage | None:
        """Set the stage for a run that has a board."""
        on = shows_board(options, self._screen)
        self._stage = Stage(self.screen, self.pace.speed, self._board) if on else None
        return self._stage

    def board(self, shown: bool) -> None:
        """Show the board, or the log alone."""
        self._board = shown
        if self._stage:
            self._stage.board = shown

    def pause(self, paused: bool) -> None:
        """Hold the show, or let it go on."""
        self.pace.change(paused=paused)

    def speed(self, factor: float) -> None:
        """Go on at this speed."""
        self.pace.change(speed=factor)
        if self._stage:
            self._stage.speed = factor

    def drawn(self, size: int) -> None:
        """Take back the credit of a text that the terminal has drawn."""
        self._undrawn -= size
        if self._undrawn <= WINDOW:
            self._room.set()

    def announce(self, message: dict[str, object]) -> None:
        """Tell the page: see FromWorker in web/messages.d.ts."""
        self._announce(json.dumps(message))

    def reach(self, phase: str, share: float) -> None:
        """Tell the page how far the run is, when that is another phase or percentage."""
        if (reached := (phase, int(share * 100))) != self._reached:
            self._reached = reached
            self.announce({"type": "reached", "phase": phase, "percent": reached[1]})

    async def write(self, text: str) -> None:
        """Send a text, and wait while the terminal has too much to draw."""
        if not text:
            return
        self._undrawn += len(text)
        if self._undrawn > WINDOW:
            self._room.clear()
        self.post(text, len(text))
        await self._room.wait()

    def start(self) -> None:
        """Let stop() end the task that is running now."""
        self._show = asyncio.current_task()

    def stop(self) -> None:
        """End the show, whatever it is waiting for."""
        if self._show:
            self._show.cancel()


def _introduction(run: Options) -> dict[str, object]:
    """What names a run, for the page: the command that plays it again, and its options."""
    return {"type": "run", "run": {"command": command(run), "options": list(identity(run))}}


def _followed(events: Iterable[Event], watch: Watch) -> Iterator[Event]:
    """The events, seen by the watch in passing."""
    for event in events:
        watch.see(event)
        yield event


async def _play(job: Job, options: Options, page: Page) -> None:
    """Write each frame when it is due, in batches that are due together."""
    page.pace.clear()
    sent = time.monotonic()
    batch = ""
    watch = Watch(job)
    events, stage = _followed(simulate(job), watch), page.stage(options)
    for frame in play(job, options, page.screen, events, stage):
        page.pace.owe(frame.delay)
        waited = time.monotonic() - sent
        if max(page.pace.left(), waited) >= TICK or len(batch) >= BATCH:
            await page.write(batch)
            page.reach(*watch.reached())
            batch = ""
            await page.pace.wait()
            sent = time.monotonic()
        batch += frame.text
    await page.write(batch)


async def show(options: Options, page: Page) -> int:
    """Play the runs, with a pause between them, and return the exit status."""
    page.speed(options.speed_factor)
    for number, run in enumerate(runs_of(options)):
        if number:
            page.pace.owe(PAUSE)
            await page.pace.wait()
        try:
            job = plan(run)
        except LlmsimError as error:
            await page.write(_complaint(error.sentence(PARAMETER)))
            return ExitStatus.USAGE.value
        page.announce(_introduction(run))
        await _play(job, run, page)
    return ExitStatus.FINISHED.value


def _complaint(sentence: str) -> str:
    return colored([("warning", f"llmsim: {sentence}")], TRUECOLOR) + "\n"


async def main(query: Iterable[tuple[str, str]], page: Page) -> int:
    """Play what the URL's query asks for and return the exit status.

    What is wrong with the query is said first, and the show goes on without it.
    """
    options, complaints = from_query(query)
    seed = fresh_seed() if options.seed is None else options.seed
    page.start()
    try:
        await page.write("".join(map(_complaint, complaints)))
        async with asyncio.timeout(options.exit_after_time):
            return await show(options._replace(seed=seed), page)
    except TimeoutError:
        status = ExitStatus.FINISHED.value
    except asyncio.CancelledError:
        status = ExitStatus.SIGINT.value
    screen = page.screen()
    page.post(f"{blank_row(screen)}{farewell(seed, screen)}\n", 0)
    return status
