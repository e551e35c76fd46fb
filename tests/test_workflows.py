"""What is published has been tested, by actions that nobody can change behind our back."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.stem: path.read_text("utf-8") for path in (ROOT / ".github/workflows").iterdir()}
TESTS = "./.github/workflows/tests.yml"


def jobs(workflow: str) -> dict[str, str]:
    """The text of each job."""
    _, _, text = WORKFLOWS[workflow].partition("\njobs:\n")
    parts = re.split(r"^  ([a-z]+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_actions_of_others_are_pinned_by_their_hash(workflow: str) -> None:
    used = re.findall(r"uses: (\S+)", WORKFLOWS[workflow])
    assert used
    assert [use for use in used if use != TESTS and not re.search(r"@[0-9a-f]{40}$", use)] == []


@pytest.mark.parametrize("workflow", ["pages", "publish"])
def test_nothing_is_built_or_published_before_the_tests_pass(workflow: str) -> None:
    told = jobs(workflow)
    (tests,) = (name for name, text in told.items() if TESTS in text)
    needs = {name: re.findall(r"needs: (\w+)", text) for name, text in told.items()}
    for name in set(told) - {tests}:
        while needs[name] != [tests]:
            (name,) = needs[name]  # noqa: PLW2901  # goes up until the tests


def test_every_python_that_the_package_names_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert len(named) > 3
    (matrix,) = re.findall(r"python: \[(.*)\]", WORKFLOWS["tests"])
    assert re.findall(r"[\d.]+", matrix) == named
    for target in ("lint", "unit", "transcripts"):
        assert target in jobs("tests")["tests"]
    assert "make test-browser" in jobs("tests")["page"]
    assert "make test-readers" in jobs("tests")["readers"]
