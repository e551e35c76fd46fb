"""Build what is published, and look at it as an index and a stranger would: `make dist`.

The sdist and the wheel go into dist/. Both have to pass twine's check; each is installed into an
empty environment without a network, and plays a run there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
RUN = (
    "--dialect",
    "pytorch",
    "--seed",
    "7",
    "--speed-factor",
    "max",
    "--start",
    "2026-01-30T12:00:00",
)
LAST = "Same run again: llmsim"


def _run(*command: str | Path, **environment: str) -> str:
    """What a command prints; a failure ends this program with what it said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    made = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**clean, **environment}
    )
    if made.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{made.stdout}{made.stderr}")
    return made.stdout


def build() -> list[Path]:
    """Write the sdist, and the wheel out of it."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "--directory", DIST)
    return sorted(DIST.iterdir())


def check(files: list[Path]) -> None:
    """Look at the metadata, and at the README as an index renders it."""
    print(_run(sys.executable, "-m", "twine", "check", "--strict", *files).strip())


def try_out(file: Path) -> None:
    """Install a file into an empty environment, and play a run of it."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
        if file.suffix != ".whl":  # an sdist is built first, by the backend that it names
            _run(programs / "python", "-m", "pip", "install", "--quiet", "hatchling")
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        _run(programs / "python", "-m", "pip", "install", *options, file)
        told = _run(programs / "llmsim", *RUN)
        if LAST not in told.splitlines()[-1]:
            sys.exit(f"{file.name} is installed, but does not play a run to its end.")
        version = _run(programs / "llmsim", "--version").strip()
        print(f"{file.name}: {version}, {len(told.splitlines()):,} lines")


def main() -> None:
    """Build and check both."""
    files = build()
    check(files)
    for file in files:
        try_out(file)


if __name__ == "__main__":
    main()
