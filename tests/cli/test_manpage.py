"""--print-manpage: a page that names every option and that needs no date."""

import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from llmsim.options.table import OPTIONS
from tests.cli.asked import Captured, shown
from tools import dialect_docs, generated, manpage, option_docs, readme


def test_the_page_is_the_one_that_the_package_carries(capfd: Captured) -> None:
    assert shown(capfd, "--print-manpage") == manpage.PAGE.read_text(encoding="utf-8")


def plain(roff: str) -> str:
    """The text of roff without its markup: escaped dashes, fonts, italic corrections."""
    return re.sub(r"\\f[BIR]|\\[,/&]", "", roff.replace(r"\-", "-"))


def test_every_option_and_variable_has_its_paragraph() -> None:
    text = plain(manpage.page())
    for option in OPTIONS:
        flag = f"--{option.name} {option.metavar}".strip()
        assert re.search(rf"\n\.TP\n(-\w \w+, )?{flag}\n{re.escape(option.meaning)}", text)
    for name, _, _ in option_docs.VARIABLES:
        assert f"\n.TP\n{name}\n" in text


def test_the_sections_are_those_of_a_man_page_in_their_order() -> None:
    """man-pages(7): NAME, SYNOPSIS, DESCRIPTION, OPTIONS, then the others."""
    sections = re.findall(r"^\.SH (.*)$", manpage.page(), re.MULTILINE)
    assert sections == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS",
        "EXAMPLES", "ENVIRONMENT", "FILES", "EXIT STATUS",
    ]  # fmt: skip


def test_the_page_has_no_date_and_is_made_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    first = manpage.page()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000000000")
    assert manpage.page() == first
    assert first.startswith('.TH LLMSIM "1" "" "llmsim ')


def test_no_line_is_taken_for_a_request_that_it_is_not() -> None:
    requests = {line.split()[0] for line in manpage.page().splitlines() if line[:1] in (".", "'")}
    assert requests == {".TH", ".SH", ".TP", ".B"}


def test_every_escape_is_one_that_roff_knows() -> None:
    """groff(7): a backslash begins an escape, and what it does not know it prints or swallows."""
    rest = re.sub(r"\\(?:f[BIRP]|[-,/&e])", "", manpage.page())
    assert "\\" not in rest


def test_every_list_entry_has_a_term_and_a_text() -> None:
    """man(7): .TP takes the next line as the term, and the lines after it as the text."""
    for block in re.split(r"^\.TP$", manpage.page(), flags=re.MULTILINE)[1:]:
        _, term, text, *_ = block.split("\n")
        assert term
        assert not term.startswith((".", "'"))
        assert text
        assert not text.startswith((".", "'"))


# Those who read man pages, asked by `make test-readers`; what stands above needs none of them.
READERS = (
    ("man", "--warnings=w", "-l"),
    ("groff", "-man", "-ww", "-Tutf8"),
    ("mandoc", "-T", "lint", "-W", "error"),
)


@pytest.mark.readers
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_those_who_read_man_pages_have_nothing_to_say_against_it(reader: tuple[str, ...]) -> None:
    if not shutil.which(reader[0]):
        pytest.fail(f"{reader[0]} is not here: install it.", pytrace=False)
    told = subprocess.run([*reader, str(manpage.PAGE)], capture_output=True, check=True)
    assert told.stderr == b""


@pytest.mark.parametrize("tool", [dialect_docs, manpage, option_docs, readme])
def test_each_tool_holds_its_page_against_what_it_would_write(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def written(path: Path, _text: str) -> int:
        asked.append(path)
        return 1

    monkeypatch.setattr(tool, "filled" if tool is readme else "page", lambda *_: "text")
    monkeypatch.setattr(tool, "written", written)
    assert tool.main() == 1
    assert asked[0].exists()


def test_lint_finds_a_page_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Captured
) -> None:
    page = tmp_path / "page"
    monkeypatch.setattr("sys.argv", ["tool", "--check"])
    assert generated.written(page, "new") == 1
    assert not page.exists()
    monkeypatch.setattr("sys.argv", ["tool"])
    assert generated.written(page, "new") == 0
    monkeypatch.setattr("sys.argv", ["tool", "--check"])
    assert generated.written(page, "new") == 0
    assert generated.written(page, "newer") == 1
    assert page.read_text(encoding="utf-8") == "new"
    assert capfd.readouterr().out == f"{page} is out of date: run make docs.\n" * 2
