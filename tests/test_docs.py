"""What the code cites can be opened: pages, sections of the physics, laws."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CITING = ("src", "tools", "tests")


def texts() -> Iterator[tuple[Path, str]]:
    """Every file that cites, with its lines joined, so that a citation may span two."""
    files = [path for folder in CITING for path in sorted((ROOT / folder).rglob("*.py"))]
    for path in (*files, ROOT / "pyproject.toml", ROOT / "Makefile"):
        yield path, " ".join(path.read_text(encoding="utf-8").split())


def written(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_every_page_that_is_named_exists() -> None:
    named = {
        (path, page)
        for path, text in texts()
        if ".md" in text
        for page in re.findall(r"[\w./-]*\w\.md", text)
    }
    assert len(named) > 10
    missing = [
        (path.name, page)
        for path, page in named
        if not any((folder / page.lstrip("/")).exists() for folder in (ROOT, ROOT / "docs"))
    ]
    assert missing == []


def test_every_section_of_the_physics_that_is_cited_exists() -> None:
    headings = re.findall(r"^## (\d+)\. ", written("docs/physics.md"), re.MULTILINE)
    cited = set()
    for _, text in texts():
        for numbers in re.findall(r"physics\.md,? (?:sections? )?((?:\d+|, | and | to )+)", text):
            cited |= set(re.findall(r"\d+", numbers))
    assert {"1", "4", "5", "9", "10"} <= cited
    assert cited <= set(headings)


def test_every_law_that_is_cited_is_written_down() -> None:
    laws = re.findall(r"^(\d)\. \*\*", written("CONTRIBUTING.md"), re.MULTILINE)
    cited = {number for _, text in texts() for number in re.findall(r"\blaw ([1-9])\b", text)}
    assert len(cited) > 3
    assert cited <= set(laws)


def test_the_map_of_the_code_has_every_room() -> None:
    places = re.findall(r"`([\w./]+?)/?`", written("CONTRIBUTING.md").partition("| place |")[2])
    rooms = {
        path.stem
        for path in (ROOT / "src/llmsim").iterdir()
        if path.is_dir() or path.suffix == ".py"
        if not path.name.startswith("__")
    }
    assert len(rooms) > 10
    assert rooms - set(places) == set()


def test_what_the_guide_to_contributing_names_is_there() -> None:
    guide = written("CONTRIBUTING.md")
    for path in re.findall(r"`((?:src|tests|tools|data)/[\w./]*)`", guide):
        assert "NAME" in path or (ROOT / path).exists(), path
    targets = re.findall(r"^([a-z-]+):", written("Makefile"), re.MULTILINE)
    for words in re.findall(r"`make ([a-z -]+)", guide):
        assert set(words.split()) <= set(targets), words


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(
    f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))
))  # fmt: skip


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", written(page), flags=re.MULTILINE | re.DOTALL)
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_picture_and_anchor_of_a_page_leads_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", written(page), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", "", text)
    wrong = []
    for target, anchor in LINK.findall(text):
        place = (ROOT / page).parent / target if target else ROOT / page
        if not place.exists():
            wrong.append(target)
        elif anchor and place.suffix == ".md":
            name = place.resolve().relative_to(ROOT).as_posix()
            wrong += [f"{target}#{anchor}"] if anchor not in anchors(name) else []
    assert wrong == []


def test_every_page_of_the_docs_is_in_the_list_of_pages() -> None:
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", written("docs/index.md")))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} == listed


def test_every_page_is_reached_from_the_readme_in_two_steps() -> None:
    first = set(LINK.findall(written("README.md")))
    near = {target.removeprefix("docs/") for target, _ in first if target.endswith(".md")}
    for page in [name for name in near if (ROOT / "docs" / name).exists()]:
        near |= {target for target, _ in LINK.findall(written(f"docs/{page}"))}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} <= near
