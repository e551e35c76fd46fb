"""A show as a guest of a real shell on a real terminal: keys, signals, jobs, and what is left."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.board.stage import Terminal

pytestmark = pytest.mark.long

PATIENCE = 60.0  # seconds after which a test gives up; none waits so long when all is well
# As typed, and as the shell repeats it: as long in every checkout, since a longer one would wrap.
LLMSIM = "llmsim --seed 7 --dialect pytorch --gpus 8 --color always"
PROMPT = "@@ "
HINT = "q quit"


class Shell:
    """bash with job control on a terminal of its own, and a person who types and looks."""

    def __init__(self, programs: Path, columns: int = 100, rows: int = 30) -> None:
        """`programs` is a folder that gets the command llmsim."""
        command = programs / "llmsim"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m llmsim "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        environment = {name: value for name, value in os.environ.items() if "COLOR" not in name}
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        environment |= {"TERM": "xterm-256color", "PS1": PROMPT, "HISTFILE": "/dev/null"}
        pid, self.master = pty.fork()
        if pid == 0:  # in the child
            shell = "bash"
            os.execvpe(shell, [shell, "--norc", "--noprofile", "--noediting", "-i"], environment)
        self.pid, self.terminal, self.seen = pid, Terminal(columns, rows), b""
        # A read may end within a character.
        self.decode = getincrementaldecoder("utf-8")("replace").decode
        self.resize(columns, rows)
        self.until(self.prompted)
        self.enter("PS1='@''@ '")  # as typed it is not the prompt that the tests wait for

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if (columns, rows) != (self.terminal.columns, self.terminal.lines):
            self.terminal.grow_or_shrink(columns, rows)

    def row(self) -> str:
        """The row of the cursor."""
        row: str = self.terminal.row(self.terminal.cursor.y)
        return row

    def rows(self) -> list[str]:
        return [self.terminal.row(number) for number in range(self.terminal.lines)]

    def text(self) -> str:
        return "\n".join(self.rows())

    def read(self) -> None:
        if select.select([self.master], [], [], 0.05)[0]:
            data = os.read(self.master, 65_536)
            self.seen += data
            self.terminal.stream.feed(self.decode(data))

    def until(self, ready: Callable[[], object]) -> None:
        """Look at the screen until something is there."""
        limit = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < limit, self.text()
            self.read()

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def enter(self, line: str) -> None:
        """Type a line and wait for the next prompt."""
        before = self.seen.count(b"\n" + PROMPT.encode())
        self.press(line + "\n")
        self.until(lambda: self.seen.count(b"\n" + PROMPT.encode()) > before)

    def answer(self, line: str) -> str:
        """What a line prints."""
        self.enter(f'echo "<<$({line})>>"')
        found = re.findall(r"<<(.*?)>>", self.seen.decode(errors="replace"), re.DOTALL)
        return str(found[-1])

    def status(self) -> int:
        """What the last command ended with."""
        place = len(self.seen)
        self.press('echo "<$?>"\n')
        self.until(lambda: re.search(rb"<[0-9]+>\r", self.seen[place:]))
        return int(re.findall(rb"<([0-9]+)>\r", self.seen[place:])[-1])

    def prompted(self) -> bool:
        """Whether the shell waits for a command."""
        return self.row().startswith(PROMPT.strip()) and self.terminal.cursor.x == len(PROMPT)

    def start(self, arguments: str = "") -> int:
        """Start a show, wait until its board stands, and give its process."""
        self.press(f"{LLMSIM} {arguments}\n")
        self.until(lambda: HINT in self.text() and self.on_show())
        return os.tcgetpgrp(self.master)

    def on_show(self) -> bool:
        """Whether the board stands whole: the cursor is above its bar again."""
        below = self.rows()[self.terminal.cursor.y + 1 :]
        return any(re.search(r"[━╸─] +[0-9]+%", row) for row in below)

    def modes(self) -> list[object]:
        """The terminal's modes, without what a shell's own line editor sets."""
        return termios.tcgetattr(self.master)

    def is_as_found(self) -> bool:
        """Whether nothing of the show is left but its log."""
        return not (self.terminal.cursor.hidden or any("──" in row for row in self.rows()))

    def close(self) -> None:
        os.kill(self.pid, signal.SIGHUP)
        os.close(self.master)
        os.waitpid(self.pid, 0)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell that has just shown its prompt."""
    opened = Shell(tmp_path)
    yield opened
    opened.close()


def listens(shell: Shell) -> bool:
    """Whether keys come at once and without echo."""
    flags = termios.tcgetattr(shell.master)[3]
    return not flags & (termios.ICANON | termios.ECHO) and bool(flags & termios.ISIG)


@pytest.mark.parametrize("key", ["q", "Q", "\x1b"])
def test_a_key_quits_and_gives_the_terminal_back(shell: Shell, key: str) -> None:
    before = shell.modes()
    shell.start()
    assert listens(shell)
    shell.press(key)
    shell.until(shell.prompted)
    assert shell.modes() == before
    assert shell.status() == 0
    assert shell.is_as_found(), shell.text()


def test_arrows_pastes_and_mice_do_not_quit(shell: Shell) -> None:
    shell.start()
    shell.press("\x1b[A\x1bOB\x1b[<0;5;5M\x1b[200~q\x1b[201~")
    shell.press(" ")
    shell.until(lambda: "paused" in shell.text())
    shell.press("q")
    shell.until(shell.prompted)
    assert shell.status() == 0


def test_keys_change_what_is_shown(shell: Shell) -> None:
    shell.start()
    shell.press("+")
    shell.until(lambda: "2x training" in shell.text() or "2x launch" in shell.text())
    shell.press("g")
    shell.until(lambda: not shell.on_show())
    shell.press("g")
    shell.until(shell.on_show)
    shell.press("n")
    shell.until(lambda: "--seed 8" in shell.text())
    shell.press("q")
    shell.until(shell.prompted)
    assert shell.is_as_found(), shell.text()


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131),
        (signal.SIGUSR1, 138), (signal.SIGALRM, 142),
    ],
)  # fmt: skip
def test_any_signal_gives_the_terminal_back(shell: Shell, number: int, status: int) -> None:
    before = shell.modes()
    os.kill(shell.start(), number)
    shell.until(shell.prompted)
    assert shell.modes() == before
    assert shell.status() == status
    assert shell.is_as_found(), shell.text()
    assert "Traceback" not in shell.text()


def test_ctrl_c_still_works(shell: Shell) -> None:
    shell.start()
    shell.press("\x03")
    shell.until(shell.prompted)
    assert shell.status() == 130
    assert shell.is_as_found(), shell.text()


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(shell: Shell) -> None:
    before = shell.modes()
    shell.start()
    for _ in range(2):
        shell.press("\x1a")
        shell.until(shell.prompted)
        assert shell.is_as_found(), shell.text()
        assert shell.modes() == before
        assert "Stopped" in shell.text()
        shell.press("fg\n")
        shell.until(shell.on_show)
        shell.until(lambda: listens(shell))
        assert shell.terminal.cursor.hidden
    shell.press("q")
    shell.until(shell.prompted)
    assert shell.modes() == before
    assert shell.status() == 0


def test_a_paused_show_is_drawn_anew_after_fg(shell: Shell) -> None:
    shell.start()
    shell.press(" ")
    shell.until(lambda: "paused" in shell.text())
    shell.press("\x1a")
    shell.until(shell.prompted)
    assert "paused" not in shell.text()
    shell.press("fg\n")
    # The word and the board may arrive in two reads.
    shell.until(lambda: "paused" in shell.text() and shell.on_show())


def test_stop_and_continue_from_elsewhere(shell: Shell) -> None:
    process = shell.start()
    os.kill(process, signal.SIGSTOP)
    shell.until(shell.prompted)
    shell.enter("stty sane")
    before, place = shell.modes(), len(shell.seen)
    shell.press("fg\n")
    # A board stands there already: the one that the show left when it was stopped.
    shell.until(lambda: b"\x1b[?2026l" in shell.seen[place:])
    shell.until(lambda: listens(shell))
    shell.until(shell.on_show)
    shell.press("q")
    shell.until(shell.prompted)
    assert shell.modes() == before


def test_in_the_background_it_leaves_the_terminal_alone(shell: Shell) -> None:
    before = shell.modes()
    shell.press(f"{LLMSIM} --instant-print-lines 40 --speed-factor 8 &\n")
    shell.until(lambda: "ranks are up" in shell.text())
    assert shell.modes() == before
    assert not shell.terminal.cursor.hidden
    assert not any("──" in row for row in shell.rows())
    assert "Running" in shell.answer("jobs")
    shell.press("fg\n")
    shell.until(shell.on_show)
    shell.until(lambda: listens(shell))
    shell.press("\x1a")
    shell.until(shell.prompted)
    shell.press("bg\n")
    place = len(shell.seen)
    shell.until(lambda: shell.seen.count(b"\n", place) > 10)
    assert shell.modes() == before
    assert not shell.terminal.cursor.hidden
    assert not shell.on_show()
    shell.press("kill %1; wait %1\n")
    assert shell.status() == 143
    assert shell.modes() == before


def test_a_resize_is_seen_while_the_show_is_paused(shell: Shell) -> None:
    shell.start()
    shell.press(" ")
    shell.until(lambda: "paused" in shell.text())
    for columns, rows in ((60, 20), (120, 40), (40, 12), (20, 5), (80, 24)):
        place = len(shell.seen)
        shell.resize(columns, rows)
        shell.until(lambda place=place: b"paused" in shell.seen[place:])  # type: ignore[misc]
        shell.until(lambda: sum("paused" in row for row in shell.rows()) == 1)
        shell.until(shell.on_show)
    shell.press("q")
    shell.until(shell.prompted)


def test_a_terminal_that_ctrl_s_has_stopped_can_be_left(shell: Shell) -> None:
    process = shell.start("--speed-factor 10")
    shell.press("\x13")
    quiet = 0
    while quiet < 10:  # until nothing more comes
        place = len(shell.seen)
        shell.read()
        quiet = quiet + 1 if len(shell.seen) == place else 0
    os.kill(process, signal.SIGTERM)
    shell.until(lambda: os.tcgetpgrp(shell.master) != process)
    shell.press("\x11")
    assert shell.status() == 143
