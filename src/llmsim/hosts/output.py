"""Standard output: its screen, and writes that a slow reader cannot block for ever."""

import codecs
import os
import select
import sys
import time
from contextlib import suppress
from math import inf

from llmsim.hosts.signals import Signals
from llmsim.text.screen import (
    HIDE_CURSOR,
    NARROWEST,
    PIPE_WIDTH,
    SHOW_CURSOR,
    Screen,
    blank_row,
    color_count,
    fitted,
    theme_of,
    wants_color,
)

# Bytes that a pipe takes without waiting once select() says so.
PIECE = getattr(select, "PIPE_BUF", 512)
# No wait for a reader is longer than this (seconds); a signal ends it earlier.
LONGEST_WAIT = 0.5
# Seconds that a terminal gets to read before the next attempt, when it has too little room.
ROOM_TIME = 0.01
# Seconds for which a stopped show tries to write its goodbye to a stalled reader.
PATIENCE = 0.15

# Bracketed paste: the terminal marks pasted text, so that it is not taken for keys.
PASTES_TOLD, PASTES_PLAIN = "\x1b[?2004h", "\x1b[?2004l"


class Output:
    """Standard output, written without Python's buffer, so that a stop never waits for it."""

    def __init__(
        self,
        color: str = "auto",
        board: bool = False,
        signals: Signals | None = None,
        keys: bool = False,
        theme: str = "auto",
    ) -> None:
        """Raises OSError when there is no standard output.

        `board` says that the live region may have many rows even on a colourless terminal,
        `signals` can end a wait for the reader, and `keys` says that a keyboard is listened to.
        """
        os.fstat(1)
        self._board, self._keys = board, keys
        self._signals = signals or Signals()
        self.encoding = (sys.stdout and sys.stdout.encoding) or "utf-8"
        self._encode = codecs.getincrementalencoder(self.encoding)("replace").encode
        terminal = os.isatty(1)
        self.descriptor = _unwaiting(1) if terminal and signals else 1
        self._screen = Screen(
            width=_columns(os.environ.get("COLUMNS", "")) or (80 if terminal else PIPE_WIDTH),
            height=24,
            color=wants_color(color, os.environ, terminal),
            unicode=_has_blocks(self.encoding),
            live=terminal and os.environ.get("TERM") != "dumb",
            colors=color_count(os.environ),
            theme=theme_of(theme, os.environ),
        )
        self._begun = self._hidden = False
        self._rest = b""  # the part of the last text that is not written yet

    @property
    def rewritable(self) -> bool:
        """Whether it is a terminal that can rewrite lines, even if another job uses it now."""
        return self._screen.live

    def screen(self) -> Screen:
        """The screen as it is now: of the terminal's size, or COLUMNS, or a pipe's full width.

        While another job has the terminal, the screen is not live: nothing is rewritten.
        """
        width = height = 0
        with suppress(OSError):  # a pipe has no size, nor have some terminals
            width, height = os.get_terminal_size(self.descriptor)
        screen = self._screen
        if screen.live:
            from llmsim.hosts.keyboard import in_foreground

            if not in_foreground(self.descriptor):
                screen = screen._replace(live=False)
        if width <= 0:
            return screen
        # On a terminal too narrow for lines there is no room below them.
        height = max(height, 1) if width >= NARROWEST else 1
        return screen._replace(width=fitted(width), height=height)

    def write(self, text: str, deadline: float = inf) -> None:
        """Writes the text; if the reader has stalled until the deadline, the rest is kept back.

        The deadline is a time of time.monotonic(). The rest is written before the next text, so
        that no drawing is cut for a reader that goes on. Raises Stopped when a signal ends the
        wait for the reader, BrokenPipeError when the reader has gone, OSError for other errors.
        """
        data = memoryview(self._rest + self._encode(text))
        try:
            while data and self._ready(deadline):
                try:
                    data = data[os.write(self.descriptor, _piece(data)) :]
                except BlockingIOError:  # room for one byte, but a terminal's line end takes two
                    if self._left(deadline) <= 0:
                        break
                    time.sleep(ROOM_TIME)
        except OSError:
            self._signals.check()  # a terminal that has gone has sent SIGHUP as well
            raise
        self._rest = bytes(data)
        if data:
            self._signals.check()

    def _left(self, deadline: float) -> float:
        """Seconds until the deadline or until a pending signal must be obeyed; may be negative."""
        return min(deadline, self._signals.asked_at) - time.monotonic()

    def _ready(self, deadline: float) -> bool:
        """Whether the reader can take more; waits until it can, or until the deadline."""
        while True:
            left = self._left(deadline)
            longest = max(0.0, min(left, LONGEST_WAIT))
            try:
                if select.select(self._signals.ears(), [self.descriptor], [], longest)[1]:
                    return True
            except (OSError, ValueError):  # not a thing that select knows: see what write() says
                return True
            self._signals.drain()
            if left <= 0:
                return False

    def begin(self) -> None:
        """Hides the cursor of a terminal that shows a live region."""
        screen = self.screen()
        if not self._hidden and screen.live and screen.color:
            self.write(HIDE_CURSOR + (PASTES_TOLD if self._keys else ""))
            self._hidden = True
        self._begun = True

    def end(self, goodbye: str = "", left: str = "", patience: float = PATIENCE) -> None:
        """Writes what is left on the screen, wipes the live region, writes the goodbye, if any, on
        its own line, and shows the cursor.

        A reader that has stalled is waited for no longer than `patience` (seconds).
        """
        if not self._begun:
            return
        screen, text = self.screen(), f"{goodbye}\n" if goodbye else ""
        if screen.live:
            from llmsim.board.region import cleared

            text = left + (cleared() if self._board else blank_row(screen)) + text
        self._begun = False
        self.write(text + self._shown(), time.monotonic() + patience)

    def _shown(self) -> str:
        """The escape code that shows the cursor again, if it was hidden."""
        hidden, self._hidden = self._hidden, False
        return (PASTES_PLAIN if self._keys else "") + SHOW_CURSOR if hidden else ""

    def close(self) -> None:
        """Closes the descriptor that was opened for this process; no write is possible after it."""
        if self.descriptor != 1:
            os.close(self.descriptor)
            self.descriptor = 1

    def resume(self) -> None:
        """Hides the cursor again after another job had the terminal, or shows it in the
        background.
        """
        if self.screen().live:
            self._hidden = False
            self.begin()
        else:
            self.write(self._shown(), time.monotonic() + PATIENCE)


def complain(sentence: str) -> None:
    """Writes to standard error what is wrong, for the person at the terminal."""
    remark(f"llmsim: {sentence}")


def spelled(text: str) -> str:
    """The text with its control characters, other than line ends, as codes such as \\x1b."""
    return "".join(
        each
        if (each >= " " and not "\x7f" <= each < "\xa0") or each == "\n"
        else f"\\x{ord(each):02x}"
        for each in text
    )


def remark(sentence: str) -> None:
    """Writes a sentence to standard error, for the person at the terminal.

    A terminal that Ctrl+S has stopped is not waited for. Control characters, which a file or an
    argument may have brought, are written as their codes: they must not reach a terminal.
    """
    if not sentence:
        return
    sentence = spelled(sentence)
    with suppress(OSError):  # the reader has gone, or has no room
        descriptor = _unwaiting(2) if os.isatty(2) else 2
        try:
            os.write(descriptor, f"{sentence}\n".encode(errors="replace"))
        finally:
            if descriptor != 2:
                os.close(descriptor)


def _unwaiting(descriptor: int) -> int:
    """The same terminal, opened again in non-blocking mode, so that no write() waits for its
    reader.

    On the given descriptor a write() can block: select() says that there is room, but not how
    much. The descriptor is shared with the shell, so its mode must not change.
    """
    with suppress(OSError, AttributeError):  # Windows has none of this
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
        return os.open(os.ttyname(descriptor), flags)
    return descriptor


def _piece(data: memoryview) -> memoryview:
    """The first piece of the data, to be written at once; it ends with a whole UTF-8 character."""
    end = min(PIECE, len(data))
    while PIECE - 4 < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end]


def _columns(text: str) -> int:
    """The value of COLUMNS, if it is a whole number; otherwise None."""
    return fitted(int(text)) if text.isdecimal() and len(text) < 10 and int(text) > 0 else 0


def _has_blocks(encoding: str) -> bool:
    try:
        return bool("…█▏".encode(encoding))
    except UnicodeEncodeError:
        return False
