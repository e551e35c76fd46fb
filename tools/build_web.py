"""Build the page into web/dist: its sources, the wheel, and of npm's packages what is served."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WEB = ROOT / "web"
DIST = WEB / "dist"
PACKAGES = WEB / "node_modules"

SOURCES = ("index.html", "style.css", "icon.svg", "main.js", "terminal.js", "worker.js")
VENDOR = (
    "@xterm/addon-fit/lib/addon-fit.mjs",
    "@xterm/xterm/css/xterm.css",
    "@xterm/xterm/lib/xterm.mjs",
    "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm",
    "pyodide/pyodide-lock.json",
    "pyodide/python_stdlib.zip",
)
# What the worker fetches, and so what the bar of the loading page counts.
FETCHED = (
    "llmsim.whl",
    "vendor/pyodide.asm.wasm",
    "vendor/pyodide-lock.json",
    "vendor/python_stdlib.zip",
)


def build_wheel(target: Path) -> None:
    """Build the package's wheel. Its name is fixed, as the worker cannot know the version."""
    folder = ROOT / "build" / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "--quiet", "wheel", str(ROOT)]
    # The build backend is in the dev extra already: no environment of its own, no download.
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*command, *options], check=True)
    (wheel,) = folder.glob("llmsim-*.whl")
    shutil.copyfile(wheel, target)


def write_index(size: int) -> None:
    """Copy the page, with the number of bytes that it will have to fetch."""
    page = (WEB / "index.html").read_text(encoding="utf-8")
    before, after = page.split('data-bytes="0"')
    (DIST / "index.html").write_text(f'{before}data-bytes="{size}"{after}', encoding="utf-8")


def main() -> None:
    """Build everything anew."""
    shutil.rmtree(DIST, ignore_errors=True)
    (DIST / "vendor").mkdir(parents=True)
    for name in VENDOR:
        shutil.copyfile(PACKAGES / name, DIST / "vendor" / Path(name).name)
    for name in SOURCES:
        shutil.copyfile(WEB / name, DIST / name)
    build_wheel(DIST / "llmsim.whl")
    write_index(sum((DIST / name).stat().st_size for name in FETCHED))
    print(f"page: {DIST.relative_to(ROOT)}, {_megabytes():.1f} MB")


def _megabytes() -> float:
    return sum(file.stat().st_size for file in DIST.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
