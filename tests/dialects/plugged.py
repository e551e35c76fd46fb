"""A package with a dialect, as pip leaves it: the example of docs/plugins.md."""

import tomllib
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples/laconic"


def installed(folder: Path, source: str) -> None:
    """Puts the example's package into a folder that Python searches; its module has this source."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (folder / "laconic_dialect.py").write_text(source, encoding="utf-8")
    info = folder / f"laconic_dialect-{project['version']}.dist-info"
    info.mkdir(exist_ok=True)
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ((group, points),) = project["entry-points"].items()
    text = f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
    (info / "entry_points.txt").write_text(text, encoding="utf-8")
