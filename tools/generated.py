"""Generated files: written, or with --check held against what they ought to be."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def written(path: Path, text: str) -> int:
    """Writes the file; with --check in the command it is left alone.

    Returns the exit status: 1 where --check finds that the file is not this text.
    """
    if "--check" not in sys.argv[1:]:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"{name} is out of date: run make docs.")
    return 1
