"""Follows CONTRIBUTING's steps for a new dialect on a copy of the tree, and counts the files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NEW = {
    "__init__.py": '"""The dialect `laconic`: says only that it goes on."""\n',
    "framework.py": """
from llmsim.job.framework import Framework

FRAMEWORK = Framework("laconic", "says only that it goes on", ("pretrain",))
""",
    "lines.py": """
from llmsim.dialects.line import Line
from llmsim.run import events

LINES = {events.Step: lambda event, job, screen: [Line(f"still training at {event.step}")]}
""",
}


def contents(tree: Path) -> dict[str, bytes]:
    """The sources of a tree, by their paths in it."""
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("src/**/*.py")}


def python(tree: Path, *words: str) -> list[str]:
    """The lines that Python prints with the modules of this tree."""
    command = [sys.executable, *words]
    environment = {"PYTHONPATH": str(tree / "src"), "PATH": "/usr/bin:/bin", "HOME": str(tree)}
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.long
def test_a_new_dialect_is_one_folder_and_one_name(tmp_path: Path) -> None:
    for part in ("src", "data"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    before = contents(tmp_path)

    folder = tmp_path / "src/llmsim/dialects/laconic"
    folder.mkdir()
    for name, source in NEW.items():
        (folder / name).write_text(source)
    registry = tmp_path / "src/llmsim/dialects/registry.py"
    registry.write_text(registry.read_text().replace("NAMES = (\n", 'NAMES = (\n    "laconic",\n'))

    after = contents(tmp_path)
    touched = {path for path in after if after[path] != before.get(path)}
    assert touched == {
        "src/llmsim/dialects/registry.py",
        *(f"src/llmsim/dialects/laconic/{name}" for name in NEW),
    }
    told = (ROOT / "CONTRIBUTING.md").read_text().partition("## A dialect\n")[2]
    told = told.partition("\n## ")[0].replace("NAME/", "laconic/")
    folder_told, *files_told = re.findall(r"`(src/\S+)`", told)
    assert files_told == ["src/llmsim/dialects/registry.py"]
    assert all(f"`{name}`" in told for name in NEW)
    assert {path for path in touched if path.startswith(folder_told)} == touched - {*files_told}

    listed = python(tmp_path, "-m", "llmsim", "--list", "dialects")
    assert any(line.startswith("laconic ") for line in listed)
    flags = ("--dialect", "laconic", "--seed", "1", "--speed-factor", "max")
    lines = python(tmp_path, "-m", "llmsim", *flags)
    assert lines[0] == "still training at 1"
    assert all(re.fullmatch(r"still training at \d+", line) for line in lines)
    program = """
from datetime import datetime
from llmsim import Options, plan
for seed in range(60):
    print(plan(Options(seed=seed, start=datetime(2026, 1, 30), dialect="any")).framework.name)
"""
    assert "laconic" in python(tmp_path, "-c", program)
