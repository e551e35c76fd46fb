"""Runs promtool, if it is installed: `promtool test rules` in a temporary folder."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import which

HINT = (
    "promtool is not installed, so that no rule was tried on a run: apt install prometheus, "
    "brew install prometheus, or https://prometheus.io/download."
)


def is_there() -> bool:
    """Whether there is a promtool on the path."""
    return which("promtool") is not None


def _environment() -> dict[str, str]:
    """Ours, and less work for Go's garbage collector, which has a sixth of the time otherwise."""
    return {"GOGC": "400", **os.environ}


def tested(files: Mapping[str, str]) -> str:
    """What `promtool test rules test.json` says of these files, on both of its outputs."""
    with tempfile.TemporaryDirectory(prefix="llmsim-grade-") as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        made = subprocess.run(
            ["promtool", "test", "rules", "test.json"],
            cwd=folder, capture_output=True, text=True, check=False, env=_environment(),
        )  # fmt: skip
    return made.stdout + made.stderr
