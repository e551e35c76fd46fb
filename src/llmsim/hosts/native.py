"""Plays runs on a terminal or into a pipe."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import IntEnum
from math import inf
from types import FrameType
from typing import NoReturn

from llmsim.options import Options
from llmsim.planning import plan
from llmsim.player import farewell, play
from llmsim.terminal.screen import PIPE_WIDTH, Screen, fitted, wants_color

# Text is gathered up to this many characters while nothing has to be waited for.
BATCH = 16_384
# No sleep is shorter than this (seconds): what is due by then is written together.
SHORTEST_SLEEP = 0.002
# No sleep is longer than this, so that no delay can overflow the system's clock.
LONGEST_SLEEP = 3600.0

HIDE_CURSOR = "\x1b[?25l"
SHOW_CURSOR = "\x1b[?25h"


class ExitStatus(IntEnum):
    """What the process says when it ends."""

    FINISHED = 0
    ERROR = 1
    USAGE = 2
    SIGHUP = 129
    SIGINT = 130
    CLOSED_PIPE = 141
    SIGTERM = 143


class Stopped(BaseException):
    """A signal asked for the end; `status` is what to exit with."""

    def __init__(self, status: ExitStatus) -> None:
        self.status = status


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(ExitStatus(128 + number))


def _catch_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), handler)


class Output:
    """Standard output, written without Python's buffer, so that a stop never waits for it."""

    def __init__(self) -> None:
        """Opens nothing: the descriptor is the process's own."""
        self.descriptor = 1
        self.encoding = (sys.stdout and sys.stdout.encoding) or "utf-8"
        self.terminal = os.isatty(self.descriptor)

    def write(self, text: str) -> None:
        """Writes all of the text, waiting for the reader; raises OSError."""
        data = memoryview(text.encode(self.encoding, "replace"))
        while data:
            data = data[os.write(self.descriptor, data) :]

    def would_wait(self) -> bool:
        """Whether the reader has stalled, so that a write would block."""
        try:
            import select

            return not select.select([], [self.descriptor], [], 0)[1]
        except (OSError, ValueError):  # not a thing that select knows, such as a Windows console
            return False

    def unicode(self) -> bool:
        """Whether the encoding has bars and ellipses."""
        try:
            "…█▏".encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def screen(self, color: str) -> Screen:
        """The screen as it is now: the terminal's size, or COLUMNS, or a pipe's full width."""
        try:
            width, height = os.get_terminal_size(self.descriptor)
        except OSError:
            width = height = 0
        if width <= 0:  # a pipe, or a terminal that does not know its size
            columns = os.environ.get("COLUMNS", "")
            fallback = 80 if self.terminal else PIPE_WIDTH
            width = int(columns) if columns.isdecimal() and int(columns) > 0 else fallback
        return Screen(
            width=fitted(width),
            height=max(height, 1),
            color=wants_color(color, os.environ, self.terminal),
            unicode=self.unicode(),
            live=self.terminal and os.environ.get("TERM") != "dumb",
        )


def drawn(options: Options, run: int) -> Options:
    """The options of one run of many: a fresh seed or the next one, and a time to start."""
    seed = secrets.randbelow(2**32) if options.seed is None else (options.seed + run) % 2**64
    start = options.start or datetime.now().replace(microsecond=0)  # noqa: DTZ005  # a log shows local time
    return options._replace(seed=seed, start=start)


def _runs(options: Options) -> Iterator[Options]:
    run = 0
    while options.runs == 0 or run < options.runs:
        yield drawn(options, run)
        run += 1


def show(options: Options, output: Output, deadline: float) -> None:
    """Plays the runs until the last has ended or time.monotonic() has reached the deadline."""
    due = time.monotonic()
    for run in _runs(options):
        job = plan(run)
        batch = ""
        for frame in play(job, run, lambda: output.screen(options.color)):
            due += frame.delay / options.speed_factor
            now = time.monotonic()
            if due - now >= SHORTEST_SLEEP or len(batch) >= BATCH:
                output.write(batch)
                batch = ""
                _sleep_until(min(due, deadline))
            if max(due, now) >= deadline:
                return
            if options.speed_factor == inf or now - due > 1:
                due = now  # a stalled reader or a suspended process is not caught up with
            batch += frame.text
        output.write(batch)


def _sleep_until(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, LONGEST_SLEEP))


def _leave(output: Output, options: Options, interrupted: bool) -> None:
    """Wipes the live line, gives the cursor and colours back and says goodbye."""
    screen = output.screen(options.color)
    if output.would_wait():
        return
    wipe = ("\r\x1b[0m\x1b[K" if screen.color else "\r" + " " * (screen.width - 1) + "\r") * (
        screen.live and interrupted
    )
    goodbye = farewell(options.seed or 0, screen) + "\n" if interrupted else ""
    output.write(wipe + goodbye + (SHOW_CURSOR if screen.live and screen.color else ""))


def main(options: Options) -> int:
    """Plays the options' runs on standard output and returns the exit status.

    Raises ValueError, with one sentence, when no job can be made of the options.
    """
    output = Output()
    first = drawn(options, 0)
    plan(first)  # a combination that cannot be is refused before anything is written
    if options.seed is None and options.runs == 1:
        options = options._replace(seed=first.seed)
    _catch_signals(_stop)
    try:
        try:
            screen = output.screen(options.color)
            if screen.live and screen.color:
                output.write(HIDE_CURSOR)
            limit = options.exit_after_time
            deadline = inf if limit is None else time.monotonic() + limit
            show(options, output, deadline)
            status, interrupted = ExitStatus.FINISHED, time.monotonic() >= deadline
        except Stopped as stop:
            status, interrupted = stop.status, True
        _catch_signals(signal.SIG_IGN)
        _leave(output, options, interrupted)
    except BrokenPipeError:
        status = ExitStatus.CLOSED_PIPE
    return int(status)
