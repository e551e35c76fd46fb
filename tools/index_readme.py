"""The README as a package index shows it: hatchling asks for it as it builds.

An index has none of the files beside a README. Where the repository's address is known (GitHub's
workflows say it), links and pictures lead there, to the release that is built. Where it is not,
pictures are left out and links are plain text.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"^!\[([^\]]*)\]\((?!https?:)([^)]+)\)\n\n", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


def for_index(text: str, repository: str = "", version: str = "") -> str:
    """The README's text; `repository` is its owner and name on GitHub, `version` a tag there."""
    text = COMMENT.sub("", text)
    if not repository:
        return LINK.sub(r"\1", PICTURE.sub("", text))
    files = f"https://raw.githubusercontent.com/{repository}/{version}"
    pages = f"https://github.com/{repository}/blob/{version}"
    text = PICTURE.sub(rf"![\1]({files}/\2)\n\n", text)
    return LINK.sub(rf"[\1]({pages}/\2)", text)


class Readme(MetadataHookInterface):  # type: ignore[misc, unused-ignore]  # without hatchling
    """Hands the text to hatchling."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, object]) -> None:
        """Add the README to the package's metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("GITHUB_REPOSITORY", "")
        version = os.environ.get("GITHUB_REF_NAME", "main")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_index(text, repository, version),
        }
