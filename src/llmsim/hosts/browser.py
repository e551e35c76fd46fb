"""Plays runs in the page. The only asynchronous module: in a browser nothing may block.

web/worker.js makes a Page, calls main() and passes on what the page says. Text goes out in
batches, and no more than the terminal can take in; pauses are timers of the event loop,
so that a resize or a stop is heard in every one of them.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable

from llmsim.errors import PARAMETER, LlmsimError
from llmsim.hosts import messages
from llmsim.hosts.runs import PAUSE, runs_of, seeded
from llmsim.hosts.status import ExitStatus
from llmsim.options.given import from_query
from llmsim.options.table import Options
from llmsim.run.timeline import Run
from llmsim.show.dashboard import progress
from llmsim.show.live_region import LiveRegion
from llmsim.show.opening import Frame, shows_board
from llmsim.show.pace import pace_of
from llmsim.show.playback import Playback
from llmsim.show.player import farewell, play
from llmsim.text.screen import TRUECOLOR, Screen, blank_row, emptied, fitted
from llmsim.text.themes import THEMES

# A browser paints once in this time (seconds), so what is due within it is sent together.
# Timers below some 4 ms do not wait at all, and keep the page's messages out.
TICK = 0.016
# A machine that is too slow for the show never waits for a frame, and the page's messages come in
# during real waits alone: after these seconds without one there is a short one.
BREATH, SHORTEST = 0.1, 0.005
# Characters in a batch, about: xterm.js takes these without a long task.
BATCH = 32_768
# No timer is longer than this: the browser's overflow after 24 days and fire at once.
LONGEST_SLEEP = 3600.0
# The most characters that are sent and not yet drawn. Then the show waits, so that a stop is seen
# at once.
WINDOW = 131_072


class Page:
    """The page's terminal as Python sees it.

    `post` sends it a text and the text's length. `announce` tells it, as JSON, which run begins and
    how far the run is.
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
        self._reached = ("", -1, -1)
        self.playback = Playback(time.monotonic())
        self._waited = time.monotonic()  # when messages have come in last
        self._changed = asyncio.Event()  # set at every change: the wait then begins anew
        self._board = True
        self._wall: bool | None = None  # until somebody chooses, the options do
        self.run: Options | None = None  # the run that plays, or has played last
        self._region: LiveRegion | None = None
        self.over = False  # whether the last run has come to its end
        self._screen = Screen(80, 24, color=True, unicode=True, live=True, colors=TRUECOLOR)
        self.resize(columns, rows)
        self._undrawn = 0
        self._room = asyncio.Event()
        self._room.set()
        self._show: asyncio.Task[object] | None = None
        self._stopped = False

    def resize(self, columns: int, rows: int) -> None:
        """Take the window's new size."""
        self._screen = self._screen._replace(width=fitted(columns), height=max(rows, 1))
        self._changed.set()
        if self.over and self._region:  # nothing waits any more, and the poster stands there
            self.post(self._region.redrawn(), 0)

    def theme(self, name: str) -> None:
        """Take the theme of the page: whether its terminal is light or dark."""
        self._screen = self._screen._replace(theme=name if name in THEMES else "auto")
        self._changed.set()

    def typing(self, on: bool) -> None:
        """Have each line of the log wait for a key, or play by the clock."""
        self.playback.typing = on
        self._changed.set()

    def key(self) -> None:
        """Take a key: the log's next line is due."""
        self.playback.type()
        self._changed.set()

    def screen(self) -> Screen:
        """The screen as it is now."""
        return self._screen

    def open_region(self, options: Options) -> LiveRegion | None:
        """Open the live region of a run that has a board."""
        on = shows_board(options, self._screen)
        self._region = LiveRegion(self.screen, self.playback, self._board) if on else None
        if self._region:
            self._region.wall = options.view == "wall" if self._wall is None else self._wall
        return self._region

    def board(self, shown: bool) -> None:
        """Show the board, or the log alone."""
        self._board = shown
        if self._region:
            self._region.board = shown
        self._changed.set()

    def wall(self, shown: bool) -> None:
        """Fill the terminal with the run, or show the log and the board."""
        self._wall = shown
        if self._region:
            self._region.wall = shown
        self._changed.set()

    def pause(self, paused: bool) -> None:
        """Hold the show, or let it go on."""
        self.playback.pause(paused, time.monotonic())
        self._changed.set()

    def speed(self, factor: float) -> None:
        """Go on at this speed."""
        self.playback.go_at(factor, time.monotonic())
        self._changed.set()

    def seek(self, position: float) -> None:
        """Go on at another show second of the run."""
        self.playback.seek(position)
        self._changed.set()

    def skip(self, seconds: float) -> None:
        """Go on this many show seconds later, or earlier if negative."""
        self.playback.left(time.monotonic())
        self.playback.skip(seconds)
        self._changed.set()

    async def wait(self, seekable: bool = True, drawn: bool = True) -> None:
        """Wait until the next frame is due, or until another moment of the run is asked for.

        A change meanwhile shows at once, in a pause too, if all text that is `drawn` has been sent.
        """
        await self._breathe()
        while (left := self.playback.left(time.monotonic())) >= TICK:
            if seekable and self.playback.asked:
                return
            if self._changed.is_set():
                self._changed.clear()
                if self._region and drawn:
                    await self.write(self._region.redrawn())
                continue
            # asyncio.wait counts from now; a moment reckoned before may be past on a slow machine.
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({changed}, timeout=min(left, LONGEST_SLEEP))
            finally:
                changed.cancel()
            self._waited = time.monotonic()

    async def _breathe(self) -> None:
        """Let messages come in even when there is no time to wait."""
        late = time.monotonic() - self._waited >= BREATH
        await asyncio.sleep(SHORTEST if late else 0)
        self._waited = time.monotonic() if late else self._waited

    def drawn(self, size: int) -> None:
        """Take back the credit of a text that the terminal has drawn."""
        self._undrawn -= size
        if self._undrawn <= WINDOW:
            self._room.set()

    def announce(self, message: dict[str, object]) -> None:
        """Tell the page: see FromWorker in web/messages.d.ts."""
        self._announce(json.dumps(message))

    def reach(self, phase: str, share: float, shown: float, at: float) -> None:
        """Tell the page how far the run is, when that is another phase, percentage or show second.

        `at` is the simulated second of the show second `shown`.
        """
        if (reached := (phase, int(share * 100), int(shown))) != self._reached:
            self._reached = reached
            self.announce(
                {"type": "reached", "phase": phase, "percent": reached[1], "shown": shown, "at": at}
            )

    def refuse(self, names: list[str], sentences: list[str]) -> None:
        """Tell the page which parameters are wrong: the first by its sentence, how many others."""
        if sentences:
            said = " ".join(messages.few(sentences, 1))
            self.announce({"type": "refused", "names": names, "sentence": said})

    def ending(self) -> str:
        """The text that leaves the board as it stands when a show is stopped, or the end of the log
        where the wall was.
        """
        return (self._region.log_again() or self._region.left()) if self._region else ""

    async def write(self, text: str) -> None:
        """Send a text, and wait while the terminal has too much to draw."""
        if not text:
            return
        self._undrawn += len(text)
        if self._undrawn > WINDOW:
            self._room.clear()
        self.post(text, len(text))
        await self._room.wait()

    async def follow(self) -> None:
        """Bring the board to the line that has been typed; by the clock it comes by itself."""
        if self.playback.typing and self._region:
            await self.write(self._region.redrawn())

    def start(self) -> None:
        """Let stop() end the task that is running now. Raises CancelledError if it came before."""
        if self._stopped:
            raise asyncio.CancelledError
        self._show = asyncio.current_task()

    def stop(self) -> None:
        """End the show, whatever it is waiting for."""
        self._stopped = True
        if self._show:
            self._show.cancel()


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
