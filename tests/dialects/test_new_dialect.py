"""Follows CONTRIBUTING's steps for a new dialect on a copy of the tree, and counts the files."""

import re
from pathlib import Path

import pytest

from tests.copied import ROOT, Copy

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


@pytest.mark.long
def test_a_new_dialect_is_one_folder_and_one_name(tmp_path: Path) -> None:
    copy, names = Copy(tmp_path), "NAMES = (\n"
    for name, source in NEW.items():
        copy.write(f"src/llmsim/dialects/laconic/{name}", source)
    copy.replace("src/llmsim/dialects/registry.py", names, f'{names}    "laconic",\n')

    touched = copy.touched()
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

    listed = copy.python("-m", "llmsim", "--list", "dialects").splitlines()
    assert any(line.startswith("laconic ") for line in listed)
    flags = ("-d", "laconic", "--seed", "1", "--start", "2026-01-30T12:00", "-s", "max")
    lines = copy.python("-m", "llmsim", *flags).splitlines()
    assert lines[0] == "still training at 1"
    assert all(re.fullmatch(r"still training at \d+", line) for line in lines)
    program = """
from datetime import datetime
from llmsim import Options, plan
for seed in range(60):
    print(plan(Options(seed=seed, start=datetime(2026, 1, 30), dialect="any")).framework.name)
"""
    assert "laconic" in copy.python("-c", program).splitlines()
