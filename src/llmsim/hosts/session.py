"""The loop of the native host: writes each frame when it is due, and does what keys ask for."""

import time
from collections.abc import Callable, Iterable, Iterator
from math import inf, isfinite

from llmsim.hosts.outlets import Outlets, outlets
from llmsim.hosts.output import Output, remark
from llmsim.hosts.runs import PAUSE, ShownRun, again, drawn, runs_of, seeded
from llmsim.hosts.signals import Signals
from llmsim.job.records import Job
from llmsim.options.table import Options
from llmsim.show.opening import Frame, opening, shows_board
from llmsim.show.playback import PAUSED, SKIP, Playback
from llmsim.text.screen import blank_row, emptied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmsim.hosts.keyboard import Keyboard
    from llmsim.run.events import Event
    from llmsim.show.live_region import LiveRegion, Note

# Text is gathered up to this many characters while nothing has to be waited for.
BATCH = 16_384
# No sleep is shorter than this (seconds): what is due by then is written together.
SHORTEST_SLEEP = 0.002
# No sleep is longer: a shell may bring a job to the foreground without telling it.
LONGEST_SLEEP = 0.5
# Seconds for which the keys are shown at the beginning, and for which a change is.
HINT_TIME, NOTE_TIME = 8.0, 2.0
TYPING = "type: each key prints the next line; Esc ends"
# Seconds that a terminal may take for the last drawing before Ctrl+Z stops the process.
SUSPENSION = 2.0


class Session:
    """Plays runs on an output, one after the other, as keys change them."""

    def __init__(
        self,
        options: Options,
        output: Output,
        deadline: float = inf,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        keyboard: "Keyboard | None" = None,
        signals: Signals | None = None,
    ) -> None:
        """Plays nothing yet; `sleep` may end early when there is a key or a signal."""
        self.asked = options
        self.options, self.output, self.deadline = seeded(options), output, deadline
        self.job: Job | None = None  # of the newest run
        self._left = options.runs  # runs to play, this one included; 0: for ever
        self.clock, self.sleep = clock, sleep
        self.keyboard, self.signals = keyboard, signals or Signals()
        self.playback = Playback(clock(), options.speed_factor)
        self.playback.typing = options.type and keyboard is not None  # else nobody can type
        self.failures: list[str] = []  # a sentence for each export that could not be written
        self._region: LiveRegion | None = None
        self._seekable = True
        self._hinted = False
        self._note_ends = inf

    # --- playing ---------------------------------------------------------------------------

    def play(self) -> bool:
        """Plays the runs; True when the last has ended, False when the time or a key came first.

        Raises Stopped when a signal asks for the end.
        """
        for run in runs_of(self.options._replace(runs=0)):
            self._play(run)
            if self.playback.asked == "next":  # what is skipped does not count
                continue
            if self.playback.asked or self.clock() >= self.deadline:
                return False
            self.say_again(ended=True)
            if self._left == 1 or self._rests():
                break
            self._left -= self._left > 1
        return self._left == 1

    def _rests(self) -> bool:
        """Leaves a board's last picture for some seconds; True if the show is ended meanwhile."""
        if not (self._region and self._region.board):
            return False
        self.playback.rest(PAUSE, self.clock())
        self._seekable = True  # an export is whole by now; an arrow ends the rest, as `next` does
        self._wait()
        return self.playback.asked == "quit" or self.clock() >= self.deadline

    def _play(self, this: ShownRun) -> None:
        began, options = self.clock(), this.options
        if self.job is None:
            remark(drawn(options, this.job))
        since = _beginning(this)  # before anything is written: it may be refused
        with outlets(options, this.run if options.export else None, self.failures) as out:
            self.output.begin()
            self.job = this.job
            self._open_region(options)
            self._seekable = out.exports is None
            self.playback.begin(began, since)
            self._write(self._frames(this, since, out))
            while self.playback.asked == "seek":
                self._empty_screen()
                since = self.playback.target
                self.playback.begin(self.clock(), since)
                self._write(self._frames(this, since, out))
        if self.playback.asked == "next":
            self.output.write(self._cleared(), self.deadline)

    def _frames(self, this: ShownRun, since: float, out: Outlets) -> Iterator[Frame]:
        """The frames of a run from a show second on; its exports get them, too."""
        options, region = this.options, self._region
        screen, first = self.output.screen, None
        if not (since or out.exports or region):  # the typed command needs no timeline
            first = opening(this.job, options, screen())
        if first:
            yield first
        from llmsim.show.player import play  # that is shown before all else is imported

        def through(coming: "Iterable[Event]") -> "Iterable[Event]":
            return out.tee(self._interruptible(coming))

        complete, opened = out.exports is not None, first.text.count("\n") if first else 0
        frames = play(this.run, options, screen, since, through, region, complete, opened)
        yield from out.taped(frames, screen)

    def _write(self, frames: Iterable[Frame]) -> None:
        """Writes each frame when it is due, until something else is asked for or time is up.

        The first text does not wait until the frame after it is made.
        """
        output, clock, deadline, playback = self.output, self.clock, self.deadline, self.playback
        batch, begun = "", False
        for frame in frames:
            now = clock()
            left = playback.owe(frame.delay, now, frame.shown)
            if left >= SHORTEST_SLEEP or len(batch) >= BATCH:
                output.write(batch, deadline)
                batch = ""
                self._wait()
                now = clock()
            if playback.asked or now >= deadline:
                return
            batch += frame.text
            if batch and not begun:
                output.write(batch, deadline)
                batch, begun = "", True
            if frame.lines:
                playback.line_shown()
        output.write(batch, deadline)
        self._attend()  # a run may be over without ever having waited

    def _interruptible(self, coming: "Iterable[Event]") -> "Iterator[Event]":
        """The events, until time is up. Each of them looks for a signal, even if it has no line."""
        for event in coming:
            self.signals.check()
            if self.clock() >= self.deadline:
                return
            yield event

    def _empty_screen(self) -> None:
        """Empties the screen before the show goes on at another moment."""
        screen = self.output.screen()
        text = self._region.emptied() if self._region else blank_row(screen) + emptied(screen)
        self.output.write(text, self.deadline)

    def _open_region(self, run: Options) -> None:
        """Opens the live region of a run that has a board, or keys that can bring one."""
        # A job in the background may come to the foreground.
        screen = self.output.screen()._replace(live=self.output.rewritable)
        before = self._region
        on = before.board if before else shows_board(run, screen)
        rich = screen.live and screen.color and isfinite(run.speed_factor)
        if on or before or (self.keyboard and rich):
            from llmsim.show.live_region import LiveRegion  # a pipe does without

            self._region = LiveRegion(self.output.screen, self.playback, on)
            self._region.note = before.note if before else None
            self._region.wall = before.wall if before else run.view == "wall"
            if self.keyboard and not self._hinted:
                from llmsim.hosts.keys import hint

                self._hinted = True
                self._say(_cut(TYPING) if self.playback.typing else hint, HINT_TIME)

    def _cleared(self) -> str:
        """The text that takes away the live region of a run that is skipped."""
        screen = self.output.screen()
        row = blank_row(screen) if screen.live else ""
        return self._region.cleared() if self._region else row

    def ending(self) -> str:
        """The text that leaves the end of the log where the wall was, if the show is stopped."""
        return self._region.log_again() if self._region else ""

    def say_again(self, ended: bool = False) -> None:
        """Tells the person at the terminal which command plays the newest run again."""
        if self.job:
            poster = bool(self._region and self._region.board)
            remark(again(self.asked, self.job, ended, poster, self._left))

    # --- waiting ---------------------------------------------------------------------------

    def _wait(self) -> None:
        """Waits until the next frame is due, and attends to keys and signals meanwhile."""
        if self.playback.typing and self._region:  # the board, too, has come to this line
            self.output.write(self._region.redrawn(), self.deadline)
        while True:
            self._attend()
            now = self.clock()
            left = min(self.playback.left(now), self.deadline - now)
            if self.playback.asked or left <= 0:
                return
            patience = self.keyboard.patience() if self.keyboard else inf
            self.sleep(max(0.0, min(left, self._note_ends - now, patience, LONGEST_SLEEP)))

    def _attend(self) -> None:
        signals, keyboard = self.signals, self.keyboard
        signals.drain()
        signals.check()
        if signals.suspended:
            self._suspend()
        changed = signals.disturbed or (keyboard is not None and keyboard.changed_hands())
        if changed:
            self._look_up()
        for name in keyboard.pressed() if keyboard else ():
            (self._type if self.playback.typing else self._obey)(name)
            changed = True
        if self.clock() >= self._note_ends:
            self._rest()
            changed = True
        if changed and self._region and not self.playback.asked:
            self.output.write(self._region.redrawn(), self.deadline)

    def _suspend(self) -> None:
        """Gives the terminal back and stops; returns when the process is continued."""
        self.output.end(patience=SUSPENSION)
        if self.keyboard:
            self.keyboard.close()
        self.signals.suspend()
        self.signals.disturbed, self.signals.resized = True, False

    def _look_up(self) -> None:
        """Adapts to the terminal: it was resized, another job has it, or it is ours again."""
        resized, self.signals.disturbed = self.signals.resized, False
        self.signals.resized = False
        if self.keyboard:
            self.keyboard.open()
        self.output.resume()
        if self._region:
            self._region.forget(resized)

    # --- keys ------------------------------------------------------------------------------

    def _type(self, name: str) -> None:
        """Shows the next line for any key; q and Esc end the show."""
        if name == "quit":
            self._obey(name)
        else:
            self.playback.type()

    def _obey(self, name: str) -> None:
        """Does what the key of this name asks for."""
        now, playback = self.clock(), self.playback
        if name == "pause":
            playback.pause(not playback.paused, now)
            self._rest()
        elif name == "faster":
            playback.faster(now)
            self._say_speed()
        elif name == "slower":
            playback.slower(now)
            self._say_speed()
        elif name in ("board", "wall"):
            if self._region:
                self._switch(name, self._region)
        elif name in ("back", "forward", "beginning"):
            self._seek(name)
        elif name in ("next", "quit"):
            playback.ask(name)
            self._rest()
        else:
            from llmsim.hosts.keys import hint

            self._say(hint, NOTE_TIME * 2)

    def _switch(self, name: str, region: "LiveRegion") -> None:
        """Hides the board or the wall, or shows it again. Without a board there is no wall."""
        if name == "board":
            region.board = not region.board
            region.wall = region.wall and region.board
        else:
            region.wall = not region.wall
            region.board = region.board or region.wall
        if self.playback.paused:  # somebody else may have to say so now
            self._rest()

    def _say_speed(self) -> None:
        """Shows the speed in a note, unless a board shows it in its heading."""
        if self._region and self._region.board:
            self._rest()
        else:
            speed = self.playback.speed
            self._say(_cut("speed max" if speed == inf else f"speed {speed:g}"), NOTE_TIME)

    def _seek(self, name: str) -> None:
        """Goes to another moment of the run, unless an export is to have every moment once."""
        if not self._seekable:
            self._say(_cut("an export is being written: it has no way back"), NOTE_TIME)
        elif name == "beginning":
            self.playback.seek(0.0)
        else:
            self.playback.left(self.clock())
            self.playback.skip(SKIP if name == "forward" else -SKIP)

    def _say(self, note: "Note", seconds: float) -> None:
        """Shows a note below the log for some seconds."""
        self._note_ends = self.clock() + seconds
        if self._region:
            self._region.note = note

    def _rest(self) -> None:
        """Shows no note any more, or the one without an end: that the show is paused."""
        self._note_ends = inf
        if self._region:
            board = self._region.board  # a board says it in its heading
            self._region.note = _cut(PAUSED) if self.playback.paused and not board else None


def _beginning(this: ShownRun) -> float:
    """The show second at which a run begins. Raises OptionError where the run is shorter."""
    if not this.options.from_:
        return 0.0
    from llmsim.show.player import beginning

    return beginning(this.run, this.options)


def _cut(text: str) -> "Note":
    return lambda width: text[:width]
