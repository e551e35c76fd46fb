"""What the pages of docs/ become on the site: links lead to its pages, or to the repository."""

from pathlib import Path

import pytest

from tools.docs_site import in_site, with_contents


@pytest.mark.parametrize(
    ("link", "at", "repository", "expected"),
    [
        ("[a](events.md#run)", "docs", "", "[a](events.md#run)"),
        ("[a](../README.md#options)", "docs", "", "[a](README.md#options)"),
        ("[a](docs/events.md)", "", "", "[a](events.md)"),
        ("![a](docs/run.png)", "", "", "![a](run.png)"),
        ("[a](../data/llm_gpus.txt)", "docs", "", "a"),
        (
            "[a](../data/llm_gpus.txt)", "docs", "me/llmsim",
            "[a](https://github.com/me/llmsim/blob/main/data/llm_gpus.txt)",
        ),
        ("[a](https://arxiv.org/abs/1)", "docs", "me/llmsim", "[a](https://arxiv.org/abs/1)"),
        ("[a](#here)", "docs", "me/llmsim", "[a](#here)"),
    ],
)  # fmt: skip
def test_links(link: str, at: str, repository: str, expected: str) -> None:
    assert in_site(f"See {link}.", Path(at), repository) == f"See {expected}."


def test_the_margin_has_the_headings_and_pages_of_the_index() -> None:
    index = "# llmsim\n\n## Shows\n\n- [On a wall](show.md): walls\n"
    assert with_contents(index).removeprefix(index) == (
        "\n```{toctree}\n:hidden:\n:caption: Shows\n\nOn a wall <show>\n```\n"
    )
