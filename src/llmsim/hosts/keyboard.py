"""The keyboard: standard input in a mode that gives each key at once, during a show."""

import os
import select
import time
from contextlib import suppress
from math import inf

from llmsim.hosts.keys import Decoder
from llmsim.typed import Any

# Seconds after which an Esc is the key and not the beginning of an arrow.
ESCAPE_TIME = 0.1


def in_foreground(descriptor: int) -> bool:
    """Whether this process may read and change the terminal: not after `&` or `bg`."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, AttributeError):  # no job control here
        return True


class Keyboard:
    """A terminal's keyboard, in cbreak mode without echo while it is open; Ctrl+C still works."""

    def __init__(self, descriptor: int = 0) -> None:
        """Changes nothing yet."""
        self.descriptor = descriptor
        self._usual: list[Any] | None = None  # the terminal's modes, which are restored at the end
        self._decoder = Decoder()
        self._came = 0.0  # when the last bytes came
        self._gone = False  # nothing will come any more

    @property
    def is_open(self) -> bool:
        """Whether the terminal is in the mode that open() has set, as far as is known."""
        return self._usual is not None

    def changed_hands(self) -> bool:
        """Whether this process has gained or lost the terminal since open() or close()."""
        return not self._gone and self.is_open != in_foreground(self.descriptor)

    def open(self) -> None:
        """Sets the terminal's mode, if this process may; again if a shell has changed it."""
        import termios

        if self._gone or not in_foreground(self.descriptor):
            self._usual = None
            return
        with suppress(termios.error):
            usual = termios.tcgetattr(self.descriptor)
            modes: list[Any] = [*usual[:6], list(usual[6])]
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            modes[3] |= termios.NOFLSH  # or Ctrl+C would throw away half of a drawing
            modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
            if self._usual is None or usual != modes:
                self._usual = usual
            # TCSANOW, not TCSADRAIN: a terminal stopped by Ctrl+S would block for ever.
            termios.tcsetattr(self.descriptor, termios.TCSANOW, modes)

    def close(self) -> None:
        """Restores the terminal's modes; in the background the shell has done so already."""
        if self._usual is None:
            return
        import termios

        usual, self._usual = self._usual, None
        if in_foreground(self.descriptor):
            with suppress(termios.error):
                termios.tcsetattr(self.descriptor, termios.TCSANOW, usual)

    def pressed(self) -> list[str]:
        """The names of the keys that were pressed since the last call; does not wait."""
        now = time.monotonic()
        names = []
        if self._decoder.waits and now - self._came >= ESCAPE_TIME:
            names = self._decoder.quiet()
        if self.is_open and select.select([self.descriptor], [], [], 0)[0]:
            self._came = now
            names += self._decoder.feed(self._read())
        return names

    def patience(self) -> float:
        """Seconds after which pressed() must be called even without a key; inf if never."""
        return ESCAPE_TIME if self._decoder.waits else inf

    def _read(self) -> bytes:
        data = b""
        with suppress(OSError):  # in the background by now
            data = os.read(self.descriptor, 4096)
        if not data and in_foreground(self.descriptor):
            self._gone = True
            self.close()
        return data
