"""What can be said of Windows on another system: that its parts are asked, and Unix's are not."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from llmsim.hosts import windows
from llmsim.hosts.keys import UNKNOWN


def test_the_host_needs_nothing_that_unix_alone_has() -> None:
    absent = "import sys; sys.modules.update(dict.fromkeys(('termios', 'fcntl', 'tty', 'pwd')))\n"
    play = "from llmsim import cli; sys.exit(cli.main(['--seed', '7', '--speed-factor', 'max']))"
    ended = subprocess.run([sys.executable, "-c", absent + play], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.count(b"\n") > 50


def test_the_consoles_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = [" ", "\xe0", "H", "\x00", ";", "x", "q", "\x1b"]  # an arrow and F1 in the midst
    console = SimpleNamespace(kbhit=lambda: bool(typed), getwch=lambda: typed.pop(0))
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    keyboard = windows.WindowsKeyboard()
    keyboard.open()
    assert keyboard.pressed() == ["pause", UNKNOWN, "quit", "quit"]
    assert keyboard.pressed() == []
    assert keyboard.patience() <= 0.05
    assert not keyboard.changed_hands()
    keyboard.close()


class Kernel:
    """kernel32 with one console, whose mode it keeps; see SetConsoleMode's documentation."""

    def __init__(self, mode: int | None) -> None:
        self.mode = mode

    def GetStdHandle(self, number: int) -> int:  # noqa: N802
        assert number == -11
        return 7

    def GetConsoleMode(self, handle: int, place: object) -> int:  # noqa: N802
        assert handle == 7
        if self.mode is None:
            return 0
        place._obj.value = self.mode  # type: ignore[attr-defined]
        return 1

    def SetConsoleMode(self, handle: int, mode: int) -> int:  # noqa: N802
        assert handle == 7
        self.mode = mode
        return 1


def test_a_console_obeys_escape_codes_and_gets_its_mode_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(0x3)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert windows.escape_codes() == 0x3
    assert kernel.mode == 0x7  # ENABLE_VIRTUAL_TERMINAL_PROCESSING is 4
    windows.escape_codes(0x3)
    assert kernel.mode == 0x3


def test_what_is_no_console_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(None)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert windows.escape_codes() is None
    assert kernel.mode is None
