"""The poster of a run that has ended, as long as it stands on a terminal."""

from collections.abc import Callable, Sequence

from llmsim.board import region
from llmsim.board.board import View, rows_of
from llmsim.board.poster import poster
from llmsim.board.wall import has_room as wall_fits
from llmsim.job.records import Job
from llmsim.run.events import Summary
from llmsim.show.dashboard import closing
from llmsim.show.playback import PAUSED
from llmsim.text.painting import painted
from llmsim.text.screen import Screen

NOTE_NEEDS = 3  # rows of a screen that has room for a note


class Finale:
    """The poster, the end of the log above it, and below it a row that may say "paused".

    The cursor rests at the start of the row below the poster.
    """

    def __init__(
        self, view: Callable[[], View], ended: tuple[Summary, Job], wall: bool, log: Sequence[str]
    ) -> None:
        """It is not drawn yet. `log` has the last lines; a poster in a wall's place has none."""
        self._view, self._ended, self._wall, self._log = view, ended, wall, log
        self._screen: Screen | None = None  # for which it was drawn
        self._known = False  # whether nothing else has been drawn since
        self._paused = False  # whether the last row says it

    def forget(self) -> None:
        """Assume that the terminal shows something unknown."""
        self._known = False

    def drawn(self, screen: Screen) -> str:
        """The text that puts it in the place of a region, with the log above it."""
        if not screen.live:  # somebody else has the terminal
            return ""
        self._screen, self._known = screen, True
        return region.cleared(self._rows(screen))

    def redrawn(self, screen: Screen, paused: bool) -> str:
        """The text that shows what has changed: the terminal's size, or whether it is paused.

        Where something else may stand on a screen of the same size, as after Ctrl+Z, that scrolls
        away first.
        """
        if not screen.live:
            self._known = False
            return ""
        same, known = screen == self._screen, self._known
        if same and known and paused == self._paused:
            return ""
        self._screen, self._known, self._paused = screen, True, paused
        if same and known:
            return region.at_once(region.cleared() + self._note(screen))
        alone = self._wall and wall_fits(screen)
        above = [] if alone else self._log[-screen.height :]
        text = region.repainted([*above, *self._rows(screen)], [self._note(screen)])
        gone = f"\x1b[r\x1b[{screen.height};1H" + "\n" * screen.height if same else ""
        return region.at_once(gone + text)

    def _rows(self, screen: Screen) -> list[str]:
        """The rows of the poster; a screen that has no room for a board has none."""
        if not rows_of(screen):
            return []
        alone = self._wall and wall_fits(screen)
        rows = poster(self._view(), closing(*self._ended), screen, alone)
        return [painted(row, screen) for row in rows]

    def _note(self, screen: Screen) -> str:
        """What the last row says; the cursor is at its start again."""
        if not self._paused or screen.height < NOTE_NEEDS:
            return ""
        return painted((("", " "), ("label", PAUSED[: screen.width - 2])), screen) + "\r"
