"""Builds the pages of docs/ into a small site with a search, which stands beside the show.

python -m tools.docs_site FOLDER    writes the site into FOLDER; the build of the page calls it

Sphinx does it. The site loads nothing from elsewhere, and a warning of Sphinx's fails the build.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.generated import ROOT

DOCS = ROOT / "docs"
STAGE = ROOT / "build" / "docs"
# Pages that stand beside docs/ in the project, and in it on the site.
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK = re.compile(r"(!?\[(?:[^\]`]|`[^`]*`)*\])\(([^)#\s]*)(#[^)\s]*)?\)")
PICTURES = (".png", ".svg")

CONFIGURATION = """\
project = "llmsim"
html_title = "llmsim"
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 3
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
suppress_warnings = ["misc.highlighting_failure", "myst.header"]
html_theme_options = {"top_of_page_buttons": []}
"""


def in_site(text: str, at: Path, repository: str = "") -> str:
    """A page's text with its links as the site needs them.

    `at` is the page's folder in the project. Links to other pages lead to the site's, links to
    files lead to the `repository` (its owner and name on GitHub), or are plain text without one.
    """

    def moved(found: re.Match[str]) -> str:
        label, target, anchor = found[1], found[2], found[3] or ""
        if not target or ":" in target:
            return found[0]
        place = os.path.normpath(at / target)
        if place in BESIDE:
            return f"{label}({place}{anchor})"
        if place.startswith("docs/") and place.endswith((".md", *PICTURES)):
            return f"{label}({place.removeprefix('docs/')}{anchor})"
        if repository:
            return f"{label}(https://github.com/{repository}/blob/main/{place})"
        return label[1:-1]

    return LINK.sub(moved, text)


def with_contents(index: str) -> str:
    """The index with a table of contents for the margin: its own headings and links."""
    contents = ""
    for part in index.split("\n## ")[1:]:
        links = re.findall(r"\[([^\]]+)\]\(([\w-]+)\.md", part)
        pages = [f"{label} <{page}>" for label, page in links]
        caption = part.partition("\n")[0]
        contents += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages)
        contents += "\n```\n"
    return index + contents


def stage(repository: str) -> None:
    """Puts the pages where Sphinx reads them."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    for page in sorted(DOCS.glob("*.md")):
        text = in_site(page.read_text(encoding="utf-8"), Path("docs"), repository)
        text = with_contents(text) if page.stem == "index" else text
        (STAGE / page.name).write_text(text, encoding="utf-8")
    for name in BESIDE:
        text = in_site((ROOT / name).read_text(encoding="utf-8"), Path(), repository)
        (STAGE / name).write_text(text, encoding="utf-8")
    for picture in sorted(DOCS.iterdir()):
        if picture.suffix in PICTURES:
            shutil.copy(picture, STAGE)
    (STAGE / "conf.py").write_text(CONFIGURATION, encoding="utf-8")


def build(target: Path) -> None:
    """Writes the site. Raises CalledProcessError when a page has a fault."""
    stage(os.environ.get("GITHUB_REPOSITORY", ""))
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", "html"]
    trees = ["--doctree-dir", str(STAGE / ".trees")]
    subprocess.run([*command, *trees, str(STAGE), str(target)], check=True)
    (target / ".buildinfo").unlink(missing_ok=True)
    (target / "objects.inv").unlink(missing_ok=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
