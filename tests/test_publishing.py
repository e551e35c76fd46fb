"""What a package index shows of the README: it has none of the files beside it."""

import re
from pathlib import Path

import pytest

from tools.index_readme import for_index

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
RELATIVE = re.compile(r"\]\((?!https?:|#)")


@pytest.mark.parametrize("repository", ["", "somebody/llmsim"])
def test_index_gets_no_relative_address_and_no_comment(repository: str) -> None:
    text = for_index(README, repository, "v1.0.0")
    assert RELATIVE.search(text) is None
    assert "<!--" not in text
    assert text.startswith("# llmsim\n")


def test_pictures_and_links_lead_to_the_release() -> None:
    text = for_index(README, "somebody/llmsim", "v1.0.0")
    pictures = re.findall(r"!\[[^\]]+\]\((\S+)\)", text)
    assert len(pictures) == len(re.findall(r"!\[", README))
    files = "https://raw.githubusercontent.com/somebody/llmsim/v1.0.0/docs/"
    assert all(address.startswith(files) for address in pictures)
    links = [address for address in re.findall(r"\]\((\S+)\)", text) if "/blob/" in address]
    assert links
    assert all(it.startswith("https://github.com/somebody/llmsim/blob/v1.0.0/") for it in links)


def test_without_a_repository_there_is_no_broken_picture() -> None:
    assert "![" not in for_index(README)
