"""Plays runs on a terminal or into a pipe."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from math import inf
from types import FrameType

from llmsim.hosts.runs import fresh_seed, runs_of
from llmsim.options import Options
from llmsim.planning import plan
from llmsim.player import farewell, play
from llmsim.terminal.region import END, cleared
from llmsim.terminal.screen import (
    NARROWEST,
    PIPE_WIDTH,
    Screen,
    blank_row,
    color_count,
    fitted,
    wants_color,
)
from llmsim.typed import NoReturn

# Text is gathered up to this many characters while nothing has to be waited for.
BATCH = 16_384
# Bytes that a pipe takes without waiting once select() says so.
PIECE = getattr(select, "PIPE_BUF", 512)
# No sleep is shorter than this (seconds): what is due by then is written together.
SHORTEST_SLEEP = 0.002
# No wait is longer than this: a signal may come just before it and be heard only after it.
LONGEST_SLEEP = 0.5
# How long a stopped show tries to say goodbye to a reader that has stalled.
PATIENCE = 0.3

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
    _catch_signals(signal.SIG_IGN)  # one is enough: the cleaning up is not to be interrupted
    raise Stopped(ExitStatus(128 + number))


def _catch_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    numbers = [signal.SIGINT, signal.SIGTERM]
    # Windows has no SIGHUP, and nohup has it ignored.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, handler)


class Output:
    """Standard output, written without Python's buffer, so that a stop never waits for it."""

    def __init__(self, color: str = "auto", board: bool = False) -> None:
        """Opens nothing: the descriptor is the process's own.

        `board` says that the live region may have many rows even on a colourless terminal.
        """
        self._board = board
        self.descriptor = 1
        self.encoding = (sys.stdout and sys.stdout.encoding) or "utf-8"
        terminal = os.isatty(self.descriptor)
        self._screen = Screen(
            width=_columns(os.environ.get("COLUMNS", "")) or (80 if terminal else PIPE_WIDTH),
            height=24,
            color=wants_color(color, os.environ, terminal),
            unicode=_has_blocks(self.encoding),
            live=terminal and os.environ.get("TERM") != "dumb",
            colors=color_count(os.environ),
        )
        self._begun = False
        self._within = False  # whether the last text was written in part

    def screen(self) -> Screen:
        """The screen as it is now: of the terminal's size, or COLUMNS, or a pipe's full width."""
        width = height = 0
        with suppress(OSError):  # a pipe has no size, nor have some terminals
            width, height = os.get_terminal_size(self.descriptor)
        if width <= 0:
            return self._screen
        # Where lines must wrap, nothing that stands below them has room.
        height = max(height, 1) if width >= NARROWEST else 1
        return self._screen._replace(width=fitted(width), height=height)

    def write(self, text: str, deadline: float = inf) -> None:
        """Writes the text; of a reader that has stalled at the deadline the rest is kept back.

        The deadline is one of time.monotonic(). Raises OSError; BrokenPipeError means that the
        reader has gone.
        """
        data = memoryview(text.encode(self.encoding, "replace"))
        while data and self._ready(deadline):
            self._within = True
            data = data[os.write(self.descriptor, _piece(data)) :]
            self._within = bool(data)

    def _ready(self, deadline: float) -> bool:
        """Whether the reader takes more; waits until it does, or until the deadline."""
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                if select.select([], [self.descriptor], [], min(left, LONGEST_SLEEP))[1]:
                    return True
            except (OSError, ValueError):  # not a thing that select knows: see what write() says
                return True
            if not left:
                return False

    def begin(self) -> None:
        """Hides the cursor of a terminal that shows a live line."""
        if not self._begun and self._screen.live and self._screen.color:
            self.write(HIDE_CURSOR)
        self._begun = True

    def end(self, goodbye: str) -> None:
        """Wipes the live line, writes the goodbye, if any, on its own line and shows the cursor.

        A reader that has stalled is not waited for.
        """
        if not self._begun:
            return
        screen, text = self.screen(), f"{goodbye}\n" if goodbye else ""
        if screen.live:
            # A drawing that was cut short is shown all the same; without the board or colours
            # nothing was drawn that the escape code could end.
            drawn = self._board or screen.color
            torn = END if self._within and drawn else ""
            wipe = cleared() if self._board else blank_row(screen)
            text = torn + wipe + text + (SHOW_CURSOR if screen.color else "")
        elif self._within:
            text = "\n" + text
        self.write(text, time.monotonic() + PATIENCE)


def _piece(data: memoryview) -> memoryview:
    """As much as is written at once; a stop between two pieces cuts no UTF-8 character."""
    end = min(PIECE, len(data))
    while PIECE - 4 < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end]


def _columns(text: str) -> int:
    """The value of COLUMNS, if it is one."""
    return fitted(int(text)) if text.isdecimal() and len(text) < 10 and int(text) > 0 else 0


def _has_blocks(encoding: str) -> bool:
    try:
        return bool("…█▏".encode(encoding))
    except UnicodeEncodeError:
        return False


def show(
    options: Options,
    output: Output,
    deadline: float = inf,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Plays the runs; True when the last has ended, False when the clock is at the deadline."""
    due = clock()
    for run in runs_of(options):
        job = plan(run)
        output.begin()
        batch = ""
        for frame in play(job, run, output.screen):
            due += frame.delay / options.speed_factor
            if due - clock() >= SHORTEST_SLEEP or len(batch) >= BATCH:
                output.write(batch, deadline)
                batch = ""
                while (left := min(due, deadline) - clock()) > 0:
                    sleep(min(left, LONGEST_SLEEP))
            now = clock()
            if now >= deadline:
                return False
            if options.speed_factor == inf or now - due > 1:
                due = now  # a stalled reader or a suspended process is not caught up with
            batch += frame.text
        output.write(batch, deadline)
    return clock() < deadline


def _perform(options: Options) -> ExitStatus:
    limit = options.exit_after_time
    deadline = inf if limit is None else time.monotonic() + limit
    seed = fresh_seed() if options.seed is None else options.seed
    output = Output(options.color, options.view == "board")
    goodbye = ""
    try:
        if not show(options._replace(seed=seed), output, deadline):
            goodbye = farewell(seed, output.screen())
    except Stopped as stop:
        goodbye = farewell(seed, output.screen())
        return stop.status
    finally:
        _catch_signals(signal.SIG_IGN)
        output.end(goodbye)
    return ExitStatus.FINISHED


def main(options: Options) -> ExitStatus:
    """Plays the options' runs on standard output and returns the exit status.

    Raises PlanError, before anything is written, when no job can be made of the options, and
    OSError when standard output takes no text.
    """
    try:
        _catch_signals(_stop)
        return _perform(options)
    except Stopped as stop:  # before the show began, or just when it had ended
        return stop.status
    except BrokenPipeError:
        return ExitStatus.CLOSED_PIPE
