"""A copy of the project that a test changes as CONTRIBUTING.md says; it knows what was touched."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _contents(tree: Path) -> dict[str, bytes]:
    """The files of a tree by their paths in it, without what Python compiles."""
    files = [path for path in tree.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in files}


class Copy:
    """Sources and data in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Copies them into an empty folder."""
        self.folder = folder
        for part in ("src", "data"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        self._before = _contents(folder)

    def write(self, path: str, text: str) -> None:
        """Makes a file with this text, and its folder."""
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def replace(self, path: str, before: str, after: str) -> None:
        """Replaces a text that a file has once."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{path} has not one {before!r}"
        file.write_text(text.replace(before, after), encoding="utf-8")

    def touched(self) -> set[str]:
        """The paths of the files that are new, gone or changed."""
        after = _contents(self.folder)
        return {
            path for path in {*self._before, *after} if self._before.get(path) != after.get(path)
        }

    def python(self, *words: str) -> str:
        """What Python prints with the copy's modules; it must end well, and without a complaint."""
        done = subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "PYTHONPATH": str(self.folder / "src"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{words}: {done.stderr}"
        return done.stdout


def told_by_contributing(heading: str) -> set[str]:
    """The paths in backquotes below a heading of CONTRIBUTING.md, without what follows a path."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section, heading
    return set(re.findall(r"`((?:src|data|web|tests)/[^`\s]*)`", section))
