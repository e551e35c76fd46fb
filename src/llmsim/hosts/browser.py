"""Plays runs in the page. The only asynchronous module: in a browser nothing may block.

web/worker.js makes a Page, calls main() and passes on what the page says. Text goes out in
batches, and no more than the terminal can take in; pauses are timers of the event loop,
so that a resize or a stop is heard in every one of them.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from llmsim.job import Job
from llmsim.options import Options, from_query
from llmsim.planning import plan
from llmsim.player import farewell, play
from llmsim.terminal.ink import RESET, STYLES
from llmsim.terminal.screen import Screen, blank_row, fitted

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

FINISHED, USAGE, INTERRUPTED = 0, 2, 130  # exit statuses, as a shell would see them


class Page:
    """The page's terminal as Python sees it; `post` sends it a text and the text's length."""

    def __init__(self, post: Callable[[str, int], object], columns: int, rows: int) -> None:
        """A terminal of this size that has drawn all it was sent."""
        self.post = post
        self.resize(columns, rows)
        self._undrawn = 0
        self._room = asyncio.Event()
        self._room.set()
        self._show: asyncio.Task[object] | None = None

    def resize(self, columns: int, rows: int) -> None:
        """Take the window's new size."""
        self._screen = Screen(fitted(columns), max(rows, 1), color=True, unicode=True, live=True)

    def screen(self) -> Screen:
        """The screen as it is now."""
        return self._screen

    def drawn(self, size: int) -> None:
        """Take back the credit of a text that the terminal has drawn."""
        self._undrawn -= size
        if self._undrawn <= WINDOW:
            self._room.set()

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


def _runs(options: Options) -> Iterator[Options]:
    """The options of each run: the next seed, and the time of day unless one is given."""
    run = 0
    while options.runs == 0 or run < options.runs:
        start = options.start or datetime.now().replace(microsecond=0)  # noqa: DTZ005  # a log shows local time
        yield options._replace(seed=((options.seed or 0) + run) % 2**64, start=start)
        run += 1


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(0)  # messages from the page come in even when there is no time to sleep
    while (left := moment - time.monotonic()) >= TICK:
        await asyncio.sleep(min(left, LONGEST_SLEEP))


async def _play(job: Job, options: Options, page: Page) -> None:
    """Write each frame when it is due, in batches that are due together."""
    due = sent = time.monotonic()
    batch = ""
    for frame in play(job, options, page.screen):
        due += frame.delay / options.speed_factor
        now = time.monotonic()
        if max(due - now, now - sent) >= TICK or len(batch) >= BATCH:
            await page.write(batch)
            batch = ""
            await _sleep_until(due)
            sent = now = time.monotonic()
        if now - due > 1:
            due = now  # a suspended machine is not caught up with
        batch += frame.text
    await page.write(batch)


async def show(options: Options, page: Page) -> int:
    """Play the runs, with a pause between them, and return the exit status."""
    for number, run in enumerate(_runs(options)):
        if number:
            await asyncio.sleep(PAUSE / options.speed_factor)
        try:
            job = plan(run)
        except ValueError as error:
            await page.write(_complaint(str(error)))
            return USAGE
        await _play(job, run, page)
    return FINISHED


def _complaint(sentence: str) -> str:
    return f"\x1b[{STYLES['warning']}mllmsim: {sentence}{RESET}\n"


async def main(query: Iterable[tuple[str, str]], page: Page) -> int:
    """Play what the URL's query asks for and return the exit status.

    What is wrong with the query is said first, and the show goes on without it.
    """
    options, complaints = from_query(query)
    seed = int.from_bytes(os.urandom(4)) if options.seed is None else options.seed
    page.start()
    try:
        await page.write("".join(map(_complaint, complaints)))
        async with asyncio.timeout(options.exit_after_time):
            return await show(options._replace(seed=seed), page)
    except TimeoutError:
        status = FINISHED
    except asyncio.CancelledError:
        status = INTERRUPTED
    screen = page.screen()
    page.post(f"{blank_row(screen)}{farewell(seed, screen)}\n", 0)
    return status
