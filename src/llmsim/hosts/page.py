"""The page's terminal as Python sees it: what comes from the page, and what goes there.

web/worker.js makes a Page, and hosts/browser.py plays on it. Text goes out no faster than the
terminal can take it in, and what a visitor changes is heard in every wait.
"""

import asyncio
import json
import time
from collections.abc import Callable

from llmsim.hosts.messages import few
from llmsim.options.table import Options
from llmsim.show.live_region import LiveRegion
from llmsim.show.opening import shows_board
from llmsim.show.playback import Playback
from llmsim.text.screen import TRUECOLOR, Screen, fitted
from llmsim.text.themes import THEMES

# A browser paints once in this time (seconds), so what is due within it is sent together.
# Timers below some 4 ms do not wait at all, and keep the page's messages out.
TICK = 0.016
# A machine that is too slow for the show never waits for a frame, and the page's messages come in
# during real waits alone: after these seconds without one there is a short one.
BREATH, SHORTEST = 0.1, 0.005
# No timer is longer than this: the browser's overflow after 24 days and fire at once.
LONGEST_SLEEP = 3600.0
# The most characters that are sent and not yet drawn. Then the show waits, so that a stop is seen
# at once.
WINDOW = 131_072


class Page:
    """The page's terminal.

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
            said = " ".join(few(sentences, 1))
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
