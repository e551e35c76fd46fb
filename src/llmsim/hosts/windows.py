"""What is different on Windows: the console's keyboard, and its escape codes."""

from llmsim.hosts.keyboard import Keyboard
from llmsim.hosts.keys import NAMES, UNKNOWN

# Seconds between two looks at the keyboard, which nothing can wait for.
TICK = 0.05
SPECIAL = "\x00\xe0"  # the first half of an arrow or a function key
STANDARD_OUTPUT = -11  # GetStdHandle
VIRTUAL_TERMINAL = 0x0004  # SetConsoleMode: ENABLE_VIRTUAL_TERMINAL_PROCESSING


def escape_codes(mode: int | None = None) -> int | None:
    """Has the console obey escape codes, and returns the mode that it had; None for no console.

    With a mode that one is set instead.
    """
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]  # Windows alone
    handle, before = kernel.GetStdHandle(STANDARD_OUTPUT), ctypes.c_ulong()
    if not kernel.GetConsoleMode(handle, ctypes.byref(before)):
        return None
    kernel.SetConsoleMode(handle, before.value | VIRTUAL_TERMINAL if mode is None else mode)
    return before.value


class WindowsKeyboard(Keyboard):
    """The console's keyboard, which is asked and cannot be waited for."""

    is_open = False  # nothing can wait for it

    def changed_hands(self) -> bool:
        """Never: there are no jobs here."""
        return False

    def open(self) -> None:
        """Nothing: the console gives each key at once as it is."""

    def close(self) -> None:
        """Nothing either."""

    def pressed(self) -> list[str]:
        """The names of the keys that were pressed since the last time; does not wait."""
        import msvcrt

        names = []
        while msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]  # Windows alone has it
            character = msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
            if character in SPECIAL:
                msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
            else:
                names.append(NAMES.get(character, UNKNOWN))
        return names

    def patience(self) -> float:
        """Seconds after which pressed() is to be asked."""
        return TICK
