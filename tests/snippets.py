"""The commands and snippets of README and docs, and a folder in which they can be run."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.cli.test_foreign_jobs import ARGUMENTS, CONFIG, MEGATRON, TORCHTITAN

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
HERE = re.compile(r"^cat > \S+ <<'END'\n.*?^END\n", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    +((?:llmsim|make|asciinema|agg|ffmpeg|stty) .*)$", re.MULTILINE)


# A rule and a panel in which nothing is wrong.
RULE = """\
groups:
  - name: gpus
    rules:
      - alert: Hot
        expr: DCGM_FI_DEV_GPU_TEMP > 90
        for: 5m
"""
PANEL = json.dumps(
    {"title": "GPUs", "panels": [{"title": "W", "targets": [{"expr": "DCGM_FI_DEV_POWER_USAGE"}]}]}
)


class Snippet(NamedTuple):
    """A block of a page, or one command of a block."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.partition(chr(10))[0]}"


def snippets(language: str) -> list[Snippet]:
    """The blocks in a language, in all pages."""
    return [
        Snippet(page, language, text)
        for page in PAGES
        for found, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
        if found == language
    ]


def commands() -> Iterator[Snippet]:
    """Every line that a reader types into a shell, without its comment."""
    for page, _, text in snippets("sh"):
        for line in HERE.sub("", text).splitlines():
            if line.strip():
                yield Snippet(page, "sh", re.sub(r"\s+# .*", "", line))
    for page in PAGES:
        for line in INDENTED.findall((ROOT / page).read_text(encoding="utf-8")):
            yield Snippet(page, "sh", re.sub(r"\s+# .*", "", line))


def furnished(folder: Path) -> dict[str, str]:
    """Puts the files that commands name into a folder; returns the variables to run them with.

    A show ends after a second, by a variable, so that a command is run as it is written.
    """
    job = next(each.text for each in snippets("toml") if each.page == "docs/jobs.md")
    spec = next(each.text for each in snippets("toml") if each.page == "docs/fleets.md")
    files = {
        "job.toml": job,
        "seven.toml": "[run]\nseed = 7\n",
        "fleet.toml": spec.replace("runs = 24", "runs = 2"),
        "llama3_8b.toml": TORCHTITAN,
        "train_llama3_8b_h100_fp8.sh": MEGATRON,
        "config.json": json.dumps(CONFIG),
        "training_args.json": json.dumps(ARGUMENTS),
        "alerts.yml": RULE,
        "dashboards/gpus.json": PANEL,
        "my.csv": "DCGM_FI_DEV_GPU_TEMP, gauge, GPU temperature (in C).\n",
        "bin/llmsim": f'#!/bin/sh\nexec {sys.executable} -m llmsim "$@"\n',
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "bin/llmsim").chmod(0o755)
    for place in (".local/share/bash-completion/completions", ".config/fish/completions", ".zfunc"):
        (folder / place).mkdir(parents=True)
    bin_folders = f"{folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return {"HOME": str(folder), "PATH": bin_folders, "LLMSIM_EXIT_AFTER_TIME": "1s"}


def targets() -> set[str]:
    """What make can be asked for."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def extras() -> set[str]:
    """The extras that pip can be asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return set(project["project"]["optional-dependencies"])
