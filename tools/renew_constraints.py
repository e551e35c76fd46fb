"""Write constraints.txt anew: the newest versions of the dev extras and of all they need.

Run by `make constraints`, in a virtual environment of its own; then `make test`, and
read the difference before committing it.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = """\
# Exact versions of everything that building and testing need; the package itself needs nothing.
# Made by `make constraints`: run it to renew, then `make test`.
"""


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Install the extras of those who build and test, and write down what came."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    build = project["build-system"]["requires"]
    extras = project["project"]["optional-dependencies"]
    dev = [name for name in extras["dev"] if not name.startswith("llmsim[")]  # that is `check`
    names = ("browsers", "dist", "fleet", "readers-export", "readers-fleet", "web")
    readers = [package for name in names for package in extras[name]]
    _pip("install", "--quiet", *build, *extras["check"], *dev, *readers)
    (ROOT / "constraints.txt").write_text(HEADER + _pip("freeze"), encoding="utf-8")


if __name__ == "__main__":
    main()
