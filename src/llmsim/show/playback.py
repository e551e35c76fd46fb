"""Where a show is, how fast it goes, and what somebody has asked of it. Used by every host.

    frame -> owe(delay) -> left(now) -> the host sleeps -> the frame is written

It has no clock: each caller gives the time. A wait becomes shorter at the present speed, and not
at all while the show is paused; so a change of speed takes effect within a wait.
"""

from math import inf

# Speeds that keys lead to.
SLOWEST, FASTEST = 2.0**-6, 2.0**10
# Show seconds that a key goes back or on.
SKIP = 10.0
# The most seconds that the show makes up for after the machine or the reader has stopped.
ARREARS = 1.0
# What a host says in a pause where no board says it.
PAUSED = "paused: space goes on"
# A wait of fewer seconds is only the rounding error of a subtraction.
DUST = 1e-6


class Playback:
    """A show's position, in show seconds, and its speed."""

    def __init__(self, now: float, speed: float = 1.0) -> None:
        """`now` is in seconds of the host's clock, here as in every method."""
        self.speed = speed
        self.paused = False
        self.typing = False  # whether each line of the log waits for a key
        self.asked = ""  # "next", "quit" or "seek": what is to come instead of the next frame
        self.target = 0.0  # show second that a seek leads to
        self.begin(now)

    def begin(self, now: float, position: float = 0.0) -> None:
        """Begins a run, or goes on at another position of it, without a wait or a wish.

        The frames without a delay are shown there in a pause, too.
        """
        self.asked = ""
        self._due, self._owed = position, 0.0  # show seconds: of the next frame, and until then
        self._arrived = False
        self._keys = 0  # that were typed, and whose line has not come yet
        self._now = now

    def rest(self, seconds: float, now: float) -> None:
        """Begins a wait of these seconds of the clock at any speed, but of none at the highest."""
        self.begin(now)
        if self.speed < inf:
            self.owe(seconds * self.speed, now)

    @property
    def position(self) -> float:
        """The show seconds that were played when left() was asked last."""
        return self._due - max(self._owed, 0.0)

    def owe(self, delay: float, now: float, due: float | None = None) -> float:
        """Adds a frame's delay in show seconds, and returns what left() does.

        `due` is the frame's show second, which matters where delays were left out.
        """
        self._due = self._due + delay if due is None else due
        self._owed += delay
        self._arrived = self._arrived or delay > 0.0
        return self.left(now)

    def left(self, now: float) -> float:
        """Seconds until the next frame is due: below zero when it is late.

        It is inf in a pause, and while a line waits for a key.
        """
        past, self._now = now - self._now, now
        if self._arrived and (self.paused or (self.typing and not self._keys)):
            return inf
        if self.speed == inf or self.typing:
            self._owed = 0.0
            return 0.0
        self._owed = max(self._owed - past * self.speed, -ARREARS * self.speed)
        left = self._owed / self.speed
        return left if left >= DUST else min(left, 0.0)

    def go_at(self, speed: float, now: float) -> None:
        """Goes on at this speed. The wait under way becomes shorter by it, but never longer.

        A fast show has few moments, and the wait for the next of them would be long at a low speed.
        """
        self.left(now)
        if self._owed > 0.0:
            self._owed = min(self._owed, self._owed / self.speed * speed)
        self.speed = speed

    def faster(self, now: float) -> None:
        """Plays twice as fast, as far as FASTEST."""
        self.go_at(max(self.speed, min(self.speed * 2, FASTEST)), now)

    def slower(self, now: float) -> None:
        """Plays half as fast, as far as SLOWEST; of the highest speed FASTEST is the half."""
        self.go_at(min(self.speed, max(min(self.speed / 2, FASTEST), SLOWEST)), now)

    def pause(self, paused: bool, now: float) -> None:
        """Holds the show, or lets it go on where it was held."""
        self.left(now)
        self.paused = paused

    def type(self) -> None:
        """Takes a key: what comes before the next line of the log, and that line, are due now."""
        self._keys += 1

    def line_shown(self) -> None:
        """Notes that a line of the log was shown."""
        self._keys = max(0, self._keys - 1)

    def ask(self, what: str) -> None:
        """Ends the run under way, paused or not: for the "next", or to "quit"."""
        self.asked, self.paused = what, False
        self._owed = min(self._owed, 0.0)

    def seek(self, position: float) -> None:
        """Asks for another position of the run, in show seconds; a paused show stays paused."""
        if self.asked in ("", "seek"):
            self.asked, self.target = "seek", max(0.0, position)

    def skip(self, seconds: float) -> None:
        """Asks for a position this many show seconds further on, or further back if negative."""
        self.seek((self.target if self.asked == "seek" else self.position) + seconds)
