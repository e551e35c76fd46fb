"""Windows: the console's keyboard, and its escape codes."""

from llmsim.hosts.keyboard import Keyboard
from llmsim.hosts.keys import NAMES, UNKNOWN

# Seconds between two reads of the keyboard, since no call can wait for a key.
TICK = 0.05
SPECIAL = "\x00\xe0"  # the first half of an arrow or a function key
SECOND = {"K": "back", "M": "forward", "G": "beginning"}  # the scan codes of arrows and Home
STANDARD_OUTPUT = -11  # GetStdHandle
VIRTUAL_TERMINAL = 0x0004  # SetConsoleMode: ENABLE_VIRTUAL_TERMINAL_PROCESSING


def escape_codes(mode: int | None = None) -> int | None:
    """Makes the console obey escape codes, and returns its earlier mode; None without a console.

    If a mode is given, that mode is set instead.
    """
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]  # Windows alone
    handle, before = kernel.GetStdHandle(STANDARD_OUTPUT), ctypes.c_ulong()
    if not kernel.GetConsoleMode(handle, ctypes.byref(before)):
        return None
    kernel.SetConsoleMode(handle, before.value | VIRTUAL_TERMINAL if mode is None else mode)
    return before.value


class WindowsKeyboard(Keyboard):
    """The console's keyboard, which can be read but not waited for."""

    is_open = False  # nothing can wait for it

    def changed_hands(self) -> bool:
        """Always False: Windows has no job control."""
        return False

    def open(self) -> None:
        """Does nothing: the console gives each key at once without a change."""

    def close(self) -> None:
        """Does nothing: open() has changed nothing."""

    def pressed(self) -> list[str]:
        """The names of the keys that were pressed since the last call; does not wait."""
        import msvcrt

        names = []
        while msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]  # Windows alone has it
            character = msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
            if character in SPECIAL:
                second = msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
                names += [SECOND[second]] if second in SECOND else []
            else:
                names.append(NAMES.get(character, UNKNOWN))
        return names

    def patience(self) -> float:
        """Seconds after which pressed() must be called again."""
        return TICK
