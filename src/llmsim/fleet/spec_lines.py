"""The line of a TOML file on which a key stands: Python's reader does not say it."""

import re

_HEADING = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_.-]+)["']?\s*=""")

# A table by its name and its place among tables of that name, and the key; "" is the heading.
Place = tuple[str, int, str]


def lines_of(text: str) -> dict[Place, int]:
    """The number of the line, counted from 1, of each key and heading of a TOML text."""
    found: dict[Place, int] = {}
    table, counts = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if heading := _HEADING.match(line):
            table = heading[1]
            counts[table] = counts.get(table, -1) + 1
            found.setdefault((table, counts[table], ""), number)
        elif key := _KEY.match(line):
            place = (table, counts.get(table, 0), key[1])
            found.setdefault(place, number)
            before, dot, last = key[1].rpartition(".")
            if dot and not table:
                found.setdefault((before, 0, last), number)
                found.setdefault((before, 0, ""), number)
    return found
