"""The board on a real terminal (a pty): how it comes, and how it goes."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from tests.board.stage import Terminal

pytestmark = pytest.mark.long

COMMAND = [sys.executable, "-m", "llmsim", "--seed", "7", "--dialect", "pytorch", "--gpus", "8"]
PATIENCE = 30.0  # seconds


class Show:
    """llmsim on a pseudo-terminal, and what that shows."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        """Start it in 80x24."""
        master, slave = pty.openpty()
        self.master, self.terminal = master, Terminal(80, 24)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        inherited = {name: value for name, value in os.environ.items() if "COLOR" not in name}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=slave,
            stdout=slave,
            env={**inherited, "TERM": "xterm-256color", **environment},
        )
        os.close(slave)
        self.seen = b""

    def read(self) -> bool:
        """Take what has come; False at the end."""
        if not select.select([self.master], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.master, 65_536)
        except OSError:  # the other side is closed
            return False
        self.seen += data
        return bool(data)

    def until(self, ready: Callable[[bytes], object]) -> None:
        """Read until what was seen is ready."""
        limit = time.monotonic() + PATIENCE
        while not ready(self.seen):
            assert time.monotonic() < limit
            self.read()

    def finish(self) -> list[str]:
        """Read to the end; the rows on the screen."""
        while self.read():
            pass
        self.process.wait(PATIENCE)
        self.terminal.stream.feed(self.seen.decode())
        return [self.terminal.row(number) for number in range(24)]


@pytest.fixture
def show() -> Iterator[Callable[..., Show]]:
    """Starts shows, which are over when the test is."""
    shows: list[Show] = []

    def start(*arguments: str, **environment: str) -> Show:
        shows.append(Show(*arguments, **environment))
        return shows[-1]

    yield start
    for each in shows:
        each.process.kill()
        each.process.wait()
        os.close(each.master)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [((), {}), (("--view", "board"), {"NO_COLOR": "1"}), ((), {"COLORTERM": "truecolor"})],
)
def test_an_interrupt_takes_the_board_away(
    show: Callable[..., Show], arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    playing = show("--speed-factor", "10", *arguments, **environment)
    playing.until(lambda seen: seen.count(b"\x1b[?2026l") > 20)
    playing.process.send_signal(signal.SIGINT)
    rows = playing.finish()
    assert playing.process.returncode == 130
    last = max(number for number, row in enumerate(rows) if row)
    assert playing.terminal.cursor.y == last + 1
    assert not any(mark in row for row in rows for mark in ("━", "util %", "no step yet"))
    # No drawing stays open; one that the signal met at its very end may be closed twice.
    assert playing.seen.rfind(b"\x1b[?2026h") < playing.seen.rfind(b"\x1b[?2026l")


def test_an_interrupt_leaves_the_end_of_the_log_where_the_wall_was(
    show: Callable[..., Show],
) -> None:
    """The wall has had the whole screen: without it there would be nothing."""
    playing = show("--speed-factor", "10", "--view", "wall")
    playing.until(lambda seen: seen.count(b"\x1b[?2026l") > 60)
    playing.process.send_signal(signal.SIGINT)
    rows = playing.finish()
    last = max(number for number, row in enumerate(rows) if row)
    assert last > 12
    assert all(rows[: last - 2]), rows
    assert not any("kettles" in row or "━" in row for row in rows)
    assert playing.terminal.cursor.y == last + 1


def test_a_show_that_ends_leaves_the_log_alone(show: Callable[..., Show]) -> None:
    playing = show("--duration", "2s")
    rows = playing.finish()
    assert playing.process.returncode == 0
    assert "Same run again" in "\n".join([*playing.terminal.gone, *rows])
    assert not any("━" in row for row in rows)
    assert playing.seen.endswith(b"\x1b[?25h")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("--view", "log"), {}),
        (("--speed-factor", "max"), {}),
        (("--color", "never"), {}),
        ((), {"NO_COLOR": "1"}),
        (("--view", "board"), {"TERM": "dumb"}),
    ],
)
def test_where_there_is_no_board(
    show: Callable[..., Show], arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    playing = show("--duration", "2s", "--speed-factor", "5", *arguments, **environment)
    playing.finish()
    assert "━" not in playing.seen.decode()
