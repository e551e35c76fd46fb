"""Signals as flags, since a handler that raised an error could do so between any two bytecodes.

    signal -> flag, and a byte in a pipe -> select() returns -> the host asks for the flag

So the host obeys a signal where it waits, and nowhere else.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:  # signal makes enumerations of all its names, for which the first line would have to wait
    import _signal as signal

Handler = Callable[[int, "FrameType | None"], object] | int


class Stopped(BaseException):
    """A signal has asked for the end; `status` is the exit status."""

    def __init__(self, status: int) -> None:
        self.status = status


# What ends a show. Windows has few of these.
ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1",
          "SIGUSR2", "SIGXCPU")  # fmt: skip
# These end a show even if they were ignored: shells ignore SIGINT for jobs in the background.
ALWAYS = ("SIGINT", "SIGTERM")
SUSPENDING, RETURNING, RESIZING = "SIGTSTP", "SIGCONT", "SIGWINCH"


def _numbers(*names: str) -> list[int]:
    """The numbers of these signals, as far as the system has them."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


class Signals:
    """The signals that have come since catch()."""

    def __init__(self) -> None:
        """Catches nothing yet."""
        self.asked = 0  # the number of the first that asked for the end
        self.asked_at = inf  # when, as time.monotonic() has it
        self.suspended = False  # Ctrl+Z was pressed
        self.disturbed = False  # the terminal was resized, or is ours again
        self.resized = False  # it was resized
        self._ear = self._mouth = -1  # a pipe
        self._before: dict[int, Handler] = {}  # what the process did with each signal
        self._woken_before = -1  # the descriptor that signals were written to

    def catch(self, terminal: bool) -> None:
        """Catches the signals that end a show and, with a terminal, that suspend or disturb it."""
        with suppress(OSError, ValueError):  # without it a signal is heard a little later
            self._ear, self._mouth = os.pipe()
            os.set_blocking(self._ear, False)
            os.set_blocking(self._mouth, False)
            self._woken_before = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
        for number in _numbers(*ENDING):
            if number in _numbers(*ALWAYS) or signal.getsignal(number) is not signal.SIG_IGN:
                self._handle(number, self._end)
        for number in _numbers(SUSPENDING) if terminal else ():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handle(number, self._suspend)
        for number in _numbers(RETURNING, RESIZING) if terminal else ():
            self._handle(number, self._disturb)
        for number in _numbers("SIGTTIN") if terminal else ():
            self._handle(number, signal.SIG_IGN)  # a read in the background fails, and that is all

    def ignore(self) -> None:
        """Ignores all signals from now on: the process is cleaning up and ends by itself."""
        self.asked, self.asked_at = 0, inf
        for number in _numbers(*ENDING, SUSPENDING):
            self._handle(number, signal.SIG_IGN)

    def restore(self) -> None:
        """Restores the earlier handlers of all signals, and closes the pipe."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if self._ear >= 0:
            with suppress(ValueError):  # not the main thread, which has no say in it either
                signal.set_wakeup_fd(self._woken_before)
            os.close(self._ear)
            os.close(self._mouth)
            self._ear = self._mouth = -1

    def _handle(self, number: int, handler: "Handler") -> None:
        """Sets the handler of a signal and remembers the earlier one."""
        before = signal.getsignal(number)
        if before is None:  # set by something that is not Python, and could not be set back
            return
        with suppress(ValueError):  # only the main thread may
            signal.signal(number, handler)
            self._before.setdefault(number, before)

    def check(self) -> None:
        """Raises Stopped if a signal has asked for the end."""
        if self.asked:
            raise Stopped(128 + self.asked)

    def drain(self) -> None:
        """Reads the bytes that have woken a select()."""
        with suppress(OSError):
            while self._ear >= 0 and os.read(self._ear, 512):
                pass

    def ears(self) -> list[int]:
        """The descriptors for a select() that a signal must end."""
        return [self._ear] if self._ear >= 0 else []

    def suspend(self) -> None:
        """Stops the process as Ctrl+Z does, and returns when it is continued."""
        (number,) = _numbers(SUSPENDING)
        self.suspended = False
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # without effect if no shell could continue the process
        signal.signal(number, self._suspend)

    def _end(self, number: int, _frame: "FrameType | None") -> None:
        if not self.asked:
            self.asked, self.asked_at = number, time.monotonic()

    def _suspend(self, _number: int, _frame: "FrameType | None") -> None:
        self.suspended = True

    def _disturb(self, number: int, _frame: "FrameType | None") -> None:
        self.disturbed = True
        self.resized = self.resized or number in _numbers(RESIZING)
