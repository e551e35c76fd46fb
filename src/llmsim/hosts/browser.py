"""Plays runs in the page: asynchronously, as hosts/page.py waits, since nothing may block there.

web/worker.js makes a Page, calls main() and passes on what the page says. Text goes out in
batches; pauses are timers of the event loop, so that a resize or a stop is heard in every one of
them.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from llmsim.errors import PARAMETER, LlmsimError
from llmsim.hosts import messages
from llmsim.hosts.page import TICK, Page
from llmsim.hosts.runs import PAUSE, runs_of, seeded
from llmsim.hosts.status import ExitStatus
from llmsim.options.given import from_query
from llmsim.options.table import Options
from llmsim.run.timeline import Run
from llmsim.show.dashboard import progress
from llmsim.show.opening import Frame
from llmsim.show.pace import pace_of
from llmsim.show.player import farewell, play
from llmsim.text.screen import blank_row, emptied

# Characters in a batch, about: xterm.js takes these without a long task.
BATCH = 32_768


async def _play(run: Run, options: Options, page: Page, since: float) -> None:
    """Play a run from a show second on, and from wherever the page asks for after that."""
    region, pace = page.open_region(options), pace_of(run, options.duration)

    def reach(shown: float) -> None:
        at = pace.simulated(shown)
        page.reach(*progress(run, at), shown, at)

    page.announce({**messages.timeline(run, pace), **messages.picture(options, region)})
    page.playback.begin(time.monotonic(), since)
    await _write(play(run, options, page.screen, since, iter, region), page, reach)
    while page.playback.asked == "seek":
        since, screen = page.playback.target, page.screen()
        await page.write(region.emptied() if region else blank_row(screen) + emptied(screen))
        page.playback.begin(time.monotonic(), since)
        await _write(play(run, options, page.screen, since, iter, region), page, reach)


async def _write(frames: Iterable[Frame], page: Page, reach: Callable[[float], None]) -> None:
    """Write each frame when it is due, in batches that are due together, and say how far it is."""
    sent, batch, shown = time.monotonic(), "", 0.0
    for frame in frames:
        now = time.monotonic()
        left = page.playback.owe(frame.delay, now, frame.shown)
        # What need not wait goes first: then the board can show a pause that comes now.
        due = not frame.delay and not page.playback.typing
        batch, shown = (batch + frame.text, frame.shown) if due else (batch, shown)
        if max(left, now - sent) >= TICK or len(batch) >= BATCH:
            await page.write(batch)
            await page.follow()
            reach(shown)
            batch = ""
            await page.wait(drawn=due or not frame.text)
            if page.playback.asked:
                return
            sent = time.monotonic()
        if not due:
            batch, shown = batch + frame.text, frame.shown
        if frame.lines:
            page.playback.line_shown()
    await page.write(batch)


async def show(options: Options, page: Page, at: str = "") -> int:
    """Play the runs, with a pause between them, and return the exit status.

    The first run begins at the moment `at`, if there is one, written as for --from.
    """
    page.speed(options.speed_factor)
    for number, this in enumerate(runs_of(options)):
        if number:
            page.playback.rest(PAUSE, time.monotonic())
            await page.wait(seekable=False)
        here, shown = bool(at) and not number, this.options
        placed = shown._replace(from_=at) if here else shown
        try:
            since, sentence = messages.beginning_of(this.run, placed)
        except LlmsimError as error:
            await page.write(messages.complaint(error.sentence(PARAMETER)))
            return ExitStatus.USAGE
        page.run = shown
        sentence = messages.of_at(sentence) if here else sentence
        page.refuse(["at" if here else "from"], [sentence] * bool(sentence))
        page.announce(messages.introduction(this.job.run_name, shown))
        await page.write(messages.complaint(sentence) if sentence else "")
        await _play(this.run, shown, page, since)
    page.over = True
    return ExitStatus.FINISHED


async def keep(kind: str, page: Page) -> tuple[str, bytes]:
    """Make a file of the run that plays: its name and its content, of a kind in hosts/downloads.py.

    The show goes on meanwhile.
    """
    from llmsim.hosts.downloads import made  # the page fetches it when somebody asks for a file

    assert page.run, "the page asks while a run plays"
    made_file, heard = ("", b""), time.monotonic()
    for made_file in made(page.run, kind, page.screen()):  # noqa: B007  # the last is the file
        if time.monotonic() - heard >= TICK:
            await asyncio.sleep(TICK)
            heard = time.monotonic()
    return made_file


async def main(query: Iterable[tuple[str, str]], page: Page, at: str = "") -> int:
    """Play what the URL's query asks for, the first run from the moment `at` on, and return the
    exit status.

    What is wrong with the query is said first, and the show goes on without it.
    """
    pairs = list(query)
    asked, complaints = from_query(pairs)
    first, wrong = from_query([("from", at)] if at else [])
    complaints += map(messages.of_at, wrong)
    options = seeded(asked)
    try:
        page.start()
        if complaints:
            page.refuse([pair[0] for pair in pairs if from_query([pair])[1]], complaints)
        await page.write("".join(map(messages.complaint, messages.few(complaints))))
        async with asyncio.timeout(options.exit_after_time):
            return await show(options, page, first.from_ or "")
    except TimeoutError:
        status = ExitStatus.FINISHED
    except asyncio.CancelledError:
        status = ExitStatus.SIGINT
    screen = page.screen()
    goodbye = f"{farewell(options.seed or 0, screen)}\n" if options.jokes else ""
    page.post(f"{page.ending()}{blank_row(screen)}{goodbye}", 0)
    return status
