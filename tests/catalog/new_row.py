"""A copy of the project with one more row in a list of its data, and runs that it plays."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.copied import Copy


def played_with(
    row: str, file_name: str, program: str, dialects: Sequence[str], folder: Path
) -> str:
    """What a program of Python prints in the copy; it gets the row's name and the dialects.

    The row is the only change: a new row of data needs no other file.
    """
    copy, path = Copy(folder), f"data/{file_name}"
    with (folder / path).open("a", encoding="ascii") as listed:
        listed.write(f"{row}\n")
    assert copy.touched() == {path}
    return copy.python("-c", program, json.dumps([row.partition(" |")[0], dialects]))
