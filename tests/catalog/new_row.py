"""A copy of the project with one more row in a list of its data, and runs that it plays."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def played_with(
    row: str, file_name: str, program: str, dialects: Sequence[str], folder: Path
) -> str:
    """What a program of Python prints in the copy; it gets the row's name and the dialects."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data", folder / "data")
    with (folder / "data" / file_name).open("a", encoding="ascii") as listed:
        listed.write(f"{row}\n")
    played = subprocess.run(
        [sys.executable, "-c", program, json.dumps([row.partition(" |")[0], dialects])],
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (played.returncode, played.stderr) == (0, "")
    return played.stdout
