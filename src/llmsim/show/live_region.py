"""A run on a terminal: its log, and below that the board, the bar or a note."""

from collections.abc import Callable, Iterator, Sequence

from llmsim.board import region
from llmsim.board.board import View, board
from llmsim.dialects.line import Bar, Render
from llmsim.job.records import Job
from llmsim.run.events import Event
from llmsim.run.timeline import Run
from llmsim.show.dashboard import Dashboard
from llmsim.show.playback import Playback
from llmsim.show.streams import job_after, tellers
from llmsim.text.screen import Screen
from llmsim.text.style import painted
from llmsim.typed import Any

TICK = 0.1  # show seconds at speed 1 after which the board is drawn anew
HIGHEST_PACE = 100.0
NOTE_NEEDS = 3  # rows of a screen that has room for a note

Note = Callable[[int], str]  # a text of no more cells than are given


class LiveRegion:
    """The rows below the log: the board or, where it has no room, the bar; and a note.

    The host may change `board` (whether there is one), `note` (what it has to say, in a row at
    the bottom) and the playback's speed at any time, and then write redrawn().
    """

    def __init__(
        self, screen: Callable[[], Screen], playback: Playback, board: bool = True
    ) -> None:
        """`screen` is asked before each drawing, so that a resize takes hold."""
        self._ask = screen
        self._screen: Screen | None = screen()  # None if its content is unknown
        self._rows: list[str] = []
        self._drawn: tuple[bool, Note | None] = (board, None)
        self._bar: Bar | None = None
        self._view: Callable[[], View] | None = None
        self._playback, self.board = playback, board
        self.note: Note | None = None

    def pace(self) -> float:
        """How many show seconds a second of ticks takes: these stay ten a second on the wall."""
        return min(max(self._playback.speed, 1.0), HIGHEST_PACE)

    def lines(self, tell: Render, event: Any, job: Job) -> list[str]:
        """The lines that an event leaves in the log; a bar is noted until it is full."""
        kept = []
        for line in tell(event, job, self._ask()):
            full = not isinstance(line, Bar) or line.fraction >= 1
            if full:
                kept.append(line.text)
            if isinstance(line, Bar):
                self._bar = None if full else line
        return kept

    def draw(self, view: Callable[[], View], lines: Sequence[str] = ()) -> str:
        """The text that shows the view on the board, and lines above it.

        With lines the board stays as it was: the next tick, which is near, shows the news.
        """
        self._view = view
        screen, rows, wanted = self._ask(), self._rows, (self.board, self.note)
        resized = screen != self._screen
        if resized or wanted != self._drawn or not lines:
            rows = self._region(view, screen)
        before = None if resized else self._rows
        self._screen, self._rows, self._drawn = screen, rows, wanted
        if not screen.live:  # another job has the terminal: nothing there may be erased
            return "".join(f"{line}\n" for line in lines)
        return region.redrawn(before, lines, rows)

    def _region(self, view: Callable[[], View], screen: Screen) -> list[str]:
        """The rows below the log."""
        if not screen.live:
            return []
        rows = [painted(row, screen) for row in board(view(), screen)] if self.board else []
        if self._bar and not rows:
            rows.append(self._bar.text)
        if self.note and screen.height >= NOTE_NEEDS:
            text = self.note(screen.width - 2)
            rows.append(painted((("", " "), ("label", text)), screen))
        return rows

    def redrawn(self) -> str:
        """The text that shows what has changed since the last drawing, the run standing still."""
        return self.draw(self._view) if self._view else ""

    def forget(self) -> None:
        """Assume that the terminal shows something unknown: the next drawing is a whole one."""
        self._screen = None

    def cleared(self) -> str:
        """The text that takes the region away."""
        self._rows, self._bar, self._view = [], None, None
        return region.cleared() if self._ask().live else ""


def moments(start: float, end: float, tick: Callable[[], float]) -> Iterator[float]:
    """The multiples of a tick, which may change, between two moments, and the second of these."""
    now = start
    while True:
        step = tick()
        number = int(now / step) + 1
        number += number * step <= now  # a quotient rounded down
        now = number * step
        if now >= end:
            break
        yield now
    yield end


def render(
    timed: Iterator[tuple[float, Event]],
    run: Run,
    live: LiveRegion,
    at_once: int,
    since: float = 0.0,
    stream: str = "log",
) -> Iterator[tuple[float, str]]:
    """Pairs of show seconds to wait and then text to write.

    Only what has no text is waited for: a text that waited could have the size of a terminal
    that was resized meanwhile. At a higher speed ticks are further apart, so that they stay
    ten a second on the wall. The first lines, `at_once` of them, do not wait.
    """

    def tick() -> float:
        return TICK * live.pace()

    printing, dashboard = tellers(run.job, stream), Dashboard(run)
    job = run.job
    clock, printed, reached = 0.0, 0, since
    for gap, event in timed:
        start, clock = clock, clock + gap
        before = start
        for now in moments(start, clock, tick) if gap and printed >= at_once else ():
            yield now - before, ""
            before = now
            at = reached + (event.at - reached) * (now - start) / gap
            if now < clock and (text := live.draw(dashboard.seen(at, now, live.pace()))):
                yield 0.0, text
        reached = event.at
        job = job_after(job, event)
        if (tell := printing.get(type(event))) and (lines := live.lines(tell, event, job)):
            yield 0.0, live.draw(dashboard.seen(event.at, clock, live.pace()), lines)
            printed += len(lines)
    yield 0.0, live.cleared()
