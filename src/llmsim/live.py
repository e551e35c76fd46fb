"""A run on a terminal with the board below its log."""

from collections.abc import Callable, Iterator, Sequence

from llmsim.dialects import Tell, lines_of
from llmsim.dialects.line import Bar
from llmsim.events import Event
from llmsim.job import Job
from llmsim.terminal import region
from llmsim.terminal.board import View, board
from llmsim.terminal.palette import painted
from llmsim.terminal.screen import Screen
from llmsim.typed import Any
from llmsim.watch import Watch

TICK = 0.1  # show seconds at speed 1 after which the board is drawn anew
HIGHEST_PACE = 100.0


class Stage:
    """The terminal: the log, and below it the board or, where it has no room, the bar."""

    def __init__(self, screen: Callable[[], Screen]) -> None:
        """`screen` is asked before each drawing, so that a resize takes hold."""
        self._ask = screen
        self._screen = screen()
        self._rows: list[str] = []
        self._bar = ""

    def tell(self, tell: Tell, event: Any, job: Job) -> list[str]:
        """The lines that an event leaves in the log; a bar is noted until it is full."""
        kept = []
        for line in tell(event, job, self._ask()):
            full = not isinstance(line, Bar) or line.fraction >= 1
            if full:
                kept.append(line.text)
            if isinstance(line, Bar):
                self._bar = "" if full else line.text
        return kept

    def draw(self, view: Callable[[], View], lines: Sequence[str] = ()) -> str:
        """The text that shows the view on the board, and lines above it.

        With lines the board stays as it was: the next tick, which is near, shows the news.
        """
        screen, rows = self._ask(), self._rows
        resized = screen != self._screen
        if resized or not lines:
            rows = [painted(row, screen) for row in board(view(), screen)]
            rows = rows or [self._bar] * bool(self._bar)
        text = region.redrawn(None if resized else self._rows, lines, rows)
        self._screen, self._rows = screen, rows
        return text


def moments(start: float, end: float, tick: float) -> Iterator[float]:
    """The multiples of a tick between two moments, and the second of these."""
    number = int(start / tick) + 1
    while number * tick < end:
        yield number * tick
        number += 1
    yield end


def with_board(
    timed: Iterator[tuple[float, Event]],
    job: Job,
    screen: Callable[[], Screen],
    speed: float,
    at_once: int,
) -> Iterator[tuple[float, str]]:
    """Pairs of show seconds to wait and then text to write.

    Only what has no text is waited for: a text that waited could have the size of a terminal
    that was resized meanwhile. At a higher speed ticks are further apart, so that they stay
    ten a second on the wall. The first lines, `at_once` of them, do not wait.
    """
    pace = min(max(speed, 1.0), HIGHEST_PACE)
    told, watch, stage = lines_of(job.dialect), Watch(job, pace), Stage(screen)
    clock, printed = 0.0, 0
    for gap, event in timed:
        start, clock = clock, clock + gap
        before = start
        for now in moments(start, clock, TICK * pace) if gap and printed >= at_once else ():
            yield now - before, ""
            before, part = now, (now - start) / gap
            if now < clock and (text := stage.draw(watch.seen(event, part, now))):
                yield 0.0, text
        watch.see(event)
        if (tell := told.get(type(event))) and (lines := stage.tell(tell, event, job)):
            yield 0.0, stage.draw(watch.seen(event, 1.0, clock), lines)
            printed += len(lines)
    yield 0.0, region.cleared()
