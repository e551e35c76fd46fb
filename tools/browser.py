"""The browser of the tests: one on PATH, else Playwright's, else Debian's chromium.

`python -m tools.browser` makes sure that there is one, and says which was taken.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = (
    "No browser for the tests: install Chromium or Google Chrome so that `chromium` or "
    "`google-chrome` is on PATH, then run `make test-browser` again."
)
# Chromium calls its maker at every start unless told not to; the tests count every request.
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
)


class BrowserMissingError(Exception):
    """There is no browser, and none could be installed."""


def _runs(program: str) -> bool:
    """Some systems put a stub on PATH that only says where to get the browser."""
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def _on_path() -> Path | None:
    programs = (shutil.which(name) for name in NAMES)
    return next((Path(program) for program in programs if program and _runs(program)), None)


def _of_playwright(chromium: BrowserType) -> Path | None:
    program = chromium.executable_path  # where it would be
    return Path(program) if Path(program).exists() and _runs(program) else None


def find(chromium: BrowserType) -> Path:
    """The browser to use. Raises BrowserMissingError, which says what to install."""
    program = _on_path() or _of_playwright(chromium)
    if program is None:
        raise BrowserMissingError(MISSING)
    return program


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def launch(chromium: BrowserType) -> Browser:
    """Start the browser. As root, as in most containers, Chromium runs only without its sandbox."""
    arguments = [*ARGUMENTS, "--no-sandbox"] if _root() else [*ARGUMENTS]
    return chromium.launch(executable_path=find(chromium), args=arguments)


def _succeeds(*command: str) -> bool:
    print("browser: trying", " ".join(command), flush=True)
    return subprocess.run(command, check=False).returncode == 0


def _install_with_playwright() -> bool:
    return _succeeds(sys.executable, "-m", "playwright", "install", "chromium")


def _install_with_apt() -> bool:
    if not (_root() and shutil.which("apt-get")):
        return False
    install = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")
    return _succeeds("apt-get", "--quiet", "update") and _succeeds(*install)


WAYS: tuple[tuple[str, Callable[[], bool]], ...] = (
    ("was here already", lambda: True),
    ("installed by Playwright", _install_with_playwright),
    ("installed by apt-get", _install_with_apt),
)


def main() -> int:
    """Find a browser or install one."""
    with sync_playwright() as playwright:
        for how, install in WAYS:
            with suppress(BrowserMissingError):
                if install():
                    print(f"browser: {find(playwright.chromium)} ({how})")
                    return 0
    print(MISSING, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
