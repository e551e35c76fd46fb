"""Words in sentences and lines: a list of names, the name that was probably meant, long lines."""

from collections.abc import Iterable, Sequence


def either(names: Sequence[str]) -> str:
    """The names as a sentence lists them: "a, b or c"."""
    return ", ".join(names[:-1]) + " or " * (len(names) > 1) + names[-1]


def nearest(text: str, names: Sequence[str]) -> str:
    """The name that was probably meant, or nothing when none is near."""
    from difflib import get_close_matches  # only for what is wrong

    if not text.strip("-"):
        return ""
    begun = [name for name in names if name.startswith(text)]
    near = begun if len(begun) == 1 else get_close_matches(text[:60], names, n=1)
    return near[0] if near else ""


def one_of(names: Sequence[str], text: str) -> str:
    """The end of the sentence "cannot be TEXT: ...", which suggests one of the names."""
    near = nearest(text, names)
    hint = f" (did you mean {near}?)" if near else ""
    return f"give {either(names)}{hint}."


def wrapped(words: Iterable[str], room: int, tail: str = "") -> list[str]:
    """Words as lines of at most `room` cells; all but the last end in `tail`.

    A word that is longer than a line is cut as a terminal would cut it, without a tail.
    """
    lines: list[str] = []
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if len(longer) + len(tail) <= room:
            line = longer
            continue
        if line:
            lines.append(line + tail)
        line = word
        while len(line) + len(tail) > room:
            lines.append(line[:room].rstrip())
            line = line[room:].lstrip()
    return [*lines, line] if line else lines
