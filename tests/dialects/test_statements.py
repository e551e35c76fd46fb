"""Thirty runs of each dialect, walked by its table of the framework's statements that print."""

import re
from importlib.util import find_spec

import pytest

from llmsim.dialects.capture import node_mark
from llmsim.dialects.registry import NAMES, framework_of
from tests.dialects.transcripts import log
from tests.dialects.walk import table, table_module, unmarked, walked

HOUSE = "pytorch"  # nobody's release: its source is its folder
# The dialects that have a table.
TABLES = [name for name in NAMES if find_spec(f"llmsim.dialects.{name}.statements")]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("dialect", TABLES)
def test_every_line_is_a_statements_at_its_place(dialect: str, seed: int) -> None:
    told = log(dialect, seed, tidy=True)
    faults = walked(dialect, told.job, told.lines)
    assert not faults, "\n".join(faults[:10])


@pytest.mark.parametrize("seed", range(5))
def test_a_sober_run_of_the_house_has_all_lines_but_the_jokes(seed: int) -> None:
    told = log(HOUSE, seed, tidy=True, jokes=False)
    faults = walked(HOUSE, told.job, told.lines)
    assert not faults, "\n".join(faults[:10])


# The older releases that have a table of their own.
OLDER = [(name, release) for name in TABLES for release in getattr(table_module(name), "OLDER", {})]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize(("dialect", "release"), OLDER)
def test_an_older_release_prints_its_own_statements(dialect: str, release: str, seed: int) -> None:
    told = log(dialect, seed, tidy=True, release=release)
    faults = walked(dialect, told.job, told.lines, release)
    assert not faults, "\n".join(faults[:10])


@pytest.mark.parametrize("dialect", TABLES)
def test_a_line_too_many_too_few_or_strange_is_found(dialect: str) -> None:
    """A table that took every log would hold nothing."""
    told = log(dialect, 3, tidy=True)
    strange = f"{node_mark(told.job, 0) if told.job.capture == 'all' else ''}~"
    assert any("no statement's" in fault for fault in walked(dialect, told.job, [strange] * 2))
    once = [name for name, each in table(dialect).statements.items() if each.steps is not None]
    assert len(once) >= 3
    shorter = told.lines[: len(told.lines) // 2]
    assert walked(dialect, told.job, shorter)
    assert walked(dialect, told.job, told.lines[::-1])
    counted = table(dialect).statements
    at = next(
        at
        for at, line in enumerate(unmarked(told.job, told.lines))
        if any(each.steps and re.fullmatch(each.text, line) for each in counted.values())
    )
    assert walked(dialect, told.job, (*told.lines[:at], told.lines[at], *told.lines[at:]))


@pytest.mark.parametrize("dialect", [name for name in TABLES if name != HOUSE])
def test_a_dialect_with_a_table_names_its_release(dialect: str) -> None:
    framework = framework_of(dialect)
    assert framework.source
    assert framework.release
    # A commit, or the sha256 of a wheel.
    assert len(framework.commit) == (64 if framework.source.startswith("pypi.org") else 40)
