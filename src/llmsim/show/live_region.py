"""A run on a terminal: its log, and below that the board, the bar or a note."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby

from llmsim.board import region
from llmsim.board.board import View, board, rows_of
from llmsim.board.opening import Card, opening
from llmsim.board.wall import has_room as wall_fits
from llmsim.dialects.line import Bar, Line, Render
from llmsim.job.records import Job
from llmsim.run.events import Failed, Summary
from llmsim.show.finale import NOTE_NEEDS, Finale
from llmsim.show.playback import Playback
from llmsim.text.log_lines import rows_for, single
from llmsim.text.painting import Painter, painted
from llmsim.text.screen import Screen, emptied
from llmsim.text.style import Row, cut, paint_whole, shade, shortened
from llmsim.text.themes import has_own_colours
from llmsim.typed import Any

HIGHEST_PACE = 100.0
MOVING = shade("blue", 0.55)  # the role of the blocks of a bar that moves
BAR_NEEDS = 16  # rows of a screen that has room for a bar above the board
MARGIN = 2  # cells beside the lines of the log on a wall
HIGHEST = 256  # lines of the log that are kept for a resize

Note = Callable[[int], str]  # a text of no more cells than are given


class LiveRegion:
    """The rows below the log: the board or, where it has no room, the bar; and a note.

    From its first drawing on, the board stands at the bottom of the screen. Free rows between the
    log and the board belong to the region, too. The host may change `board` (whether there is
    one), `note` (what it has to say, in a row at the bottom) and the playback's speed at any
    time, and then write redrawn().
    """

    def __init__(
        self, screen: Callable[[], Screen], playback: Playback, board: bool = True
    ) -> None:
        """`screen` is asked before each drawing, so that a resize takes hold."""
        self._ask = screen
        self._screen: Screen | None = screen()  # None if its content is unknown
        self._rows: list[str] = []
        self._drawn: tuple[bool, bool, Note | None] = (board, False, None)
        self._bar: Bar | None = None
        self._bar_seen: Bar | None = None  # the one of the moment that is drawn
        self._barred = False  # whether a bar has been drawn
        self._view: Callable[[], View] | None = None
        self._playback, self.board, self._painter = playback, board, Painter()
        self.wall = False  # whether the whole screen is the region; the host may change it, too
        self.note: Note | None = None
        self._above = 0  # rows of the log on the screen above the region: at least this many
        self._exact = board  # whether it is known that there are not more
        self._ended: tuple[Summary, Job] | None = None  # the summary of a run that is over
        self.finale: Finale | None = None  # the poster, as long as it stands
        self._free = 0  # the number of the region's first rows that are free for the log
        self._tail: deque[str] = deque(maxlen=HIGHEST)  # the last lines of the log

    def pace(self) -> float:
        """The factor on the show seconds between two ticks, which are farther apart at a higher
        speed: there are four of them in a second of real time.
        """
        return min(max(self._playback.speed, 1.0), HIGHEST_PACE)

    def lines(self, tell: Render | None, event: Any, job: Job) -> list[str]:
        """The lines that an event leaves in the log; a bar is noted until it is full, or until the
        processes that draw it are gone: then it stays in the log as it is.

        The farewell at the end is left to the poster.
        """
        kept = []
        if isinstance(event, Summary):
            self._ended = event, job
        if isinstance(event, Failed) and self._bar:
            kept, self._bar = [self._done(self._bar)], None
        for line in tell(event, job, self._paper()) if tell else ():
            full = not isinstance(line, Bar) or line.fraction >= 1
            if full and not (self.board and isinstance(line, Line) and line.farewell):
                kept.append(self._done(line) if isinstance(line, Bar) else self._inked(line.text))
            if isinstance(line, Bar):
                self._bar = None if full else line
        return kept

    def _paper(self) -> Screen:
        """The screen that lines of the log are written for: on a wall they have a margin."""
        screen = self._ask()
        on_wall = self.wall and wall_fits(screen)
        return screen._replace(width=screen.width - MARGIN) if on_wall else screen

    def is_sized(self) -> bool:
        """Whether the last drawing was for the screen as it is now."""
        return self._screen == self._ask()

    def draw(self, view: Callable[[], View], lines: Sequence[str] = ()) -> str:
        """The text that shows the view on the board, and lines above it.

        If there are lines, the board below them is not drawn anew: the next tick does that.
        """
        self._view, self._bar_seen = view, self._bar
        return self._draw(view, lines)

    def _draw(self, view: Callable[[], View], lines: Sequence[str] = ()) -> str:
        screen, wanted = self._ask(), (self.board, self.wall, self.note)
        before, known = self._screen, wanted == self._drawn
        was_wall = self._drawn[1]
        self._screen, self._drawn = screen, wanted
        if not screen.live:  # somebody else has the terminal: nothing there may be erased
            self._rows, self._above, self._free, self._exact = [], 0, 0, False
            return "".join(f"{line}\n" for line in lines)
        lines = single(lines)
        self._tail.extend(lines)
        if self.wall and wall_fits(screen):
            same = was_wall and before == screen
            return "" if same and lines else self._walled(view, screen, same=same)
        if was_wall and before is not None:
            return self._repainted(view, screen)
        if before == screen and known and lines and self._rows:
            return self._told(view, lines, screen)
        if before is not None and before != screen and self.board:
            return self._repainted(view, screen)
        if before != screen:
            self._above, self._exact = 0, False
        return self._redrawn(view, lines, screen, before == screen)

    def _told(self, view: Callable[[], View], lines: Sequence[str], screen: Screen) -> str:
        """The text that adds lines to the log. A bar that they end gives them its row, and a card
        that they run into moves.
        """
        done, self._barred = self._barred and not self._bar, self._barred and bool(self._bar)
        if done and not self._free:
            self._free = 1
        card = self._rows[: self._free]
        text = region.at_once(self._added(lines, screen))
        into = any(card[: len(card) - self._free])
        moves = self._free and (done or into)
        return text + (self._redrawn(view, (), screen, known=True) if moves else "")

    def _added(self, lines: Sequence[str], screen: Screen) -> str:
        """The text that adds lines to the log: into the free rows first, then above the region."""
        text, more = "", list(lines)
        while more and (taken := rows_for(more[:1], screen.width)) <= self._free:
            text += region.overwritten(more.pop(0), taken)
            self._rows, self._free = self._rows[taken:], self._free - taken
            self._above += taken
        if not more:
            return text
        if self._at_bottom(screen) and self._above >= region.LEAST_MARGIN:
            return text + region.scrolled(more, self._above)
        room = max(0, screen.height - len(self._rows))
        self._above = min(self._above + rows_for(more, screen.width), room)
        return text + region.redrawn(None, more, self._rows)

    def _at_bottom(self, screen: Screen) -> bool:
        """Whether the region is known to end in the screen's last row."""
        return self._above + len(self._rows) >= screen.height

    def _repainted(self, view: Callable[[], View], screen: Screen) -> str:
        """The whole screen anew after a resize: the end of the log, and the region below it.

        What the log may have had on the screen is written again, so that no line is lost.
        """
        lines = list(self._tail)[-screen.height :]
        self._above, self._exact = rows_for(lines, screen.width), True
        self._place(view, screen)
        return region.at_once(region.repainted(lines, self._rows))

    def _walled(self, view: Callable[[], View], screen: Screen, same: bool) -> str:
        """The wall, which has the whole screen. What stood there before has scrolled away."""
        from llmsim.board.wall import MOST_LINES, wall  # only a wall needs it

        seen = view()._replace(pace=self._pace_text())
        more = seen.wall() if seen.wall else None
        if more is None:
            return ""
        newest = list(self._tail)[-MOST_LINES:]
        log = [shortened(line, screen.width - MARGIN, screen.unicode) for line in newest]
        rows: list[str] = [*self._painter.paint(wall(seen, more, log, screen, self.note), screen)]
        before, self._rows = self._rows if same else None, rows
        self._above, self._free, self._exact = 0, 0, True
        if before is not None and len(before) == len(rows):
            return region.rolled(before, rows)
        return region.at_once(region.replaced(rows, screen.height))

    def _redrawn(
        self, view: Callable[[], View], lines: Sequence[str], screen: Screen, known: bool
    ) -> str:
        """The region as it is now, below these lines."""
        before = self._rows if known and not lines else None
        at_bottom, above = self._at_bottom(screen), self._above
        self._above += rows_for(lines, screen.width)
        self._place(view, screen)
        more = len(self._rows) - len(before) if before else 0
        if not (before and at_bottom and 0 < more < above):
            return region.redrawn(before, lines, self._rows)
        room = region.scrolled([""] * more, above) + region.back(more)
        text = region.redrawn([*[""] * more, *before], (), self._rows)
        return region.at_once(room) + text

    def _place(self, view: Callable[[], View], screen: Screen) -> None:
        """Makes the region's rows as they are now; the log keeps the rows above that are left."""
        rows = self._low(view, screen)
        self._above = min(self._above, max(0, screen.height - len(rows)))
        card = Card([])
        if self.board and rows_of(screen) and self._exact:
            card = opening(view(), screen.height - self._above - len(rows), screen)
            rows = self._low(view, screen, card) if card.big or card.told else rows
        self._free = len(card.rows)
        self._rows = [*(painted(row, screen) for row in card.rows), *rows]

    def _low(self, view: Callable[[], View], screen: Screen, card: Card | None = None) -> list[str]:
        """The rows below the free ones: the bar, the board, a note, without what a card has."""
        bar = self._bar_seen
        rows = [cut(self._quiet(bar.text, screen), screen.width)] if bar else []
        if self.board and rows_of(screen):
            rows = rows if screen.height >= BAR_NEEDS else []
            self._barred = bool(rows)
            seen = view()._replace(pace=self._pace_text())
            seen = seen._replace(titled=card.big, told=card.told) if card else seen
            rows += self._painter.paint(board(seen, screen), screen)
        if self.note and screen.height >= NOTE_NEEDS:
            text = self.note(screen.width - 2)
            rows.append(painted((("", " "), ("label", text)), screen))
        return rows

    def _quiet(self, text: str, screen: Screen) -> str:
        """A bar that moves, as quiet as what stands around it, unless it has its own colours."""
        return text if "\x1b" in text else painted(bar_parts(text, MOVING), screen)

    def _done(self, bar: Bar) -> str:
        """A bar that is full: it stays in the log, quiet, but its numbers stay readable."""
        screen = self._ask()
        if "\x1b" in bar.text or not screen.color:
            return bar.text
        return painted(bar_parts(bar.text, "track"), screen)

    def _inked(self, text: str) -> str:
        """A line that has no colours, in the ink of a screen of one colour: beside the board the
        terminal's own ink would be a second one.
        """
        screen = self._ask()
        if not screen.color or "\x1b" in text or has_own_colours(screen.theme):
            return text
        parts = ([("", each)] if each else [] for each in text.split("\n"))
        return "\n".join(paint_whole(part, screen) for part in parts)

    def _pace_text(self) -> str:
        """The speed if it is not 1, and whether the show is paused."""
        playback = self._playback
        speed = "" if playback.speed == 1.0 else f"{playback.speed:g}x"
        return " ".join(filter(None, ("paused" * playback.paused, speed)))

    def redrawn(self) -> str:
        """The text that shows what has changed since the last drawing, the run standing still."""
        if self.finale:
            return self.finale.redrawn(self._ask(), self._playback.paused)
        return self._draw(self._view) if self._view else ""

    def log_again(self) -> str:
        """The text that leaves the end of the log where a wall was: the run is stopped."""
        was_wall, self.wall = self.wall, False
        self.board = self.board and not was_wall
        return self.redrawn() if was_wall and not self.finale else ""

    def forget(self, resized: bool = False) -> None:
        """Assume that the terminal shows something unknown: the next drawing is a whole one."""
        # After a resize it begins in the first row: lines wrap anew, and the cursor is anywhere.
        self._screen = self._screen._replace(width=0) if resized and self._screen else None
        if self.finale:
            self.finale.forget()

    def cleared(self) -> str:
        """The text that takes the region away; of a run that has ended it leaves the poster."""
        screen, self.finale = self._ask(), None
        if self.board and self._view and self._ended:
            self.finale = Finale(self._view, self._ended, self.wall, [*self._tail])
        self._rows, self._view, self._ended = [], None, None
        self._bar = self._bar_seen = None
        self._above, self._free, self._exact = 0, 0, False
        if self.finale:
            return self.finale.drawn(screen)
        return region.cleared() if screen.live else ""

    def left(self) -> str:
        """The text that leaves the board as it stands, the cursor below it: the run is stopped."""
        rows, self._rows = self._rows, []
        return f"\x1b[{len(rows) - 1}B\n" if len(rows) > 1 else ""

    def emptied(self) -> str:
        """The text that takes everything off the screen, for another moment of the run."""
        self._ended = None
        self.cleared()
        self._tail.clear()
        self._screen, self._exact = self._ask(), self.board
        self._drawn = (self.board, False, self.note)  # no wall stands there any more
        return emptied(self._screen)


def bar_parts(text: str, role: str) -> Row:
    """The blocks of a bar in a role, and the text around them."""
    parts = groupby(text, lambda glyph: "\u2588" <= glyph <= "\u258f")
    return tuple((role if block else "label", "".join(glyphs)) for block, glyphs in parts)
