"""Reading what a person has written: files of a fair size, and TOML whose mistakes have a line."""

import os
from stat import S_ISCHR, S_ISREG

from llmsim.errors import OptionError

LARGEST = 65_536  # bytes of a file
MOST_DOTS = 40  # in a line of it, which no option needs


def content_of(path: str, shown: str, what: str, *, must_be: bool, by: str = "") -> bytes:
    """A file's bytes; none if there is no file, which is an error only if it `must_be` there.

    `shown` is its path in a sentence, `what` says what it should be, `by` is what names it.
    Raises OptionError.
    """
    if path.lower() == os.devnull:
        return b""
    try:
        kind = os.stat(path)
    except (OSError, ValueError) as error:
        if must_be:
            named = f"{by} names {shown}" if by else shown
            raise OptionError(f"{named}: {_reason(error)}.") from None
        return b""
    if S_ISCHR(kind.st_mode) and os.path.samestat(kind, os.stat(os.devnull)):
        return b""
    content: bytes | None = None
    if S_ISREG(kind.st_mode):
        try:
            with open(path, "rb", opener=_unwaiting) as file:
                content = file.read(LARGEST + 1)  # None: there is nothing yet, as in a pipe
        except OSError as error:
            raise OptionError(f"{shown} cannot be read: {_reason(error)}.") from None
    if content is None:
        raise OptionError(f"{shown} is not a file: {what}.")
    if len(content) > LARGEST:
        raise OptionError(
            f"{shown} has more than {LARGEST:,} bytes: one line for each option is enough."
        )
    return content


def _unwaiting(path: str, flags: int) -> int:
    """Opens a file so that no read waits: some in /proc look like files and have no end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or "no file can have that name"
    return text[:1].lower() + text[1:]


def toml_of(content: bytes, shown: str, example: str) -> dict[str, object]:
    """The keys and values of a TOML file, of which `example` is a right line.

    Raises OptionError, with the line that is wrong.
    """
    import tomllib  # imported only if there is a file

    for number, row in enumerate(content.splitlines(), 1):
        # Keys in keys in keys take TOML's reader a time that grows with the square of their number.
        if row.count(b".") > MOST_DOTS and not row.lstrip().startswith(b"#"):
            raise OptionError(
                f"{shown} line {number} has too many dots: give lines such as {example}."
            )
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise OptionError(f"{shown} line {line} is not UTF-8: save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        last = content.rstrip().count(b"\n") + 1
        line = int(place[5:].partition(",")[0]) if place.startswith("line ") else last
        reason = reason[:1].lower() + reason[1:]
        raise OptionError(f"{shown} line {line} is not TOML: {printable(reason)}.") from None
    except (RecursionError, ValueError):  # lists in lists, and numbers of thousands of digits
        raise OptionError(f"{shown} cannot be understood: give lines such as {example}.") from None


def printable(text: str) -> str:
    """A path in a sentence, control characters escaped."""
    return text if text.isprintable() else ascii(text)
